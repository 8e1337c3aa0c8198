"""Scores of many draws at once, against scikit-learn and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics
from sklearn.calibration import calibration_curve

from qsdask.learn import Tally, evaluate
from qsdask.learn.measures import LIFTS, all_of, lift, matthews
from qsdask.learn.score import precision_recall


def atoms(seed: int, n: int, levels: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels and tied softness; both labels are there, and both decisions."""
    rng = np.random.default_rng(seed)
    y, q = rng.random(n) < 0.3, rng.integers(0, levels + 1, n) / levels
    y[:4], q[:4] = (True, False, True, False), (1.0, 1.0, 0.0, 0.0)
    return y, q


def of(tally: Tally) -> dict[str, float]:
    return all_of(tally.plastic, tally.other, tally.score >= 0.5)


@given(st.integers(4, 300), st.integers(1, 40), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_scores_are_those_of_scikit_learn(n, levels, seed):
    y, q = atoms(seed, n, levels)
    got = of(Tally.of(y, q))
    for name, expected in {
        "auc_roc": metrics.roc_auc_score(y, q),
        "average_precision": metrics.average_precision_score(y, q),
        "mcc": metrics.matthews_corrcoef(y, q >= 0.5),
        "f1": metrics.f1_score(y, q >= 0.5),
        "recall": metrics.recall_score(y, q >= 0.5),
        "precision": metrics.precision_score(y, q >= 0.5),
    }.items():
        assert got[name] == pytest.approx(expected, abs=1e-12), name


@given(st.integers(4, 300), st.integers(1, 400), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_the_curve_is_that_of_scikit_learn_where_it_is_drawn(n, levels, seed):
    y, q = atoms(seed, n, levels)
    got = precision_recall(Tally.of(y, q))
    precision, recall, threshold = metrics.precision_recall_curve(y, q)
    place = np.searchsorted(threshold, got["threshold"])
    np.testing.assert_array_equal(threshold[place], got["threshold"])
    np.testing.assert_allclose(got["precision"], precision[place], atol=1e-14)
    np.testing.assert_allclose(got["recall"], recall[place], atol=1e-14)
    assert np.all(np.diff(got["recall"]) > 0)
    assert got["recall"][-1] == 1.0
    assert len(got["recall"]) <= 200
    # With few thresholds none that finds more atoms is left out.
    if levels < 150 and y.sum() <= 200:
        assert set(got["recall"]) == set(recall[recall > 0])


def test_the_curve_of_nothing_is_empty():
    empty = precision_recall(Tally.of([False], [0.3]))
    assert {name: len(value) for name, value in empty.items()} == {"recall": 0, "precision": 0, "threshold": 0}


def test_lift_counts_the_softest_atoms():
    rng = np.random.default_rng(3)
    q = rng.permutation(1000) / 1000
    y = rng.random(1000) < 0.2 * q
    tally = Tally.of(y, q)
    for name, share in LIFTS.items():
        softest = np.argsort(-q)[: round(share * 1000)]
        assert of(tally)[name] == pytest.approx(y[softest].mean() / y.mean(), abs=1e-12)


def test_lift_of_tied_atoms_is_that_of_a_fair_draw_among_them():
    # 4 softest, of which 2 are plastic; 16 tied, of which 4 are; of the softest half 6 of the tied count: 1.5 plastic ones.
    y = np.array([1, 1, 0, 0] + [1] * 4 + [0] * 12, dtype=bool)
    q = np.array([0.9] * 4 + [0.4] * 16)
    tally = Tally.of(y, q)
    assert lift(tally.plastic, tally.other, 0.5) == pytest.approx((2 + 1.5) / 10 / (6 / 20), abs=1e-14)
    assert lift(tally.plastic, tally.other, 0.1) == pytest.approx(0.5 / 0.3, abs=1e-14)
    assert lift(tally.plastic, tally.other, 1.0) == pytest.approx(1.0, abs=1e-14)


def test_what_has_no_value_is_nan():
    none, some = np.zeros(4, dtype=int), np.array([1, 0, 2, 1])
    called = np.arange(4) >= 2
    without, only = all_of(none, some, called), all_of(some, none, called)
    assert np.isnan([without[name] for name in ("auc_roc", "average_precision", "mcc", "recall", *LIFTS)]).all()
    assert without["precision"] == without["f1"] == 0.0
    assert np.isnan([only[name] for name in ("auc_roc", "average_precision", "mcc")]).all()
    assert [float(only[name]) for name in LIFTS] == [1.0, 1.0, 1.0]
    nothing = all_of(np.zeros(0), np.zeros(0), np.zeros(0, dtype=bool))
    assert all(np.isnan(value) for value in nothing.values())


def test_correlation_of_a_billion_atoms_does_not_overflow():
    n, half = 4 * 10**9, 2 * 10**9
    assert matthews(half, half, half, n) == 1.0
    assert matthews(0, half, half, n) == -1.0


def test_draws_at_once_are_the_draws_one_by_one():
    rng = np.random.default_rng(5)
    plastic, other = rng.integers(0, 3, (7, 2, 12)), rng.integers(0, 9, (7, 2, 12))
    called = np.arange(12) >= 6
    many = all_of(plastic, other, called)
    for k in np.ndindex(7, 2):
        one = all_of(plastic[k], other[k], called)
        for name, value in one.items():
            np.testing.assert_array_equal(many[name][k], value, err_msg=name)


def test_calibration_is_that_of_scikit_learn():
    rng = np.random.default_rng(2)
    q = rng.permutation(1000) / 1000 + 0.0005
    y = rng.random(1000) < q**2
    got = evaluate(Tally.of(y, q))["calibration"]
    observed, predicted = calibration_curve(y, q, n_bins=10, strategy="quantile")
    np.testing.assert_allclose(got["observed"], observed, atol=1e-12)
    np.testing.assert_allclose(got["predicted"], predicted, atol=1e-12)
    assert got["error"] == pytest.approx(np.abs(observed - predicted).mean(), abs=1e-12)
