"""Mass scaling and g(r): an ideal gas, sets of known dimension, borders, and clusters joined across domains."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from qsdask.analysis.connected import joined, piece_of
from qsdask.analysis.packing import CLASSES, centres_of, flat, quantities
from qsdask.kernels.pairs import class_pairs

EDGES = np.arange(201) * 0.05


def asked(position, kind, centre, border, edges=EDGES, ranges=((2.0, 5.0), (5.0, 10.0)), volume=1000.0, **how):
    counts = class_pairs(position, kind, 4, centre, 0 * centre, 1, border, edges[1], len(edges) - 1)
    density = np.array([(kind == 1).sum(), (kind == 2).sum(), len(kind)]) / volume
    return {
        name: value[0] for name, value in quantities(flat(*counts).astype(float), edges, density, ranges, **how).items()
    }


def tiled(position, edge, reach):
    n = int(np.ceil(reach / edge))
    shifts = sorted(product(range(-n, n + 1), repeat=3), key=lambda s: (any(s), s))
    return np.concatenate([position + np.array(s) * edge for s in shifts]), len(shifts)


def test_an_ideal_gas_fills_space_and_its_g_is_one():
    rng = np.random.default_rng(0)
    position, kind = rng.random((20000, 3)) * 25.0, rng.choice([0, 1, 2], 20000, p=[0.5, 0.3, 0.2])
    local, copies = tiled(position, 25.0, 10.0)
    near = ((local > -10.0) & (local < 35.0)).all(axis=1)
    near[:20000] = True
    volume = near.sum() / 20000 * 25.0**3
    found = asked(local[near], np.tile(kind, copies)[near], np.arange(4000), np.full(4000, np.inf), volume=volume)
    np.testing.assert_allclose(found["dimension"], 3.0, atol=0.02)
    np.testing.assert_allclose(found["dimension_local"][2, 40:180], 3.0, atol=0.05)
    np.testing.assert_allclose(found["g"][:, 40:].mean(axis=1), 1.0, atol=0.02)


def sierpinski(level):
    """Tetrahedra of tetrahedra: twice as far, four times as many."""
    corner = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], dtype=float)
    points = np.zeros((1, 3))
    for k in range(level):
        points = (points[:, None] + corner * 2.0**k).reshape(-1, 3)
    return points


def menger(level):
    """Cubes without their middles: three times as far, twenty times as many."""
    kept = np.array([c for c in product(range(3), repeat=3) if sum(x == 1 for x in c) < 2], dtype=float)
    points = np.zeros((1, 3))
    for k in range(level):
        points = (points[:, None] + kept * 3.0**k).reshape(-1, 3)
    return points


def plane(_):
    return np.stack(np.meshgrid(np.arange(130.0), np.arange(130.0), [0.0]), axis=-1).reshape(-1, 3)


@pytest.mark.parametrize(
    ("points", "dimension", "tolerance"),
    [(sierpinski(7), 2.0, 0.08), (menger(4), np.log(20) / np.log(3), 0.1), (plane(0), 2.0, 0.04)],
    ids=["Sierpinski", "Menger", "plane"],
)
def test_sets_of_known_dimension_have_it(points, dimension, tolerance):
    """From centres far from the outer faces, over whole powers of their scale factor."""
    middle = (points.min(axis=0) + points.max(axis=0)) / 2.0
    half = (np.ptp(points, axis=0) / 2.0).max()
    axes = np.ptp(points, axis=0) > 0
    border = half - np.abs(points - middle)[:, axes].max(axis=1)
    reach, factor = (27.0, 9.0) if dimension > 2.5 else (32.0, 8.0)
    # Between whole powers of the factor by which the set repeats itself; from centres away from its outer faces.
    deep = np.flatnonzero(border >= 9.0)[::5]
    edges, kind = np.linspace(0.0, reach, 201), np.ones(len(points), dtype=int)
    known = np.full(len(deep), np.inf)
    found = asked(points, kind, deep, known, edges, ((reach / factor, reach),), with_centre=True)
    assert found["dimension"][0, 0] == pytest.approx(dimension, abs=tolerance)


def test_a_free_surface_makes_neither_mass_nor_g_smaller():
    """A slab of gas: every centre counts as far as it knows, and D stays 3; without that it would not."""
    rng = np.random.default_rng(1)
    position = rng.random((60000, 3)) * [50.0, 50.0, 20.0]
    inner = np.flatnonzero((np.abs(position[:, :2] - 25.0) < 14.0).all(axis=1))
    border = np.minimum(position[inner, 2], 20.0 - position[inner, 2])
    kind = np.ones(len(position), dtype=int)
    density = 60000 / 50000.0
    right = asked(position, kind, inner, border, EDGES, ((2.0, 9.0),), volume=60000 / density)
    wrong = asked(position, kind, inner, np.full(len(inner), np.inf), EDGES, ((2.0, 9.0),), volume=60000 / density)
    assert right["dimension"][0, 0] == pytest.approx(3.0, abs=0.03)
    assert wrong["dimension"][0, 0] < 2.93
    np.testing.assert_allclose(right["g"][0, 60:180].mean(), 1.0, atol=0.02)
    assert wrong["g"][0, 150:180].mean() < 0.85


def test_own_and_all_atoms_the_centre_and_empty_classes():
    position = np.array([[0.0, 0.0, 0.0], [1.01, 0.0, 0.0], [0.0, 2.01, 0.0], [30.0, 0.0, 0.0]])
    kind = np.array([1, 0, 1, 0])
    border = np.full(4, np.inf)
    own = asked(position, kind, np.arange(4), border)
    assert own["mass"][0, [30, 60]].tolist() == [0.0, 1.0]
    assert np.isnan(own["mass"][1]).all()
    every = asked(position, kind, np.arange(4), border, own=False, with_centre=True)
    assert every["mass"][0, [10, 30, 60]].tolist() == [1.0, 1.5, 3.0]
    assert dict.fromkeys(CLASSES) == dict.fromkeys(centres_of(np.zeros((1, 4 * 5 * 3))))


@pytest.mark.parametrize("chunk", [7, 25, 100])
def test_clusters_are_the_same_however_the_glass_is_cut(chunk):
    """Atoms on a lattice of a periodic cell, classes at random: groups, sums and winding of the pieces joined are those of all."""
    rng = np.random.default_rng(4)
    edge = 6
    place = np.array(list(product(range(edge), repeat=3)))[rng.permutation(edge**3)]
    row_of = {tuple(p): k for k, p in enumerate(place.tolist())}
    label, weight = rng.choice([0, 1, 2], edge**3, p=[0.4, 0.4, 0.2]), rng.integers(0, 100, edge**3)
    steps = np.concatenate([np.eye(3, dtype=int), -np.eye(3, dtype=int)])
    there = place[:, None] + steps
    neighbour = np.array([[row_of[tuple(p)] for p in many] for many in (there % edge).tolist()])
    image = np.floor_divide(there, edge)
    pieces = {}
    for domain, start in enumerate(range(0, edge**3, chunk)):
        rows = slice(start, min(start + chunk, edge**3))
        pieces[domain] = piece_of(label[rows], weight[rows], place[rows] / edge, neighbour[rows], image[rows], start)
    found = joined(pieces)
    alike = (label[:, None] == label[neighbour]) & (label[:, None] > 0)
    line, slot = np.nonzero(alike)
    _, of = connected_components(coo_array((np.ones(len(line)), (line, neighbour[line, slot])), shape=(edge**3,) * 2))
    expected = sorted(
        (int(label[mine][0]), len(mine), int(weight[mine].sum()))
        for group in np.unique(of[label > 0])
        if len(mine := np.flatnonzero(of == group))
    )
    assert sorted(zip(found.label.tolist(), found.size.tolist(), found.total.tolist(), strict=True)) == expected
    whole = joined({0: piece_of(label, weight, place / edge, neighbour, image, 0)})
    order = [np.lexsort((part.total, part.size, part.label)) for part in (found, whole)]
    for one, other in zip(found, whole, strict=True):
        np.testing.assert_array_equal(one[order[0]], other[order[1]])
    assert found.of(1).winding.any()
