"""Strains that are imposed on a glass to see how it answers."""

from __future__ import annotations

import numpy as np

__all__ = ["uniaxial"]

#: Strain across the load for one along it of -1: Poisson's ratio of metallic glasses.
LATERAL = 0.37


def uniaxial(axis: str) -> np.ndarray:
    """Diagonals of uniaxial strains of -1 along an axis, ``"x"``, ``"y"`` or ``"z"``, and along each of the other two; shape (3, 3)."""
    along = "xyz".index(axis)
    return np.array([np.where(np.arange(3) == k, -1.0, LATERAL) for k in (along, *sorted({0, 1, 2} - {along}))])
