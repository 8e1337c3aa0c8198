"""Exponentially weighted averages against NumPy, atom by atom, and exact statements."""

from __future__ import annotations

import numpy as np
import pytest

from qsdask.kernels.cells import neighbour_shell
from qsdask.kernels.weighted import exponential_average
from qsdask.testing.blocks import block_of, specimen

REACH = 7.0


def averaged(block, value, length):
    pairs = neighbour_shell(block.position, block.order, block.n_owned, REACH)
    return exponential_average(value, block.position, pairs.neighbour, pairs.count, length)


@pytest.mark.parametrize("length", [0.1, 1.0, 2.5, 30.0])
@pytest.mark.parametrize("name", ["tilted", "thin", "slab"])
def test_as_the_formula_says(name, length):
    block = block_of(specimen(name), reach=REACH)
    value = np.random.default_rng(3).normal(size=(len(specimen(name).id), 4))[block.row]
    value[block.row == 5, 1] = np.nan
    found = averaged(block, value, length)
    for i in range(block.n_owned):
        distance = np.linalg.norm(block.position - block.position[i], axis=1)
        near = distance < REACH
        for c in range(4):
            there = near & ~np.isnan(value[:, c])
            weight = np.exp(-distance[there] / length)
            expected = (weight * value[there, c]).sum() / weight.sum() if there[i] else np.nan
            np.testing.assert_allclose(found[i, c], expected, rtol=1e-12, atol=1e-14)


def test_equal_values_are_their_own_average_and_an_atom_alone_too():
    block = block_of(specimen("glass"), reach=REACH)
    np.testing.assert_allclose(averaged(block, np.full((len(block.row), 1), 0.3), 2.0), 0.3, rtol=1e-14)
    none = np.full((1, 1), -1, np.int32)
    alone = exponential_average(np.array([[4.0, np.nan]]), np.zeros((1, 3)), none, np.zeros(1, np.int32), 1.0)
    np.testing.assert_array_equal(alone, [[4.0, np.nan]])


def test_only_the_atom_itself_decides_whether_there_is_a_value():
    block = block_of(specimen("glass"), reach=REACH)
    value = np.full((len(block.row), 1), np.nan)
    value[block.row == 7] = 2.0
    found = averaged(block, value, 1.0)[:, 0]
    assert found[7] == 2.0
    assert np.isnan(np.delete(found, 7)).all()
