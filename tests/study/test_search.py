"""Settings of the trees by random search."""

from __future__ import annotations

import json

import numpy as np
import pytest

import qsdask
from qsdask.cli import main
from qsdask.errors import UsageError
from qsdask.learn import load_model
from qsdask.study.search import RANGES
from tests.study.several_glasses import LEARNING

SEARCHING = {name: value for name, value in LEARNING.items() if name != "trees"} | {"block": 4.0, "search": 3}


@pytest.fixture(scope="module")
def model(glasses_of_kinds, tmp_path_factory, few):
    made = tmp_path_factory.mktemp("searched") / "tuned.qs"
    return qsdask.train([glasses_of_kinds["a1"], glasses_of_kinds["a2"]], model=made, run=few, **SEARCHING)


def test_the_best_is_taken_and_all_that_was_tried_is_kept(model):
    found = load_model(model)
    told = found.scores["search"]
    assert told["folds"] == "spatial_block"
    assert len(told["tried"]) == 4
    assert told["chosen"] == int(np.argmax([one["auc"] for one in told["tried"]]))
    best = told["tried"][told["chosen"]]
    kept = found.settings["gbdt"]
    assert {name: kept["n_trees" if name == "trees" else name] or best[name] for name in RANGES} == {
        name: best[name] for name in RANGES
    }
    assert (told["tried"][0]["trees"], told["tried"][0]["depth"]) == (300, 2)
    for one in told["tried"]:
        assert all(low <= one[name] <= high for name, (low, high) in RANGES.items())


def test_neither_workers_nor_the_order_of_glasses_matter(model, glasses_of_kinds, tmp_path):
    one = qsdask.Run(cluster="threads", workers=1, progress=False)
    stores = [glasses_of_kinds["a2"], glasses_of_kinds["a1"]]
    again = qsdask.train(stores, model=tmp_path / "again.qs", run=one, **SEARCHING)
    assert load_model(again).digest() == load_model(model).digest()


def test_what_is_given_is_not_searched_for(glasses_of_kinds, tmp_path, few):
    given = {**SEARCHING, "trees": 7, "depth": 3}
    found = load_model(qsdask.train(glasses_of_kinds["a1"], model=tmp_path / "m.qs", run=few, **given))
    assert {(one["trees"], one["depth"]) for one in found.scores["search"]["tried"]} == {(7, 3)}
    assert len({one["learning_rate"] for one in found.scores["search"]["tried"]}) == 4


def test_without_a_search_a_model_says_nothing_of_one(glasses_of_kinds, tmp_path, few):
    made = qsdask.train(glasses_of_kinds["a1"], model=tmp_path / "m.qs", run=few, **LEARNING)
    record = json.loads((made / "model.json").read_text())
    assert set(record["scores"]) == {"folds", "mean"}
    assert "same_atoms" not in record["label"]


def test_the_command_prints_what_was_taken(glasses_of_kinds, tmp_path, capsys):
    asked = [word for name, value in SEARCHING.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    asked = ["train", str(glasses_of_kinds["a1"]), "--model", str(tmp_path / "m.qs"), *asked]
    assert main([*asked, "--cluster", "threads", "--quiet"]) == 0
    shown = capsys.readouterr().out
    assert "best of 4 settings" in shown
    assert "taken: " in shown


def test_linear_models_have_no_settings_of_trees_to_search_for(glasses_of_kinds, tmp_path, few):
    with pytest.raises(UsageError, match="search: of the learner 'gbdt', not of 'response'"):
        qsdask.train(glasses_of_kinds["a1"], model=tmp_path / "it.qs", learner="response", search=3, run=few)
