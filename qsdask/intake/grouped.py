"""Rows of a table group by group, in memory or waiting in a file: what passes on from those who read to those who collect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

__all__ = ["Column", "Grouped", "grouped", "put_columns", "waiting"]

_CUT = np.dtype(np.int64)


@dataclass(frozen=True)
class Column:
    """An array that waits in a file; slices of it are read when they are asked for.

    Attributes
    ----------
    file : Path
        Raw numbers.
    offset : int
        First byte.
    dtype : numpy dtype
        Of one row; rows may have a shape.
    """

    file: Path
    offset: int
    dtype: np.dtype

    def __getitem__(self, part: slice) -> np.ndarray:
        start = self.offset + part.start * self.dtype.itemsize
        return np.fromfile(self.file, self.dtype, part.stop - part.start, offset=start)


class Grouped(NamedTuple):
    """Rows, group by group.

    Attributes
    ----------
    cut : int64 array, shape (n_group + 1,)
        Where the rows of every group begin.
    columns : tuple of array or Column
        Of all rows.
    """

    cut: np.ndarray
    columns: tuple[np.ndarray | Column, ...]

    def of(self, group: int) -> tuple[np.ndarray, ...]:
        """Columns of the rows of one group."""
        mine = slice(*self.cut[group : group + 2].tolist())
        return tuple(column[mine] for column in self.columns)


def grouped(group: np.ndarray, n_group: int, *columns: np.ndarray) -> Grouped:
    """Rows in the order of their groups, those of one group in the order in which they are given.

    Parameters
    ----------
    group : int array, shape (n,)
        Group of every row.
    n_group : int
    *columns : array, shape (n, ...)

    Returns
    -------
    Grouped
        In memory.
    """
    if n_group == 1:
        return Grouped(np.array([0, len(group)]), columns)
    # Small integers are sorted in linear time.
    group = group.astype(np.min_scalar_type(n_group))
    together = np.argsort(group, kind="stable")
    cut = np.cumsum([0, *np.bincount(group, minlength=n_group)])
    return Grouped(cut, tuple(column[together] for column in columns))


def put_columns(file: BinaryIO, held: Grouped) -> int:
    """Append rows to a file, to be found again by `waiting`; the first byte."""
    offset = file.tell()
    for column in (held.cut.astype(_CUT), *held.columns):
        np.ascontiguousarray(column).tofile(file)
    return offset


def waiting(file: Path, offset: int, n_group: int, dtypes: Sequence[np.dtype]) -> Grouped:
    """Rows that `put_columns` has put into a file.

    Parameters
    ----------
    file : Path
    offset : int
        Their first byte.
    n_group : int
    dtypes : sequence of numpy dtype
        Of the columns, in their order.

    Returns
    -------
    Grouped
        With columns that are read when they are asked for.
    """
    cut = np.fromfile(file, _CUT, n_group + 1, offset=offset)
    at = offset + cut.nbytes
    columns = []
    for dtype in dtypes:
        columns.append(Column(file, at, dtype))
        at += dtype.itemsize * int(cut[-1])
    return Grouped(cut, tuple(columns))
