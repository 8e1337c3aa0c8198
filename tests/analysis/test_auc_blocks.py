"""AUC by block of space: sums of blocks rank as all atoms do, and only atoms at risk are ranked among the newly plastic."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from qsdask.analysis import auc_blocks


@pytest.fixture
def atoms():
    rng = np.random.default_rng(3)
    qs = (rng.integers(0, 128, 400) + 0.5) / 128
    d2 = np.cumsum(rng.lognormal(-1.0, 1.0, (4, 400)) * (0.5 + qs), axis=0)
    d2[2] *= rng.random(400)  # plastic atoms may come back
    return qs, d2, rng.random((4, 400)) < 0.95, 1.0, rng.integers(0, 5, 400)


def test_the_sum_of_blocks_is_the_area_of_all_atoms(atoms):
    qs, d2, valid, threshold, _ = atoms
    count = np.sum(list(auc_blocks.by_block(*atoms).values()), axis=0).reshape(4, -1)
    before = np.zeros(len(qs), dtype=bool)
    for step in range(4):
        plastic = valid[step] & (d2[step] > threshold)
        found = auc_blocks.areas(count[step][None].astype(np.float64))[0]
        for area, among in zip(found, (valid[step], valid[step] & ~before), strict=True):
            mine, others = qs[plastic & among], qs[among & ~plastic]
            assert area == pytest.approx(mannwhitneyu(mine, others).statistic / len(mine) / len(others), abs=1e-12)
        before |= plastic


def test_chunks_add_up_block_by_block(atoms):
    qs, d2, valid, threshold, block = atoms
    whole = auc_blocks.by_block(*atoms)
    parts = [
        auc_blocks.by_block(qs[rows], d2[:, rows], valid[:, rows], threshold, block[rows])
        for rows in (slice(0, 150), slice(150, None))
    ]
    for name, count in whole.items():
        np.testing.assert_array_equal(count, sum(part[name] for part in parts if name in part))


def test_without_plastic_atoms_there_is_no_area(atoms):
    qs, d2, valid, _, block = atoms
    [count] = auc_blocks.by_block(qs, d2, valid, 1e9, np.zeros_like(block)).values()
    assert np.isnan(auc_blocks.areas(count.reshape(4, -1).astype(np.float64))).all()
