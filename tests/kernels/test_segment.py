"""Statistics over neighbours against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qsdask.kernels.segment import coarsen
from tests.naive import coarsen as naive


def slots(lists, n_slot):
    """Padded slots and counts of neighbour lists."""
    neighbour = np.full((len(lists), n_slot), -1, dtype=np.int32)
    for i, rows in enumerate(lists):
        neighbour[i, : len(rows)] = rows
    return neighbour, np.array([len(rows) for rows in lists], dtype=np.int32)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n_column=st.integers(1, 9), n_local=st.integers(1, 20))
def test_equals_numpy(seed, n_column, n_local):
    rng = np.random.default_rng(seed)
    value = rng.normal(3.0, 2.0, (n_local, n_column))
    value[rng.random(value.shape) < 0.05] = np.nan
    lists = [list(rng.integers(0, n_local, rng.integers(0, 7))) for _ in range(max(1, n_local // 2))]
    result = coarsen(value, len(lists), *slots(lists, 7))
    np.testing.assert_allclose(result, naive.coarsen(value, lists), rtol=1e-13, atol=1e-13)


def test_known_numbers():
    value = np.array([[9.0], [1.0], [2.0], [6.0]])
    result = coarsen(value, 1, *slots([[1, 2, 3]], 4))
    np.testing.assert_allclose(result[0, 0], [3.0, np.sqrt(14.0 / 3.0), 1.0, 6.0, 9.0], rtol=1e-15)


@pytest.mark.parametrize("number", [0.1, 1.0 / 3.0, 1e300, -7e-17])
@pytest.mark.parametrize("n", [1, 3, 7, 10, 13])
def test_equal_values_have_no_spread(number, n):
    result = coarsen(np.full((n, 1), number), 1, *slots([list(range(n))], n))
    assert result[0, 0, :4].tolist() == [number, 0.0, number, number]


def test_small_spread_on_a_large_value():
    """Mean of squares minus squared mean would lose every digit here."""
    value = 1e8 + np.array([[0.0], [1.0], [2.0]])
    result = coarsen(value, 1, *slots([[0, 1, 2]], 3))
    np.testing.assert_allclose(result[0, 0, :2], [1e8 + 1, np.sqrt(2.0 / 3.0)], rtol=1e-15)


def test_counts_add_up_exactly():
    """A sum made of mean times number would be off in the last digit, here of 7 neighbours with 3 marked ones."""
    value = np.array([[1.0], [0.0], [0.0], [1.0], [0.0], [0.0], [1.0]])
    mean, *_, total = coarsen(value, 1, *slots([list(range(7))], 7))[0, 0]
    assert total == 3.0
    assert mean == pytest.approx(3.0 / 7.0, rel=1e-15)


def test_no_neighbours_and_nan_neighbours():
    value = np.array([[1.0, 1.0], [2.0, np.nan], [3.0, 3.0]])
    result = coarsen(value, 3, *slots([[], [0, 1, 2], [1, 0]], 3))
    assert np.isnan(result[0]).all()
    assert np.isfinite(result[1, 0]).all()
    assert np.isnan(result[1, 1]).all()
    assert np.isnan(result[2, 1]).all()


def test_the_centre_and_unused_slots_do_not_count():
    value = np.array([[100.0], [1.0], [3.0], [-50.0]])
    neighbour = np.array([[1, 2, 3]], dtype=np.int32)
    assert coarsen(value, 1, neighbour, np.array([2], np.int32))[0, 0].tolist() == [2.0, 1.0, 1.0, 3.0, 4.0]


def test_shapes_and_input_untouched():
    value = np.random.default_rng(0).random((5, 3))
    before = value.copy()
    neighbour, count = slots([[1, 4], [0]], 2)
    result = coarsen(value, 2, neighbour, count)
    assert result.shape == (2, 3, 5)
    assert result.dtype == np.float64
    np.testing.assert_array_equal(value, before)
    assert coarsen(value, 0, neighbour[:0], count[:0]).shape == (0, 3, 5)
