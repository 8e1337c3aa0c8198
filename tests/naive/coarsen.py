"""Slow twin of the coarsening: NumPy statistics, one atom and one column at a time."""

from __future__ import annotations

import numpy as np


def coarsen(value, neighbours):
    """Mean, population std, min, max, sum over each atom's neighbours; shape (n_atom, n_column, 5).

    `neighbours` holds one list of rows of `value` per atom.
    """
    value = np.asarray(value, dtype=float)
    result = np.full((len(neighbours), value.shape[1], 5), np.nan)
    for i, rows in enumerate(neighbours):
        for c in range(value.shape[1]):
            column = [value[k, c] for k in rows]
            if column and not np.isnan(column).any():
                result[i, c] = np.mean(column), np.std(column), np.min(column), np.max(column), np.sum(column)
    return result


def coarsen_again(value, neighbours, times):
    """The same of the mean over the neighbours of the mean ...: `times` statistics, one upon the other."""
    for _ in range(times - 1):
        value = coarsen(value, neighbours)[..., 0]
    return coarsen(value, neighbours)
