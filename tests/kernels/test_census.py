"""Counts over neighbours against plain Python, and what is refused."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qsdask.kernels.census import edge_census, pooled, shares, species_census
from tests.kernels.test_segment import slots

WHOLE = settings(max_examples=40, deadline=None)


@WHOLE
@given(lists=st.lists(st.lists(st.integers(1, 12), max_size=9), min_size=1, max_size=6), beyond=st.booleans())
def test_facets_are_counted_by_their_edges(lists, beyond):
    edges, count = slots(lists, 9)
    found = edge_census(edges, count, beyond=beyond)
    for row, own in zip(found, lists, strict=True):
        counted = Counter(min(e, 7) if beyond else e for e in own)
        np.testing.assert_array_equal(row, [counted[i] for i in range(3, 8)] if own else [np.nan] * 5)


def test_weights_are_added_in_slot_order_and_empty_slots_are_not_read():
    edges = np.array([[5, 5, 5, 4, 0]], dtype=np.int16)
    weight = np.array([[0.1, 0.2, 0.3, 0.7, np.nan]])
    found = edge_census(edges, np.array([4]), weight)
    assert found[0].tolist() == [0.0, 0.7, 0.1 + 0.2 + 0.3, 0.0, 0.0]


def test_shares_add_up_to_one_and_nothing_has_no_share():
    found = shares(np.array([[1.0, 3.0, 4.0], [0.0, 0.0, 0.0], [np.nan, 1.0, 2.0]]))
    np.testing.assert_array_equal(found, [[0.125, 0.375, 0.5], [np.nan] * 3, [np.nan] * 3])


@WHOLE
@given(seed=st.integers(0, 2**32 - 1), n_species=st.integers(1, 4))
def test_neighbours_are_counted_by_their_species(seed, n_species):
    rng = np.random.default_rng(seed)
    species = rng.integers(0, n_species, 12)
    lists = [list(rng.integers(0, 12, rng.integers(0, 8))) for _ in range(5)]
    found = species_census(species, n_species, *slots(lists, 8))
    expected = [[sum(species[k] == s for k in own) for s in range(n_species)] for own in lists]
    np.testing.assert_array_equal(found, expected)


@WHOLE
@given(seed=st.integers(0, 2**32 - 1))
def test_pooled_holds_the_atom_and_its_neighbours(seed):
    rng = np.random.default_rng(seed)
    value = rng.integers(0, 9, (12, 3)).astype(float)
    value[rng.random(12) < 0.1] = np.nan
    lists = [list(rng.integers(0, 12, rng.integers(0, 8))) for _ in range(5)]
    found = pooled(value, 4, *slots(lists, 8))
    np.testing.assert_array_equal(found, [value[[i, *lists[i]]].sum(axis=0) for i in range(4)])


def test_no_rows_give_no_rows():
    nothing, none = np.empty((0, 5), dtype=np.int32), np.empty(0, dtype=np.int32)
    assert edge_census(nothing, none).shape == (0, 5)
    assert species_census(np.empty(0, dtype=np.int16), 3, nothing, none).shape == (0, 3)
    assert pooled(np.empty((0, 2)), 0, nothing, none).shape == (0, 2)


def test_what_does_not_fit_is_refused():
    neighbour, count = slots([[1, 2], [0]], 3)
    with pytest.raises(ValueError, match="equal rows"):
        edge_census(neighbour, count[:1])
    with pytest.raises(ValueError, match="shape of edges"):
        edge_census(neighbour, count, np.ones((2, 2)))
    for species in ([0, 1, 2], [0, -1, 1]):
        with pytest.raises(ValueError, match="species indices"):
            species_census(np.array(species), 2, neighbour, count)
    with pytest.raises(ValueError, match="two rings"):
        pooled(np.ones((2, 5)), 2, neighbour, count)
