"""Trees as qsdask follows them against LightGBM itself: equal to the last bit, whatever the trees and the rows."""

from __future__ import annotations

import subprocess
import sys

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qsdask.kernels.trees import forest_probabilities
from qsdask.learn import Specimen, Table, probabilities, quench_in_softness, save_model, train
from qsdask.learn.forest import by_draw_and_fold, forest_of
from qsdask.learn.gbdt import train_one
from qsdask.learn.tree_text import read_trees
from qsdask.settings import TrainSettings
from qsdask.settings.defaults import DEEPEST_TREE
from tests.learn.made_up import model_text
from tests.naive.trees import random_rows, random_tree

COLUMNS = ("a", "b", "c")

#: LightGBM's loader takes a while for each.
MANY = settings(max_examples=60, deadline=None)


def ours(text, row, columns=COLUMNS):
    """Probability by the way that the product takes."""
    return forest_probabilities(forest_of([read_trees(text, columns)]), row)[0]


def theirs(text, row, threads=1):
    """Probability by LightGBM."""
    return lightgbm.Booster(model_str=text).predict(row, num_threads=threads)


@MANY
@given(
    seed=st.integers(0, 2**32 - 1),
    leaves=st.lists(st.integers(1, 60), min_size=1, max_size=8),
    deepest=st.sampled_from([1, 2, 3, DEEPEST_TREE]),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_any_tree_and_any_row(seed, leaves, deepest, dtype):
    """Zeros of both signs, denormals, the edge of LightGBM's zero, thresholds hit exactly or just missed, huge values."""
    rng = np.random.default_rng(seed)
    text = model_text([random_tree(rng, n, len(COLUMNS), deepest) for n in leaves], COLUMNS)
    row = random_rows(rng, 40, len(COLUMNS), dtype)
    np.testing.assert_array_equal(ours(text, row), theirs(text, row))


#: Every number that the check accepts and that is finite.
NUMBER = st.from_regex(r"-?[0-9]{1,25}(\.[0-9]{1,25})?(e[+-]?[0-9]{1,3})?", fullmatch=True).filter(
    lambda text: np.isfinite(float(text))
)


@MANY
@given(threshold=NUMBER, leaf=NUMBER)
def test_any_way_to_write_a_number(threshold, leaf):
    """Thresholds are read to the last bit, or a row that hits one would go the other way."""
    text = model_text([([0], [threshold], [-1], [-2], [leaf, "0"])], COLUMNS)
    at = float(threshold)
    row = np.zeros((5, 3))
    row[:, 0] = at, np.nextafter(at, 1e308), np.nextafter(at, -1e308), 0.0, -at
    np.testing.assert_array_equal(ours(text, row), theirs(text, row))


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**31 - 1),
    depth=st.integers(1, 9),
    dtype=st.sampled_from([np.float32, np.float64]),
    max_bin=st.sampled_from([2, 15, 255]),
)
def test_models_as_they_are_trained(seed, depth, dtype, max_bin):
    """Few different values, so that rows of the training lie on thresholds; also values on both sides of zero."""
    rng = np.random.default_rng(seed)
    X = (rng.integers(-6, 7, (600, 3)) * rng.choice([1e-36, 0.1, 1e30], 3)).astype(dtype)
    y = (X[:, 0] > 0) ^ (X[:, 1] > 0) ^ (rng.random(600) < 0.2)
    text = train_one(
        X, y, COLUMNS, TrainSettings(trees=30, depth=depth, max_bin=max_bin, leaf_fraction=0.002), seed=seed
    )
    np.testing.assert_array_equal(ours(text, X), theirs(text, X))
    np.testing.assert_array_equal(ours(text, X), theirs(text, X, threads=2))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_deepest_trees_that_are_trained(dtype):
    rng = np.random.default_rng(0)
    X, y = rng.random((20_000, 2)).astype(dtype), rng.random(20_000) > 0.5
    chosen = TrainSettings(trees=3, depth=DEEPEST_TREE, leaf_fraction=0.0, feature_fraction=1.0)
    text = train_one(X, y, COLUMNS[:2], chosen)
    assert read_trees(text, COLUMNS[:2]).n_leaf.max() > 500
    np.testing.assert_array_equal(ours(text, X, COLUMNS[:2]), theirs(text, X))


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(1500, 6)).astype(np.float32)
    y = X[:, 0] + X[:, 1] * X[:, 2] + rng.normal(size=1500) > 2
    specimen = (Specimen("0a", "a", 1500, fingerprint=(2.5, 2.6, 2.7), species=("Cu",)),)
    table = Table(specimen, np.zeros(1500, int), np.arange(1500) + 1, X, y, tuple("abcdef"))
    label = {"strain": 0.04, "threshold": 5.0, "surface_margin_angstrom": 0.0}
    definition = {"features": {"set": "made_up"}}
    return train(table, definition=definition, label=label, settings=TrainSettings(trees=40, draws=2, folds=3))


def test_softness_is_the_mean_of_what_lightgbm_predicts_with_the_fold_models(model):
    row = np.random.default_rng(4).normal(size=(700, 6)).astype(np.float32)
    each = [theirs(model.trees[name], row) for name in by_draw_and_fold(model.trees)]
    np.testing.assert_array_equal(probabilities(model, row), each)
    mean = sum(each[1:], start=each[0]) / len(each)
    np.testing.assert_array_equal(quench_in_softness(model, row)[0], mean)
    holes = row.copy()
    holes[5, 0], holes[6, 5], holes[7, 2] = np.nan, np.inf, -np.inf
    found = probabilities(model, holes)
    assert np.isnan(found[:, 5:8]).all()
    np.testing.assert_array_equal(np.delete(found, [5, 6, 7], axis=1), np.delete(each, [5, 6, 7], axis=1))


def test_gains_are_those_of_lightgbm(model):
    expected = [
        lightgbm.Booster(model_str=model.trees[n]).feature_importance("gain") for n in by_draw_and_fold(model.trees)
    ]
    np.testing.assert_allclose(model.part.gain(), expected, rtol=1e-6)  # it keeps them in single precision


def test_softness_needs_no_lightgbm(model, tmp_path):
    """Which takes longer to load than a glass to predict, and 100 MB."""
    save_model(model, tmp_path / "m.qs")
    job = (
        "import sys; sys.modules['lightgbm'] = None; import numpy as np; from qsdask.learn import load_model\n"
        f"from qsdask.learn import quench_in_softness as qs; print(qs(load_model({str(tmp_path / 'm.qs')!r}), np.ones((1, 6)))[0])"
    )
    done = subprocess.run([sys.executable, "-c", job], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(float(done.stdout.strip("[]\n")), quench_in_softness(model, np.ones((1, 6)))[0][0])
