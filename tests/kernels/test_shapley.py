"""Contributions of columns: the definition over all sets, exact cases, sums, and what the cut into blocks may not change."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qsdask.kernels.shapley import lay_paths, path_contributions
from qsdask.kernels.trees import ROWS
from qsdask.settings.defaults import DEEPEST_TREE
from tests.kernels.test_trees import chain
from tests.naive.shapley import contributions
from tests.naive.trees import random_rows, random_tree


def laid(trees, counts):
    parts = [np.concatenate([tree[k] for tree in trees] or [[]]) for k in range(5)]
    return lay_paths([len(tree[4]) for tree in trees], *parts, np.concatenate(counts))


def tame(rng, n_leaf, n_feature, deepest):
    """A tree whose leaves are of one size, so that a difference shows as one."""
    *splits, leaf = random_tree(rng, n_leaf, n_feature, deepest)
    return *splits, rng.normal(size=len(leaf))


def counts(rng, tree):
    return rng.integers(1, 50, len(tree[4]))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    leaves=st.lists(st.integers(1, 14), min_size=1, max_size=4),
    deepest=st.sampled_from([1, 2, 3, 5, DEEPEST_TREE]),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_twin_that_asks_all_sets_of_columns(seed, leaves, deepest, dtype):
    rng = np.random.default_rng(seed)
    trees = [tame(rng, n, 4, deepest) for n in leaves]
    count = [counts(rng, tree) for tree in trees]
    row = random_rows(rng, 5, 4, dtype)
    found, score = path_contributions(laid(trees, count)[0], row)
    expected = [sum(contributions(tree, n, x) for tree, n in zip(trees, count, strict=True)) for x in row]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(laid(trees, count)[1].sum() + found.sum(axis=1), score, rtol=0, atol=1e-12)


@pytest.mark.parametrize("depth", [1, 2, 3, 4, DEEPEST_TREE])
def test_a_chain_of_different_columns_in_fractions(depth):
    """Only the row at the end of the chain gets 1. With every side kept by half, the game is the same for all columns."""
    feature, _, left, right, _ = chain(depth, "right")
    feature, value = np.arange(depth), np.append(np.zeros(depth), 1.0)
    # Each split keeps half of what comes to it: the leaf at split k has half of all that is left.
    count = np.append(2 ** np.arange(depth - 1, -1, -1), 1)
    paths, expected = laid([(feature, np.zeros(depth), left, right, value)], [count])
    assert expected == [0.5**depth]
    # Contribution of a column that holds where s of the others do: (1 - 1/2) * 2^-(depth - 1 - s) over its weight.
    for n_one in range(depth + 1):
        row = np.where(np.arange(depth) < n_one, 1.0, -1.0)[None]
        exact = [column_of_chain(depth, n_one, k < n_one) for k in range(depth)]
        found, score = path_contributions(paths, row)
        np.testing.assert_allclose(found[0], exact, rtol=1e-12, atol=1e-15)
        assert score == [float(n_one == depth)]


def column_of_chain(depth, n_one, mine):
    """Sum over sets of the other columns; a set with a column that does not hold is worth nothing."""
    others, one, half = depth - 1, n_one - mine, Fraction(1, 2)
    return float(
        sum(
            Fraction(comb(one, s), depth * comb(others, s)) * (mine - half) * half ** (others - s)
            for s in range(one + 1)
        )
    )


@pytest.mark.parametrize("depth", [9, DEEPEST_TREE])
def test_deep_trees_add_up(depth):
    rng = np.random.default_rng(depth)
    trees = [tame(rng, 300, 20, depth) for _ in range(6)]
    paths, expected = laid(trees, [counts(rng, tree) for tree in trees])
    found, score = path_contributions(paths, random_rows(rng, 50, 20, np.float64), 3)
    assert np.abs(expected.sum() / 3 + found.sum(axis=1) - score).max() < 1e-12


def test_one_column_gets_all_and_a_column_that_is_not_asked_nothing():
    rng = np.random.default_rng(3)
    tree = tame(rng, 12, 1, 6)
    count = counts(rng, tree)
    paths, expected = laid([tree], [count])
    row = np.stack([random_rows(rng, 40, 1, np.float64)[:, 0], rng.normal(size=40)], axis=1)
    found, score = path_contributions(paths, row)
    np.testing.assert_allclose(found[:, 0], score - expected[0], atol=1e-14)
    assert (found[:, 1] == 0).all()


def test_a_tree_of_one_leaf_explains_nothing():
    bare = (np.empty(0, int), np.empty(0), np.empty(0, int), np.empty(0, int), np.array([0.25]))
    paths, expected = laid([bare, bare], [[1], [1]])
    found, score = path_contributions(paths, np.zeros((2, 3)), 2)
    assert (found == 0).all()
    assert score.tolist() == [0.25, 0.25]
    assert expected.tolist() == [0.25, 0.25]


def test_blocks_their_rests_and_unknown_values():
    rng = np.random.default_rng(1)
    trees = [tame(rng, n, 4, deep) for n, deep in ((4, 2), (4, 16), (30, 16), (1, 1), (2, 1))]
    paths, _ = laid(trees, [counts(rng, tree) for tree in trees])
    row = random_rows(rng, 2 * ROWS + 3, 4, np.float32)
    row[ROWS, 2] = np.nan
    whole, score = path_contributions(paths, row)
    assert np.isnan(whole[ROWS]).all()
    assert np.isnan(score).sum() == 1
    for n in (0, 1, ROWS - 1, ROWS, ROWS + 1):
        np.testing.assert_array_equal(path_contributions(paths, row[:n])[0], whole[:n])
        np.testing.assert_array_equal(path_contributions(paths, row[len(row) - n :])[0], whole[len(row) - n :])
    order = rng.permutation(len(row))
    np.testing.assert_array_equal(path_contributions(paths, row[order])[0], whole[order])
    np.testing.assert_array_equal(path_contributions(paths, row.astype(np.float64))[0], whole)


def test_what_does_not_fit_is_refused():
    one = ([2], [3], [0.0], [-1], [-2], [0.1, 0.2])
    with pytest.raises(ValueError, match="training atoms"):
        lay_paths(*one, [0, 3])
    with pytest.raises(ValueError, match="training atoms"):
        lay_paths(*one, [3])
    with pytest.raises(ValueError, match="column 3, rows have 3"):
        path_contributions(lay_paths(*one, [1, 3])[0], np.zeros((2, 3)))
