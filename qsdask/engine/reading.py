"""Boxes of frames and rows of arrays, read from a store."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qsdask.space.box import Box
from qsdask.store.reader import Arrays, StoredArray

__all__ = ["CHUNKS_AT_ONCE", "MOST_AT_ONCE", "held_rows", "placed", "read_box", "read_boxes", "read_rows"]


#: Chunks that one request reads at most: of one step, and where some steps of each are wanted, in all.
CHUNKS_AT_ONCE, MOST_AT_ONCE = 4, 16


def read_box(root: Arrays, step: int) -> Box:
    """Box of one frame of a store."""
    return read_boxes(root, [step])[0]


def read_boxes(root: Arrays, steps: Sequence[int]) -> list[Box]:
    """Boxes of frames that stand near one another, read at once."""
    stretch, periodic = slice(min(steps), max(steps) + 1), root["frames/periodic"][:]
    cells, origins = root["frames/cell"][stretch], root["frames/origin"][stretch]
    return [Box(cells[step - stretch.start], origins[step - stretch.start], periodic) for step in steps]


def held_rows(root: Arrays, domain: int, step: int) -> np.ndarray:
    """Which rows of a domain a frame holds; bool, shape (n,). Lost atoms are NaN in the store."""
    rows = root.rows(domain)
    if not root["frames/n_lost"][step]:
        return np.ones(rows.stop - rows.start, dtype=bool)
    return np.isfinite(root["frames/position"][step, rows][:, 0])


def placed(value: np.ndarray, held: np.ndarray, fill: float) -> np.ndarray:
    """Values of the rows held, shape (n_held, ...), among those of all rows, shape (n, ...)."""
    if len(value) == len(held):
        return value
    out = np.full((len(held), *value.shape[1:]), fill, dtype=value.dtype)
    out[held] = value
    return out


def read_rows(
    array: StoredArray, row: np.ndarray, *, step: int | slice | None = None, columns: slice = slice(None)
) -> np.ndarray:
    """Values of given rows of an array, reading each chunk that holds one of them once.

    Parameters
    ----------
    array : StoredArray
        Dims (atom, ...), or (step, atom, ...) when `step` is given.
    row : int64 array, shape (n,)
        Rows, in any order.
    step : int or slice, optional
        Frame; or frames, of which those in one file are read at once.
    columns : slice
        Part of the dimension after the rows.

    Returns
    -------
    array, shape (n, ...) or (n_step, n, ...)
    """
    axis = 0 if step is None else 1
    chunk = array.chunks[axis]
    n_step = step.stop - step.start if isinstance(step, slice) else 1
    at_once = max(1, min(CHUNKS_AT_ONCE, MOST_AT_ONCE // n_step))
    # Steps come first where there are some.
    axis_out = 1 if isinstance(step, slice) else 0
    home = row // chunk
    touched = np.flatnonzero(np.bincount(home))
    inner = (columns,) if array.ndim > axis + 1 else ()
    out = None
    # Neighbouring chunks are read in one request: fewer turns of the event loop. A few at a time: the halo of a large
    # domain touches many chunks of which it needs little.
    for stretch in np.split(touched, np.flatnonzero(np.diff(touched) > 1) + 1):
        for first in range(0, len(stretch), at_once):
            some = stretch[first : first + at_once]
            start, stop = int(some[0]) * chunk, (int(some[-1]) + 1) * chunk
            part = slice(start, stop)
            block = array[(part, *inner) if step is None else (step, part, *inner)]
            if out is None:
                out = np.empty((*block.shape[:axis_out], len(row), *block.shape[axis_out + 1 :]), block.dtype)
            mine = np.flatnonzero((row >= start) & (row < stop))
            if axis_out:
                out[:, mine] = block[:, row[mine] - start]
            else:
                out[mine] = block[row[mine] - start]
    if out is None:
        none = slice(0, 0)
        return array[(none, *inner) if step is None else (step, none, *inner)]
    return out
