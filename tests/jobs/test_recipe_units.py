"""Recipes of glasses whose lengths are in sigma: nothing by default, one cut-off for all glasses."""

from __future__ import annotations

import pytest

import qsdask
from qsdask.errors import UsageError
from qsdask.jobs.plan import plan
from qsdask.stages.cutoffs import first_minimum
from tests.stages.test_sigma import SIGMA, glass_dump, scaled

RECIPE = """
folder = "out"

[[specimen]]
name = "one"
trajectory = "one.dump"
role = "train"

[[specimen]]
name = "two"
trajectory = "two.dump"
role = "test"

[ingest]
species = { 1 = "A", 2 = "B" }
radius = { A = 0.64, B = 0.79 }

[shells]
cutoff = "auto"
open_radius = 4.0

[respond]
cutoff = "auto"

[train]
threshold = 4.0
surface_margin = 1.0
folds = 2
draws = 1
trees = 5

[report]
slice_thickness = 2.0
"""


@pytest.fixture
def folder(golden, tmp_path, monkeypatch):
    for seed, name in ((1, "one"), (2, "two")):
        glass_dump(golden, tmp_path / f"{name}.dump", seed, SIGMA, "lj")
    (tmp_path / "lj.toml").write_text(RECIPE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_one_cut_off_for_all_glasses(folder, few):
    assert plan("lj.toml")["two"]
    done = qsdask.run("lj.toml", run=few)
    number = first_minimum(done["stores"]["one"], few)
    assert number != first_minimum(done["stores"]["two"], few)
    for store in done["stores"].values():
        stages = {s["stage"]: s["settings"] for s in qsdask.info(store)["stages"]}
        assert stages["shells"]["cutoff_sigma"] == stages["response/d2min"]["cutoff_sigma"] == number
    assert done["scores"]["two"]["threshold"] == 4.0
    assert scaled(SIGMA)["threshold"] == 4.0


@pytest.mark.parametrize(
    "line", ["open_radius = 4.0", "threshold = 4.0", "surface_margin = 1.0", "slice_thickness = 2.0"]
)
def test_a_length_left_out_is_told_before_any_stage_but_the_first(line, folder, few):
    (folder / "lj.toml").write_text(RECIPE.replace(line, ""))
    for work in (lambda: plan("lj.toml"), lambda: qsdask.run("lj.toml", run=few)):
        with pytest.raises(UsageError) as error:
            work()
        assert error.value.code == "E-NO-DEFAULT"
        assert line.partition(" ")[0].replace("_", "-") in error.value.hint
    assert [s["stage"] for s in qsdask.info(folder / "out" / "one.zarr")["stages"]] == ["ingest"]
