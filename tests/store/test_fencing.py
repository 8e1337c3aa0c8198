"""A number is in a store because one run, on this store, with these inputs, put it there; every reader looks."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import qsdask
from qsdask.care.repair import repair
from qsdask.engine import course
from qsdask.engine.reduce import reduced
from qsdask.engine.where import Run
from qsdask.errors import BadDataError, CannotCreateError, NoInputError, ResumableError
from qsdask.files.lock import LOCK
from qsdask.settings import RespondSettings
from qsdask.stages.respond import respond, respond_of_domain
from qsdask.store import beside, ledger
from qsdask.store.beside import BESIDE, discard, remove_with_dependents
from qsdask.store.durable import DurableStore
from qsdask.store.identity import StoreAt
from qsdask.store.place import Place
from qsdask.store.task_writer import StageRun
from tests.small_store import SPECIES, small_dump
from tests.store_files import content_of, files_of

D2 = "response/d2min"


@pytest.fixture
def store(own) -> Path:
    """The small store, for a test to write into."""
    return own / "tiny.zarr"


@pytest.fixture(params=["overwritten", "first"])
def place(store, request) -> Path:
    """Where a run of ``respond`` writes: beside the numbers that it overwrites, or into their place when there are none."""
    if request.param == "overwritten":
        return store / BESIDE
    remove_with_dependents(store, ledger.require(store, D2))
    return store


def begun(store: Path, run: Run, monkeypatch, **settings) -> StageRun:
    """A run of ``respond`` that was stopped before its first task: what its tasks were sent."""
    sent = []

    def stopped(path, course, begun, run):
        sent.append(StageRun.of(path, begun))
        raise KeyboardInterrupt

    with monkeypatch.context() as fault:
        fault.setattr(course, "_run_missing", stopped)
        with pytest.raises(KeyboardInterrupt):
            respond(store, run=replace(run, overwrite=True), **settings)
    return sent[0]


def late(work: StageRun, cutoff: float = 4.0) -> None:
    """A task of that run, which wakes now."""
    respond_of_domain(work, 0, 1, [0, 1], settings=RespondSettings(cutoff=cutoff).stored())


@pytest.mark.usefixtures("place")
def test_a_task_that_comes_late_changes_nothing_of_a_finished_stage(store, few, monkeypatch):
    old = begun(store, few, monkeypatch)
    respond(store, cutoff=3.6, run=replace(few, overwrite=True))
    before = files_of(store)
    with pytest.raises(ResumableError, match="E-OTHER-RUN"):
        late(old)
    assert files_of(store) == before


@pytest.mark.usefixtures("place")
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


def test_a_task_that_comes_late_does_not_bring_back_a_removed_stage(store, place, few, monkeypatch):
    old = begun(store, few, monkeypatch)
    discard(place, ledger.read(place, D2))
    with pytest.raises(ResumableError, match="E-OTHER-RUN"):
        late(old)
    assert not (place / "response").exists()


def test_a_task_is_refused_at_the_last_moment_too(store, place, few, monkeypatch):
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
    assert not [name for name in files_of(place) if name.startswith(f"{D2}/d2min/c")]
    assert before != files_of(store)
    assert len(ledger.pending(place, D2)) == 4


def test_the_run_before_counts_and_its_stragglers_do_not(store, place, few, monkeypatch):
    before = content_of(store)
    old = begun(store, few, monkeypatch)
    late(old)
    assert ledger.pending(place, D2) == [(0, 0, 0), (0, 1, 0)]
    respond(store, run=few)
    assert ledger.require(store, D2).runs[0] == old.run
    if place != store:
        assert content_of(store) == before
    with pytest.raises(ResumableError, match="E-OTHER-RUN"):
        late(old)


def test_a_receipt_of_an_unknown_run_does_not_count(store, few):
    record = ledger.require(store, D2)
    ledger.reopen(store, replace(record, runs=("0123456789abcdef",)), [])
    assert len(ledger.pending(store, D2)) == 4
    assert {d.file for d in qsdask.verify(store, progress=False)} >= {f"ledger/{D2}/receipt/c/0/0/0/0/0"}


@pytest.mark.parametrize("asleep", ["discard", "publish"])
def test_a_writer_that_sleeps_as_it_removes_what_was_removes_nothing_of_the_next(store, few, monkeypatch, asleep):
    before = files_of(store)
    original = getattr(beside, asleep)

    def overtaken(*arguments):
        original(*arguments)
        for name, data in before.items():
            (store / name).parent.mkdir(parents=True, exist_ok=True)
            (store / name).write_bytes(data)
        (store / LOCK).write_text(json.dumps({"token": "that of the next"}))

    with monkeypatch.context() as slow:
        slow.setattr(beside, asleep, overtaken)
        with pytest.raises(ResumableError, match="E-LOCKED"):
            respond(store, run=replace(few, overwrite=True))
    (store / LOCK).unlink()
    assert {name: data for name, data in files_of(store).items() if not name.startswith(BESIDE)} == before


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


def test_what_was_overwritten_while_it_was_read_is_not_used(store, few):
    def overwritten():
        respond(store, cutoff=3.6, run=replace(few, overwrite=True))

    with pytest.raises(ResumableError, match=f"E-CHANGED-MEANWHILE: {D2} was computed again"):
        reduced(store, (D2,), _domain, np.add, replace(few, workers=1), "sum", disturb=overwritten)


def test_who_reads_while_it_is_overwritten_gets_the_old_numbers(store, few, monkeypatch):
    undisturbed = reduced(store, (D2,), _domain, np.add, few, "sum", disturb=dict)

    def under_way():
        late(begun(store, few, monkeypatch, cutoff=3.6), 3.6)

    assert reduced(store, (D2,), _domain, np.add, replace(few, workers=1), "sum", disturb=under_way) == undisturbed
    assert ledger.require(store, D2).settings["cutoff_angstrom"] == 4.0
    assert [d.file for d in qsdask.verify(store, progress=False)] == [BESIDE]
    assert repair(store, run=few) == []
    (overwriting,) = qsdask.info(store)["overwriting"]
    assert (overwriting["stage"], overwriting["done"], overwriting["tasks"]) == (D2, 2, 4)
    half = ledger.read(store / BESIDE, D2)
    assert len(ledger.pending(store / BESIDE, D2)) == 2
    respond(store, cutoff=3.6, run=few)
    assert ledger.require(store, D2).runs[0] == half.run
    assert not (store / BESIDE).exists()


def test_an_overwrite_that_ends_before_it_takes_its_place_is_finished_by_the_next_run(store, few, monkeypatch):
    """At every file operation of the last step."""
    for operations in range(40):
        copy = shutil.copytree(store, store.parent / f"copy-{operations}.zarr")
        left = [operations]

        def counted(original, left=left):
            def step(*arguments, **options):
                left[0] -= 1
                if left[0] < 0:
                    raise KeyboardInterrupt
                return original(*arguments, **options)

            return step

        with monkeypatch.context() as dying, suppress(KeyboardInterrupt):
            original = ledger.take_place

            def last_step(path, record, dying=dying, original=original, counted=counted):
                for name in ("remove_all", "move"):
                    dying.setattr(Place, name, counted(getattr(Place, name)))
                dying.setattr(DurableStore, "put", counted(DurableStore.put))
                return original(path, record)

            dying.setattr(ledger, "take_place", last_step)
            respond(copy, cutoff=3.6, run=replace(few, overwrite=True))
        ended = left[0] >= 0
        respond(copy, cutoff=3.6, run=few)
        assert ledger.require(copy, D2).settings["cutoff_angstrom"] == 3.6
        assert qsdask.verify(copy, progress=False) == []
        assert not (copy / BESIDE).exists()
        shutil.rmtree(copy)
        if ended:
            break
    assert ended
    assert operations > 5


def test_a_stage_that_was_never_whole_binds_nobody_to_its_settings(store, few, monkeypatch, caplog):
    remove_with_dependents(store, ledger.require(store, D2))
    old = begun(store, few, monkeypatch)
    late(old)
    respond(store, cutoff=3.6, run=few)
    assert "response/d2min was begun with other settings and never finished" in caplog.text
    assert ledger.require(store, D2).settings["cutoff_angstrom"] == 3.6
    assert qsdask.verify(store, progress=False) == []


def test_a_stage_that_was_taken_back_still_binds(store, few):
    ledger.reopen(store, ledger.require(store, D2), [(0, 1, 0)])
    with pytest.raises(CannotCreateError, match="E-SETTINGS"):
        respond(store, cutoff=3.6, run=few)


def test_a_second_overwrite_begins_anew(store, few, monkeypatch):
    old = begun(store, few, monkeypatch, cutoff=3.6)
    respond(store, cutoff=3.4, run=replace(few, overwrite=True))
    assert ledger.require(store, D2).settings["cutoff_angstrom"] == 3.4
    with pytest.raises(ResumableError, match="E-OTHER-RUN"):
        late(old, 3.6)


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
