"""Coordination numbers: lattices, Qhull and brute force on glasses, free surfaces."""

from __future__ import annotations

import numpy as np
import pytest

from qsdask.quantity import medium_range
from qsdask.structure.coordination import Coordination
from qsdask.testing import lattices
from tests.naive import census as naive
from tests.structure.blocks import CUTOFF, block_of, glass, of_lattice, shell_of, twin


@pytest.mark.parametrize("kind", ["bulk", "tilted", "thin", "slab"])
@pytest.mark.parametrize("fraction", [0.0, 0.05])
def test_glass(golden, kind, fraction):
    specimen = glass(kind, golden)
    value = Coordination().compute(block_of(specimen, fraction))
    cells = twin(kind, golden, fraction)
    expected = [np.nan if cell is None else len(cell.row) for cell in cells]
    np.testing.assert_array_equal(value[:, 0], expected)
    np.testing.assert_array_equal(value[:, 1], [len(r) for r in naive.near_rows(*specimen[:3], CUTOFF)])
    assert np.isnan(value[:, 0]).any() == (kind == "slab")


@pytest.mark.parametrize(("made", "near"), [(lattices.bcc(3.2), 14), (lattices.fcc(4.0), 12), (lattices.sc(2.5), 18)])
def test_lattices(made, near):
    """bcc has 14 facets; the corners of fcc and sc cells open tiny facets only when atoms move."""
    n = len(made.position)
    specimen = of_lattice(made)
    value = Coordination().compute(block_of(specimen))
    np.testing.assert_array_equal(value, np.tile([{18: 6}.get(near, near), near], (n, 1)))


def test_an_atom_alone_has_no_cell_and_no_one_within_the_cutoff():
    value = Coordination().compute(shell_of(np.empty((0, 3)), 1.0))
    np.testing.assert_array_equal(value, [[np.nan, 0]])


def test_columns():
    quantity = Coordination()
    assert [c.shell for c in quantity.columns] == ["voronoi", "cutoff"]
    assert [c.nan for c in quantity.columns] == ["no Voronoi cell", "never"]
    assert len(medium_range(quantity)) == 8


def test_owning_fewer_atoms_changes_no_bit(golden):
    specimen = glass("tilted", golden)
    owned = np.array([200, 3, 17, 90])
    whole = Coordination().compute(block_of(specimen))
    np.testing.assert_array_equal(Coordination().compute(block_of(specimen, owned=owned)), whole[owned])
