"""Slow twin of the 16 short-range interstice columns, formula by formula."""

from __future__ import annotations

import numpy as np
from scipy.spatial import QhullError

from tests.naive.hull import contains_origin, hull_triangles


def statistics(values):
    """Mean, population standard deviation, minimum, maximum; NaN for nothing."""
    if len(values) == 0:
        return [np.nan] * 4
    return [np.mean(values), np.std(values), np.min(values), np.max(values)]


def distances(bond, centre_radius, radius, contact):
    """Distance interstices; `bond` (n, 3), `radius` (n,)."""
    packed = centre_radius + np.asarray(radius)
    d = np.sqrt((np.reshape(bond, (-1, 3)) ** 2).sum(axis=1))
    return d / packed - 1.0 if contact else (d - packed) / d


def distance_columns(bond, centre_radius, radius, contact):
    """Four statistics of the distance interstice."""
    return statistics(distances(bond, centre_radius, radius, contact))


def voronoi_columns(bond, centre_radius, radius, contact, clip=True):
    """Distance, area and volume interstice statistics, 12 numbers, of one atom's kept neighbours."""
    area, volume = areas_and_volumes(bond, centre_radius, radius, clip)
    return distance_columns(bond, centre_radius, radius, contact) + statistics(area) + statistics(volume)


def areas_and_volumes(bond, centre_radius, radius, clip=True):
    """Area and volume interstices of the hull triangles of one atom's kept neighbours."""
    area, volume = [], []
    for triangle in closed_hull(bond):
        a, b, c = bond[triangle]
        ra, rb, rc = radius[triangle]
        face = 0.5 * np.linalg.norm(np.cross(b - a, c - a))
        sectors = ra**2 * _angle(a, b, c) + rb**2 * _angle(b, c, a) + rc**2 * _angle(c, a, b)
        area.append(1.0 - sectors / 2.0 / face)
        o = np.zeros(3)
        cones = (
            centre_radius**3 * _solid_angle(o, a, b, c)
            + ra**3 * _solid_angle(a, o, b, c)
            + rb**3 * _solid_angle(b, o, a, c)
            + rc**3 * _solid_angle(c, o, a, b)
        )
        volume.append(1.0 - cones / 3.0 / abs(a @ np.cross(b, c) / 6.0))
    if clip:
        area, volume = np.maximum(area, 0.0), np.maximum(volume, 0.0)
    return area, volume


def closed_hull(bond):
    """Hull triangles; none for fewer than four points, a flat hull, or a centre that is not inside."""
    if len(bond) < 4:
        return []
    try:
        triangles = hull_triangles(bond)
    except QhullError:
        return []
    return triangles if contains_origin(bond, triangles) else []


def _angle(corner, p, q):
    """Plane angle at `corner`."""
    u, v = p - corner, q - corner
    return np.arctan2(np.linalg.norm(np.cross(u, v)), u @ v)


def _solid_angle(corner, p, q, r):
    """Solid angle of a tetrahedron at `corner` (van Oosterom and Strackee)."""
    a, b, c = p - corner, q - corner, r - corner
    la, lb, lc = np.linalg.norm(a), np.linalg.norm(b), np.linalg.norm(c)
    return 2.0 * np.arctan2(abs(a @ np.cross(b, c)), la * lb * lc + (a @ b) * lc + (b @ c) * la + (c @ a) * lb)
