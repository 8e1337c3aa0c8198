"""Frames that follow the first one, and those that must not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qsdask.errors import BadDataError
from qsdask.formats import copies, open_trajectory
from qsdask.formats.continuity import oddities, rounding_noise, unflipped
from qsdask.formats.frame import Frame
from qsdask.space.box import Box


def frame(id, *, type=None, element=None, position=None, cell=None, boundary=("pp", "pp", "pp"), **more):
    id = np.asarray(id, np.int64)
    position = np.zeros((len(id), 3)) if position is None else position
    return Frame(
        timestep=700,
        natoms=len(id),
        cell=np.eye(3) * 10.0 if cell is None else cell,
        origin=np.zeros(3),
        boundary=boundary,
        id=id,
        position=position,
        type=None if type is None else np.asarray(type, np.int64),
        element=element,
        **more,
    )


def cell_of(lx, ly, lz, xy=0.0, xz=0.0, yz=0.0):
    """Cell of LAMMPS' lengths and tilts, vectors as rows."""
    return np.array([[lx, 0.0, 0.0], [xy, ly, 0.0], [xz, yz, lz]])


def copies_of(position, cell, *n):
    """Positions of n x m x l copies of a cell, copy after copy, and the large cell."""
    shifts = np.stack(np.meshgrid(*map(np.arange, n), indexing="ij"), axis=-1).reshape(-1, 3)
    return np.concatenate([position + shift @ cell for shift in shifts]), cell * np.array(n)[:, None]


@pytest.mark.parametrize(
    ("flip", "matrix"),
    [
        # What fix deform does: b - a, c - a, and c - b with its change of xz.
        ("xy", [[1, 0, 0], [1, 1, 0], [0, 0, 1]]),
        ("xz", [[1, 0, 0], [0, 1, 0], [1, 0, 1]]),
        ("yz", [[1, 0, 0], [0, 1, 0], [0, 1, 1]]),
    ],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_box_flips_are_undone_exactly(flip, matrix, sign):
    lx, ly, lz = 16.0, 8.0, 32.0
    length = ly if flip == "yz" else lx
    before = {"xy": 0.25, "xz": -0.5, "yz": 0.75, flip: sign * 0.59375 * length}
    grown = before | {flip: sign * 0.609375 * length}
    flipped = grown | {flip: grown[flip] - sign * length}
    if flip == "yz":
        flipped["xz"] = grown["xz"] - sign * grown["xy"]
    cell, got = unflipped(cell_of(lx, ly, lz, **flipped), cell_of(lx, ly, lz, **before))
    np.testing.assert_array_equal(cell, cell_of(lx, ly, lz, **grown))
    np.testing.assert_array_equal(got, np.eye(3) + sign * (np.array(matrix) - np.eye(3)))


@pytest.mark.parametrize(
    ("name", "start", "rate"),
    [("flipx", (0.0, 0.0, 0.0), (0.31, -0.17, 0.0)), ("flipy", (3.0, -2.0, 0.0), (0.0, 0.0, 0.23))],
)
def test_flips_that_lammps_made(name, start, rate):
    """Dumps of ``fix deform ... flip yes`` (LAMMPS 22Jul2025): tilts grow evenly, atoms move with the box."""
    path = Path(__file__).parent / "data" / f"{name}.dump"
    previous, at_start, flips = None, None, 0
    for one in open_trajectory(path).read():
        cell, matrix = unflipped(one.cell, one.cell if previous is None else previous)
        flips += not np.array_equal(matrix, np.eye(3))
        tilts = np.array(start) + np.array(rate) * one.timestep
        np.testing.assert_allclose(cell, cell_of(10, 10, 10, *tilts), atol=1e-12)
        s = ((one.position - one.origin) @ np.linalg.inv(cell))[np.argsort(one.id)]
        at_start = s if previous is None else at_start
        np.testing.assert_allclose((s - at_start + 0.5) % 1.0, 0.5, atol=1e-6)
        previous = cell
    assert flips > 10


def test_all_three_flips_at_once_and_again_later():
    rng = np.random.default_rng(5)
    continued = cell_of(10, 12, 14)
    true = continued
    for step in range(60):
        true = cell_of(10, 12, 14, 0.31 * step, 0.23 * step, -0.37 * step)
        a, b, c = true
        c = c - round(c[1] / 12) * (b - round(b[0] / 10) * a)
        b = b - round(b[0] / 10) * a
        c = c - round(c[0] / 10) * a
        written = np.array([a, b, c])
        assert abs(written[1, 0]) <= 5.0 + 1e-9
        continued, matrix = unflipped(written, continued)
        np.testing.assert_allclose(continued, true, atol=1e-9)
        assert round(np.linalg.det(matrix)) == 1
        # The lattice is the same, so wrapped positions are the same points.
        s = rng.random((5, 3)) @ written @ np.linalg.inv(continued)
        back = s @ continued @ np.linalg.inv(written)
        assert np.all(back >= -1e-9)
    assert abs(true[1, 0]) > 10.0


def test_strain_of_the_lengths_is_no_flip():
    before = cell_of(10, 12, 14, 4.9, -4.9, 5.9)
    cell, matrix = unflipped(before * np.array([1.3, 0.8, 1.1]), before)
    np.testing.assert_array_equal(matrix, np.eye(3))
    np.testing.assert_array_equal(cell, before * np.array([1.3, 0.8, 1.1]))


def test_flip_of_a_cell_in_general_orientation():
    turn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))
    turn *= np.sign(np.linalg.det(turn))
    cell, matrix = unflipped(cell_of(10, 12, 14, -4.0) @ turn, cell_of(10, 12, 14, 5.9) @ turn)
    np.testing.assert_allclose(cell, cell_of(10, 12, 14, 6.0) @ turn, atol=1e-12)
    assert matrix[1].tolist() == [1, 1, 0]


