"""The `.qs` accessor answers lazily and correctly."""

from __future__ import annotations

import numpy as np
import pytest

import qsdask
from qsdask.errors import NoInputError, UsageError


def test_slab_and_plastic(glass):
    tree = qsdask.open_store(glass)
    slab = tree.qs.slab("y", 20.0, 2.0)
    y = slab["position"].sel(xyz="y").values
    assert 0 < len(y) < 1000
    assert (np.abs(y - 20.0) <= 1.0).all()
    d2 = tree["response/d2min"].ds["d2min"].values
    plastic = tree.qs.plastic(0.04, 5.0)
    assert plastic.sizes["atom"] == (d2[-1] > 5.0).sum() > 100
    assert plastic["d2min"].chunks is not None


def test_unknown_axis_and_missing_softness(glass):
    tree = qsdask.open_store(glass)
    with pytest.raises(UsageError, match="E-AXIS"):
        tree.qs.slab("w", 0.0, 1.0)
    with pytest.raises(NoInputError, match="qsdask predict"):
        tree.qs.soft(0.7)


def test_a_frame_that_is_not_there_and_a_missing_response_are_refused(glass):
    tree = qsdask.open_store(glass)
    last = tree.qs.atoms(step=-1)["position"].values
    np.testing.assert_array_equal(last, tree["frames"].ds["position"].values[3])
    for step in (4, -5):
        with pytest.raises(UsageError, match="E-STEP"):
            tree.qs.atoms(step=step)
    del tree["response"]
    with pytest.raises(NoInputError, match="qsdask respond"):
        tree.qs.plastic()
