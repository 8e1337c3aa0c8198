"""Ids of atoms: which stands twice."""

from __future__ import annotations

import numpy as np

from qsdask.kernels.jit import kernel

__all__ = ["repeated_id"]


@kernel
def _first_repeat(identity, low, first):
    """Rows of the first id met twice, earlier and later; -1, -1 if none. ``first`` holds -1 for every id."""
    for row in range(identity.shape[0]):
        seen = first[identity[row] - low]
        if seen >= 0:
            return seen, row
        first[identity[row] - low] = row
    return -1, -1


def repeated_id(identity) -> tuple[int, int] | None:
    """Rows of the first id that stands twice.

    Parameters
    ----------
    identity : int64 array, shape (n,)

    Returns
    -------
    tuple of int or None
        The earlier row and the later one; None when all differ. Ascending ids cost one comparison each.
    """
    if identity.shape[0] < 2 or np.all(identity[1:] > identity[:-1]):
        return None
    low, high = int(identity.min()), int(identity.max())
    if high - low < 8 * identity.shape[0]:
        earlier, later = _first_repeat(identity, low, np.full(high - low + 1, -1, np.int64))
        return None if later < 0 else (int(earlier), int(later))
    order = np.argsort(identity, kind="stable")
    same = np.flatnonzero(identity[order[1:]] == identity[order[:-1]])
    if not same.size:
        return None
    k = same[np.argmin(order[same + 1])]
    return int(order[k]), int(order[k + 1])
