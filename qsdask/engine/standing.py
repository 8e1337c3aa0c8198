"""Schedulers that run already, by their address or by the file that they have written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from distributed import Client
from distributed.security import Security

from qsdask.engine.queue import await_workers
from qsdask.errors import NoInputError, UsageError
from qsdask.settings import ClusterSettings

__all__ = ["standing"]

#: So long is waited for the first worker of a scheduler that stands already. Unit: seconds.
WORKERS_SECONDS = 600


@contextmanager
def standing(settings: ClusterSettings) -> Iterator[Client]:
    """Client of a scheduler that runs.

    Parameters
    ----------
    settings : ClusterSettings
        Of kind ``address`` or ``file``; its options are those of `distributed.security.Security`: ``tls_ca_file``,
        ``tls_client_cert``, ``tls_client_key``. What is left out comes from Dask's configuration.

    Yields
    ------
    distributed.Client
        When it has a worker.

    Raises
    ------
    UsageError
        ``E-CLUSTER-OPTIONS``.
    NoInputError
        ``E-CLUSTER-FILE`` when the scheduler file is not there; ``E-CLUSTER-CONNECT`` when nobody answers.
    ResumableError
        ``E-NO-WORKERS`` when the scheduler has none, and none comes.
    """
    name = settings.address or str(settings.file)
    target: dict[str, Any] = {"address": name}
    if settings.file is not None:
        if not Path(name).is_file():
            raise NoInputError("no scheduler file here", code="E-CLUSTER-FILE", file=name)
        target = {"scheduler_file": name}
    if settings.options:
        target["security"] = _security(settings.options)
    try:
        client = Client(**target, timeout="20s")
    except (OSError, TimeoutError) as error:
        raise NoInputError(
            f"no Dask scheduler answers at {name}: {error}",
            code="E-CLUSTER-CONNECT",
            hint="start one with 'dask scheduler'",
        ) from None
    except TypeError:  # which is how Dask says that it has no certificates
        raise NoInputError(
            f"the scheduler at {name} is reached with its key only",
            code="E-CLUSTER-CONNECT",
            hint="name tls_ca_file, tls_client_cert and tls_client_key in [cluster.options], or in Dask's configuration",
        ) from None
    with client:
        seconds = WORKERS_SECONDS if settings.wait_minutes is None else 60 * settings.wait_minutes
        hint = f"start some with 'dask worker {name}', then run the same command again"
        await_workers(client, f"the scheduler at {name}", seconds, hint)
        yield client


def _security(options: dict[str, Any]) -> Security:
    try:
        return Security(**options)
    except TypeError as error:
        raise UsageError(
            str(error),
            code="E-CLUSTER-OPTIONS",
            hint="of a scheduler that stands: tls_ca_file, tls_client_cert, tls_client_key, require_encryption",
        ) from None
