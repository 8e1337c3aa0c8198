"""Localisation and change points: known cases, made-up curves with known breaks, and the laws of the reduction."""

from __future__ import annotations

import numpy as np
import pytest

from qsdask.analysis.crossover import breaks_of, by_block, series
from qsdask.analysis.distance import add

STRAIN = np.arange(41) * 0.0025


def noisy(kinks, slopes, sigma, seed):
    """Two series with kinks at the same strains, and 200 draws about them."""
    rng = np.random.default_rng(seed)
    value, draws = [], []
    for of in slopes:
        line = of[0] * STRAIN + sum(s * np.maximum(STRAIN - k, 0.0) for s, k in zip(of[1:], kinks, strict=True))
        value.append(line + rng.normal(0.0, sigma, len(STRAIN)))
        draws.append(value[-1] + rng.normal(0.0, sigma, (200, len(STRAIN))))
    return np.array(value), np.full((len(slopes), len(STRAIN)), sigma), np.array(draws)


@pytest.mark.parametrize(
    ("kinks", "slopes"),
    [
        ((), ((-2.0,), (0.5,))),
        ((0.0625,), ((-0.5, -4.0), (0.2, 6.0))),
        ((0.05, 0.075), ((-0.2, -6.0, 6.0), (0.1, 8.0, -8.0))),
    ],
    ids=["none", "one", "two"],
)
def test_breaks_are_found_where_they_are_and_nowhere_else(kinks, slopes):
    found = breaks_of(STRAIN, *noisy(kinks, slopes, 0.01, 7))
    assert len(found.at) == len(kinks)
    np.testing.assert_allclose(found.at, kinks, atol=0.005)
    assert found.drawn.shape == (200, len(kinks))
    for k, place in enumerate(kinks):
        low, high = np.quantile(found.drawn[:, k], [0.025, 0.975])
        assert low <= place <= high
        assert high - low < 0.02


def test_noise_seldom_has_a_break():
    wrong = sum(len(breaks_of(STRAIN, *noisy((), ((1.0,), (-1.0,)), 0.02, seed)).at) > 0 for seed in range(40))
    assert wrong <= 2


def blocked(qs, d2, n_block, n_each, threshold=5.0):
    block = np.repeat(np.arange(n_block), n_each)
    found = by_block(qs, d2, np.ones(d2.shape, bool), threshold, block)
    return {name: value[0] for name, value in series(found, np.ones((1, n_block)), len(d2)).items()}


def test_localisation_is_none_at_random_and_whole_in_one_block():
    rng = np.random.default_rng(0)
    qs = rng.random(4000)
    spread = np.where(rng.random(4000) < 0.1, 10.0, 1.0)
    gathered = np.where(np.repeat(np.arange(40), 100) < 4, 10.0, 0.0)
    found = blocked(qs, np.stack([spread, gathered]), 40, 100)
    assert found["localisation_plastic"][0] == pytest.approx(0.0, abs=0.01)
    assert found["localisation_d2"][0] < 0.05
    assert found["localisation_plastic"][1] == pytest.approx(1.0)
    assert found["localisation_d2"][1] == pytest.approx(0.9)


def test_excess_softness_is_that_of_the_newly_plastic_over_those_at_risk():
    qs = np.linspace(0.0, 1.0, 400)
    d2 = np.stack([np.where(qs > 0.9, 9.0, 0.0), np.where(qs > 0.7, 9.0, 0.0), np.where(qs > 0.69, 9.0, 0.0)])
    found = blocked(qs, d2, 20, 20)["qs_excess"]
    assert found[0] == pytest.approx(qs[qs > 0.9].mean() - qs.mean(), abs=1e-8)
    at_risk = qs <= 0.9
    assert found[1] == pytest.approx(qs[at_risk & (qs > 0.7)].mean() - qs[at_risk].mean(), abs=1e-8)
    assert np.isnan(found[2])


def test_the_cut_into_chunks_changes_no_count():
    rng = np.random.default_rng(1)
    qs, d2, valid = rng.random(900), rng.lognormal(1.0, 1.0, (5, 900)), rng.random((5, 900)) > 0.1
    qs[rng.random(900) < 0.1] = np.nan
    block = rng.integers(0, 12, 900)
    whole, cut = by_block(qs, d2, valid, 5.0, block), {}
    for some in np.split(np.arange(900), [7, 7, 300, 301]):
        cut = add(cut, by_block(qs[some], d2[:, some], valid[:, some], 5.0, block[some]))
    assert whole.keys() == cut.keys()
    assert all((whole[k] == cut[k]).all() for k in whole)


def test_without_atoms_nothing_is_told():
    found = series({}, np.ones((1, 0)), 3)
    assert all(value.shape == (1, 3) and np.isnan(value).all() for value in found.values())
