"""A recipe that uses a model that exists: the numbers of the stages one by one, with and without deformation."""

from __future__ import annotations

import numpy as np
import pytest

import qsdask
from qsdask.errors import UsageError
from qsdask.jobs.plan import plan, written
from qsdask.learn.model_folder import load_model
from qsdask.store.reader import StoreReader
from tests.small_store import small_dump
from tests.stages.test_propensity import shifted

RECIPE = """
use_model = "tiny.qs"

[[specimen]]
name = "still"
trajectory = "still.dump"

[[specimen]]
name = "moved"
trajectory = "moved.dump"

[ingest]
species = { 1 = "Cu", 2 = "Zr" }
strain_step = 0.01
chunk = 24

[predict]
accept_outside = true
"""


@pytest.fixture
def recipe(own, golden):
    """Recipe beside the model, for the small glass shifted: once undeformed, once deformed."""
    moved = shifted(small_dump(golden, own / "whole.dump"), own / "moved.dump", more=100)
    (own / "still.dump").write_text("ITEM: TIMESTEP\n" + moved.read_text().split("ITEM: TIMESTEP\n")[1])
    (own / "job.toml").write_text(RECIPE)
    return own / "job.toml"


def test_it_has_the_softness_of_predict_and_scores_where_there_was_deformation(recipe, own, few):
    done = qsdask.run(recipe, folder=own / "all", run=few)
    assert done["model"] == own / "tiny.qs"
    assert list(done["scores"]) == ["moved"]
    assert list(done["reports"]) == ["still", "moved"]
    still = done["stores"]["still"]
    wanted = qsdask.softness(own / "still.dump", own / "tiny.qs", species={1: "Cu", 2: "Zr"}, check="ignore")
    root = StoreReader(still)
    order = np.argsort(root["atoms/id"][:]), np.argsort(wanted.id.values)
    np.testing.assert_array_equal(root["softness/tiny/qs"][:][order[0]], wanted.qs.values[order[1]])
    page = done["reports"]["still"].read_text()
    assert "Does the model know such glasses?" in page
    assert "Test on the held-out glass" in done["reports"]["moved"].read_text()
    before = {path: path.stat().st_mtime_ns for path in (own / "all").rglob("*") if path.is_file()}
    again = qsdask.run(recipe, folder=own / "all", run=few)
    assert str(again["scores"]) == str(done["scores"])  # some are NaN
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_shells_and_features_are_those_that_the_model_knows(recipe, own, few):
    """The model of the recipe looks 4.5 angstrom far; nobody has to say so."""
    for stage, settings in (("shells", {"cutoff": 4.5}), ("features", {}), ("respond", {})):
        getattr(qsdask, stage)(own / "tiny.zarr", **settings, run=few.__class__(**{**vars(few), "overwrite": True}))
    fast = {"strain": 0.01, "threshold": 0.3, "folds": 2, "draws": 1, "trees": 5, "surface_margin": 0.0}
    qsdask.train([own / "tiny.zarr"], model=own / "far.qs", **fast, run=few)
    done = qsdask.run(recipe, changes=["use_model=far.qs"], folder=own / "all", run=few)
    assert load_model(own / "far.qs").definition["shells"]["cutoff_angstrom"] == 4.5
    assert qsdask.info(done["stores"]["still"])["stages"][2]["settings"]["cutoff_angstrom"] == 4.5


def test_the_plan_writes_no_model_and_measures_no_response_of_one_frame(recipe, own):
    assert {what for what, _, _ in written(recipe, folder=own / "all")} == {
        "what the job remembers",
        *(f"{what} of {name}" for what in ("store", "report") for name in ("still", "moved")),
    }
    stages = {name: [row.stage for row in rows] for name, rows in plan(recipe, folder=own / "all").items()}
    assert "respond" not in stages["still"]
    assert "respond" in stages["moved"]


def test_learning_and_using_are_told_apart(recipe, own, few):
    text = recipe.read_text()
    recipe.write_text(text.replace('name = "moved"', 'name = "moved"\nrole = "train"'))
    with pytest.raises(UsageError, match="moved has role = 'train'"):
        qsdask.run(recipe, folder=own / "all", run=few)
    recipe.write_text(text.replace('use_model = "tiny.qs"', ""))
    with pytest.raises(UsageError, match="no specimen with role = 'train'") as told:
        qsdask.run(recipe, folder=own / "all", run=few)
    assert "use_model" in told.value.hint
