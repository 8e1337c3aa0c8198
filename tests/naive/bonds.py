"""Bonds of a whole periodic system as flat arrays, and sums over them, for the slow twins of the responses."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tests.naive.neighbours import neighbours


class Bonds(NamedTuple):
    """Bond k goes from row ``i[k]`` to the image ``image[k]`` of row ``j[k]``; `v` is the vector."""

    i: np.ndarray
    j: np.ndarray
    image: np.ndarray
    v: np.ndarray


def bonds(position, cell, periodic, cutoff) -> Bonds:
    """All bonds shorter than a cut-off, in both directions."""
    found = [
        (i, j, image) for i, near in enumerate(neighbours(position, cell, periodic, cutoff)) for j, image, _ in near
    ]
    i, j = (np.array([bond[k] for bond in found], dtype=int) for k in (0, 1))
    image = np.array([bond[2] for bond in found], dtype=float).reshape(-1, 3)
    return Bonds(i, j, image, position[j] + image @ cell - position[i])


def summed(of, n, values):
    """Sum of the values of all bonds of each atom."""
    total = np.zeros((n, *values.shape[1:]))
    np.add.at(total, of.i, values)
    return total


def nonaffine(before, after, i, n):
    """D2min and F − 1 of each atom by least squares over its bonds, NaN where these do not span space."""
    d2, gradient = np.full(n, np.nan), np.full((n, 3, 3), np.nan)
    for atom in range(n):
        mine = i == atom
        if np.linalg.matrix_rank(before[mine], tol=1e-3) == 3:
            solution, *_ = np.linalg.lstsq(before[mine], after[mine] - before[mine], rcond=None)
            d2[atom] = ((after[mine] - before[mine] - before[mine] @ solution) ** 2).sum()
            gradient[atom] = solution.T
    return d2, gradient
