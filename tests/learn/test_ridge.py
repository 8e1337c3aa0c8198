"""Statistics, sums, coefficients and curve of the learner ``response``, against NumPy, fractions and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from qsdask.errors import BadDataError, InternalError
from qsdask.learn.curve import fitted_curve
from qsdask.learn.fitting import experience, fit, part_of, scored, scores_of
from qsdask.learn.linear import LinearPart
from qsdask.learn.ridge import GRID, TARGET_STEP, Products, coefficients, judged, left_out, whole_target
from qsdask.learn.standard import Moments, Standard, high_words, low_words, medians, words_of_medians
from qsdask.learn.tally import Tally
from qsdask.stages.standard import standard_in_memory
from tests.naive import linear as naive

NAMES = ("Cu", "Zr")


def columns(n=1500, width=8, seed=0):
    """Correlated columns of two species with gaps, and rows without anything."""
    rng = np.random.default_rng(seed)
    value = (rng.normal(size=(n, width)) @ rng.normal(size=(width, width)) + rng.normal(size=width)).astype(np.float32)
    value[:, 1] = np.round(value[:, 1])
    value[rng.random(n) < 0.2, 2] = np.nan
    value[::3, 5] = np.nan
    value[:4] = np.nan
    value[:, 6] = 3.25
    species = rng.integers(0, 2, n)
    value[species == 1, 7] = np.nan
    return value, species


def table(n=3000, width=12, seed=1, groups=3):
    """Whole numbers of columns, a target that depends on some, classes and groups."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, width)) + 0.7 * rng.normal(size=(n, 1))
    target = z[:, :4] @ [0.4, -0.3, 0.2, 0.1] + rng.normal(size=n) - 1.3
    whole = np.rint(np.clip(z, -5, 5) * 819.2).astype(np.float32)
    return whole, target, target > np.quantile(target, 0.93), rng.integers(0, groups, n)


def products_of(whole, target, group):
    t = whole_target(target)
    return {int(k): Products.of(whole[group == k], t[group == k]) for k in np.unique(group)}


def test_statistics_are_rounded_once_from_exact_sums():
    value, species = columns()
    found = standard_in_memory(value, species, NAMES)
    expected = naive.measured(value, species, 2)
    for part, numbers in zip((found.fill, found.mean, found.scale), expected, strict=True):
        for g, name in enumerate(NAMES):
            np.testing.assert_array_equal(part[name], numbers[g])
    assert found.scale["Cu"][6] == 0.0
    assert found.scale["Zr"][7] == 0.0
    gaps = np.isnan(value[species == 0][:, 2]) & ~np.isnan(value[species == 0]).all(axis=1)
    assert found.fill["Cu"][2] == np.nanmedian(value[species == 0][:, 2].astype(float))
    assert gaps.any()


@pytest.mark.parametrize("n_part", [1, 3, 17])
def test_statistics_do_not_depend_on_the_cut(n_part):
    value, species = columns(seed=4)
    order = np.random.default_rng(n_part).permutation(len(value))
    parts = [(value[rows], species[rows]) for rows in np.array_split(order, n_part)]

    def total(made):
        first, *others = made
        return sum(others, start=first)

    sums = total([Moments.of(*part, 2) for part in parts])
    gaps = sums.gaps()
    words = words_of_medians(total([high_words(*part, gaps) for part in parts]), gaps)
    found = sums.standard(NAMES, medians(total([low_words(*part, gaps, words) for part in parts]), gaps, words))
    assert found.record() == standard_in_memory(value, species, NAMES).record()
    assert Standard.read(found.record()).record() == found.record()


@pytest.mark.parametrize("values", [[1.0], [-2.0, 3.0], [-1.5, -1.5, 4.0], [5.0, -7.0, 1e-40, -1e-40], [0.0, -0.0]])
def test_medians_of_few_values(values):
    value = np.array([*values, np.nan], dtype=np.float32)[:, None].repeat(2, axis=1)
    value[-1, 1] = 0.0
    found = standard_in_memory(value, np.zeros(len(value), dtype=int), ("Cu",))
    assert found.fill["Cu"][0] == np.median(np.array(values, dtype=np.float32).astype(float))


