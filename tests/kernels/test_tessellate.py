"""Voronoi cells: exact lattices, conservation laws, scipy, every flag, and independence of the cut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import ConvexHull, Voronoi
from scipy.spatial.transform import Rotation

from qsdask.kernels.tessellate import COINCIDENT, DEGENERATE, OPEN, UNCERTIFIED, keep_facets, voronoi_shell

GOLDEN = Path(__file__).resolve().parents[1] / "golden"

FCC_BASIS = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
LATTICES = {
    # basis, cell (rows), real facets, edges per facet
    "sc": ([[0, 0, 0]], 2.5 * np.eye(3), {4: 6}),
    "bcc": ([[0, 0, 0], [0.5, 0.5, 0.5]], 3.2 * np.eye(3), {4: 6, 6: 8}),
    "fcc": (FCC_BASIS, 3.615 * np.eye(3), {4: 12}),
    "diamond": (np.vstack([FCC_BASIS, FCC_BASIS + 0.25]), 5.43 * np.eye(3), {3: 12, 6: 4}),
    "hcp": (
        [[0, 0, 0], [1 / 3, 2 / 3, 0.5]],
        2.6 * np.array([[1, 0, 0], [-0.5, 0.75**0.5, 0], [0, 0, (8 / 3) ** 0.5]]),
        {4: 12},
    ),
}


def lattice(name, radius=13.0):
    """Sites within `radius` of a central site, the centre first, and the volume of one site."""
    basis, cell, _ = LATTICES[name]
    k = np.arange(-9, 10)
    shift = np.stack(np.meshgrid(k, k, k, indexing="ij"), axis=-1).reshape(-1, 3)
    position = (shift[:, None] + np.asarray(basis)[None]).reshape(-1, 3) @ cell
    distance = np.linalg.norm(position, axis=1)
    position = position[np.argsort(distance, kind="stable")][: (distance < radius).sum()]
    return position, np.linalg.det(cell) / len(basis)


def with_images(position, box, halo):
    """Owned atoms and every periodic image within `halo` of the box; order by (row, image)."""
    times = np.ceil(halo / np.asarray(box)).astype(int)
    images = np.stack(np.meshgrid(*[np.arange(-t, t + 1) for t in times], indexing="ij"), axis=-1).reshape(-1, 3)
    images = images[np.lexsort((*images.T, np.abs(images).sum(1)))]
    every = (position[None] + (images * box)[:, None]).reshape(-1, 3)
    row = np.tile(np.arange(len(position)), len(images))
    image = np.repeat(np.arange(len(images)), len(position))
    near = ((every > -halo) & (every < np.asarray(box) + halo)).all(axis=1)
    every, row, image = every[near], row[near], image[near]
    order = np.empty(len(row), dtype=np.int64)
    order[np.lexsort((image, row))] = np.arange(len(row))
    return every, row, order


@pytest.fixture(scope="module")
def glass():
    """The golden Cu-Zr glass: owned positions, box, positions with images, row of each, order."""
    lines = (GOLDEN / "cuzr256.dump").read_text().splitlines()
    bounds = np.array([line.split() for line in lines[5:8]], dtype=float)
    table = np.array([line.split() for line in lines[9:]], dtype=float)
    table = table[np.argsort(table[:, 0])]
    box = bounds[:, 1] - bounds[:, 0]
    position = (table[:, 2:5] - bounds[:, 0]) % box
    return position, box, *with_images(position, box, 10.0)


@pytest.mark.parametrize("name", LATTICES)
def test_lattices_in_any_orientation(name):
    position, volume = lattice(name)
    for k, rotation in enumerate([np.eye(3), *Rotation.random(8, random_state=3).as_matrix()]):
        turned = position @ rotation.T + np.random.default_rng(k).uniform(-50, 50, 3)
        order = np.random.default_rng(k).permutation(len(position))
        shell = voronoi_shell(turned, order, 1, 13.0)
        assert shell.state[0] == 0
        assert shell.volume[0] == pytest.approx(volume, rel=1e-12)
        n = shell.count[0]
        edges = np.bincount(shell.edges[0, :n])
        assert {k: edges[k] for k in np.flatnonzero(edges)} == LATTICES[name][2]
        for kind in LATTICES[name][2]:
            area = shell.area[0, :n][shell.edges[0, :n] == kind]
            np.testing.assert_allclose(area, area[0], rtol=1e-11)


@pytest.mark.parametrize(("name", "area"), [("sc", 6.25), ("fcc", 3.615**2 / (4 * 2**0.5))])
def test_facet_areas_of_lattices(name, area):
    shell = voronoi_shell(*_ordered(lattice(name)[0]), 1, 13.0)
    np.testing.assert_allclose(shell.area[0, : shell.count[0]], area, rtol=1e-12)


def _ordered(position):
    return position, np.arange(len(position))


@pytest.mark.parametrize(("name", "n_kept"), [("sc", 6), ("bcc", 14), ("fcc", 12), ("hcp", 12), ("diamond", 16)])
def test_kept_facets_of_lattices_rounded_in_a_text_file(name, n_kept):
    """Rounding opens tiny facets at vertices of more than three planes; the filter takes them away."""
    position, _ = lattice(name)
    for k, rotation in enumerate(Rotation.random(10, random_state=1).as_matrix()):
        turned = np.round(position @ rotation.T + k, 5)
        kept = keep_facets(voronoi_shell(*_ordered(turned), 1, 13.0))
        assert kept.count[0] == n_kept


def test_glass_fills_its_box_and_facets_agree(glass):
    position, box, every, row, order = glass
    n = len(position)
    shell = voronoi_shell(every, order, n, 10.0)
    assert (shell.state == 0).all()
    assert shell.volume.sum() == pytest.approx(box.prod(), rel=1e-12)
    facets = {}
    for i in range(n):
        for k in range(shell.count[i]):
            j = shell.neighbour[i, k]
            image = np.rint((every[j] - position[row[j]]) / box).astype(int)
            facets[i, row[j], *image] = shell.area[i, k], shell.edges[i, k], shell.distance[i, k]
    for (i, j, *image), facet in facets.items():
        mirror = facets[j, i, *(-k for k in image)]
        assert facet[1] == mirror[1]
        assert facet[0] == pytest.approx(mirror[0], rel=1e-9, abs=1e-12)
        assert facet[2] == pytest.approx(mirror[2], rel=1e-12)


def test_glass_agrees_with_qhull(glass):
    position, _, every, _, order = glass
    n = len(position)
    shell = voronoi_shell(every, order, n, 10.0)
    qhull = Voronoi(every)
    ridges = [{} for _ in range(n)]
    for (i, j), corners in zip(qhull.ridge_points, qhull.ridge_vertices, strict=True):
        for mine, other in ((i, j), (j, i)):
            if mine < n:
                ridges[mine][other] = corners
    for i in range(n):
        corners = qhull.vertices[qhull.regions[qhull.point_region[i]]]
        assert shell.volume[i] == pytest.approx(ConvexHull(corners).volume, rel=1e-10)
        assert shell.vertex_radius[i] == pytest.approx(np.linalg.norm(corners - every[i], axis=1).max(), rel=1e-10)
        assert set(shell.neighbour[i, : shell.count[i]]) == set(ridges[i])
        for k in range(shell.count[i]):
            ring = qhull.vertices[ridges[i][shell.neighbour[i, k]]]
            fan = np.cross(ring[1:-1] - ring[0], ring[2:] - ring[0]).sum(axis=0)
            assert shell.area[i, k] == pytest.approx(np.linalg.norm(fan) / 2, rel=1e-8, abs=1e-10)
            assert shell.edges[i, k] == len(ring)


def test_gas_with_large_and_small_cells():
    """A Poisson gas: up to forty facets, very small ones, several search radii."""
    position = np.random.default_rng(8).uniform(0, 1, (400, 3)) * [20, 20, 20]
    every, _, order = with_images(position, np.full(3, 20.0), 12.0)
    shell = voronoi_shell(every, order, 400, 12.0)
    assert (shell.state == 0).all()
    assert shell.volume.sum() == pytest.approx(8000.0, rel=1e-12)


def test_slots_ascend_in_order_and_grow(glass):
    _, _, every, _, order = glass
    shell = voronoi_shell(every, order, 256, 10.0, n_slot=3)
    assert shell.neighbour.shape[1] == shell.count.max()
    wide = voronoi_shell(every, order, 256, 10.0, n_slot=40)
    for i in range(256):
        n = shell.count[i]
        assert (np.diff(order[shell.neighbour[i, :n]]) > 0).all()
        assert (shell.neighbour[i, n:] == -1).all()
        assert np.isnan(shell.area[i, n:]).all()
        assert (shell.edges[i, n:] == -1).all()
        np.testing.assert_array_equal(shell.area[i, :n], wide.area[i, :n])


def test_result_does_not_depend_on_ghosts_or_company(glass):
    """Bitwise: other sequence of ghosts, wider halo, one atom alone."""
    position, box, every, _, order = glass
    n = len(position)
    full = voronoi_shell(every, order, n, 10.0)
    turn = np.concatenate([np.arange(n), n + np.random.default_rng(0).permutation(len(every) - n)])
    other = voronoi_shell(every[turn], order[turn], n, 10.0)
    for name in ("area", "distance", "edges", "count", "volume", "vertex_radius", "state"):
        np.testing.assert_array_equal(getattr(full, name), getattr(other, name))
    filled = full.neighbour >= 0
    np.testing.assert_array_equal(full.neighbour[filled], turn[other.neighbour[filled]])
    near, _, near_order = with_images(position, box, 5.5)
    narrow = voronoi_shell(near, near_order, n, 5.5)
    assert (narrow.state == 0).all()
    np.testing.assert_array_equal(narrow.area, full.area)
    np.testing.assert_array_equal(narrow.volume, full.volume)
    for i in (0, 17, 255):
        alone = voronoi_shell(every, order, n, 10.0, select=np.arange(n) == i)
        np.testing.assert_array_equal(alone.area[i], full.area[i])
        assert alone.count.sum() == full.count[i]
        assert np.isnan(np.delete(alone.volume, i)).all()


def test_too_small_a_reach_is_reported_and_enough_changes_nothing(glass):
    position, box, every, _, order = glass
    n = len(position)
    full = voronoi_shell(every, order, n, 10.0)
    near, _, near_order = with_images(position, box, 3.0)
    narrow = voronoi_shell(near, near_order, n, 3.0)
    uncertified = (narrow.state & UNCERTIFIED) > 0
    assert uncertified.any()
    wrong = narrow.volume != full.volume
    assert (uncertified | ~wrong).all()


def test_slab_opens_at_its_surfaces_only():
    """Ten layers of simple cubic, free in z."""
    xy = np.arange(-8, 9)
    position = np.stack(np.meshgrid(xy, xy, np.arange(10), indexing="ij"), axis=-1).reshape(-1, 3) * 2.5
    position = position[np.argsort(np.abs(position[:, :2]).max(axis=1), kind="stable")]
    shell = voronoi_shell(*_ordered(position), 10, np.inf)
    surface = np.isin(position[:10, 2], [0.0, 22.5])
    np.testing.assert_array_equal(shell.state, np.where(surface, OPEN, 0))
    assert np.isnan(shell.volume[surface]).all()
    assert (shell.count[surface] == 0).all()
    assert np.isinf(shell.vertex_radius[surface]).all()
    np.testing.assert_allclose(shell.volume[~surface], 2.5**3, rtol=1e-12)
    assert (shell.count[~surface] == 6).all()


@pytest.mark.parametrize(("reach", "state"), [(np.inf, OPEN), (16.0, OPEN), (8.0, OPEN | UNCERTIFIED)])
@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_few_atoms_are_open(n, reach, state):
    position = np.array([[0.0, 0, 0], [2.5, 0, 0], [0, 2.5, 0], [0, 0, 2.5]])[:n]
    shell = voronoi_shell(*_ordered(position), n, reach)
    assert (shell.state == state).all()
    assert (shell.count == 0).all()


def test_thin_box_has_several_images_of_one_atom_as_neighbours():
    position = np.array([[0.3, 0.4, 0.5]])
    every, row, order = with_images(position, np.array([2.0, 3.0, 2.5]), 14.0)
    shell = voronoi_shell(every, order, 1, 14.0)
    assert shell.state[0] == 0
    assert shell.volume[0] == pytest.approx(15.0, rel=1e-12)
    assert shell.count[0] == 6
    assert (row[shell.neighbour[0, :6]] == 0).all()


@pytest.mark.parametrize("gap", [0.0, 1e-9, 1e-7])
def test_atoms_in_one_place_are_reported(gap):
    position, _ = lattice("fcc")
    position = np.vstack([position, position[0] + [gap, 0, 0]])
    shell = voronoi_shell(*_ordered(position), 2, 13.0)
    assert shell.state[0] == COINCIDENT
    assert shell.count[0] == 0
    assert np.isnan(shell.volume[0])
    assert shell.state[1] == 0


def test_atoms_very_near_but_apart():
    position, volume = lattice("fcc")
    step = np.array([[1e-5, 0, 0]])
    position = np.vstack([position[:1] + step, position[:1] - step, position[1:]])
    shell = voronoi_shell(*_ordered(position), 2, 13.0)
    assert (shell.state == 0).all()
    assert shell.volume.sum() == pytest.approx(volume, rel=2e-5)


def test_hundreds_of_facets():
    """A centre in a hollow shell of atoms: more planes than the first workspace takes."""
    point = np.random.default_rng(3).normal(size=(500, 3))
    point *= 5 / np.linalg.norm(point, axis=1)[:, None]
    position = np.vstack([np.zeros((1, 3)), point])
    shell = voronoi_shell(*_ordered(position), 1, np.inf)
    assert shell.state[0] == 0
    assert shell.count[0] == 500
    # All planes touch one sphere: the volume is a third of radius times surface.
    assert shell.volume[0] == pytest.approx(2.5 * np.nansum(shell.area[0]) / 3, rel=1e-12)


def test_dense_clump_with_a_stray_atom_far_away():
    position = np.vstack([np.random.default_rng(5).uniform(0, 12, (900, 3)), [[3000.0, 3000, 3000]]])
    shell = voronoi_shell(*_ordered(position), 901, np.inf)
    assert shell.state[900] == OPEN
    closed = shell.state == 0
    assert closed.sum() > 400
    assert not (shell.state & DEGENERATE).any()


def test_noise_from_1e_15_to_1e_3_on_a_crystal_never_tears_a_cell():
    position, volume = lattice("fcc", 9.0)
    for exponent in np.arange(-15, -2.5, 0.5):
        for seed in range(8):
            noise = np.random.default_rng(seed).normal(size=position.shape) * 10.0**exponent
            shell = voronoi_shell(*_ordered(position + noise), 1, 9.0)
            assert shell.state[0] == 0
            assert shell.volume[0] == pytest.approx(volume, rel=max(1e-12, 20 * 10.0**exponent))
            assert keep_facets(shell).count[0] == 12


def test_keep_facets_by_the_formula(glass):
    _, _, every, _, order = glass
    shell = voronoi_shell(every, order, 256, 10.0)
    for fraction in (0.0, 0.05, 0.3):
        kept = keep_facets(shell, fraction)
        one_by_one = keep_facets(shell, fraction, sequential=True)
        for i in range(256):
            n = shell.count[i]
            area = shell.area[i, :n]
            stay = area >= fraction * area.sum() / n
            m = kept.count[i]
            np.testing.assert_array_equal(kept.neighbour[i, :m], shell.neighbour[i, :n][stay])
            np.testing.assert_array_equal(kept.edges[i, :m], shell.edges[i, :n][stay])
            left, stay = n, []
            for k in range(n):
                if area[k] < fraction * area.sum() / left:
                    left -= 1
                else:
                    stay.append(k)
            m = one_by_one.count[i]
            np.testing.assert_array_equal(one_by_one.area[i, :m], area[stay])
            assert (one_by_one.neighbour[i, m:] == -1).all()
    np.testing.assert_array_equal(keep_facets(shell, 0.0).area, shell.area)


def test_refuses_what_makes_no_sense():
    position, order = _ordered(lattice("sc")[0])
    with pytest.raises(ValueError, match="reach must be positive"):
        voronoi_shell(position, order, 1, 0.0)
    with pytest.raises(ValueError, match="open_radius must be a positive number"):
        voronoi_shell(position, order, 1, 10.0, open_radius=np.inf)
    with pytest.raises(ValueError, match="fraction must not be negative"):
        keep_facets(voronoi_shell(position, order, 1, 13.0), -0.1)
    broken = position.copy()
    broken[4, 2] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        voronoi_shell(broken, order, 1, 10.0)
