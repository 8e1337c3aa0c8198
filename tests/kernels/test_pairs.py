"""Pair counts against the definition, freud, an ideal gas, and sets of known dimension."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qsdask.kernels.pairs import class_pairs
from tests.naive import pairs as naive


def with_images(position, cell, periodic, reach):
    """Positions with all images within reach of the cell: owned first."""
    height = 1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    spans = [
        range(-n, n + 1) if p else (0,) for n, p in zip(np.ceil(reach / height).astype(int), periodic, strict=True)
    ]
    shifts = sorted(product(*spans), key=lambda s: (any(s), s))
    return np.concatenate([position + np.array(s) @ cell for s in shifts]), len(shifts)


def counted(position, cell, periodic, kind, border, width, n_bin):
    """The kernel on a whole cell, in one group."""
    local, copies = with_images(position, cell, periodic, width * n_bin)
    centre = np.arange(len(position))
    pairs, centres = class_pairs(
        local, np.tile(kind, copies), 3, centre, np.zeros_like(centre), 1, border, width, n_bin
    )
    return pairs[0], centres[0]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), periodic=st.tuples(*[st.booleans()] * 3), n_bin=st.integers(1, 12))
def test_tilted_cells_borders_and_classes_are_as_defined(seed, periodic, n_bin):
    rng = np.random.default_rng(seed)
    cell = np.diag(rng.uniform(3.0, 7.0, 3)) + np.tril(rng.uniform(-2.0, 2.0, (3, 3)), -1)
    n = int(rng.integers(1, 14))
    position, kind = rng.random((n, 3)) @ cell, rng.integers(0, 3, n)
    border = np.where(rng.random(n) < 0.5, np.inf, rng.uniform(0.0, 5.0, n))
    found = counted(position, cell, periodic, kind, border, 0.37, n_bin)
    expected = naive.class_pairs(position, cell, periodic, kind, 3, border, 0.37, n_bin)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_groups_add_up_and_each_has_its_own_centres():
    rng = np.random.default_rng(1)
    position, kind, centre = rng.random((300, 3)) * 9.0, rng.integers(0, 3, 300), np.arange(0, 300, 3)
    group = rng.integers(0, 4, 100)
    arguments = (position, kind, 3, centre)
    border = np.full(100, np.inf)
    apart, centres = class_pairs(*arguments, group, 4, border, 0.25, 20)
    whole, together = class_pairs(*arguments, 0 * group, 1, border, 0.25, 20)
    np.testing.assert_array_equal(apart.sum(axis=0), whole[0])
    np.testing.assert_array_equal(centres.sum(axis=0), together[0])
    none = np.empty(0, dtype=int)
    empty = class_pairs(position, kind, 3, none, none, 0, np.empty(0), 0.25, 20)
    assert (empty[0].shape, empty[1].shape) == ((0, 3, 3, 20), (0, 3, 20))
    one, _ = class_pairs(position, kind, 3, centre[group == 2], 0 * group[group == 2], 1, border[group == 2], 0.25, 20)
    np.testing.assert_array_equal(apart[2], one[0])


def test_far_apart_atoms_do_not_make_many_cells_and_long_rows_are_followed_to_the_end():
    rng = np.random.default_rng(2)
    position = np.concatenate([rng.random((900, 3)) * [400.0, 1.0, 1.0], [[1e6, 0.0, 0.0]]])
    kind, border = np.zeros(901, dtype=int), np.full(901, np.inf)
    pairs, _ = class_pairs(position, kind, 1, np.arange(901), kind, 1, border, 50.0, 4)
    apart = np.sqrt(((position[:, None] - position[None]) ** 2).sum(axis=-1))[~np.eye(901, dtype=bool)]
    np.testing.assert_array_equal(pairs[0, 0, 0], np.histogram(apart, np.arange(5) * 50.0)[0])


def test_g_of_r_is_that_of_freud(freud):
    rng = np.random.default_rng(3)
    cell = np.array([[14.0, 0.0, 0.0], [3.0, 13.0, 0.0], [-2.0, 1.5, 15.0]])
    n, width, n_bin = 700, 0.25, 22
    position = rng.random((n, 3)) @ cell
    pairs, _ = counted(position, cell, (True,) * 3, np.zeros(n, int), np.full(n, np.inf), width, n_bin)
    edges = np.arange(n_bin + 1) * width
    shell = 4.0 / 3.0 * np.pi * np.diff(edges**3)
    g = pairs[0, 0] / (n * n / abs(np.linalg.det(cell)) * shell)
    box = freud.box.Box.from_matrix(cell.T)
    peer = freud.density.RDF(n_bin, n_bin * width).compute((box, position - cell.sum(axis=0) / 2.0))
    np.testing.assert_allclose(g, peer.rdf, rtol=2e-4, atol=2e-3)


def test_impossible_arguments_are_refused():
    one = np.zeros(1, dtype=int)
    with pytest.raises(ValueError, match="width"):
        class_pairs(np.zeros((1, 3)), one, 1, one, one, 1, np.ones(1), 0.0, 3)
    with pytest.raises(ValueError, match="class"):
        class_pairs(np.zeros((1, 3)), one + 1, 1, one, one, 1, np.ones(1), 1.0, 3)
    with pytest.raises(ValueError, match="finite"):
        class_pairs(np.full((1, 3), np.nan), one, 1, one, one, 1, np.ones(1), 1.0, 3)
