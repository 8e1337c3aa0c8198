"""A cluster tried: started, looked at, ended."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import psutil
from distributed import Client

from qsdask.engine.batch import job_script
from qsdask.engine.cluster import connect
from qsdask.engine.named import cluster_of
from qsdask.errors import UsageError
from qsdask.settings import ClusterSettings
from qsdask.settings.cluster import BATCH

__all__ = ["script_of", "tried"]


def script_of(cluster: str | Path | ClusterSettings, workers: int | None = None) -> str:
    """Script of a job that the cluster would hand to its batch system; nothing is started.

    Parameters
    ----------
    cluster, workers
        See `qsdask.engine.cluster.connect`.

    Returns
    -------
    str

    Raises
    ------
    UsageError
        ``E-CLUSTER`` when it is no batch system; else as `qsdask.engine.batch.completed`.
    """
    settings = cluster_of(cluster, workers)
    if settings.kind not in BATCH:
        raise UsageError(
            f"kind = '{settings.kind}' has no job script",
            code="E-CLUSTER",
            why=f"only those of batch systems have: {', '.join(BATCH)}",
            hint="without --dry-run it is started, shown and ended",
        )
    return job_script(settings)


def tried(cluster: str | Path | ClusterSettings, workers: int | None = None) -> dict[str, Any]:
    """Start a cluster, wait for its first worker, ask the workers where they are, and end it.

    Parameters
    ----------
    cluster, workers
        See `qsdask.engine.cluster.connect`.

    Returns
    -------
    dict
        ``kind``; ``seconds`` until the first worker was there; ``scheduler``, its address; ``workers``, one dict each:
        ``address``, ``host``, ``threads``, ``memory`` (bytes, 0 for no limit), ``cores`` that its process may use.

    Raises
    ------
    QSDaskError
        As `qsdask.engine.cluster.connect`.
    """
    settings = cluster_of(cluster, workers)
    began = time.monotonic()
    with connect(settings) as client:
        seconds = time.monotonic() - began
        return {
            "kind": settings.kind,
            "seconds": seconds,
            "scheduler": client.scheduler_info(n_workers=0)["address"],
            "workers": _workers(client),
        }


def _workers(client: Client) -> list[dict[str, Any]]:
    found = client.run(_here)
    return [
        {"address": address, **found[address], "threads": worker["nthreads"], "memory": int(worker["memory_limit"])}
        for address, worker in sorted(client.scheduler_info(n_workers=-1)["workers"].items())
        if address in found
    ]


def _here() -> dict[str, Any]:
    return {"host": os.uname().nodename, "cores": len(psutil.Process().cpu_affinity())}
