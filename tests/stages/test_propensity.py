"""Isoconfigurational runs: averages by atom id, refusals, and a model that learns from them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import qsdask
from qsdask.errors import BadDataError, NoInputError, ResumableError, UsageError
from qsdask.learn import plastic_in_runs
from qsdask.store import ledger
from qsdask.store.reader import StoreReader
from tests.small_store import SPECIES, small_dump

THRESHOLD = 0.45


def measured(dump: Path, store: Path, few, *, chunk=24, strain_step=0.01, **settings) -> Path:
    qsdask.ingest(dump, store, species=SPECIES, strain_step=strain_step, chunk=chunk, run=few)
    return qsdask.respond(store, run=few, **settings)


def backwards(dump: Path, out: Path) -> Path:
    """The same dump with the atoms of every frame from the last to the first."""
    lines = dump.read_text().splitlines()
    half = len(lines) // 2
    frames = [lines[:half], lines[half:]]
    out.write_text("\n".join(line for f in frames for line in (*f[:9], *reversed(f[9:]))) + "\n")
    return out


@pytest.fixture(scope="module")
def made(tmp_path_factory, golden, few) -> Path:
    """Three runs of one glass: the third cut otherwise and in another order; not to be changed."""
    home = tmp_path_factory.mktemp("runs")
    measured(small_dump(golden, home / "a.dump", 0.3), home / "a.zarr", few)
    measured(small_dump(golden, home / "b.dump", 0.0), home / "b.zarr", few)
    third = backwards(small_dump(golden, home / "c.dump", 0.25), home / "c-backwards.dump")
    measured(third, home / "c.zarr", few, chunk=16)
    return home


@pytest.fixture
def runs(made, tmp_path) -> Path:
    return shutil.copytree(made, tmp_path / "runs")


def by_id(store: Path, name: str) -> dict[int, np.ndarray]:
    root = StoreReader(store)
    return dict(zip(root["atoms/id"][:].tolist(), root[name][:].T, strict=True))


def test_frequency_and_mean_are_those_of_each_atom_whatever_the_row_order(runs, few):
    qsdask.respond(runs / "a.zarr", runs=[runs / "c.zarr", runs / "b.zarr"], threshold=THRESHOLD, run=few)
    response = [by_id(runs / f"{name}.zarr", "response/d2min/d2min") for name in "abc"]
    frequency = by_id(runs / "a.zarr", "response/propensity/frequency")
    mean = by_id(runs / "a.zarr", "response/propensity/d2min_mean")
    assert StoreReader(runs / "a.zarr")["atoms/id"][:].tolist() != StoreReader(runs / "c.zarr")["atoms/id"][:].tolist()
    seen = set()
    for atom in frequency:
        for step in range(2):
            d2 = [r[atom][step] for r in response]
            if np.isnan(d2).all():
                assert np.isnan(frequency[atom][step])
                assert np.isnan(mean[atom][step])
                continue
            assert frequency[atom][step] == sum(x > THRESHOLD for x in d2) / 3
            assert mean[atom][step] == pytest.approx(sum(d2) / 3, rel=1e-12)
            seen.add(frequency[atom][step])
    # The second run moves no atom, so that none is plastic in all three.
    assert seen == {0.0, 1 / 3, 2 / 3}


def test_order_of_the_runs_and_size_of_the_chunks_change_no_number(runs, few):
    qsdask.respond(runs / "a.zarr", runs=[runs / "b.zarr", runs / "c.zarr"], threshold=THRESHOLD, run=few)
    first = ledger.read(runs / "a.zarr", "response/propensity")
    # Given otherwise, the same: nothing is computed again and nothing refused.
    qsdask.respond(runs / "a.zarr", runs=["c.zarr", "b.zarr"], threshold=THRESHOLD, run=few)
    assert ledger.read(runs / "a.zarr", "response/propensity") == first
    assert first.provenance["n_run"] == 3
    measured(runs / "a.dump", runs / "d.zarr", few, chunk=17)
    qsdask.respond(runs / "d.zarr", runs=[runs / "b.zarr", runs / "c.zarr"], threshold=THRESHOLD, run=few)
    for name in ("frequency", "d2min_mean"):
        here = by_id(runs / "a.zarr", f"response/propensity/{name}")
        there = by_id(runs / "d.zarr", f"response/propensity/{name}")
        assert all(np.array_equal(here[atom], there[atom], equal_nan=True) for atom in here)


def test_a_store_shows_the_propensity_with_its_units(runs, few):
    qsdask.respond(runs / "a.zarr", runs=[runs / "b.zarr"], run=few)
    found = qsdask.open_store(runs / "a.zarr")["response/propensity"].to_dataset()
    assert found["frequency"].dims == ("step", "atom")
    assert found["d2min_mean"].attrs["units"] == "angstrom^2"
    assert found["strain"].values.tolist() == [0.0, 0.01]
    assert qsdask.verify(runs / "a.zarr", progress=False) == []


def test_new_settings_need_overwrite_and_a_new_response_brings_the_average_again(runs, few):
    from dataclasses import replace

    store = runs / "a.zarr"
    qsdask.respond(store, runs=[runs / "b.zarr"], threshold=THRESHOLD, run=few)
    with pytest.raises(qsdask.QSDaskError, match="other settings"):
        qsdask.respond(store, runs=[runs / "b.zarr"], threshold=0.5, run=few)
    before = by_id(store, "response/propensity/frequency")
    qsdask.respond(store, run=replace(few, overwrite=True))
    after = by_id(store, "response/propensity/frequency")
    assert all(np.array_equal(before[atom], after[atom], equal_nan=True) for atom in before)


def test_another_glass_other_strains_or_another_response_are_refused(runs, golden, few):
    store = runs / "a.zarr"
    other = measured(shifted(runs / "a.dump", runs / "e.dump"), runs / "e.zarr", few)
    with pytest.raises(BadDataError, match="undeformed frame is another one"):
        qsdask.respond(store, runs=[other], run=few)
    faster = measured(runs / "b.dump", runs / "f.zarr", few, strain_step=0.02)
    with pytest.raises(BadDataError, match=r"2 frames to strain 0\.02"):
        qsdask.respond(store, runs=[faster], run=few)
    wider = measured(runs / "b.dump", runs / "g.zarr", few, cutoff=4.5)
    with pytest.raises(BadDataError, match="measured with"):
        qsdask.respond(store, runs=[wider], run=few)
    assert ledger.read(store, "response/propensity") is None


def shifted(dump: Path, out: Path, more: int = 0) -> Path:
    """The atoms of the first frame elsewhere; `more` is added to all ids."""
    lines = dump.read_text().splitlines()
    for begin in (9, 66):
        for k, line in enumerate(lines[begin : begin + 48], begin):
            number, kind, x, *rest = line.split()
            moved = float(x) + (0.05 * int(number) / 48 if begin == 9 else 0.0)
            lines[k] = " ".join([str(int(number) + more), kind, f"{moved:.3f}", *rest])
    out.write_text("\n".join(lines) + "\n")
    return out


def test_a_run_given_twice_or_not_there_is_refused(runs, few):
    store = runs / "a.zarr"
    with pytest.raises(UsageError, match="twice") as caught:
        qsdask.respond(store, runs=[store], run=few)
    assert caught.value.code == "E-RUN-TWICE"
    shutil.copytree(runs / "b.zarr", runs / "b2.zarr")
    with pytest.raises(UsageError, match="twice"):
        qsdask.respond(store, runs=[runs / "b.zarr", runs / "b2.zarr"], run=few)
    with pytest.raises(NoInputError, match="no store"):
        qsdask.respond(store, runs=[runs / "nowhere.zarr"], run=few)


def test_a_run_with_an_unfinished_or_missing_response_is_refused(runs, few):
    other = runs / "b.zarr"
    ledger.reopen(other, ledger.read(other, "response/d2min"), [(0, 1, 0)])
    with pytest.raises(ResumableError, match="3 of 4 tasks") as caught:
        qsdask.respond(runs / "a.zarr", runs=[other], run=few)
    assert f"qsdask respond {other}" in caught.value.hint
    qsdask.ingest(runs / "b.dump", runs / "h.zarr", species=SPECIES, strain_step=0.01, run=few)
    with pytest.raises(NoInputError, match="has not been computed"):
        qsdask.respond(runs / "a.zarr", runs=[runs / "h.zarr"], run=few)


def test_a_model_learns_from_the_frequency_and_is_tested_on_it(runs, golden, few):
    train = {"strain": 0.01, "folds": 2, "draws": 1, "trees": 5, "surface_margin": 0.0, "run": few}
    measured(small_dump(golden, runs / "i.dump", 0.35), runs / "i.zarr", few)
    store = runs / "a.zarr"
    prepared(store, few)
    with pytest.raises(NoInputError, match="response/propensity has not been computed"):
        qsdask.train(store, model=runs / "often.qs", label="propensity", **train)
    qsdask.respond(store, runs=[runs / "i.zarr"], threshold=THRESHOLD, run=few)
    qsdask.train(store, model=runs / "often.qs", label="propensity", **train)
    from qsdask.learn import load_model

    model = load_model(runs / "often.qs")
    frequency = StoreReader(store)["response/propensity/frequency"][1]
    assert model.label["frequency"] == 0.5
    assert model.label["threshold"] == THRESHOLD
    assert model.specimens[0].n_plastic == int((frequency > 0.5).sum()) > 0
    qsdask.train(store, model=runs / "ever.qs", label="propensity", threshold=0.0 + 1e-9, **train)
    assert load_model(runs / "ever.qs").specimens[0].n_plastic == int((frequency > 0).sum())
    assert (frequency == 0.5).any()
    once = load_model(qsdask.train(store, model=runs / "once.qs", threshold=THRESHOLD, **train))
    assert "frequency" not in once.label


def prepared(store: Path, few) -> None:
    qsdask.shells(store, run=few)
    qsdask.features(store, run=few)


def test_evaluate_follows_the_label_of_the_model(runs, golden, few, tiny):
    train = {"strain": 0.01, "folds": 2, "draws": 1, "trees": 5, "surface_margin": 0.0, "run": few}
    measured(small_dump(golden, runs / "i.dump", 0.35), runs / "i.zarr", few)
    prepared(runs / "a.zarr", few)
    qsdask.respond(runs / "a.zarr", runs=[runs / "i.zarr"], threshold=THRESHOLD, run=few)
    model = qsdask.train(runs / "a.zarr", model=runs / "often.qs", label="propensity", **train)
    # Another glass: other ids, and each atom a little elsewhere.
    other = measured(shifted(runs / "a.dump", runs / "e.dump", 100), runs / "e.zarr", few)
    again = measured(shifted(runs / "i.dump", runs / "j.dump", 100), runs / "j.zarr", few)
    prepared(other, few)
    qsdask.predict(other, model=model, run=few)
    with pytest.raises(NoInputError, match="response/propensity"):
        qsdask.evaluate(other, model=model, run=few)
    qsdask.respond(other, runs=[again], threshold=THRESHOLD, run=few)
    scores = qsdask.evaluate(other, model=model, run=few)
    frequency = StoreReader(other)["response/propensity/frequency"][1]
    assert scores["frequency"] == 0.5
    assert scores["plastic"] == int((frequency > 0.5).sum())


def test_a_share_of_the_runs_is_below_one():
    with pytest.raises(UsageError, match="fraction of the runs"):
        qsdask.train("nowhere.zarr", model="m.qs", label="propensity", threshold=5.0)
    with pytest.raises(UsageError, match="below 1"):
        plastic_in_runs(np.zeros(3), 1.0)


def test_an_atom_without_a_value_has_no_label():
    label, valid = plastic_in_runs(np.array([0.0, 0.5, 0.75, 1.0, np.nan]), 0.5)
    assert label.tolist() == [False, False, True, True, False]
    assert valid.tolist() == [True, True, True, True, False]
