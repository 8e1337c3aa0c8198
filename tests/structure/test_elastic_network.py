"""The elastic network as a set: golden numbers, the slow twin, crystals, surfaces, and rotation together with the loads."""

from __future__ import annotations

import numpy as np
import pytest

import qsdask
from qsdask.errors import QSDaskError
from qsdask.quantity import medium_range
from qsdask.settings import FeatureSettings, validated
from qsdask.space.box import Box
from qsdask.structure.elastic_network import ElasticNetwork
from qsdask.testing.blocks import Specimen, block_for, gas, lattice, specimen
from qsdask.testing.lattices import fcc
from tests.naive import elastic_network as naive
from tests.responses import GOLDEN_ATOMS, by_id, first_frame_of

SET = ElasticNetwork()
NAMES = [column.name.removeprefix("sro__network_").removesuffix("__a6") for column in SET.columns]


def values(found: Specimen, quantity: ElasticNetwork = SET) -> np.ndarray:
    return quantity(block_for(found, quantity))


def test_golden_numbers_of_a_shipped_glass(golden, frames, tmp_path, few):
    """Every stiffness, short range and both averages, to the digits of single precision."""
    expected = np.load(golden / "elastic_network_cu65a.npz")
    store = first_frame_of(frames, tmp_path, few)
    qsdask.features(store, set="elastic_network", stiffness=[4, 6], run=few)
    name, value = by_id(store, "elastic_network", expected["id"])
    for a in (4, 6):
        mine = np.array([f"__a{a}" in column for column in name])
        assert mine.sum() == 54
        np.testing.assert_allclose(value[:, mine], expected[f"smooth_a{a}"], rtol=0, atol=1e-6)
        np.testing.assert_allclose(value[:, mine][:, :18], expected[f"own_a{a}"], rtol=0, atol=1e-6)
    assert len(expected["id"]) == GOLDEN_ATOMS


def test_columns_are_those_of_the_golden_numbers(golden):
    theirs = np.load(golden / "elastic_network_cu65a.npz")["column"].tolist()
    alike = [name.removeprefix("log_").replace("__", "_").replace("side_x", "side_1") for name in theirs]
    assert [name.replace("side_y", "side_2") for name in alike] == NAMES
    assert len(medium_range(SET)) == 36


@pytest.mark.parametrize(("axis", "steps"), [("z", 8), ("x", 3), ("y", 1)])
@pytest.mark.parametrize("name", ["glass", "tilted", "thin"])
def test_as_the_twin_says(name, axis, steps):
    found = specimen(name)
    quantity = ElasticNetwork(stiffness=(3.5,), axis=axis, network_steps=steps)
    place = found.box.wrap(found.position), found.box.cell, found.box.periodic
    expected = naive.columns(*place, found.radius[found.species], 3.5, "xyz".index(axis), steps)
    np.testing.assert_allclose(values(found, quantity), expected, rtol=1e-7, atol=1e-7)


def test_two_stiffnesses_are_two_sets_side_by_side():
    both = values(specimen("tilted"), ElasticNetwork(stiffness=(4.0, 6.5)))
    alone = [values(specimen("tilted"), ElasticNetwork(stiffness=(a,))) for a in (4.0, 6.5)]
    np.testing.assert_array_equal(both, np.concatenate(alone, axis=1))
    assert ElasticNetwork(stiffness=(4.0, 6.5)).columns[-1].name == "sro__network_displacement_dilation__a6p5"


