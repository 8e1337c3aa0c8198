"""Interstices by direction: exact numbers of cubic and stretched shells, the twin, and every NaN rule."""

from __future__ import annotations

import numpy as np
import pytest

from qsdask.kernels.direction import directed_distance, directed_interstice
from qsdask.testing import lattices
from tests.naive import direction as naive
from tests.naive import interstice as plain

OCTAHEDRON = np.vstack([np.eye(3), -np.eye(3)])
CUBE = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=float)
CUBOCTAHEDRON = np.array([p for p in np.ndindex(3, 3, 3) if sum(k == 1 for k in p) == 1], dtype=float) - 1
SHELLS = {"sc": OCTAHEDRON, "bcc": np.vstack([CUBE, 2 * OCTAHEDRON]), "fcc": CUBOCTAHEDRON}


def of_shell(point, axis, radius=None, **options):
    """Six columns of the Voronoi shell and two of the cut-off shell of a centre at the origin."""
    point = np.asarray(point, dtype=float).reshape(-1, 3)
    position = np.vstack([np.zeros((1, 3)), point])
    radius = np.full(len(position), 0.5) if radius is None else radius
    neighbour = np.arange(1, len(position), dtype=np.int32)[None]
    arrays = position, radius, 1, neighbour, np.array([len(point)], dtype=np.int32), axis
    contact = options.get("contact", False)
    return directed_interstice(*arrays, **options)[0], directed_distance(*arrays, contact=contact)[0]


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("name", SHELLS)
def test_a_cubic_shell_looks_the_same_along_and_across(name, axis):
    """Also where facets are flat: the fcc hull has six squares, each cut along one of its diagonals."""
    point = SHELLS[name]
    around, bonds = of_shell(point, axis)
    radius = np.full(len(point), 0.5)
    expected = np.array(plain.voronoi_columns(point, 0.5, radius, False))[[0, 0, 4, 4, 8, 8]]
    np.testing.assert_allclose(around, expected, rtol=0, atol=1e-14)
    np.testing.assert_allclose(bonds, expected[:2], rtol=0, atol=1e-14)


@pytest.mark.parametrize("axis", range(3))
def test_a_stretched_octahedron_has_its_long_bonds_along_the_axis(axis):
    stretch = np.ones(3)
    stretch[axis] = 1.25
    around, bonds = of_shell(OCTAHEDRON * stretch, axis, contact=True)
    np.testing.assert_allclose(around[:2], [0.25, 0.0], rtol=0, atol=1e-15)
    np.testing.assert_allclose(bonds, [0.25, 0.0], rtol=0, atol=1e-15)
    # The eight triangles are one another's mirror images: no direction differs from another.
    assert around[2] == pytest.approx(around[3], rel=1e-14)
    assert around[4] == pytest.approx(around[5], rel=1e-14)


def test_bonds_are_weighted_by_the_square_of_the_cosine():
    """At 60 degrees with weight 1/4 and 3/4, a bond of length 2 beside one of length 1 along the axis."""
    point = [[0, 0, 1], [np.sqrt(3), 0, 1]]
    _, bonds = of_shell(point, 2, contact=True)
    np.testing.assert_allclose(bonds, [0.25 * 1.0 / 1.25, 1.0], rtol=1e-14)


@pytest.mark.parametrize("clip", [True, False])
@pytest.mark.parametrize("contact", [True, False])
@pytest.mark.parametrize("axis", range(3))
def test_equals_the_twin_in_crooked_shells(axis, contact, clip):
    rng = np.random.default_rng(axis)
    for _ in range(6):
        point = lattices.perturbed(SHELLS["bcc"], 0.35, seed=int(rng.integers(100)))
        radius = rng.uniform(0.4, 0.9, len(point) + 1)
        around, bonds = of_shell(point, axis, radius, contact=contact, clip=clip)
        unit = np.eye(3)[axis]
        expected = naive.voronoi_columns(point, radius[0], radius[1:], unit, contact, clip)
        np.testing.assert_allclose(around, expected, rtol=1e-9, atol=1e-11)
        assert (around == around).all()
        np.testing.assert_allclose(bonds, expected[:2], rtol=1e-11, atol=1e-13)


def test_equal_values_have_exactly_their_mean():
    """Whatever the weights: the twelve bonds of an icosahedron in a skew orientation."""
    point = lattices.icosahedron(1.0)[1:] @ lattices.random_rotation(3).T
    around, _ = of_shell(point, 0, contact=True)
    assert around[0] == pytest.approx(around[1], abs=1e-15)


def test_where_nothing_points_this_way_there_is_no_value():
    """A chain along y and a flat square across x, somewhere far from the origin of coordinates."""
    shift = np.array([113.7, -71.3, 211.9])
    for point, axis, missing in (
        ([[0, 1, 0], [0, -1, 0]], 1, [False, True]),
        ([[0, 1, 0], [0, -1, 0]], 2, [True, False]),
        ([[0, 1, 0], [0, 0, 1.3], [0, -1, 0]], 0, [True, False]),
    ):
        position = shift + np.vstack([np.zeros((1, 3)), point])
        neighbour = np.arange(1, len(position), dtype=np.int32)[None]
        count = np.array([len(point)], dtype=np.int32)
        found = directed_distance(position, np.full(len(position), 0.5), 1, neighbour, count, axis)[0]
        np.testing.assert_array_equal(np.isnan(found), missing)


def test_without_neighbours_or_hull_there_is_no_value():
    around, bonds = of_shell(np.empty((0, 3)), 2)
    assert np.isnan(around).all()
    assert np.isnan(bonds).all()
    around, bonds = of_shell(lattices.random_rotation(1)[:3], 2)
    assert np.isnan(around[2:]).all()
    assert not np.isnan([*around[:2], *bonds]).any()


def test_shapes_are_checked():
    with pytest.raises(ValueError, match="radius must have shape"):
        directed_distance(np.zeros((2, 3)), np.ones(3), 1, np.zeros((1, 1), np.int32), np.ones(1, np.int32), 2)
