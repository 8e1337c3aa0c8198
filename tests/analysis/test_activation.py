"""Activation: the meaning of its words on a hand-made glass, its scores, and the laws of the reduction."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from qsdask.analysis import activation
from qsdask.errors import BadDataError, UsageError

THRESHOLD = 5.0


def glass(n_atom, n_step, seed):
    """Random QS with ties and NaN, D2 that grows and shrinks, some of it invalid."""
    rng = np.random.default_rng(seed)
    qs = np.round(rng.beta(2.0, 2.5, n_atom), 2)
    qs[rng.random(n_atom) < 0.1] = np.nan
    d2 = rng.lognormal(0.5, 1.2, (n_step, n_atom)) * (0.5 + np.nan_to_num(qs))
    d2[rng.random(d2.shape) < 0.02] = np.nan
    return qs, d2, rng.random(d2.shape) > 0.05, np.linspace(0.0, 0.1, n_step)


def test_words_on_a_hand_made_glass():
    qs = np.array([0.9, 0.5, 0.2, np.nan])
    d2 = np.array(
        [
            [0.0, 0.0, 0.0, 0.0],
            [6.0, 1.0, 1.0, 9.0],  # atom 0 is newly plastic; atom 3 has no QS
            [4.0, 7.0, 1.0, 9.0],  # atom 0 has come back, atom 1 is new
            [8.0, 8.0, 9.0, 9.0],  # atom 0 plastic again, but not new; atom 2 is not valid here
        ]
    )
    valid = np.ones_like(d2, dtype=bool)
    valid[3, 2] = False
    result = activation.finalise(activation.partial(qs, d2, valid, np.arange(4) * 0.01, THRESHOLD))
    np.testing.assert_array_equal(result["n_observed"], [3, 3, 3, 2])
    np.testing.assert_array_equal(result["n_plastic"], [0, 1, 1, 2])
    np.testing.assert_array_equal(result["n_newly"], [0, 1, 1, 0])
    np.testing.assert_array_equal(result["n_activated"], [0, 1, 2, 2])
    np.testing.assert_array_equal(result["n_at_risk"], [3, 3, 2, 0])
    np.testing.assert_allclose(result["qs_mean_plastic"], [np.nan, 0.9, 0.5, 0.7], atol=2e-9)
    np.testing.assert_allclose(result["qs_mean_newly"], [np.nan, 0.9, 0.5, np.nan], atol=2e-9)
    np.testing.assert_allclose(result["qs_mean_activated"], [np.nan, 0.9, 0.7, 0.7], atol=2e-9)
    np.testing.assert_allclose(result["plastic_fraction"], [0.0, 1 / 3, 1 / 3, 1.0])
    np.testing.assert_allclose(result["auc"], [np.nan, 1.0, 0.5, np.nan])
    np.testing.assert_allclose(result["auc_newly"], [np.nan, 1.0, 1.0, np.nan])
    assert result["n_usable"] == 3
    assert result["n_unusable"] == 1
    assert result["qs_mean_all"] == pytest.approx(1.6 / 3, abs=2e-9)


def test_threshold_is_exclusive():
    result = activation.partial(np.array([0.5, 0.5]), np.array([[5.0, 5.0 + 1e-12]]), np.ones((1, 2)), [0.04], 5.0)
    assert int(result["plastic_count"].sum()) == 1


def test_auc_within_the_stated_resolution_of_sklearn():
    rng = np.random.default_rng(4)
    qs = rng.beta(2.0, 2.5, 3000)
    d2 = rng.lognormal(0.0, 1.0, (5, 3000)) * np.exp(2.0 * qs) * np.array([0.5, 1, 2, 3, 5])[:, None]
    for n_fine in (200, 4000):
        part = activation.partial(qs, d2, np.ones_like(d2, bool), np.arange(5) * 0.02, THRESHOLD, n_fine=n_fine)
        result = activation.finalise(part)
        exact = np.array([roc_auc_score(row > THRESHOLD, qs) for row in d2])
        assert (np.abs(result["auc"] - exact) <= result["auc_resolution"]).all()
        assert (result["auc_resolution"] < 2.0 / n_fine).all()


def test_auc_counts_ties_half_and_its_error_is_delong():
    qs = np.array([0.1, 0.3, 0.3, 0.3, 0.8, 0.9])
    d2 = np.array([[0.0, 9.0, 0.0, 9.0, 0.0, 9.0]])
    result = activation.finalise(activation.partial(qs, d2, np.ones_like(d2, bool), [0.04], THRESHOLD))
    plastic, other = qs[[1, 3, 5]], qs[[0, 2, 4]]
    win = (plastic[:, None] > other) + 0.5 * (plastic[:, None] == other)
    assert result["auc"].item() == pytest.approx(win.mean(), abs=1e-15)
    error = np.sqrt(win.mean(axis=1).var(ddof=1) / 3 + win.mean(axis=0).var(ddof=1) / 3)
    assert result["auc_std_error"].item() == pytest.approx(error, abs=1e-15)


def test_quantiles_and_deciles_follow_the_sorted_values():
    rng = np.random.default_rng(5)
    qs = rng.random(20_000)
    d2 = np.where(rng.random((1, qs.size)) < qs, 9.0, 0.0)
    result = activation.finalise(activation.partial(qs, d2, np.ones_like(d2, bool), [0.04], THRESHOLD))
    exact = np.quantile(qs[d2[0] > 5.0], activation.QUANTILES)
    np.testing.assert_allclose(result["qs_quantile_plastic"][0], exact, atol=2 * result.attrs["qs_resolution"])
    np.testing.assert_allclose(result["decile_count"], 2000, atol=12)
    np.testing.assert_allclose(result["decile_upper"][:9], np.quantile(qs, np.arange(1, 10) / 10), atol=5e-4)
    np.testing.assert_allclose(result["activated_fraction"][0], np.arange(10) / 10 + 0.05, atol=0.04)
    assert int(result["decile_count"].sum()) == qs.size


def test_equal_softness_leaves_empty_deciles_unknown():
    result = activation.finalise(
        activation.partial(np.full(20, 0.5), np.full((1, 20), 9.0), np.ones((1, 20)), [0.04], THRESHOLD)
    )
    assert result["decile_count"].values.tolist() == [0, 0, 0, 0, 0, 20, 0, 0, 0, 0]
    assert np.isnan(result["activated_fraction"].values[0, 0])
    assert result["activated_fraction"].values[0, 5] == 1.0


@settings(max_examples=40, deadline=None)
@given(
    n_atom=st.integers(0, 60),
    n_step=st.integers(1, 4),
    seed=st.integers(0, 2**32 - 1),
    cuts=st.lists(st.integers(0, 60), max_size=5),
    shuffle=st.booleans(),
)
def test_the_cut_into_chunks_changes_nothing(n_atom, n_step, seed, cuts, shuffle):
    qs, d2, valid, strain = glass(n_atom, n_step, seed)
    edge = sorted({0, n_atom, *(min(cut, n_atom) for cut in cuts)})

    def part(a, b):
        return activation.partial(qs[a:b], d2[:, a:b], valid[:, a:b], strain, THRESHOLD, n_fine=40)

    parts = [part(a, b) for a, b in pairwise(edge)] or [part(0, 0)]
    if shuffle:
        parts = [parts[k] for k in np.random.default_rng(seed).permutation(len(parts))]
    total = parts[0]
    for one in parts[1:]:
        total = activation.combine(total, one)
    xr.testing.assert_identical(total, part(0, n_atom))
    xr.testing.assert_identical(activation.finalise(total), activation.finalise(part(0, n_atom)))


def test_monoid_laws():
    qs, d2, valid, strain = glass(90, 3, 7)
    a, b, c, empty = (
        activation.partial(qs[s], d2[:, s], valid[:, s], strain, THRESHOLD)
        for s in (slice(0, 20), slice(20, 55), slice(55, 90), slice(0, 0))
    )
    combine = activation.combine
    xr.testing.assert_identical(combine(combine(a, b), c), combine(a, combine(b, c)))
    xr.testing.assert_identical(combine(a, b), combine(b, a))
    xr.testing.assert_identical(combine(a, empty), a)
    xr.testing.assert_identical(combine(empty, a), a)


def test_inputs_are_left_alone():
    qs, d2, valid, strain = glass(30, 3, 1)
    copies = [array.copy() for array in (qs, d2, valid, strain)]
    activation.partial(qs, d2, valid, strain, THRESHOLD)
    for array, copy in zip((qs, d2, valid, strain), copies, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_every_variable_says_what_it_is():
    result = activation.finalise(activation.partial(*glass(50, 3, 2), THRESHOLD))
    for name, variable in {**result.data_vars, **result.coords}.items():
        assert variable.attrs["units"], name
        assert variable.attrs["long_name"], name
    assert {"step", "bin", "decile"} <= set(result.sizes)


def test_different_settings_do_not_add():
    qs, d2, valid, strain = glass(20, 3, 3)
    first = activation.partial(qs, d2, valid, strain, 5.0)
    for other in (
        activation.partial(qs, d2, valid, strain, 4.0),
        activation.partial(qs, d2, valid, strain + 0.01, 5.0),
        activation.partial(qs, d2, valid, strain, 5.0, n_fine=400),
        activation.partial(qs, d2[:2], valid[:2], strain[:2], 5.0),
    ):
        with pytest.raises(UsageError, match="E-PART-MISMATCH"):
            activation.combine(first, other)


def test_wrong_inputs_are_refused():
    qs, d2, valid, strain = glass(20, 3, 3)
    with pytest.raises(UsageError, match="E-PART-SHAPE"):
        activation.partial(qs, d2[:, :5], valid, strain, 5.0)
    with pytest.raises(BadDataError, match=r"E-QS-RANGE.*1 of 20.*1\.5 in row 4"):
        activation.partial(np.where(np.arange(20) == 4, 1.5, 0.5), d2, valid, strain, 5.0)
    with pytest.raises(UsageError, match="E-BINS"):
        activation.finalise(activation.partial(qs, d2, valid, strain, 5.0), n_bin=7)
