"""Symmetry functions: the contract, lattices by hand, the twin written from the formula, awkward cells."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from qsdask.errors import UsageError
from qsdask.space.box import Box
from qsdask.structure.symmetry_function import SymmetryFunction
from qsdask.testing import FeatureSetTests
from qsdask.testing.blocks import FACTS, Specimen, block_of, specimen
from tests.naive import symmetry as naive

#: Half the radii of the glass: the twin, which takes all pairs, then has a few seconds' work.
SMALL = SymmetryFunction(**{**FACTS, "radius": (0.7, 0.9)})


class TestPaper(FeatureSetTests):
    quantity = SymmetryFunction(**FACTS)
    #: Lattice constant 4 angstrom, diameter 2.52: the first two shells alone are near one diameter.
    golden: ClassVar = {
        ("fcc", "sro__symmetry_radial_cu_r10__cutoff"): 12 * np.exp(-((8**0.5 - 2.52) ** 2) / (2 * 0.252**2))
        + 6 * np.exp(-((4 - 2.52) ** 2) / (2 * 0.252**2)),
        ("fcc", "sro__symmetry_radial_zr_r10__cutoff"): 0.0,
    }


class TestAmlearn(FeatureSetTests):
    quantity = SymmetryFunction(reach_kind="amlearn", **FACTS)


def compute(quantity, found, owned=None):
    return quantity.compute(block_of(found, (), reach=quantity.reach, owned=owned))


def by_formula(quantity, found, centres=slice(None)):
    """All columns of some atoms from the twin."""
    sigma = 2 * quantity.radius[0]
    far = 5 * sigma if quantity.reach_kind == "paper" else 2.5 * sigma
    return naive.symmetry_functions(
        found.position,
        found.box.cell,
        found.box.periodic,
        found.species,
        len(quantity.species),
        sigma,
        far,
        2.5 * sigma,
        centres,
    )


@pytest.mark.parametrize("name", ["tilted", "thin", "slab"])
@pytest.mark.parametrize("kind", ["paper", "amlearn"])
def test_twin_written_from_the_formula(name, kind):
    """A tilted cell, a box thinner than two reaches, free surfaces."""
    quantity, found = replace(SMALL, reach_kind=kind), specimen(name)
    assert name != "thin" or found.box.cell[0, 0] < 2 * quantity.reach
    value, expected = compute(quantity, found), by_formula(quantity, found)
    assert value.shape == expected.shape == (len(found.position), 166)
    np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-14 * np.abs(expected).max())


def test_twin_in_a_crowded_sphere():
    """With its real radii the glass has some sixty neighbours inside the angular cut-off."""
    quantity, found = TestPaper.quantity, specimen("tilted")
    some = np.array([3, 50])
    value, expected = compute(quantity, found, owned=some), by_formula(quantity, found, some)
    np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-14 * np.abs(expected).max())


def test_three_species_have_six_pairs():
    """Columns follow the species, and the pairs stand in the order of their columns."""
    found = specimen("tilted")
    found = found._replace(species=(np.arange(len(found.species)) % 3).astype(np.int16), radius=np.ones(3))
    quantity = SymmetryFunction("amlearn", ("Cu", "Zr", "Al"), (0.4, 0.3, 0.3), (0.7, 0.9, 0.8))
    assert len(quantity.columns) == 3 * 50 + 6 * 22
    names = [column.name for column in quantity.columns]
    assert names[150 + 2 * 22] == "sro__symmetry_angular_cu_al_s00__cutoff"
    assert names[150 + 3 * 22] == "sro__symmetry_angular_zr_zr_s00__cutoff"
    expected = by_formula(quantity, found)
    np.testing.assert_allclose(compute(quantity, found), expected, rtol=1e-12, atol=1e-14 * np.abs(expected).max())


def cluster(position, species=None):
    """Atoms in open space."""
    position = np.asarray(position, dtype=float)
    box = Box(np.eye(3) * 200.0, np.full(3, -100.0), np.array([False] * 3))
    species = np.zeros(len(position), np.int16) if species is None else np.asarray(species, np.int16)
    return Specimen(position, box, species, np.array([1.0, 1.0]), np.arange(1, len(position) + 1))


def test_right_angle_by_hand():
    """Two neighbours at one and two diameters, at 90 degrees: cos = 0 and the three squares are 1 + 4 + 5."""
    quantity = SymmetryFunction()
    value = compute(quantity, cluster([[0, 0, 0], [2, 0, 0], [0, 4, 0]], [0, 0, 1]))[0]
    columns = dict(zip((c.name for c in quantity.columns), value, strict=True))
    for k in range(50):
        expected = np.exp(-((k - 10) ** 2) / 2)
        assert columns[f"sro__symmetry_radial_a_r{k:02d}__cutoff"] == pytest.approx(expected, rel=1e-12, abs=1e-18)
    for k, (xi, _, _) in enumerate(naive.SETS):
        assert columns[f"sro__symmetry_angular_a_b_s{k:02d}__cutoff"] == pytest.approx(np.exp(-10 / xi**2), rel=1e-12)
        assert columns[f"sro__symmetry_angular_a_a_s{k:02d}__cutoff"] == 0.0


def test_fcc_sums_over_its_shells():
    """12 neighbours at one diameter, 6 at sqrt 2, 24 at sqrt 3, 12 at 2, 24 at sqrt 5, 8 at sqrt 6 inside 2.5."""
    a = 2 * np.sqrt(2)
    grid = np.array([p for p in np.ndindex(9, 9, 9) if sum(p) % 2 == 0]) - 4.0
    centre = np.flatnonzero((grid == 0).all(axis=1))
    quantity = SymmetryFunction("amlearn", ("A",), (1.0,), (1.0,))
    value = compute(quantity, cluster(grid * a / 2), owned=centre)[0]
    assert len(value) == 50 + 22
    r = 0.1 * np.arange(50)
    expected = sum(
        n * np.exp(-((np.sqrt(s) - r) ** 2) / 0.02)
        for s, n in zip((1, 2, 3, 4, 5, 6), (12, 6, 24, 12, 24, 8), strict=True)
    )
    np.testing.assert_allclose(value[:50], expected, rtol=1e-10, atol=1e-15)


def test_cutoffs_are_open_and_differ():
    """A neighbour between 2.5 and 5 diameters counts in the radial functions of the paper's kind only."""
    found = cluster([[0, 0, 0], [1.9, 0, 0], [0, 6.0, 0], [0, 0, 10.0]])
    paper, amlearn = (
        compute(SymmetryFunction(kind, ("A",), (1.0,), (1.0,)), found)[0] for kind in ("paper", "amlearn")
    )
    assert paper[30] == pytest.approx(1.0, rel=1e-12)
    assert amlearn[30] == 0.0
    # Exactly at the cut-off: not a neighbour.
    assert paper[49] == 0.0
    assert (paper[50:] == 0).all()
    assert (amlearn[50:] == 0).all()


