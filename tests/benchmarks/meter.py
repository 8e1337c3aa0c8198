"""What a piece of work takes in this process and its children: time, processor time, memory, bytes and files."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

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
    driver_bytes: int = 0
    worker_bytes: int = 0
    read: int = 0
    written: int = 0
    files: int = 0


@dataclass
class _Counters:
    driver: float
    workers: float
    read: int
    written: int
    files: int


class _Peak(threading.Thread):
    """Largest resident memory of this process and of a child, until it is told to stop."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.driver = self.worker = 0
        self.ended = threading.Event()

    def run(self) -> None:
        me = psutil.Process()
        while not self.ended.wait(0.05):
            self.driver = max(self.driver, me.memory_info().rss)
            for child in me.children(recursive=True):
                try:
                    self.worker = max(self.worker, child.memory_info().rss)
                except psutil.NoSuchProcess:
                    continue


@contextmanager
def metered(folder: Path) -> Iterator[Taken]:
    """Measure what is done inside; children that were there at the beginning must be there at the end.

    Parameters
    ----------
    folder : Path
        Whose files are counted.

    Yields
    ------
    Taken
        Filled at the end.
    """
    taken, peak = Taken(), _Peak()
    before, start = _counted(folder), time.perf_counter()
    peak.start()
    yield taken
    taken.wall = time.perf_counter() - start
    peak.ended.set()
    peak.join()
    after = _counted(folder)
    taken.driver_seconds = after.driver - before.driver
    taken.worker_seconds = after.workers - before.workers
    taken.driver_bytes, taken.worker_bytes = peak.driver, peak.worker
    taken.read, taken.written = after.read - before.read, after.written - before.written
    taken.files = after.files - before.files


def _counted(folder: Path) -> _Counters:
    me = psutil.Process()
    all_of = [me, *me.children(recursive=True)]
    seconds = [sum(process.cpu_times()[:2]) for process in all_of]
    moved = [process.io_counters() for process in all_of]
    files = sum(1 for path in folder.rglob("*") if path.is_file())
    return _Counters(
        seconds[0],
        sum(seconds[1:]),
        sum(each.read_chars for each in moved),
        sum(each.write_chars for each in moved),
        files,
    )
