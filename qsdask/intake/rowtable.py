"""Where every atom of a frame belongs: rows of a store by atom id, in files, so that no task holds them all."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from qsdask.files.durable import being_written, write_durable
from qsdask.intake.grouped import Column, grouped

__all__ = ["MOST_SLICES", "REDUCED", "SLICE", "RowTable", "Slice", "slice_cuts", "write_slice"]

#: Ids in one slice of the table of a frame, about, and slices that there are at most. One is looked at at a time.
SLICE, MOST_SLICES = 1 << 20, 256

#: A slice is looked up by the distance from its lowest id where that takes no more than so many places an atom.
_DENSE = 4

#: Columns of fewer bytes are kept: to map one again takes longer than to look at it.
_KEPT = 1 << 23

_TABLE = "table.json"

#: Reduced coordinates of the first frame, as a file has them.
REDUCED = np.dtype((np.float32, 3))


class Slice(NamedTuple):
    """Some ids of a table.

    Attributes
    ----------
    low : int
        The lowest of them.
    n_atom : int
        How many.
    dense : bool
        Whether the place of an id is its distance from the lowest; otherwise the ids are there, rising.
    """

    low: int
    n_atom: int
    dense: bool


def slice_cuts(atom_id: np.ndarray, n_atom: int) -> np.ndarray:
    """Lowest id of every slice but the first, from some of the ids of a frame; int64."""
    n_slice = min(-(-n_atom // SLICE), MOST_SLICES)
    rising = np.sort(atom_id)
    return np.unique(rising[[len(rising) * k // n_slice for k in range(1, n_slice)]])


def write_slice(
    folder: Path, number: int, atom_id: np.ndarray, row: np.ndarray, species: np.ndarray | None = None
) -> tuple[Slice, int | None]:
    """Write one slice of a table.

    Parameters
    ----------
    folder : Path
        Of the table.
    number : int
        Of the slice.
    atom_id, row : int64 array, shape (n,)
        In any order.
    species : int array, shape (n,), optional

    Returns
    -------
    slice : Slice
    repeated : int or None
        The lowest id that stands twice.
    """
    order = np.argsort(atom_id, kind="stable")
    rising = atom_id[order]
    again = np.flatnonzero(rising[1:] == rising[:-1])
    repeated = int(rising[again[0]]) if len(again) else None
    low, n_atom = (int(rising[0]), len(rising)) if len(rising) else (0, 0)
    span = int(rising[-1]) - low + 1 if n_atom else 0
    dense = span <= _DENSE * n_atom
    columns = {"row": row[order]} | ({} if species is None else {"species": species[order]})
    if dense:
        columns = {name: _spread(value, rising - low, span) for name, value in columns.items()}
    else:
        columns["id"] = rising
    for name, value in columns.items():
        with being_written(folder / f"{name}-{number}.npy") as file:
            np.save(file, value)
    return Slice(low, n_atom, dense), repeated


def _spread(value: np.ndarray, place: np.ndarray, span: int) -> np.ndarray:
    """Values at their places, -1 between them."""
    found = np.full(span, -1, dtype=np.int32 if value.max(initial=0) < 2**31 else np.int64)
    found[place] = value
    return found


class RowTable:
    """Rows by atom id, and what later frames are compared with.

    Large files are mapped only while they are looked at: mapped pages count as memory of the process.

    Parameters
    ----------
    folder : Path
        Written by `RowTable.write` or `RowTable.joined`; it may be removed when the stage that made it is finished.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: dict[str, np.ndarray] = {}
        told = json.loads((folder / _TABLE).read_bytes())
        self._n_atom: int = told["n_atom"]
        self._slices = [Slice(*one) for one in told["slices"]]
        self._cuts = np.array(told["cuts"], dtype=np.int64)
        self._parts = [(first, stop, folder.parent / file, at) for first, stop, file, at in told["parts"]]

    @classmethod
    def write(
        cls, folder: Path, atom_id: np.ndarray, species: np.ndarray | None = None, reduced: np.ndarray | None = None
    ) -> RowTable:
        """Write the table of atoms that are all held.

        Parameters
        ----------
        folder : Path
            Made anew.
        atom_id : int64 array, shape (n_atom,)
            Ids in row order.
        species : int array, shape (n_atom,), optional
            Species index in row order; where it is not asked for, it need not be there.
        reduced : float array, shape (n_atom, 3), optional
            Wrapped reduced coordinates of the first frame, in row order; likewise.
        """
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        n_atom = len(atom_id)
        cuts = slice_cuts(atom_id, n_atom)
        rows = np.arange(n_atom)
        columns = [atom_id, rows] if species is None else [atom_id, rows, species]
        held = grouped(np.searchsorted(cuts, atom_id, side="right"), len(cuts) + 1, *columns)
        slices = [write_slice(folder, k, *held.of(k))[0] for k in range(len(cuts) + 1)]
        parts = []
        if reduced is not None:
            reduced.astype(np.float32).tofile(folder / "reduced.raw")
            parts = [(0, n_atom, f"{folder.name}/reduced.raw", 0)]
        return cls.joined(folder, n_atom, cuts, slices, parts)

    @classmethod
    def joined(
        cls,
        folder: Path,
        n_atom: int,
        cuts: np.ndarray,
        slices: Sequence[Slice],
        parts: Sequence[tuple[int, int, str, int]],
    ) -> RowTable:
        """The table whose slices have been written.

        Parameters
        ----------
        folder : Path
            Where they are.
        n_atom : int
            Atoms of the frame.
        cuts : int64 array, shape (n_slice - 1,)
            Of `slice_cuts`.
        slices : sequence of Slice
        parts : sequence of tuple
            First row, the one after the last, a file beside the folder, and the byte in it at which their reduced
            coordinates begin; in rising order.
        """
        told = {"n_atom": n_atom, "slices": slices, "cuts": cuts.tolist(), "parts": parts}
        write_durable(folder / _TABLE, json.dumps(told).encode())
        return cls(folder)

    def _mapped(self, name: str) -> np.ndarray:
        if name in self._kept:
            return self._kept[name]
        column = np.load(self._folder / f"{name}.npy", mmap_mode="r")
        if column.nbytes < _KEPT and len(self._slices) == 1:
            column = self._kept[name] = np.array(column)
        return column

    def __len__(self) -> int:
        return self._n_atom

    def rows_of(self, atom_id: np.ndarray) -> np.ndarray:
        """Row of every id, -1 for ids that the first frame does not have.

        Parameters
        ----------
        atom_id : int64 array, shape (n,)

        Returns
        -------
        int64 array, shape (n,)
        """
        (row,) = self._looked_up(atom_id, "row")
        return row

    def found(self, atom_id: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Row and species index of every id, -1 for ids that the first frame does not have.

        Parameters
        ----------
        atom_id : int64 array, shape (n,)

        Returns
        -------
        row, species : int64 array, shape (n,)
        """
        row, species = self._looked_up(atom_id, "row", "species")
        return row, species

    def _looked_up(self, atom_id: np.ndarray, *names: str) -> list[np.ndarray]:
        if len(self._slices) == 1:
            return self._in_slice(0, atom_id, names)
        place = grouped(
            np.searchsorted(self._cuts, atom_id, side="right"), len(self._slices), np.arange(len(atom_id)), atom_id
        )
        values = [np.empty(len(atom_id), dtype=np.int64) for _ in names]
        for number in np.flatnonzero(np.diff(place.cut)).tolist():
            where, ids = place.of(number)
            for value, one in zip(values, self._in_slice(number, ids, names), strict=True):
                value[where] = one
        return values

    def _in_slice(self, number: int, atom_id: np.ndarray, names: Sequence[str]) -> list[np.ndarray]:
        """Values of ids that are in this slice, if anywhere."""
        low, n_atom, dense = self._slices[number]
        if not n_atom:
            return [np.full(len(atom_id), -1) for _ in names]
        columns = [self._mapped(f"{name}-{number}") for name in names]
        if dense:
            # The difference of two ids may be beyond int64; as an unsigned number it is then beyond the slice, too.
            place = atom_id.astype(np.uint64) - np.uint64(low % (1 << 64))
            known = place < np.uint64(len(columns[0]))
            place = np.where(known, place, np.uint64(0)).astype(np.int64)
        else:
            there = self._mapped(f"id-{number}")
            # Rising ids walk through the file from front to back.
            rising = np.argsort(atom_id, kind="stable")
            place = np.empty(len(atom_id), dtype=np.int64)
            place[rising] = np.minimum(np.searchsorted(there, atom_id[rising]), n_atom - 1)
            known = there[place] == atom_id
        return [np.where(known, column[place], -1).astype(np.int64, copy=False) for column in columns]

    def in_order(self, count: int, name: str = "row") -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Ids in rising order and their rows, or their species, `count` places of the table at a time."""
        for number, (low, _, dense) in enumerate(self._slices):
            values = self._mapped(f"{name}-{number}")
            for start in range(0, len(values), count):
                value = np.array(values[start : start + count])
                if dense:
                    place = np.flatnonzero(value >= 0)
                    yield low + start + place, value[place]
                else:
                    yield np.array(self._mapped(f"id-{number}")[start : start + count]), value

    def reduced(self, start: int, stop: int) -> np.ndarray:
        """Reduced coordinates of consecutive rows in the first frame, float32, shape (stop - start, 3)."""
        for first, last, file, at in self._parts:
            if first <= start and stop <= last:
                return Column(file, at, REDUCED)[start - first : stop - first]
        raise IndexError(f"rows {start} to {stop} lie in no part of the table")
