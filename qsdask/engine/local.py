"""Clusters of this machine: worker processes behind a key of their own, or threads that listen nowhere."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory, gettempdir
from typing import Any

import dask
import psutil
from distributed import Client, LocalCluster, Scheduler, SpecCluster, Worker
from distributed.security import Security

from qsdask.engine.environment import DASK_SETTINGS, WORKER_ENVIRONMENT
from qsdask.engine.guard import guard_told

__all__ = ["cores", "local", "scratch"]

#: Tasks fail when all workers of a cluster started here have been gone for so long: on a busy machine a process that
#: died may not come back, and they would wait for ever.
NO_WORKERS_SECONDS = 40


def cores() -> int:
    """Cores of this machine that this process may use."""
    return len(psutil.Process().cpu_affinity())


@contextmanager
def local(processes: bool, workers: int, memory_limit: str | None) -> Iterator[Client]:
    """A cluster of this machine, closed afterwards.

    Parameters
    ----------
    processes : bool
        Worker processes, else threads.
    workers : int
        Number of them.
    memory_limit : str, optional
        Memory of each process.

    Yields
    ------
    distributed.Client
    """
    settings: dict[str, Any] = {"distributed.nanny.pre-spawn-environ": WORKER_ENVIRONMENT, **DASK_SETTINGS}
    settings["distributed.scheduler.no-workers-timeout"] = NO_WORKERS_SECONDS
    if processes:
        settings["distributed.worker.preload"] = ["qsdask.engine.preload"]
    with scratch() as folder, dask.config.set({**settings, "temporary-directory": folder}):
        with guard_told():
            cluster = _processes(workers, memory_limit) if processes else _threads(workers)
        with cluster, Client(cluster) as client:
            yield client


@contextmanager
def scratch() -> Iterator[str]:
    """A new folder that is ours alone, removed afterwards.

    Scheduler and workers import first from what they make in it. Dask's own has one name for all users of a machine:
    who made it first could exchange what lies there.
    """
    parent = os.environ.get("DASK_TEMPORARY_DIRECTORY") or dask.config.get("temporary-directory") or gettempdir()
    os.makedirs(parent, exist_ok=True)
    # A worker that was killed may still be writing.
    with TemporaryDirectory(prefix="qsdask-", dir=parent, ignore_cleanup_errors=True) as folder:
        yield folder


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
