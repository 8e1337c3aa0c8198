"""Radical shells against OVITO (voro++ with radii) and against the lower hull of lifted points, by Qhull."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import ConvexHull

from qsdask.kernels.tessellate import voronoi_shell
from qsdask.testing import lattices

ORIGIN = np.zeros(3)
PERIODIC = np.ones(3, dtype=bool)
REACH = 9.0
SHEAR = np.array([[1.0, 0.0, 0.0], [0.3, 1.0, 0.0], [-0.25, 0.4, 1.0]])
RADII = {"copper and zirconium": (1.26, 1.58), "small and large": (0.7, 2.0)}


@pytest.fixture(params=[False, True], ids=["cube", "tilted"])
def glass(request):
    """Positions and cell of a disordered solid."""
    crystal = lattices.bcc(3.2, 6)
    position, cell = lattices.perturbed(crystal.position, 0.4, seed=1), crystal.cell
    return (position @ SHEAR, cell @ SHEAR) if request.param else (position, cell)


def radii(position, pair):
    """Radii in single precision, which is all that OVITO keeps of them."""
    return np.random.default_rng(2).choice(np.float32(RADII[pair]), len(position)).astype(np.float64)


def tessellated(position, radius, cell):
    block = lattices.open_block(position, cell, ORIGIN, PERIODIC, REACH)
    shell = voronoi_shell(block.position, block.order, block.n_owned, REACH, radius=radius[block.row])
    assert not shell.state.any()
    return block, shell


@pytest.mark.peers
@pytest.mark.parametrize("pair", RADII)
def test_ovito_volumes_indices_and_neighbours(glass, pair):
    pytest.importorskip("ovito")
    from ovito.data import DataCollection
    from ovito.modifiers import VoronoiAnalysisModifier

    position, cell = glass
    tilted = bool(cell[1, 0])
    if tilted and pair == "small and large":
        pytest.skip("OVITO stops its search too early here: its volumes exceed the box by 1e-7")
    radius = radii(position, pair)
    data = DataCollection()
    data.create_cell(np.hstack([cell.T, np.zeros((3, 1))]), (True, True, True))
    particles = data.create_particles(count=len(position))
    particles.create_property("Position", data=position)
    particles.create_property("Radius", data=radius)
    analysis = VoronoiAnalysisModifier(
        use_radii=True, compute_indices=True, generate_bonds=True, edge_threshold=0.0, face_threshold=0.0
    )
    data.apply(analysis)
    block, shell = tessellated(position, radius, cell)
    # In tilted cells OVITO squares the radii in single precision too.
    np.testing.assert_allclose(data.particles["Atomic Volume"], shell.volume, rtol=1e-7 if tilted else 1e-12)
    index = np.array(data.particles["Voronoi Index"])
    mine = np.array([np.bincount(e[:n], minlength=40)[1:] for e, n in zip(shell.edges, shell.count, strict=True)])
    np.testing.assert_array_equal(index, mine[:, : index.shape[1]])
    pairs = np.sort(np.array(data.particles.bonds["Topology"]), axis=1)
    centre, slot = np.nonzero(shell.neighbour >= 0)
    mine = np.sort(np.c_[centre, block.row[shell.neighbour[centre, slot]]], axis=1)
    # Every facet once there, from both sides here.
    np.testing.assert_array_equal(pairs[np.lexsort(pairs.T)].repeat(2, axis=0), mine[np.lexsort(mine.T)])


@pytest.mark.parametrize("pair", RADII)
def test_neighbours_are_the_edges_of_the_lower_hull_of_the_lifted_points(glass, pair):
    """Aurenhammer's lifting: the points (x, |x|^2 - R^2) have the dual of the power diagram as their lower hull."""
    position, cell = glass
    radius = radii(position, pair)
    block, shell = tessellated(position, radius, cell)
    point = block.position - block.position[: block.n_owned].mean(axis=0)
    lift = (point**2).sum(axis=1) - radius[block.row] ** 2
    hull = ConvexHull(np.c_[point, lift])
    lower = hull.simplices[hull.equations[:, 3] < 0]
    edges = np.unique(np.concatenate([lower[:, [i, j]] for i in range(4) for j in range(4) if i != j]), axis=0)
    inner = edges[edges[:, 0] < block.n_owned]
    mine = np.array([(i, shell.neighbour[i, slot]) for i, n in enumerate(shell.count) for slot in range(n)])
    np.testing.assert_array_equal(inner, mine[np.lexsort((mine[:, 1], mine[:, 0]))])
