"""Voronoi neighbours weighted by their facets: bond order by area, i-fold symmetry by pyramids of radical cells."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import sph_harm_y

from qsdask.errors import UsageError
from qsdask.kernels.harmonics import DEGREES, averaged_components, bond_components, bond_order
from qsdask.kernels.tessellate import voronoi_shell
from qsdask.settings import FeatureSettings
from qsdask.space.block import Shell
from qsdask.stages.features import quantity_of
from qsdask.structure.bond_order import BondOrder
from qsdask.structure.soft_shell import relative_areas
from qsdask.structure.weighted_ifold import WeightedIFold
from qsdask.testing import lattices
from qsdask.testing.blocks import block_of, lattice, specimen
from tests.naive import bond_order as naive

REACH = 9.0
PERIODIC = np.ones(3, dtype=bool)


def solid(noise, seed=5):
    """Positions and cell of an fcc crystal with noise."""
    crystal = lattices.fcc(4.0, 4)
    return lattices.perturbed(crystal.position, noise, seed), crystal.cell


def full_block(position, cell, radius=None):
    """Block of all atoms with complete cells for the owned ones, and the shell's own volumes."""
    block = lattices.open_block(position, cell, np.zeros(3), PERIODIC, REACH)
    per_entry = None if radius is None else radius[block.row]
    cells = voronoi_shell(block.position, block.order, block.n_owned, REACH, radius=per_entry)
    return block, cells


def soft_columns(block, cells, facets="soft"):
    """q and w of the atoms, and coarse-grained; a ghost has the components of the atom whose image it is."""
    shell = Shell(cells.neighbour, cells.count, cells.distance, cells.area)
    weight = relative_areas(shell) if facets == "soft" else None
    component = bond_components(block.position, shell.neighbour, shell.count, weight)
    home = np.where(shell.neighbour < 0, -1, block.row[shell.neighbour])
    average = averaged_components(component, block.n_owned, home, shell.count, weight)
    return bond_order(component), bond_order(average)


