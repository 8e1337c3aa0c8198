"""The ledger: complete means complete; the same command goes on; changed settings are refused."""

from __future__ import annotations

import errno
import json
import shutil
import warnings
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import qsdask
from qsdask.engine.where import Run
from qsdask.errors import CannotCreateError, NoInputError, QSDaskError, ResumableError, StoreIOError
from qsdask.store import ledger
from qsdask.store.beside import BESIDE
from qsdask.store.durable import DurableStore, content_words, name_word
from qsdask.store.manifest import read_manifest
from qsdask.store.reader import StoreReader
from qsdask.store.record import put_record
from qsdask.store.task_writer import TaskWriter
from tests.store_files import content_of, files_of


@pytest.fixture
def copy(glass, tmp_path):
    """A copy of the glass that a test may damage."""
    return shutil.copytree(glass, tmp_path / "copy.zarr")


def lose(store, key, task):
    """Remove one receipt and the completeness of its stage, as a crash before the end leaves them."""
    ledger.reopen(store, ledger.require(store, key), [task])


def test_receipts_hold_length_hash_and_name_of_every_file(glass):
    words = StoreReader(glass)["ledger/features/interstice/receipt"][:]
    written = {
        (*content_words(f.read_bytes()), name_word(str(f.relative_to(glass))))
        for f in (glass / "features/interstice/value/c").rglob("*")
        if f.is_file()
    }
    stored = {tuple(int(w) for w in row) for row in words.reshape(-1, 5) if row[0]}
    run = int(ledger.require(glass, "features/interstice").run, 16)
    assert stored == {(*file, run) for file in written}


def test_a_second_run_changes_nothing(copy, few):
    before = files_of(copy)
    qsdask.shells(copy, run=few)
    qsdask.features(copy, run=few)
    qsdask.respond(copy, run=few)
    assert files_of(copy) == before


@pytest.mark.parametrize(
    ("key", "task", "group", "command"),
    [
        ("shells", (0, 0, 1), "shells/voronoi", qsdask.shells),
        ("features/interstice", (1, 0, 2), "features/interstice", qsdask.features),
        ("response/d2min", (0, 2, 0), "response/d2min", qsdask.respond),
    ],
)
def test_an_unfinished_stage_is_refused_hidden_and_resumed_to_the_same_bytes(copy, few, key, task, group, command):
    before = content_of(copy)
    lose(copy, key, task)
    with pytest.raises(ResumableError, match="E-INCOMPLETE") as refusal:
        ledger.require(copy, key)
    assert "resume with 'qsdask" in str(refusal.value)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert group not in [node.path.strip("/") for node in xr.open_datatree(copy, engine="zarr").subtree]
    assert group in [node.path.strip("/") for node in qsdask.open_store(copy, partial=True).subtree]
    command(copy, run=few)
    assert content_of(copy) == before


def test_changed_settings_are_refused_and_overwriting_takes_dependents_along(copy, few):
    old = qsdask.open_store(copy)["features/interstice"].ds["value"].values
    with pytest.raises(CannotCreateError, match=r"E-SETTINGS.*cutoff_angstrom: 4.0 -> 3.6") as refusal:
        qsdask.shells(copy, cutoff=3.6, run=few)
    assert refusal.value.exit_status == 73
    qsdask.shells(copy, cutoff=3.6, run=Run("threads", 2, True, False))
    new = qsdask.open_store(copy)["features/interstice"].ds["value"].values
    assert not np.array_equal(old, new)
    assert ledger.require(copy, "features/interstice").inputs["shells"] == ledger.require(copy, "shells").digest
    ledger.require(copy, "response/d2min")


def test_missing_stages_and_stores_say_what_to_type(copy, tmp_path, few):
    with pytest.raises(NoInputError, match=r"(?s)E-NO-STORE.*qsdask ingest") as refusal:
        qsdask.info(tmp_path / "nothing.zarr")
    assert refusal.value.exit_status == 66
    shutil.rmtree(copy / "ledger" / "shells")
    with pytest.raises(NoInputError, match=r"(?s)E-STAGE-MISSING.*qsdask shells"):
        qsdask.features(copy, run=few)


def test_a_region_that_cuts_a_chunk_is_refused(copy):
    with pytest.raises(AssertionError, match="cuts a chunk"):
        TaskWriter(DurableStore(copy)).write("shells/voronoi", "cell_volume", (slice(0, 100),), np.zeros(100))


def test_every_stored_array_says_unit_and_meaning(glass):
    for node in qsdask.open_store(glass).subtree:
        for name, variable in node.dataset.variables.items():
            assert {"units", "long_name"} <= set(variable.attrs), f"{node.path}/{name}"


