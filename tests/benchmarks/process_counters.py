"""Counters of one process, driver or worker: processor time, kernels inside of tasks, bytes, flushes."""

from __future__ import annotations

import os
import pstats
import sys
import time
from collections.abc import Callable
from cProfile import Profile
from pathlib import Path

import psutil
from numba.core.dispatcher import Dispatcher

import qsdask

KERNELS = Path(qsdask.__file__).parent / "kernels"

#: Of this process: flushes, processor time of its tasks and that of kernels in them.
_count = {"fsyncs": 0.0, "task": 0.0, "kernel": 0.0}


def count_flushes() -> None:
    """Count the calls of `os.fsync` of this process from now on."""
    given = os.fsync

    def counted(descriptor: int) -> None:
        _count["fsyncs"] += 1
        given(descriptor)

    setattr(os, "fsync", counted)  # noqa: B010  its type says more than we need


def profile_tasks() -> None:
    """Measure kernels inside of the tasks that this process does from now on."""
    from qsdask.engine import tasks

    given = tasks._guarded

    def profiled(function: Callable, *arguments: object) -> object:
        profile = Profile(time.thread_time)
        try:
            return profile.runcall(given, function, *arguments)
        finally:
            for (file, _, name), (_, _, own, _, _) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
                _count["task"] += own
                if is_kernel(Path(file), name):
                    _count["kernel"] += own

    tasks._guarded = profiled


def is_kernel(file: Path, name: str) -> bool:
    """Whether a line of a profile is that of a compiled function, and not of what prepares its arguments."""
    if file.parent != KERNELS:
        return False
    return isinstance(getattr(sys.modules.get(f"qsdask.kernels.{file.stem}"), name, None), Dispatcher)


def usage() -> dict[str, float]:
    """What this process has used so far."""
    process = psutil.Process()
    times, read, written = process.cpu_times(), 0, 0
    if hasattr(process, "io_counters"):
        io = process.io_counters()
        read, written = io.read_chars, io.write_chars
    return {"processor": times.user + times.system, "read": read / 1e6, "written": written / 1e6, **_count}
