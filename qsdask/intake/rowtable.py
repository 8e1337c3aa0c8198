"""Where every atom of a frame belongs: rows of a store by atom id, in files, so that no task holds them all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from qsdask.files.staging import local_copy, staged

__all__ = ["RowTable"]

#: Columns of fewer bytes are kept: to map one again takes longer than to look at it.
_KEPT = 1 << 16


class RowTable:
    """Rows by atom id, and what later frames are compared with.

    Large files are mapped only while they are looked at: mapped pages count as memory of the process.

    Parameters
    ----------
    folder : Path
        Written by `RowTable.write`; it may be removed when the stage that made it is finished.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: dict[str, np.ndarray] = {}
        self._files: dict[str, Path] = {}

    @classmethod
    def write(
        cls, folder: Path, atom_id: np.ndarray, species: np.ndarray | None = None, reduced: np.ndarray | None = None
    ) -> RowTable:
        """Write the table.

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
        row = np.argsort(atom_id, kind="stable")
        columns = {"id": atom_id[row], "row": row}
        if species is not None:
            columns["species"] = species
        if reduced is not None:
            columns["reduced"] = reduced.astype(np.float32)
        with staged(folder) as local:
            for name, value in columns.items():
                np.save(local / f"{name}.npy", value)
        return cls(folder)

    def _mapped(self, name: str) -> np.ndarray:
        if name in self._kept:
            return self._kept[name]
        if name not in self._files:
            self._files[name] = local_copy(self._folder / f"{name}.npy")
        column = np.load(self._files[name], mmap_mode="r")
        if column.nbytes < _KEPT:
            column = self._kept[name] = np.array(column)
        return column

    def __len__(self) -> int:
        return len(self._mapped("id"))

    def rows_of(self, atom_id: np.ndarray) -> np.ndarray:
        """Row of every id, -1 for ids that the first frame does not have.

        Parameters
        ----------
        atom_id : int64 array, shape (n,)

        Returns
        -------
        int64 array, shape (n,)
        """
        known, rows = self._mapped("id"), self._mapped("row")
        # Rising ids walk through the files from front to back.
        rising = np.argsort(atom_id, kind="stable")
        place = np.minimum(np.searchsorted(known, atom_id[rising]), len(known) - 1)
        row = np.empty(len(atom_id), dtype=np.int64)
        row[rising] = np.where(known[place] == atom_id[rising], rows[place], -1)
        return row

    def in_order(self, count: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Ids in rising order and their rows, `count` at a time."""
        known, rows = self._mapped("id"), self._mapped("row")
        for start in range(0, len(known), count):
            yield np.array(known[start : start + count]), np.array(rows[start : start + count])

    def species_of(self, row: np.ndarray) -> np.ndarray:
        """Species index of some rows, int array, shape (n,)."""
        return np.asarray(self._mapped("species")[row])

    def reduced(self, start: int, stop: int) -> np.ndarray:
        """Reduced coordinates of consecutive rows in the first frame, float32, shape (stop - start, 3)."""
        return np.array(self._mapped("reduced")[start:stop])
