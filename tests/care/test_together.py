"""``migrate`` puts steps together that an earlier version wrote into a file each; numbers, lineage and models stay."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

import qsdask
from qsdask.care import migrate as migration
from qsdask.care import together
from qsdask.errors import QSDaskError, StoreIOError
from qsdask.store import ledger
from qsdask.store.place import Place
from qsdask.store.reader import StoreReader
from qsdask.store.record import read_record, records
from tests.long_run import made

NAMES = [
    "frames/position",
    "frames/cell",
    "frames/strain",
    "domains/bounds",
    "response/d2min/d2min",
    "response/d2min/valid",
]


def numbers(store):
    return {name: StoreReader(store)[name][...] for name in NAMES}


def assert_migrated(store, before, was, *, anew=False):
    for name, value in numbers(store).items():
        np.testing.assert_array_equal(value, before[name])
    assert qsdask.verify(store, progress=False) == []
    now = {record.key: record for record in records(store)}
    assert {key: record.digest for key, record in now.items()} == {key: record.digest for key, record in was.items()}
    # What was computed again has the tokens of before and one more, unless all of it was.
    assert anew or all(now[key].runs[: len(was[key].runs)] == was[key].runs for key in was)
    assert anew or all(now[key].lineage == was[key].lineage for key in was)
    assert (now["ingest"].stride, now["response/d2min"].stride, now["shells"].stride) == (2, 2, 1)
    assert not (store / together.ASIDE).exists()


@pytest.fixture
def single(own_run):
    store = own_run / "single.zarr"
    return store, numbers(store), {record.key: record for record in records(store)}


def test_migrated_files_are_those_of_a_new_store(single, own_run):
    store, before, was = single
    features = (store / "features/interstice/value/c/0/0").read_bytes()
    n_file = len([f for f in store.rglob("*") if f.is_file()])
    qsdask.migrate(store, progress=False)
    assert_migrated(store, before, was)
    assert len([f for f in store.rglob("*") if f.is_file()]) < 0.75 * n_file
    assert (store / "features/interstice/value/c/0/0").read_bytes() == features
    new = own_run / "long.zarr"
    for name in ("frames/position", "domains/bounds", "response/d2min/d2min"):
        for file in (new / name).rglob("*"):
            if file.is_file() and file.name != "zarr.json":
                assert file.read_bytes() == (store / file.relative_to(new)).read_bytes()


def test_it_is_done_once_and_its_store_goes_on(single, own_run, few):
    store, before, was = single
    qsdask.migrate(store, progress=False)
    times = {f: f.stat().st_mtime_ns for f in store.rglob("*") if f.is_file() and "c" in f.parts}
    qsdask.migrate(store, progress=False)
    assert times == {f: f.stat().st_mtime_ns for f in times}
    made(own_run / "long.dump", store, few)
    assert times == {f: f.stat().st_mtime_ns for f in times}
    (store / "frames/position/c/2/1/0").unlink()
    qsdask.repair(store, source=own_run / "long.dump", run=few)
    assert_migrated(store, before, was)


def test_an_unfinished_stage_stays_as_it_is(single, few):
    store, before, was = single
    ledger.reopen(store, read_record(store, "response/d2min"), [(0, 3, 0)])
    qsdask.migrate(store, progress=False)
    assert read_record(store, "response/d2min").stride == 1
    assert read_record(store, "ingest").stride == 2
    qsdask.respond(store, run=few)
    qsdask.migrate(store, progress=False)
    assert_migrated(store, before, was)


@pytest.mark.parametrize(
    "name", ["frames/position/c/4/1/0", "domains/bounds/c/1/0/0/0", "atoms/id/c/0", "response/d2min/valid/c/8/0"]
)
@pytest.mark.parametrize("how", ["flip", "delete"])
def test_damage_ends_it_and_nothing_is_vouched_for_anew(single, own_run, few, name, how):
    store, before, was = single
    if how == "flip":
        data = bytearray((store / name).read_bytes())
        data[len(data) // 2] ^= 1
        (store / name).write_bytes(data)
    else:
        (store / name).unlink()
    with pytest.raises(StoreIOError, match=name) as refusal:
        qsdask.migrate(store, progress=False)
    assert refusal.value.code == "E-STORE-DAMAGED"
    # The old store is as it was, and can be mended.
    qsdask.repair(store, source=own_run / "long.dump", run=few)
    qsdask.migrate(store, progress=False)
    assert_migrated(store, before, was, anew=name.startswith("atoms/"))


@pytest.mark.parametrize("killed", range(1, 24, 2))
def test_it_goes_on_where_it_was_killed(single, monkeypatch, killed):
    store, before, was = single
    calls = iter(range(1000))

    def dying(function):
        def call(*given, **named):
            if next(calls) == killed:
                raise KeyboardInterrupt
            return function(*given, **named)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(Place, "move", dying(Place.move))
        patch.setattr(Place, "remove_all", dying(Place.remove_all))
        patch.setattr(together, "put_receipts", dying(together.put_receipts))
        patch.setattr(ledger, "seal", dying(ledger.seal))
        try:
            qsdask.migrate(store, progress=False)
            finished = True
        except KeyboardInterrupt:
            finished = False
    if not finished and migration.in_migration(migration._root_mark(store)):
        with pytest.raises(QSDaskError, match="migrate"):
            qsdask.open_store(store)
    qsdask.migrate(store, progress=False)
    assert_migrated(store, before, was)


def test_a_store_without_several_frames_is_left_alone(tiny, tmp_path):
    store = shutil.copytree(tiny / "tiny.zarr", tmp_path / "tiny.zarr")
    qsdask.migrate(store, progress=False)
    assert all(record.stride == 1 for record in records(store))