def test_a_flipped_bit_does_not_pass(copy):
    file = next(f for f in (copy / "response/d2min/d2min/c").rglob("*") if f.is_file())
    damaged = bytearray(file.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    file.write_bytes(damaged)
    with pytest.raises(Exception, match="checksum"):
        qsdask.open_store(copy)["response/d2min"].ds["d2min"].compute()


def test_no_pickle_in_the_store(glass):
    for file in glass.rglob("zarr.json"):
        assert "pickle" not in file.read_text()


def test_a_damaged_record_is_refused_by_every_command(copy, few):
    file = copy / "ledger/shells/zarr.json"
    file.write_text(file.read_text().replace('"cutoff_angstrom": 4.0', '"cutoff_angstrom": 4.5'))
    for command in (qsdask.info, qsdask.open_store, lambda store: qsdask.features(store, run=few)):
        with pytest.raises(StoreIOError, match=r"(?s)E-STORE-DAMAGED.*ledger/shells.*qsdask repair"):
            command(copy)


def test_finished_stages_of_two_stores_differ_in_their_runs_alone(tiny, few, tmp_path):
    store = tmp_path / "tiny.zarr"
    qsdask.ingest(tiny / "tiny.dump", store, species={1: "Cu", 2: "Zr"}, strain_step=0.01, chunk=24, run=few)
    qsdask.shells(store, run=few)
    here, there = content_of(store), content_of(tiny / "tiny.zarr")
    assert {name: data for name, data in here.items() if name != "zarr.json"}.items() <= there.items()


def test_a_manifest_lists_what_no_receipt_covers(tiny):
    listed = read_manifest(tiny / "tiny.zarr", "features/interstice").files
    assert {f for f in listed if "/c/" in f} == {
        f"features/interstice/{name}/c/0" for name in ("feature", "unit", "meaning")
    }
    assert "features/interstice/zarr.json" in listed
    assert "features/interstice/value/zarr.json" in listed


def test_a_run_that_ends_before_its_record_is_written_leaves_a_stage_that_was_never_started(
    tiny, tmp_path, few, monkeypatch
):
    store = tmp_path / "tiny.zarr"
    qsdask.ingest(tiny / "tiny.dump", store, species={1: "Cu", 2: "Zr"}, strain_step=0.01, chunk=24, run=few)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as fault:
        fault.setattr(ledger, "put_record", full)
        with pytest.raises(ResumableError) as refusal:
            qsdask.shells(store, run=few)
        assert refusal.value.code == "E-DISK-FULL"
    assert (store / "ledger" / "shells" / "zarr.json").is_file()
    assert ledger.read(store, "shells") is None
    qsdask.shells(store, run=few)
    assert files_of(store / "shells") == files_of(tiny / "tiny.zarr" / "shells")


def test_a_ledger_that_another_run_has_begun_meanwhile_is_not_finished(copy):
    begun = replace(ledger.require(copy, "shells"), complete=False, provenance=None)
    theirs = replace(begun, settings={**begun.settings, "cutoff_angstrom": 3.6})
    put_record(copy, theirs, None)
    with pytest.raises(ResumableError, match="E-CHANGED-MEANWHILE"):
        ledger.finish(copy, ledger.Begun(copy, begun, []), {})
    assert ledger.read(copy, "shells") == theirs


@pytest.mark.parametrize("when", ["while it computes", "before it finishes"])
def test_a_writer_that_lost_its_lock_seals_nothing(copy, few, when, monkeypatch):
    """Somebody took over while this process was suspended: what it wakes to must stay as the other one makes it."""
    from qsdask.engine import course
    from qsdask.files.lock import LOCK

    def taken(*_):
        (copy / LOCK).write_text(json.dumps({"token": "another", "pid": 7, "host": "elsewhere"}))
        return {}

    def run_missing(*arguments):
        original(*arguments)
        taken()

    original = course._run_missing
    if when == "before it finishes":
        monkeypatch.setattr(course, "_run_missing", run_missing)
    else:
        monkeypatch.setattr(course, "warm_up", taken)
    with pytest.raises(QSDaskError, match=r"(?s)E-LOCKED.*process 7 on elsewhere"):
        qsdask.shells(copy, cutoff=3.6, run=replace(few, overwrite=True))
    begun = ledger.read(copy / BESIDE, "shells")
    assert begun is not None
    assert not begun.complete
    assert ledger.require(copy, "shells").settings["cutoff_angstrom"] == 4.0
    (copy / LOCK).unlink()
    monkeypatch.undo()
    qsdask.shells(copy, cutoff=3.6, run=few)
    assert qsdask.verify(copy, progress=False) == []


def test_a_stage_that_was_killed_before_it_was_shown_is_shown_by_the_same_command(own, few):
    store = own / "tiny.zarr"
    file = store / "zarr.json"
    whole = file.read_bytes()
    content = json.loads(whole)
    shown = content["consolidated_metadata"]["metadata"]
    content["consolidated_metadata"]["metadata"] = {k: v for k, v in shown.items() if not k.startswith("response")}
    file.write_bytes(json.dumps(content, indent=1).encode())
    qsdask.respond(store, run=few)
    assert file.read_bytes() == whole
