"""The modifier of OVITO; and one softness, bit for bit, whichever way it is asked for."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import subprocess
import sys
import tomllib

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import qsdask
from qsdask.cli import cli
from qsdask.formats.opening import open_trajectory
from qsdask.formats.write import write_extxyz, write_lammps_dump
from qsdask.store.reader import StoreReader
from tests.conftest import ROOT, SPECIES

pytestmark = pytest.mark.skipif(importlib.util.find_spec("ovito") is None, reason="the ovito wheel is not installed")

VALUES = ("qs", "qs_std", "outside")


@pytest.fixture(scope="module")
def ovito(tiny, tmp_path_factory):
    """Function that runs the modifier on a file, in OVITO's own process: what it says, and arrays ordered by id."""
    out = tmp_path_factory.mktemp("ovito") / "out.npz"
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "tests" / "system" / "ovito_process.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths, "QT_QPA_PLATFORM": "offscreen"},
    )

    def run(file, modifier=None, **request):
        modifier = {"model": str(tiny / "tiny.qs"), **(modifier or {})}
        process.stdin.write(json.dumps({"file": str(file), "out": str(out), "modifier": modifier, **request}) + "\n")
        process.stdin.flush()
        told = json.loads(process.stdout.readline())
        if "error" in told:
            return told, {}
        with np.load(out) as arrays:
            order = np.argsort(arrays["id"])
            return told, {key: arrays[key] if key == "histogram" else arrays[key][order] for key in arrays.files}

    yield run
    process.stdin.close()
    process.wait(30)


def sorted_by_id(found):
    order = np.argsort(found.id.values)
    return {name: found[name].values[order] for name in VALUES}


def same(got, wanted):
    for name in VALUES:
        np.testing.assert_array_equal(got[name], wanted[name], err_msg=name)


@pytest.mark.parametrize("frame", [0, 1])
def test_properties_selection_attributes_and_table(ovito, tiny, frame):
    told, got = ovito(tiny / "tiny.dump", {"species": "1=Cu,2=Zr", "soft_above": 0.5}, frame=frame)
    assert told["frames"] == 2
    same(got, sorted_by_id(qsdask.softness(tiny / "tiny.dump", tiny / "tiny.qs", species=SPECIES, frame=frame)))
    known = got["qs"][np.isfinite(got["qs"])]
    np.testing.assert_array_equal(got["selection"], got["qs"] > 0.5)
    assert 0 < got["selection"].sum() < len(known)
    assert got["histogram"][:, 1].sum() == len(known)
    assert told["attributes"]["QuenchInSoftness.mean"] == pytest.approx(known.mean(), abs=1e-14)
    assert told["attributes"]["QuenchInSoftness.soft"] == np.mean(known > 0.5)
    assert told["attributes"]["QuenchInSoftness.hard"] == np.mean(known < 0.1)
    assert "QuenchInSoftness.outside" in told["attributes"]


def test_the_shipped_model_tells_how_far_particles_are_from_what_it_knows(ovito, golden):
    told, found = ovito(golden / "cuzr256.dump", {"model": "cuzr", "species": "1=Cu,2=Zr"})
    wanted = qsdask.softness(golden / "cuzr256.dump", "cuzr", species=SPECIES)
    same(found, sorted_by_id(wanted))
    assert np.isfinite(found["outside"]).all()
    assert told["attributes"]["QuenchInSoftness.outside"] == (wanted.outside.values > 1).mean()


@pytest.mark.parametrize(
    ("modifier", "changed"),
    [({"species": "Cu,Zr"}, {}), ({}, {"type_names": ["Cu", "Zr"]}), ({"species": "A=Cu,B=Zr"}, {"type_names": "AB"})],
)
def test_elements_come_from_order_names_or_labels(ovito, tiny, modifier, changed):
    _, wanted = ovito(tiny / "tiny.dump", {"species": "1=Cu,2=Zr"})
    _, got = ovito(tiny / "tiny.dump", modifier, **changed)
    same(got, wanted)


def test_without_ids_particles_are_counted(ovito, tiny):
    frame = next(iter(open_trajectory(tiny / "tiny.dump").read(0, 1)))
    symbols = np.where(frame.type == 1, "Cu", "Zr")
    _, got = ovito(tiny / "tiny.dump", {"species": "Cu,Zr"}, drop_ids=True)
    same(got, sorted_by_id(qsdask.softness((frame.cell, frame.position - frame.origin, symbols), tiny / "tiny.qs")))


@pytest.mark.parametrize("changed", [{"pbc": [False, False, True]}, {"drop_cell": True}])
def test_open_boundaries_are_those_of_a_dump(ovito, tiny, tmp_path, changed):
    ase = pytest.importorskip("ase")
    frame = next(iter(open_trajectory(tiny / "tiny.dump").read(0, 1)))
    symbols = np.where(frame.type == 1, "Cu", "Zr")
    atoms = ase.Atoms(symbols, frame.position, cell=frame.cell, pbc=changed.get("pbc", False))
    atoms.info["Origin"], atoms.arrays["id"] = frame.origin, frame.id
    if "drop_cell" in changed:
        atoms.cell[:] = 0.0
    _, got = ovito(tiny / "tiny.dump", {"species": "Cu,Zr"}, **changed)
    same(got, sorted_by_id(qsdask.softness(atoms, tiny / "tiny.qs")))


