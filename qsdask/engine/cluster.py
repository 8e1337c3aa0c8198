"""Where tasks run: worker processes here, threads here, a cluster that stands already, or one that is started elsewhere."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from distributed import Client

from qsdask.engine.guard import refuse_again
from qsdask.engine.local import cores, local
from qsdask.engine.named import cluster_of
from qsdask.engine.runner import runner
from qsdask.engine.standing import standing
from qsdask.engine.started import batch, service
from qsdask.engine.versions import check_versions
from qsdask.settings import ClusterSettings
from qsdask.settings.cluster import BATCH, OWN, STANDING

__all__ = ["connect"]


@contextmanager
def connect(
    cluster: str | Path | ClusterSettings | Client | None = "local",
    workers: int | None = None,
    *,
    memory_limit: str | None = None,
    announce: bool = False,
) -> Iterator[Client]:
    """Client of the cluster named by the user.

    Parameters
    ----------
    cluster : str, Path, ClusterSettings or distributed.Client, optional
        ``"local"``: one worker process per core of this machine, on loopback only, encrypted with a key that lives as
        long as the cluster: nobody else on this machine can give it work. ``"threads"``: threads of this process, which
        listens nowhere. ``"tcp://..."`` or ``"tls://..."``: address of a scheduler; certificates for the latter come from
        Dask's own configuration, ``distributed.comm.tls``. A path: a scheduler file, or ``FILE.toml`` with a table
        ``[cluster]``. ``"slurm"`` and other kinds of `qsdask.settings.ClusterSettings` need no file where Dask's
        configuration says the rest. A client is used as it is.
    workers : int, optional
        Worker processes, threads or jobs; all cores of this machine, or one job, by default. Not for a scheduler that stands.
    memory_limit : str, optional
        Memory that each worker process may take, such as ``"1.5GB"``; an equal share of this machine's by default.
        Only for ``"local"``.
    announce : bool
        Print the link to the dashboard of a cluster started here, when stderr is a terminal.

    Yields
    ------
    distributed.Client
        Closed afterwards, unless it was given.

    Raises
    ------
    UsageError
        ``E-CLUSTER`` when the name is none of these, ``E-SETTING`` when a setting does not fit, ``E-CLUSTER-OPTIONS``,
        ``E-CLUSTER-CLASS``, ``E-CLUSTER-START`` and ``E-CLUSTER-RUNNER`` when the class does not take it; ``E-EXTRA`` when
        its package is missing; ``E-VERSIONS`` when the cluster runs other packages; ``E-MAIN-GUARD`` when a script without a
        main guard asks for ``"local"``.
    NoInputError
        ``E-CLUSTER-FILE`` when the file is not there; ``E-CLUSTER-CONNECT`` when nobody answers.
    ResumableError
        ``E-NO-WORKERS`` when there is none, and none comes; ``E-JOB-REFUSED`` and ``E-JOB-ENDED`` of a batch system.
    """
    refuse_again()
    if isinstance(cluster, Client):
        yield cluster
        return
    settings = cluster_of(cluster, workers, memory_limit)
    with ExitStack() as stack:
        if settings.kind in OWN:
            processes = settings.kind == "local"
            client = stack.enter_context(local(processes, settings.workers or cores(), settings.memory_limit))
        else:
            # Until the client is closed: closing finds a lost connection too.
            stack.enter_context(_quiet())
            client = stack.enter_context(_elsewhere(settings))
            check_versions(client)
        if announce and settings.kind not in ("threads", *STANDING) and sys.stderr.isatty():
            print(f"dashboard {client.dashboard_link}", file=sys.stderr)
        yield client


def _elsewhere(settings: ClusterSettings) -> AbstractContextManager[Client]:
    if settings.kind in STANDING:
        return standing(settings)
    if settings.kind in BATCH:
        return batch(settings)
    return runner(settings) if settings.kind == "runner" else service(settings)


@contextmanager
def _quiet() -> Iterator[None]:
    """Dask logs the traceback of a lost connection; what it means is said once, by us."""
    # The client has a level and a handler of its own.
    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