@pytest.mark.parametrize("name", ["fcc", "bcc", "sc"])
def test_a_crystal_answers_as_the_strain_says(name):
    """No force by symmetry, no displacement, no D2min; the local strain is the imposed one."""
    value = dict(zip(NAMES, values(lattice(name)).T, strict=True))
    for strain in ("load", "side_1", "side_2", "dilation"):
        np.testing.assert_allclose(value[f"force_{strain}"], np.log(1e-6), atol=1e-9)
        np.testing.assert_allclose(value[f"nonaffine_{strain}"], np.log(1e-4), atol=1e-9)
        np.testing.assert_allclose(value[f"displacement_{strain}"], np.log(1e-4), atol=1e-9)
    np.testing.assert_allclose(value["strain_axis"], -1.0, atol=1e-9)
    np.testing.assert_allclose(value["strain_trace"], -0.26, atol=1e-9)
    np.testing.assert_allclose(value["strain_deviator"], 1.37 * np.sqrt(2.0 / 3.0), atol=1e-9)
    # A cubic surrounding gives way alike in all directions.
    np.testing.assert_allclose(value["compliance_trace"] - value["compliance_axis"], np.log(3.0), atol=1e-9)
    np.testing.assert_allclose(value["compliance_largest"], value["compliance_axis"], atol=1e-7)


def turned(found: Specimen, rotation: np.ndarray) -> Specimen:
    box = Box(found.box.cell @ rotation.T, found.box.origin @ rotation.T, found.box.periodic)
    return found._replace(position=found.position @ rotation.T, box=box)


def test_the_glass_turns_with_the_loads():
    """x to y to z to x: loads along the other axes keep their order or swap it."""
    found, cycle = specimen("tilted"), np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])
    before = dict(zip(NAMES, values(found).T, strict=True))
    after = dict(zip(NAMES, values(turned(found, cycle), ElasticNetwork(axis="x")).T, strict=True))
    for name in NAMES:
        np.testing.assert_allclose(after[name], before[name], rtol=1e-7, atol=1e-7, err_msg=name)


def test_turning_about_the_axis_changes_the_side_loads_only():
    found, angle = specimen("tilted"), 0.7
    c, s = np.cos(angle), np.sin(angle)
    before, after = (values(one) for one in (found, turned(found, np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]))))
    side = np.array(["side" in name for name in NAMES])
    np.testing.assert_allclose(after[:, ~side], before[:, ~side], rtol=1e-7, atol=1e-7)
    assert (np.abs(after - before)[:, side] > 0.01).any(axis=0).all()


def test_atoms_that_nothing_holds_have_no_value():
    """Alone, in pairs and in triangles: D has no inverse."""
    assert np.isnan(values(gas())).all()


def test_an_atom_on_a_surface_has_values_and_one_above_it_has_none():
    position, cell = fcc(3.7, 4)
    slab = cell + np.diag([0.0, 0.0, 30.0])
    far = np.array([[1.0, 1.0, position[:, 2].max() + 10.0]])
    # One contact only: held along one direction.
    near = position[position[:, 2].argmax()] + np.array([0.0, 0.0, 4.9])
    box = Box(slab, np.zeros(3), np.array([True, True, False]))
    atoms = np.concatenate([position, far, near[None]])
    n = len(atoms)
    found = Specimen(atoms, box, np.zeros(n, np.int16), np.array([1.3, 1.6]), np.arange(1, n + 1))
    value = values(found)
    assert np.isfinite(value[: len(position)]).all()
    assert np.isnan(value[len(position) :]).all()


def test_where_d2min_has_no_value_only_what_needs_it_has_none():
    """Six springs longer than 4 angstrom hold an atom: it has no neighbour for a best map."""
    shifts = 4.5 * np.concatenate([np.eye(3), -np.eye(3)])
    position = np.concatenate([np.zeros((1, 3)), shifts])
    box = Box(np.eye(3) * 40.0, np.full(3, -20.0), np.zeros(3, bool))
    found = Specimen(position, box, np.zeros(7, np.int16), np.array([1.6, 1.6]), np.arange(1, 8))
    value = values(found)[0]
    lack = np.array(["nonaffine" in name or "strain" in name for name in NAMES])
    assert np.isnan(value[lack]).all()
    assert np.isfinite(value[~lack]).all()


@pytest.mark.parametrize("given", [{"stiffness": []}, {"stiffness": [4, 4]}, {"stiffness": [0]}, {"network_steps": 0}])
def test_settings_that_make_no_network_are_refused(given):
    with pytest.raises(QSDaskError, match="E-SETTING"):
        validated(FeatureSettings, **given)
