"""Branches of a strain, and the frames in which it passes a value."""

from __future__ import annotations

import numpy as np
import pytest

from qsdask.errors import BadDataError
from qsdask.space.strain import NEAR, branch_name, branches, first_pass, passed_again, passes

UNLOADED = np.array([0, 0.01, 0.02, 0.03, 0.0403, 0.05, 0.06, 0.05, 0.04, 0.03, 0.02, 0.012])
CYCLE = 0.05 * np.sin(2 * np.pi * np.arange(41) / 20)


def test_branches_end_where_the_strain_turns():
    np.testing.assert_array_equal(branches(UNLOADED), [0] * 7 + [1] * 5)
    np.testing.assert_array_equal(branches(-UNLOADED), branches(UNLOADED))
    np.testing.assert_array_equal(np.flatnonzero(np.diff(branches(CYCLE))), [5, 15, 25, 35])
    assert [branch_name(k) for k in range(5)] == ["loading", "unloading", "loading-2", "unloading-2", "loading-3"]


def test_rest_and_noise_are_no_turns():
    noise = np.random.default_rng(1).uniform(-1e-4, 1e-4, 60)
    held = np.concatenate([np.linspace(0, 0.03, 20), np.full(40, 0.03)])
    assert not branches(held + noise).any()
    assert not branches(np.zeros(5)).any()
    assert not branches(np.zeros(1)).any()
    assert passes(held, 0.03) == [19]
    assert "in frame 19 (loading, 0.03), held until frame 59;" in passed_again(held, 0.03)
    assert "held until frame 59" not in passed_again(np.append(held, 0.0), 0.015)


def test_the_first_pass_is_taken_though_a_later_one_is_nearer():
    assert passes(UNLOADED, 0.04) == [4, 8]
    assert first_pass(UNLOADED, 0.04) == 4
    assert passed_again(UNLOADED, 0.04) == (
        "strain 0.04 is first reached in frame 4 (loading, 0.0403), passed again in 8 (unloading, 0.04); --frame takes another"
    )
    assert passes(CYCLE, -0.04) == [13, 17, 33, 37]
    assert passes(CYCLE, 0.0) == [0, 10, 20, 30, 40]
    assert passes(UNLOADED, 0.06) == [6]
    assert passed_again(UNLOADED, 0.06) == ""


def test_one_way_the_nearest_frame_is_taken_and_never_one_beyond_the_tolerance():
    rng = np.random.default_rng(2)
    strain = np.sort(rng.uniform(0, 0.1, 200))
    for wanted in rng.uniform(0, 0.1, 100):
        nearest = int(np.abs(strain - wanted).argmin())
        assert passes(strain, wanted) == ([nearest] if abs(strain[nearest] - wanted) <= NEAR else [])
    with pytest.raises(BadDataError, match=r"(?s)E-STRAIN.*holds 12 frames from 0 to 0\.06"):
        first_pass(UNLOADED, 0.045)
