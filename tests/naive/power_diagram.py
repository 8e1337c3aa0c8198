"""Slow twin of the radical tessellation: every cell as an intersection of half spaces, by Qhull and a linear program."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import linprog
from scipy.spatial import HalfspaceIntersection

from tests.naive.neighbours import explicit_images


class RadicalCell(NamedTuple):
    """One closed cell; the facets ascend in (row, image)."""

    neighbour: list  # (row, image)
    distance: np.ndarray
    height: np.ndarray  # of the facet's plane above the atom, negative behind it
    area: np.ndarray
    volume: float
    vertex_radius: float


def radical_cells(position, radius, cell, periodic, reach, open_radius=8.0):
    """Cell of every atom by ``|x - x_i|**2 - R_i**2``: a `RadicalCell`, or "open", or "empty"."""
    point, row, image = explicit_images(position, cell, periodic, reach)
    return [_cell(i, point, np.asarray(radius)[row], row, image, reach, open_radius) for i in range(len(position))]


def _cell(i, point, radius, row, image, reach, open_radius):
    bond = point - point[i]
    distance = np.linalg.norm(bond, axis=1)
    near = np.flatnonzero((distance < reach) & (np.arange(len(point)) != i))
    normal = bond[near] / distance[near, None]
    height = (distance[near] ** 2 + radius[i] ** 2 - radius[near] ** 2) / (2 * distance[near])
    # A cube far outside keeps open cells finite.
    wall = np.vstack([np.eye(3), -np.eye(3)])
    normals, heights = np.vstack([normal, wall]), np.concatenate([height, np.full(6, 5 * open_radius)])
    # The middle of the largest sphere inside: the half spaces meet when its radius is positive.
    middle = linprog(
        [0, 0, 0, -1], A_ub=np.c_[normals, np.ones(len(normals))], b_ub=heights, bounds=[(None, None)] * 4
    ).x
    if middle[3] < 1e-9:
        return "empty"
    found = HalfspaceIntersection(np.c_[normals, -heights], middle[:3])
    vertex_radius = np.linalg.norm(found.intersections, axis=1).max()
    if vertex_radius >= open_radius:
        return "open"
    facets = []
    for k, plane in enumerate(near):
        corners = found.intersections[[t for t, planes in enumerate(found.dual_facets) if k in planes]]
        if len(corners) > 2:
            area = _polygon_area(corners, normal[k])
            facets.append((int(row[plane]), image[plane], distance[plane], height[k], area))
    surface = sum(facet[4] for facet in facets)
    facets = sorted(facet for facet in facets if facet[4] > 1e-10 * surface)
    away, heights, areas = np.array([facet[2:] for facet in facets]).T
    return RadicalCell(
        [facet[:2] for facet in facets], away, heights, areas, float((areas * heights).sum() / 3), float(vertex_radius)
    )


def _polygon_area(corners, normal):
    """Area of a convex polygon, its corners in any sequence."""
    spoke = corners - corners.mean(axis=0)
    u = spoke[np.argmax((spoke**2).sum(axis=1))]
    turn = np.argsort(np.arctan2(spoke @ np.cross(normal, u), spoke @ u))
    return 0.5 * np.linalg.norm(np.cross(spoke[turn], spoke[np.roll(turn, -1)]).sum(axis=0))
