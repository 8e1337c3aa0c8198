"""Histograms of interstices: the twin, exact shares of lattices, tails, and where there is nothing to count."""

from __future__ import annotations

import numpy as np
import pytest

from qsdask.kernels.histogram import distance_histogram, voronoi_histogram
from qsdask.kernels.interstice import distance_interstice, voronoi_interstice
from tests.kernels.test_interstice import BCC14, CUBE, FCC
from tests.naive.histogram import histogram
from tests.naive.interstice import areas_and_volumes, distances

#: Twelve bins; touching spheres, with 0, are inside of one.
BOUNDS = [(-0.22, 0.38), (0.0, 0.6), (0.1, 0.5)]


def shell(point, radius=None):
    """One centre at the origin and its neighbours; spheres that touch the nearest one by default."""
    position = np.vstack([np.zeros((1, 3)), point])
    if radius is None:
        radius = np.full(len(position), np.linalg.norm(position[1:], axis=1).min() / 2)
    return position, radius, 1, np.arange(1, len(position), dtype=np.int32)[None], np.array([len(point)])


def crowd(seed):
    """Fourteen neighbours at about one distance, of different sizes."""
    rng = np.random.default_rng(seed)
    point = rng.normal(size=(14, 3))
    point *= (rng.uniform(2.4, 3.3, 14) / np.linalg.norm(point, axis=1))[:, None]
    return point, rng.uniform(1.0, 1.6, 15)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("contact", [False, True])
@pytest.mark.parametrize("smearing", [0.0, 0.02, 0.3])
def test_twin_written_from_the_definition(seed, contact, smearing):
    point, radius = crowd(seed)
    value = voronoi_histogram(*shell(point, radius), BOUNDS, 12, contact=contact, smearing=smearing)[0]
    expected = [
        histogram(values, *bounds, 12, smearing)
        for values, bounds in zip(
            (distances(point, radius[0], radius[1:], contact), *areas_and_volumes(point, radius[0], radius[1:])),
            BOUNDS,
            strict=True,
        )
    ]
    np.testing.assert_allclose(value, np.concatenate(expected), rtol=1e-9, atol=1e-12)
    one = distance_histogram(*shell(point, radius), BOUNDS[0], 12, contact=contact, smearing=smearing)[0]
    np.testing.assert_array_equal(one, value[:12])


@pytest.mark.parametrize("smearing", [0.0, 1e-3, 0.05, 10.0])
def test_every_histogram_adds_up_to_one(smearing):
    """Also with nearly everything outside the bins."""
    for bounds in ([(-0.2, 0.4)] * 3, [(5.0, 6.0)] * 3, [(-9.0, -8.0)] * 3):
        value = voronoi_histogram(*shell(*crowd(1)), bounds, 7, smearing=smearing)
        np.testing.assert_allclose(value.reshape(3, 7).sum(axis=1), 1, rtol=1e-14)
        assert (value >= 0).all()


def test_bcc_has_eight_touching_bonds_and_six_longer_ones():
    """1 - sqrt(3) / 2 = 0.134; its 24 triangles are all alike: area 0.166959, volume 0.319825."""
    value = voronoi_histogram(*shell(BCC14), BOUNDS, 12)[0].reshape(3, 12)
    expected = np.zeros((3, 12))
    expected[0, [4, 7]] = 8 / 14, 6 / 14
    expected[1, 3] = 1
    expected[2, 6] = 1
    np.testing.assert_allclose(value, expected, atol=1e-15)


def test_fcc_has_two_kinds_of_tetrahedra():
    """8 triangular faces with 1 - pi / sqrt 12 = 0.0931, and 6 squares cut into two halves each, 1 - pi / 4."""
    value = voronoi_histogram(*shell(FCC), BOUNDS, 12)[0].reshape(3, 12)
    assert value[1, 1] == pytest.approx(8 / 20)
    assert value[1, 4] == pytest.approx(12 / 20)
    assert value[2].max() == pytest.approx(12 / 20)


def test_the_mean_of_fine_bins_is_the_mean_of_the_values():
    point, radius = crowd(3)
    statistics, _ = voronoi_interstice(*shell(point, radius))
    bounds = [(-2.0, 2.0)] * 3
    for smearing in (0.0, 0.05):
        value = voronoi_histogram(*shell(point, radius), bounds, 4000, smearing=smearing)[0].reshape(3, 4000)
        centre = np.linspace(-2, 2, 4001)[:-1] + 0.0005
        np.testing.assert_allclose(value @ centre, statistics[0, [0, 4, 8]], atol=1e-3)
    bonds = distance_histogram(*shell(point, radius), bounds[0], 4000)[0]
    assert bonds @ centre == pytest.approx(distance_interstice(*shell(point, radius))[0, 0], abs=1e-3)


def test_smearing_spreads_a_value_by_the_normal_distribution():
    """One bond with interstice 0 and bins one standard deviation wide: the shares of the normal table."""
    one = shell([[2.0, 0.0, 0.0]])
    value = distance_histogram(*one, (-3.0, 3.0), 6, smearing=1.0)[0]
    outer, middle, inner = 0.022750131948, 0.135905121983, 0.341344746069
    np.testing.assert_allclose(value, [outer, middle, inner, inner, middle, outer], rtol=1e-10)


def test_lower_edges_belong_to_their_bins_and_the_ends_hold_the_rest():
    """Interstices -1/2, 0, 1/4, 1/2 and 3/4 in four bins from 0 to 1, then from 0 to 1/2."""
    position = np.array([[1.0, 0, 0], [0, 2.0, 0], [0, 0, 2.5], [-3.0, 0, 0], [0, -3.5, 0]])
    one = shell(position, np.ones(6))
    assert distance_histogram(*one, (0, 1), 4, contact=True)[0] == pytest.approx([2 / 5, 1 / 5, 1 / 5, 1 / 5])
    assert distance_histogram(*one, (0, 0.5), 2, contact=True)[0] == pytest.approx([2 / 5, 3 / 5])


def test_where_there_is_nothing_there_is_nan():
    """No neighbours: everywhere. No hull around the atom: of areas and volumes."""
    position, neighbour = np.zeros((2, 3)), np.full((2, 5), -1, dtype=np.int32)
    empty = (position, np.ones(2), 2, neighbour, np.zeros(2, dtype=np.int32))
    for smearing in (0.0, 0.1):
        assert np.isnan(voronoi_histogram(*empty, BOUNDS, 4, smearing=smearing)).all()
        assert np.isnan(distance_histogram(*empty, BOUNDS[0], 4, smearing=smearing)).all()
        outside = voronoi_histogram(*shell(CUBE + [1.4, 0.1, 0], np.ones(9)), BOUNDS, 4, smearing=smearing)[0]
        assert outside[:4].sum() == pytest.approx(1)
        assert np.isnan(outside[4:]).all()


def test_input_that_means_nothing_is_refused():
    one = shell(FCC)
    with pytest.raises(ValueError, match="bounds must rise"):
        distance_histogram(*one, (0.4, 0.4), 4)
    with pytest.raises(ValueError, match="there must be a bin"):
        distance_histogram(*one, (0.0, 0.4), 0)
    for smearing in (-0.1, np.nan, np.inf):
        with pytest.raises(ValueError, match="smearing must be"):
            voronoi_histogram(*one, BOUNDS, 4, smearing=smearing)
