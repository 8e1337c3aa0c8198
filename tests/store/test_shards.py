"""Several steps in one file: what is stored, read one by one, found when it is damaged, and gone on with."""

from __future__ import annotations

import importlib
import json
import shutil
import zipfile

import numpy as np
import pytest
import xarray as xr
import zarr

import qsdask
from qsdask import schema
from qsdask.errors import QSDaskError, StoreIOError
from qsdask.store import ledger
from qsdask.store.durable import DurableStore
from qsdask.store.identity import StoreAt
from qsdask.store.reader import StoreReader, open_checked
from qsdask.store.record import read_record
from qsdask.store.shard import read_index
from qsdask.store.task_writer import StageRun
from qsdask.store.template import create_group
from tests.long_run import N_STEP, made

#: The package names the function like its module.
respond_module = importlib.import_module("qsdask.stages.respond")

STEPPED = [
    "frames/position",
    "frames/cell",
    "domains/bounds",
    "frames/n_lost",
    "response/d2min/d2min",
    "response/d2min/valid",
]
POSITION, D2 = "frames/position/c/3/1/0", "response/d2min/d2min/c/3/1"


def files_of(store, name):
    return sorted(f for f in (store / name / "c").rglob("*") if f.is_file())


def all_files(store):
    return {str(f.relative_to(store)): f.read_bytes() for f in store.rglob("*") if f.is_file()}


def numbers(store, name):
    return StoreReader(store)[name][...]


def flip(file, at):
    data = bytearray(file.read_bytes())
    data[at] ^= 4
    file.write_bytes(data)


def first_byte(store, key, number):
    """First byte of one chunk of a file."""
    found = json.loads((store / key.rpartition("/c/")[0] / "zarr.json").read_text())
    with (store / key).open("rb") as file:
        return int(read_index(file, found)[number, 0])


@pytest.mark.parametrize(("n_step", "together"), [(1, 1), (2, 1), (15, 1), (16, 2), (33, 4), (81, 8), (1000, 8)])
def test_how_many_steps_lie_in_a_file(n_step, together):
    assert schema.steps_in_file(n_step) == together


def test_files_and_receipts_follow_the_units(run_of_many):
    store, single = run_of_many / "long.zarr", run_of_many / "single.zarr"
    assert len(files_of(store, "frames/position")) == 2 * 10
    assert len(files_of(single, "frames/position")) == 2 * N_STEP
    assert len(files_of(store, "response/d2min/d2min")) == 2 * 10
    assert len(files_of(store, "ledger/response/d2min/receipt")) == 2 * 10
    assert len(files_of(store, "ledger/ingest/receipt")) == 10
    assert StoreReader(store)["frames/position"].chunks == (1, 24, 3)
    assert "shards" in (store / "zarr.json").read_text()
    assert "shards" not in (single / "zarr.json").read_text()


@pytest.mark.parametrize("name", STEPPED)
def test_numbers_are_those_of_a_file_for_each_step_and_of_zarr(run_of_many, name):
    store = run_of_many / "long.zarr"
    ours = numbers(store, name)
    np.testing.assert_array_equal(ours, numbers(run_of_many / "single.zarr", name))
    np.testing.assert_array_equal(ours, zarr.open_array(store, path=name, mode="r")[...])
    group, _, own = name.rpartition("/")
    for tree in (qsdask.open_store(store), xr.open_datatree(store, engine="zarr", chunks={})):
        np.testing.assert_array_equal(ours, tree[group].ds[own].values)
        np.testing.assert_array_equal(ours[3], tree[group].ds[own][3].values)


def test_no_number_depends_on_the_cut(run_of_many, tmp_path, few):
    whole = made(run_of_many / "long.dump", tmp_path / "whole.zarr", few, chunk=48)
    here, there = StoreReader(run_of_many / "long.zarr"), StoreReader(whole)
    at, to = (np.argsort(root["atoms/id"][:]) for root in (here, there))
    for name in ("frames/position", "response/d2min/d2min"):
        np.testing.assert_array_equal(here[name][...][:, at], there[name][...][:, to])


def test_a_step_is_read_without_the_others(own_run):
    store = own_run / "long.zarr"
    before = numbers(store, "frames/position")
    flip(store / POSITION, first_byte(store, POSITION, 1) + 20)  # of step 7, in one file with step 6
    root, tree = StoreReader(store), qsdask.open_store(store)
    np.testing.assert_array_equal(root["frames/position"][6, root.rows(1)], before[6, root.rows(1)])
    np.testing.assert_array_equal(tree.frames.position[6].values, before[6])
    for read in (lambda: root["frames/position"][7, root.rows(1)], lambda: tree.frames.position[7].values):
        with pytest.raises(StoreIOError, match=POSITION) as refusal:
            read()
        assert refusal.value.code == "E-STORE-DAMAGED"


