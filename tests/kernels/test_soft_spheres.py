"""A step of soft spheres against the twin that moves positions, and exact statements."""

from __future__ import annotations

import numpy as np
import pytest

from qsdask.kernels.cells import neighbour_shell
from qsdask.kernels.soft_spheres import soft_sphere_step
from qsdask.testing.blocks import block_of, specimen
from qsdask.testing.lattices import fcc, open_block
from tests.naive import soft_spheres as naive
from tests.naive.bonds import bonds

FIXED = {"stiffness": 4.0, "cutoff": 5.0, "longest": 0.15}


@pytest.mark.parametrize("stretch", [(1.0, 1.0, 1.0), (0.96, 1.015, 1.015)])
@pytest.mark.parametrize("name", ["glass", "tilted", "thin", "slab"])
def test_steps_are_those_of_the_twin(name, stretch):
    found = specimen(name)
    block = block_of(found, reach=6.2)
    shell = neighbour_shell(block.position, block.order, block.n_owned, 6.2)
    position, radius = found.box.wrap(found.position), found.radius[found.species]
    around = bonds(position, found.box.cell, found.box.periodic, 6.2)
    factor = np.array(stretch)
    moved, cell = position * factor, found.box.cell * factor
    state = np.zeros((len(block.row), 5))
    for _ in range(4):
        new = state.copy()
        soft_sphere_step(
            new[: block.n_owned], state, 1, factor, block.position, block.radius, shell.neighbour, shell.count, **FIXED
        )
        assert not new[:, [0, 4]].any()
        state = new[block.row]
        moved = naive.step(moved, cell, around, radius)
        np.testing.assert_allclose(state[: block.n_owned, 1:4], moved - position * factor, rtol=0, atol=1e-11)
    assert np.linalg.norm(state[:, 1:4], axis=1).max() > 0.1


def two(distance):
    """Two spheres of radius 1.3 at a distance, and where a step takes them."""
    position = np.array([[0.0, 0, 0], [distance, 0, 0]])
    neighbour, count = np.array([[1], [0]], np.int32), np.ones(2, np.int32)
    new, old = np.zeros((2, 3)), np.zeros((2, 3))
    soft_sphere_step(new, old, 0, np.ones(3), position, np.full(2, 1.3), neighbour, count, **FIXED)
    return new


def test_two_spheres_part_along_their_line_by_what_the_formula_says():
    # D = e (n n^T + 1e-3): the way is 0.6 / a / 1.001, which is cut to 0.15 where it is longer.
    for distance in (2.2, 4.9):
        np.testing.assert_allclose(two(distance), [[-0.6 / 4 / 1.001, 0, 0], [0.6 / 4 / 1.001, 0, 0]], rtol=1e-9)
    for distance in (5.0, 5.9):
        assert not two(distance).any()


def test_a_crystal_rests_in_itself():
    position, cell = fcc(3.7, 3)
    block = open_block(position, cell, np.zeros(3), np.ones(3, bool), 6.2)
    shell = neighbour_shell(block.position, block.order, block.n_owned, 6.2)
    new, old = np.zeros((block.n_owned, 3)), np.zeros((len(block.row), 3))
    radius = np.full(len(block.row), 1.3)
    soft_sphere_step(new, old, 0, np.full(3, 0.98), block.position, radius, shell.neighbour, shell.count, **FIXED)
    np.testing.assert_allclose(new, 0.0, atol=1e-13)
