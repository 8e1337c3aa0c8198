"""How far atoms are from what a model knows: against SciPy, and where it must not depend on how it was asked."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import mahalanobis

from qsdask.errors import BadDataError
from qsdask.learn.validity import clouds_of, clouds_read, outside, refuse_outside


def cloud(rng, n=3000, width=6, scale=1.0):
    mixed = rng.normal(size=(width, width))
    return (rng.normal(size=(n, width)) @ mixed * scale + rng.normal(size=width)).astype(np.float32)


@pytest.mark.parametrize("seed", range(3))
def test_distances_are_those_of_mahalanobis(seed):
    rng = np.random.default_rng(seed)
    value = cloud(rng)
    found = clouds_of({"Cu": value})
    probe = cloud(rng, 50)
    inverse = np.linalg.inv(np.cov(value.astype(np.float64), rowvar=False, bias=True))
    mean = value.astype(np.float64).mean(axis=0)
    wanted = np.array([mahalanobis(row, mean, inverse) for row in probe.astype(np.float64)])
    rim = np.quantile([mahalanobis(row, mean, inverse) for row in value.astype(np.float64)], 0.99)
    # Kept with six digits.
    np.testing.assert_allclose(outside(found, probe, np.zeros(50, int), ["Cu"]), wanted / rim, rtol=2e-3)
    assert np.mean(outside(found, value, np.zeros(len(value), int), ["Cu"]) > 1) == pytest.approx(0.01, abs=2e-3)


def test_columns_that_follow_from_others_and_constants_do_not_count():
    rng = np.random.default_rng(1)
    value = cloud(rng)
    more = np.column_stack([value, value[:, 0] + 2 * value[:, 1], np.full(len(value), 3.0, np.float32)])
    probe = cloud(rng, 20)
    more_probe = np.column_stack([probe, probe[:, 0] + 2 * probe[:, 1], np.full(20, 3.0)])
    plain = outside(clouds_of({"Cu": value}), probe, np.zeros(20, int), ["Cu"])
    found = clouds_of({"Cu": more.astype(np.float32)})
    assert len(found["Cu"].column) == 6
    np.testing.assert_allclose(outside(found, more_probe, np.zeros(20, int), ["Cu"]), plain, rtol=5e-3)


def test_each_species_has_its_cloud_and_a_rare_one_that_of_all():
    rng = np.random.default_rng(2)
    sample = {"Cu": cloud(rng), "Zr": cloud(rng, scale=3.0), "Al": cloud(rng, 10)}
    found = clouds_of(sample)
    assert found["Cu"].rim != found["Zr"].rim
    whole = clouds_of({"X": np.concatenate([sample[name] for name in sorted(sample)])})["X"]
    assert found["Al"].rim == whole.rim
    assert clouds_of({"Al": cloud(rng, 10)}) == {} == clouds_of({})


def test_strangers_are_infinitely_far_and_atoms_without_features_unknown():
    rng = np.random.default_rng(3)
    found = clouds_of({"Cu": cloud(rng)})
    value = cloud(rng, 4).astype(np.float64)
    value[1, 2] = np.nan
    distance = outside(found, value, np.array([0, 0, 1, 0]), ["Cu", "Al"])
    assert np.isnan(distance[1])
    assert distance[2] == np.inf
    assert np.isfinite(distance[[0, 3]]).all()
    assert np.isnan(outside({}, value, np.zeros(4, int), ["Cu"])).all()


def test_what_is_kept_gives_the_same_distances():
    rng = np.random.default_rng(4)
    found = clouds_of({"Cu": cloud(rng), "Zr": cloud(rng)})
    again = clouds_read({name: one.record() for name, one in found.items()}, 6)
    probe, kind = cloud(rng, 60), np.arange(60) % 2
    np.testing.assert_array_equal(outside(again, probe, kind, ["Cu", "Zr"]), outside(found, probe, kind, ["Cu", "Zr"]))


@pytest.mark.parametrize(
    "change",
    [
        {"column": [0, 9]},
        {"mean": [0.0]},
        {"scale": [1.0, 0.0]},
        {"factor": [[1.0], [0.0, 0.0]]},
        {"factor": [[1.0], [0.0, float("nan")]]},
        {"rim": 0.0},
        {"column": [], "mean": [], "scale": [], "factor": []},
    ],
)
def test_clouds_that_no_training_makes_are_refused(change):
    sound = {"column": [0, 1], "mean": [0.0, 0.0], "scale": [1.0, 1.0], "factor": [[1.0], [0.5, 1.0]], "rim": 2.0}
    assert clouds_read({"Cu": sound}, 2)["Cu"].rim == 2.0
    with pytest.raises((ValueError, KeyError, TypeError)):
        clouds_read({"Cu": {**sound, **change}}, 2)


def test_shares_are_judged():
    assert refuse_outside(5, 100, "m") == []
    assert refuse_outside(0, 0, "m") == []
    assert "doubtful" in refuse_outside(6, 100, "m")[0]
    for given in ({}, {"strictly": True}):
        with pytest.raises(BadDataError, match="E-OUT-OF-DOMAIN"):
            refuse_outside(51 if not given else 6, 100, "m", **given)
    assert refuse_outside(51, 100, "m", accepted=True)
