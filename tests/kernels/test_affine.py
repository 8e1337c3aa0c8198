"""D2min against its least-squares twin and against exact statements."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qsdask.kernels.affine import SINGULAR, d2min
from qsdask.kernels.cells import neighbour_shell
from qsdask.testing import lattices
from tests.naive import d2min as naive
from tests.naive.neighbours import neighbours

PERIODIC = np.ones(3, dtype=bool)
ORIGIN = np.zeros(3)


def respond(reference, current, cell, cell_current, periodic=PERIODIC, cutoff=4.0, **options):
    """D2min of all atoms of a whole system; `current` gets the images of the reference block."""
    block = lattices.open_block(reference, cell, ORIGIN, periodic, cutoff)
    shell = neighbour_shell(block.position, block.order, block.n_owned, cutoff)
    return d2min(
        block.position,
        np.asarray(current)[block.row],
        block.n_owned,
        shell.neighbour,
        shell.count,
        cell_reference=cell,
        cell_current=cell_current,
        periodic=periodic,
        **options,
    )


def glassy(repeat=4, seed=1):
    """A heavily perturbed fcc lattice: dense, without symmetry."""
    crystal = lattices.fcc(3.9, repeat)
    return lattices.perturbed(crystal.position, 0.35, seed), crystal.cell


def deformation(seed, size=0.05):
    return np.eye(3) + np.random.default_rng(seed).uniform(-size, size, (3, 3))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_affine_maps_cost_nothing(seed):
    position, cell = glassy()
    map_ = deformation(seed, 0.2)
    cell_current = cell @ map_.T
    # Any periodic image of the current positions will do.
    jump = np.random.default_rng(seed).integers(-2, 3, position.shape)
    d2, state = respond(position, position @ map_.T + 7.0 + jump @ cell_current, cell, cell_current)
    assert not state.any()
    assert d2.max() < 1e-13  # rounding of the neighbours' squared displacements, tens of square angstrom here


@pytest.mark.parametrize("repeat", [(4, 4, 4), (1, 3, 2)], ids=["large", "thinner than two cut-offs"])
@pytest.mark.parametrize("tilted", [False, True])
def test_equals_least_squares(repeat, tilted):
    position, cell = glassy(repeat)
    if tilted:
        shear = np.array([[1.0, 0.3, -0.1], [0.0, 1.0, 0.25], [0.0, 0.0, 1.0]])
        position, cell = lattices.rotate(position, cell, shear)
    map_ = deformation(5)
    cell_current = cell @ map_.T
    current = lattices.perturbed(position @ map_.T, 0.2, seed=6)
    near = [[n[:2] for n in shell] for shell in neighbours(position, cell, PERIODIC, 4.0)]
    expected = naive.d2min(position, current, cell, cell_current, PERIODIC, near)
    d2, state = respond(position, current, cell, cell_current)
    assert not state.any()
    assert expected.min() > 1e-3
    np.testing.assert_allclose(d2, expected, rtol=1e-9)
    mean, _ = respond(position, current, cell, cell_current, mean=True)
    np.testing.assert_allclose(mean, expected / [len(shell) for shell in near], rtol=1e-9)


def test_image_rule_is_the_minimum_image_in_large_boxes():
    position, cell = glassy()
    map_ = deformation(8)
    cell_current = cell @ map_.T
    current = lattices.perturbed(position @ map_.T, 0.3, seed=9)
    d2, _ = respond(position, current, cell, cell_current)
    for i, shell in enumerate(neighbours(position, cell, PERIODIC, 4.0)):
        rows = [n[0] for n in shell]
        pair = naive.minimum_image_bonds(position, current, cell, cell_current, PERIODIC, i, rows)
        assert d2[i] == pytest.approx(naive.fit(*pair), rel=1e-9)


def test_free_sides_have_no_images():
    position, cell = glassy(3)
    periodic = np.array([True, False, True])
    current = lattices.perturbed(position, 0.2, seed=3)
    current[:, 1] *= 1.5  # atoms may leave the cell along a free side
    near = [[n[:2] for n in shell] for shell in neighbours(position, cell, periodic, 4.0)]
    expected = naive.d2min(position, current, cell, cell, periodic, near)
    d2, state = respond(position, current, cell, cell, periodic)
    np.testing.assert_allclose(d2, expected, rtol=1e-9)
    assert not state.any()


def test_rigid_motion_of_either_frame_changes_nothing():
    position, cell = glassy()
    current = lattices.perturbed(position, 0.2, seed=2)
    d2, _ = respond(position, current, cell, cell)
    turned, cell_turned = lattices.rotate(current, cell, lattices.random_rotation(4))
    np.testing.assert_allclose(respond(position, turned + 3.0, cell, cell_turned)[0], d2, rtol=1e-9)
    turned, cell_turned = lattices.rotate(position, cell, lattices.random_rotation(5))
    np.testing.assert_allclose(respond(turned, current, cell_turned, cell)[0], d2, rtol=1e-9)


def test_how_the_work_was_cut_changes_no_bit():
    position, cell = glassy()
    current = lattices.perturbed(position, 0.2, seed=2)
    whole, _ = respond(position, current, cell, cell)
    for rows in np.array_split(np.random.default_rng(0).permutation(len(position)), 3):
        block = lattices.open_block(position, cell, ORIGIN, PERIODIC, 4.0, owned=rows)
        shell = neighbour_shell(block.position, block.order, block.n_owned, 4.0)
        part, _ = d2min(
            block.position,
            current[block.row],
            block.n_owned,
            shell.neighbour,
            shell.count,
            cell_reference=cell,
            cell_current=cell,
            periodic=PERIODIC,
        )
        np.testing.assert_array_equal(part, whole[rows])


def one_shell(bond, after=None):
    """D2min and state of one atom with the given bonds, free sides."""
    reference = np.concatenate([np.zeros((1, 3)), bond])
    current = reference if after is None else np.concatenate([np.zeros((1, 3)), after])
    d2, state = d2min(
        reference,
        current,
        1,
        np.arange(1, len(reference), dtype=np.int32)[None],
        np.array([len(bond)], np.int32),
        cell_reference=20.0 * np.eye(3),
        cell_current=20.0 * np.eye(3),
        periodic=np.zeros(3, bool),
    )
    return d2[0], state[0]


def test_known_number():
    """Six neighbours at ±1 along the axes; pushing the pair along x together by u leaves 2u² of the pair."""
    bond = np.concatenate([np.eye(3), -np.eye(3)])
    after = bond.copy()
    after[[0, 3], 1] += 0.25  # both ends move the same way: no linear map of the bonds does that
    d2, state = one_shell(bond, after)
    assert state == 0
    assert d2 == pytest.approx(2 * 0.25**2, rel=1e-14)


PLANE = np.random.default_rng(3).uniform(-3, 3, (9, 3)) * [1.0, 1.0, 0.0]


@pytest.mark.parametrize(
    "bond",
    [
        np.empty((0, 3)),
        [[1.0, 2.0, 3.0]],
        [[1.0, 2.0, 3.0], [3.0, 0.0, 1.0]],
        np.outer([1.0, 2.0, -1.0, 0.5], [1.0, 2.0, 2.0]),
        PLANE,
        PLANE @ lattices.random_rotation(1).T,
        np.round(PLANE @ lattices.random_rotation(2).T, 5),
    ],
    ids=["none", "one", "two", "line", "plane", "tilted plane", "plane in a text file"],
)
def test_neighbours_without_volume_are_singular(bond):
    bond = np.asarray(bond)
    d2, state = one_shell(bond, bond + 0.1)
    assert np.isnan(d2)
    assert state == SINGULAR
    assert np.isnan(naive.fit(bond, bond + 0.1))


@pytest.mark.parametrize("thickness", [0.01, 0.1, 1.0])
def test_a_flat_shell_is_still_fitted(thickness):
    rng = np.random.default_rng(7)
    bond = rng.uniform(-3, 3, (9, 3)) * [1.0, 1.0, thickness] @ lattices.random_rotation(1).T
    after = bond + rng.normal(0, 0.2, bond.shape)
    d2, state = one_shell(bond, after)
    assert state == 0
    assert d2 == pytest.approx(naive.fit(bond, after), rel=1e-9)


def test_three_neighbours_are_always_affine():
    rng = np.random.default_rng(2)
    d2, state = one_shell(3 * np.eye(3), rng.normal(size=(3, 3)))
    assert state == 0
    assert d2 < 1e-13


def test_lost_atoms_give_nan_around_them():
    position, cell = glassy()
    current = lattices.perturbed(position, 0.2, seed=2)
    current[10] = np.nan
    d2, state = respond(position, current, cell, cell)
    near = neighbours(position, cell, PERIODIC, 4.0)
    touched = [i == 10 or any(n[0] == 10 for n in shell) for i, shell in enumerate(near)]
    np.testing.assert_array_equal(np.isnan(d2), touched)
    assert not state.any()
