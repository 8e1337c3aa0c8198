"""Symmetry functions: the inline exponential, the radix sort, the cut of the work, dscribe as a second opinion."""

from __future__ import annotations

import numpy as np
import pytest

from qsdask.kernels import symmetry
from qsdask.kernels.angular_sets import angular_sets
from qsdask.kernels.jit import kernel
from qsdask.kernels.symmetry import fill_ascending, fill_radial, symmetry_functions
from qsdask.testing.lattices import open_block, random_gas
from tests.naive.symmetry import SETS

SIGMA = 2.0
CELL = np.array([[9.0, 0.0, 0.0], [1.5, 8.0, 0.0], [-1.0, 0.7, 10.0]])


def sets(sigma=SIGMA):
    xi, sign, zeta = np.array(SETS).T
    return angular_sets(xi * sigma, sign, zeta)


def functions(block, species, **changes):
    options = {"step": 0.1 * SIGMA, "n_grid": 50, "radial_cutoff": 5 * SIGMA, "angular_cutoff": 2.5 * SIGMA}
    options |= {"sets": sets()} | changes
    return symmetry_functions(block.position, block.order, np.asarray(species)[block.row], block.n_owned, 2, **options)


def periodic_block(n=40, owned=None, reach=5 * SIGMA, seed=4):
    return open_block(random_gas(n, CELL, seed), CELL, np.zeros(3), np.ones(3, bool), reach, owned=owned)


@kernel
def fill_exponential(x, out):
    for k in range(x.shape[0]):
        out[k] = symmetry.exponential(x[k])


def test_exponential_is_good_to_two_ulp():
    x = np.concatenate([np.linspace(-690, 690, 20001), np.linspace(-1, 1, 2001), [0.0, -0.5 * np.log(2)]])
    out = np.empty_like(x)
    fill_exponential(x, out)
    np.testing.assert_allclose(out, np.exp(x), rtol=4.5e-16)
    assert out[-2] == 1.0


@pytest.mark.parametrize("largest", [200, 70_000, 20_000_000])
def test_radix_sort(largest):
    key = np.random.default_rng(1).choice(largest, 150, replace=False).astype(np.int32)
    place, spare = np.empty(150, np.uint32), np.empty(150, np.uint32)
    fill_ascending(key, np.uint64(150), np.uint64(largest), place, spare, np.empty(257, np.uint64))
    np.testing.assert_array_equal(place, np.argsort(key))


def test_one_neighbour_anywhere_between_two_grid_points():
    """Error below 1e-15 of the largest term at every grid point, also at those that are left out."""
    for distance in np.linspace(0.0, 9.99, 1234):
        one, out, place = np.full(16, distance), np.empty(16), np.empty(16, np.int32)
        density = np.zeros((1, 75))
        fill_radial(one, np.zeros(16, np.int32), np.uint64(1), 0.2, symmetry.GAUSS, out, np.empty(16), place, density)
        expected = np.exp(-0.5 * (distance / 0.2 - np.arange(50)) ** 2)
        np.testing.assert_allclose(density[0, symmetry.BEFORE :][:50], expected, rtol=2e-14, atol=4e-20)


def test_cutting_the_work_changes_no_bit():
    species = np.arange(40) % 2
    whole = functions(periodic_block(), species)
    assert np.isfinite(whole).all()
    for part in (np.arange(13), np.arange(13, 40), np.array([39, 2, 17])):
        np.testing.assert_array_equal(functions(periodic_block(owned=part), species), whole[part])
    # More atoms than are needed, and other cells.
    np.testing.assert_array_equal(functions(periodic_block(reach=17.0), species), whole)


def test_width_of_the_cells_changes_no_bit(monkeypatch):
    species = np.arange(40) % 2
    whole = functions(periodic_block(), species)
    for width in (0.5, 4.0):
        monkeypatch.setattr(symmetry, "CELLS_IN_REACH", width)
        np.testing.assert_array_equal(functions(periodic_block(), species), whole)


