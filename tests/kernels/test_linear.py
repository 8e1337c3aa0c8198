"""Exact sums, columns as whole numbers, and linear scores, against slow twins."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from qsdask.kernels.exact_sums import SQUARE_UNIT, UNIT, exact_sums
from qsdask.kernels.linear import linear_scores, logistic, standardised
from qsdask.kernels.whitened import pivoted_cholesky, solved
from tests.naive import linear as naive

CORNERS = [0.0, -0.0, 1e-45, -1e-38, 1.1754944e-38, 3.4028235e38, -3.4028235e38, np.nan, np.inf, -np.inf, 0.1, -7.25]


def of_unit(total, power):
    return Fraction(total) / 2**-power


def assert_exact(value, group, n_group):
    known, first, second = exact_sums(value, group, n_group)
    expected = naive.sums(value, group, n_group)
    np.testing.assert_array_equal(known, expected[0])
    for place in np.ndindex(known.shape):
        assert of_unit(first[place], UNIT) == expected[1][place]
        assert of_unit(second[place], SQUARE_UNIT) == expected[2][place]


def test_sums_are_exact_at_the_ends_of_single_precision():
    value = np.array([CORNERS, CORNERS[::-1], [*CORNERS[5:], *CORNERS[:5]]], dtype=np.float32)
    assert_exact(value, np.array([0, 1, 0]), 2)


@settings(max_examples=60, deadline=None)
@given(arrays(np.float32, (7, 3), elements=st.floats(width=32)), arrays(np.int64, 7, elements=st.integers(0, 2)))
def test_sums_of_any_numbers_are_exact(value, group):
    assert_exact(value, group, 3)


def test_parts_add_up_to_the_same_whole_numbers():
    rng = np.random.default_rng(3)
    value = (rng.normal(size=(4000, 5)) * 10.0 ** rng.integers(-20, 20, (4000, 1))).astype(np.float32)
    group = rng.integers(0, 2, 4000)
    whole = exact_sums(value, group, 2)
    order = rng.permutation(4000)
    parts = [exact_sums(value[part], group[part], 2) for part in np.array_split(order, 17)]
    for total, each in zip(whole, zip(*parts, strict=True), strict=True):
        np.testing.assert_array_equal(total, sum(each))


def test_whole_numbers_and_scores_are_those_of_the_twins():
    rng = np.random.default_rng(5)
    value = rng.normal(size=(300, 6)).astype(np.float32)
    value[rng.random(value.shape) < 0.1] = np.nan
    value[:3], value[3] = np.nan, 50.0
    value[4, 2] = np.inf
    group, fill, mean = rng.integers(0, 2, 300), rng.normal(size=(2, 6)), rng.normal(size=(2, 6))
    scale = rng.uniform(0.3, 2.0, (2, 6))
    scale[1, 4] = 0.0
    whole = standardised(value, group, fill, mean, scale)
    np.testing.assert_array_equal(whole, naive.standardised(value, group, fill, mean, scale))
    assert np.nanmax(np.abs(whole)) == 4096
    assert np.isnan(whole[:3]).all()
    assert not np.isnan(whole[3:]).any()
    coefficient = rng.normal(size=(6, 3))
    score = linear_scores(whole, coefficient)
    np.testing.assert_array_equal(score, naive.scores(whole, coefficient))
    np.testing.assert_array_equal(score[7:9], linear_scores(whole[7:9], coefficient))
    np.testing.assert_allclose(logistic(score, 0.3, 2.0), 1 / (1 + np.exp(-(0.3 + 2.0 * score))), rtol=1e-14)


def test_equations_are_solved():
    rng = np.random.default_rng(8)
    for width in (1, 2, 40):
        half = rng.normal(size=(width + 3, width))
        product, right = half.T @ half, rng.normal(size=width)
        order, factor = pivoted_cholesky(product, 0.0)
        np.testing.assert_allclose(product @ solved(order, factor, right), right, rtol=1e-7, atol=1e-9)
