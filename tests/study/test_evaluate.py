"""Scores of a held-out glass with their intervals, and two models on one glass: from the command, and however it is cut."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics

import qsdask
from qsdask.cli import main
from qsdask.errors import BadDataError, NoInputError, UsageError
from qsdask.learn.folds import blocks
from qsdask.store.reader import StoreReader
from qsdask.study.blocks import block_edge
from tests.conftest import SPECIES

QUICK = {"trees": 5, "draws": 1, "folds": 2, "strain": 0.04}


@pytest.fixture(scope="module")
def held_out(tmp_path_factory, glass, shipped, few) -> Path:
    """Folder with models of all columns and of the short range, and the other shipped glass in chunks of two sizes."""
    home = tmp_path_factory.mktemp("held-out")
    all_columns = qsdask.train(glass, model=home / "all.qs", run=few, **QUICK)
    short = qsdask.train(glass, model=home / "short.qs", columns="short_range", run=few, **QUICK)
    with gzip.open(shipped / "cu65_b.dump.gz", "rt") as file:
        text = file.read().split("ITEM: TIMESTEP\n")[1:]
    (home / "b.dump").write_text("".join("ITEM: TIMESTEP\n" + text[k] for k in (0, 8)))
    for name, chunk in (("b", 2304), ("cut", 1000)):
        store = qsdask.ingest(home / "b.dump", home / f"{name}.zarr", name="b", species=SPECIES, chunk=chunk, run=few)
        for stage in (qsdask.shells, qsdask.features, qsdask.respond):
            stage(store, run=few)
        for model in (all_columns, short):
            qsdask.predict(store, model=model, run=few)
    return home


@pytest.fixture(scope="module")
def scores(held_out, few) -> dict:
    return qsdask.evaluate(held_out / "b.zarr", model=held_out / "all.qs", against=held_out / "short.qs", run=few)


def atoms(store: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Label and softness of all atoms."""
    root = StoreReader(store)
    return root["response/d2min/d2min"][1, :] > 5.0, root[f"softness/{name}/qs"][:]


def test_scores_are_those_of_scikit_learn(held_out, scores):
    y, qs = atoms(held_out / "b.zarr", "all")
    assert scores["auc_roc"] == pytest.approx(metrics.roc_auc_score(y, qs), abs=1e-6)
    assert scores["average_precision"] == pytest.approx(metrics.average_precision_score(y, qs), abs=1e-4)
    assert scores["mcc"] == pytest.approx(metrics.matthews_corrcoef(y, qs >= 0.5), abs=1e-12)
    assert scores["f1"] == pytest.approx(metrics.f1_score(y, qs >= 0.5), abs=1e-12)
    assert scores["calibration_error"] == scores["calibration_corrected"]["error"] < scores["calibration"]["error"]


def test_every_score_is_within_its_interval_of_27_blocks(scores):
    assert scores["blocks"] == 27
    assert not any("W-FEW-BLOCKS" in note for note in scores["notes"])
    assert set(scores["intervals"]) >= {"auc_roc", "average_precision", "mcc", "f1", "recall", "precision", "lift_5"}
    for name, (low, high) in scores["intervals"].items():
        assert low < scores[name] < high, name
    low, high = scores["intervals"]["auc_roc"]
    assert 0.03 < high - low < 0.15


def test_chunks_and_workers_change_no_bit(held_out, scores, few):
    again = qsdask.evaluate(
        held_out / "cut.zarr", model=held_out / "all.qs", against=held_out / "short.qs", run=replace(few, workers=1)
    )
    for name in scores.keys() - {"store"}:
        np.testing.assert_equal(again[name], scores[name], err_msg=name)


def test_the_second_model_is_scored_as_alone_on_the_same_atoms(held_out, scores, few):
    against = scores["against"]
    alone = qsdask.evaluate(held_out / "b.zarr", model=held_out / "short.qs", run=few)
    assert against["usable"] == scores["usable"] == alone["usable"]
    for name, row in against["scores"].items():
        assert (row["first"], row["second"]) == (scores[name], alone[name])
        assert row["difference"] == row["first"] - row["second"]
        assert row["low"] <= row["difference"] <= row["high"]
        assert 0 < row["other_sign"] < 1


