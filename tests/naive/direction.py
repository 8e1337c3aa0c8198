"""Slow twin of the interstices by direction, from those of `tests.naive.interstice`."""

from __future__ import annotations

import numpy as np

from tests.naive.interstice import areas_and_volumes, closed_hull, distances


def sides(values, direction, axis):
    """Mean weighted by cos^2, and by sin^2, of the angle between directions (n, 3) and an axis (3,)."""
    if len(values) == 0:
        return [np.nan, np.nan]
    angle = np.arccos(np.clip(direction @ axis / np.linalg.norm(direction, axis=1), -1.0, 1.0))
    weights = (np.cos(angle) ** 2, np.sin(angle) ** 2)
    return [np.average(values, weights=w) if w.sum() > 1e-12 else np.nan for w in weights]


def distance_columns(bond, centre_radius, radius, axis, contact):
    """Axial and lateral distance interstice of the bonds, shape (n, 3)."""
    return sides(distances(bond, centre_radius, radius, contact), bond, axis)


def voronoi_columns(bond, centre_radius, radius, axis, contact, clip=True):
    """Axial and lateral distance, area and volume interstice, 6 numbers, of one atom's kept neighbours."""
    area, volume = areas_and_volumes(bond, centre_radius, radius, clip)
    normal = np.array([np.cross(b - a, c - a) for a, b, c in (bond[list(t)] for t in closed_hull(bond))])
    found = distance_columns(bond, centre_radius, radius, axis, contact)
    return found + sides(area, normal, axis) + sides(volume, normal, axis)
