"""Slow twins of the convex hull: Qhull, and every triple of points tried in turn."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from scipy.spatial import ConvexHull


def hull_triangles(point):
    """Triangulated hull by Qhull (``Qt``): int array, shape (n_triangle, 3), sorted in and by rows."""
    return _sorted(ConvexHull(point, qhull_options="Qt").simplices)


def brute_hull(point):
    """Triples with all other points strictly on one side; for points of which no four are coplanar."""
    found = []
    for a, b, c in combinations(range(len(point)), 3):
        height = (point - point[a]) @ np.cross(point[b] - point[a], point[c] - point[a])
        side = np.delete(height, [a, b, c])
        if (side > 0).all() or (side < 0).all():
            found.append((a, b, c))
    return _sorted(found)


def contains_origin(point, triangles):
    """Whether the origin lies strictly inside the hull."""
    middle = point[np.unique(triangles)].mean(axis=0)
    for a, b, c in point[triangles]:
        normal = np.cross(b - a, c - a)
        inside = normal @ (middle - a)
        if not (normal @ -a) * np.sign(inside) > 1e-7 * np.linalg.norm(normal) * np.linalg.norm(a):
            return False
    return True


def _sorted(triangles):
    triangles = np.sort(np.asarray(triangles), axis=1)
    return triangles[np.lexsort(triangles.T[::-1])]
