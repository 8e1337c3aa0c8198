"""The kernel of slices tells what plain NumPy tells, whichever way the box lies."""

from __future__ import annotations

import numpy as np
import pytest

from qsdask.kernels.slices import fill_between

CELL = np.array([[20.0, 0.0, 0.0], [3.0, 18.0, 0.0], [-2.0, 4.0, 16.0]])
ORIGIN = np.array([-3.0, 1.0, 2.0])


def inside(position, axis, middle, periodic, thickness):
    normal = np.ascontiguousarray(np.linalg.inv(CELL)[:, axis])
    found = np.ones(len(position), dtype=bool)
    fill_between(position, ORIGIN, normal, middle, 1.0 / np.linalg.norm(normal), periodic, thickness, found)
    return found


def twin(position, axis, middle, periodic, thickness):
    reduced = np.linalg.solve(CELL.T, (position - ORIGIN).T)[axis]
    height = abs(np.linalg.det(CELL)) / np.linalg.norm(np.cross(CELL[axis - 2], CELL[axis - 1]))
    if thickness >= height:
        return np.isfinite(reduced)
    images = np.arange(-6, 7)[:, None] if periodic else np.zeros((1, 1))
    away = (reduced - middle + images) * height
    return ((away >= -thickness / 2) & (away < thickness / 2)).any(axis=0)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize(("middle", "thickness"), [(0.0, 2.0), (0.31, 4.0), (1.0, 1.0), (0.5, 60.0), (-2.2, 3.0)])
def test_it_is_its_twin(axis, periodic, middle, thickness):
    rng = np.random.default_rng(4)
    position = rng.uniform(-1.3, 2.3, (2000, 3)) @ CELL + ORIGIN
    position[::97, 1] = np.nan
    found = inside(position, axis, middle, periodic, thickness)
    np.testing.assert_array_equal(found, twin(position, axis, middle, periodic, thickness))
    assert not found[::97].any()


def test_of_its_faces_the_lower_one_belongs_to_it():
    cell, inverse = np.diag([8.0, 8.0, 8.0]), np.array([0.0, 0.0, 0.125])
    position = np.array([[0, 0, 3.0], [0, 0, 5.0], [0, 0, 4.999], [0, 0, 2.999], [0, 0, 11.0], [0, 0, -5.0]])
    for periodic, expected in (
        (True, [True, False, True, False, True, True]),
        (False, [True, False, True] + 3 * [False]),
    ):
        found = np.zeros(6, dtype=bool)
        fill_between(position, np.zeros(3), inverse, 0.5, cell[2, 2], periodic, 2.0, found)
        assert found.tolist() == expected


def test_how_the_atoms_are_cut_changes_nothing():
    position = np.random.default_rng(5).uniform(0.0, 1.0, (1001, 3)) @ CELL + ORIGIN
    whole = inside(position, 2, 0.4, True, 3.0)
    for size in (1, 7, 128):
        parts = [inside(position[k : k + size].copy(), 2, 0.4, True, 3.0) for k in range(0, 1001, size)]
        np.testing.assert_array_equal(np.concatenate(parts), whole)
