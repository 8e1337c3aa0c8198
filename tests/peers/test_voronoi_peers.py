"""Voronoi shells against Qhull, freud (voro++) and OVITO."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qsdask.kernels.tessellate import OPEN, keep_facets, voronoi_shell
from qsdask.testing import lattices
from tests.naive import voronoi as naive

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
REACH = 8.0
ORIGIN = np.zeros(3)
PERIODIC = np.ones(3, dtype=bool)
SHEAR = np.array([[1.0, 0.0, 0.0], [0.3, 1.0, 0.0], [-0.25, 0.4, 1.0]])


@pytest.fixture(scope="module", params=["orthorhombic", "tilted", "thin"])
def glass(request):
    """Positions and cell of a periodic glass: the golden one, the same sheared, and one 5.3 angstrom thin."""
    box = np.loadtxt(GOLDEN / "cuzr256.dump", skiprows=5, max_rows=3)
    length = box[:, 1] - box[:, 0]
    position = np.loadtxt(GOLDEN / "cuzr256.dump", skiprows=9)[:, 2:5] - box[:, 0]
    position -= np.floor(position / length) * length
    cell = np.diag(length)
    if request.param == "tilted":
        return position @ SHEAR, cell @ SHEAR
    if request.param == "thin":
        crystal = lattices.fcc(4.0, (3, 1, 4))
        return lattices.perturbed(crystal.position, 0.4, seed=4), crystal.cell
    return position, cell


def tessellated(position, cell, periodic=PERIODIC):
    block = lattices.open_block(position, cell, ORIGIN, periodic, REACH)
    return block, voronoi_shell(block.position, block.order, block.n_owned, REACH)


def wrapped(position, cell):
    return position - np.floor(position @ np.linalg.inv(cell)) @ cell


def assert_cells_equal(block, shell, cells):
    """Every cell equals its twin: neighbours, distances, areas, edges, volume, vertex radius."""
    for i, cell in enumerate(cells):
        n = shell.count[i]
        slots = shell.neighbour[i, :n]
        found = list(zip(block.row[slots].tolist(), map(tuple, block.image[slots].tolist()), strict=True))
        assert found == cell.neighbour
        np.testing.assert_allclose(shell.distance[i, :n], cell.distance, rtol=1e-12)
        np.testing.assert_allclose(shell.area[i, :n], cell.area, rtol=1e-9, atol=1e-9)
        np.testing.assert_array_equal(shell.edges[i, :n], cell.edges)
        assert shell.volume[i] == pytest.approx(cell.volume, rel=1e-10)
        assert shell.vertex_radius[i] == pytest.approx(cell.vertex_radius, rel=1e-9)


def test_qhull(glass):
    position, cell = glass
    block, shell = tessellated(position, cell)
    assert not shell.state.any()
    assert_cells_equal(block, shell, naive.voronoi_cells(wrapped(position, cell), cell, PERIODIC, REACH))
    assert shell.volume.sum() == pytest.approx(abs(np.linalg.det(cell)), rel=1e-12)


def test_qhull_with_free_surfaces():
    crystal = lattices.fcc(4.0, 4)
    position = lattices.perturbed(crystal.position, 0.3, seed=7) + 1.0
    periodic = np.array([True, False, False])
    block, shell = tessellated(position, crystal.cell, periodic)
    start = block.position[: block.n_owned]
    cells = naive.voronoi_cells(start, crystal.cell, periodic, 2 * REACH)
    # Without atoms beyond the surface a cell is open, or larger than its reach can prove.
    closed = np.flatnonzero(shell.state == 0)
    assert 0 < len(closed) < block.n_owned
    assert all(cells[i] is None for i in np.flatnonzero(shell.state & OPEN))
    part = shell._replace(**{name: getattr(shell, name)[closed] for name in shell._fields})
    assert_cells_equal(block, part, [cells[i] for i in closed])


@pytest.mark.parametrize("sequential", [False, True])
@pytest.mark.parametrize("fraction", [0.05, 0.5])
def test_small_facets(glass, sequential, fraction):
    position, cell = glass
    _, shell = tessellated(position, cell)
    kept = keep_facets(shell, fraction, sequential)
    rule = naive.keep_sequential if sequential else naive.keep_fixed
    dropped = 0
    for i, n in enumerate(shell.count):
        mask = rule(shell.area[i, :n], fraction)
        m = kept.count[i]
        assert m == mask.sum()
        np.testing.assert_array_equal(kept.neighbour[i, :m], shell.neighbour[i, :n][mask])
        np.testing.assert_array_equal(kept.area[i, :m], shell.area[i, :n][mask])
        np.testing.assert_array_equal(kept.edges[i, :m], shell.edges[i, :n][mask])
        assert (kept.neighbour[i, m:] == -1).all()
        dropped += n - m
    assert dropped > 0


def test_facets_are_the_same_from_both_sides(glass):
    position, cell = glass
    block, shell = tessellated(position, cell)
    area = {}
    for i, n in enumerate(shell.count):
        for slot in range(n):
            k = shell.neighbour[i, slot]
            area[i, int(block.row[k]), *block.image[k].tolist()] = shell.area[i, slot]
    largest = max(area.values())
    for (i, j, *image), a in area.items():
        assert area.get((j, i, *(-x for x in image)), 0.0) == pytest.approx(a, abs=1e-9 * largest)


def test_freud(glass, freud):
    position, cell = glass
    heights = 1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    block, shell = tessellated(position, cell)
    box = freud.box.Box.from_matrix(cell.T)
    voronoi = freud.locality.Voronoi().compute((box, position - cell.sum(axis=0) / 2))
    # freud computes in single precision.
    np.testing.assert_allclose(voronoi.volumes, shell.volume, rtol=1e-5)
    nlist = voronoi.nlist
    for i, n in enumerate(shell.count):
        mine = np.zeros(len(position))
        np.add.at(mine, block.row[shell.neighbour[i, :n]], shell.area[i, :n])
        theirs = np.zeros(len(position))
        own = nlist.query_point_indices == i
        np.add.at(theirs, nlist.point_indices[own], nlist.weights[own])
        np.testing.assert_allclose(mine, theirs, atol=2e-4)
        if heights.min() > REACH:
            big = shell.area[i, :n] > 1e-3
            assert big.sum() == (nlist.weights[own] > 1e-3).sum()


@pytest.mark.peers
@pytest.mark.parametrize("tilted", [False, True])
def test_ovito_voronoi_index(tilted):
    pytest.importorskip("ovito")
    from ovito.data import DataCollection
    from ovito.modifiers import VoronoiAnalysisModifier

    crystal = lattices.bcc(3.2, 6)
    position, cell = lattices.perturbed(crystal.position, 0.3, seed=1), crystal.cell
    if tilted:
        position, cell = position @ SHEAR, cell @ SHEAR
    data = DataCollection()
    data.create_cell(np.hstack([cell.T, np.zeros((3, 1))]), (True, True, True))
    data.create_particles(count=len(position)).create_property("Position", data=position)
    data.apply(VoronoiAnalysisModifier(compute_indices=True, edge_threshold=0.0, face_threshold=0.0))
    _, shell = tessellated(position, cell)
    index = np.array(data.particles["Voronoi Index"])
    mine = np.array([np.bincount(e[:n], minlength=40)[1:] for e, n in zip(shell.edges, shell.count, strict=True)])
    np.testing.assert_allclose(data.particles["Atomic Volume"], shell.volume, rtol=1e-9)
    np.testing.assert_array_equal(index, mine[:, : index.shape[1]])
