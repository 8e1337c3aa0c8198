"""Feature sets against each other."""

from __future__ import annotations

import json

import pytest

import qsdask
from qsdask.cli import main
from qsdask.errors import UsageError
from tests.study.several_glasses import LEARNING

OPTIONS = [
    "--strain",
    "0.01",
    "--threshold",
    "0.3",
    "--folds",
    "2",
    "--draws",
    "2",
    "--trees",
    "5",
    "--surface-margin",
    "0",
]


def test_every_set_alone_and_beside_another_on_the_same_atoms(glasses_of_kinds, few):
    train, test = [glasses_of_kinds["a1"], glasses_of_kinds["a2"]], [glasses_of_kinds["b1"], glasses_of_kinds["b2"]]
    found = qsdask.benchmark(train, test, sets="coordination,interstice,symmetry_function", run=few, **LEARNING)
    kinds = [(row["set"], row["kind"], row["columns"]) for row in found["rows"]]
    assert kinds == [
        ("coordination", "short", 2),
        ("coordination", "medium", 10),
        ("coordination", "added", 90),
        ("interstice", "short", 16),
        ("interstice", "medium", 80),
        ("symmetry_function", "short", 166),
        ("symmetry_function", "added", 246),
    ]
    assert all(len(row["folds"]) == len(row["held_out"][0]["auc_models"]) == 4 for row in found["rows"])
    assert found["cost"]["symmetry_function"] == 92.0
    # One of them done by hand: the same atoms, the same model, the same score.
    again = qsdask.benchmark(
        train, test, sets="coordination", beside=None, same_atoms="interstice,symmetry_function", run=few, **LEARNING
    )
    assert again["rows"] == found["rows"][:2]
    assert again["usable"] == found["usable"]


def test_neither_workers_nor_the_order_of_glasses_matter(glasses_of_kinds, few):
    train, test = [glasses_of_kinds["a1"], glasses_of_kinds["a2"]], [glasses_of_kinds["b1"]]
    one = qsdask.Run(cluster="threads", workers=1, progress=False)
    first, second = (
        qsdask.benchmark(order, test, sets="coordination", run=run, **LEARNING)
        for order, run in ((train, few), (train[::-1], one))
    )
    assert first["rows"] == second["rows"]


def test_sets_that_stores_lack_are_told_with_the_command(glasses_of_kinds, few):
    pair = [glasses_of_kinds["a1"]], [glasses_of_kinds["b1"]]
    with pytest.raises(UsageError, match="E-FEATURE-SET") as told:
        qsdask.benchmark(*pair, sets="motif,coordination", run=few, **LEARNING)
    assert f"qsdask features {pair[0][0]} --set motif" in told.value.hint
    found = qsdask.benchmark(*pair, sets="all", beside=None, run=few, **LEARNING)
    assert found["sets"] == ["coordination", "interstice", "symmetry_function"]
    assert "motif" in found["notes"][0]
    with pytest.raises(UsageError, match="--test"):
        qsdask.benchmark(pair[0], [], run=few, **LEARNING)


def test_the_command_prints_and_draws(glasses_of_kinds, tmp_path, capsys):
    picture = tmp_path / "sets.png"
    names = [str(glasses_of_kinds[name]) for name in ("a1", "a2", "b1", "b2")]
    asked = ["benchmark", "--train", *names[:2], "--test", *names[2:], "--sets", "coordination", "--cluster", "threads"]
    asked += [*OPTIONS, "--quiet", "--workers", "2"]
    assert main([*asked, "--out", str(picture)]) == 0
    shown = capsys.readouterr().out
    assert "added to interstice" in shown
    assert "µs/atom" in shown
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert main([*asked, "--json", "--with", "none"]) == 0
    assert [row["kind"] for row in json.loads(capsys.readouterr().out)["rows"]] == ["short", "medium"]
    assert main([*asked, "--out", str(picture)]) != 0
    assert "E-EXISTS" in capsys.readouterr().err
