"""Models on glasses of other conditions."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest

import qsdask
from qsdask.cli import main
from qsdask.errors import BadDataError, NoInputError, UsageError
from qsdask.settings import TrainSettings
from qsdask.study.conditions import Condition, category, conditions_of
from qsdask.study.trial_scores import scored_on
from qsdask.study.trials import Trial, learned_all
from tests.study.several_glasses import LEARNING

NAMES = ("a1", "a2", "b1", "b2", "fe")


@pytest.fixture(scope="module")
def found(glasses_of_kinds, few):
    stores = [glasses_of_kinds[name] for name in NAMES]
    return qsdask.transfer(
        stores, sets="interstice,symmetry_function", conditions=glasses_of_kinds["table"], run=few, **LEARNING
    )


def pair_of(found, name, source, target):
    return next(p for p in found["pairs"] if (p["set"], p["source"], p["target"]) == (name, source, target))


def test_all_pairs_of_conditions_have_their_category(found):
    assert [c["composition"] for c in found["conditions"]] == ["A", "B", "F"]
    assert [c["system"] for c in found["conditions"]] == ["Cu-Zr", "Cu-Zr", "Fe-P"]
    assert len(found["pairs"]) == 2 * 9
    kinds = {(p["source"], p["target"]): p["category"] for p in found["pairs"]}
    assert kinds[0, 0] == "same"
    assert kinds[0, 1] == "both"
    assert kinds[0, 2] == kinds[2, 1] == "system"
    assert set(found["categories"]) == {"same", "both", "system"}


def test_scores_are_those_of_models_that_never_saw_the_glass(found, glasses_of_kinds, few):
    chosen = TrainSettings(set="interstice", same_atoms="interstice,symmetry_function", **LEARNING)
    a1, a2, b1 = (glasses_of_kinds[name] for name in ("a1", "a2", "b1"))
    models = learned_all({"without 1": Trial((a2,), chosen), "without 2": Trial((a1,), chosen)}, few)
    there = found["conditions"][0]["stores"].index(str(a1))
    own = scored_on(a1, {"it": models["without 1"]}, few)["it"].auc
    same = pair_of(found, "interstice", 0, 0)
    assert same["auc_replicas"][there] == own
    assert same["loss_replicas"][there] == pytest.approx(models["without 1"].scores["mean"]["auc"] - own)
    said = scored_on(b1, models, few)
    across = pair_of(found, "interstice", 0, 1)
    place = found["conditions"][1]["stores"].index(str(b1))
    assert across["auc_replicas"][place] == pytest.approx(np.mean([one.auc for one in said.values()]))
    of_target = pair_of(found, "interstice", 1, 1)["auc_replicas"][place]
    assert across["loss_replicas"][place] == pytest.approx(of_target - across["auc_replicas"][place])
    assert across["loss_error"] == pytest.approx(np.std(across["loss_replicas"], ddof=1) / np.sqrt(2))


def test_a_condition_of_one_glass_is_learned_from_and_has_no_model_of_its_own(found):
    assert np.isfinite(pair_of(found, "symmetry_function", 2, 0)["loss"])
    alone = pair_of(found, "symmetry_function", 0, 2)
    assert np.isfinite(alone["auc"])
    assert np.isnan(alone["loss"])
    assert np.isnan(pair_of(found, "interstice", 2, 2)["auc"])
    assert found["summary"]["interstice"]["system"]["n"] == 2


def test_neither_workers_nor_the_order_of_stores_matter(found, glasses_of_kinds):
    one = qsdask.Run(cluster="threads", workers=1, progress=False)
    stores = [glasses_of_kinds[name] for name in reversed(NAMES)]
    again = qsdask.transfer(
        stores, sets="interstice,symmetry_function", conditions=glasses_of_kinds["table"], run=one, **LEARNING
    )
    assert json.dumps(again) == json.dumps(found)


def test_categories_are_those_of_the_paper():
    here = Condition("Cu65Zr35", 5e10, "Cu-Zr", "compression along z")
    others = {
        "same": here,
        "rate": Condition("Cu65Zr35", 5e11, "Cu-Zr", "compression along z"),
        "composition": Condition("Cu50Zr50", 5e10, "Cu-Zr", "compression along z"),
        "both": Condition("Cu50Zr50", 5e12, "Cu-Zr", "compression along z"),
        "system": Condition("Fe80P20", 5e10, "Fe-P", "tension along z"),
        "loading": Condition("Cu65Zr35", 5e10, "Cu-Zr", "tension along z"),
    }
    assert {kind: category(here, other) for kind, other in others.items()} == {kind: kind for kind in others}


def test_what_stores_tell_is_enough_where_they_do(glasses_of_kinds, few):
    paths = [glasses_of_kinds[name] for name in NAMES]
    groups, notes = conditions_of(paths)
    assert {condition.composition for condition in groups} >= {"Cu71Zr29", "Cu50Zr50", "Fe52P48"}
    assert "quench rate not known" in notes[0]
    with pytest.raises(UsageError, match="E-CONDITIONS"):
        qsdask.transfer(paths, run=few, **LEARNING)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "cannot be read"),
        ("glass,rate\na1,1\n", "columns of the table"),
        ("store,rate\na1,fast\n", "kelvin per second"),
        ("store,rate\nzz,1e10\n", "names no store"),
    ],
)
def test_a_table_that_cannot_be_used_is_told(glasses_of_kinds, tmp_path, text, told):
    file = tmp_path / "table.csv"
    if text is not None:
        file.write_text(text)
    with pytest.raises((BadDataError, NoInputError), match=told):
        conditions_of([glasses_of_kinds["a1"]], file)


def test_the_command_prints_and_draws(glasses_of_kinds, tmp_path, capsys):
    picture = tmp_path / "transfer.png"
    asked = [
        "transfer",
        *(str(glasses_of_kinds[name]) for name in NAMES),
        "--conditions",
        str(glasses_of_kinds["table"]),
    ]
    asked += [word for name, value in LEARNING.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    asked += ["--sets", "coordination,interstice+coordination", "--cluster", "threads", "--quiet"]
    assert main([*asked, "--out", str(picture)]) == 0
    shown = capsys.readouterr().out
    assert "other composition, other rate" in shown
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert main([*asked, "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["sets"] == ["coordination", "interstice+coordination"]
    assert all(one["set"] <= two["set"] for one, two in pairwise(values["pairs"]))
