"""Trees: the twin, exact cases, and what the cut into blocks and the shape of a tree may not change."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qsdask.kernels.trees import ROWS, forest_probabilities, plant
from tests.naive.trees import probability, random_rows, random_tree


def planted(models):
    """Forest of models, each a list of trees as `random_tree` makes them."""
    trees = [tree for model in models for tree in model]
    parts = [np.concatenate([tree[k] for tree in trees] or [[]]) for k in range(5)]
    return plant([len(model) for model in models], [len(tree[4]) for tree in trees], *parts)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    leaves=st.lists(st.lists(st.integers(1, 40), max_size=6), min_size=1, max_size=4),
    deepest=st.sampled_from([1, 2, 3, 5, 16]),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_twin_that_follows_every_row_alone(seed, leaves, deepest, dtype):
    rng = np.random.default_rng(seed)
    models = [[random_tree(rng, n, 3, deepest) for n in model] for model in leaves]
    row = random_rows(rng, int(rng.integers(1, 30)), 3, dtype)
    row[rng.random(row.shape) < 0.02] = rng.choice([np.nan, np.inf, -np.inf])
    expected = [[probability(model, x) for x in row] for model in models]
    np.testing.assert_array_equal(forest_probabilities(planted(models), row), expected)


def chain(depth, towards):
    """A tree each of whose splits has a leaf on one side and the next split on the other."""
    inner, leaf = [*range(1, depth), -1 - depth], [-1 - k for k in range(depth)]
    left, right = (inner, leaf) if towards == "left" else (leaf, inner)
    threshold = -np.arange(depth) if towards == "left" else np.arange(depth)
    return np.zeros(depth, int), threshold.astype(float), np.array(left), np.array(right), np.arange(depth + 1.0)


@pytest.mark.parametrize("depth", [1, 2, 3, 16, 200])
@pytest.mark.parametrize("towards", ["left", "right"])
def test_chains_of_splits_count_how_far_a_row_goes(depth, towards):
    """Every threshold is hit exactly; the leaf is the number of splits behind the row."""
    far = np.arange(-2.0, depth + 2)
    behind = np.clip(far + 1, 0, depth) if towards == "left" else np.clip(np.ceil(far), 0, depth)
    found = forest_probabilities(planted([[chain(depth, towards)]]), (-far if towards == "left" else far)[:, None])
    np.testing.assert_array_equal(found[0], 1 / (1 + np.array([np.exp(np.longdouble(-b)) for b in behind], float)))


def test_blocks_and_their_rests_give_the_rows_of_one():
    rng = np.random.default_rng(1)
    forest = planted([[random_tree(rng, n, 4, 16) for n in (4, 4, 30, 1)], [], [random_tree(rng, 9, 4, 2)]])
    row = random_rows(rng, 2 * ROWS + 3, 4, np.float32)
    row[ROWS, 2] = np.nan
    whole = forest_probabilities(forest, row)
    assert np.isnan(whole[:, ROWS]).all()
    assert np.isnan(whole).sum() == 3
    assert (np.delete(whole[1], ROWS) == 0.5).all()
    for n in (0, 1, ROWS - 1, ROWS, ROWS + 1, len(row)):
        np.testing.assert_array_equal(forest_probabilities(forest, row[:n]), whole[:, :n])
        np.testing.assert_array_equal(forest_probabilities(forest, row[len(row) - n :]), whole[:, len(row) - n :])
    order = rng.permutation(len(row))
    np.testing.assert_array_equal(forest_probabilities(forest, row[order]), whole[:, order])
    np.testing.assert_array_equal(forest_probabilities(forest, np.asfortranarray(row)), whole)
    np.testing.assert_array_equal(forest_probabilities(forest, row.astype(np.float64)), whole)


def test_trees_are_added_in_their_order():
    """1e16 swallows the 1 that comes after it; once it is taken away again, the 1 stays."""
    leaf = [
        (np.empty(0, int), np.empty(0), np.empty(0, int), np.empty(0, int), np.array([v])) for v in (1e16, 1.0, -1e16)
    ]
    found = forest_probabilities(planted([leaf, [leaf[0], leaf[2], leaf[1]]]), np.zeros((1, 1)))
    assert found[0, 0] == 0.5
    assert found[1, 0] == pytest.approx(0.7310585786300049, rel=1e-15)


def test_what_does_not_fit_is_refused():
    one = {"n_leaf": [2], "feature": [3], "threshold": [0.0], "left": [-1], "right": [-2], "value": [0.1, 0.2]}
    assert plant([1], **one).feature.max() == 3
    for wrong in ({"n_leaf": [3]}, {"n_leaf": [0]}, {"feature": [0, 1]}, {"left": []}, {"value": [0.1]}):
        with pytest.raises(ValueError):
            plant([1], **{**one, **wrong})
    with pytest.raises(ValueError):
        plant([2], **one)
    with pytest.raises(ValueError, match="column 3, rows have 3"):
        forest_probabilities(plant([1], **one), np.zeros((2, 3)))
