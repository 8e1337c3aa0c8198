"""Voronoi indices, i-fold symmetry and motifs of a glass against OVITO and freud (voro++)."""

from __future__ import annotations

import numpy as np
import pytest

from qsdask.structure.ifold import IFold
from qsdask.structure.motif import Motif
from qsdask.structure.voronoi_index import VoronoiIndex
from tests.structure.blocks import block_of, glass

#: Share of the mean facet area.
SMALL = 1e-4


@pytest.mark.parametrize("kind", ["bulk", "tilted"])
def test_freud_cells_have_the_same_indices(golden, kind, freud):
    """freud gives the corners of every cell: those of a facet lie in the plane half-way to the neighbour.

    In single precision it does not list the neighbours behind the very smallest facets, so these are dropped.
    """
    specimen = glass(kind, golden)
    middle = specimen.cell.sum(axis=0) / 2
    box = freud.box.Box.from_matrix(specimen.cell.T)
    voronoi = freud.locality.Voronoi().compute((box, specimen.position - middle))
    nlist = voronoi.nlist
    expected = np.zeros((len(specimen.position), 5))
    for i, corner in enumerate(voronoi.polytopes):
        centre = box.wrap(specimen.position[i] - middle)
        own = nlist.query_point_indices == i
        area = nlist.weights[own]
        bond = nlist.vectors[own][area > SMALL * area.mean()]
        height = (corner - centre) @ bond.T / (bond**2).sum(axis=1)
        edges = (np.abs(height - 0.5) < 2e-5).sum(axis=0)
        expected[i] = np.bincount(np.clip(edges, 3, 8), minlength=9)[3:8]
    np.testing.assert_array_equal(VoronoiIndex().compute(block_of(specimen, SMALL)), expected)


@pytest.mark.peers
@pytest.mark.parametrize("kind", ["bulk", "tilted"])
def test_ovito_has_the_same_indices(golden, kind):
    pytest.importorskip("ovito")
    from ovito.data import DataCollection
    from ovito.modifiers import VoronoiAnalysisModifier

    specimen = glass(kind, golden)
    data = DataCollection()
    data.create_cell(np.hstack([specimen.cell.T, np.zeros((3, 1))]), (True, True, True))
    data.create_particles(count=len(specimen.position)).create_property("Position", data=specimen.position)
    data.apply(VoronoiAnalysisModifier(compute_indices=True, edge_threshold=0.0, face_threshold=0.0))
    index = np.array(data.particles["Voronoi Index"], dtype=float)
    theirs, more = index[:, 2:7], index[:, 7:].sum(axis=1)
    assert more.any()
    block = block_of(specimen, 0.0, rings=2)
    first = block.shells["voronoi"]
    np.testing.assert_array_equal(first.count[: block.n_owned], data.particles["Coordination"])
    one_ring = block_of(specimen, 0.0)
    np.testing.assert_array_equal(VoronoiIndex().compute(one_ring), theirs)
    beyond = theirs.copy()
    beyond[:, 4] += more
    np.testing.assert_array_equal(VoronoiIndex("amlearn").compute(one_ring), beyond)
    average = np.zeros_like(theirs)
    for i in range(block.n_owned):
        average[i] = theirs[i] + theirs[block.row[first.neighbour[i, : first.count[i]]]].sum(axis=0)
    expected = [n / n.sum(axis=1, keepdims=True) for n in (theirs, average)]
    np.testing.assert_allclose(IFold().compute(block), np.concatenate(expected, axis=1), rtol=1e-14)
    is_fk = [tuple(n) in {(0, 0, 12, k, 0) for k in (0, 2, 3, 4)} for n in beyond]
    np.testing.assert_array_equal(Motif("strict").compute(one_ring)[:, 3], is_fk)
