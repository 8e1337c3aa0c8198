"""Values counted: order, shares, ranks and correlations against sorting, scipy and fractions; cut in any way the same."""

from __future__ import annotations

from fractions import Fraction
from functools import reduce
from operator import add

import numpy as np
import pytest
from scipy.stats import pearsonr, rankdata

from qsdask.learn import counted
from qsdask.learn.counted import Counted, Sums, key_of, value_of
from qsdask.learn.own_label import Judge, needs_all, own_label, rule_fault, softward, told_rule

RNG = np.random.default_rng(16)
MIXED = np.concatenate(
    [RNG.normal(size=3000), 1e-9 * RNG.normal(size=500), [0.0, -0.0, 1e30, -1e30, 5e-324], -np.ones(7)]
)


def parts(value: np.ndarray, n: int) -> list[np.ndarray]:
    return np.array_split(RNG.permutation(value), n)


def test_keys_stand_in_the_order_of_the_values_and_lose_a_millionth():
    value = np.sort(MIXED)
    key = key_of(value)
    assert (np.diff(key.astype(np.int64)) >= 0).all()
    back = np.array([value_of(k) for k in key])
    assert (np.abs(back) <= np.abs(value)).all()
    normal = np.abs(value) > 1e-300
    assert np.abs(back - value)[normal].max() < np.inf
    assert (np.abs(back - value) <= 2.0**-20 * np.abs(value) + 1e-300).all()
    assert key_of(np.array([0.0]))[0] == key_of(np.array([-0.0]))[0]


@pytest.mark.parametrize("n", [1, 3, 17])
def test_counts_add_up_to_the_same_however_they_were_cut(n):
    whole, cut = Counted.of(MIXED), reduce(add, map(Counted.of, parts(MIXED, n)))
    np.testing.assert_array_equal(whole.key, cut.key)
    np.testing.assert_array_equal(whole.atoms, cut.atoms)
    assert cut.n == len(MIXED)
    low, high = cut.span()
    assert low <= MIXED.min()
    assert high >= MIXED.max()


@pytest.mark.parametrize("share", [0.001, 0.05, 0.3, 0.5])
def test_top_and_bottom_are_those_of_sorting(share):
    value = RNG.lognormal(size=1001)
    wanted = max(1, round(share * len(value)))
    order = np.argsort(value)
    top = Judge.of(own_label("x", "1", "top", share), Counted.of(value)).soft(value)
    bottom = Judge.of(own_label("x", "1", "bottom", share), Counted.of(value)).soft(value)
    assert set(np.flatnonzero(top)) == set(order[-wanted:])
    assert set(np.flatnonzero(bottom)) == set(order[:wanted])


def test_equal_values_at_the_edge_of_a_share_belong_to_it_together():
    value = np.array([1.0, 2.0, 2.0, 2.0, 3.0, np.nan])
    known = Counted.of(value[:5])
    assert Judge.of(own_label("x", "1", "top", 0.4), known).soft(value).tolist() == [
        False,
        True,
        True,
        True,
        True,
        False,
    ]
    assert Judge.of(own_label("x", "1", "bottom", 0.2), known).soft(value).tolist() == [True] + [False] * 5


def test_ranks_are_those_of_scipy_with_ties_and_levels_are_off_by_little(monkeypatch):
    value = RNG.integers(-20, 20, size=500) / 4
    levels = Counted.of(value).levels()
    np.testing.assert_array_equal(levels.twice_rank(value), 2 * rankdata(value))
    np.testing.assert_allclose(levels.share_below(value), (rankdata(value) - 0.5) / len(value), rtol=1e-15)
    monkeypatch.setattr(counted, "LEVELS", 64)
    value = RNG.normal(size=20_000)
    coarse = Counted.of(value).levels()
    assert len(coarse.first) <= 64
    # Ranks of all atoms add up as they must, and each is within a level.
    assert coarse.twice_rank(value).sum() == len(value) * (len(value) + 1)
    assert np.abs(coarse.twice_rank(value) / 2 - rankdata(value)).max() <= len(value) / 64
    rank = Sums.of(coarse.twice_rank(value), (2 * rankdata(value)).astype(np.int64)).correlation()
    assert 1 - rank < 64**-2


def test_sums_of_products_are_exact_and_correlations_those_of_scipy():
    a, b = RNG.integers(0, 2**33, size=(2, 10_001))
    whole = Sums.of(a, b)
    assert whole.ab == sum(int(x) * int(y) for x, y in zip(a, b, strict=True))
    assert whole.aa == sum(int(x) ** 2 for x in a)
    cut = reduce(add, (Sums.of(x, y) for x, y in zip(np.array_split(a, 7), np.array_split(b, 7), strict=True)))
    assert cut == whole
    b = a + RNG.integers(0, 2**31, size=len(a))
    b //= 2
    found = Sums.of(a, b).correlation()
    assert found == pytest.approx(pearsonr(a, b).statistic, abs=1e-12)
    n, sums = len(a), Sums.of(a, b)
    exact = Fraction((n * sums.ab - sums.a * sums.b) ** 2, (n * sums.aa - sums.a**2) * (n * sums.bb - sums.b**2))
    assert found**2 == pytest.approx(float(exact), rel=1e-15)
    assert np.isnan(Sums.of(np.ones(5, dtype=np.int64), np.arange(5)).correlation())


def test_rules_say_which_end_is_soft_and_what_is_wrong_with_them():
    value = np.array([0.1, 0.2, 0.3, 0.4, np.nan])
    known = Counted.of(value[:4])
    soft = {
        "above": own_label("barrier", "eV", "above", 0.25),
        "below": own_label("barrier", "eV", "below", 0.2),
        "rank_high": own_label("barrier", "eV", "rank_high", None),
        "rank_low": own_label("barrier", "eV", "rank_low", None),
    }
    found = {rule: Judge.of(label, known) for rule, label in soft.items()}
    assert found["above"].soft(value).tolist() == [False, False, True, True, False]
    assert found["below"].soft(value).tolist() == [True, False, False, False, False]
    assert found["rank_high"].soft(value).tolist() == [False, False, True, True, False]
    assert found["rank_low"].soft(value).tolist() == [True, True, False, False, False]
    np.testing.assert_allclose(found["rank_high"].target(value), [0.125, 0.375, 0.625, 0.875, np.nan])
    np.testing.assert_allclose(found["rank_low"].target(value), [0.875, 0.625, 0.375, 0.125, np.nan])
    assert found["above"].target(value) is None
    assert [softward(label) for label in soft.values()] == [1, -1, 1, -1]
    assert [needs_all(label) for label in soft.values()] == [False, False, True, True]
    assert told_rule(soft["below"]) == "barrier < 0.2 eV"
    assert "smallest 5 %" in told_rule(own_label("barrier", "eV", "bottom", 0.05))
    assert [rule_fault(label) for label in soft.values()] == [None] * 4
    for wrong in ({"rule": "most"}, {"at": "0.2"}, {"unit": None}, {"rule": "rank_low"}):
        assert rule_fault({**soft["below"], **wrong})
