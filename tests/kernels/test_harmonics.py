"""Bond-orientational order: exact crystals, twins, the tables, and every NaN rule."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import sph_harm_y

from qsdask.kernels.harmonics import DEGREES, LANES, N_COMPONENT, averaged_components, bond_components, bond_order
from qsdask.kernels.wigner import wigner_3j
from qsdask.testing import lattices
from tests.naive import bond_order as naive

CUBE = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=float)
FCC = np.array([p for p in np.ndindex(3, 3, 3) if sum(k == 1 for k in p) == 1], dtype=float) - 1
SC = np.concatenate([np.eye(3), -np.eye(3)])
ICOSAHEDRON = lattices.icosahedron()[1:]
HCP = next(
    d[(np.linalg.norm(d, axis=1) > 0.1) & (np.linalg.norm(d, axis=1) < 1.1)]
    for p in [lattices.hcp(1.0, 4).position]
    for d in [p - p[np.argmin(np.linalg.norm(p - p.mean(axis=0), axis=1))]]
)

#: Shell -> q_4, q_6, q_8, q_10, w_4, w_6, w_8, w_10, by `naive.by_directions` (which has no w where q is
#: zero); the values of q_4, q_6, w_4 and w_6 are the published ones.
KNOWN = {
    "fcc": (FCC, [0.190941, 0.574524, 0.403915, 0.012857, -0.159317, -0.013161, 0.058455, -0.090130]),
    "bcc": (
        np.concatenate([CUBE, 2 * SC]),
        [0.036370, 0.510688, 0.429322, 0.195191, 0.159317, 0.013161, 0.058455, -0.090130],
    ),
    "sc": (SC, [0.763763, 0.353553, 0.718070, 0.411425, 0.159317, 0.013161, 0.058455, 0.090130]),
    "hcp": (HCP, [0.097222, 0.484762, 0.316992, 0.010169, 0.134097, -0.012442, 0.051259, -0.079851]),
    "icosahedron": (ICOSAHEDRON, [0.0, 0.663325, 0.0, 0.362951, np.nan, -0.169754, np.nan, -0.093968]),
}


def component_of(bond):
    """Components of one atom at the origin with these bonds."""
    n = len(bond)
    position = np.concatenate([np.zeros((1, 3)), np.reshape(bond, (n, 3))])
    return bond_components(position, np.arange(1, n + 1)[None], np.array([n]))


def of_bonds(bond):
    """The eight invariants of one atom with these bonds."""
    return bond_order(component_of(bond))[0]


def gas(n_atom, seed=0, n_slot=20):
    """Points without order, and neighbour lists of 0 to `n_slot` entries."""
    rng = np.random.default_rng(seed)
    position = rng.normal(size=(n_atom, 3)) * 5.0
    count = rng.integers(0, n_slot + 1, n_atom)
    other = (np.arange(n_atom)[:, None] + rng.integers(1, n_atom, (n_atom, n_slot))) % n_atom
    return position, np.where(np.arange(n_slot) < count[:, None], other, -1).astype(np.int32), count


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("seed", [None, 1, 2, 3])
def test_crystals_in_any_orientation(name, seed):
    bond, expected = KNOWN[name]
    rotation = np.eye(3) if seed is None else lattices.random_rotation(seed)
    np.testing.assert_allclose(of_bonds(bond @ rotation.T), expected, rtol=0, atol=6e-7)


def test_rotation_changes_less_than_1e_11():
    bond = np.random.default_rng(3).normal(size=(14, 3))
    expected = of_bonds(bond)
    for seed in range(20):
        turned = of_bonds(3.7 * bond @ lattices.random_rotation(seed).T)
        np.testing.assert_allclose(turned, expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize("turned", [False, True])
def test_turning_the_sign_of_a_bond_changes_nothing(turned):
    bond = np.random.default_rng(4).normal(size=(13, 3))
    other = bond * np.where(np.arange(13) % 2, -1.0, 1.0)[:, None]
    np.testing.assert_allclose(of_bonds(other), of_bonds(bond), rtol=0, atol=1e-13)


def test_components_are_the_harmonics_of_scipy():
    bond = np.random.default_rng(5).normal(size=(11, 3))
    polar = np.arccos(bond[:, 2] / np.linalg.norm(bond, axis=1))
    azimuth = np.arctan2(bond[:, 1], bond[:, 0])
    expected = np.array(
        [
            np.sqrt(4 * np.pi / (2 * degree + 1)) * sph_harm_y(degree, m, polar, azimuth).mean()
            for degree in DEGREES
            for m in range(degree + 1)
        ]
    )
    found = component_of(bond)[0]
    np.testing.assert_allclose(found[:N_COMPONENT] + 1j * found[N_COMPONENT:], expected, rtol=0, atol=2e-14)


@pytest.mark.parametrize("n_bond", [1, 2, 5, 14, 40])
def test_both_twins(n_bond):
    bond = np.random.default_rng(n_bond).normal(size=(n_bond, 3))
    value = of_bonds(bond)
    np.testing.assert_allclose(value, naive.invariants(naive.harmonics(bond)), rtol=0, atol=1e-11)
    np.testing.assert_allclose(value, naive.by_directions(bond), rtol=0, atol=1e-11)


@pytest.mark.parametrize("n_atom", [2, LANES - 1, LANES, 3 * LANES + 7])
def test_every_row_is_that_of_the_twin(n_atom):
    position, neighbour, count = gas(n_atom, seed=n_atom)
    component = bond_components(position, neighbour, count)
    own = [naive.harmonics(position[neighbour[i, : count[i]]] - position[i]) for i in range(n_atom)]
    np.testing.assert_allclose(bond_order(component), [naive.invariants(q) for q in own], rtol=0, atol=1e-10)
    average = averaged_components(component, n_atom, neighbour, count)
    expected = [
        naive.invariants(naive.averaged(own[i], [own[j] for j in neighbour[i, : count[i]]])) for i in range(n_atom)
    ]
    np.testing.assert_allclose(bond_order(average), expected, rtol=0, atol=1e-10)


def test_no_row_depends_on_the_others():
    """Not in the last bit: whoever else is in the block, and wherever the row stands."""
    position, neighbour, count = gas(5 * LANES, seed=9)
    whole = bond_components(position, neighbour, count)
    for first in (0, 1, LANES - 1, LANES + 3):
        rows = np.roll(np.arange(len(position)), -first)
        place = np.argsort(rows)
        mixed = np.where(neighbour[rows] < 0, -1, place[neighbour[rows]])
        component = bond_components(position[rows], mixed[: 2 * LANES + 5], count[rows][: 2 * LANES + 5])
        np.testing.assert_array_equal(component, whole[rows[: 2 * LANES + 5]])
        np.testing.assert_array_equal(bond_order(component), bond_order(whole)[rows[: 2 * LANES + 5]])


def test_average_of_a_crystal_is_that_of_each_atom():
    component = np.repeat(component_of(FCC), 13, axis=0)
    average = averaged_components(component, 1, np.arange(1, 13)[None], np.array([12]))
    np.testing.assert_allclose(bond_order(average), bond_order(component[:1]), rtol=1e-13)


def test_average_of_two_orientations_is_smaller():
    component = np.concatenate([component_of(FCC), component_of(FCC @ lattices.random_rotation(5).T)])
    average = averaged_components(component, 1, np.array([[1]]), np.array([1]))
    assert (bond_order(average)[0, :4] < 0.95 * bond_order(component)[0, :4]).all()


def test_no_neighbours_give_nan():
    position, neighbour = np.eye(3), np.array([[1, -1], [-1, -1], [0, -1]])
    component = bond_components(position, neighbour, np.array([1, 0, 1]))
    value = bond_order(component)
    assert np.isnan(value[1]).all()
    np.testing.assert_allclose(value[[0, 2], :4], 1.0, rtol=1e-14)
    # The neighbour of atom 0 has none itself.
    average = bond_order(averaged_components(component, 3, neighbour, np.array([1, 0, 1])))
    assert np.isnan(average[:2]).all()
    assert np.isfinite(average[2]).all()


@pytest.mark.parametrize("seed", range(4))
def test_no_direction_is_read_from_rounding_errors(seed):
    """q_4 and q_8 of the icosahedron are zero: the ratio w_4 of two rounding errors must not be shown."""
    value = of_bonds(ICOSAHEDRON @ lattices.random_rotation(seed).T)
    assert (value[[0, 2]] < 1e-13).all()
    assert np.isnan(value[[4, 6]]).all()


def test_symbols_of_sympy():
    wigner = pytest.importorskip("sympy.physics.wigner")
    for degree in (4, 10):
        for m1 in range(-degree, degree + 1, 3):
            for m2 in range(-degree, degree + 1):
                expected = (
                    float(wigner.wigner_3j(degree, degree, degree, m1, m2, -m1 - m2)) if abs(m1 + m2) <= degree else 0.0
                )
                assert wigner_3j(degree, m1, m2) == pytest.approx(expected, rel=1e-15, abs=1e-300)


@pytest.mark.parametrize("degree", DEGREES)
def test_symbols_are_orthogonal(degree):
    """The squares of all symbols with one m1 sum to 1 / (2 l + 1)."""
    for m1 in range(-degree, degree + 1):
        total = sum(wigner_3j(degree, m1, m2) ** 2 for m2 in range(-degree, degree + 1))
        assert total == pytest.approx(1.0 / (2 * degree + 1), rel=1e-14)


def test_shapes_that_do_not_fit_are_refused():
    neighbour, count = np.zeros((2, 5), dtype=np.int32), np.zeros(2, dtype=np.int32)
    with pytest.raises(ValueError, match="as many rows"):
        bond_components(np.zeros((3, 3)), neighbour, count[:1])
    with pytest.raises(ValueError, match="as many rows"):
        bond_components(np.zeros((1, 3)), neighbour, count)
    with pytest.raises(ValueError, match="beyond the 2 components"):
        averaged_components(np.zeros((2, 64)), 2, neighbour + 2, count)
    with pytest.raises(ValueError, match=r"shape \(n, 64\)"):
        bond_order(np.zeros((2, 63)))
