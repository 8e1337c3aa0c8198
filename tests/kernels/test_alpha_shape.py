"""Facets of free surfaces: crystals whose surface is known, a Delaunay twin, and a grid of probe spheres."""

from __future__ import annotations

import numpy as np
import pytest

from qsdask.kernels.alpha_shape import exposed_facets, facet_distance
from qsdask.kernels.tessellate import OPEN, voronoi_shell
from qsdask.testing.lattices import fcc, open_block, perturbed, sc
from tests.naive.alpha_shape import alpha_shape, from_triangles, images, swept_distance

#: Distance of neighbours in the crystals below is 2.83: the default probe is 1.5 times that.
PROBE = 4.24
REACH = 20.0
NOWHERE = np.zeros(3, dtype=bool)
EVERYWHERE = np.ones(3, dtype=bool)


def surface_of(position, cell, periodic, probe=PROBE, reach=REACH):
    """Who is on the surface, and how far the others are from it."""
    block = open_block(position, cell, np.zeros(3), periodic, reach + 2 * probe)
    every = voronoi_shell(block.position, block.order, len(block.position), np.inf, open_radius=probe)
    on = (every.state & OPEN) != 0
    facets = exposed_facets(block.position, block.order, on, probe)
    inside = ~on[: block.n_owned]
    return ~inside, facet_distance(block.position[: block.n_owned], inside, facets, probe, reach)