def test_only_atoms_that_both_models_can_judge_are_compared(held_out, glass, few):
    copper = qsdask.train(glass, model=held_out / "copper.qs", host="Cu", run=few, **QUICK)
    qsdask.predict(held_out / "b.zarr", model=copper, run=few)
    found = qsdask.evaluate(held_out / "b.zarr", model=held_out / "all.qs", against=copper, run=few)
    root = StoreReader(held_out / "b.zarr")
    is_copper = root["atoms/species"][:] == root.names("atoms/species_name").index("Cu")
    y, qs = atoms(held_out / "b.zarr", "all")
    assert found["usable"] == 6912 > found["against"]["usable"] == is_copper.sum()
    expected = metrics.roc_auc_score(y[is_copper], qs[is_copper])
    assert found["against"]["scores"]["auc_roc"]["first"] == pytest.approx(expected, abs=1e-6)


def test_the_command_says_which_model_is_better(held_out, scores, capsys):
    arguments = ("evaluate", held_out / "b.zarr", "--model", held_out / "all.qs", "--against", held_out / "short.qs")
    assert main([*map(str, arguments), "--cluster", "threads", "--quiet"]) == 0
    text = capsys.readouterr().out
    for words in (
        "27 blocks of space",
        "lift, softest 5 %",
        "MCC at 0.5",
        "all.qs against short.qs on the 6,912 atoms",
    ):
        assert words in text, words
    row = scores["against"]["scores"]["auc_roc"]
    shown = "no difference" if row["low"] < 0 < row["high"] else "ranks better"
    assert shown in text.splitlines()[-1]
    assert main([*map(str, arguments), "--cluster", "threads", "--quiet", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["intervals"]["mcc"] == list(scores["intervals"]["mcc"])
    assert told["against"]["scores"]["lift_10"] == scores["against"]["scores"]["lift_10"]


def test_models_that_cannot_be_compared_are_refused(held_out, glass, few):
    store, model = held_out / "b.zarr", held_out / "all.qs"
    other = qsdask.train(glass, model=held_out / "other.qs", run=few, **QUICK, threshold=4.0)
    with pytest.raises(NoInputError, match=r"E-STAGE-MISSING(.|\n)*qsdask predict .*b.zarr --model .*other.qs"):
        qsdask.evaluate(store, model=model, against=other, run=few)
    qsdask.predict(store, model=other, run=few)
    with pytest.raises(
        BadDataError, match=r"E-LABEL-DIFFERS(.|\n)*above 5 in frame 1; and plastic atoms with D2min above 4"
    ):
        qsdask.evaluate(store, model=model, against=other, run=few)
    with pytest.raises(BadDataError, match="E-SPECIMEN-BOTH-SIDES"):
        qsdask.evaluate(glass, model=model, against=other, run=few)


def test_the_edge_of_blocks_is_the_users_choice_within_reason(held_out, few):
    store, model = held_out / "b.zarr", held_out / "all.qs"
    few_blocks = qsdask.evaluate(store, model=model, block=20.0, run=few)
    assert (few_blocks["blocks"], few_blocks["block_edge"]) == (8, 20.0)
    assert any(note.startswith("W-FEW-BLOCKS: 8 blocks") and "too narrow" in note for note in few_blocks["notes"])
    none = qsdask.evaluate(store, model=model, block=30.0, run=few)
    assert np.isnan(none["intervals"]["auc_roc"]).all()
    assert any("there are no intervals" in note for note in none["notes"])
    for block, words in ((2.0, r"13,\d+(.|\n)*--block 4"), (0.0, "positive"), (float("nan"), "positive")):
        with pytest.raises(UsageError, match=rf"(?s)E-BLOCK.*{words}"):
            qsdask.evaluate(store, model=model, block=block, run=few)


class Made:
    """A cell as of a store, with as many atoms as asked for."""

    length = "angstrom"

    def __init__(self, cell, n: int) -> None:
        self._arrays = {
            "frames/cell": np.array([cell], dtype=float),
            "frames/origin": np.zeros((1, 3)),
            "frames/periodic": np.ones(3, dtype=bool),
            "atoms/id": np.arange(n),
        }

    def __getitem__(self, name):
        return self._arrays[name]


@pytest.mark.parametrize(
    ("sides", "n_block"), [((40, 40, 40), 27), ((48, 48, 48), 27), ((101, 101, 101), 64), ((400, 30, 30), 25)]
)
def test_blocks_are_five_spacings_long_and_longer_in_large_glasses(sides, n_block):
    root = Made(np.diag(sides), round(np.prod(sides) / 16.2))
    edge = block_edge(root)
    assert edge >= 5 * 16.2 ** (1 / 3) * 0.999
    place = np.stack(np.meshgrid(*[np.linspace(0, side, 120, endpoint=False) for side in sides]), axis=-1).reshape(
        -1, 3
    )
    assert len(np.unique(blocks(place, np.diag(sides), np.ones(3, bool), edge))) == n_block
