"""Slow twin of D2min: a least-squares fit of the bonds, one atom at a time."""

from __future__ import annotations

import numpy as np


def bonds(reference, current, cell_reference, cell_current, periodic, i, neighbours):
    """Reference and current bonds of atom i to its neighbours, a list of (row, image in the reference frame).

    The current bond is the image whose reduced coordinates are nearest to those of the reference bond.
    """
    before, after = [], []
    for k, image in neighbours:
        b0 = reference[k] + np.array(image) @ cell_reference - reference[i]
        s0 = np.linalg.solve(cell_reference.T, b0)
        s = np.linalg.solve(cell_current.T, current[k] - current[i])
        s = np.where(periodic, s - np.rint(s - s0), s)
        before.append(b0)
        after.append(s @ cell_current)
    return np.reshape(before, (-1, 3)), np.reshape(after, (-1, 3))


def minimum_image_bonds(reference, current, cell_reference, cell_current, periodic, i, rows):
    """Bonds by the minimum image in each frame's own cell: right in boxes over two cut-offs."""
    result = []
    for position, cell in ((reference, cell_reference), (current, cell_current)):
        s = (position[rows] - position[i]) @ np.linalg.inv(cell)
        result.append(np.where(periodic, s - np.rint(s), s) @ cell)
    return result


def fit(before, after):
    """Sum of squared residuals of the best affine map; NaN if the bonds do not span three dimensions."""
    if len(before) < 3 or np.linalg.svd(before, compute_uv=False)[-1] < 1e-4 * np.linalg.norm(before):
        return np.nan
    if np.isnan(after).any():
        return np.nan
    solution = np.linalg.lstsq(before, after, rcond=None)[0]
    return float(((after - before @ solution) ** 2).sum())


def d2min(reference, current, cell_reference, cell_current, periodic, neighbours):
    """D2min of every atom, the sum over its neighbours (lists of (row, image))."""
    return np.array(
        [
            fit(*bonds(reference, current, cell_reference, cell_current, periodic, i, near))
            for i, near in enumerate(neighbours)
        ]
    )
