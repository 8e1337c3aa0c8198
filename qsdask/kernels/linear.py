"""Columns as whole numbers of 13 bits, and linear models on them: every row by itself, in one order."""

from __future__ import annotations

import math

import numpy as np

from qsdask.kernels.jit import kernel

__all__ = ["CLIPPED", "LARGEST", "linear_scores", "logistic", "standardised"]

#: Standard deviations beyond which a number is taken for one at this distance.
CLIPPED = 5.0

#: Whole number of a value at the rim.
LARGEST = 4096


@kernel
def standardised(value, group, fill, mean, scale):
    """Distance of every value from the mean of its group, in standard deviations, as a whole number.

    Parameters
    ----------
    value : float array, shape (n, n_column)
        Columns; what is not finite has no value.
    group : int64 array, shape (n,)
        Group of each row.
    fill, mean, scale : float64 arrays, shape (n_group, n_column)
        What stands for a missing value, mean, and standard deviation; 0 for columns that tell nothing.

    Returns
    -------
    float32 array, shape (n, n_column)
        Whole numbers, 4096 for 5 standard deviations and beyond. NaN throughout for rows without any value.
    """
    n, width = value.shape
    out = np.empty((n, width), dtype=np.float32)
    for row in range(n):
        g = group[row]
        void = True
        for column in range(width):
            x = np.float64(value[row, column])
            if math.isfinite(x):
                void = False
            else:
                x = fill[g, column]
            z = 0.0
            if scale[g, column] > 0.0:
                z = (x - mean[g, column]) / scale[g, column]
            z = min(max(z, -CLIPPED), CLIPPED)
            out[row, column] = np.rint(z * (LARGEST / CLIPPED))
        if void:
            for column in range(width):
                out[row, column] = np.nan
    return out


@kernel
def linear_scores(whole, coefficient):
    """Scores of several linear models.

    Parameters
    ----------
    whole : float32 array, shape (n, n_column)
        From `standardised`.
    coefficient : float64 array, shape (n_column, n_model)
        What one standard deviation adds.

    Returns
    -------
    float64 array, shape (n, n_model)
        Columns are added in their order. NaN for rows without value.
    """
    n, width = whole.shape
    n_model = coefficient.shape[1]
    out = np.empty((n, n_model))
    total = np.empty(n_model)
    for row in range(n):
        total[:] = 0.0
        for column in range(width):
            z = np.float64(whole[row, column]) * (CLIPPED / LARGEST)
            for k in range(n_model):
                total[k] += z * coefficient[column, k]
        out[row] = total
    return out


@kernel
def logistic(score, offset, slope):
    """Probabilities ``1 / (1 + exp(-(offset + slope * score)))`` of a float64 array of shape (n, n_model)."""
    out = np.empty(score.shape)
    for row in range(score.shape[0]):
        for k in range(score.shape[1]):
            out[row, k] = 1.0 / (1.0 + math.exp(-(offset + slope * score[row, k])))
    return out
