"""Statistics of neighbour values: mean, population spread, least, greatest and sum over each atom's neighbours."""

from __future__ import annotations

import numpy as np

from qsdask.kernels.jit import kernel

__all__ = ["N_STATISTIC", "coarsen"]

#: Mean, population standard deviation, minimum, maximum, sum: the last axis of `coarsen`.
N_STATISTIC = 5


def coarsen(value, n_owned, neighbour, count):
    """Mean, standard deviation, minimum, maximum and sum of each column over the neighbours of each atom.

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
    float64 array, shape (n_owned, n_column, 5)
        Mean, population standard deviation (ddof 0), minimum, maximum, sum; the centre is not included.
        Unit: that of the column.

    Notes
    -----
    Sums run in slot order. That of the mean is relative to the value in the first slot, and the spread is taken
    about the finished mean in a second pass: equal neighbour values give a spread of exactly zero. A NaN among
    the neighbours makes all statistics of that column NaN; an infinite one makes mean and spread NaN. Without
    neighbours all are NaN, the sum too. Cost: two visits to `n_column` numbers per neighbour.

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
    """Write the statistics of every owned atom into `result`, shape (n_owned, n_column, 5)."""
    for i in range(result.shape[0]):
        # Unsigned: no test for indices that count from the end.
        n = np.uint64(count[i])
        if n == 0:
            result[i] = np.nan
            continue
        # The rows of the neighbours are few and stay in the nearest cache: column by column costs no more.
        for c in range(value.shape[1]):
            first = value[neighbour[i, 0], c]
            shifted, low, high = 0.0, first, first
            for slot in range(n):
                x = value[np.uint64(neighbour[i, slot]), c]
                shifted += x - first
                # Once NaN a bound stays NaN: every comparison with it is false.
                low = x if x < low or x != x else low
                high = x if x > high or x != x else high
            mean = first + shifted / n
            square = total = 0.0
            for slot in range(n):
                x = value[np.uint64(neighbour[i, slot]), c]
                total += x
                square += (x - mean) * (x - mean)
            result[i, c, 0] = mean
            result[i, c, 1] = np.sqrt(square / n)
            result[i, c, 2] = low
            result[i, c, 3] = high
            result[i, c, 4] = total
