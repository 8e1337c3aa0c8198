"""Distance of two distributions of softness: against SciPy, and the laws that its error must keep."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from qsdask.analysis.counts import N_FINE, fine_bin
from qsdask.analysis.distance import BLOCKS, add, by_block, distance, wasserstein

EVERYWHERE = np.ones(3, dtype=bool)


def glass(n_atom: int, seed: int, a: float = 1.2) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.beta(a, 1.6, n_atom), rng.random((n_atom, 3))


@pytest.mark.parametrize("sizes", [(1, 1), (5, 800), (3000, 2000)])
def test_is_that_of_scipy_to_within_a_bin(sizes):
    one, two = (glass(n, k, 1.0 + k)[0] for k, n in enumerate(sizes))
    counts = [np.bincount(fine_bin(qs, N_FINE), minlength=N_FINE) for qs in (one, two)]
    assert wasserstein(*counts) == pytest.approx(wasserstein_distance(one, two), abs=1.0 / N_FINE)
    centre = (np.arange(N_FINE) + 0.5) / N_FINE
    assert wasserstein(*counts) == pytest.approx(wasserstein_distance(centre, centre, *counts), abs=1e-12)


def test_a_shift_is_the_distance():
    qs = glass(1000, 0)[0] * 0.5
    counts = [np.bincount(fine_bin(x, N_FINE), minlength=N_FINE) for x in (qs, qs + 0.25)]
    assert wasserstein(*counts) == pytest.approx(0.25, abs=1e-12)


def test_blocks_are_those_of_a_plain_loop_and_add_up_however_they_are_cut():
    qs, place = glass(400, 1)
    qs[::9] = np.nan
    whole = by_block(qs, place, EVERYWHERE)
    plain: dict[int, np.ndarray] = {}
    for value, (x, y, z) in zip(qs, place, strict=True):
        if value == value:
            block = (int(x * BLOCKS) * BLOCKS + int(y * BLOCKS)) * BLOCKS + int(z * BLOCKS)
            plain.setdefault(block, np.zeros(N_FINE, dtype=int))[int(value * N_FINE)] += 1
    images = by_block(qs, place + np.random.default_rng(0).integers(-2, 3, place.shape), EVERYWHERE)
    cut = add(add(by_block(qs[300:], place[300:], EVERYWHERE), {}), by_block(qs[:300], place[:300], EVERYWHERE))
    for found in (whole, cut, images):
        assert found.keys() == plain.keys()
        for block, count in plain.items():
            np.testing.assert_array_equal(found[block], count)


def test_beyond_an_open_face_is_the_last_block():
    at = by_block(np.array([0.2, 0.4]), np.array([[-0.5, 0.5, 0.5], [1.5, 0.5, 0.5]]), np.zeros(3, dtype=bool))
    assert sorted(at) == [4, 2 * BLOCKS**2 + 4]


def test_the_error_is_that_of_glasses_made_again():
    """Of independent atoms the spread over new glasses is known by making them."""
    found = [
        distance(by_block(*glass(4000, 2 * k, 1.2), EVERYWHERE), by_block(*glass(4000, 2 * k + 1, 1.6), EVERYWHERE))
        for k in range(12)
    ]
    made = [
        wasserstein_distance(glass(4000, 1000 + 2 * k, 1.2)[0], glass(4000, 1001 + 2 * k, 1.6)[0]) for k in range(200)
    ]
    assert np.mean([one.error for one in found]) == pytest.approx(np.std(made), rel=0.25)
    assert all(one.value > one.chance for one in found)


def test_like_glasses_lie_below_chance_nineteen_times_in_twenty():
    below = [
        one.value < one.chance
        for k in range(40)
        for one in [
            distance(by_block(*glass(1500, k), EVERYWHERE), by_block(*glass(1500, 500 + k), EVERYWHERE), draws=100)
        ]
    ]
    assert 33 <= sum(below) <= 40


def test_one_small_change_of_the_same_atoms_is_told_with_a_small_error():
    qs, place = glass(3000, 5)
    moved = np.clip(qs + 0.01, 0.0, 1.0)
    one, two = by_block(qs, place, EVERYWHERE), by_block(moved, place, EVERYWHERE)
    paired, apart = distance(one, two, paired=True), distance(one, two)
    assert paired.value == apart.value == pytest.approx(0.01, abs=5e-4)
    assert paired.error < 1e-3 < apart.error
    assert paired.value > paired.chance
    assert apart.value < apart.chance


def test_is_the_same_again_and_knows_what_it_does_not_know():
    one, two = (by_block(*glass(500, k), EVERYWHERE) for k in (1, 2))
    assert distance(one, two) == distance(one, two)
    assert np.isnan(distance(one, {}).value)
    small = {0: one[0]}
    assert np.isfinite(distance(small, two).value)
    assert np.isnan(distance(small, two).error)
