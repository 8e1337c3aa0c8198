"""The spectrum by blocks of space: what all blocks together tell is the spectrum, and blocks add up however they are cut."""

from __future__ import annotations

import numpy as np
import pytest

from qsdask.analysis import spectrum
from qsdask.analysis.distance import add
from qsdask.analysis.spectrum_blocks import by_block, quantities
from qsdask.errors import BadDataError
from qsdask.learn.bootstrap import ends, redrawn
from tests.analysis.test_spectrum import glass


def of_block(n_atom, seed, n_block=30):
    qs, d2, valid = glass(n_atom, seed)
    return qs, d2, valid, np.random.default_rng(seed).integers(0, n_block, n_atom)


def test_all_blocks_together_give_the_spectrum():
    qs, d2, valid, block = of_block(6000, 0)
    whole = spectrum.finalise(spectrum.partial(qs, d2, valid, 5.0))
    found = quantities(sum(by_block(qs, d2, valid, 5.0, block).values())[None].astype(float))
    assert {"fraction_hard", "qs_std", "p_ratio", "p_balanced", "d2_mean_soft", "p_predicted", "recall"} <= found.keys()
    for name, value in found.items():
        np.testing.assert_allclose(value[0], whole[name].values, rtol=2e-5, atol=1e-9, err_msg=name)


def test_the_cut_into_chunks_changes_no_count():
    parts = of_block(3000, 1)
    cut = [7, 7, 1200, 2999]
    total: dict = {}
    for some in zip(*(np.split(x, cut) for x in parts), strict=True):
        qs, d2, valid, block = some
        total = add(total, by_block(qs, d2, valid, 5.0, block))
    qs, d2, valid, block = parts
    whole = by_block(qs, d2, valid, 5.0, block)
    assert total.keys() == whole.keys()
    assert all((total[k] == whole[k]).all() for k in whole)


def test_intervals_know_that_neighbours_are_alike():
    """Blocks in which all atoms are plastic together: the interval is that of so many blocks, not of so many atoms."""
    rng = np.random.default_rng(5)
    block = np.repeat(np.arange(64), 200)
    plastic = (rng.random(64) < 0.3)[block]
    qs = rng.random(len(block))
    one = np.ones(len(block), bool)
    clustered, spread = (
        quantities(redrawn(by_block(qs, np.where(y, 9.0, 1.0), one, 5.0, block), "glass"))["p_plastic_all"]
        for y in (plastic, rng.permutation(plastic))
    )
    share = plastic.mean()
    expected = np.sqrt(share * (1 - share) / 64)
    assert clustered.std() == pytest.approx(expected, rel=0.1)
    assert spread.std() < 0.2 * expected
    low, high = ends(clustered, 64)
    assert low < share < high
    assert high - low == pytest.approx(2 * 2.0 * expected, rel=0.15)


def test_few_blocks_and_undefined_draws_have_no_interval():
    draws = np.random.default_rng(0).random((2000, 3))
    assert np.isnan(ends(draws, 7)).all()
    draws[5, 1] = np.nan
    assert np.isnan(ends(draws, 30)).all(axis=1).tolist() == [False, True, False]


def test_impossible_d2_is_refused():
    one = np.ones(2)
    with pytest.raises(BadDataError, match="D2 must be"):
        by_block(one / 2, -one, one.astype(bool), 5.0, np.zeros(2, dtype=np.int64))