def test_products_are_exact_and_add_up():
    whole, target, _, _group = table()
    whole[:500], target[:500] = 4096.0, 1023.9
    t = whole_target(target)
    exact, n = whole.astype(np.int64), len(whole)
    total = Products.of(whole, t)
    np.testing.assert_array_equal(total.zz, exact.T @ exact)
    np.testing.assert_array_equal(total.zt, exact.T @ t)
    assert (total.n, total.t, total.tt) == (n, int(t.sum()), sum(int(x) ** 2 for x in t))
    for part in np.array_split(np.random.default_rng(0).permutation(n), 7):
        total = total - Products.of(whole[part], t[part])
    assert total.n == total.t == total.tt == 0
    assert not total.zz.any()
    assert not total.z.any()
    assert not total.zt.any()


def test_the_largest_numbers_of_a_block_stay_exact():
    whole = np.full((20_000, 2), -4096.0, dtype=np.float32)
    found = Products.of(whole, whole_target(np.full(20_000, 1024.0)))
    assert found.zz[0, 1] == 20_000 * 2**24
    assert found.zt[0] == -20_000 * 2**38
    assert found.tt == 20_000 * 2**52


@pytest.mark.parametrize("wrong", [np.nan, 1025.0, -np.inf])
def test_targets_without_value_are_refused(wrong):
    with pytest.raises(BadDataError, match="E-TARGET"):
        whole_target(np.array([0.0, wrong]))


@pytest.mark.parametrize("penalty", [0.02, 0.7, 4.0])
def test_coefficients_are_those_of_scikit_learn(penalty):
    whole, target, _, group = table()
    z, t = whole / 819.2, np.rint(target / TARGET_STEP) * TARGET_STEP
    groups = products_of(whole, target, group)
    made = fit(groups, penalty)
    peer = Ridge(alpha=penalty * len(z)).fit(z.astype(float), t)
    np.testing.assert_allclose(made.coefficient[:, 0], peer.coef_, rtol=1e-9, atol=1e-12)
    for k, others in left_out(groups).items():
        rest = group != k
        peer = Ridge(alpha=penalty * rest.sum()).fit(z[rest].astype(float), t[rest])
        np.testing.assert_allclose(made.coefficient[:, 1 + k], peer.coef_, rtol=1e-9, atol=1e-12)
        np.testing.assert_array_equal(made.coefficient[:, 1 + k], coefficients(others, penalty))


def test_thirteen_bits_are_enough():
    rng = np.random.default_rng(6)
    value, species = rng.normal(size=(4000, 10)).astype(np.float32), np.zeros(4000, dtype=int)
    target = value[:, :5].sum(axis=1) + rng.normal(size=4000)
    standard = standard_in_memory(value, species, ("Cu",))
    whole = standard.whole(value, species, ("Cu",))
    z = np.clip((value - value.mean(axis=0, dtype=float)) / value.std(axis=0, dtype=float), -5, 5)
    peer = Ridge(alpha=0.2 * 4000).fit(z, target)
    np.testing.assert_allclose(
        coefficients(Products.of(whole, whole_target(target)), 0.2)[:5], peer.coef_[:5], rtol=1e-3
    )


def test_the_penalty_is_that_of_the_best_correlation_on_what_was_left_out():
    whole, target, _, group = table(n=300, width=40)
    z, t = whole / 819.2, np.rint(target / TARGET_STEP) * TARGET_STEP
    tried = judged(products_of(whole, target, group), GRID)
    for penalty, found in tried.items():
        each = []
        for k in range(3):
            peer = Ridge(alpha=penalty * (group != k).sum()).fit(z[group != k].astype(float), t[group != k])
            each.append(np.corrcoef(z[group == k] @ peer.coef_, t[group == k])[0, 1])
        assert found == pytest.approx(np.mean(each), abs=2e-6)
    made = fit(products_of(whole, target, group))
    assert tried[made.penalty] == max(tried.values())
    assert made.tried == tried
    assert made.penalty > min(GRID)  # many columns and few rows


def test_the_curve_is_the_logistic_regression_of_scikit_learn():
    rng = np.random.default_rng(9)
    y = rng.random(4000) < 0.06
    score = np.round(rng.normal(size=4000) * 0.4 + 0.3 * y - 2.0, 3)
    offset, slope = fitted_curve(Tally.of(y, score))
    n, m = y.sum(), (~y).sum()
    weight, hit = np.where(y, 0.5 / n, 0.5 / m), np.where(y, (n + 1) / (n + 2), 1 / (m + 2))
    peer = LogisticRegression(C=1e12, tol=1e-12, max_iter=1000).fit(
        np.concatenate([score, score])[:, None],
        np.repeat([True, False], len(y)),
        sample_weight=np.concatenate([weight * hit, weight * (1 - hit)]) * 1e3,
    )
    np.testing.assert_allclose([offset, slope], [peer.intercept_[0], peer.coef_[0, 0]], rtol=1e-4)


