"""What every worker runs with, wherever it was started: its environment, and Dask's settings."""

from __future__ import annotations

from typing import Any

__all__ = ["DASK_SETTINGS", "KEPT_MEMORY", "WORKER_ENVIRONMENT", "as_variable"]

#: A worker keeps the memory of one task for the next. Dask's own setting gives it back at once, and touching it anew
#: costs more than the kernels; the peak of a process stays that of its largest task.
KEPT_MEMORY = {"MALLOC_TRIM_THRESHOLD_": 1 << 30, "MALLOC_MMAP_THRESHOLD_": 1 << 30, "MALLOC_TOP_PAD_": 64 << 20}

#: One task per process is the parallelism; libraries start no threads of their own.
_ONE_THREAD = {"OMP_NUM_THREADS": 1, "MKL_NUM_THREADS": 1, "OPENBLAS_NUM_THREADS": 1, "ZARR_THREADING__MAX_WORKERS": 1}

#: Variables of worker processes.
WORKER_ENVIRONMENT: dict[str, int] = {**KEPT_MEMORY, **_ONE_THREAD}

#: Results stay on disk, never in a worker, so there is nothing to spill; and a worker that keeps its memory for the
#: next task would be paused for good. The limit itself is kept: beyond 95 % the worker is stopped.
_NO_SPILLING = {f"distributed.worker.memory.{mark}": False for mark in ("target", "spill", "pause")}

#: Dask looks at the stack of every worker 100 times a second, and at the delay of every event loop 50 times; with one
#: task a core that is taken from the kernels.
DASK_SETTINGS: dict[str, Any] = {
    **_NO_SPILLING,
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "500ms",
}


def as_variable(setting: str) -> str:
    """Variable of the environment by which Dask takes a setting, such as ``distributed.admin.tick.interval``."""
    return "DASK_" + setting.upper().replace(".", "__").replace("-", "_")
