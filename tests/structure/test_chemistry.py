"""Chemical order: ordered lattices, the twin on glasses, three species, both forms of the deviation."""

from __future__ import annotations

import numpy as np
import pytest

from qsdask.quantity import medium_range
from qsdask.structure.chemistry import Chemistry
from qsdask.testing import lattices
from tests.naive import census as naive
from tests.structure.blocks import CUTOFF, block_of, glass, of_lattice, shell_of, twin

RULES = ["difference", "warren_cowley"]


@pytest.mark.parametrize("kind", ["bulk", "tilted", "thin", "slab"])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("n_species", [2, 3])
def test_glass(golden, kind, rule, n_species):
    specimen = glass(kind, golden)
    if n_species == 3:
        specimen = specimen._replace(species=np.random.default_rng(1).integers(0, 3, len(specimen.species)))
    species = specimen.species
    composition = np.bincount(species, minlength=n_species) / len(species)
    names = ("Cu", "Zr", "Al")[:n_species]
    value = Chemistry(rule, names, tuple(composition)).compute(block_of(specimen))
    expected = []
    cells = twin(kind, golden)
    for i, near in enumerate(naive.near_rows(*specimen[:3], CUTOFF)):
        row = [float(species[i])]
        if cells[i] is None:
            row += [np.nan] * (2 * n_species)
        else:
            row += naive.chemistry(cells[i].row, species, composition, rule)
        expected.append(row + naive.chemistry(near, species, composition, rule))
    np.testing.assert_allclose(value, expected, rtol=1e-13, atol=1e-14)
    assert np.isnan(value).any() == (kind == "slab")


@pytest.mark.parametrize(
    ("rule", "deviation"), [("difference", [8 / 14 - 0.5, 6 / 14 - 0.5]), ("warren_cowley", [-1 / 7, 1 / 7])]
)
def test_caesium_chloride(rule, deviation):
    """Eight unlike neighbours over hexagons and six like ones over squares; the cut-off holds the same 14."""
    made = lattices.bcc(3.2)
    species = np.tile([0, 1], len(made.position) // 2)
    specimen = of_lattice(made, species)
    value = Chemistry(rule).compute(block_of(specimen))
    shell = np.array([6, 8, *deviation[::-1]])
    np.testing.assert_allclose(value[species == 0], np.tile([0, *shell, *shell], (len(species) // 2, 1)), rtol=1e-13)
    shell = np.array([8, 6, *deviation])
    np.testing.assert_allclose(value[species == 1], np.tile([1, *shell, *shell], (len(species) // 2, 1)), rtol=1e-13)


def test_an_atom_alone_has_no_cell_and_zero_within_the_cutoff():
    value = Chemistry().compute(shell_of(np.empty((0, 3)), 1.0))
    np.testing.assert_array_equal(value, [[0, *[np.nan] * 4, 0, 0, np.nan, np.nan]])


def test_a_species_that_the_alloy_does_not_hold():
    """Its share is exactly its composition, and the ratio of the two is not a number."""
    block = shell_of(np.eye(3), 1.0)
    difference = Chemistry(composition=(1.0, 0.0)).compute(block)
    np.testing.assert_array_equal(difference, [[0, 3, 0, 0, 0, 3, 0, 0, 0]])
    ratio = Chemistry("warren_cowley", composition=(1.0, 0.0)).compute(block)
    np.testing.assert_array_equal(ratio, [[0, 3, 0, 0, np.nan, 3, 0, 0, np.nan]])


def test_species_unknown_to_the_specimen_are_refused(golden):
    block = block_of(glass("bulk", golden))
    with pytest.raises(ValueError, match="species indices"):
        Chemistry(species=("Cu",), composition=(1.0,)).compute(block)


def test_columns_follow_the_species():
    binary = Chemistry(species=("Cu", "Zr"))
    assert [c.name for c in binary.columns] == [
        "sro__species",
        "sro__number_of_cu__voro",
        "sro__number_of_zr__voro",
        "sro__deviation_of_cu__voro",
        "sro__deviation_of_zr__voro",
        "sro__number_of_cu__cutoff",
        "sro__number_of_zr__cutoff",
        "sro__deviation_of_cu__cutoff",
        "sro__deviation_of_zr__cutoff",
    ]
    assert [c.shell for c in binary.columns[1:]] == ["voronoi"] * 4 + ["cutoff"] * 4
    assert len(medium_range(binary)) == 32
    assert len(Chemistry(species=("Cu", "Zr", "Al"), composition=(0.5, 0.3, 0.2)).columns) == 13
