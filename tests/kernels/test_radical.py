"""Radical cells: a brute-force twin, exact numbers, equal radii, empty cells, and independence of the cut."""

from __future__ import annotations

import numpy as np
import pytest

from qsdask.kernels.tessellate import EMPTY, OPEN, UNCERTIFIED, security_radius, voronoi_shell
from qsdask.testing import lattices
from tests.naive.power_diagram import radical_cells

ORIGIN = np.zeros(3)
PERIODIC = np.ones(3, dtype=bool)
SHEAR = np.array([[1.0, 0.0, 0.0], [0.3, 1.0, 0.0], [-0.25, 0.4, 1.0]])
REACH = 9.0


def glass(kind):
    """Positions, radii, cell and periodicity of a disordered alloy."""
    size = {"cube": (2, 2, 3), "tilted": (2, 3, 2), "thin": (3, 1, 4), "slab": (3, 3, 3)}[kind]
    crystal = lattices.fcc(4.0, size)
    position, cell = lattices.perturbed(crystal.position, 0.4, seed=3), crystal.cell
    periodic = PERIODIC
    if kind == "tilted":
        position, cell = position @ SHEAR, cell @ SHEAR
    if kind == "slab":
        periodic = np.array([True, True, False])
        position = position - position.min(axis=0) + 0.5
        cell = cell + np.diag([0.0, 0.0, 3.0])
    radius = np.random.default_rng(5).choice([1.1, 1.4, 1.8], len(position))
    return position, radius, cell, periodic


def tessellated(position, radius, cell, periodic, reach=REACH, **more):
    block = lattices.open_block(position, cell, ORIGIN, periodic, reach)
    return block, voronoi_shell(block.position, block.order, block.n_owned, reach, radius=radius[block.row], **more)


def wrapped(position, cell, periodic):
    return position - np.where(periodic, np.floor(position @ np.linalg.inv(cell)), 0.0) @ cell


@pytest.mark.parametrize("kind", ["cube", "tilted", "thin", "slab"])
def test_cells_equal_those_of_the_brute_force_twin(kind):
    position, radius, cell, periodic = glass(kind)
    reach = 17.0 if kind == "slab" else REACH
    block, shell = tessellated(position, radius, cell, periodic, reach)
    position = wrapped(position, cell, periodic)
    cells = radical_cells(position, radius, cell, periodic, 17.0 if kind == "slab" else 7.0)
    assert not (shell.state & ~np.uint8(OPEN)).any()
    assert (shell.state == OPEN).any() == (kind == "slab")
    for i, twin in enumerate(cells):
        if shell.state[i]:
            assert twin == "open"
            continue
        n = shell.count[i]
        slots = shell.neighbour[i, :n]
        real = shell.area[i, :n] > 1e-10 * shell.area[i, :n].sum()
        found = list(zip(block.row[slots].tolist(), map(tuple, block.image[slots].tolist()), strict=True))
        assert [name for name, keep in zip(found, real, strict=True) if keep] == twin.neighbour
        np.testing.assert_allclose(shell.distance[i, :n][real], twin.distance, rtol=1e-12)
        np.testing.assert_allclose(shell.area[i, :n][real], twin.area, atol=1e-9)
        assert shell.volume[i] == pytest.approx(twin.volume, rel=1e-10)
        assert shell.vertex_radius[i] == pytest.approx(twin.vertex_radius, rel=1e-9)


@pytest.mark.parametrize("kind", ["cube", "tilted", "thin"])
def test_volumes_add_up_to_the_box(kind):
    position, radius, cell, periodic = glass(kind)
    _, shell = tessellated(position, radius, cell, periodic)
    assert not shell.state.any()
    assert shell.volume.sum() == pytest.approx(abs(np.linalg.det(cell)), rel=1e-12)
    _, plain = tessellated(position, np.zeros(len(position)), cell, periodic)
    assert np.abs(shell.volume - plain.volume).max() > 1.0


@pytest.mark.parametrize("kind", ["cube", "tilted", "thin", "slab"])
@pytest.mark.parametrize("radius", [0.3, 1.26, 2.0])
def test_equal_radii_give_the_plain_cells_to_the_last_bit(kind, radius):
    position, _, cell, periodic = glass(kind)
    block, shell = tessellated(position, np.full(len(position), radius), cell, periodic)
    plain = voronoi_shell(block.position, block.order, block.n_owned, REACH)
    for a, b in zip(shell, plain, strict=True):
        np.testing.assert_array_equal(a, b)


