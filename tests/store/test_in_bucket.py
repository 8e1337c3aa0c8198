"""Stores in a bucket: the numbers and the bytes of one on a disk, and the same defences."""

from __future__ import annotations

import json
import pickle
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import qsdask
from qsdask.care.repair import repair
from qsdask.care.verify import verify
from qsdask.engine.where import Run
from qsdask.errors import QSDaskError
from qsdask.files import bucket_lock
from qsdask.files.location import located
from qsdask.files.lock import writing
from qsdask.store import ledger
from qsdask.store.beside import BESIDE, take_place, tidy
from qsdask.store.durable import DurableStore
from qsdask.store.place import Place
from qsdask.store.reader import CheckedStore
from qsdask.store.record import put_record, read_record
from tests.intake.test_loading import run_of, stretched
from tests.small_store import SPECIES
from tests.store_files import content_of

STORE = "s3://lab/tiny.zarr"


@pytest.fixture
def stored(tiny, bucket, monkeypatch):
    """The tiny store, put into the bucket file by file."""
    monkeypatch.setattr(bucket_lock, "_proven", {("s3", "lab")})
    for file in (tiny / "tiny.zarr").rglob("*"):
        if file.is_file():
            bucket.objects[f"lab/tiny.zarr/{file.relative_to(tiny / 'tiny.zarr')}"] = file.read_bytes()
    return located(STORE)


def brought(bucket, folder) -> dict[str, bytes]:
    """What is comparable in the store of the bucket."""
    for name, data in bucket.below("lab/tiny.zarr/").items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return content_of(folder)


def test_all_stages_in_a_bucket_make_the_bytes_of_a_disk(tiny, bucket, tmp_path, few):
    bucket.objects["lab/tiny.dump"] = (tiny / "tiny.dump").read_bytes()
    qsdask.ingest("s3://lab/tiny.dump", STORE, species=SPECIES, strain_step=0.01, chunk=24, run=few)
    qsdask.shells(STORE, run=few)
    qsdask.features(STORE, run=few)
    qsdask.respond(STORE, run=few)
    qsdask.predict(STORE, model=tiny / "tiny.qs", run=few)
    assert brought(bucket, tmp_path / "copy") == content_of(tiny / "tiny.zarr")
    assert verify(STORE) == []


def test_xarray_opens_it_with_and_without_us(stored, tiny):
    from zarr.storage import ObjectStore

    wanted = xr.open_datatree(tiny / "tiny.zarr", engine="zarr", chunks={})
    plain = xr.open_datatree(ObjectStore(stored.client(), read_only=True), engine="zarr", chunks={})
    own = qsdask.open_store(STORE)
    assert plain.identical(wanted)
    value = pickle.loads(pickle.dumps(own["softness/tiny"].ds["qs"])).values
    np.testing.assert_array_equal(value, wanted["softness/tiny"].ds["qs"].values)
    assert "of-no-worth" not in str(pickle.dumps(own))  # workers use credentials of their own
    assert "softness/tiny" in str(own.qs)


def test_one_request_opens_the_contents(stored, bucket):
    from zarr.storage import ObjectStore

    bucket.asked.clear()
    xr.open_datatree(
        ObjectStore(stored.client(), read_only=True), engine="zarr", chunks=None, create_default_indexes=False
    )
    assert sum("zarr.json" in line and "GET" in line for line in bucket.asked) <= 3


def test_damage_is_found_and_mended(stored, bucket, few):
    chunk = next(key for key in bucket.objects if "/features/interstice/value/c/" in key)
    receipt = next(key for key in bucket.objects if "/ledger/shells/receipt/c/" in key)
    bucket.objects[chunk] = b"rubbish"
    del bucket.objects[receipt]
    found = {damage.file for damage in verify(STORE)}
    assert {chunk.removeprefix("lab/tiny.zarr/"), receipt.removeprefix("lab/tiny.zarr/")} <= found
    with pytest.raises(QSDaskError, match="checksum"):
        qsdask.open_store(STORE)["features/interstice"].ds["value"].values  # noqa: B018
    repair(STORE, run=few)
    assert verify(STORE) == []


def test_overwriting_makes_the_new_numbers_beside_the_old_ones(stored, bucket, few, tmp_path, tiny):
    run = replace(few, overwrite=True)
    qsdask.shells(STORE, cutoff=4.2, run=run)
    assert not any(BESIDE in key for key in bucket.objects)
    assert not any("softness/tiny" in key for key in bucket.objects)  # of another cut-off than the model's
    assert verify(STORE) == []
    qsdask.shells(STORE, run=run)
    qsdask.predict(STORE, model=tiny / "tiny.qs", run=few)
    assert brought(bucket, tmp_path / "copy") == content_of(tiny / "tiny.zarr")