def test_majority_gives_the_unit_of_length():
    assert SymmetryFunction("paper", ("Cu", "Zr"), (0.35, 0.65), (1.26, 1.58)).sigma == 3.16
    assert SymmetryFunction("paper", ("Cu", "Zr"), (0.5, 0.5), (1.26, 1.58)).sigma == 2.52
    assert SymmetryFunction("paper", radius=(1.26, 1.58)).reach == pytest.approx(12.6)
    assert SymmetryFunction("amlearn", radius=(1.26, 1.58)).reach == pytest.approx(6.3)


def test_a_reference_element_gives_the_unit_of_length_whatever_the_composition():
    poor, rich = (
        SymmetryFunction("paper", ("Cu", "Zr"), share, (1.26, 1.58), reference="Zr")
        for share in ((0.6, 0.4), (0.4, 0.6))
    )
    assert poor.sigma == rich.sigma == 3.16
    found = specimen("tilted")
    np.testing.assert_array_equal(compute(poor, found), compute(rich, found))
    with pytest.raises(UsageError, match="reference element 'Al'"):
        SymmetryFunction("paper", ("Cu", "Zr"), (0.5, 0.5), (1.26, 1.58), reference="Al")


def test_alone_is_nan_but_a_sum_over_no_pair_is_zero():
    quantity = SymmetryFunction()
    value = compute(quantity, cluster([[0, 0, 0], [50, 0, 0], [52, 0, 0]]))
    assert np.isnan(value[0]).all()
    assert not np.isnan(value[1:]).any()
    assert (value[1:, 100:] == 0).all()
