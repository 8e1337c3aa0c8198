"""``qsdask plan``: what a recipe will cost, and what a larger one of its kind would."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import qsdask
from qsdask.cli import cli
from qsdask.jobs.plan import costs

RECIPE = Path(__file__).parents[2] / "pipelines" / "quickstart.toml"


def typed(*words: str):
    return CliRunner().invoke(cli, ["plan", str(RECIPE), *words])


def test_every_stage_has_a_cost_and_learning_is_that_of_all_training_glasses(tmp_path):
    found = costs(RECIPE, folder=tmp_path / "x", cores=(1, 4))
    stages = [cost.stage for cost in found["cu65_a"]]
    assert stages == ["ingest", "surface", "shells", "respond", "features interstice", "predict"]
    [learning] = found["learning"]
    assert learning.stage == "train"
    for cost in [*found["cu65_a"], learning]:
        assert 0 < cost.wall_seconds[4] <= cost.wall_seconds[1]
    assert not (tmp_path / "x").exists()


def test_a_larger_glass_costs_in_proportion(tmp_path):
    small, large = (costs(RECIPE, folder=tmp_path, n_atom=n, n_frame=33, cores=(1,))["cu65_a"] for n in (10**8, 10**9))
    for less, more in zip(small, large, strict=True):
        assert more.core_seconds == pytest.approx(10 * less.core_seconds, rel=0.05)
        assert more.extrapolated == pytest.approx(10 * less.extrapolated, rel=0.02)
    [stage] = [row for row in qsdask.plan(RECIPE, folder=tmp_path, n_atom=10**9)["cu65_a"] if row.stage == "shells"]
    assert stage.bytes_memory < 1e9  # of one domain, whatever the size of the glass


def test_several_feature_sets_are_planned(tmp_path):
    changes = ["features.set=interstice,motif", "train.set=interstice,motif"]
    rows = qsdask.plan(RECIPE, changes=changes, folder=tmp_path)["cu65_a"]
    assert [row.part for row in rows if row.stage == "features"] == ["interstice", "motif"]


def test_the_command_prints_both_tables_and_json():
    done = typed("--cost", "--atoms", "1e9", "--frames", "33", "--cores", "64")
    assert done.exit_code == 0, done.output
    assert "on 64 cores" in done.output
    assert "extrapolated" in done.output
    plain = json.loads(typed("--cost", "--json").output)
    assert plain["plan"]["cu65_a"][0]["stage"] == "ingest"
    assert plain["cost"]["cu65_a"][0]["core_seconds"] > 0
    assert "cost" not in json.loads(typed("--json").output)


@pytest.mark.parametrize("number", ["1.5", "0", "-3", "many", "nan", "inf"])
def test_a_size_must_be_a_number_of_atoms(number):
    done = typed("--atoms", number)
    assert done.exit_code == 2
    assert "is not a whole number above zero" in done.output