@pytest.mark.parametrize("tilt", [4.5, 5.0, 5.5, -4.5])
def test_half_a_box_of_shear_is_not_guessed(tilt):
    with pytest.raises(BadDataError, match="E-BOX-FLIP: the tilt xy"):
        unflipped(cell_of(10, 10, 10, tilt), cell_of(10, 10, 10))


@pytest.fixture
def small():
    rng = np.random.default_rng(11)
    cell = cell_of(7, 8, 9, 1.5, -0.5, 0.75)
    return rng.random((40, 3)) @ cell, cell, rng.integers(0, 2, 40)


@pytest.mark.parametrize("n", [(2, 1, 1), (1, 3, 1), (1, 1, 8), (2, 3, 5)])
def test_copies_of_a_small_cell_are_found(small, n):
    position, cell, species = small
    whole, large = copies_of(position, cell, *n)
    rng = np.random.default_rng(2)
    box = Box(large, np.array([-3.0, 1.0, 0.5]), np.array([True] * 3))
    order = rng.permutation(len(whole))
    noisy = box.wrap(whole + rng.uniform(-1e-3, 1e-3, whole.shape))[order]
    all_species = np.tile(species, len(whole) // 40)[order]
    assert replicated(noisy, box, all_species) == n
    assert replicated(noisy, box) == n
    other = rng.integers(0, 2, len(whole))  # species that are not repeated make it another structure
    assert replicated(noisy, box, other) == (1, 1, 1)
    free = Box(large, box.origin, np.array([False] * 3))
    assert replicated(noisy, free, None) == (1, 1, 1)


def replicated(position, box, species=None):
    """How many copies of a smaller cell stand along each axis, of a frame whose atoms are all held."""
    reduced = box.reduced(position)
    reduced -= np.floor(reduced)
    species = np.zeros(len(reduced), np.int8) if species is None else np.asarray(species)
    probes = copies.probes_of(len(reduced))
    return copies.copies_of(
        copies.Partners(reduced[probes], species[probes]),
        len(reduced),
        np.asarray(box.periodic),
        lambda wanted: copies.partners_met(reduced, species, wanted, box),
    )


def warnings_of(frame, species=None):
    found = replicated(frame.position, Box(frame.cell, frame.origin, frame.periodic), species)
    return oddities(found, frame.resolution, frame.cell, frame.natoms, frame.units)


def test_a_glass_is_no_copy(frames, tmp_path):
    path = tmp_path / "glass.dump"
    path.write_text(frames[0])
    (glass,) = open_trajectory(path).read()
    box = Box(glass.cell, glass.origin, glass.periodic)
    assert replicated(glass.position, box, glass.type) == (1, 1, 1)
    assert warnings_of(glass, glass.type) == ()
    twice, cell = copies_of(glass.position - glass.origin, glass.cell, 2, 1, 1)
    box = Box(cell, np.zeros(3), glass.periodic)
    assert replicated(twice, box, np.tile(glass.type, 2)) == (2, 1, 1)
    moved = twice + np.random.default_rng(4).normal(0, 0.05, twice.shape)
    assert replicated(moved, box, np.tile(glass.type, 2)) == (1, 1, 1)


def test_copies_are_warned_of(small):
    position, cell, _ = small
    whole, large = copies_of(position, cell, 2, 1, 1)
    one = frame(np.arange(1, 81), position=whole, cell=large)
    (warning,) = warnings_of(one)
    assert warning.code == "W-REPLICATED"
    assert "2 x 1 x 1" in warning.text


@pytest.mark.parametrize("n", [12, 14, 18])
def test_rounding_noise_as_drawn(n):
    """D2min of random shells whose coordinates are rounded in both frames; nothing else moves."""
    rng = np.random.default_rng(n)
    r, total, shells = 0.05, 0.0, 4000
    for _ in range(shells):
        bonds = rng.normal(size=(n // 2, 3))
        bonds *= 2.8 / np.linalg.norm(bonds, axis=1)[:, None]
        atoms = np.concatenate([np.zeros((1, 3)), bonds, -bonds]) + rng.uniform(0, 9, 3)
        start = np.rint(atoms / r) * r
        after = np.rint((atoms + rng.uniform(0, 9, 3)) / r) * r  # moved as a whole: rounded otherwise
        x, y = start[1:] - start[0], after[1:] - after[0]
        fit, *_ = np.linalg.lstsq(x, y, rcond=None)
        total += np.sum((y - x @ fit) ** 2)
    assert total / shells == pytest.approx(rounding_noise(r, n), rel=0.03)


@pytest.mark.parametrize(("resolution", "warned"), [(0.1, True), (0.07, True), (0.05, False), (np.nan, False)])
def test_coarse_rounding_is_warned_of(resolution, warned):
    position = np.random.default_rng(0).uniform(0, 10, (50, 3))
    one = replace(frame(np.arange(1, 51), position=position), resolution=resolution)
    assert [w.code for w in warnings_of(one)] == ["W-ROUNDING"] * warned