def glass(n_side: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A crystal so disordered that nothing is degenerate, with its cubic cell."""
    position, cell = fcc(4.0, n_side)
    return perturbed(position, 0.35, seed), cell


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("flagged", [False, True])
def test_layers_of_a_slab_are_as_deep_as_they_lie(axis, flagged):
    position, cell = fcc(4.0, (5, 5, 5))
    position = np.roll(position, axis, axis=1)
    vacuum = cell.copy()
    # With the vacuum inside of a periodic cell, or without period.
    vacuum[axis, axis] += 15.0
    periodic = EVERYWHERE.copy()
    periodic[axis] = not flagged
    on, distance = surface_of(position, vacuum, periodic)
    layer = np.round(position[:, axis] / 2.0).astype(int)
    np.testing.assert_array_equal(on, (layer == 0) | (layer == 9))
    np.testing.assert_allclose(distance, 2.0 * np.minimum(layer, 9 - layer), atol=1e-12)


def test_a_crystal_and_a_dense_disordered_one_have_no_surface():
    for position, cell in (fcc(4.0, 4), sc(2.5, 6), glass(5)):
        on, distance = surface_of(position, cell, EVERYWHERE)
        assert not on.any()
        assert np.isinf(distance).all()


@pytest.mark.parametrize(("layers", "seen"), [(2, False), (3, True)])
def test_a_crack_is_seen_where_the_probe_fits_in(layers, seen):
    position, cell = fcc(4.0, (4, 4, 8))
    layer = np.round(position[:, 2] / 2.0).astype(int)
    keep = (
        layer >= layers
    )  # The gap is 2 (layers + 1) wide: 6, then 8. The probe fits in between two hollows with 7.48.
    on, distance = surface_of(position[keep], cell, EVERYWHERE)
    assert on.any() == seen
    if seen:
        depth = np.minimum(layer - layers, 15 - layer)[keep]
        np.testing.assert_array_equal(on, depth == 0)
        np.testing.assert_allclose(distance, 2.0 * depth, atol=1e-12)


def test_a_crack_that_ends_is_a_surface_of_both_its_flanks_and_its_tip():
    position, cell = fcc(4.0, (8, 3, 8))
    x, z = position[:, 0], position[:, 2]
    open_part = (x > 5.0) & (x < 27.0) & (np.abs(z - 16.0) < 5.0)
    on, distance = surface_of(position[~open_part], cell, EVERYWHERE)
    x, z = x[~open_part], z[~open_part]
    flank = (np.abs(z - 16.0) == 6.0) & (x >= 8.0) & (x <= 24.0)
    assert on[flank].all()
    # Away from the tips the depth is that below the flank.
    below = (x >= 12.0) & (x <= 20.0) & (np.abs(z - 16.0) <= 10.0)
    np.testing.assert_allclose(distance[below], np.abs(z[below] - 16.0) - 6.0, atol=1e-12)
    tip = (np.abs(z - 16.0) < 1.0) & (x == 4.0)
    assert on[tip].all()


@pytest.mark.parametrize(("removed", "on_surface"), [(1, 0), (13, 0), (19, 24)])
def test_vacancies_are_no_surface_and_a_void_is_one(removed, on_surface):
    position, cell = fcc(4.0, 6)
    away = np.linalg.norm(position - 12.0, axis=1)
    keep = np.ones(len(position), dtype=bool)
    keep[np.argsort(away, kind="stable")[:removed]] = False
    # Shells of neighbours lie at 2.83, 4.00, 4.90: voids of that radius, and the probe is 4.24.
    on, _ = surface_of(position[keep], cell, EVERYWHERE)
    assert on.sum() == on_surface


@pytest.mark.parametrize(
    ("name", "inside"),
    [
        ("wire", lambda x: np.hypot(x[:, 0], x[:, 1]) < 11.0),
        ("sphere", lambda x: np.linalg.norm(x, axis=1) < 12.0),
        ("pore", lambda x: np.linalg.norm(x, axis=1) > 7.0),
        ("two pores", lambda x: np.minimum(*(np.linalg.norm(x - [0, 0, z], axis=1) for z in (-9.0, 9.0))) > 5.5),
        ("crack", lambda x: (np.abs(x[:, 2]) > 6.0) | (x[:, 0] > 4.0)),
        ("shell", lambda x: (np.linalg.norm(x, axis=1) > 6.0) & (np.linalg.norm(x, axis=1) < 14.0)),
    ],
)
def test_facets_and_distances_are_those_of_the_delaunay_twin(name, inside):
    position, cell = glass(8)
    keep = inside(position - 16.0)
    position, cell = (
        position[keep],
        cell + np.diag([0.0 if name in ("pore", "two pores", "crack") else 20.0] * 2 + [0.0]),
    )
    reach = 9.0
    on, distance = surface_of(position, cell, EVERYWHERE, reach=reach)
    # Every atom is in the cell, and the twin sees enough of its images.
    every = images(position, cell, EVERYWHERE, reach + 3 * PROBE)
    touched, triangles = alpha_shape(every, PROBE)
    low, high = position.min(axis=0) - reach - PROBE, position.max(axis=0) + reach + PROBE
    triangles = triangles[((triangles > low) & (triangles < high)).all(axis=(1, 2))]
    np.testing.assert_array_equal(on, touched[: len(position)])
    assert 0 < on.sum() < len(position)
    assert not distance[on].any()
    twin = from_triangles(position[~on], triangles)
    np.testing.assert_allclose(distance[~on], np.where(twin <= reach, twin, np.inf), atol=1e-9)
    # Spheres of empty space sweep out no more than what the facets bound, and do not come into all of their hollows.
    low, high = swept_distance(position, every, PROBE, 0.5, 6.0)
    near = np.isfinite(high) & (distance <= 6.0)
    low, high, distance = low[near], high[near], distance[near]
    assert (distance >= low - 1e-9).all()
    assert (distance - high).max() < 2.2
    assert (distance - high).mean() < 0.6


def test_what_flies_in_the_vacuum_makes_no_surface_for_others():
    position, cell = glass(6)
    position = position[np.linalg.norm(position - 12.0, axis=1) < 11.0]
    flying = np.array(
        [[12.0, 33.0, 12.0], [12.0, 12.0, 33.0], [14.0, 12.0, 33.0], [-3.0, -3.0, -3.0], [13.0, 13.5, 33.0]]
    )
    room = cell + 20.0 * np.eye(3)
    on, distance = surface_of(position, room, NOWHERE)
    on_with, distance_with = surface_of(np.concatenate([position, flying]), room, NOWHERE)
    np.testing.assert_array_equal(on_with, [*on, *[True] * len(flying)])
    np.testing.assert_array_equal(distance_with, [*distance, *[0.0] * len(flying)])


def test_lengths_scale_with_the_material():
    position, cell = glass(7)
    position = position[np.linalg.norm(position - 14.0, axis=1) < 13.0]
    on, distance = surface_of(position, cell, NOWHERE)
    scaled = surface_of(position / 2.5, cell / 2.5, NOWHERE, PROBE / 2.5, REACH / 2.5)
    np.testing.assert_array_equal(scaled[0], on)
    np.testing.assert_allclose(2.5 * scaled[1], distance, rtol=1e-12)


def test_distances_end_at_the_reach():
    position, cell = glass(7)
    cell[2, 2] += 20.0
    _, whole = surface_of(position, cell, EVERYWHERE)
    _, part = surface_of(position, cell, EVERYWHERE, reach=6.0)
    np.testing.assert_array_equal(part, np.where(whole <= 6.0, whole, np.inf))


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5])
def test_a_few_atoms_are_all_surface(n):
    position = np.array([[0.0, 0, 0], [2.5, 0, 0], [0, 2.5, 0], [0, 0, 2.5], [2.5, 2.5, 2.5]])[:n] + 10.0
    facets = exposed_facets(position, np.arange(n), np.ones(n, dtype=bool), 3.75)
    assert (len(facets) > 0) == (n > 2)
    assert not facet_distance(position, np.zeros(n, dtype=bool), facets, 3.75, 20.0).any()


def test_a_point_sees_face_edge_and_corner():
    corner = np.array([[[0.0, 0.0, 0.0], [4.0, 0.0, 0.0], [0.0, 3.0, 0.0]]])
    point = np.array(
        [[1.0, 1.0, 2.0], [2.0, -1.5, 2.0], [-3.0, 0.0, 4.0], [0.0, 3.0, -1.0], [3.2, 2.6, 0.0], [9.5, 0, 0]]
    )
    expected = [2.0, 2.5, 5.0, 1.0, 1.6, np.inf]
    found = facet_distance(point, np.ones(6, dtype=bool), corner, 4.0, 5.0)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    np.testing.assert_allclose(found[:5], from_triangles(point[:5], corner), atol=1e-12)
    for turned in (corner[:, [1, 2, 0]], corner[:, [2, 1, 0]]):
        np.testing.assert_allclose(
            facet_distance(point, np.ones(6, dtype=bool), turned, 4.0, 5.0), expected, atol=1e-12
        )
