"""Ways of atoms down a tree of cuts: into which part of space each of them belongs, as far as that is sure."""

from __future__ import annotations

from qsdask.kernels.jit import kernel

__all__ = ["fill_routes"]


@kernel
def fill_routes(length, identity, axis, low, high, tie, child, route):
    """Let every atom walk down a tree of cuts.

    Parameters
    ----------
    length : float64 array, shape (n, 3)
        Coordinates.
    identity : int64 array, shape (n,)
        Ids, which decide where coordinates are equal.
    axis : int64 array, shape (n_cut,)
        Along which each cut looks.
    low, high : float64 array, shape (n_cut,)
        Atoms below the one go left, those above the other go right.
    tie : int64 array, shape (n_cut,)
        Where both are one number: ids from this one on go right. Where they differ, what is between them is not sure.
    child : int64 array, shape (n_cut, 2)
        Next cut to the left and to the right; below zero the part, inverted.
    route : int64 array, shape (n,)
        Filled: the cut at which an atom is not sure, or the part that it is in, inverted.
    """
    for i in range(length.shape[0]):
        at = 0
        while at >= 0:
            x = length[i, axis[at]]
            if x < low[at]:
                at = child[at, 0]
            elif x > high[at]:
                at = child[at, 1]
            elif low[at] == high[at]:
                at = child[at, 0 if identity[i] < tie[at] else 1]
            else:
                break
        route[i] = at
