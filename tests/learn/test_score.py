"""Scores against scikit-learn, by hand, and where they are not defined."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics
from sklearn.dummy import DummyClassifier

from qsdask.errors import BadDataError, UsageError
from qsdask.learn import Tally, evaluate, prior_corrected
from qsdask.learn.score import auc_roc, average_precision, baselines, calibration, decisions
from qsdask.learn.tally import RESOLUTION


@given(st.integers(2, 300), st.integers(1, 40), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_scores_equal_scikit_learn_with_ties(n, levels, seed):
    rng = np.random.default_rng(seed)
    y = rng.random(n) < 0.3
    y[:2] = True, False
    q = rng.integers(0, levels + 1, n) / levels
    assert auc_roc(Tally.of(y, q)) == pytest.approx(metrics.roc_auc_score(y, q), abs=1e-12)
    assert average_precision(Tally.of(y, q)) == pytest.approx(metrics.average_precision_score(y, q), abs=1e-12)
    got = decisions(Tally.of(y, q))
    assert got["recall"] == pytest.approx(metrics.recall_score(y, q >= 0.5), abs=1e-12)
    assert got["f1"] == pytest.approx(metrics.f1_score(y, q >= 0.5), abs=1e-12)
    if (q >= 0.5).any():
        assert got["precision"] == pytest.approx(metrics.precision_score(y, q >= 0.5), abs=1e-12)
    else:
        assert np.isnan(got["precision"])
    assert got["called"] == np.mean(q >= 0.5)


@pytest.mark.parametrize("label", [False, True])
def test_one_class_has_no_area(label):
    y, q = np.full(5, label), np.linspace(0, 1, 5)
    assert np.isnan(auc_roc(Tally.of(y, q)))
    assert np.isnan(average_precision(Tally.of(y, q)))
    result = evaluate(Tally.of(y, q), prior=0.1)
    assert np.isnan(result["auc"])
    assert any("AUC" in note and "not defined" in note for note in result["notes"])
    assert all(np.isnan(b["auc"]) for b in result["baselines"].values())
    if not label:
        assert np.isnan(result["recall"])
        assert any(note.startswith("recall is not defined") for note in result["notes"])


def test_scores_refuse_what_has_no_value():
    for q in ([0.5, np.nan], [0.5]):
        with pytest.raises(BadDataError, match="E-SCORE"):
            Tally.of(np.array([True, False]), np.array(q))


@pytest.mark.parametrize("fraction", [0.05, 0.8])
def test_baselines_equal_dummy_classifiers(fraction):
    n = 200_000
    y = np.arange(n) < fraction * n
    got = baselines(n, int(y.sum()))
    X = np.zeros((n, 1))
    rare = fraction < 0.5
    for name, dummy in {
        "random": DummyClassifier(strategy="uniform", random_state=0),
        "most_frequent": DummyClassifier(strategy="most_frequent"),
        "minority": DummyClassifier(strategy="constant", constant=rare),
    }.items():
        called = dummy.fit(X, y).predict(X)
        tolerance = 0.02 if name == "random" else 1e-12
        assert got[name]["recall"] == pytest.approx(metrics.recall_score(y, called), abs=tolerance)
        assert got[name]["f1"] == pytest.approx(metrics.f1_score(y, called), abs=tolerance)
        assert got[name]["auc"] == pytest.approx(metrics.roc_auc_score(y, called), abs=tolerance)
        assert got[name]["average_precision"] == pytest.approx(
            metrics.average_precision_score(y, called), abs=tolerance
        )
        if called.any():
            assert got[name]["precision"] == pytest.approx(metrics.precision_score(y, called), abs=tolerance)
        else:
            assert np.isnan(got[name]["precision"])


def test_prior_correction_undoes_undersampling():
    # Of like atoms a fraction `true` is plastic; the others are thinned to balance all rows.
    prior = 0.03
    kept = prior / (1 - prior)
    for true in (0.001, 0.04, 0.3):
        balanced = true / (true + (1 - true) * kept)
        assert prior_corrected(np.array([balanced]), prior)[0] == pytest.approx(true, abs=1e-14)
    assert prior_corrected(np.array([0.5]), prior)[0] == pytest.approx(prior)
    q = np.linspace(0, 1, 11)
    np.testing.assert_allclose(prior_corrected(q, 0.2, trained_prior=0.2), q, atol=1e-15)
    assert np.all(np.diff(prior_corrected(q, 0.01)) > 0)
    with pytest.raises(UsageError, match="E-PRIOR"):
        prior_corrected(q, 0.0)


def test_calibration_by_hand():
    q = np.array([0.9, 0.1, 0.2, 0.8])
    y = np.array([True, False, True, True])
    got = calibration(Tally.of(y, q), 2)
    np.testing.assert_allclose(got["predicted"], [0.15, 0.85])
    np.testing.assert_allclose(got["observed"], [0.5, 1.0])
    assert got["n"].tolist() == [2, 2]
    assert got["error"] == pytest.approx(0.25)


def test_calibration_never_divides_equal_probabilities():
    q = np.array([0.5] * 7 + [0.9] * 3)
    got = calibration(Tally.of(np.ones(10, bool), q), 5)
    assert got["n"].tolist() == [7, 3]
    assert got["n"].dtype == np.int64
    empty = calibration(Tally.of(np.zeros(0, bool), np.zeros(0)))
    assert len(empty["n"]) == 0
    assert np.isnan(empty["error"])


def test_corrected_calibration_has_the_same_bins():
    rng = np.random.default_rng(0)
    y, q = rng.random(500) < 0.2, rng.random(500)
    got = evaluate(Tally.of(y, q), prior=0.05)
    assert got["notes"] == []
    corrected = got["calibration_corrected"]
    np.testing.assert_array_equal(corrected["observed"], got["calibration"]["observed"])
    assert corrected["error"] < got["calibration"]["error"]
    assert evaluate(Tally.of(np.zeros(0, bool), np.zeros(0)))["n_atoms"] == 0


@given(st.integers(1, 200), st.lists(st.integers(0, 200), max_size=4), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_counting_in_chunks_changes_nothing(n, cuts, seed):
    rng = np.random.default_rng(seed)
    y, q = rng.random(n) < 0.3, rng.random(n)
    whole = Tally.of(y, q, resolution=RESOLUTION)
    parts = [
        Tally.of(a, b, resolution=RESOLUTION)
        for a, b in zip(np.split(y, sorted(cuts)), np.split(q, sorted(cuts)), strict=True)
    ]
    rng.shuffle(parts)
    total = sum(parts[1:], start=parts[0])
    for name in ("score", "plastic", "other"):
        np.testing.assert_array_equal(getattr(total, name), getattr(whole, name))
        assert getattr(total, name).dtype == getattr(whole, name).dtype


def test_rounded_scores_are_as_good_as_stated():
    rng = np.random.default_rng(1)
    y, q = rng.random(20_000) < 0.1, rng.random(20_000)
    exact, rounded = Tally.of(y, q), Tally.of(y, q, resolution=RESOLUTION)
    together = (rounded.plastic * rounded.other).sum() / (rounded.n_plastic * rounded.other.sum()) / 2
    assert 0 < abs(auc_roc(exact) - auc_roc(rounded)) <= together < 1e-6
    assert decisions(exact) == decisions(rounded)
    difference = calibration(exact)["predicted"] - calibration(rounded)["predicted"]
    assert 0 <= difference.min() <= difference.max() < RESOLUTION
    half = Tally.of([True, False], [0.5, np.nextafter(0.5, 0)], resolution=RESOLUTION)
    assert decisions(half) == {"recall": 1.0, "precision": 1.0, "f1": 1.0, "called": 0.5, "mcc": 1.0}
