"""What a task writes: whole chunks first, safely on disk, then its receipt."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from qsdask.store.durable import DurableStore
from qsdask.store.ledger import Task
from qsdask.store.reader import open_checked

__all__ = ["TaskWriter", "committing"]


class TaskWriter:
    """Writes the whole chunks of one task; made by `committing`."""

    def __init__(self, path: Path) -> None:
        self.store = DurableStore(path)

    def write(self, group: str, name: str, region: tuple[slice | int, ...], value: np.ndarray) -> None:
        """Write one region of an array, which must be made of whole chunks.

        Two tasks that write into one chunk lose data silently, so a region that cuts a chunk is refused.
        """
        array = open_checked(self.store, f"{group}/{name}")
        parts = tuple(slice(part, part + 1) if isinstance(part, int) else part for part in region)
        for part, size, chunk in zip(parts, array.shape, array.chunks, strict=False):
            start, stop, _ = part.indices(size)
            if start % chunk or (stop % chunk and stop != size):
                raise AssertionError(
                    f"{group}/{name}: {start}:{stop} cuts a chunk of {chunk}; write whole chunks, such as the rows of one "
                    "domain: two tasks that share a chunk lose one another's data"
                )
        array[parts] = value


@contextmanager
def committing(path: Path, key: str, task: Task) -> Iterator[TaskWriter]:
    """Write the files of one task, sync them, then write its receipt.

    Parameters
    ----------
    path : Path
        Root of the store.
    key : str
        Ledger of the stage.
    task : (part, step, domain)
        The task whose files are written inside the ``with``.

    Yields
    ------
    TaskWriter
        Takes the regions to write.
    """
    writer = TaskWriter(path)
    yield writer
    writer.store.sync_directories()
    words = [word for _, word in sorted(writer.store.written.items())]
    store = DurableStore(path)
    receipts = open_checked(store, f"ledger/{key}/receipt")
    receipt = np.zeros(receipts.shape[3:], dtype=np.uint64)
    receipt[: len(words)] = np.array(words, dtype=np.uint64)
    receipts[task] = receipt
    store.sync_directories()
