"""Receipts of a stage written anew: the old ones wait under another name until the new ones are safe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from qsdask.store import ledger
from qsdask.store.described import intact
from qsdask.store.durable import DurableStore
from qsdask.store.ledger import Task
from qsdask.store.manifest import FILE_WORDS
from qsdask.store.place import Place
from qsdask.store.reader import open_checked
from qsdask.store.record import Record
from qsdask.store.validate import damaged

__all__ = ["old_words", "put_receipts", "set_aside", "tasks_of"]


def tasks_of(record: Record) -> Iterator[Task]:
    """Every task of a stage."""
    return np.ndindex(*record.grid)


def old_words(root: Path, record: Record, waiting: str, n_word: int) -> np.ndarray:
    """Receipts as an older qsdask wrote them, where they stand or where they wait.

    Parameters
    ----------
    root : Path
        Root of the store.
    record : Record
        Of the stage.
    waiting : str
        Name under which an interrupted try has set them aside.
    n_word : int
        Words for each file.

    Returns
    -------
    uint64 array, shape (part, step, domain, file, word)
        0 for tasks without a receipt.

    Raises
    ------
    StoreIOError
        ``E-STORE-DAMAGED`` when one is not what was written, or when one of a complete stage is missing.
    """
    place, folder = Place(root), f"ledger/{record.key}/{waiting}"
    folder = folder if place.exists(folder) else f"ledger/{record.key}/receipt"
    words = np.zeros((*record.grid, record.n_file, n_word), dtype="<u8")
    for task in tasks_of(record):
        file = f"{folder}/c/{'/'.join(map(str, task))}/0/0"
        if not place.exists(file):
            if record.complete:
                raise damaged(root, file, "the receipt of a task is missing")
            continue
        data = place.read(file)
        if len(data) != words[task].nbytes + 4 or not intact(data):
            raise damaged(root, file, "the receipt of a task is damaged")
        words[task] = np.frombuffer(data[:-4], dtype="<u8").reshape(words[task].shape)
    return words


def set_aside(root: Path, key: str, waiting: str) -> None:
    """Let the receipts of a stage wait under another name; what an interrupted try wrote in their place is removed."""
    place, receipts, aside = Place(root), f"ledger/{key}/receipt", f"ledger/{key}/{waiting}"
    if not place.exists(aside):
        place.move(receipts, aside)
    place.remove_all(receipts)


def put_receipts(root: Path, record: Record, words: Mapping[Task, np.ndarray]) -> None:
    """Write the receipts of a stage anew, for its last run where it knows its runs.

    Parameters
    ----------
    root : Path
        Root of the store.
    record : Record
        Of the stage, as it will be.
    words : mapping of (int, int, int) to uint64 array, shape (n, 4)
        For every task that is done its files, at most ``record.n_file``.
    """
    store = DurableStore(root)
    ledger.create_receipts(store, record)
    array = open_checked(store, f"ledger/{record.key}/receipt")
    for task, files in words.items():
        receipt = np.zeros(array.shape[3:], dtype=np.uint64)
        receipt[: len(files), :FILE_WORDS] = files
        receipt[: len(files), FILE_WORDS:] = ledger.tokens(record)[-1:]
        array[task] = receipt
    store.sync_directories()
