"""A number is in a store because one run, on this store, with these inputs, put it there; every reader looks."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import qsdask
from qsdask.care.repair import repair
from qsdask.engine import course
from qsdask.engine.reduce import reduced
from qsdask.engine.where import Run
from qsdask.errors import BadDataError, NoInputError, ResumableError
from qsdask.files.lock import LOCK
from qsdask.settings import RespondSettings
from qsdask.stages.respond import _respond_of_domain, respond
from qsdask.store import ledger
from qsdask.store.identity import StoreAt
from qsdask.store.task_writer import StageRun
from tests.small_store import SPECIES, small_dump
from tests.store_files import content_of, files_of

D2 = "response/d2min"


@pytest.fixture
def store(own) -> Path:
    """The small store, for a test to write into."""
    return own / "tiny.zarr"


def begun(store: Path, run: Run, monkeypatch, **settings) -> StageRun:
    """A run of ``respond`` that was stopped before its first task: what its tasks were sent."""
    sent = []

    def stopped(path, course, work, run):
        sent.append(work)
        raise KeyboardInterrupt

    with monkeypatch.context() as fault:
        fault.setattr(course, "_run_missing", stopped)
        with pytest.raises(KeyboardInterrupt):
            respond(store, run=replace(run, overwrite=True), **settings)
    return sent[0]


def late(work: StageRun, cutoff: float = 4.0) -> None:
    """A task of that run, which wakes now."""
    _respond_of_domain(work, 0, 1, [0, 1], settings=RespondSettings(cutoff=cutoff).stored())


def test_a_task_that_comes_late_changes_nothing_of_a_finished_stage(store, few, monkeypatch):
    old = begun(store, few, monkeypatch)
    respond(store, cutoff=3.6, run=replace(few, overwrite=True))
    before = files_of(store)
    with pytest.raises(ResumableError, match="E-OTHER-RUN"):
        late(old)
    assert files_of(store) == before


def test_a_task_that_comes_late_changes_nothing_of_the_next_run(store, few, monkeypatch):
    old = begun(store, few, monkeypatch)
    new = begun(store, few, monkeypatch, cutoff=3.6)
    before = files_of(store)
    with pytest.raises(ResumableError, match="E-OTHER-RUN"):
        late(old)
    assert files_of(store) == before
    late(new, 3.6)
    respond(store, cutoff=3.6, run=few)
    assert qsdask.verify(store, progress=False) == []


def test_a_task_that_comes_late_does_not_bring_back_a_removed_stage(store, few, monkeypatch):
    old = begun(store, few, monkeypatch)
    ledger.discard(store, ledger.read(store, D2))
    with pytest.raises(ResumableError, match="E-OTHER-RUN"):
        late(old)
    assert not (store / "response").exists()


def test_a_task_is_refused_at_the_last_moment_too(store, few, monkeypatch):
    """The next run begins while the task has its bytes on disk and their name not yet."""
    old = begun(store, few, monkeypatch)
    before = files_of(store)
    sync, new = os.fsync, []

    def overtaken(descriptor):
        sync(descriptor)
        if not new:
            new.append("on its way")
            new.append(begun(store, few, monkeypatch, cutoff=3.6))

    with monkeypatch.context() as slow:
        slow.setattr(os, "fsync", overtaken)
        with pytest.raises(ResumableError, match="E-OTHER-RUN"):
            late(old)
    assert not [name for name in files_of(store) if name.startswith(f"{D2}/d2min/c")]
    assert before != files_of(store)
    assert len(ledger.pending(store, D2)) == 4


def test_the_run_before_counts_and_its_stragglers_do_not(store, few, monkeypatch):
    before = content_of(store)
    old = begun(store, few, monkeypatch)
    late(old)
    assert ledger.pending(store, D2) == [(0, 0, 0), (0, 1, 0)]
    respond(store, run=few)
    assert ledger.require(store, D2).runs[0] == old.run
    assert {name: data for name, data in content_of(store).items() if name in before} == before
    with pytest.raises(ResumableError, match="E-OTHER-RUN"):
        late(old)


def test_a_receipt_of_an_unknown_run_does_not_count(store, few):
    record = ledger.require(store, D2)
    ledger.reopen(store, replace(record, runs=("0123456789abcdef",)), [])
    assert len(ledger.pending(store, D2)) == 4
    assert {d.file for d in qsdask.verify(store, progress=False)} >= {f"ledger/{D2}/receipt/c/0/0/0/0/0"}


@pytest.mark.parametrize("asleep", ["removed", "removing"])
def test_a_writer_that_sleeps_as_it_begins_removes_nothing_of_the_next(store, few, monkeypatch, asleep):
    before = files_of(store)
    original = {"removed": ledger.discard, "removing": ledger.publish}[asleep]

    def overtaken(*arguments):
        original(*arguments)
        for name, data in before.items():
            (store / name).parent.mkdir(parents=True, exist_ok=True)
            (store / name).write_bytes(data)
        (store / LOCK).write_text(json.dumps({"token": "that of the next"}))

    with monkeypatch.context() as slow:
        slow.setattr(ledger, original.__name__, overtaken)
        with pytest.raises(ResumableError, match="E-LOCKED"):
            respond(store, run=replace(few, overwrite=True))
    (store / LOCK).unlink()
    assert files_of(store) == before


@pytest.fixture
def other(store, tmp_path, golden, few) -> Path:
    """The same glass deformed in another way, with the same settings, in a store of the same name, elsewhere."""
    home = tmp_path / "elsewhere"
    home.mkdir()
    dump, made = small_dump(golden, home / "tiny.dump", shift=0.4), home / "tiny.zarr"
    qsdask.ingest(dump, made, species=SPECIES, strain_step=0.01, chunk=24, run=few)
    qsdask.shells(made, run=few)
    qsdask.features(made, run=few)
    qsdask.respond(made, run=few)
    return made


def test_workers_that_stand_elsewhere_read_and_write_the_store_that_was_named(store, other, few, monkeypatch):
    model = store.parent / "tiny.qs"
    expected, untouched = qsdask.activation(store, model=model, run=few), files_of(other)
    monkeypatch.chdir(store.parent)
    run = Run("local", 1, progress=False)
    with run.connected() as client:
        client.run(os.chdir, str(other.parent))
        there = replace(run, cluster=client)
        assert qsdask.activation("tiny.zarr", model=model, run=there).equals(expected)
        before = content_of(store)
        respond("tiny.zarr", run=replace(there, overwrite=True))
    assert content_of(store) == before
    assert files_of(other) == untouched


def test_workers_that_stand_elsewhere_read_the_trajectory_that_was_named(store, other, few, monkeypatch):
    monkeypatch.chdir(store.parent)
    before = content_of(store)
    run = Run("local", 1, progress=False)
    with run.connected() as client:
        client.run(os.chdir, str(other.parent))
        there = replace(run, cluster=client, overwrite=True)
        qsdask.ingest("tiny.dump", "tiny.zarr", species=SPECIES, strain_step=0.01, chunk=24, run=there)
    assert content_of(store) == before


def test_a_task_refuses_another_store_and_one_that_it_does_not_see(store, other):
    there = replace(StoreAt.of(store), path=str(other))
    with pytest.raises(BadDataError, match="E-STORE-OTHER"):
        there.reader()
    with pytest.raises(NoInputError, match=r"(?s)E-WORKER-PATH.*a worker on"):
        replace(there, path="/not/mounted/here").reader()
    assert StoreAt.of(store).reader().n_domain == 2


def test_a_copied_or_moved_store_is_the_same_store(store, tmp_path):
    copy = shutil.copytree(store, tmp_path / "copy.zarr")
    assert StoreAt.of(copy).identity == StoreAt.of(store).identity


def _domain(root, domain, *, disturb):
    if domain == 0:
        disturb()
    return np.isfinite(root[f"{D2}/d2min"][:, root.rows(domain)]).sum()


@pytest.mark.parametrize("finished", [True, False], ids=["finished", "under way"])
def test_what_was_overwritten_while_it_was_read_is_not_used(store, few, monkeypatch, finished):
    def overwritten():
        if finished:
            respond(store, cutoff=3.6, run=replace(few, overwrite=True))
        else:
            begun(store, few, monkeypatch, cutoff=3.6)

    with pytest.raises(ResumableError, match=f"E-CHANGED-MEANWHILE: {D2} was computed again"):
        reduced(store, (D2,), _domain, np.add, replace(few, workers=1), "sum", disturb=overwritten)


def test_what_else_is_done_to_a_store_meanwhile_disturbs_nobody(store, few):
    def more():
        qsdask.shells(store, step=1, run=few)

    assert reduced(store, (D2,), _domain, np.add, replace(few, workers=1), "sum", disturb=more) > 0


@pytest.mark.parametrize("key", ["features/interstice", D2])
def test_a_part_of_another_store_is_refused_and_repaired(store, other, few, key):
    """Same settings, same digests, other frames."""
    before = content_of(store)
    for folder in (key, f"ledger/{key}"):
        shutil.rmtree(store / folder)
        shutil.copytree(other / folder, store / folder)
    for use in (
        lambda: ledger.require(store, key),
        lambda: qsdask.open_store(store),
        lambda: qsdask.features(store, run=few) if key == "features/interstice" else respond(store, run=few),
    ):
        with pytest.raises(BadDataError, match=r"(?s)E-INPUTS-DIFFER.*--overwrite"):
            use()
    found = qsdask.verify(store, progress=False)
    assert ("lineage", f"ledger/{key}/zarr.json") in [(d.kind, d.file) for d in found]
    repair(store, run=few)
    assert qsdask.verify(store, progress=False) == []
    assert content_of(store) == before


def test_a_part_of_an_earlier_state_of_the_store_is_refused(store, few):
    """A backup of the features, brought back after the shells were computed with another cutoff."""
    kept = {
        folder: shutil.copytree(store / folder, store.parent / f"{k}")
        for k, folder in enumerate(("features", "ledger/features"))
    }
    qsdask.shells(store, cutoff=3.6, run=replace(few, overwrite=True))
    for folder, backup in kept.items():
        shutil.rmtree(store / folder)
        shutil.copytree(backup, store / folder)
    with pytest.raises(BadDataError, match="E-INPUTS-DIFFER: features/interstice was computed from another 'shells'"):
        qsdask.predict(store, model=store.parent / "tiny.qs", run=few)
