"""Voronoi indices: bcc, the icosahedron, Qhull on glasses, and facets with more than 7 edges."""

from __future__ import annotations

import numpy as np
import pytest

from qsdask.quantity import medium_range
from qsdask.structure.voronoi_index import VoronoiIndex
from qsdask.testing import lattices
from tests.naive import census as naive
from tests.structure.blocks import block_of, cell_of, cluster, glass, of_lattice, twin


@pytest.mark.parametrize("kind", ["bulk", "tilted", "thin", "slab"])
@pytest.mark.parametrize("fraction", [0.0, 0.05])
@pytest.mark.parametrize("convention", ["paper", "amlearn"])
def test_glass(golden, kind, fraction, convention):
    specimen = glass(kind, golden)
    value = VoronoiIndex(convention).compute(block_of(specimen, fraction))
    cells = twin(kind, golden, fraction)
    np.testing.assert_array_equal(value, [naive.index(cell, convention == "amlearn") for cell in cells])
    assert np.isnan(value).any() == (kind == "slab")


def test_bcc():
    made = lattices.bcc(3.2)
    n = len(made.position)
    specimen = of_lattice(made)
    np.testing.assert_array_equal(VoronoiIndex().compute(block_of(specimen)), np.tile([0, 6, 0, 8, 0], (n, 1)))


def test_icosahedron():
    """The centre's cell is closed by its twelve neighbours, theirs are open."""
    position = lattices.icosahedron(2.5)
    specimen = cluster(position)
    value = VoronoiIndex().compute(block_of(specimen))
    np.testing.assert_array_equal(value[0], [0, 0, 12, 0, 0])
    assert np.isnan(value[1:]).all()


def test_facets_with_more_than_seven_edges_are_left_out_or_taken_as_seven():
    block = cell_of([3, 4, 4, 5, 6, 7, 8, 8, 9])
    np.testing.assert_array_equal(VoronoiIndex().compute(block), [[1, 2, 1, 1, 1]])
    np.testing.assert_array_equal(VoronoiIndex("amlearn").compute(block), [[1, 2, 1, 1, 4]])


def test_columns():
    names = [c.name for c in VoronoiIndex().columns]
    assert names == [f"sro__voronoi_index_n{i}__voro" for i in (3, 4, 5, 6, 7)]
    assert len(medium_range(VoronoiIndex())) == 20


def test_owning_fewer_atoms_changes_no_bit(golden):
    specimen = glass("tilted", golden)
    owned = np.array([200, 3, 17, 90])
    whole = VoronoiIndex().compute(block_of(specimen))
    np.testing.assert_array_equal(VoronoiIndex().compute(block_of(specimen, owned=owned)), whole[owned])
