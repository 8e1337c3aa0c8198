"""Statistics of neighbour values: mean, population spread, least and greatest over each atom's neighbours."""

from __future__ import annotations

import numpy as np

from qsdask.kernels.jit import kernel

__all__ = ["N_STATISTIC", "coarsen"]

#: Mean, population standard deviation, minimum, maximum: the last axis of `coarsen`.
N_STATISTIC = 4


def coarsen(value, n_owned, neighbour, count):
    """Mean, standard deviation, minimum and maximum of each column over the neighbours of each atom.

    Parameters
    ----------
    value : float64 array, shape (n_local, n_column)
        Columns of all local atoms, ghosts included. Any unit.
    n_owned : int
        The first `n_owned` local atoms get a result.
    neighbour : int32 array, shape (n_owned, n_slot)
        Local index of each neighbour, filled from the left.
    count : int32 array, shape (n_owned,)
        Number of filled slots.

    Returns
    -------
    float64 array, shape (n_owned, n_column, 4)
        Mean, population standard deviation (ddof 0), minimum, maximum; the centre is not included.
        Unit: that of the column.

    Notes
    -----
    Sums run in slot order, relative to the value in the first slot, and the spread is taken about the
    finished mean in a second pass: equal neighbour values give a spread of exactly zero. A NaN among the
    neighbours makes all four statistics of that column NaN; an infinite one makes mean and spread NaN.
    Without neighbours all are NaN. Cost: two visits to `n_column` numbers per neighbour.

    References
    ----------
    Wang & Jain, Nat. Commun. 10, 5537 (2019), doi:10.1038/s41467-019-13511-9.
    """
    value = np.ascontiguousarray(value, dtype=np.float64)
    result = np.empty((n_owned, value.shape[1], N_STATISTIC))
    fill_statistics(result, value, neighbour, count)
    return result


@kernel
def fill_statistics(result, value, neighbour, count):
    """Write the four statistics of every owned atom into `result`, shape (n_owned, n_column, 4)."""
    n_column = value.shape[1]
    mean = np.empty(n_column)
    square = np.empty(n_column)
    low = np.empty(n_column)
    high = np.empty(n_column)
    for i in range(result.shape[0]):
        n = count[i]
        if n == 0:
            result[i] = np.nan
            continue
        # Columns are the inner loop: independent of each other, they become vector code in the same order.
        first = value[neighbour[i, 0]]
        for c in range(n_column):
            mean[c] = 0.0
            square[c] = 0.0
            low[c] = first[c]
            high[c] = first[c]
        for slot in range(1, n):
            row = value[neighbour[i, slot]]
            for c in range(n_column):
                x = row[c]
                mean[c] += x - first[c]
                # Once NaN a bound stays NaN: every comparison with it is false.
                low[c] = x if (x < low[c]) or (x != x) else low[c]
                high[c] = x if (x > high[c]) or (x != x) else high[c]
        for c in range(n_column):
            mean[c] = first[c] + mean[c] / n
        for slot in range(n):
            row = value[neighbour[i, slot]]
            for c in range(n_column):
                deviation = row[c] - mean[c]
                square[c] += deviation * deviation
        for c in range(n_column):
            result[i, c, 0] = mean[c]
            result[i, c, 1] = np.sqrt(square[c] / n)
            result[i, c, 2] = low[c]
            result[i, c, 3] = high[c]
