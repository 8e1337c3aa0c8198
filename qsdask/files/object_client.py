"""Requests to object stores: the client of each bucket, what is tried again, and what is said when that does not help."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from typing import Any, Protocol, TypeVar

from qsdask.errors import CannotCreateError, NoInputError, QSDaskError, StoreIOError, UsageError

__all__ = ["PAUSE", "TRIES", "client_of", "no_bucket", "tried"]

T = TypeVar("T")


class _Asked(Protocol):
    """A place in a bucket."""

    @property
    def scheme(self) -> str: ...
    @property
    def bucket(self) -> str: ...


#: Tries of a request beyond those of obstore itself, and seconds before the second; they double. obstore leaves conditional
#: writes after a cut connection, conflicts and bodies that end early to its caller.
TRIES, PAUSE = 5, 0.2

#: Beginnings of the variables of the environment that say where the storage is, and who asks.
_SETTINGS = {"s3": "AWS_", "gs": "GOOGLE_", "az": "AZURE_"}

_CREDENTIALS = {
    "s3": "look at AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_ENDPOINT_URL",
    "gs": "look at GOOGLE_APPLICATION_CREDENTIALS",
    "az": "look at AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}


def client_of(url: str, scheme: str) -> Any:
    """Object store of obstore whose names begin at a URL, with the settings that the environment has now."""
    own = _SETTINGS[scheme]
    return _client(url, scheme, tuple((k, v) for k, v in os.environ.items() if k.startswith(own)))


def tried(place: _Asked, request: Callable[[Any], T]) -> T:
    """Do a request with the client of a bucket, again after a pause where that may help.

    Raises
    ------
    FileNotFoundError
        There is no such object.
    StoreIOError, CannotCreateError, NoInputError
        ``E-BUCKET``.
    """
    client = client_of(f"{place.scheme}://{place.bucket}", place.scheme)
    from obstore.exceptions import GenericError, PermissionDeniedError, UnauthenticatedError

    for left in reversed(range(TRIES)):
        try:
            return request(client)
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise CannotCreateError(
                f"the object store refuses this: {_plain(error)}",
                code="E-BUCKET",
                file=place,
                why="credentials are missing or wrong, or do not allow it",
                hint=_CREDENTIALS[place.scheme],
            ) from None
        except GenericError as error:
            if "NoSuchBucket" in str(error):
                raise no_bucket(place) from None
            if not left:
                raise _failed(place, error) from None
            time.sleep(PAUSE * 2 ** (TRIES - 1 - left))
    raise AssertionError


def no_bucket(place: _Asked) -> QSDaskError:
    """The refusal where there is no bucket."""
    return NoInputError(
        f"there is no bucket {place.bucket}", code="E-BUCKET", file=place, hint="make it, or look at its name"
    )


def _failed(place: _Asked, error: Exception) -> QSDaskError:
    return StoreIOError(
        f"the object store does not answer as it must: {_plain(error)}",
        code="E-BUCKET",
        file=place,
        why="no network, a wrong endpoint or bucket, or a server in trouble",
        hint="run the same command again: it goes on where it was; " + _CREDENTIALS[place.scheme],
    )


def _plain(error: Exception) -> str:
    """What an error of obstore says, without the dump of its fields."""
    return str(error).strip().splitlines()[0].removeprefix("Generic ").partition("\n")[0][:300]


@lru_cache(maxsize=32)
def _client(url: str, scheme: str, settings: tuple[tuple[str, str], ...]) -> Any:
    """Client of this process, with the settings of the environment, which obstore reads itself."""
    try:
        from obstore.store import from_url
    except ImportError:
        raise UsageError(
            f"{scheme}:// is read and written through the package obstore, which is not installed",
            code="E-EXTRA",
            file=url,
            hint="python -m pip install 'qsdask[cloud]'",
        ) from None
    named = dict(settings)
    client: Any = {"timeout": "300s", "connect_timeout": "5s"}
    if named.get(f"{_SETTINGS[scheme]}ALLOW_HTTP", "").lower() in ("1", "true", "yes", "on"):
        client["allow_http"] = True
    elif named.get("AWS_ENDPOINT_URL", "").startswith("http://"):
        raise UsageError(
            f"AWS_ENDPOINT_URL={named['AWS_ENDPOINT_URL']} is not encrypted",
            code="E-BUCKET",
            file=url,
            why="whoever is on the way could read and change the numbers",
            hint="use https://, or set AWS_ALLOW_HTTP=true where that does not matter, such as on this machine",
        )
    retries: Any = {
        "max_retries": 5,
        "retry_timeout": timedelta(seconds=60),
        "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=5), "base": 2},
    }
    try:
        return from_url(url, client_options=client, retry_config=retries)
    except Exception as error:  # of Rust, a class of its own for every kind of setting
        raise UsageError(
            f"the settings of the object store cannot be: {_plain(error)}",
            code="E-BUCKET",
            file=url,
            hint=_CREDENTIALS[scheme],
        ) from None
