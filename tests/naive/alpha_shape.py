"""Free surfaces by other means: a Delaunay tetrahedralisation of everything, and a grid of probe spheres."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
from scipy.spatial import Delaunay, cKDTree

__all__ = ["alpha_shape", "from_triangles", "images", "swept_distance"]


def images(position: np.ndarray, cell: np.ndarray, periodic: np.ndarray, reach: float) -> np.ndarray:
    """The atoms, then their images within `reach` of the cell."""
    inverse = np.linalg.inv(cell)
    reduced, margin = position @ inverse, reach * np.linalg.norm(inverse, axis=0)
    around = [
        np.arange(-int(np.ceil(m)), int(np.ceil(m)) + 1) if p else [0] for m, p in zip(margin, periodic, strict=True)
    ]
    found = [position]
    for shift in product(*around):
        if any(shift):
            moved = reduced + shift
            near = ((moved >= reduced.min(axis=0) - margin) & (moved <= reduced.max(axis=0) + margin)).all(axis=1)
            found.append(position[near] + np.array(shift) @ cell)
    return np.concatenate(found)


def alpha_shape(position: np.ndarray, probe: float) -> tuple[np.ndarray, np.ndarray]:
    """Whether each point is touched by an empty sphere of this radius, and the triangles between solid and empty.

    By the circumspheres of all Delaunay tetrahedra; for points without degeneracy, with some empty space around them.
    """
    mesh = Delaunay(position)
    corner = position[mesh.simplices]
    edge = corner[:, 1:] - corner[:, :1]
    with np.errstate(all="ignore"):
        flat = np.abs(np.linalg.det(edge)) < 1e-9
        edge[flat] = np.eye(3)
        centre = np.linalg.solve(edge, 0.5 * (edge**2).sum(axis=2)[..., None])[..., 0]
    solid = ~flat & (np.linalg.norm(centre, axis=1) < probe)
    touched = np.zeros(len(position), dtype=bool)
    touched[mesh.simplices[~solid]] = True
    touched[np.unique(mesh.convex_hull)] = True
    triangles = []
    for t in np.flatnonzero(solid):
        for side, other in enumerate(mesh.neighbors[t]):
            if other < 0 or not solid[other]:
                triangles.append(np.delete(mesh.simplices[t], side))
    return touched, position[np.array(triangles, dtype=int).reshape(-1, 3)]


def from_triangles(point: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Distance of every point from the nearest triangle: face if the foot is inside, else edges."""
    best = np.full(len(point), np.inf)
    for corner in triangles:
        normal = np.cross(corner[1] - corner[0], corner[2] - corner[0])
        normal = normal / np.linalg.norm(normal)
        height = (point - corner[0]) @ normal
        foot = point - height[:, None] * normal
        inside = np.ones(len(point), dtype=bool)
        for a, b in ((0, 1), (1, 2), (2, 0)):
            inside &= np.cross(corner[b] - corner[a], foot - corner[a]) @ normal >= 0
        found = np.where(inside, np.abs(height), np.inf)
        for a, b in combinations(range(3), 2):
            along = corner[b] - corner[a]
            t = np.clip((point - corner[a]) @ along / (along @ along), 0.0, 1.0)
            found = np.minimum(found, np.linalg.norm(point - corner[a] - t[:, None] * along, axis=1))
        best = np.minimum(best, found)
    return best


def swept_distance(
    point: np.ndarray, every: np.ndarray, probe: float, spacing: float, reach: float
) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of the distance of every point from the space that empty spheres sweep out; their centres stand on a grid.

    No centre of an empty sphere is farther than half a diagonal from a point of the grid: there a sphere that is smaller by
    as much is empty, too, and none of that kind can be nearer.
    """
    low, high = point.min(axis=0) - probe - reach, point.max(axis=0) + probe + reach
    axes = [np.arange(a, b + spacing, spacing) for a, b in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    half = 0.5 * np.sqrt(3.0) * spacing
    free = cKDTree(every).query(grid, distance_upper_bound=probe)[0]
    nearest = [
        cKDTree(grid[free >= size]).query(point, distance_upper_bound=reach + probe)[0]
        for size in (probe - half, probe)
    ]
    return nearest[0] - half - probe, nearest[1] - probe