@pytest.mark.parametrize("key", [POSITION, D2])
@pytest.mark.parametrize("how", ["chunk", "index", "cut", "empty", "swap", "delete"])
def test_damage_is_found_refused_and_mended_to_the_byte(own_run, few, key, how):
    store = own_run / "long.zarr"
    before, file = all_files(store), store / key
    data = file.read_bytes()
    if how == "chunk":
        flip(file, first_byte(store, key, 0) + 17)
    elif how == "index":
        flip(file, len(data) - 9)
    elif how in ("cut", "empty"):
        file.write_bytes(data[: len(data) // 2] if how == "cut" else b"")
    elif how == "swap":
        file.write_bytes((store / key.replace("/3/", "/2/", 1)).read_bytes())
    else:
        file.unlink()
    found = qsdask.verify(store, progress=False)
    assert [(d.file, d.steps, d.domain) for d in found] == [(key, (6, 7), 1)]
    assert "steps 6 to 7" in str(found[0])
    if how != "swap":
        with pytest.raises(StoreIOError, match=key):
            numbers(store, key.rpartition("/c/")[0])
        group, _, own = key.rpartition("/c/")[0].rpartition("/")
        lazy = qsdask.open_store(store)[group].ds[own][6:8]
        with pytest.raises(QSDaskError, match=key):
            lazy.load()
    said = qsdask.repair(store, source=own_run / "long.dump", run=few)
    assert "1 of" in said[0]
    assert "tasks computed again" in said[0]
    assert qsdask.verify(store, progress=False) == []
    after = all_files(store)
    same = {name for name in before if before[name] == after[name]}
    # The run that mended it has a token of its own.
    assert {name for name in before.keys() - same if not name.startswith("ledger/")} == set()
    assert before.keys() == after.keys()


def test_an_interrupted_stage_goes_on_with_what_is_missing(own_run, few):
    store = own_run / "long.zarr"
    before = all_files(store)
    for key, tasks in (("ingest", [(0, 4, 0)]), ("response/d2min", [(0, 0, 1), (0, 9, 0)])):
        record = read_record(store, key)
        ledger.reopen(store, record, tasks)
        assert ledger.pending(store, key) == tasks
        with pytest.raises(QSDaskError, match=r"(18 of 20|9 of 10) tasks done"):
            ledger.require(store, key)
    for name in ("frames/position/c/4/0/0", "response/d2min/d2min/c/9/0"):
        (store / name).unlink()
    (store / "response/d2min/valid/c/0/.1.7.0.partial").write_bytes(b"what a killed writer leaves")
    made(own_run / "long.dump", store, few)
    after = all_files(store)
    assert before.keys() == after.keys()
    assert {name for name in before if before[name] != after[name] and not name.startswith("ledger/")} == set()
    assert qsdask.verify(store, progress=False) == []


def test_what_was_begun_with_a_file_for_each_step_goes_on_so(own_run, few):
    store = own_run / "single.zarr"
    before = all_files(store)
    ledger.reopen(store, read_record(store, "response/d2min"), [(0, 5, 0)])
    (store / "response/d2min/d2min/c/5/0").unlink()
    qsdask.respond(store, run=few)
    after = all_files(store)
    assert before.keys() == after.keys()
    assert all(before[name] == after[name] for name in before if not name.startswith("ledger/"))
    assert read_record(store, "response/d2min").stride == 1
    assert qsdask.verify(store, progress=False) == []


def test_overwriting_puts_steps_together(own_run, few):
    from dataclasses import replace

    store = own_run / "single.zarr"
    d2 = numbers(store, "response/d2min/d2min")
    qsdask.respond(store, run=replace(few, overwrite=True))
    assert read_record(store, "response/d2min").stride == 2
    np.testing.assert_array_equal(d2, numbers(store, "response/d2min/d2min"))
    assert qsdask.verify(store, progress=False) == []


def test_a_late_task_gives_no_file_its_name(own_run):
    store = own_run / "long.zarr"
    record = read_record(store, "response/d2min")
    ledger.reopen(store, record, [(0, 0, 0)])
    key, rows = "response/d2min", StoreReader(store).rows(0)
    before = all_files(store)
    work = StageRun(StoreAt.of(store), str(store), key, record.run, record.stride)

    def late() -> None:
        with work.committing(0, 0, 0) as writer:
            writer.write(key, "d2min", (slice(0, 2), rows), np.zeros((2, 24)))
            # Another run begins while the bytes are written, but not named yet.
            ledger.begin(store, read_record(store, key), lambda root: None)

    with pytest.raises(QSDaskError) as refusal:
        late()
    assert refusal.value.code == "E-OTHER-RUN"
    after = all_files(store)
    assert {n for n in after if after[n] != before.get(n)} == {"ledger/response/d2min/zarr.json"}
    assert before.keys() == after.keys()


def test_a_task_that_lacks_a_step_leaves_nothing(own_run):
    store = own_run / "long.zarr"
    ledger.reopen(store, read_record(store, "response/d2min"), [(0, 0, 0)])
    begun = ledger.begin(store, read_record(store, "response/d2min"), lambda root: None)
    work, rows = StageRun.of(store, begun), StoreReader(store).rows(0)
    before = all_files(store)
    with (
        pytest.raises(AssertionError, match="response/d2min/d2min/c/0/0 lacks steps"),
        work.committing(0, 0, 0) as writer,
    ):
        writer.write("response/d2min", "d2min", (slice(0, 1), rows), np.zeros((1, 24)))
    assert all_files(store) == before


def test_it_is_read_as_a_zip_file_and_saved_by_xarray(run_of_many, tmp_path):
    store = run_of_many / "long.zarr"
    packed = tmp_path / "long.zarr.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in all_files(store).items():
            archive.writestr(name, data)
    np.testing.assert_array_equal(numbers(store, "frames/position"), numbers(packed, "frames/position"))
    np.testing.assert_array_equal(
        qsdask.open_store(store).frames.position.values, qsdask.open_store(packed).frames.position.values
    )
    assert qsdask.verify(packed, progress=False) == []
    tree = qsdask.open_store(store)
    tree.to_zarr(tmp_path / "copy.zarr")
    tree["response/d2min"].to_dataset().to_netcdf(tmp_path / "copy.nc")
    for copy in (
        xr.open_datatree(tmp_path / "copy.zarr", engine="zarr")["response/d2min"],
        xr.open_dataset(tmp_path / "copy.nc"),
    ):
        np.testing.assert_array_equal(copy["d2min"].values, numbers(store, "response/d2min/d2min"))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda c: c.update(index_location="start"), "its sharding"),
        (lambda c: c.update(index_codecs=[{"name": "bytes", "configuration": {"endian": "little"}}]), "its sharding"),
        (
            lambda c: c.update(codecs=[{"name": "sharding_indexed", "configuration": dict(c)}, {"name": "crc32c"}]),
            "its sharding",
        ),
        (lambda c: c.update(codecs=[]), "its sharding"),
        (lambda c: c.update(chunk_shape=[1, 0, 3]), "whole numbers"),
        (lambda c: c.update(chunk_shape=[1, 7, 3]), "in files of"),
        (lambda c: c["codecs"].pop(), "codecs"),
        (lambda c: c["codecs"][1].update(name="gzip"), "codec"),
    ],
)
def test_shards_that_qsdask_does_not_write_are_refused(own_run, change, told):
    store = own_run / "long.zarr"
    file = store / "frames/position/zarr.json"
    found = json.loads(file.read_text())
    change(found["codecs"][0]["configuration"])
    file.write_text(json.dumps(found))
    with pytest.raises(StoreIOError, match=told) as refusal:
        StoreReader(store)["frames/position"][0]
    assert refusal.value.code == "E-STORE-UNSAFE"