def test_the_curve_stays_finite_and_never_turns_over():
    y = np.array([True, True, False, False, False])
    offset, slope = fitted_curve(Tally.of(y, np.array([3.0, 2.0, 1.0, 0.5, 0.0])))
    assert np.isfinite([offset, slope]).all()
    assert slope > 0
    assert fitted_curve(Tally.of(y, -np.array([3.0, 2.0, 1.0, 0.5, 0.0]))) == (0.0, 0.0)
    assert fitted_curve(Tally.of(y, np.full(5, 0.25))) == (0.0, 0.0)
    with pytest.raises(BadDataError, match="E-ONE-CLASS"):
        fitted_curve(Tally.of(np.ones(3, dtype=bool), np.arange(3.0)))


def test_scores_are_of_models_that_did_not_see_the_group():
    whole, target, y, group = table()
    made = fit(products_of(whole, target, group), 0.2)
    parts = [scored(made, whole[rows], y[rows], group[rows]) for rows in np.array_split(np.arange(len(y)), 5)]
    found = sum(parts[1:], start=parts[0])
    part = part_of(made, found)
    scores, warnings = scores_of(made, part, found, ["a", "b", "c"])
    from sklearn.metrics import roc_auc_score

    for k, one in enumerate(scores["folds"]):
        raw = part.scores_without(whole[group == k])[k]
        assert one["left_out"] == "abc"[k]
        assert one["n"] == (group == k).sum()
        assert one["auc"] == pytest.approx(roc_auc_score(y[group == k], raw), abs=1e-3)
    qs, spread = part.softness(whole)
    told = experience(part, found, y.mean())
    assert told["mean"] == pytest.approx(qs.mean(), abs=1e-3)
    assert told["std"] == pytest.approx(qs.std(), abs=1e-3)
    assert not warnings
    assert (spread > 0).all()
    assert part.gain().shape == (3, 12)
    # At equal classes half of the weight is plastic: that is where the curve leads.
    balanced = 0.5 * qs[y].mean() + 0.5 * qs[~y].mean()
    assert balanced == pytest.approx(0.5, abs=0.02)


def test_contributions_add_up_to_the_logarithm_of_the_odds():
    whole, _target, _y, _group = table()
    whole[5] = np.nan
    part = LinearPart(np.linspace(-0.3, 0.4, 12), np.ones((3, 12)), -0.4, 2.5)
    each, score, (base,) = part.contributions(whole)
    qs, _ = part.softness(whole)
    np.testing.assert_allclose(score, np.log(qs / (1 - qs)), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(each.sum(axis=1) + base, score, rtol=0, atol=1e-9)
    assert np.isnan(qs[5])
    assert np.isnan(score[5])
    assert np.isnan(each[5]).all()


def test_columns_as_they_were_computed_are_refused():
    part = LinearPart(np.arange(3.0), np.ones((2, 3)), -0.4, 2.5)
    value = np.array([[0.5, 1.0, 2.0]], dtype=np.float32)
    for ask in (part.softness, part.probabilities, part.contributions):
        with pytest.raises(InternalError, match="E-STANDARD"):
            ask(value)


def test_a_linear_part_returns_from_its_record():
    part = LinearPart(np.arange(3.0), np.ones((2, 3)), -0.4, 2.5)
    record = part.record()["linear"]
    back = LinearPart.read(record, 3)
    np.testing.assert_array_equal(back.coefficient, part.coefficient)
    np.testing.assert_array_equal(back.without, part.without)
    for wrong in (
        {**record, "slope": -1.0},
        {**record, "slope": True},
        {**record, "offset": None},
        {**record, "without": [[1.0, 2.0]]},
        {**record, "without": []},
        {**record, "coefficient": [0.0, 1.0]},
        {**record, "coefficient": [0.0, 1.0, float("nan")]},
        {**record, "more": 1},
        {"slope": 1.0},
    ):
        with pytest.raises((ValueError, KeyError, TypeError)):
            LinearPart.read(wrong, 3)
