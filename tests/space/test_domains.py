"""Equal-count bisection, wrapping and halos."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qsdask.errors import BadDataError
from qsdask.space.box import Box
from qsdask.space.domains import bisect, domain_rows
from qsdask.space.halo import MOST_ALONG, MOST_COPIES, halo_domains, in_halo, refuse_copies, widened

TILTED = np.array([[20.0, 0.0, 0.0], [6.0, 18.0, 0.0], [-4.0, 3.0, 25.0]])


def box_of(cell=TILTED, periodic=(True, True, True)) -> Box:
    return Box(np.asarray(cell, dtype=float), np.array([1.0, -2.0, 0.5]), np.array(periodic))


def gas(n: int, box: Box, seed: int = 0) -> np.ndarray:
    return box.origin + np.random.default_rng(seed).random((n, 3)) @ box.cell


def bounds_of(reduced, rows) -> np.ndarray:
    """Lowest and highest reduced coordinate of every domain, as `ingest` stores them."""
    return np.array([[reduced[a:b].min(axis=0), reduced[a:b].max(axis=0)] for a, b in rows])


@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 400), chunk=st.integers(16, 130), seed=st.integers(0, 5))
def test_every_leaf_is_full_and_order_ignores_the_input(n, chunk, seed):
    box = box_of()
    x = gas(n, box, seed)
    ids = np.random.default_rng(seed).permutation(10 * n)[:n].astype(np.int64)
    order = bisect(x, ids, box, chunk)
    assert sorted(order) == list(range(n))
    shuffle = np.random.default_rng(seed + 1).permutation(n)
    again = bisect(x[shuffle], ids[shuffle], box, chunk)
    np.testing.assert_array_equal(ids[order], ids[shuffle][again])
    rows = domain_rows(n, chunk)
    assert rows[0, 0] == 0
    assert rows[-1, 1] == n
    assert (np.diff(rows, axis=1)[:-1] == chunk).all()


def test_domains_are_compact():
    box = box_of(np.eye(3) * 40.0)
    x = gas(8000, box)
    rows = domain_rows(8000, 1000)
    bounds = bounds_of(box.reduced(x[bisect(x, np.arange(8000), box, 1000)]), rows)
    np.testing.assert_allclose(np.diff(bounds, axis=1)[:, 0], 0.5, atol=0.03)


def test_wrapping_gives_the_bits_of_the_wrapped_file():
    box = Box(
        np.diag([47.99068834674594, 47.98945651452664, 48.21773424990719]),
        np.array([0.00466, 0.00527, -0.1]),
        np.array([True, True, True]),
    )
    x = np.round(gas(20000, box, 3), 5)
    x = x[np.abs(box.reduced(x) - 0.5).max(axis=1) < 0.5 - 1e-6]
    image = np.random.default_rng(0).integers(-3, 4, x.shape)
    np.testing.assert_array_equal(box.wrap(x + image @ box.cell), x)
    assert box.wrap(x) is x


def test_a_shift_has_the_same_bits_alone_and_among_others():
    rng = np.random.default_rng(0)
    image = rng.integers(-5, 6, (200, 3)).astype(np.int8)
    box = box_of(TILTED + rng.random((3, 3)))
    whole = box.shift(image)
    np.testing.assert_allclose(whole, image @ box.cell, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(np.concatenate([box.shift(image[k : k + 1]) for k in range(200)]), whole)


def test_free_sides_are_not_wrapped():
    box = box_of(np.eye(3) * 10.0, periodic=(False, True, True))
    x = box.origin + np.array([[12.0, 12.0, -1.0]])
    np.testing.assert_allclose(box.wrap(x) - box.origin, [[12.0, 2.0, 9.0]])


def test_an_atom_on_the_face_belongs_to_the_lower_side():
    box = Box(np.eye(3) * 10.0, np.zeros(3), np.array([True] * 3))
    x = np.array([[10.0 - 1e-12, 0.0, -1e-12]])
    np.testing.assert_allclose(box.wrap(x), 0.0, atol=1e-9)


@pytest.mark.parametrize("cell", [np.zeros((3, 3)), np.diag([1.0, 1.0, 0.0]), np.diag([1.0, np.nan, 1.0])])
def test_a_cell_without_volume_is_refused(cell):
    with pytest.raises(BadDataError, match="E-BOX"):
        Box(cell, np.zeros(3), np.array([True] * 3))


@pytest.mark.parametrize("periodic", [(True, True, True), (False, True, True), (False, False, False)])
@pytest.mark.parametrize("reach", [3.0, 13.0, 27.0])
def test_halo_holds_everything_within_reach(periodic, reach):
    box = box_of(periodic=periodic)
    x = box.wrap(gas(300, box, 7))
    rows = domain_rows(300, 75)
    x = x[bisect(x, np.arange(300), box, 75)]
    s = box.reduced(x)
    bounds = bounds_of(s, rows)
    found = {
        (int(row), image)
        for other, image in halo_domains(bounds, 1, reach, box)
        for row in rows[other, 0]
        + np.flatnonzero(in_halo(s[slice(*rows[other])], image, widened(bounds[1], reach, box)))
    }
    span = [range(-4, 5) if p else range(1) for p in periodic]
    own = x[75:150]
    for image in np.stack(np.meshgrid(*span, indexing="ij"), axis=-1).reshape(-1, 3):
        moved = x + image @ box.cell
        near = np.linalg.norm(own[:, None] - moved[None], axis=2).min(axis=0) <= reach
        assert {(int(row), tuple(image.tolist())) for row in np.flatnonzero(near)} <= found


def test_copies_of_the_cell_within_a_reach_have_a_limit():
    largest = 30.0  # cut-off, and radius of medium range
    for edges, periodic in (
        ((2.0, 2.0, 2.0), (True, True, True)),  # one atom of a bcc metal
        ((2.0, 2.0, 1e-6), (True, True, False)),
        ((50.0, 50.0, 0.5), (True, True, True)),
    ):
        refuse_copies(largest, box_of(np.diag(edges), periodic))
    for edges in ((20.0, 20.0, 1e-6), (20.0, 20.0, largest / (MOST_ALONG + 1)), (0.5, 0.5, 20.0)):
        with pytest.raises(BadDataError, match=r"E-COPIES: the cell is .* angstrom thick"):
            refuse_copies(largest, box_of(np.diag(edges)))
    thick = 2 * largest / (MOST_COPIES ** (1 / 3) - 3)
    refuse_copies(largest, box_of(np.eye(3) * thick))
    with pytest.raises(BadDataError, match="E-COPIES"):
        refuse_copies(largest, box_of(np.eye(3) * 0.9 * thick))