def test_unknown_elements_have_no_number_and_are_not_selected(ovito, tiny):
    told, got = ovito(tiny / "tiny.dump", {"species": "1=Cu,2=Al", "soft_above": 0.0})
    frame = next(iter(open_trajectory(tiny / "tiny.dump").read(0, 1)))
    strange = (frame.type == 2)[np.argsort(frame.id)]
    assert np.isnan(got["qs"][strange]).all()
    assert not got["selection"][strange].any()
    assert np.isfinite(told["attributes"]["QuenchInSoftness.mean"])


@pytest.mark.parametrize(
    ("modifier", "code"),
    [
        ({}, "E-SPECIES"),
        ({"species": "1=Cu,1=Zr"}, "E-SETTING"),
        ({"species": "Cu,Zr", "model": "no-such-model"}, "E-NO-MODEL"),
    ],
)
def test_errors_are_told_with_their_code(ovito, tiny, modifier, code):
    told, _ = ovito(tiny / "tiny.dump", modifier)
    assert code in told["error"]


def test_data_without_particles_is_told(ovito, tiny):
    assert "E-SYSTEM" in ovito(tiny / "tiny.dump", drop_particles=True)[0]["error"]


def test_names_of_the_properties_stay():
    from qsdask.ovito import PROPERTIES

    assert PROPERTIES == {"Quench-in Softness": "qs", "QS Spread": "qs_std", "QS Outside": "outside"}


def test_ovito_is_loaded_by_its_own_module_alone():
    code = "import sys, qsdask, qsdask.system.softness; print('ovito' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


def test_the_entry_point_names_the_modifier():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (place,) = project["entry-points"]["OVITO.Modifier"].values()
    module, _, name = place.partition(":")
    code = (
        f"from {module} import {name}; from ovito.pipeline import ModifierInterface as M; print(issubclass({name}, M))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "True\n"


@pytest.fixture(scope="module")
def frame(golden):
    return next(iter(open_trajectory(golden / "cuzr256.dump").read(0, 1)))


def on_grid(value):
    """Numbers with so few bits that adding periodic images rounds nothing."""
    return np.rint(value * 2**20) / 2**20


# An example takes seconds: none is made simpler.
@settings(
    max_examples=6, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    seed=st.integers(0, 2**32 - 1),
    tilt=st.tuples(*[st.sampled_from([0.0, 0.125, -0.25, 0.45])] * 3),
    chunk=st.sampled_from([40, 10_000]),
    write=st.sampled_from([write_extxyz, write_lammps_dump]),
)
def test_command_memory_ovito_and_store_agree_to_the_last_bit(
    ovito, frame, tiny, tmp_path_factory, few, seed, tilt, chunk, write
):
    """Over permutations, periodic images, sheared cells, and one or many domains."""
    folder, model = tmp_path_factory.mktemp("ways"), tiny / "tiny.qs"
    rng, n = np.random.default_rng(seed), frame.natoms
    shear = np.eye(3)
    shear[1, 0], shear[2, 0], shear[2, 1] = tilt
    cell, still = on_grid(frame.cell @ shear), on_grid((frame.position - frame.origin) @ shear)
    order, image = rng.permutation(n), rng.integers(-2, 3, (n, 3))
    position = (still + image @ cell)[order]
    kind, ids = frame.type[order] - 1, frame.id[order]
    file = folder / ("glass.extxyz" if write is write_extxyz else "glass.dump")
    marks = {"cell": cell, "origin": np.zeros(3), "periodic": np.ones(3, dtype=bool)}
    write(file, identity=ids, species=kind, position=position, species_names=["Cu", "Zr"], **marks)

    qsdask.ingest(file, folder / "glass.zarr", chunk=chunk, run=few)
    for stage in (qsdask.shells, qsdask.features):
        stage(folder / "glass.zarr", run=few)
    qsdask.predict(folder / "glass.zarr", model=model, run=few)
    root = StoreReader(folder / "glass.zarr")
    rows = np.argsort(root["atoms/id"][:])
    stored = {name: root[f"softness/tiny/{name}"][:][rows] for name in VALUES}
    assert root.n_domain == -(-n // chunk)
    assert np.isfinite(stored["qs"]).sum() > n // 2

    same(sorted_by_id(qsdask.softness(file, model)), stored)
    ase = pytest.importorskip("ase")
    atoms = ase.Atoms(np.array(["Cu", "Zr"])[kind], position, cell=cell, pbc=True)
    atoms.arrays["id"] = ids
    same(sorted_by_id(qsdask.softness(atoms, model)), stored)
    untouched = ase.Atoms(np.array(["Cu", "Zr"])[frame.type - 1], still, cell=cell, pbc=True)
    untouched.arrays["id"] = frame.id
    same(sorted_by_id(qsdask.softness(untouched, model)), stored)
    same(ovito(file)[1], stored)
    out = folder / "soft.extxyz"
    cli.main(["softness", str(file), "--model", str(model), "--out", str(out), "--quiet"], standalone_mode=False)
    written = importlib.import_module("ase.io").read(out).arrays
    same({name: written[name][np.argsort(written["id"])] for name in VALUES}, stored)
