"""Spectrum: against plain NumPy on the whole array, and the laws of the reduction."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score, roc_curve

from qsdask.analysis import spectrum
from qsdask.analysis.counts import wilson_interval
from qsdask.errors import BadDataError, UsageError


def glass(n_atom, seed):
    rng = np.random.default_rng(seed)
    qs = rng.beta(1.2, 1.6, n_atom)
    d2 = rng.lognormal(0.0, 1.0, n_atom) * np.exp(2.5 * qs - 0.5)
    qs[rng.random(n_atom) < 0.05] = np.nan
    d2[rng.random(n_atom) < 0.02] = np.nan
    return qs, d2, rng.random(n_atom) > 0.03


def test_against_numpy():
    qs, d2, valid = glass(5000, 0)
    result = spectrum.finalise(spectrum.partial(qs, d2, valid, 5.0, strain=0.04))
    usable = np.isfinite(qs)
    seen = usable & valid & np.isfinite(d2)
    plastic = seen & (d2 > 5.0)
    edge = np.linspace(0.0, 1.0, 51)
    np.testing.assert_array_equal(result["qs_count"], np.histogram(qs[usable], edge)[0])
    np.testing.assert_allclose(result["qs_density"], np.histogram(qs[usable], edge, density=True)[0])
    assert result["qs_mean"].item() == pytest.approx(qs[usable].mean(), abs=2e-9)
    assert result["qs_std"].item() == pytest.approx(qs[usable].std(), abs=2e-9)
    for name, mask in {"hard": qs < 0.1, "soft": qs > 0.7, "predicted": qs > 0.5}.items():
        assert result[f"fraction_{name}"].item() == pytest.approx(mask.sum() / usable.sum(), abs=1e-15)
        assert result[f"d2_mean_{name}"].item() == pytest.approx(d2[mask & seen].mean(), abs=2e-9)
    assert result["p_plastic_all"].item() == pytest.approx(plastic.sum() / seen.sum(), abs=1e-15)
    wide = np.linspace(0.0, 1.0, 21)
    trials, hits = (np.histogram(qs[mask], wide)[0] for mask in (seen, plastic))
    np.testing.assert_allclose(result["p_plastic"], hits / trials)
    np.testing.assert_allclose(result["p_ratio"], hits / trials / (plastic.sum() / seen.sum()))
    assert result["recall"].item() == pytest.approx((qs[plastic] > 0.5).mean(), abs=1e-15)
    between = seen & (d2 >= result["d2_lower"].values[20]) & (d2 < result["d2_upper"].values[20])
    assert int(result["d2_count"][20]) == between.sum()
    assert result["p_predicted"][20].item() == pytest.approx((qs[between] > 0.5).mean(), abs=1e-15)
    assert int(result["d2_count"].sum()) == seen.sum()


def test_roc_is_that_of_sklearn_at_the_cuts():
    qs, d2, valid = glass(4000, 1)
    qs = np.round(qs, 4)
    seen = np.isfinite(qs) & valid & np.isfinite(d2)
    result = spectrum.finalise(spectrum.partial(qs, d2, valid, 5.0))
    truth = d2[seen] > 5.0
    assert abs(result["auc"].item() - roc_auc_score(truth, qs[seen])) <= result["auc_resolution"].item()
    false, true, cut = roc_curve(truth, qs[seen], drop_intermediate=False)
    for k in (20, 100, 180):
        last = np.flatnonzero(cut >= result["cut_qs"].values[k] - 1e-9).max()
        assert result["roc_true"].values[k] == pytest.approx(true[last], abs=1e-12)
        assert result["roc_false"].values[k] == pytest.approx(false[last], abs=1e-12)
    assert result["roc_true"].values[[0, -1]].tolist() == [0.0, 1.0]


def test_a_calibrated_model_meets_its_expectation():
    # Plastic atoms ~ q and others ~ 1 - q: at equal classes the chance to be plastic is q itself.
    rng = np.random.default_rng(2)
    plastic, other = rng.beta(2.0, 1.0, 20_000), rng.beta(1.0, 2.0, 480_000)
    qs = np.concatenate([plastic, other])
    d2 = np.repeat([9.0, 0.0], [plastic.size, other.size])
    result = spectrum.finalise(spectrum.partial(qs, d2, np.ones(qs.size, bool), 5.0))
    np.testing.assert_allclose(result["p_balanced"], result["wide_qs"], atol=0.03)
    np.testing.assert_allclose(result["p_plastic"], result["p_expected"], rtol=0.2)
    assert result["p_ratio_half"].item() == pytest.approx(1.0, abs=0.05)
    assert (result["p_balanced_low"] <= result["p_balanced"]).all()
    assert (result["p_balanced"] <= result["p_balanced_high"]).all()


@pytest.mark.parametrize(("hits", "trials"), [(0, 5), (5, 5), (3, 40), (1, 1000)])
def test_wilson_interval_is_that_of_scipy(hits, trials):
    expected = binomtest(hits, trials).proportion_ci(0.95, method="wilson")
    low, high = wilson_interval(np.array([hits]), np.array([trials]))
    np.testing.assert_allclose([low[0], high[0]], [expected.low, expected.high], atol=1e-12)
    assert low[0] <= hits / trials <= high[0]


def test_no_trials_have_no_interval():
    assert np.isnan(wilson_interval(np.array([0]), np.array([0]))).all()


def test_equal_softness_has_no_spread():
    result = spectrum.finalise(spectrum.partial(np.full(1000, 0.3), np.ones(1000), np.ones(1000, bool), 5.0))
    assert result["qs_std"].item() == 0.0
    assert np.isnan(result["auc"].item())


@settings(max_examples=40, deadline=None)
@given(n_atom=st.integers(0, 80), seed=st.integers(0, 2**32 - 1), cuts=st.lists(st.integers(0, 80), max_size=5))
def test_the_cut_into_chunks_changes_nothing(n_atom, seed, cuts):
    qs, d2, valid = glass(n_atom, seed)
    edge = sorted({0, n_atom, *(min(cut, n_atom) for cut in cuts)})

    def part(a, b):
        return spectrum.partial(qs[a:b], d2[a:b], valid[a:b], 5.0, strain=0.04, n_fine=400)

    total = part(0, 0)
    for a, b in reversed(list(pairwise(edge))):
        total = spectrum.combine(total, part(a, b))
    xr.testing.assert_identical(total, part(0, n_atom))
    xr.testing.assert_identical(spectrum.finalise(total), spectrum.finalise(part(0, n_atom)))


def test_monoid_laws():
    qs, d2, valid = glass(90, 7)
    a, b, c, empty = (
        spectrum.partial(qs[s], d2[s], valid[s], 5.0) for s in (slice(0, 20), slice(20, 55), slice(55, 90), slice(0, 0))
    )
    combine = spectrum.combine
    xr.testing.assert_identical(combine(combine(a, b), c), combine(a, combine(b, c)))
    xr.testing.assert_identical(combine(a, b), combine(b, a))
    xr.testing.assert_identical(combine(a, empty), a)


def test_every_variable_says_what_it_is():
    result = spectrum.finalise(spectrum.partial(*glass(200, 2), 5.0))
    for name, variable in {**result.data_vars, **result.coords}.items():
        assert variable.attrs["units"], name
        assert variable.attrs["long_name"], name


def test_wrong_inputs_are_refused():
    qs, d2, valid = glass(20, 3)
    with pytest.raises(UsageError, match="E-PART-SHAPE"):
        spectrum.partial(qs, d2[:5], valid, 5.0)
    with pytest.raises(BadDataError, match="E-QS-RANGE"):
        spectrum.partial(qs - 1.0, d2, valid, 5.0)
    with pytest.raises(BadDataError, match="E-D2-RANGE"):
        spectrum.partial(np.full(3, 0.5), np.array([1.0, -2.0, 3.0]), np.ones(3, bool), 5.0)
    with pytest.raises(UsageError, match="E-BINS"):
        spectrum.finalise(spectrum.partial(qs, d2, valid, 5.0), n_wide=7)
    with pytest.raises(UsageError, match="E-PART-MISMATCH"):
        spectrum.combine(spectrum.partial(qs, d2, valid, 5.0), spectrum.partial(qs, d2, valid, 5.0, hard=0.2))
