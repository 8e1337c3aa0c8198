"""Slow twin of the Voronoi shell: Qhull over explicit periodic images, then plain polygon geometry."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.spatial import Voronoi

from tests.naive.neighbours import explicit_images


class Cell(NamedTuple):
    """One closed Voronoi cell; the facets ascend in (row, image)."""

    neighbour: list  # (row, image)
    distance: np.ndarray
    area: np.ndarray
    edges: np.ndarray
    volume: float
    vertex_radius: float


def voronoi_cells(position, cell, periodic, reach, open_radius=8.0):
    """Voronoi cell of every atom, None where it is open; `reach` must cover twice the vertex radii."""
    point, row, image = explicit_images(position, cell, periodic, reach)
    diagram = Voronoi(point)
    facets = [[] for _ in position]
    for (a, b), ring in zip(diagram.ridge_points, diagram.ridge_vertices, strict=True):
        for centre, other in ((a, b), (b, a)):
            if centre < len(position):
                facets[centre].append((int(row[other]), image[other], int(other), ring))
    return [_cell(i, sorted(facets[i]), point, diagram.vertices, open_radius) for i in range(len(position))]


def _cell(i, facets, point, vertices, open_radius):
    corners = sorted({v for facet in facets for v in facet[3]})
    if -1 in corners:
        return None
    radius = max(np.linalg.norm(vertices[v] - point[i]) for v in corners)
    if radius >= open_radius:
        return None
    neighbour, distance, area, edges = [], [], [], []
    for row, image, other, ring in facets:
        bond = point[other] - point[i]
        polygon = _in_turn(vertices[ring] - point[i], bond)
        neighbour.append((row, image))
        distance.append(np.linalg.norm(bond))
        area.append(_polygon_area(polygon))
        sides = np.linalg.norm(polygon - np.roll(polygon, 1, axis=0), axis=1)
        edges.append(int((sides > 1e-6 * radius).sum()))
    distance, area, edges = np.array(distance), np.array(area), np.array(edges)
    real = area > 1e-12 * area.sum()
    return Cell(
        [n for n, keep in zip(neighbour, real, strict=True) if keep],
        distance[real],
        area[real],
        edges[real],
        float((area * distance).sum() / 6.0),  # pyramids of height distance / 2
        float(radius),
    )


def _in_turn(polygon, normal):
    """Corners of a convex polygon by their angle about its middle."""
    normal = normal / np.linalg.norm(normal)
    spoke = polygon - polygon.mean(axis=0)
    u = spoke[np.argmax((spoke**2).sum(axis=1))]
    return polygon[np.argsort(np.arctan2(spoke @ np.cross(normal, u), spoke @ u))]


def _polygon_area(polygon):
    fan = np.cross(polygon[1:-1] - polygon[0], polygon[2:] - polygon[0])
    return 0.5 * np.linalg.norm(fan.sum(axis=0))


def keep_fixed(area, fraction=0.05):
    """Mask of the facets that have at least `fraction` of the mean area of all facets."""
    return np.asarray(area) >= fraction * np.mean(area)


def keep_sequential(area, fraction=0.05):
    """The same with amlearn's mean: the number of facets shrinks with each removal, the total does not."""
    left = len(area)
    total = sum(area)
    keep = []
    for a in area:
        keep.append(a >= fraction * total / left)
        left -= not keep[-1]
    return np.array(keep)
