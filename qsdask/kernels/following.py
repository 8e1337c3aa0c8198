"""Atoms of a frame put where they belong, and followed from their places in the first frame: what `ingest` does per atom."""

from __future__ import annotations

import numpy as np

from qsdask.kernels.jit import kernel

__all__ = ["extent_followed", "fill_rows"]


@kernel
def fill_rows(row, found, position, count):
    """Write atoms into their rows, and count how many each row gets.

    Parameters
    ----------
    row : int64 array, shape (n,)
    found : float64 array, shape (n, 3)
        Positions.
    position : float64 array, shape (n_row, 3)
        Filled.
    count : uint8 array, shape (n_row,)
        Grows; 2 stands for more, too.
    """
    for i in range(row.shape[0]):
        k = row[i]
        for axis in range(3):
            position[k, axis] = found[i, axis]
        count[k] = min(count[k] + 1, 2)


@kernel
def _fill_extent(position, before, origin, inverse, periodic, low, high):
    """Write the extremes of followed reduced coordinates; returns the atoms more than a box length outside."""
    outside = 0
    for i in range(position.shape[0]):
        x, y, z = position[i, 0] - origin[0], position[i, 1] - origin[1], position[i, 2] - origin[2]
        far = False
        for axis in range(3):
            s = x * inverse[0, axis] + y * inverse[1, axis] + z * inverse[2, axis]
            if periodic[axis]:
                far |= abs(s - 0.5) > 1.5
                s -= np.rint(s - before[i, axis])
            # Not a number for atoms that are not there: no comparison holds.
            if s < low[axis]:
                low[axis] = s
            if s > high[axis]:
                high[axis] = s
        outside += far
    return outside


def extent_followed(position, before, origin, inverse, periodic):
    """Where the atoms of a domain are, followed across the faces of the cell from their places in the first frame.

    Parameters
    ----------
    position : float64 array, shape (n, 3)
        NaN for atoms that are not there.
    before : float32 array, shape (n, 3)
        Wrapped reduced coordinates in the first frame.
    origin, inverse : float64 array, shape (3,) and (3, 3)
        Of the cell of this frame: ``reduced = (x - origin) @ inverse``.
    periodic : bool array, shape (3,)
        Which of its vectors repeat.

    Returns
    -------
    bounds : float64 array, shape (2, 3)
        Lowest and highest reduced coordinates; NaN where there is no atom.
    outside : int
        Atoms that lie more than a box length outside along a periodic vector, as they are given.
    """
    bounds = np.array([[np.inf] * 3, [-np.inf] * 3])
    outside = _fill_extent(position, before, origin, inverse, periodic, bounds[0], bounds[1])
    return np.where(np.isfinite(bounds), bounds, np.nan), outside
