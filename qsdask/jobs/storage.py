"""How a recipe reaches its buckets: its table ``[storage]`` becomes the environment that clients of object stores read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from qsdask.errors import UsageError
from qsdask.jobs.recipe import load_recipe
from qsdask.settings import Recipe
from qsdask.settings.storage import StorageSettings

__all__ = ["reached", "storage_of"]

_SECRETS = ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN")


def storage_of(recipe: str | Path | Recipe, changes: Sequence[str] = ()) -> StorageSettings:
    """Table ``[storage]`` of a recipe, as `changes` leave it."""
    return (recipe if isinstance(recipe, Recipe) else load_recipe(recipe, changes)[0]).storage


@contextmanager
def reached(storage: StorageSettings) -> Iterator[None]:
    """Reach the buckets of a recipe inside the ``with``: here, and in the workers that are started there.

    Parameters
    ----------
    storage : StorageSettings
        The table. What the environment says of endpoint and region goes before it: a recipe may come from somebody else.

    Raises
    ------
    UsageError
        ``E-BUCKET`` when a variable that is to hold a credential is not there.
    """
    told = {
        "AWS_ENDPOINT_URL": storage.endpoint,
        "AWS_REGION": storage.region,
        "AWS_ALLOW_HTTP": "true" if storage.allow_http else None,
    }
    wanted: dict[str, str | None] = {
        name: value for name, value in told.items() if value is not None and name not in os.environ
    }
    if storage.credentials != "AWS":
        wanted |= _credentials(storage.credentials)
    before = {name: os.environ.get(name) for name in wanted}
    _set(wanted)
    try:
        yield
    finally:
        _set(before)


def _set(variables: dict[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _credentials(prefix: str) -> dict[str, str | None]:
    """Credentials of the variables with that beginning, under the names of AWS."""
    if missing := next((f"{prefix}_{name}" for name in _SECRETS[:2] if f"{prefix}_{name}" not in os.environ), None):
        raise UsageError(
            f"storage.credentials = {prefix!r}: there is no variable {missing}",
            code="E-BUCKET",
            hint=f"export {missing}=…",
        )
    return {f"AWS_{name}": os.environ.get(f"{prefix}_{name}") for name in _SECRETS}
