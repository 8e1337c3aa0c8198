"""Convex hulls of neighbour shells: scipy, exact polyhedra in any orientation, ties, and every flag."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import ConvexHull
from scipy.spatial.transform import Rotation

from qsdask.kernels.hull import FEW, FLAT, OUTSIDE, convex_hull

CUBE = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=float)
FCC = np.array([p for p in np.ndindex(3, 3, 3) if sum(k == 1 for k in p) == 1], dtype=float) - 1
BCC14 = np.vstack([CUBE, 2 * np.eye(3), -2 * np.eye(3)])
GOLD = (1 + 5**0.5) / 2
ICOSAHEDRON = np.array([np.roll([0, x, y * GOLD], k) for k in range(3) for x in (-1, 1) for y in (-1, 1)], dtype=float)
OCTAHEDRON = np.vstack([np.eye(3), -np.eye(3)])


def as_set(triangle):
    return {tuple(sorted(t)) for t in triangle.tolist()}


def volume(point, triangle):
    a, b, c = point[triangle[:, 0]], point[triangle[:, 1]], point[triangle[:, 2]]
    return np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6


def surface(point, triangle):
    a, b, c = point[triangle[:, 0]], point[triangle[:, 1]], point[triangle[:, 2]]
    return np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2


def rotations(n=20):
    return [np.eye(3), *Rotation.random(n, random_state=7).as_matrix()]


@pytest.mark.parametrize("n", [4, 5, 8, 14, 30, 200])
def test_random_points_agree_with_qhull(n):
    rng = np.random.default_rng(n)
    for _ in range(60):
        point = rng.normal(size=(n, 3)) * 3
        qhull = ConvexHull(point)
        triangle, state = convex_hull(point)
        inside = (qhull.equations[:, 3] < 0).all()
        assert state == (0 if inside else OUTSIDE)
        assert as_set(triangle) == as_set(qhull.simplices)
        assert volume(point, triangle) == pytest.approx(qhull.volume, rel=1e-12)
        assert surface(point, triangle) == pytest.approx(qhull.area, rel=1e-12)


@pytest.mark.parametrize(
    ("point", "n_triangle", "exact_volume"),
    [(CUBE, 12, 8), (FCC, 20, 20 / 3), (BCC14, 24, 16), (OCTAHEDRON, 8, 4 / 3), (ICOSAHEDRON, 20, 20 / 3 * GOLD**2)],
    ids=["bcc 8", "fcc 12", "bcc 14", "octahedron", "icosahedron"],
)
@pytest.mark.parametrize("decimals", [None, 5])
def test_crystal_shells_do_not_flicker(point, n_triangle, exact_volume, decimals):
    """The same triangles in every orientation, at any origin, and after rounding in a text file."""
    first = None
    for k, rotation in enumerate(rotations()):
        origin = np.random.default_rng(k).uniform(-200, 200, 3)
        turned = 1.7 * point @ rotation.T + origin
        if decimals is not None:
            turned, origin = np.round(turned, decimals), np.round(origin, decimals)
        triangle, state = convex_hull(turned - origin)
        assert state == 0
        assert len(triangle) == n_triangle
        tolerance = 1e-11 if decimals is None else 1e-4
        assert volume(turned - origin, triangle) == pytest.approx(exact_volume * 1.7**3, rel=tolerance)
        first = first or as_set(triangle)
        assert as_set(triangle) == first


def test_diagonals_follow_from_the_slot_order():
    """Another sequence of the corners of a cube may cut other diagonals, the same sequence never does."""
    seen = set()
    for seed in range(30):
        turn = np.random.default_rng(seed).permutation(8)
        triangle, state = convex_hull(CUBE[turn])
        assert state == 0
        assert len(triangle) == 12
        again, _ = convex_hull(CUBE[turn] @ Rotation.random(random_state=seed).as_matrix().T)
        assert as_set(again) == as_set(triangle)
        seen.add(frozenset(as_set(turn[triangle])))
    assert len(seen) > 1


def test_near_coplanar_points_of_a_glass_are_not_tied():
    """1e-5 above a plane but not on a lattice: the exact hull, as Qhull has it."""
    rng = np.random.default_rng(5)
    for _ in range(50):
        point = rng.normal(size=(12, 3))
        point *= (3 / np.linalg.norm(point, axis=1))[:, None]
        a, b, c = point[:3]
        share = rng.uniform(0.2, 0.6, 2)
        normal = np.cross(b - a, c - a)
        normal *= np.sign(normal @ a) / np.linalg.norm(normal)
        lifted = a + share[0] * (b - a) - share[1] * (c - a) + 1e-5 * normal
        point = np.vstack([point, lifted])
        qhull = ConvexHull(point)
        triangle, state = convex_hull(point)
        if state == 0:
            assert as_set(triangle) == as_set(qhull.simplices)


def test_surface_is_closed_and_oriented():
    for seed in range(20):
        point = np.random.default_rng(seed).normal(size=(20, 3))
        triangle, state = convex_hull(point)
        edges = [(t[k], t[(k + 1) % 3]) for t in triangle.tolist() for k in range(3)]
        assert len(set(edges)) == len(edges)
        assert {(b, a) for a, b in edges} == set(edges)
        assert len(triangle) == 2 * len(np.unique(triangle)) - 4
        if state == 0:
            assert volume(point, triangle) > 0


def test_points_inside_or_on_a_face_give_no_triangle():
    triangle, state = convex_hull(np.vstack([CUBE, 0.3 * CUBE, [[1.0, 0, 0]]]))
    assert state == 0
    assert triangle.max() < 8
    assert len(triangle) == 12


@pytest.mark.parametrize(
    ("point", "flag"),
    [
        (np.zeros((0, 3)), FEW),
        (CUBE[:3], FEW),
        (np.c_[np.random.default_rng(0).normal(size=(9, 2)), np.zeros(9)], FLAT),
        (np.outer(np.arange(-3, 4), [1.0, 2.0, 3.0]), FLAT),
        (np.ones((6, 3)), FLAT),
        (CUBE + np.array([1.5, 0, 0]), OUTSIDE),
        (CUBE + np.array([1.0, 0, 0]), OUTSIDE),
        (CUBE + np.array([1 + 1e-12, 0, 0]), OUTSIDE),
        (CUBE + np.array([0.999, 0, 0]), 0),
    ],
)
def test_flags(point, flag):
    triangle, state = convex_hull(point)
    assert state == flag
    assert (len(triangle) == 0) == (flag in (FEW, FLAT))


def test_hundreds_of_points_on_a_sphere():
    point = np.random.default_rng(3).normal(size=(700, 3))
    point /= np.linalg.norm(point, axis=1)[:, None]
    triangle, state = convex_hull(point)
    assert state == 0
    assert len(triangle) == 2 * 700 - 4
    assert volume(point, triangle) == pytest.approx(ConvexHull(point).volume, rel=1e-12)
