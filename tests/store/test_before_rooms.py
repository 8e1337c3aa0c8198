"""Stores and models of earlier code resume, verify, predict and export to the same bytes."""

from __future__ import annotations

import json
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import qsdask
from qsdask.learn import load_model
from qsdask.store import ledger
from qsdask.store.described import TEXT, registered
from qsdask.store.durable import name_word
from qsdask.store.reader import CheckedStore, StoreReader, open_checked
from qsdask.store.record import records
from tests.store_files import content_of, files_of

OLD = Path(__file__).parent / "data" / "before-rooms.tar.xz"


@pytest.fixture
def old(tmp_path) -> Path:
    """Folder with glass.zarr, run2.zarr, train.zarr, cuzr.qs, the dumps, and what was made of them."""
    with tarfile.open(OLD) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "before-rooms"


def again(old: Path, run) -> None:
    """Every stage of `glass.zarr` with the settings it was made with."""
    glass = old / "glass.zarr"
    qsdask.ingest(old / "glass.dump", glass, species={1: "Cu", 2: "Zr"}, strain_step=0.02, chunk=100, run=run)
    qsdask.shells(glass, cutoff=3.9, run=run)
    qsdask.features(glass, set="interstice,coordination", run=run)
    qsdask.respond(glass, cutoff=3.9, run=run)
    qsdask.respond(glass, runs=[old / "run2.zarr"], threshold=4.6, run=run)
    qsdask.shells(glass, step=2, run=run)
    qsdask.features(glass, set="interstice", step=2, run=run)
    qsdask.predict(glass, model=old / "cuzr.qs", step=[0, 2], run=run)


def without_surfaces(files: dict) -> dict:
    """All but what came later, and the list of what there is: a run of `features` looks for free surfaces too."""
    kept = {name: file for name, file in files.items() if "surface" not in Path(name).parts}
    return {name: file for name, file in kept.items() if name not in ("zarr.json", "glass.zarr/zarr.json")}


def texts_of(store: Path) -> dict[str, list[str]]:
    """Content of all arrays of texts."""
    reader = StoreReader(store)
    names = [str(file.parent.relative_to(store)) for file in store.rglob("*/zarr.json")]
    return {name: reader.names(name) for name in names if (registered(name) or ("",))[0] == "string"}


def test_finished_stages_are_kept(old, few):
    before = files_of(old)
    assert qsdask.verify(old / "glass.zarr", progress=False) == []
    again(old, few)
    assert without_surfaces(files_of(old)) == without_surfaces(before)
    assert qsdask.verify(old / "glass.zarr", progress=False) == []


def test_unfinished_stages_are_resumed_to_the_same_numbers(old, few):
    glass = old / "glass.zarr"
    before = files_of(glass)
    for record in records(glass):
        # The last task of every stage has no receipt, and what it wrote is gone.
        last = tuple(n - 1 for n in record.shape)
        written = set(open_checked(CheckedStore(glass), f"ledger/{record.key}/receipt")[last][:, 3].tolist())
        ledger.reopen(glass, record, [last])
        for file in [file for file in before if name_word(file) in written]:
            (glass / file).unlink()
    again(old, few)
    after = files_of(glass)
    assert without_surfaces(after).keys() == without_surfaces(before).keys()
    numbers = [name for name in before if "/c/" in name]
    assert {name: after[name] for name in numbers} == {name: before[name] for name in numbers}
    assert qsdask.verify(glass, progress=False) == []


def test_recomputed_stages_have_the_same_digests_and_numbers(old, few):
    glass = old / "glass.zarr"
    before, digests, texts = content_of(glass), {r.key: r.digest for r in records(glass)}, texts_of(glass)
    qsdask.shells(glass, cutoff=3.9, run=replace(few, overwrite=True))
    again(old, few)
    after = content_of(glass)
    assert {r.key: r.digest for r in records(glass) if r.key != "surface"} == digests
    numbers = [name for name in before if "/c/" in name and name.partition("/c/")[0] not in texts]
    # A softness now tells how far atoms are from what the model knows: its receipts name a file more.
    numbers = [name for name in numbers if not (name.startswith("ledger/") and "/softness/" in name)]
    assert len(numbers) > 20
    assert {name: after[name] for name in numbers} == {name: before[name] for name in numbers}
    # What is computed anew has texts of one length, which other programs open; they say the same.
    assert texts_of(glass) == texts
    assert json.loads((glass / "features/interstice/unit/zarr.json").read_text())["data_type"]["name"] == TEXT
    assert json.loads((glass / "atoms/species_name/zarr.json").read_text())["data_type"] == "string"
    assert qsdask.verify(glass, progress=False) == []


def test_a_model_trained_again_is_the_same(old, few):
    before = load_model(old / "cuzr.qs")
    made = qsdask.train(
        old / "train.zarr", model=old / "new.qs", threshold=4.6, strain=0.04, folds=2, draws=1, trees=5, run=few
    )
    now = load_model(made)
    assert now.trees == before.trees
    assert replace(now, versions=before.versions).digest() == before.digest()


def test_exports_are_the_same(old, tmp_path):
    columns = ["qs", "step_qs", "d2min", "frequency"]
    made = qsdask.export(old / "glass.zarr", tmp_path / "glass.extxyz", step=2, columns=columns)
    assert made.read_bytes() == (old / "glass.extxyz").read_bytes()


def test_answers_are_the_same(old, few):
    scores = qsdask.evaluate(old / "glass.zarr", model=old / "cuzr.qs", run=few)
    stored = json.loads((old / "scores.json").read_text())
    for name in ("usable", "plastic", "excluded", "strain", "threshold", "baselines"):
        assert json.dumps(scores[name]) == json.dumps(stored[name]), name
    for name in ("auc_roc", "auc_models_mean", "auc_models_std", "average_precision", "recall", "precision", "f1"):
        assert scores[name] == pytest.approx(stored[name], abs=1e-9), name
    activated = qsdask.activation(old / "glass.zarr", model=old / "cuzr.qs", run=few)
    for name, value in json.loads((old / "activation.json").read_text()).items():
        np.testing.assert_array_equal(activated[name], value)
