"""What a stage was computed from: the inputs that its record names must be those of the store."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from qsdask.errors import BadDataError
from qsdask.files.location import located
from qsdask.schema import command_of, groups_of
from qsdask.store.record import Record, read_record

__all__ = ["other_input_of", "refuse_other_inputs"]


def refuse_other_inputs(path: Path, record: Record) -> None:
    """Refuse a stage that was computed from other numbers than those of this store; see `other_input_of`."""
    odd = other_input_of(record, partial(read_record, located(path)))
    if odd:
        raise BadDataError(
            f"{record.key} was computed from another '{odd}' than the one in this store",
            code="E-INPUTS-DIFFER",
            file=path,
            why="a part of the store was brought back from a backup, or comes from another store",
            hint=f"compute it again with --overwrite: '{command_of(path, record.key)}'",
        )


def other_input_of(record: Record, known: Callable[[str], Record | None]) -> str:
    """Which ledger that a stage builds on is not the one it was computed from; empty when all are.

    Parameters
    ----------
    record : Record
        Of the stage.
    known : callable
        Record of a ledger of the store by its key, None when there is none.
    """
    for key, digest in record.inputs.items():
        if not groups_of(key):
            continue  # of another store
        there = known(key)
        # A store begun before there were runs has no tokens: there the digest must do.
        if (
            there is None
            or there.digest != digest
            or record.lineage.get(key, there.run) not in {there.run, *there.runs}
        ):
            return key
    return ""
