"""Averages over wide surroundings, weighted by an exponential of the distance."""

from __future__ import annotations

import numpy as np

from qsdask.kernels.exponential import exponential
from qsdask.kernels.jit import kernel
from qsdask.kernels.sorting import LANES, U, whole_lanes

__all__ = ["exponential_average"]


def exponential_average(value, position, neighbour, count, length):
    """Average of each column over an atom, with weight 1, and its neighbours, with weight exp(-r / length).

    Parameters
    ----------
    value : float64 array, shape (n_local, n_column)
        Columns of all local atoms. Any unit.
    position : float64 array, shape (n_local, 3)
        Unit: angstrom.
    neighbour : int32 array, shape (n_owned, n_slot)
        Local index of each neighbour, filled from the left.
    count : int32 array, shape (n_owned,)
        Number of filled slots.
    length : float
        Unit: angstrom.

    Returns
    -------
    float64 array, shape (n_owned, n_column)
        NaN where the atom itself has no value; neighbours without one are left out. Sums run in slot order.
    """
    value = np.ascontiguousarray(value, dtype=np.float64)
    result = np.empty((len(count), value.shape[1]))
    weight = np.zeros(neighbour.shape[1] + int(LANES))
    total = np.empty(value.shape[1])
    fill_average(result, value, position, neighbour, count, length, weight, total)
    return result


@kernel
def fill_average(result, value, position, neighbour, count, length, weight, total):
    n_column = U(value.shape[1])
    for i in range(result.shape[0]):
        n = U(count[i])
        for slot in range(n):
            j = U(neighbour[i, slot])
            x, y, z = position[j, 0] - position[i, 0], position[j, 1] - position[i, 1], position[j, 2] - position[i, 2]
            weight[slot] = x * x + y * y + z * z
        for slot in range(whole_lanes(n)):
            weight[slot] = exponential(-np.sqrt(weight[slot]) / length)
        for c in range(n_column):
            result[i, c] = value[i, c]
            total[c] = 1.0
        for slot in range(n):
            j, w = U(neighbour[i, slot]), weight[slot]
            for c in range(n_column):
                x = value[j, c]
                there = x == x
                result[i, c] += w * x if there else 0.0
                total[c] += w if there else 0.0
        for c in range(n_column):
            result[i, c] /= total[c]
