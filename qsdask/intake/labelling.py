"""Values by atom id, in whatever order a table has them, into the rows of a store, some rows at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from qsdask.errors import BadDataError
from qsdask.files.staging import local_copy, staged
from qsdask.formats.value_table import ValueRows
from qsdask.intake.rowtable import RowTable
from qsdask.store.reader import StoreReader

__all__ = ["Gathered", "gather_values", "gathered_rows"]

#: Atoms whose ids and values are looked at together.
_PIECE = 1 << 18

#: Name of the values in the scratch folder: raw numbers, one a row of the store.
_FILE = "values.raw"

_TOLD = 5


class Gathered(NamedTuple):
    """Values of all atoms of a store, which wait in a scratch folder.

    Attributes
    ----------
    digest : str
        Of ids and values in rising order of the ids: the same however table and store are arranged.
    n_value, n_without : int
        Atoms with a value and without.
    """

    digest: str
    n_value: int
    n_without: int


def gather_values(
    root: StoreReader, scratch: Path, table: Iterable[ValueRows], *, partial: bool, file: object, name: str
) -> Gathered:
    """Put the values of a table into the order of the rows of a store, in a file.

    Parameters
    ----------
    root : StoreReader
        The store.
    scratch : Path
        Folder that is made anew; 24 bytes an atom.
    table : iterable of ValueRows
        Of `qsdask.formats.values.value_rows`.
    partial : bool
        Whether atoms of the store may be absent from the table.
    file : object
        The table, for messages; None where there is no file.
    name : str
        Of the label.

    Returns
    -------
    Gathered

    Raises
    ------
    BadDataError
        ``E-DUP-ID``: an id stands twice. ``E-LABEL-ID``: the store has no atom of this id. ``E-LABEL-MISSING``: atoms of the
        store that the table does not have. ``E-NO-VALUE``: no atom has a value.

    Notes
    -----
    In memory are the ids of the store while they are sorted, 32 bytes an atom, then a piece of the table and a byte an atom.
    """
    with staged(scratch) as local:
        return _gathered(root, local, table, partial, file, name)


def _gathered(
    root: StoreReader, scratch: Path, table: Iterable[ValueRows], partial: bool, file: object, name: str
) -> Gathered:
    ids = root["atoms/id"][:]
    rows = RowTable.write(scratch / "rows", ids)
    n_atom = len(ids)
    del ids
    seen = np.zeros(n_atom, dtype=bool)
    place = np.memmap(scratch / _FILE, dtype=np.float64, mode="w+", shape=(n_atom,))
    for part in table:
        row = rows.rows_of(part.id)
        _refuse_strangers(part, row, file, root.path)
        _refuse_twice(part, row, seen, file)
        seen[row] = True
        place[row] = part.value
    if not partial:
        _refuse_missing(rows, seen, file, name)
    else:
        for start in range(0, n_atom, _PIECE):
            # A new file reads as zeros.
            piece = slice(start, start + _PIECE)
            place[piece] = np.where(seen[piece], place[piece], np.nan)
    place.flush()
    digest, n_value = _digest(rows, place)
    if not n_value:
        raise BadDataError(f"no atom has a value of {name!r}", code="E-NO-VALUE", file=file, why="all are empty or NaN")
    return Gathered(digest, n_value, n_atom - n_value)


def gathered_rows(scratch: Path, rows: slice) -> np.ndarray:
    """Values of some rows, float64, shape (n,), from the folder that `gather_values` made."""
    return np.fromfile(local_copy(scratch / _FILE), np.float64, rows.stop - rows.start, offset=8 * rows.start)


def _digest(rows: RowTable, place: np.ndarray) -> tuple[str, int]:
    """Identity of the values, and how many there are."""
    found, n_value = hashlib.blake2b(digest_size=16), 0
    for ids, row in rows.in_order(_PIECE):
        # One zero, one NaN: what is equal has equal bytes.
        value = np.where(np.isnan(piece := place[row] + 0.0), np.nan, piece)
        n_value += int(np.isfinite(value).sum())
        found.update(ids.astype("<i8").tobytes())
        found.update(value.astype("<f8").tobytes())
    return found.hexdigest(), n_value


def _refuse_strangers(part: ValueRows, row: np.ndarray, file: object, store: Path) -> None:
    strange = np.flatnonzero(row < 0)
    if len(strange):
        raise BadDataError(
            f"the store has no atom of id {part.id[strange[0]]}",
            code="E-LABEL-ID",
            file=file,
            **part.place(int(strange[0])),
            why=f"the values are of another glass than {store}, or ids were counted anew",
            hint="write the values with the ids of the trajectory that was ingested, and of its atoms only",
        )


def _refuse_twice(part: ValueRows, row: np.ndarray, seen: np.ndarray, file: object) -> None:
    order = np.argsort(row, kind="stable")
    again = seen[row]
    again[order[1:][np.diff(row[order]) == 0]] = True
    if again.any():
        k = int(np.argmax(again))
        raise BadDataError(
            f"atom id {part.id[k]} stands twice in the table"
            + ("" if part.line is not None else f", again in row {part.row + k}"),
            code="E-DUP-ID",
            file=file,
            **part.place(k),
            why="values of two glasses or of two events in one table",
            hint="keep one value of each atom, such as the lowest barrier",
        )


def _refuse_missing(rows: RowTable, seen: np.ndarray, file: object, name: str) -> None:
    n_missing = int(np.count_nonzero(~seen))
    if not n_missing:
        return
    first: list[int] = []
    for ids, row in rows.in_order(_PIECE):
        first += ids[~seen[row]][: _TOLD - len(first)].tolist()
        if len(first) == _TOLD:
            break
    more = f" and {n_missing - len(first)} more" if n_missing > len(first) else ""
    raise BadDataError(
        f"the table has no line of {n_missing} of the {len(seen)} atoms of the store: ids {', '.join(map(str, first))}{more}",
        code="E-LABEL-MISSING",
        file=file,
        atom_id=first[0],
        hint=f"add --partial if {name} is known of the others only",
    )