def test_zarr_reads_what_is_written_and_we_what_zarr_writes(tmp_path):
    sizes, together = {"step": 5, "atom": 11}, {"step": 2}
    group, name = "response/d2min", "response/d2min/d2min"
    value = np.random.default_rng(0).normal(size=(5, 11))
    for place in ("ours", "theirs"):
        create_group(tmp_path / place, group, sizes, {"step": 1, "atom": 4}, {}, together=together)
    open_checked(DurableStore(tmp_path / "ours"), name)[...] = value
    theirs = zarr.open_array(tmp_path / "theirs", path=name, mode="r+")
    theirs[...] = value
    np.testing.assert_array_equal(numbers(tmp_path / "theirs", name), value)
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "ours", path=name, mode="r")[...], value)
    assert [f.read_bytes() for f in files_of(tmp_path / "ours", name)] == [
        f.read_bytes() for f in files_of(tmp_path / "theirs", name)
    ]


def test_an_earlier_version_is_told_that_it_cannot_read_it(own_run, monkeypatch):
    from qsdask.store import marks

    monkeypatch.setattr(marks, "KNOWN_FEATURES", frozenset({"runs", "text"}))
    with pytest.raises(QSDaskError, match="shards") as refusal:
        qsdask.open_store(own_run / "long.zarr")
    assert refusal.value.code == "E-FORMAT-VERSION"
    shutil.rmtree(own_run / "long.zarr")


def test_what_a_killed_worker_leaves_is_gone_when_the_stage_ends(own_run, few, monkeypatch):
    store = own_run / "long.zarr"
    before = all_files(store)
    ledger.reopen(store, read_record(store, "response/d2min"), [(0, 0, 0)])
    litter = store / "response/d2min/d2min/c/0/.0.77.3.partial"
    done = respond_module.respond_of_domain

    def killed_then_done_again(*given, **named):
        litter.write_bytes(b"some steps")
        return done(*given, **named)

    monkeypatch.setattr(respond_module, "respond_of_domain", killed_then_done_again)
    qsdask.respond(store, run=few)
    assert not litter.exists()
    assert before.keys() == all_files(store).keys()
