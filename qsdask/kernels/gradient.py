"""Gradients of the cross-entropy on a grid, so that sums of them are exact in any order."""

from __future__ import annotations

import numpy as np

from qsdask.kernels.exponential import exponential
from qsdask.kernels.jit import kernel

__all__ = ["GRID", "gradients"]

#: Gradients are whole multiples of its inverse. They are at most 1: sums of 2**33 of them are exact in double precision,
#: and each is exact in single precision.
GRID = 2.0**20


@kernel
def fill_gradients(score, target, first, second):
    """Derivatives of the cross-entropy by the score, rounded to the grid; the second one is never 0."""
    for i in range(len(score)):
        p = 1.0 / (1.0 + exponential(-min(max(score[i], -600.0), 600.0)))
        first[i] = np.rint((p - target[i]) * GRID) / GRID
        second[i] = max(np.rint(p * (1.0 - p) * GRID), 1.0) / GRID


def gradients(score, target):
    """First and second derivatives of the cross-entropy by the logarithm of the odds.

    Parameters
    ----------
    score : float64 array, shape (n,)
        Logarithm of the odds.
    target : float32 array, shape (n,)
        What is learned, from 0 to 1.

    Returns
    -------
    first, second : float32 arrays, shape (n,)
        Multiples of ``1 / GRID``; the same bits on every machine.
    """
    first, second = np.empty(len(score), dtype=np.float32), np.empty(len(score), dtype=np.float32)
    fill_gradients(np.asarray(score, dtype=np.float64), np.asarray(target, dtype=np.float32), first, second)
    return first, second
