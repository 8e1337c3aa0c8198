"""Reading without a lock: what was computed again while it was read is not used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from qsdask.errors import QSDaskError, ResumableError
from qsdask.files.location import located
from qsdask.schema import groups_of
from qsdask.store.ledger import require
from qsdask.store.record import Record, read_record

__all__ = ["unchanged"]


@contextmanager
def unchanged(path: Path, keys: Iterable[str]) -> Iterator[None]:
    """Refuse what was read inside the ``with`` when the stages were computed again meanwhile; they must be complete.

    Parameters
    ----------
    path : Path
        Root of the store.
    keys : iterable of str
        Ledgers of the stages that are read. What they build on counts too.

    Raises
    ------
    ResumableError
        ``E-CHANGED-MEANWHILE``. Readers take no lock: they may read while somebody overwrites.
    """
    before: dict[str, Record] = {}
    waiting = list(keys)
    while waiting:
        record = require(path, waiting.pop())
        before[record.key] = record
        waiting += [key for key in record.inputs if groups_of(key) and key not in before]

    def refuse_changed() -> None:
        for key, record in before.items():
            if read_record(located(path), key) != record:
                raise ResumableError(
                    f"{key} was computed again while it was read",
                    code="E-CHANGED-MEANWHILE",
                    file=path,
                    why="old and new numbers would be mixed",
                    hint="wait until the other has ended, then run the same command again",
                ) from None

    try:
        yield
    except QSDaskError:
        # A chunk that is missing may be one that is being written anew.
        refuse_changed()
        raise
    refuse_changed()
