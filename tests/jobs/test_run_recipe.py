"""What a recipe can ask of `qsdask run` beyond one response and one frame: runs of one glass, softness of deformed frames."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import qsdask
from qsdask.errors import QSDaskError, UsageError
from qsdask.learn import load_model
from qsdask.settings import Recipe, validated
from qsdask.store.reader import StoreReader
from tests.small_store import small_dump
from tests.stages.test_propensity import shifted

RECIPE = """
run_threshold = 0.45
softness_strain = [0.01]

[[specimen]]
name = "learned"
trajectory = "learned1.dump"
runs = ["learned2.dump"]
role = "train"

[[specimen]]
name = "aside"
trajectory = "aside1.dump"
runs = ["aside2.dump", "aside3.dump"]
role = "test"

[ingest]
species = { 1 = "Cu", 2 = "Zr" }
strain_step = 0.01
chunk = 24

[train]
label = "propensity"
strain = 0.01
folds = 2
draws = 1
trees = 5
surface_margin_angstrom = 0.0
"""


@pytest.fixture(scope="module")
def job(tmp_path_factory, golden, few):
    home = tmp_path_factory.mktemp("recipe")
    for number, shift in ((1, 0.3), (2, 0.35), (3, 0.25)):
        dump = small_dump(golden, home / f"learned{number}.dump", shift)
        shifted(dump, home / f"aside{number}.dump", more=100)
    (home / "job.toml").write_text(RECIPE)
    return qsdask.run(home / "job.toml", folder=home / "all", run=few)


def test_the_responses_of_all_runs_are_averaged_and_learned(job):
    for name, runs in (("learned", 2), ("aside", 3)):
        d2 = []
        for store in (f"{name}.zarr", *(f"{name}-run{k}.zarr" for k in range(2, runs + 1))):
            root = StoreReader(job["folder"] / store)
            order = np.argsort(root["atoms/id"][:])
            d2.append(root["response/d2min/d2min"][1][order])
        root = StoreReader(job["stores"][name])
        found = root["response/propensity/frequency"][1][np.argsort(root["atoms/id"][:])]
        known = np.isfinite(d2).all(axis=0)
        np.testing.assert_array_equal(found[known], (np.array(d2) > 0.45).mean(axis=0)[known])
    model = load_model(job["model"])
    assert (model.label["frequency"], model.label["threshold"]) == (0.5, 0.45)
    assert [s.name for s in model.specimens] == ["learned"]
    assert list(job["scores"]) == ["aside"]


def test_the_held_out_glass_has_softness_at_the_strains_asked_for(job):
    store = job["stores"]["aside"]
    qs = StoreReader(store)["steps/1/softness/model/qs"][:]
    assert np.isfinite(qs).any()
    assert not np.array_equal(qs, StoreReader(store)["softness/model/qs"][:], equal_nan=True)
    assert not (job["stores"]["learned"] / "steps").exists()


def test_the_same_recipe_again_does_nothing(job, few):
    folder = job["folder"]
    files = {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}
    again = qsdask.run(folder.parent / "job.toml", folder=folder, run=few)
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()} == files
    # Not all scores are defined, and NaN is not equal to itself.
    assert json.dumps(again["scores"], sort_keys=True) == json.dumps(job["scores"], sort_keys=True)


def test_a_specimen_with_the_name_of_a_run_of_another_is_refused():
    glass = {"trajectory": "a.dump", "role": "train"}
    with pytest.raises(UsageError, match="two specimens have one name"):
        validated(Recipe, specimen=[{"name": "a", "runs": ["b.dump"], **glass}, {"name": "a-run2", **glass}])


def test_propensity_of_a_glass_that_was_deformed_once_is_refused_at_once(job, few):
    with pytest.raises(UsageError, match="aside has no other runs"):
        validated(Recipe, **tomllib.loads(RECIPE.replace('runs = ["aside2.dump", "aside3.dump"]', "")))


def test_overwriting_makes_anew_only_what_was_made_otherwise(job, few):
    recipe, folder = job["folder"].parent / "job.toml", job["folder"]
    before = times(folder)
    with pytest.raises(QSDaskError, match="E-EXISTS"):
        qsdask.run(recipe, folder=folder, changes=["train.trees=4"], run=few)
    qsdask.run(recipe, folder=folder, changes=["train.trees=4"], run=replace(few, overwrite=True))
    again = times(folder)
    assert again["model.qs"] != before["model.qs"]
    assert again["aside.zarr/softness"] != before["aside.zarr/softness"]
    for name in ("atoms", "frames", "shells", "features", "response"):
        assert again[f"aside.zarr/{name}"] == before[f"aside.zarr/{name}"]


def times(folder: Path) -> dict[str, list]:
    """Files with their times, by what they belong to."""
    places = [folder / "model.qs", *(folder / "aside.zarr").glob("[a-z]*")]
    return {
        p.relative_to(folder).as_posix(): sorted((str(f), f.stat().st_mtime_ns) for f in p.rglob("*")) for p in places
    }
