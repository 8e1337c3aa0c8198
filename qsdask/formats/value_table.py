"""Rows of a table of values by atom id, however it is written: which columns are meant, and which values are none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, NoReturn

import numpy as np

from qsdask.errors import BadDataError

__all__ = ["ValueRows", "checked", "columns_meant"]

#: Values beyond this are none: other programs write such for infinity.
LARGEST = 1e30


class ValueRows(NamedTuple):
    """Some rows of a table.

    Attributes
    ----------
    id : int64 array, shape (n,)
        Atom ids, as they stand there.
    value : float64 array, shape (n,)
        NaN where there is none.
    line : int64 array, shape (n,), or None
        Line of each in a text file, from 1.
    row : int
        Number of the first in the table, from 1.
    """

    id: np.ndarray
    value: np.ndarray
    line: np.ndarray | None
    row: int

    def place(self, k: int) -> dict[str, Any]:
        """Where row `k` stands, as errors take it."""
        return {"line": None if self.line is None else int(self.line[k]), "atom_id": int(self.id[k])}


def columns_meant(names: Sequence[str], name: str, id_column: str, column: str | None, file: object) -> tuple[int, int]:
    """Places of the ids and of the values among the columns."""

    def place(wanted: str) -> int | None:
        same = [k for k, one in enumerate(names) if one == wanted] or [
            k for k, one in enumerate(names) if one.casefold() == wanted.casefold()
        ]
        if len(same) > 1:
            raise BadDataError(f"the column {wanted!r} stands {len(same)} times", code="E-COLUMN", file=file)
        return same[0] if same else None

    def refuse(message: str, option: str) -> NoReturn:
        told = f"{message}; columns are: {', '.join(names)}"
        raise BadDataError(told, code="E-COLUMN", file=file, hint=f"{option} names the right one")

    mine = place(id_column)
    if mine is None:
        refuse(f"no column {id_column!r} of atom ids", "--id-column")
    if column is not None:
        its = place(column)
        if its is None:
            refuse(f"no column {column!r}", "--column")
    else:
        others = [k for k in range(len(names)) if k != mine]
        its = place(name) if place(name) is not None else others[0] if len(others) == 1 else None
        if its is None:
            refuse(f"which column holds {name!r}?", "--column")
    if its == mine:
        refuse("ids and values cannot be the same column", "--column")
    return mine, its


def checked(rows: ValueRows, file: object) -> ValueRows:
    """Refuse what is infinite, or as good as that."""
    far = np.flatnonzero(np.abs(rows.value) > LARGEST)
    if len(far):
        k = int(far[0])
        where = "" if rows.line is not None else f" in row {rows.row + k}"
        raise BadDataError(
            f"the value of atom id {rows.id[k]}{where} is {rows.value[k]:g}"
            + ("" if np.isinf(rows.value[k]) else f", beyond {LARGEST:g}"),
            code="E-NUMBER",
            file=file,
            **rows.place(k),
            hint="empty, NaN or NA where there is none",
        )
    return rows
