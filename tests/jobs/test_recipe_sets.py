"""A recipe whose feature sets do not fit is refused before anything runs."""

from __future__ import annotations

import pytest

import qsdask
from qsdask.cli import main
from qsdask.errors import UsageError

RECIPE = """
[[specimen]]
name = "one"
trajectory = "one.dump"
role = "train"

[ingest]
species = { 1 = "Cu", 2 = "Zr" }
"""


@pytest.fixture
def recipe(own):
    (own / "tiny.dump").rename(own / "one.dump")
    file = own / "job.toml"
    file.write_text(RECIPE)
    return file


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        (["features.set=soft_shell", "train.set=soft_shell"], "E-SOFT-FACETS"),
        (["features.set=interstice,bond_order", "features.facet_weighting=area"], "E-SOFT-FACETS"),
        (["features.set=all", "train.set=soft_shell"], "E-SETTING"),
        (["train.set=motif"], "E-SETTING"),
        (["train.set=nothing"], "E-FEATURE-SET"),
        (["features.set=nothing"], "E-FEATURE-SET"),
    ],
)
def test_sets_that_the_shells_or_the_learning_rule_out_are_refused_and_nothing_is_made(recipe, few, changes, code):
    with pytest.raises(UsageError, match=code):
        qsdask.plan(recipe, changes=changes)
    with pytest.raises(UsageError, match=code):
        qsdask.run(recipe, changes=changes, folder=recipe.parent / "made", run=few)
    assert not (recipe.parent / "made").exists()


def test_a_dry_run_says_how_soft_facets_are_had(recipe, capsys):
    soft = ["--set", "features.set=soft_shell", "--set", "train.set=soft_shell"]
    assert main(["run", str(recipe), "--dry-run", *soft]) == 64
    assert "--set shells.facet_fraction=0" in capsys.readouterr().err
    assert main(["run", str(recipe), "--dry-run", *soft, "--set", "shells.facet_fraction=0"]) == 0
    assert "features" in capsys.readouterr().out
