"""Which specimens a recipe asks for, where their atoms begin, and how the protocol is cut."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from pydantic import ValidationError

from qsdask.errors import BadDataError, NoInputError, QSDaskError
from qsdask.simulation.crystal import counts, lattice_constant, sites, species, unit_cells
from qsdask.simulation.potential import find_potential
from qsdask.simulation.progress import lay_out, read_plan
from qsdask.simulation.schedule import cost, schedule
from qsdask.simulation.specimen import SpecimenPlan, seed_of, specimens
from tests.simulation.case import plan, recipe

FS = "title\n\n\n2 Cu Zr\n1 1 1 1 1\n"


@pytest.fixture
def potential(tmp_path):
    """A file that says which elements it describes; enough for plans."""
    path = tmp_path / "CuZr.eam.fs"
    path.write_text(FS)
    return path


@pytest.fixture
def small(potential):
    """A function that plans with it, so that no LAMMPS is needed."""
    return lambda **changes: plan(**{**changes, "alloy": {"potential": str(potential), **changes.get("alloy", {})}})


def test_specimens_are_every_composition_at_every_rate_with_every_replica(potential):
    found = specimens(
        recipe(
            alloy={"potential": potential.name},
            composition=[{"Cu": 0.65, "Zr": 0.35}, {"Cu": 1.0}],
            rate_kelvin_per_second=[2e13, 5.5e12],
            replicas=2,
            loading=["compression", "tension"],
        ),
        potential.parent,
    )
    assert [p.name for p in found] == [
        "cu65zr35-2e13-r1",
        "cu65zr35-2e13-r2",
        "cu65zr35-5.5e12-r1",
        "cu65zr35-5.5e12-r2",
        "cu100-2e13-r1",
        "cu100-2e13-r2",
        "cu100-5.5e12-r1",
        "cu100-5.5e12-r2",
    ]
    assert len({p.seed for p in found}) == 8
    assert {p.loadings for p in found} == {("compression", "tension")}


def test_the_seed_of_a_specimen_does_not_depend_on_the_others(potential):
    alloy = {"potential": str(potential)}
    one = specimens(recipe(alloy=alloy))[0]
    among = specimens(recipe(alloy=alloy, replicas=3, composition=[{"Zr": 1.0}, {"Cu": 0.65, "Zr": 0.35}]))[3]
    assert (one.name, one.seed) == (among.name, among.seed)
    assert specimens(recipe(alloy=alloy, seed=4))[0].seed != one.seed


def test_a_plan_survives_its_file(small, tmp_path):
    one = small(deform={"free": "x", "runs": 2})
    assert read_plan(lay_out(one, tmp_path)) == one
    assert SpecimenPlan.model_validate_json(one.model_dump_json()) == one


def test_a_folder_with_another_plan_is_refused_and_with_the_same_is_kept(small, tmp_path):
    assert lay_out(small(), tmp_path) == lay_out(small(), tmp_path)
    with pytest.raises(QSDaskError, match=r"E-CHANGED.*planned otherwise"):
        lay_out(small(deform={"steps": 5}), tmp_path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"deform": {"mode": "rate"}}, "strain_rate_per_second"),
        ({"deform": {"mode": "quasistatic", "runs": 2}}, "runs = 1"),
        ({"deform": {"free": "z"}}, "free surface"),
        ({"deform": {"strain_step": 0.1, "steps": 10}}, "below 0.9"),
        ({"deform": {"free": "yx"}}, "pattern"),
        ({"composition": [{"Cu": 65, "Zr": 35}]}, "sum to 1"),
        ({"composition": [{"Cu": 0.5, "Ni": 0.5}]}, "Ni not among"),
        ({"rate_kelvin_per_second": [0.0]}, "positive"),
        ({"loading": ["tension", "tension"]}, "twice"),
        ({"alloy": {"elements": ["Cu", "Cu"]}}, "different"),
        ({"alloy": {"pair_coeff": "* * {file}"}}, "pair_coeff"),
        ({"alloy": {"pair_style": "eam/fs\nshell ls"}}, "pair_style"),
        ({"alloy": {"pair_style": "python 5.0"}}, "'python' makes LAMMPS run code"),
        ({"alloy": {"pair_style": "hybrid/overlay eam/fs python 5.0"}}, "'python' makes LAMMPS run code"),
        ({"alloy": {"pair_style": "mliap unified model 0"}}, "'unified' makes LAMMPS run code"),
        ({"alloy": {"pair_style": "mliap model mliappy model"}}, "'mliappy' makes LAMMPS run code"),
        ({"alloy": {"pair_style": "mliap model linear net.pkl"}}, "'.pkl' makes LAMMPS run code"),
        ({"alloy": {"potential": "net.PT"}}, "'.PT' makes LAMMPS run code"),
        ({"alloy": {"pair_coeff": "* * model.pickle {elements}"}}, "'.pickle' makes LAMMPS run code"),
    ],
)
def test_recipes_that_make_no_sense_are_refused(changes, said):
    with pytest.raises(ValidationError, match=said):
        recipe(**changes)


def test_two_specimens_of_one_name_are_refused(potential):
    with pytest.raises(QSDaskError, match="E-SETTING"):
        specimens(recipe(alloy={"potential": str(potential)}, rate_kelvin_per_second=[1e13, 1e13]))


def test_a_potential_is_found_beside_the_recipe_first(potential, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "here" / potential.name).write_text("another")
    assert find_potential(potential.name, tmp_path) == potential
    assert find_potential(potential.name, tmp_path / "nowhere").read_text() == "another"


def test_a_missing_potential_is_told_with_the_places(tmp_path):
    with pytest.raises(NoInputError, match=f"E-NO-POTENTIAL.*{tmp_path}/none.eam.fs"):
        find_potential("none.eam.fs", tmp_path)


def test_an_element_that_the_potential_does_not_know_is_told(potential):
    alloy = {"elements": ["Cu", "Ni"], "potential": str(potential)}
    with pytest.raises(BadDataError, match=r"(?s)E-ELEMENT.*does not know Ni.*Cu, Zr"):
        specimens(recipe(alloy=alloy, composition=[{"Cu": 1.0}]))


def test_an_element_without_a_radius_needs_a_lattice_constant(potential):
    potential.write_text(FS.replace("Cu Zr", "Cu Xx"))
    alloy = {"elements": ["Cu", "Xx"], "potential": str(potential)}
    with pytest.raises(BadDataError, match=r"(?s)E-RADIUS.*Xx.*lattice_angstrom"):
        specimens(recipe(alloy=alloy, composition=[{"Cu": 1.0}]))
    assert specimens(recipe(alloy={**alloy, "lattice_angstrom": 4.0}, composition=[{"Cu": 1.0}]))


def test_a_file_that_is_no_potential_is_told(potential):
    potential.write_text("<html>\nnot\nfound\nsecret words\n")
    with pytest.raises(BadDataError, match=r"E-POTENTIAL.*line 4") as refusal:
        specimens(recipe(alloy={"potential": str(potential)}))
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("lattice", "atoms", "cells"),
    [("fcc", 108, (3, 3, 3)), ("fcc", 4000, (10, 10, 10)), ("bcc", 128, (4, 4, 4)), ("bcc", 16, (2, 2, 2))],
)
def test_whole_cubes_of_unit_cells_are_found(small, lattice, atoms, cells):
    assert unit_cells(small(atoms=atoms, alloy={"lattice": lattice})) == cells


@pytest.mark.parametrize("atoms", [150, 500, 777, 6912, 50_000])
def test_other_numbers_of_atoms_are_met_within_a_tenth_by_a_nearly_cubic_box(small, atoms):
    cells = unit_cells(small(atoms=atoms))
    assert abs(4 * math.prod(cells) / atoms - 1) < 0.1
    assert max(cells) - min(cells) <= 1


def test_a_slab_has_its_shape(small):
    assert unit_cells(small(atoms=4 * 5 * 1 * 10 * 27, shape=[5, 1, 10])) == (15, 3, 30)


@pytest.mark.parametrize(("lattice", "neighbours", "edge"), [("fcc", 12, math.sqrt(0.5)), ("bcc", 8, math.sqrt(0.75))])
def test_the_lattice_is_the_lattice(small, lattice, neighbours, edge):
    one = small(atoms=108, alloy={"lattice": lattice, "lattice_angstrom": 4.0})
    position, length = sites(one)
    apart = position[:, None] - position
    apart -= np.rint(apart / length) * length
    distance = np.linalg.norm(apart, axis=2)
    np.fill_diagonal(distance, np.inf)
    assert distance.min() == pytest.approx(4.0 * edge)
    assert ((distance < 4.0 * edge + 1e-6).sum(axis=1) == neighbours).all()


def test_the_lattice_constant_follows_the_radii(small):
    mean = 0.65 * 1.26 + 0.35 * 1.58
    assert lattice_constant(small()) == pytest.approx(2 * math.sqrt(2) * mean * 1.05)


@pytest.mark.parametrize("atoms", [1, 10, 108, 6912])
def test_the_composition_is_the_nearest_integer(atoms):
    assert counts({"Cu": 0.65, "Zr": 0.35}, atoms) == [round(0.65 * atoms), atoms - round(0.65 * atoms)]
    three = counts({"A": 1 / 3, "B": 1 / 3, "C": 1 / 3}, atoms)
    assert sum(three) == atoms
    assert max(abs(n - atoms / 3) for n in three) < 1


def test_the_substitution_is_exact_random_and_seeded(small):
    one = small()
    kind = species(one, 108)
    assert np.bincount(kind).tolist() == [0, 70, 38]
    assert (kind[1:] != kind[:-1]).sum() > 20
    assert np.array_equal(kind, species(one, 108))
    assert not np.array_equal(kind, species(small(seed=4), 108))


def test_the_quench_is_one_ramp_at_the_given_rate(small):
    one = small(rate_kelvin_per_second=[1e15], checkpoint_steps=100)
    legs = [leg for segment in schedule(one) if segment.phase == "quench" for leg in segment.legs]
    assert (legs[0].kelvin[0], legs[-1].kelvin[1]) == (2000.0, 50.0)
    assert sum(leg.steps for leg in legs) == 975  # 1950 K in 1.95 ps, 2 fs a step
    for before, after in pairwise(legs):
        assert before.kelvin[1] == after.kelvin[0]
    for leg in legs:
        assert (leg.kelvin[0] - leg.kelvin[1]) / leg.steps == pytest.approx(2.0)


def test_every_loading_and_run_begins_from_the_one_glass(small):
    segments = schedule(small(loading=["compression", "tension"], deform={"runs": 2}))
    starts = [(s.track, s.seed is not None) for s in segments if s.start == "glass"]
    assert starts == [("compression", False), ("compression-run2", True), ("tension", False), ("tension-run2", True)]
    assert [s.start for s in segments].count("lattice") == 1
    assert len({s.seed for s in segments if s.seed}) == 3


@pytest.mark.parametrize("mode", [{}, {"mode": "rate", "strain_rate_per_second": 1e11}, {"mode": "quasistatic"}])
@pytest.mark.parametrize("most", [7, 60, 10_000])
def test_every_strain_step_ends_at_its_strain_wherever_it_is_cut(small, mode, most):
    one = small(deform={**mode, "every": 2}, checkpoint_steps=most)
    legs = [leg for s in schedule(one) if s.track == "compression" for leg in s.legs]
    assert [leg.row for leg in legs if leg.row] == [(k, k * 0.01) for k in range(1, 5)]
    assert [leg.frame for leg in legs if leg.frame is not None] == [2, 4]
    assert [leg.strain for leg in legs] == sorted(leg.strain for leg in legs)
    assert all(leg.strain == leg.row[1] for leg in legs if leg.row)


def test_the_cost_does_not_depend_on_the_cut_and_counts_all_runs(small):
    assert cost(small()) == cost(small(checkpoint_steps=7)) == 50 + 98 + 50 + 4 * 25
    assert cost(small(deform={"runs": 3})) - cost(small()) == 2 * 4 * 25


def test_no_segment_is_longer_than_the_way_between_checkpoints(small):
    for mode in ({}, {"mode": "rate", "strain_rate_per_second": 1e9}):
        assert max(s.steps for s in schedule(small(deform=mode, checkpoint_steps=40))) <= 40


def test_seeds_suit_lammps():
    seeds = {seed_of(0, str(i)) for i in range(1000)}
    assert len(seeds) == 1000
    assert min(seeds) > 0
    assert max(seeds) < 900_000_000
