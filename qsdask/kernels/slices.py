"""Which atoms lie between two parallel planes."""

from __future__ import annotations

import numpy as np

from qsdask.kernels.jit import kernel

__all__ = ["fill_between"]


@kernel
def fill_between(position, origin, normal, middle, height, periodic, thickness, inside):
    """Tell which atoms are in a slice, its lower face included, its upper one not.

    Parameters
    ----------
    position : float64 array, shape (n, 3)
        NaN is not inside. Unit: any length.
    origin : float64 array, shape (3,)
        Lower corner of the box.
    normal : float64 array, shape (3,)
        What gives the reduced coordinate along the normal: a column of the inverse of the cell.
    middle : float
        Reduced coordinate of the plane.
    height : float
        Of the box, along the normal.
    periodic : bool
        Whether the box repeats along it: then the shortest way round counts.
    thickness : float
        Of the slice; one as thick as the box has all atoms.
    inside : bool array, shape (n,)
        Filled.
    """
    whole = thickness >= height
    for i in range(len(position)):
        away = 0.0
        for k in range(3):
            away += (position[i, k] - origin[k]) * normal[k]
        away -= middle
        if periodic:
            away -= np.rint(away)
        away *= height
        inside[i] = np.isfinite(away) if whole else -thickness / 2.0 <= away < thickness / 2.0
