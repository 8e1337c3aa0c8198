"""Nothing that qsdask never writes reaches Zarr, Blosc or NumPy; a damaged chunk is named when it is read."""

from __future__ import annotations

import json
import os
import shutil

import pytest

import qsdask
from qsdask.care.verify import verify
from qsdask.errors import BadDataError, StoreIOError
from qsdask.store.reader import StoreReader

POSITION = "frames/position/zarr.json"


def change(store, key, **values) -> None:
    file = store / key
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


@pytest.mark.parametrize(
    "values",
    [
        {"codecs": [{"name": "bytes", "configuration": {"endian": "little"}}]},
        {"codecs": [{"name": "pickle"}, {"name": "crc32c"}]},
        {
            "codecs": [
                {"name": "bytes"},
                {"name": "blosc", "configuration": {"cname": "zlib", "typesize": 8}},
                {"name": "crc32c"},
            ]
        },
        {"codecs": [{"name": "bytes"}, {"name": "numcodecs.fletcher32"}, {"name": "crc32c"}]},
        {"shape": [2, 10**15, 3]},
        {"shape": [2, -48, 3]},
        {"shape": [2, 48.0, 3]},
        {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [1, 10**12, 3]}}},
        {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [1, 0, 3]}}},
        {"chunk_grid": {"name": "rectilinear", "configuration": {"chunk_shape": [1, 24, 3]}}},
        {"chunk_key_encoding": {"name": "v2", "configuration": {"separator": "."}}},
        {"data_type": "float32"},
        {"data_type": "object"},
        {"dimension_names": ["atom", "step", "xyz"]},
        {"dimension_names": None},
        {"zarr_format": 2},
        {"node_type": "group"},
        {"storage_transformers": [{"name": "x"}]},
        {"fill_value": "NaM"},
        {"fill_value": 0.0},
        {"attributes": []},
        {"something": "else"},
    ],
)
def test_metadata_that_qsdask_never_writes_are_refused_before_the_array_opens(own, values):
    store = own / "tiny.zarr"
    change(store, POSITION, **values)
    with pytest.raises(StoreIOError, match=r"(?s)E-STORE-(UNSAFE|DAMAGED).*qsdask verify") as refusal:
        StoreReader(store)["frames/position"]
    assert refusal.value.exit_status == 74
    assert POSITION in refusal.value.message
    root = json.loads((store / "zarr.json").read_text())
    root["consolidated_metadata"]["metadata"]["frames/position"].update(values)
    (store / "zarr.json").write_text(json.dumps(root))
    with pytest.raises(StoreIOError, match="E-STORE-"):
        qsdask.open_store(store)
    assert {d.file for d in verify(store, progress=False)} >= {POSITION, "zarr.json"}


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, '{"shape": 1}', "\x00" * 4096])
def test_metadata_that_are_no_json_are_refused(own, text):
    store = own / "tiny.zarr"
    (store / POSITION).write_text(text)
    with pytest.raises(StoreIOError, match="E-STORE-DAMAGED"):
        StoreReader(store)["frames/position"]
    (store / "zarr.json").write_text(text)
    for command in (qsdask.open_store, qsdask.info):
        with pytest.raises(StoreIOError, match="E-STORE-DAMAGED"):
            command(store)


def test_an_array_that_nobody_registered_is_refused(own):
    store = own / "tiny.zarr"
    shutil.copytree(store / "atoms/id", store / "atoms/secret")
    with pytest.raises(StoreIOError, match="E-STORE-UNSAFE"):
        StoreReader(store)["atoms/secret"]


@pytest.mark.parametrize("place", ["frames/position/c/0/0/0", "frames/position/c", "frames", POSITION])
def test_links_are_refused_wherever_they_stand(own, place):
    store = own / "tiny.zarr"
    (store / place).rename(own / "away")
    (store / place).symlink_to(own / "away")
    with pytest.raises(StoreIOError, match=r"E-STORE-UNSAFE.*link"):
        StoreReader(store)["frames/position"][:]
    assert ("unsafe", place) in {(d.kind, d.file) for d in verify(store, progress=False)}


def test_a_pipe_does_not_hang_the_reader(own):
    file = own / "tiny.zarr" / POSITION
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(StoreIOError, match="E-STORE-UNSAFE"):
        StoreReader(own / "tiny.zarr")["frames/position"]


def test_the_store_itself_may_be_a_link(own):
    (own / "link.zarr").symlink_to(own / "tiny.zarr")
    assert StoreReader(own / "link.zarr")["atoms/id"][:].shape == (48,)
    assert verify(own / "link.zarr", progress=False) == []


@pytest.mark.parametrize("damage", ["delete", "flip", "empty"])
def test_a_damaged_chunk_is_named_by_stages_and_by_xarray(own, damage):
    store = own / "tiny.zarr"
    file = store / "features/interstice/value/c/1/2"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.unlink() if damage == "delete" else file.write_bytes(data if damage == "flip" else b"")
    for read in (
        lambda: StoreReader(store)["features/interstice/value"][:],
        lambda: qsdask.open_store(store)["features/interstice"].ds["value"].compute(),
    ):
        with pytest.raises(StoreIOError, match=r"(?s)E-STORE-DAMAGED.*value/c/1/2.*qsdask verify"):
            read()


def test_chunks_full_of_fill_values_are_files_too(tiny):
    flag = tiny / "tiny.zarr/shells/voronoi/flag/c"
    assert sorted(f.name for f in flag.iterdir()) == ["0", "1"]


def test_a_store_that_needs_unknown_features_or_a_newer_format_is_refused(own):
    store = own / "tiny.zarr"
    root = json.loads((store / "zarr.json").read_text())
    for mark, text in (({"format": 2, "requires": ["sharding"]}, "needs .*sharding"), ({"format": 3}, "knows <= 2.*")):
        root["attributes"]["qsdask"] = mark
        (store / "zarr.json").write_text(json.dumps(root))
        with pytest.raises(BadDataError, match=rf"(?s)E-FORMAT-VERSION.*{text}.*newer qsdask"):
            qsdask.open_store(store)


def test_a_store_without_its_root_is_damaged_not_absent(own):
    (own / "tiny.zarr/zarr.json").unlink()
    with pytest.raises(StoreIOError, match=r"(?s)E-STORE-DAMAGED.*qsdask repair"):
        qsdask.info(own / "tiny.zarr")