def test_more_atoms_around_than_there_is_room_for():
    """The room grows: five thousand atoms in one sphere, whose Gaussians add up to the number of atoms."""
    position = np.concatenate([np.zeros((1, 3)), random_gas(5000, np.eye(3) * 3.0, 2, origin=(-1.5,) * 3)])
    block = open_block(position, np.eye(3) * 50, np.full(3, -25.0), np.zeros(3, bool), 10.0, owned=[0])
    value = functions(block, np.zeros(5001, int), sets=angular_sets([], [], []))[0]
    distance = np.linalg.norm(position[1:], axis=1)
    expected = np.exp(-((distance[:, None] - 0.2 * np.arange(50)) ** 2) / 0.08).sum(axis=0)
    np.testing.assert_allclose(value[:50], expected, rtol=1e-12, atol=1e-16)
    assert (value[50:] == 0).all()


def test_angular_cutoff_may_be_the_larger_one():
    block, species = periodic_block(), np.zeros(40, int)
    usual = functions(block, species)
    value = functions(block, species, radial_cutoff=1.5 * SIGMA)
    np.testing.assert_array_equal(value[:, 100:], usual[:, 100:])
    # Two diameters are out of the radial reach, and inside the angular one.
    assert (value[:, 20] < 1e-3).all()
    assert usual[:, 20].mean() > 1


def test_sets_that_share_are_found_and_none_is_lost():
    made = sets(1.0)
    assert len(made.inverse) == 7
    assert len(made.sign) == len(made.zeta) == 6
    for s, column in enumerate(made.column):
        xi, sign, zeta = SETS[column]
        assert 1 / made.inverse[made.width[s]] ** 0.5 == pytest.approx(xi, rel=1e-14)
        assert (made.sign[made.power[s]], made.zeta[made.power[s]]) == (sign, zeta)


@pytest.mark.parametrize(
    ("xi", "sign", "zeta", "message"),
    [
        ([1.0], [1.0, 1.0], [1], "one length"),
        ([0.0], [1.0], [1], "xi must be positive"),
        ([1.0], [1.0], [0], "positive whole number"),
        ([1.0], [1.0], [1.5], "positive whole number"),
    ],
)
def test_parameters_that_mean_nothing_are_refused(xi, sign, zeta, message):
    with pytest.raises(ValueError, match=message):
        angular_sets(xi, sign, zeta)


def test_input_that_means_nothing_is_refused():
    with pytest.raises(ValueError, match="must be positive"):
        functions(periodic_block(), np.zeros(40, int), radial_cutoff=0.0)
    with pytest.raises(ValueError, match="species must be 0 to 1, got 0 to 2"):
        functions(periodic_block(), np.arange(40) % 3)


def test_dscribe_gives_the_same_numbers():
    """A cluster inside all cut-offs; dscribe's smooth cut-off function is 1 where its cut-off is far away."""
    ase = pytest.importorskip("ase")
    descriptors = pytest.importorskip("dscribe.descriptors")
    position = random_gas(14, np.eye(3) * 2.4, 9)
    species = np.arange(14) % 2
    block = open_block(position, np.eye(3) * 90, np.full(3, -45.0), np.zeros(3, bool), 10.0)
    value = functions(block, species)
    acsf = descriptors.ACSF(
        species=["Cu", "Zr"],
        r_cut=1e6,
        g2_params=[[1 / (2 * 0.2**2), 0.2 * k] for k in range(50)],
        g4_params=[[1 / (xi * SIGMA) ** 2, zeta, sign] for xi, sign, zeta in SETS],
        periodic=False,
    )
    theirs = acsf.create(ase.Atoms(np.where(species, "Zr", "Cu"), positions=position))
    # First of each element is dscribe's sum of the cut-off function alone; its G4 has a factor 2**(1 - zeta).
    radial = np.delete(theirs[:, :102], [0, 51], axis=1)
    angular = theirs[:, 102:] * np.tile([2.0 ** (zeta - 1) for _, _, zeta in SETS], 3)
    np.testing.assert_allclose(value, np.hstack([radial, angular]), rtol=1e-9, atol=1e-9)
