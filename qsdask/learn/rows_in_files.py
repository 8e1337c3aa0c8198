"""Rows that are learned from, in files that all workers see: arrays written whole or not at all, read where they lie."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike

from qsdask.files.durable import being_written, give_name, sync

__all__ = [
    "Rows",
    "Selection",
    "being_filled",
    "being_lengthened",
    "read_array",
    "read_stretch",
    "write_array",
    "write_arrays",
]

#: Rows that are read at a time.
BATCH = 8192


def write_array(path: Path, array: np.ndarray) -> None:
    """Write an array in one step, as ``.npy``."""
    with being_written(path) as file:
        np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)
    sync(path.parent)


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write some arrays in one step, as ``.npz``."""
    with being_written(path) as file:
        np.savez(file, allow_pickle=False, **arrays)
    sync(path.parent)


@contextmanager
def being_lengthened(path: Path, n: int, dtype: DTypeLike) -> Iterator[Callable[[np.ndarray], None]]:
    """An array of n numbers, written piece by piece as ``.npy``: what takes the pieces; it is there when the ``with`` ends."""
    kind = np.dtype(dtype)
    with being_written(path) as file:
        head = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": (n,)}
        np.lib.format.write_array_header_1_0(file, head)

        def lengthen(piece: np.ndarray) -> None:
            file.write(np.ascontiguousarray(piece, dtype=kind).data)

        yield lengthen
    sync(path.parent)


@contextmanager
def being_filled(path: Path, shape: tuple[int, ...], dtype: DTypeLike) -> Iterator[np.ndarray]:
    """An array, filled in any order as ``.npy``: its pages are those of the file; it is there when the ``with`` ends."""
    partial = path.with_name(f".{path.name}.partial")
    array = np.lib.format.open_memmap(partial, mode="w+", dtype=dtype, shape=shape)
    yield array
    array.flush()
    give_name(partial, path)


def read_array(path: Path) -> np.ndarray:
    """An array as it lies in its file: what is not looked at is not read."""
    return np.load(path, mmap_mode="r", allow_pickle=False)


def read_stretch(path: Path, rows: slice) -> np.ndarray:
    """Rows of an array, in memory; of the file nothing stays there."""
    return np.array(read_array(path)[rows])


class Rows:
    """Rows of some files, one behind the other.

    Parameters
    ----------
    files : sequence of Path
        Arrays of shape (n, n_column) and one type.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self._part = [read_array(file) for file in files]
        self._end = np.cumsum([len(part) for part in self._part])

    def __len__(self) -> int:
        return int(self._end[-1])

    @property
    def n_column(self) -> int:
        """Columns of a row."""
        return self._part[0].shape[1]

    def take(self, place: np.ndarray) -> np.ndarray:
        """Rows at these places, int64 array of shape (n,), in this order: array of shape (n, n_column)."""
        home = np.searchsorted(self._end, place, side="right")
        out = np.empty((len(place), self.n_column), dtype=self._part[0].dtype)
        for k in np.unique(home):
            mine, part = home == k, self._part[k]
            out[mine] = part[place[mine] - (self._end[k] - len(part))]
        return out


class Selection:
    """Some of these rows, as LightGBM reads them: by number, or a stretch of them; a batch stays in memory.

    Parameters
    ----------
    rows : Rows
        The rows.
    place : int64 array, shape (n,)
        Which of them, in this order.
    """

    def __init__(self, rows: Rows, place: np.ndarray) -> None:
        self._rows, self._place = rows, place
        self._start, self._batch = -1, np.empty((0, rows.n_column))

    def __len__(self) -> int:
        return len(self._place)

    @property
    def n_column(self) -> int:
        """Columns of a row."""
        return self._rows.n_column

    def __getitem__(self, at: int | slice) -> np.ndarray:
        if isinstance(at, slice):
            return self._rows.take(self._place[at]).astype(np.float64)
        start = at - at % BATCH
        if start != self._start:
            self._start, self._batch = start, self[start : start + BATCH]
        return self._batch[at - start]

    def batches(self) -> list[slice]:
        """Stretches that together are all of it."""
        return [slice(start, start + BATCH) for start in range(0, len(self), BATCH)]
