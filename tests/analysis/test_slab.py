"""Slices: which atoms they hold, where these are drawn, and the smooth map of D2."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from qsdask.analysis import slab
from qsdask.errors import UsageError

PERIODIC = np.ones(3, dtype=bool)
TILTED = np.array([[12.0, 0.0, 0.0], [3.0, 10.0, 0.0], [2.0, -1.5, 9.0]])
ORIGIN = np.array([1.0, -2.0, 0.5])


def atoms(n, seed=0, cell=TILTED):
    rng = np.random.default_rng(seed)
    return ORIGIN + rng.random((n, 3)) @ cell, rng.random(n), rng.lognormal(size=n), rng.uniform(1.2, 1.6, n)


def test_touching_slices_tile_the_box():
    position, *_ = atoms(500)
    masks = [
        slab.slab_mask(position, TILTED, ORIGIN, PERIODIC, axis="z", centre=c, thickness=3.0) for c in (0.0, 3.0, 6.0)
    ]
    np.testing.assert_array_equal(np.sum(masks, axis=0), 1)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_wraps_and_ignores_images(axis):
    position, *_ = atoms(300)
    image = np.random.default_rng(1).integers(-2, 3, (300, 3))
    moved = position + image @ TILTED
    for centre in (None, 0.2, 8.9):
        first = slab.slab_mask(position, TILTED, ORIGIN, PERIODIC, axis=axis, centre=centre, thickness=2.0)
        second = slab.slab_mask(moved, TILTED, ORIGIN, PERIODIC, axis=axis, centre=centre, thickness=2.0)
        np.testing.assert_array_equal(first, second)
        assert 0 < first.sum() < 300


def test_free_sides_do_not_wrap():
    cell = np.eye(3) * 10.0
    position = np.array([[5.0, 5.0, 0.2], [5.0, 5.0, 9.8], [np.nan] * 3])
    periodic = np.array([True, True, False])
    mask = slab.slab_mask(position, cell, np.zeros(3), periodic, centre=0.0, thickness=1.0)
    assert mask.tolist() == [True, False, False]
    mask = slab.slab_mask(position, cell, np.zeros(3), PERIODIC, centre=0.0, thickness=1.0)
    assert mask.tolist() == [True, True, False]
    assert slab.slab_mask(position, cell, np.zeros(3), PERIODIC, thickness=50.0).tolist() == [True, True, False]


def test_distances_in_the_plane_are_kept():
    # With the third vector along the normal, the plane is a true projection.
    cell = np.array([[12.0, 0.0, 0.0], [3.0, 10.0, 0.0], [0.0, 0.0, 9.0]])
    position, qs, d2, radius = atoms(80, cell=cell)
    cut = slab.cut_slab(position, cell, ORIGIN, PERIODIC, qs, d2, radius, axis="c", thickness=4.0)
    mask = slab.slab_mask(position, cell, ORIGIN, PERIODIC, axis=2, thickness=4.0)
    np.testing.assert_allclose(np.stack([cut["u"], cut["v"]], 1), (position - ORIGIN)[mask][:, :2], atol=1e-9)
    np.testing.assert_allclose(cut["plane_cell"], cell[:2, :2], atol=1e-12)
    np.testing.assert_array_equal(cut["qs"], qs[mask])


def test_chunks_join_to_the_whole():
    position, qs, d2, radius = atoms(200)
    settings = {"axis": 1, "thickness": 3.0, "strain": 0.04, "threshold": 5.0}

    def cut(a, b):
        return slab.cut_slab(position[a:b], TILTED, ORIGIN, PERIODIC, qs[a:b], d2[a:b], radius[a:b], **settings)

    whole = cut(0, 200)
    joined = slab.join([cut(0, 70), cut(70, 70), cut(70, 200)])
    xr.testing.assert_identical(joined, whole)
    xr.testing.assert_identical(slab.finalise(joined), slab.finalise(whole))
    other = slab.cut_slab(position, TILTED, ORIGIN, PERIODIC, qs, d2, radius, axis=2)
    with pytest.raises(UsageError, match="E-PART-MISMATCH"):
        slab.join([whole, other])
    with pytest.raises(UsageError, match="E-PART-MISMATCH"):
        slab.join([])


def test_the_map_of_a_constant_is_constant_and_wraps():
    position, qs, _, radius = atoms(400)
    field = slab.finalise(
        slab.cut_slab(position, TILTED, ORIGIN, PERIODIC, qs, np.full(400, 2.5), radius, thickness=5.0)
    )["map_d2"].values
    np.testing.assert_allclose(field[np.isfinite(field)], 2.5, rtol=1e-12)
    one = slab.cut_slab(
        ORIGIN[None], TILTED, ORIGIN, PERIODIC, np.array([0.5]), np.array([7.0]), np.array([1.0]), centre=0.0
    )
    seen = np.isfinite(slab.finalise(one)["map_d2"].values)
    assert seen[[0, 0, -1, -1], [0, -1, 0, -1]].all(), "an atom at the corner is felt in all four corners"
    assert not seen.all()


def test_the_map_keeps_to_its_size():
    position, qs, d2, radius = atoms(50)
    cut = slab.cut_slab(position, TILTED, ORIGIN, PERIODIC, qs, d2, radius)
    assert slab.finalise(cut, pixel=0.01, max_pixels=2500)["map_d2"].size <= 2700


def test_every_variable_says_what_it_is():
    position, qs, d2, radius = atoms(50)
    for name, variable in slab.finalise(
        slab.cut_slab(position, TILTED, ORIGIN, PERIODIC, qs, d2, radius)
    ).data_vars.items():
        assert variable.attrs["units"], name
        assert variable.attrs["long_name"], name


def test_wrong_inputs_are_refused():
    position, *_ = atoms(5)
    for axis in ("w", 3, -1):
        with pytest.raises(UsageError, match="E-AXIS"):
            slab.slab_mask(position, TILTED, ORIGIN, PERIODIC, axis=axis)
    for thickness in (0.0, -1.0, float("nan")):
        with pytest.raises(UsageError, match="E-THICKNESS"):
            slab.slab_mask(position, TILTED, ORIGIN, PERIODIC, thickness=thickness)