def test_rock_salt_has_known_cells():
    """Simple cubic sites of two kinds in turn: all cells are cubes, that of the larger kind the larger."""
    grid = np.stack(np.meshgrid(*[np.arange(2)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    edge, large, small = 2.5, 1.5, 1.0
    radius = np.where(grid.sum(axis=1) % 2 == 0, large, small)
    _, shell = tessellated(grid * edge, radius, 2 * edge * np.eye(3), PERIODIC)
    half = (edge**2 + radius**2 - (large + small - radius) ** 2) / (2 * edge)
    # The facets to the six nearest would make cubes of these halves; second neighbours, of their own kind, stand
    # at edge / sqrt(2) along a face diagonal, and cut the larger cube along its edges.
    assert half[radius == large][0] > edge / 2 > half[radius == small][0]
    np.testing.assert_allclose(shell.volume[radius == small], (2 * half[radius == small]) ** 3, rtol=1e-12)
    assert (shell.count[radius == small] == 6).all()
    assert (shell.count[radius == large] == 18).all()
    total = 4 * (2 * half[radius == small][0]) ** 3 + 4 * shell.volume[radius == large][0]
    assert total == pytest.approx((2 * edge) ** 3, rel=1e-12)


def test_an_atom_may_lie_outside_its_own_cell():
    """On a line of atoms, the plane of the large one lies behind its small neighbour."""
    x = np.array([0.0, 1.0, 4.0])
    radius = np.array([2.0, 1.0, 1.0])
    cell = np.diag([8.0, 3.0, 3.0])
    position = np.c_[x, np.full((3, 2), 1.5)]
    _, shell = tessellated(position, radius, cell, PERIODIC)
    # Planes at x = (1 + 4 - 1) / 2 = 2 from the large atom, beyond the small one, and half-way to the next.
    assert shell.volume[1] == pytest.approx((2.5 - 2.0) * 9.0, rel=1e-12)
    assert shell.volume.sum() == pytest.approx(72.0, rel=1e-12)
    assert not shell.state.any()


def test_a_small_atom_deep_in_a_large_one_has_no_cell():
    position, radius, cell, periodic = glass("cube")
    radius[0] = 2.2
    position = np.vstack([position, position[0] + [0.4, 0.2, 0.0]])
    radius = np.append(radius, 0.5)
    block, shell = tessellated(position, radius, cell, periodic)
    twin = radical_cells(wrapped(position, cell, periodic), radius, cell, periodic, 7.0)
    assert twin[-1] == "empty"
    assert shell.state[-1] == EMPTY
    assert (shell.state[:-1] == 0).all()
    assert shell.count[-1] == 0
    assert np.isnan(shell.volume[-1])
    assert np.nansum(shell.volume) == pytest.approx(np.linalg.det(cell), rel=1e-12)
    assert not np.isin(block.row[shell.neighbour[shell.neighbour >= 0]], len(position) - 1).any()


@pytest.mark.parametrize("seed", range(5))
def test_very_different_radii_fill_the_box(seed):
    """Planes behind atoms and empty cells in numbers."""
    rng = np.random.default_rng(seed)
    position, cell = rng.uniform(0, 11, (120, 3)), 11.0 * np.eye(3)
    radius = rng.uniform(0.0, 2.5, 120)
    _, shell = tessellated(position, radius, cell, PERIODIC, 11.0)
    cells = radical_cells(position, radius, cell, PERIODIC, 11.0)
    assert (shell.state == EMPTY).sum() > 5
    np.testing.assert_array_equal(shell.state == EMPTY, [twin == "empty" for twin in cells])
    assert not (shell.state & ~np.uint8(EMPTY)).any()
    assert np.nansum(shell.volume) == pytest.approx(11.0**3, rel=1e-12)
    for i in np.flatnonzero(shell.state == 0):
        assert shell.volume[i] == pytest.approx(cells[i].volume, rel=1e-9, abs=1e-9)


def test_the_certificate_knows_of_larger_atoms_beyond_the_reach():
    position, _, cell, periodic = glass("cube")
    small = np.full(len(position), 1.1)
    _, shell = tessellated(position, small, cell, periodic, 5.6, largest_radius=1.1)
    largest = shell.vertex_radius.max()
    assert 2 * largest < 5.6
    assert not shell.state.any()
    _, wary = tessellated(position, small, cell, periodic, 5.6, largest_radius=4.0)
    unproven = security_radius.py_func(shell.vertex_radius, 4.0**2 - 1.1**2) > 5.6
    assert unproven.any()
    np.testing.assert_array_equal(wary.state, np.where(unproven, UNCERTIFIED, 0))
    np.testing.assert_array_equal(wary.volume, shell.volume)


def test_atoms_beyond_the_security_radius_and_their_order_change_no_bit():
    position, radius, cell, periodic = glass("tilted")
    block, shell = tessellated(position, radius, cell, periodic, 12.0)
    _, small = tessellated(position, radius, cell, periodic, 6.5)
    proven = small.state == 0
    assert proven.sum() > len(position) / 2
    np.testing.assert_array_equal(small.volume[proven], shell.volume[proven])
    np.testing.assert_array_equal(small.vertex_radius[proven], shell.vertex_radius[proven])
    for i in np.flatnonzero(proven):
        np.testing.assert_array_equal(small.area[i, : small.count[i]], shell.area[i, : shell.count[i]])
    for i in range(0, len(position), 7):
        alone = voronoi_shell(
            block.position,
            block.order,
            block.n_owned,
            12.0,
            radius=radius[block.row],
            select=np.arange(block.n_owned) == i,
        )
        assert alone.volume[i] == shell.volume[i]


def test_refuses_radii_that_make_no_sense():
    position, order = np.random.default_rng(1).uniform(0, 9, (20, 3)), np.arange(20)
    with pytest.raises(ValueError, match="radius must have shape"):
        voronoi_shell(position, order, 20, np.inf, radius=np.ones(19))
    for radius, largest in ((np.full(20, -1.0), None), (np.full(20, np.nan), None), (np.ones(20), 0.5)):
        with pytest.raises(ValueError, match="radii must be numbers from 0"):
            voronoi_shell(position, order, 20, np.inf, radius=radius, largest_radius=largest)
