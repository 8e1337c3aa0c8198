"""Linked cells and the cut-off shell: against brute force and scipy, and in corners of the input."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from qsdask.kernels.cells import build_cells, neighbour_shell


def random_gas(n=400, side=12.0, seed=1):
    return np.random.default_rng(seed).uniform(0, side, (n, 3))


def brute_force(position, i, cutoff):
    distance = np.linalg.norm(position - position[i], axis=1)
    return np.flatnonzero((distance > 0) & (distance < cutoff))


def test_cells_hold_every_atom_once_in_stable_sequence():
    position = random_gas()
    cells = build_cells(position, 2.5)
    assert sorted(cells.atom) == list(range(len(position)))
    assert cells.start[0] == 0
    assert cells.start[-1] == len(position)
    for first, last in zip(cells.start[:-1], cells.start[1:], strict=True):
        assert (np.diff(cells.atom[first:last].astype(int)) > 0).all()
    np.testing.assert_array_equal(np.stack([cells.x, cells.y, cells.z], axis=1)[: len(position)], position[cells.atom])


def test_cell_count_is_capped_for_atoms_in_vacuum():
    position = np.vstack([random_gas(50), [[5e4, -3e4, 7e5]]])
    cells = build_cells(position, 1.0)
    assert cells.shape.prod() <= 4 * len(position)
    assert (cells.width >= 1.0).all()


@pytest.mark.parametrize("cutoff", [0.7, 2.0, 4.0, 30.0])
def test_shell_is_brute_force(cutoff):
    position = random_gas(300)
    order = np.random.default_rng(2).permutation(300)
    shell = neighbour_shell(position, order, 200, cutoff)
    for i in range(200):
        expected = brute_force(position, i, cutoff)
        expected = expected[np.argsort(order[expected])]
        n = shell.count[i]
        np.testing.assert_array_equal(shell.neighbour[i, :n], expected)
        np.testing.assert_array_equal(shell.distance[i, :n], np.sqrt(((position[expected] - position[i]) ** 2).sum(1)))
        assert (shell.neighbour[i, n:] == -1).all()
        assert np.isnan(shell.distance[i, n:]).all()


def test_shell_agrees_with_a_kd_tree():
    position = random_gas(3000, 35.0)
    shell = neighbour_shell(position, np.arange(3000), 3000, 4.0)
    tree = cKDTree(position)
    np.testing.assert_array_equal(shell.count, [len(k) - 1 for k in tree.query_ball_point(position, 4.0)])


def test_cutoff_and_zero_do_not_belong_to_the_shell():
    position = np.array([[0.0, 0, 0], [4.0, 0, 0], [0, 3.999999, 0], [0, 0, 0]])
    shell = neighbour_shell(position, np.arange(4), 1, 4.0)
    assert shell.count[0] == 1
    assert shell.neighbour[0, 0] == 2


def test_slots_and_search_room_grow():
    position = random_gas(2500, 3.0)
    shell = neighbour_shell(position, np.arange(2500), 2, 50.0, n_slot=4)
    assert shell.neighbour.shape == (2, 2499)
    assert (shell.count == 2499).all()
    assert (np.diff(shell.neighbour, axis=1) > 0).all()


def test_shell_does_not_depend_on_the_sequence_of_ghosts():
    position = random_gas(500)
    order = np.random.default_rng(3).permutation(500)
    turn = np.concatenate([np.arange(100), 100 + np.random.default_rng(4).permutation(400)])
    one = neighbour_shell(position, order, 100, 3.5)
    other = neighbour_shell(position[turn], order[turn], 100, 3.5)
    np.testing.assert_array_equal(one.count, other.count)
    np.testing.assert_array_equal(one.distance, other.distance)
    filled = one.neighbour >= 0
    np.testing.assert_array_equal(one.neighbour[filled], turn[other.neighbour[filled]])


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_atoms(n):
    position = np.arange(3.0 * n).reshape(n, 3)
    shell = neighbour_shell(position, np.arange(n), n, 6.0)
    np.testing.assert_array_equal(shell.count, [[0], [1, 1], [1, 2, 1]][n - 1])


def test_atoms_in_a_plane_and_on_a_line():
    position = np.zeros((50, 3))
    position[:, 0] = np.arange(50)
    np.testing.assert_array_equal(neighbour_shell(position, np.arange(50), 50, 1.5).count[1:-1], 2)
    position = np.stack(np.meshgrid(np.arange(9.0), np.arange(9.0), [0.0]), axis=-1).reshape(-1, 3)
    assert neighbour_shell(position, np.arange(81), 81, 1.1).count[40] == 4


def test_refuses_what_is_not_a_number():
    position = random_gas(5)
    with pytest.raises(ValueError, match="cutoff must be a positive number, got 0"):
        neighbour_shell(position, np.arange(5), 5, 0)
    position[3, 1] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        neighbour_shell(position, np.arange(5), 5, 3.0)
    with pytest.raises(ValueError, match="cell width"):
        build_cells(random_gas(5), -1.0)