@pytest.mark.parametrize("asked", range(1, 60, 6))
def test_taking_a_place_that_is_cut_short_goes_on(stored, bucket, monkeypatch, asked, few):
    """A crash at any request of the exchange, then the same command again: the new numbers, whole."""
    monkeypatch.setattr("qsdask.files.object_client.TRIES", 1)
    begun = Run(cluster="threads", workers=2, progress=False, overwrite=True)
    real, left = take_place, [asked]

    def disturb(method: str, path: str) -> str:
        left[0] -= 1
        return "403" if left[0] <= 0 else ""

    def cut_short(path, record):
        bucket.disturb = disturb
        return real(path, record)

    monkeypatch.setattr(ledger, "take_place", cut_short)
    with pytest.raises(QSDaskError):
        qsdask.respond(STORE, cutoff=4.5, run=begun)
    bucket.disturb = lambda method, path: ""
    monkeypatch.setattr(ledger, "take_place", real)
    qsdask.respond(STORE, cutoff=4.5, run=begun)
    record = read_record(stored, "response/d2min")
    assert record.complete
    assert record.settings["cutoff_angstrom"] == 4.5
    assert not any(BESIDE in key for key in bucket.objects)
    assert verify(STORE) == []


def test_a_record_that_somebody_else_wrote_is_not_replaced(stored, bucket):
    record = read_record(stored, "shells")
    key, other = "lab/tiny.zarr/ledger/shells/zarr.json", b"of another writer"

    def meanwhile(method: str, path: str) -> str:
        if method == "PUT" and path == key:
            bucket.objects[key] = other
        return ""

    bucket.disturb = meanwhile
    with writing(STORE), pytest.raises(QSDaskError) as refused:
        put_record(stored, replace(record, complete=False), None)
    assert refused.value.code == "E-CHANGED-MEANWHILE"
    assert bucket.objects[key] == other


def test_a_stage_without_a_record_beside_is_what_a_crash_left(stored, bucket):
    bucket.objects[f"lab/tiny.zarr/{BESIDE}/zarr.json"] = b"{}"
    bucket.objects[f"lab/tiny.zarr/{BESIDE}/ledger/shells/receipt/zarr.json"] = b"{}"
    with writing(STORE):
        tidy(stored)
    assert not any(BESIDE in key for key in bucket.objects)


def test_files_are_listed_moved_and_removed_by_their_keys(stored, bucket):
    place = Place(stored)
    sizes, strange = place.files("shells")
    assert sizes
    assert not strange
    assert all(key.startswith("shells/") for key in sizes)
    assert place.folders("ledger")
    assert place.exists("shells")
    assert not place.exists("none")
    assert place.size("shells") == sum(sizes.values())
    with pytest.raises(FileNotFoundError):
        place.read("none")
    assert place.remove("shells/voronoi/zarr.json")
    place.remove_all("shells")
    assert not place.exists("shells")


def test_a_store_of_zarr_is_a_place_and_travels_as_one(stored):
    store = pickle.loads(pickle.dumps(CheckedStore(STORE)))
    assert store == CheckedStore(STORE)
    assert store != DurableStore(STORE)
    assert str(store) == STORE
    assert store.__dask_tokenize__() == CheckedStore(STORE).__dask_tokenize__()
    assert json.loads(store.get_sync("zarr.json", prototype=None).to_bytes())["node_type"] == "group"


def test_no_store_and_no_bucket_are_told(bucket):
    for place in ("s3://lab/none.zarr", "s3://lab2/none.zarr"):
        with pytest.raises(QSDaskError) as refused:
            qsdask.open_store(place)
        assert refused.value.code == "E-NO-STORE"


def test_the_steps_of_one_file_are_fetched_at_once(tmp_path, bucket, few, monkeypatch):
    """Seventeen frames, two of them in a file: each task fetches each file of its halo once."""
    monkeypatch.setattr(bucket_lock, "_proven", {("s3", "lab")})
    dump = run_of([stretched("y", 0.001 * k) for k in range(17)], tmp_path / "run.dump")
    store = qsdask.ingest(dump, tmp_path / "g.zarr", species=SPECIES, chunk=16, run=few)
    for file in store.rglob("*"):
        if file.is_file():
            bucket.objects[f"lab/g.zarr/{file.relative_to(store)}"] = file.read_bytes()
    bucket.asked.clear()
    qsdask.respond("s3://lab/g.zarr", run=few)
    fetched = Counter(asked for asked in bucket.asked if asked.startswith("GET lab/g.zarr/frames/position/c/"))
    # Four domains, all of them within reach of one another; the file of frame 0 is fetched by every unit of work besides.
    later = {name: n for name, n in fetched.items() if "/c/0/" not in name}
    assert len(later) == 8 * 4
    assert set(later.values()) == {4}
    qsdask.respond(store, run=few)
    assert bucket.below("lab/g.zarr/response/") == {
        str(file.relative_to(store / "response")): file.read_bytes()
        for file in (store / "response").rglob("*")
        if file.is_file()
    }
