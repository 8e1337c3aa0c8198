"""Hard against soft atoms: areas, effect sizes and medians against scikit-learn and NumPy, for every cut."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from qsdask.analysis.contrast import edges_of, finalise, partial


def columns(n, seed):
    rng = np.random.default_rng(seed)
    soft = rng.random(n) < 0.4
    value = np.stack(
        [
            rng.normal(size=n) + 1.5 * soft,
            rng.integers(8, 15, n) - 2.0 * soft,
            rng.standard_cauchy(n),
            np.full(n, 3.0),
            np.full(n, np.nan),
        ],
        axis=1,
    ).astype(np.float32)
    value[rng.random(n) < 0.05, 0] = np.nan
    return value, soft, rng.integers(0, 30, n)


def told(value, soft, block, edges, cut=()):
    parts = [
        partial(*some[:2], edges, some[2])
        for some in zip(*(np.split(x, cut) for x in (value, soft, block)), strict=True)
    ]
    return finalise(sum(parts[1:], start=parts[0]), list("abcde"), list("ABCDE"), edges)


def test_effect_sizes_are_those_of_the_values():
    value, soft, block = columns(4000, 0)
    edges = np.array([edges_of(column) for column in value.T])
    found = told(value, soft, block, edges)
    assert found["column"].values.tolist()[:2] == ["a", "b"]
    assert sorted(found["column"].values.tolist()) == list("abcde")
    for name, k in (("a", 0), ("b", 1), ("c", 2)):
        known = np.isfinite(value[:, k])
        x, y = value[known, k].astype(float), soft[known]
        one = found.sel(column=name)
        assert one["auc"].item() == pytest.approx(roc_auc_score(y, x), abs=0.004)
        for side, of in ((0, x[~y]), (1, x[y])):
            assert one["mean"].values[side] == pytest.approx(of.mean(), rel=1e-6)
            assert one["std"].values[side] == pytest.approx(of.std(), rel=1e-6)
            inside = 0.5 if name == "b" else 0.03
            assert one["median"].values[side] == pytest.approx(np.median(of), abs=inside)
            assert one["n_known"].values[side] == len(of)
        pooled = np.sqrt((x[~y].var() * (~y).sum() + x[y].var() * y.sum()) / (len(x) - 2))
        assert one["cohen_d"].item() == pytest.approx((x[y].mean() - x[~y].mean()) / pooled, rel=1e-6)
    assert found.sel(column="b")["auc"].item() == pytest.approx(roc_auc_score(soft, value[:, 1]), abs=1e-12)
    assert found.sel(column="d")["auc"].item() == 0.5
    assert np.isnan(found.sel(column="e")["auc"].item())


def test_the_cut_into_chunks_changes_no_number():
    value, soft, block = columns(1000, 1)
    edges = np.array([edges_of(column) for column in value.T])
    assert told(value, soft, block, edges).identical(told(value, soft, block, edges, (13, 13, 400, 401)))
