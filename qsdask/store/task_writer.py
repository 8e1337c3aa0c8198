"""What a task writes: whole chunks first, safely on disk, then its receipt; and only for the run that it belongs to."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Protocol

import numpy as np

from qsdask.errors import ResumableError
from qsdask.files.location import absolute, located
from qsdask.files.several import each
from qsdask.store.chunked import ChunkedArray
from qsdask.store.durable import DurableStore
from qsdask.store.identity import StoreAt
from qsdask.store.ledger import Begun
from qsdask.store.manifest import FILE_WORDS
from qsdask.store.reader import Arrays, StoreReader, open_checked
from qsdask.store.record import read_record
from qsdask.store.shard import Part

__all__ = ["StageRun", "TaskWriter", "Work", "Writes"]


class Writes(Protocol):
    """Takes the regions that a task writes."""

    def write(self, group: str, name: str, region: tuple[slice | int, ...], value: np.ndarray) -> None: ...


class Work(Protocol):
    """What a task of a stage works on: `StageRun`, or a store in memory."""

    def reader(self) -> Arrays: ...
    def own(self) -> Arrays: ...
    def together(self, steps: list[int]) -> list[list[int]]: ...
    def committing(self, part: int, step: int, domain: int) -> AbstractContextManager[Writes]: ...


#: Bytes of chunks that wait to be written together.
WAITING_BYTES = 16 << 20


class TaskWriter:
    """Writes the whole chunks of one task; made by `StageRun.committing`."""

    def __init__(self, store: DurableStore) -> None:
        self.store = store
        self._arrays: dict[str, ChunkedArray] = {}
        self._waiting: list[tuple[int, Callable[[], None]]] = []

    def write(self, group: str, name: str, region: tuple[slice | int, ...], value: np.ndarray) -> None:
        """Write one region of an array, which must be made of whole chunks."""
        whole = tuple(slice(part, part + 1) if isinstance(part, int) else part for part in region)
        path = f"{group}/{name}"
        if path not in self._arrays:
            self._arrays[path] = open_checked(self.store, path, write=self._later)
        self._arrays[path][whole] = value
        if sum(size for size, _ in self._waiting) > WAITING_BYTES:
            self.flush()

    def _later(self, key: str, data: bytes, part: Part | None) -> None:
        if part is None:
            self._waiting.append((len(data), partial(self.store.write, key, data)))
        elif self.store.grow(key, data, part):
            self._waiting.append((0, partial(self.store.finish, key)))

    @property
    def written(self) -> dict[str, tuple[int, int, int, int]]:
        """See `DurableStore.written`."""
        return self.store.written

    def flush(self) -> None:
        """Write what waits, several files at once; returns when all are on disk."""
        waiting, self._waiting = self._waiting, []
        each(lambda one: one[1](), waiting)


@dataclass(frozen=True)
class StageRun:
    """One run of a stage, as its tasks know it.

    Attributes
    ----------
    store : StoreAt
        The store that it fills.
    root : str
        Absolute path below which it writes: the store's, or that beside numbers which are overwritten.
    key : str
        Ledger of the stage.
    run : str
        Token of the run; empty when the stage was begun before there were runs.
    stride : int
        Steps that one task takes.
    """

    store: StoreAt
    root: str
    key: str
    run: str
    stride: int = 1

    @classmethod
    def of(cls, path: str | Path, begun: Begun) -> StageRun:
        """A run that has been begun in the store at a path."""
        record = begun.record
        return cls(StoreAt.of(path), absolute(begun.root), record.key, record.run, record.stride)

    def reader(self) -> StoreReader:
        """Arrays of the store; see `StoreAt.reader`. ``E-OTHER-RUN`` as of `committing`."""
        found = self.store.reader()
        self._refuse_late()
        return found

    def own(self) -> StoreReader:
        """What the stage itself has written so far; otherwise as `reader`."""
        self.reader()
        return StoreReader(self.root)

    def together(self, steps: list[int]) -> list[list[int]]:
        """Steps of whole tasks, task by task: what is committed at once."""
        return [list(some) for _, some in groupby(steps, lambda step: step // self.stride)]

    @contextmanager
    def writing(self) -> Iterator[TaskWriter]:
        """Write whole files and sync them. They count when a receipt names them; see `committing`.

        Yields
        ------
        TaskWriter
            Takes the regions to write; afterwards `TaskWriter.written` says what it wrote.

        Raises
        ------
        ResumableError
            ``E-OTHER-RUN`` when the run has ended, or another one has begun: a task that comes late changes nothing.
            It is looked for before every file, immediately before the file gets its name.
        """
        writer = TaskWriter(DurableStore(self.root, check=self._refuse_late))
        try:
            yield writer
            writer.flush()
            if lacking := writer.store.unfinished():
                raise AssertionError(f"{lacking[0]} lacks steps: a task writes whole files")
        finally:
            writer.store.discard_unfinished()
        writer.store.sync_directories(inside=True)

    @contextmanager
    def committing(
        self, part: int, step: int, domain: int, others: Mapping[str, Sequence[int]] | None = None
    ) -> Iterator[TaskWriter]:
        """Write the files of one task, sync them, then write its receipt.

        Parameters
        ----------
        part, step, domain : int
            The task whose files are written inside the ``with``, by one of its steps.
        others : mapping of str to sequence of int, optional
            Files of the task that are there already, as `TaskWriter.written` has told of them.

        Yields
        ------
        TaskWriter
            Takes the regions to write.

        Raises
        ------
        ResumableError
            As of `writing`.
        """
        with self.writing() as writer:
            yield writer
        store = writer.store
        words = [word for _, word in sorted({**(others or {}), **store.written}.items())]
        receipts = open_checked(store, f"ledger/{self.key}/receipt")
        receipt = np.zeros(receipts.shape[3:], dtype=np.uint64)
        receipt[: len(words), :FILE_WORDS] = np.array(words, dtype=np.uint64)
        receipt[: len(words), FILE_WORDS:] = int(self.run or "0", 16)
        receipts[part, step // self.stride, domain] = receipt
        store.sync_directories(inside=True)

    def _refuse_late(self) -> None:
        now = read_record(located(self.root), self.key)
        if now is None or now.complete or now.run != self.run:
            raise ResumableError(
                f"a task of an earlier run of {self.key} came late to {socket.gethostname()}; it has written nothing",
                code="E-OTHER-RUN",
                file=self.store.path,
                why="that run was stopped, and the stage has been finished or begun again since",
                hint="nothing needs to be done: the later run counts",
            )
