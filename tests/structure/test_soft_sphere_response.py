"""The soft-sphere response as a set: golden numbers, the slow twin, crystals, surfaces, and rotation with the loads."""

from __future__ import annotations

import numpy as np
import pytest

import qsdask
from qsdask.quantity import medium_range
from qsdask.space.box import Box
from qsdask.structure.soft_sphere_response import SoftSphereResponse
from qsdask.testing.blocks import Specimen, block_for, gas, lattice, specimen
from qsdask.testing.lattices import fcc
from tests.naive import soft_spheres as naive
from tests.responses import GOLDEN_ATOMS, by_id, first_frame_of

SET = SoftSphereResponse()
NAMES = [column.name.removeprefix("sro__soft_sphere_") for column in SET.columns]


def values(found: Specimen, quantity: SoftSphereResponse = SET) -> np.ndarray:
    return quantity(block_for(found, quantity))


def test_golden_numbers_of_a_shipped_glass(golden, frames, tmp_path, few):
    """Short range and both averages, to the digits of single precision."""
    expected = np.load(golden / "soft_sphere_response_cu65a.npz")
    store = first_frame_of(frames, tmp_path, few)
    qsdask.features(store, set="soft_sphere_response", run=few)
    name, value = by_id(store, "soft_sphere_response", expected["id"])
    assert name == [column.name for column in (*SET.columns, *medium_range(SET))]
    np.testing.assert_allclose(value, expected["smooth"], rtol=0, atol=2e-6)
    np.testing.assert_allclose(value[:, :4], expected["own"], rtol=0, atol=2e-6)
    assert len(expected["id"]) == GOLDEN_ATOMS


@pytest.mark.parametrize(("axis", "relax", "strain"), [("z", 20, 12), ("x", 3, 2), ("y", 1, 1)])
@pytest.mark.parametrize("name", ["glass", "tilted", "thin"])
def test_as_the_twin_says(name, axis, relax, strain):
    found = specimen(name)
    place = found.box.wrap(found.position), found.box.cell, found.box.periodic, found.radius[found.species]
    expected = naive.columns(*place, "xyz".index(axis), relax, strain)
    made = values(found, SoftSphereResponse(axis=axis, relax_steps=relax, strain_steps=strain))
    np.testing.assert_allclose(made, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["fcc", "bcc", "sc"])
def test_nothing_rearranges_in_a_crystal(name):
    np.testing.assert_allclose(values(lattice(name)), np.log(1e-3), atol=1e-9)


def turned(found: Specimen, rotation: np.ndarray) -> Specimen:
    box = Box(found.box.cell @ rotation.T, found.box.origin @ rotation.T, found.box.periodic)
    return found._replace(position=found.position @ rotation.T, box=box)


def test_the_glass_turns_with_the_loads():
    """x to y to z to x."""
    found, cycle = specimen("tilted"), np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])
    after = values(turned(found, cycle), SoftSphereResponse(axis="x"))
    np.testing.assert_allclose(after, values(found), rtol=1e-6, atol=1e-6)


def test_turning_about_the_axis_changes_the_side_loads_only():
    found, angle = specimen("glass"), 0.7
    c, s = np.cos(angle), np.sin(angle)
    before, after = (values(one) for one in (found, turned(found, np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]))))
    np.testing.assert_allclose(after[:, :2], before[:, :2], rtol=1e-6, atol=1e-6)
    assert (np.abs(after - before)[:, 2:] > 0.01).any(axis=0).all()


def test_an_atom_without_neighbours_has_no_value_and_one_on_a_surface_has():
    assert np.isnan(values(gas())).all()
    position, cell = fcc(3.7, 4)
    slab = cell + np.diag([0.0, 0.0, 30.0])
    atoms = np.concatenate([position, [[1.0, 1.0, position[:, 2].max() + 10.0]]])
    box = Box(slab, np.zeros(3), np.array([True, True, False]))
    n = len(atoms)
    value = values(Specimen(atoms, box, np.zeros(n, np.int16), np.array([1.3, 1.6]), np.arange(1, n + 1)))
    assert np.isfinite(value[:-1]).all()
    assert np.isnan(value[-1]).all()


def test_the_radii_alone_tell_the_species_apart():
    found = specimen("glass")
    swapped = found._replace(species=1 - found.species, radius=found.radius[::-1].copy())
    np.testing.assert_array_equal(values(swapped), values(found))
    grown = found._replace(radius=1.05 * found.radius)
    assert np.abs(values(grown) - values(found)).max() > 0.1
