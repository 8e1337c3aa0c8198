"""The stress along the loading is the row of each frame's timestep, in GPa, positive with the load, or it is not there."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

import qsdask
from qsdask.cli import main
from qsdask.errors import QSDaskError
from qsdask.formats.write import open_writer
from qsdask.store import ledger
from qsdask.store.reader import StoreReader

N_STEP = 5


def glass(home, few, moves=lambda k: np.diag([1.0, 1.0, 1.0 - 0.01 * k]), name="g", **told):
    """A store of 64 atoms that go with their cell; timesteps 0, 10, 20, ..."""
    rng, species = np.random.default_rng(3), np.zeros(64, np.int64)
    reduced, cell = rng.permutation(np.indices((4, 4, 4)).reshape(3, -1).T / 4.0) + 0.1, np.diag([11.0, 11.0, 11.0])
    settings = {"natoms": 64, "species": ["Cu"], "columns": {}, "periodic": np.ones(3, bool), "origin": np.zeros(3)}
    dump = home / f"{name}.dump"
    with open_writer(dump, **settings, cell=cell) as writer:
        for k in range(N_STEP):
            if k:
                writer.next_frame(cell=cell @ moves(k).T, origin=np.zeros(3), timestep=10 * k, frame=None)
            writer.write(np.arange(1, 65), species, reduced @ cell @ moves(k).T, {})
    return qsdask.ingest(dump, home / f"{name}.zarr", species={1: "Cu"}, run=few, **told)


@pytest.fixture(scope="module")
def pressed(tmp_path_factory, few):
    """A glass that is compressed along z; not to be changed."""
    return glass(tmp_path_factory.mktemp("pressed"), few)


@pytest.fixture
def store(pressed, tmp_path):
    return shutil.copytree(pressed, tmp_path / "g.zarr")


def table(tmp_path, text, name="table.csv"):
    (tmp_path / name).write_text(text)
    return tmp_path / name


def kept(store):
    return qsdask.open_store(store)["stress"]["stress"]


@pytest.mark.parametrize(
    ("text", "settings", "expected"),
    [
        ("step,stress_zz_gpa\n0,0\n10,-1\n20,-2\n40,-4\n", {}, [0, 1, 2, np.nan, 4]),
        ("step,stress_zz_gpa,stress_xx_gpa\n40,-4,7\n10,,7\n", {}, [np.nan, np.nan, np.nan, np.nan, 4]),
        ("Step Pzz\n0 0\n10 20000\n15 9\n", {"unit": "bar"}, [0, 2, np.nan, np.nan, np.nan]),
        ("# TimeStep c_thermo_press[3]\n10 1\n", {"unit": "atm"}, [np.nan, 1.01325e-4, np.nan, np.nan, np.nan]),
        ("LAMMPS (1)\nunits real\nStep Pzz\n10 10\nLoop time of 1\n", {}, [np.nan, 1.01325e-3, np.nan, np.nan, np.nan]),
        ("strain,Szz [MPa]\n0.03,-300\n0.01,-100\n0.02500001,5\n", {}, [np.nan, 0.1, np.nan, 0.3, np.nan]),
        ("step,load_GPa\n10,5\n", {"column": "load_GPa"}, [np.nan, 5, np.nan, np.nan, np.nan]),
        ("step,p\n10,5\n", {"column": "-p", "unit": "kbar"}, [np.nan, -0.5, np.nan, np.nan, np.nan]),
    ],
)
def test_each_frame_has_the_row_of_its_own(store, tmp_path, text, settings, expected):
    qsdask.stress(store, table=table(tmp_path, text), **settings)
    found = kept(store)
    np.testing.assert_allclose(found.values, expected, rtol=1e-12)
    assert found.attrs["units"] == "GPa"
    assert "along the loading" in found.attrs["long_name"]
    np.testing.assert_array_equal(found.strain, StoreReader(store)["frames/strain"][:])
    facts = ledger.require(store, "stress").facts
    assert facts["n_without"] == np.isnan(expected).sum()
    assert facts["file"].endswith("table.csv")


@pytest.mark.parametrize(
    ("moves", "text", "sign"),
    [
        (lambda k: np.diag([1.0, 1.0 + 0.01 * k, 1.0]), "step,stress_yy_gpa,stress_zz_gpa\n10,2,9\n", 1.0),
        (lambda k: np.array([[1.0, 0.01 * k, 0], [0, 1, 0], [0, 0, 1]]), "step,stress_xy_gpa\n10,2\n", 1.0),
        (lambda k: np.array([[1.0, -0.01 * k, 0], [0, 1, 0], [0, 0, 1]]), "step,stress_xy_gpa\n10,2\n", -1.0),
        (lambda k: (1.0 - 0.01 * k) * np.eye(3), "step,Press\n10,20000\n", 1.0),
        (lambda k: (1.0 + 0.01 * k) * np.eye(3), "step,Press\n10,20000\n", -1.0),
    ],
    ids=["elongation", "shear", "shear back", "pressure", "expansion"],
)
def test_the_sign_is_that_of_the_load(tmp_path, few, moves, text, sign):
    qsdask.stress(made := glass(tmp_path, few, moves), table=table(tmp_path, text), unit="bar" if "P" in text else None)
    assert kept(made).values[1] == pytest.approx(2.0 * sign)


def test_a_timestep_that_stands_twice_is_told(store, tmp_path):
    file = table(tmp_path, "step,stress_zz_gpa\n0,0\n10,-1\n10,-1\n20,-2\n20,-3\n30,-1\n40,-1\n")
    qsdask.stress(store, table=file)
    assert kept(store).values.tolist() == [0, 1, 3, 1, 1]
    facts = ledger.require(store, "stress").facts
    assert (facts["n_twice"], [w["code"] for w in facts["warnings"]]) == (1, ["W-STRESS-TWICE"])


@pytest.mark.parametrize(
    ("text", "settings", "code"),
    [
        ("step,Pzz\n10,1\n", {}, "E-STRESS"),
        ("time,stress_zz_gpa\n10,1\n", {}, "E-STRESS"),
        ("step,stress_zz_gpa\n11,1\n", {}, "E-STRESS"),
        ("strain,stress_zz_gpa\n0.01,1\n0.01,2\n", {}, "E-STRESS"),
        ("step,stress_xx_gpa\n10,1\n", {}, "E-COLUMN"),
        ("step,Pzz,stress_zz_gpa\n10,1,1\n", {}, "E-COLUMN"),
        ("step,stress_zz_gpa\n10,1\n", {"column": "none"}, "E-COLUMN"),
        ("step,stress_zz_gpa\n10,1\n", {"unit": "furlong"}, "E-SETTING"),
        ("step,stress_zz_gpa\n10,x\n", {}, "E-NUMBER"),
    ],
)
def test_what_cannot_be_known_is_refused_and_nothing_kept(store, tmp_path, text, settings, code):
    with pytest.raises(QSDaskError) as refusal:
        qsdask.stress(store, table=table(tmp_path, text), **settings)
    assert refusal.value.code == code
    assert ledger.read(store, "stress") is None


def test_a_glass_at_rest_needs_a_column(tmp_path, few):
    still = glass(tmp_path, few, lambda k: np.eye(3))
    file = table(tmp_path, "step,stress_zz_gpa\n10,2\n")
    with pytest.raises(QSDaskError, match="E-LOADING"):
        qsdask.stress(still, table=file)
    qsdask.stress(still, table=file, column="stress_zz_gpa")
    assert kept(still).values[1] == 2


def test_other_stresses_are_refused_and_damaged_ones_read_again(store, tmp_path, capsys):
    file = table(tmp_path, "step,stress_zz_gpa\n0,0\n10,-1\n20,-2\n30,-3\n40,-4\n")
    assert main(["stress", str(store), "--from", str(file)]) == 0
    assert "stress_zz_gpa, GPa, of the timestep of each frame" in capsys.readouterr().out
    qsdask.stress(store, table=file)  # the same again
    with pytest.raises(QSDaskError, match="E-SETTINGS"):
        qsdask.stress(store, table=table(tmp_path, "step,stress_zz_gpa\n0,0\n", "other.csv"))
    chunk = next(f for f in (store / "stress" / "stress").rglob("*") if f.is_file() and f.name != "zarr.json")
    chunk.write_bytes(b"\0" + chunk.read_bytes()[1:])
    assert main(["verify", str(store)]) != 0
    assert main(["repair", str(store)]) == 0
    assert kept(store).values.tolist() == [0, 1, 2, 3, 4]
    file.write_text("step,stress_zz_gpa\n0,0\n10,-2\n")
    chunk.write_bytes(b"\0" + chunk.read_bytes()[1:])
    assert main(["repair", str(store)]) == 0
    assert "stress" not in qsdask.open_store(store).children  # a table that says something else mends nothing


def test_ingest_takes_the_table_at_once(tmp_path, few, capsys):
    file = table(tmp_path, "step,stress_zz_gpa\n0,0\n10,-1\n20,-2\n30,-3\n")
    made = glass(tmp_path, few, thermo=file)
    np.testing.assert_array_equal(kept(made).values, [0, 1, 2, 3, np.nan])
    with pytest.raises(QSDaskError, match="E-NO-FILE"):
        glass(tmp_path, few, thermo=tmp_path / "none.csv", name="other")
    assert not (tmp_path / "other.zarr").exists()
    command = [
        "ingest",
        str(tmp_path / "g.dump"),
        str(tmp_path / "h.zarr"),
        "--species",
        "1=Cu",
        "--cluster",
        "threads",
    ]
    assert main([*command, "--thermo", str(file)]) == 0
    assert "W-NO-STRESS: 1 of 5 frames" in capsys.readouterr().err


def test_a_simulated_specimen_brings_its_own(tmp_path, few):
    glass(tmp_path, few)
    told = {
        "name": "made",
        "species": {"1": "Cu"},
        "strain_step": 0.01,
        "timestep": [0, 10, 20, 30, 40],
        "axis": "z",
        "deformations": [{"loading": "compression", "run": 1, "dump": "g.dump", "thermo": "g.thermo.csv"}],
    }
    (tmp_path / "specimen.json").write_text(json.dumps(told))
    table(tmp_path, "step,strain,stress_zz_gpa\n0,0,0\n10,0.01,-1\n40,0.04,-4\n", "g.thermo.csv")
    made = qsdask.ingest(tmp_path / "g.dump", tmp_path / "made.zarr", run=few)
    np.testing.assert_array_equal(kept(made).values, [0, 1, np.nan, np.nan, 4])
    # One that somebody gave stays.
    qsdask.stress(made, table=table(tmp_path, "step,s\n0,7\n"), column="s", unit="GPa", run=qsdask.Run(overwrite=True))
    qsdask.ingest(tmp_path / "g.dump", made, run=few)
    assert kept(made).values[0] == 7
