"""Few columns out of many."""

from __future__ import annotations

import json

import numpy as np
import pytest

import qsdask
from qsdask.cli import main
from qsdask.errors import UsageError
from qsdask.learn import Specimen, Table, load_model
from qsdask.settings import TrainSettings
from qsdask.study.elimination import eliminated, fold_score, own_choice, without_repeats
from tests.study.several_glasses import LEARNING


@pytest.fixture(scope="module")
def table():
    """400 rows: two columns that decide, one that repeats the first, three of noise."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(400, 6)).astype(np.float32)
    X[:, 2] = -X[:, 0] + 0.01 * X[:, 2]
    y = X[:, 0] + 0.7 * X[:, 1] + 0.3 * rng.normal(size=400) > 0
    names = tuple(f"sro__{name}" for name in ("first", "second", "repeat", "noise1", "noise2", "noise3"))
    return Table((Specimen("a", "a"),), np.zeros(400, dtype=int), np.arange(400), X, y, names)


def test_what_repeats_a_more_important_column_goes(table):
    order = ["sro__repeat", "sro__second", "sro__first", "sro__noise1", "sro__noise2", "sro__noise3"]
    kept, dropped = without_repeats(table, order, 0.95)
    assert kept == [name for name in table.columns if name != "sro__first"]
    [told] = dropped
    assert (told["name"], told["like"]) == ("sro__first", "sro__repeat")
    assert told["correlation"] == pytest.approx(np.corrcoef(table.X[:, 0], table.X[:, 2])[0, 1], abs=1e-6)
    assert without_repeats(table, order, 1.0) == (list(table.columns), [])


def test_what_decides_is_left(table):
    settings = TrainSettings(trees=30, folds=3, draws=1)
    names = [name for name in table.columns if name != "sro__repeat"]

    def scored(some):
        return [fold_score(0, k, table, settings, some) for k in range(3)]

    steps = eliminated(names, 2, scored)
    assert [len(step.names) for step in steps] == [5, 4, 3, 2, 1]
    assert set(steps[3].names) == {"sro__first", "sro__second"}
    assert steps[4].names == ("sro__first",)
    assert steps[3].auc.mean() > steps[4].auc.mean() + 0.05
    assert all(step.share.sum() == pytest.approx(1.0) for step in steps)
    assert set(own_choice(0, 1, table, settings, names, 2)) == {"sro__first", "sro__second"}


def test_far_above_the_wanted_number_several_go_at_a_step():
    names = [f"c{k:03d}" for k in range(100)]

    class Said:
        auc, share = 0.5, None

    def scored(some):
        said = Said()
        said.share = np.arange(len(some))[::-1] / max(sum(range(len(some))), 1)
        return [said]

    sizes = [len(step.names) for step in eliminated(names, 5, scored)]
    assert sizes[:3] == [100, 95, 91]
    assert sizes[-21:] == list(range(21, 0, -1))


@pytest.fixture(scope="module")
def found(glasses_of_kinds, few):
    train = [glasses_of_kinds["a1"], glasses_of_kinds["a2"]]
    return qsdask.select(
        train,
        keep=6,
        test=[glasses_of_kinds["b1"]],
        set="interstice,coordination",
        columns="short_range",
        run=few,
        **LEARNING,
    )


def test_the_course_begins_with_all_columns_and_ends_with_one(found, glasses_of_kinds):
    sizes = [step["n"] for step in found["path"]]
    assert sizes[0] == 18
    assert sizes[1] == 18 - len(found["pruned"])
    assert sizes[-1] == 1
    assert sizes == sorted(sizes, reverse=True)
    chosen = next(step for step in found["path"] if step["n"] == 6)
    assert [column["name"] for column in found["columns"]] == chosen["names"]
    assert str(glasses_of_kinds["b1"]) in chosen["held_out"]
    assert all(0 <= column["chosen_by"] <= 1 for column in found["columns"])
    # What each fold model chooses alone adds up to six columns.
    assert 0 < found["overlap"] <= 1


def test_the_first_score_is_that_of_train(found, glasses_of_kinds, tmp_path, few):
    train = [glasses_of_kinds["a1"], glasses_of_kinds["a2"]]
    model = load_model(
        qsdask.train(
            train, model=tmp_path / "m.qs", set="interstice,coordination", columns="short_range", run=few, **LEARNING
        )
    )
    assert found["path"][0]["auc"] == pytest.approx(model.scores["mean"]["auc"], abs=1e-12)
    share = (model.part.gain() / model.part.gain().sum(axis=1, keepdims=True)).mean(axis=0)
    assert found["path"][0]["names"][0] == model.columns[int(np.argmax(share))]


def test_neither_workers_nor_the_order_of_glasses_matter(found, glasses_of_kinds):
    one = qsdask.Run(cluster="threads", workers=1, progress=False)
    train = [glasses_of_kinds["a2"], glasses_of_kinds["a1"]]
    again = qsdask.select(
        train,
        keep=6,
        test=[glasses_of_kinds["b1"]],
        set="interstice,coordination",
        columns="short_range",
        run=one,
        **LEARNING,
    )
    del again["train"]
    assert again == {name: value for name, value in found.items() if name != "train"}


def test_train_takes_the_file_of_the_command(glasses_of_kinds, tmp_path, few, capsys):
    columns, picture = tmp_path / "columns.txt", tmp_path / "course.png"
    learning = [word for name, value in LEARNING.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    asked = ["select", "--train", str(glasses_of_kinds["a1"]), str(glasses_of_kinds["a2"]), "--keep", "4", *learning]
    asked += ["--set", "coordination", "--cluster", "threads", "--quiet"]
    assert main([*asked, "--out", str(columns), "--png", str(picture)]) == 0
    assert "4 of 10 columns" in capsys.readouterr().out
    assert picture.read_bytes().startswith(b"\x89PNG")
    model = qsdask.train(
        glasses_of_kinds["a1"], model=tmp_path / "few.qs", set="coordination", columns=str(columns), run=few, **LEARNING
    )
    lines = columns.read_text().splitlines()
    assert set(load_model(model).columns) == set(lines[1:])
    assert main([*asked, "--json"]) == 0
    assert [one["name"] for one in json.loads(capsys.readouterr().out)["columns"]] == lines[1:]
    assert main([*asked, "--out", str(columns)]) != 0
    assert "E-EXISTS" in capsys.readouterr().err


def test_limits_that_cannot_be_are_told(glasses_of_kinds, few):
    with pytest.raises(UsageError, match="keep"):
        qsdask.select([glasses_of_kinds["a1"]], keep=0, run=few, **LEARNING)


def test_another_learner_is_refused(glasses_of_kinds, few):
    with pytest.raises(UsageError, match=r"E-SETTING.*trees"):
        qsdask.select([glasses_of_kinds["a1"]], learner="response", run=few)
    assert main(["select", "--train", str(glasses_of_kinds["a1"]), "--learner", "response"]) == 64
