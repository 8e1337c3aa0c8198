"""Packing against its twin: any radii, spheres that overlap, all sizes of shell; what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from qsdask.kernels.interstice import voronoi_interstice
from qsdask.kernels.packing import packing
from qsdask.testing import lattices
from tests.naive import packing as naive


def of_shell(point, radius, cell_volume=np.nan):
    """Packing of one centre at the origin."""
    position = np.concatenate([np.zeros((1, 3)), point])
    neighbour = np.arange(1, len(position), dtype=np.int32)[None]
    return packing(position, radius, 1, neighbour, np.array([len(point)]), np.array([cell_volume]))[0]


@pytest.mark.parametrize("seed", range(12))
def test_equals_twin(seed):
    """Radii up to 2 at distance 2.8: tetrahedra fuller than full are neither clipped nor lost."""
    rng = np.random.default_rng(seed)
    n = 10 + seed
    point = rng.normal(size=(n, 3))
    point *= (rng.uniform(2.2, 3.2, n) / np.linalg.norm(point, axis=1))[:, None]
    radius = rng.uniform(0.8, 2.0, n + 1)
    expected = naive.volume_columns(point, radius[0], radius[1:], 20.0)
    np.testing.assert_allclose(of_shell(point, radius, 20.0), expected, rtol=1e-10)


def test_icosahedron_of_equal_spheres():
    """All tetrahedra are alike, so the cluster is filled as each of them is."""
    point = lattices.icosahedron(2.0)[1:]
    position = np.concatenate([np.zeros((1, 3)), point])
    neighbour, count = np.arange(1, 13, dtype=np.int32)[None], np.array([12], dtype=np.int32)
    hole = voronoi_interstice(position, np.ones(13), 1, neighbour, count)[0][0, 8]
    value = of_shell(point, np.ones(13))
    assert value[0] == pytest.approx(1 - hole, rel=1e-13)
    assert value[0] == pytest.approx(1 - 0.274147, abs=6e-7)
    assert value[1] == pytest.approx(1 - 0.902113, abs=1e-15)


def test_rotation_and_scale():
    rng = np.random.default_rng(3)
    point = rng.normal(size=(14, 3))
    point *= 2.8 / np.linalg.norm(point, axis=1)[:, None]
    radius = rng.uniform(1.0, 1.6, 15)
    one = of_shell(point, radius, 17.0)
    for seed in range(4):
        other = of_shell(3.7 * point @ lattices.random_rotation(seed).T, 3.7 * radius, 3.7**3 * 17.0)
        np.testing.assert_allclose(other, one, rtol=1e-11)


def test_an_atom_without_a_hull_leaves_nothing_to_the_next():
    """Buffers are shared by all atoms of a call."""
    rng = np.random.default_rng(8)
    point = rng.normal(size=(13, 3))
    point *= 2.8 / np.linalg.norm(point, axis=1)[:, None]
    position = np.concatenate([np.zeros((3, 3)), point])
    radius = rng.uniform(1.0, 1.6, 16)
    neighbour = np.full((3, 13), -1, dtype=np.int32)
    neighbour[[0, 2]] = np.arange(3, 16)
    neighbour[1, :2] = 3, 4
    radius[2] = radius[0]
    value = packing(position, radius, 3, neighbour, np.array([13, 2, 13]), np.full(3, 15.0))
    np.testing.assert_array_equal(value[2], value[0])
    assert np.isfinite(value[0]).all()
    np.testing.assert_array_equal(np.isnan(value[1]), [True, True, False])


def test_shapes_that_do_not_fit_are_refused():
    neighbour, count = np.zeros((2, 5), dtype=np.int32), np.zeros(2, dtype=np.int32)
    with pytest.raises(ValueError, match="radius must have shape"):
        packing(np.zeros((3, 3)), np.ones(2), 2, neighbour, count, np.ones(2))
    with pytest.raises(ValueError, match="must have 3 rows"):
        packing(np.zeros((3, 3)), np.ones(3), 3, neighbour, count, np.ones(3))
    with pytest.raises(ValueError, match="cell_volume must have 2 rows"):
        packing(np.zeros((3, 3)), np.ones(3), 2, neighbour, count, np.ones(3))
