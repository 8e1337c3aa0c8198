"""Connected groups against a flood over copies of the cell, SciPy, and cases that are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from qsdask.kernels.connected import connected
from tests.naive import connected as naive


@settings(max_examples=150, deadline=None)
@given(
    n=st.integers(1, 7),
    bonds=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.tuples(*[st.integers(-1, 1)] * 3)), max_size=9),
)
def test_groups_and_winding_are_those_of_a_flood(n, bonds):
    bonds = [(a % n, b % n, shift) for a, b, shift in bonds]
    first, second, shift = (np.array([bond[k] for bond in bonds]) for k in range(3))
    group, offset, winding = connected(n, first, second, shift)
    groups, expected = naive.connected(n, bonds, copies=9)
    assert [tuple(np.flatnonzero(group == k).tolist()) for k in range(len(winding))] == groups
    assert winding.tolist() == expected
    for a, b, moved in bonds:
        # Where a group does not wind, its offsets put every bond in one piece.
        if not winding[group[a]].any():
            assert (offset[a] + moved == offset[b]).all()


def test_a_large_random_graph_is_that_of_scipy():
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 20000, (2, 9000))
    group, _, winding = connected(20000, first, second, np.zeros((9000, 3)))
    n, expected = connected_components(coo_array((np.ones(9000), (first, second)), shape=(20000,) * 2), directed=False)
    assert len(winding) == n
    assert len(np.unique(np.stack([group, expected]), axis=1).T) == n
    assert not winding.any()


def test_a_chain_through_the_cell_winds_along_its_axis_and_not_when_it_is_cut():
    node = np.arange(10)
    shift = np.zeros((10, 3), dtype=int)
    shift[-1, 1] = 1
    assert connected(10, node, np.roll(node, -1), shift)[2].tolist() == [[False, True, False]]
    assert not connected(10, node[:-1], node[1:], shift[:-1])[2].any()
    group, offset, winding = connected(3, [0, 1], [1, 2], [[1, 0, 0], [0, 0, -1]])
    assert (group.tolist(), offset.tolist()) == ([0, 0, 0], [[0, 0, 0], [1, 0, 0], [1, 0, -1]])
    assert winding.tolist() == [[False] * 3]


def test_a_bond_to_an_own_image_winds_and_unknown_nodes_are_refused():
    assert connected(1, [0], [0], [[0, 0, 1]])[2].tolist() == [[False, False, True]]
    with pytest.raises(ValueError, match="nodes"):
        connected(2, [0], [2], [[0, 0, 0]])
