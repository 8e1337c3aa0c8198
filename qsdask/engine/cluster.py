"""Where tasks run: worker processes here, threads here, or a cluster that stands already."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any

import dask
import psutil
from distributed import Client, LocalCluster, Scheduler, SpecCluster, Worker
from distributed.security import Security

from qsdask.engine.guard import guard_told, refuse_again
from qsdask.engine.versions import check_versions
from qsdask.errors import NoInputError, ResumableError, UsageError

__all__ = ["connect"]

_log = logging.getLogger(__name__)

#: Tasks fail when all workers of a cluster started here have been gone for so long: on a busy machine a process that
#: died may not come back, and they would wait for ever.
NO_WORKERS_SECONDS = 40

#: So long is waited for the first worker of a scheduler that stands already. Unit: seconds.
WORKERS_SECONDS = 600

#: A worker keeps the memory of one task for the next. Dask's own setting gives it back at once, and touching it anew
#: costs more than the kernels; the peak of a process stays that of its largest task.
KEPT_MEMORY = {"MALLOC_TRIM_THRESHOLD_": 1 << 30, "MALLOC_MMAP_THRESHOLD_": 1 << 30, "MALLOC_TOP_PAD_": 64 << 20}

#: One task per process is the parallelism; libraries start no threads of their own.
_ONE_THREAD = {"OMP_NUM_THREADS": 1, "MKL_NUM_THREADS": 1, "OPENBLAS_NUM_THREADS": 1, "ZARR_THREADING__MAX_WORKERS": 1}

#: Results stay on disk, never in a worker, so there is nothing to spill; and a worker that keeps its memory for the
#: next task would be paused for good. The limit itself is kept: beyond 95 % the worker is stopped.
_NO_SPILLING = {f"distributed.worker.memory.{mark}": False for mark in ("target", "spill", "pause")}


@contextmanager
def connect(
    cluster: str | Client = "local",
    workers: int | None = None,
    *,
    memory_limit: str | None = None,
    announce: bool = False,
) -> Iterator[Client]:
    """Client of the cluster named by the user.

    Parameters
    ----------
    cluster : str or distributed.Client
        ``"local"``: one worker process per core of this machine, on loopback only, encrypted with a key that lives as
        long as the cluster: nobody else on this machine can give it work. ``"threads"``: threads of this process, which
        listens nowhere. ``"tcp://..."`` or ``"tls://..."``: address of a scheduler; certificates for the latter come from
        Dask's own configuration, ``distributed.comm.tls``. A path: a scheduler file. A client is used as it is.
    workers : int, optional
        Worker processes, or threads; all cores by default. Only for ``"local"`` and ``"threads"``.
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
        ``E-CLUSTER`` when the name is none of these; ``E-VERSIONS`` when the cluster runs other packages;
        ``E-MAIN-GUARD`` when a script without a main guard asks for ``"local"``.
    NoInputError
        ``E-CLUSTER-FILE`` when the scheduler file is not there; ``E-CLUSTER-CONNECT`` when nobody answers.
    ResumableError
        ``E-NO-WORKERS`` when the scheduler has none, and none comes.
    """
    refuse_again()
    if isinstance(cluster, Client):
        yield cluster
        return
    if cluster in ("local", "threads"):
        with _local(cluster == "local", workers or len(psutil.Process().cpu_affinity()), memory_limit) as client:
            if announce and cluster == "local" and sys.stderr.isatty():
                print(f"dashboard {client.dashboard_link}", file=sys.stderr)
            yield client
        return
    if cluster.startswith(("tcp://", "tls://")):
        target = {"address": cluster}
    elif cluster.endswith(".json") or Path(cluster).exists():
        if not Path(cluster).is_file():
            raise NoInputError("no scheduler file here", code="E-CLUSTER-FILE", file=cluster)
        target = {"scheduler_file": cluster}
    else:
        raise UsageError(
            f"cluster is {cluster!r}, expected local, threads, tcp://HOST:PORT or a scheduler file", code="E-CLUSTER"
        )
    try:
        client = Client(**target, timeout="20s")
    except (OSError, TimeoutError) as error:
        raise NoInputError(
            f"no Dask scheduler answers at {cluster}: {error}",
            code="E-CLUSTER-CONNECT",
            hint="start one with 'dask scheduler'",
        ) from None
    # Quiet until the client is closed: closing finds the lost connection too.
    with _quiet(), client:
        _await_workers(client, cluster)
        check_versions(client)
        yield client


def _await_workers(client: Client, cluster: str) -> None:
    """Wait for the first worker, and say so: batch systems start them when there is room."""
    if client.scheduler_info(n_workers=1)["workers"]:
        return
    _log.warning("the scheduler at %s has no workers yet; waiting up to %g s for one", cluster, WORKERS_SECONDS)
    try:
        client.wait_for_workers(1, timeout=WORKERS_SECONDS)
    except TimeoutError:
        raise ResumableError(
            f"no worker has come to the scheduler at {cluster} in {WORKERS_SECONDS:g} s",
            code="E-NO-WORKERS",
            hint=f"start some with 'dask worker {cluster}', then run the same command again",
        ) from None


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


@contextmanager
def _local(processes: bool, workers: int, memory_limit: str | None) -> Iterator[Client]:
    settings: dict[str, Any] = {"distributed.nanny.pre-spawn-environ": {**KEPT_MEMORY, **_ONE_THREAD}, **_NO_SPILLING}
    # Dask looks at the stack of every worker 100 times a second, and at the delay of every event loop 50 times; with
    # one task a core that is taken from the kernels.
    settings["distributed.worker.profile.enabled"] = False
    settings["distributed.admin.tick.interval"] = "500ms"
    settings["distributed.scheduler.no-workers-timeout"] = NO_WORKERS_SECONDS
    if processes:
        settings["distributed.worker.preload"] = ["qsdask.engine.preload"]
    with _scratch() as scratch, dask.config.set({**settings, "temporary-directory": scratch}):
        with guard_told():
            cluster = _processes(workers, memory_limit) if processes else _threads(workers)
        with cluster, Client(cluster) as client:
            yield client


@contextmanager
def _scratch() -> Iterator[str]:
    """A new folder that is ours alone, removed afterwards.

    Scheduler and workers import first from what they make in it. Dask's own has one name for all users of a machine:
    who made it first could exchange what lies there.
    """
    parent = os.environ.get("DASK_TEMPORARY_DIRECTORY") or dask.config.get("temporary-directory") or gettempdir()
    os.makedirs(parent, exist_ok=True)
    # A worker that was killed may still be writing.
    with TemporaryDirectory(prefix="qsdask-", dir=parent, ignore_cleanup_errors=True) as scratch:
        yield scratch


def _processes(workers: int, memory_limit: str | None) -> SpecCluster:
    # A scheduler runs any code that it is sent: whoever has not the key of this run must not reach it. One task per
    # process: the kernels are serial, and memory is counted per process. Dask listens on all interfaces with its
    # dashboard unless it is told otherwise.
    return LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        memory_limit=memory_limit or "auto",
        processes=True,
        host="127.0.0.1",
        protocol="tls://",
        security=Security.temporary(),
        dashboard_address="127.0.0.1:0",
        worker_dashboard_address="127.0.0.1:0",
        silence_logs=logging.CRITICAL,
    )


class _Unserved:
    """Without the web server that Dask starts also where nobody asked for a dashboard."""

    def start_http_server(self, *_: object, **__: object) -> None:
        """Open no port."""


class _UnservedScheduler(_Unserved, Scheduler):
    """A scheduler that listens nowhere, of threads."""


class _UnservedWorker(_Unserved, Worker):
    """A worker that listens nowhere, of threads."""


def _threads(workers: int) -> SpecCluster:
    place = {"protocol": "inproc://"}
    scheduler = {"cls": _UnservedScheduler, "options": {**place, "dashboard": False}}
    worker = {"cls": _UnservedWorker, "options": {**place, "nthreads": workers, "memory_limit": 0}}
    return SpecCluster({0: worker}, scheduler, worker, silence_logs=logging.CRITICAL)
