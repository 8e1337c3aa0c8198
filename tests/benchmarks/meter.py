"""What a piece of work takes of this process and of the workers of a cluster: time, processor time, memory, bytes and files."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from distributed import Client

from tests.benchmarks.peak import Peak
from tests.benchmarks.process_counters import usage

__all__ = ["Taken", "metered"]


@dataclass
class Taken:
    """Seconds and processor seconds, bytes and files, of the driver (this process, with the scheduler) and of its workers.

    Bytes are those of read and write calls, whether the page cache answered or the disk; `files` are those that were
    there afterwards and not before.
    """

    wall: float = 0.0
    driver_seconds: float = 0.0
    worker_seconds: float = 0.0
    driver_bytes: float = 0.0
    worker_bytes: float = 0.0
    read: float = 0.0
    written: float = 0.0
    files: float = 0.0


@contextmanager
def metered(folder: Path, client: Client) -> Iterator[Taken]:
    """Measure what is done inside.

    Parameters
    ----------
    folder : Path
        Whose files are counted.
    client : Client
        Of the cluster that works.

    Yields
    ------
    Taken
        Filled at the end.
    """
    taken, peak = Taken(), Peak()
    before, start = _counted(folder, client), time.perf_counter()
    peak.start()
    yield taken
    taken.wall = time.perf_counter() - start
    peak.ended.set()
    peak.join()
    for name, value in _counted(folder, client).items():
        setattr(taken, name, value - before[name])
    taken.driver_bytes, taken.worker_bytes = float(peak.driver), float(peak.worker)


def _counted(folder: Path, client: Client) -> dict[str, float]:
    mine, others = usage(), list(client.run(usage).values())
    return {
        "driver_seconds": mine["processor"],
        "worker_seconds": sum(one["processor"] for one in others),
        "read": 1e6 * sum(one["read"] for one in [mine, *others]),
        "written": 1e6 * sum(one["written"] for one in [mine, *others]),
        "files": float(sum(1 for path in folder.rglob("*") if path.is_file())),
    }
