"""Contributions of columns against LightGBM's own, and their sums."""

from __future__ import annotations

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qsdask.errors import BadDataError
from qsdask.learn import Specimen, Table, contributions, probabilities, train
from qsdask.learn.forest import by_draw_and_fold
from qsdask.settings import TrainSettings

COLUMNS = ("a", "b", "c", "d")


def trained(seed, depth, trees=20, leaf_fraction=0.002):
    rng = np.random.default_rng(seed)
    X = (rng.integers(-6, 7, (600, 4)) * rng.choice([1e-36, 0.1, 1e30], 4)).astype(np.float32)
    y = (X[:, 0] > 0) ^ (X[:, 1] > 0) ^ (rng.random(600) < 0.2)
    table = Table((Specimen("s", "key"),), np.zeros(600, int), np.arange(600), X, y, COLUMNS)
    settings = TrainSettings(trees=trees, depth=depth, draws=2, folds=2, leaf_fraction=leaf_fraction)
    return train(table, definition={}, label={}, settings=settings), X


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**31 - 1), depth=st.integers(1, 8))
def test_lightgbm_gives_the_same(seed, depth):
    model, X = trained(seed, depth)
    found = contributions(model, X)
    boosters = [lightgbm.Booster(model_str=model.trees[name]) for name in by_draw_and_fold(model.trees)]
    theirs = np.mean([booster.predict(X, pred_contrib=True) for booster in boosters], axis=0)
    np.testing.assert_allclose(found.value, theirs[:, :-1], rtol=0, atol=1e-10)
    np.testing.assert_allclose(found.expected.mean(), theirs[:, -1], rtol=0, atol=1e-10)


@pytest.mark.parametrize("depth", [2, 5])
def test_they_add_up_to_the_mean_logarithm_of_the_odds(depth):
    model, X = trained(4, depth, trees=200)
    found = contributions(model, X)
    each = probabilities(model, X)
    np.testing.assert_allclose(found.score, np.log(each / (1 - each)).mean(axis=0), rtol=0, atol=1e-9)
    assert np.abs(found.expected.mean() + found.value.sum(axis=1) - found.score).max() < 1e-9


def test_rows_of_another_width_are_refused():
    model, X = trained(1, 1, trees=2)
    with pytest.raises(BadDataError) as caught:
        contributions(model, X[:, :3])
    assert caught.value.code == "E-FEATURES-DIFFER"