def test_against_harmonics_summed_one_by_one():
    position, cell = solid(0.4)
    block, cells = full_block(position, cell)
    own = []
    for i, n in enumerate(cells.count):
        bond = block.position[cells.neighbour[i, :n]] - block.position[i]
        polar = np.arccos(bond[:, 2] / np.linalg.norm(bond, axis=1))
        azimuth = np.arctan2(bond[:, 1], bond[:, 0])
        area = cells.area[i, :n]
        own.append(
            {
                k: np.array([area @ sph_harm_y(k, m, polar, azimuth) for m in range(-k, k + 1)]) / area.sum()
                for k in DEGREES
            }
        )
    short, medium = soft_columns(block, cells)
    for i in range(0, block.n_owned, 16):
        n = cells.count[i]
        area = cells.area[i, :n]
        weight = area * area.sum() / (area**2).sum()
        around = block.row[cells.neighbour[i, :n]]
        mean = {
            k: (own[i][k] + sum(w * own[j][k] for w, j in zip(weight, around, strict=True))) / (1 + weight.sum())
            for k in DEGREES
        }
        np.testing.assert_allclose(short[i], naive.invariants(own[i]), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(medium[i], naive.invariants(mean), rtol=1e-9, atol=1e-12)
    hard, _ = soft_columns(block, cells, "hard")
    assert np.abs(hard - short)[:, :4].max() > 0.05


@pytest.mark.parametrize("tilt", [(0.0, 0.0, 0.0), (0.3, -0.2, 0.4)])
def test_freud_minkowski_structure_metrics(tilt, freud):
    position, cell = solid(0.3)
    xy, xz, yz = tilt
    shear = np.array([[1.0, 0.0, 0.0], [xy, 1.0, 0.0], [xz, yz, 1.0]])
    position, cell = position @ shear, cell @ shear
    system = (freud.box.Box.from_matrix(cell.T), position - cell.sum(axis=0) / 2)
    voronoi = freud.locality.Voronoi().compute(system)
    value, _ = soft_columns(*full_block(position, cell))
    # freud computes in single precision, and w_l divides by the cube of q_l.
    for third, columns, tolerance in ((False, slice(4), 2e-5), (True, slice(4, 8), 5e-4)):
        theirs = freud.order.Steinhardt(list(DEGREES), weighted=True, wl=third, wl_normalize=True)
        theirs.compute(system, neighbors=voronoi.nlist)
        np.testing.assert_allclose(value[:, columns], theirs.particle_order, rtol=0, atol=tolerance)


def test_fcc_with_equal_facets_is_the_same_soft_or_hard():
    block = block_of(lattice("fcc"), ("voronoi", "cutoff"), rings=2)
    hard, soft = BondOrder().compute(block), BondOrder(facets="soft").compute(block)
    np.testing.assert_allclose(soft, hard, rtol=1e-9)
    assert soft[0, 0] == pytest.approx(0.190941, abs=1e-6)


def test_bcc_weighs_squares_and_hexagons_by_their_areas():
    """q_4 of axes and of diagonals are those of the octahedron, 0.7638, and of the cube, -0.5092, in one frame."""
    block = block_of(lattice("bcc"), ("voronoi", "cutoff"), rings=2)
    square, hexagon = 6.0, 8.0 * 1.5 * np.sqrt(3.0)
    octahedron, cube = np.sqrt(7.0 / 12.0), -np.sqrt(7.0 / 27.0)
    expected = abs(square * octahedron + hexagon * cube) / (square + hexagon)
    soft = BondOrder(facets="soft").compute(block)
    np.testing.assert_allclose(soft[:, 0], expected, rtol=1e-9)
    hard = abs(6.0 * octahedron + 8.0 * cube) / 14.0
    np.testing.assert_allclose(BondOrder().compute(block)[:, 0], hard, rtol=1e-9)


def test_soft_values_do_not_jump_where_facets_open():
    """At the vertices of a perfect fcc cell noise opens facets without area: hard values jump, soft ones do not."""
    perfect, _ = soft_columns(*full_block(*solid(0.0)))
    noisy, averaged = soft_columns(*full_block(*solid(1e-4)))
    hard, _ = soft_columns(*full_block(*solid(1e-4)), "hard")
    assert np.abs(noisy[:, :4] - perfect[:, :4]).max() < 1e-3
    assert np.abs(averaged[:, :4] - perfect[:, :4]).max() < 1e-3
    assert np.abs(hard[:, :4] - perfect[:, :4]).max() > 0.05


def test_the_relative_areas_add_up_to_a_coordination_number_without_threshold():
    def number(noise):
        _, cells = full_block(*solid(noise))
        return relative_areas(Shell(cells.neighbour, cells.count, facet_area=cells.area)).sum(axis=1)

    np.testing.assert_allclose(number(0.0), 12.0, rtol=1e-9)
    np.testing.assert_allclose(number(1e-4), 12.0, atol=0.01)
    assert ((number(0.4) > 6.0) & (number(0.4) < 18.0)).all()


def test_the_cutoff_columns_stay_as_they_are_and_empty_slots_change_nothing():
    made = [block_of(specimen("slab"), ("voronoi", "cutoff"), rings=2, more_slots=n) for n in (0, 9)]
    soft = [BondOrder(facets="soft").compute(block) for block in made]
    np.testing.assert_array_equal(*soft)
    hard = BondOrder().compute(made[0])
    cutoff = ["cutoff" in column.name for column in BondOrder.columns]
    np.testing.assert_array_equal(soft[0][:, cutoff], hard[:, cutoff])
    open_cell = made[0].shells["voronoi"].count[: made[0].n_owned] == 0
    assert 0 < open_cell.sum() < made[0].n_owned
    np.testing.assert_array_equal(np.isnan(soft[0][:, 0]), open_cell)


def test_soft_facets_refuse_shells_without_their_small_facets():
    soft = FeatureSettings(set="bond_order", facets="soft")
    with pytest.raises(UsageError, match=r"below 0\.05 of the mean") as error:
        quantity_of("bond_order", soft, {"facet_fraction": 0.05})
    assert error.value.code == "E-SOFT-FACETS"
    assert "--facet-fraction 0" in error.value.hint
    quantity_of("bond_order", soft, {"facet_fraction": 0.0})
    quantity_of("bond_order", FeatureSettings(set="bond_order"), {"facet_fraction": 0.05})


def test_the_choice_is_stored_only_where_it_differs_from_what_was():
    assert "facets" not in FeatureSettings().stored()
    assert FeatureSettings(facets="soft").stored()["facets"] == "soft"
    assert FeatureSettings(**FeatureSettings(facets="soft").stored()).facets == "soft"


def test_pyramids_of_radical_cells_add_up_to_the_cell():
    """By their signed heights: an atom may lie outside its own cell."""
    position, cell = solid(0.4)
    radius = np.random.default_rng(3).choice([0.5, 2.7], len(position))
    block, cells = full_block(position, cell, radius)
    whole = block_of(specimen("glass"), ("voronoi",))
    radical = replace(
        whole,
        n_owned=block.n_owned,
        radius=radius[block.row],
        shells={"voronoi": Shell(cells.neighbour, cells.count, cells.distance, cells.area, cells.edges)},
    )
    found = WeightedIFold(facet_weight="volume", tessellation="radical", convention="amlearn").compute(radical)
    slot = cells.neighbour >= 0
    other = radius[block.row[cells.neighbour]]
    height = (cells.distance**2 + radius[:, None] ** 2 - other**2) / (2 * cells.distance)
    pyramid = np.where(slot, cells.area * height / 3, 0.0)
    assert (pyramid < 0).any()
    closed = cells.state == 0
    assert closed.sum() > len(position) / 2
    np.testing.assert_allclose(pyramid.sum(axis=1)[closed], cells.volume[closed], rtol=1e-9)
    assert np.isnan(found[~closed]).all()
    expected = [
        np.bincount(np.clip(e[s], 3, 7), p[s], minlength=8)[3:] / p.sum()
        for e, s, p in zip(cells.edges[closed], slot[closed], pyramid[closed], strict=True)
    ]
    np.testing.assert_allclose(found[closed], expected, rtol=1e-9, atol=1e-12)


def test_equal_radii_give_the_weights_of_the_plain_tessellation_to_the_last_bit():
    block = block_of(specimen("glass"), ("voronoi",))
    block = replace(block, radius=np.full_like(block.radius, 1.4))
    plain = WeightedIFold(facet_weight="volume").compute(block)
    radical = WeightedIFold(facet_weight="volume", tessellation="radical").compute(block)
    np.testing.assert_array_equal(plain, radical)
