"""A store as one zip file: read where it is, never written."""

from __future__ import annotations

import pickle
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import xarray as xr
import zarr

import qsdask
from qsdask.errors import QSDaskError
from tests.store_files import files_of


@pytest.fixture(params=["top", "folder"])
def packed(request, tiny, tmp_path) -> Path:
    """The store zipped as Zarr does it, or as file managers do."""
    if request.param == "top":
        return Path(shutil.make_archive(str(tmp_path / "tiny.zarr"), "zip", tiny / "tiny.zarr"))
    return Path(shutil.make_archive(str(tmp_path / "tiny.zarr"), "zip", tiny, "tiny.zarr"))


def test_it_opens_as_the_folder_does(packed, tiny):
    folder = qsdask.open_store(tiny / "tiny.zarr").load()
    for tree in (qsdask.open_store(packed), qsdask.open_store(packed, partial=True)):
        xr.testing.assert_identical(tree.load(), folder)
    again = pickle.loads(pickle.dumps(qsdask.open_store(packed)))
    xr.testing.assert_identical(again.load(), folder)
    assert folder.qs.atoms()["qs"].equals(qsdask.open_store(packed).qs.atoms()["qs"])


def test_what_only_reads_gives_the_same(packed, tiny, few, tmp_path):
    store = tiny / "tiny.zarr"
    one, two = qsdask.info(packed), qsdask.info(store)
    for found in (one, two):
        found.pop("store")
    assert one == two
    for place, source in ((tmp_path / "a.extxyz", packed), (tmp_path / "b.extxyz", store)):
        qsdask.export(source, place, columns=["qs", "d2min"])
    assert (tmp_path / "a.extxyz").read_bytes() == (tmp_path / "b.extxyz").read_bytes()
    curves = [qsdask.activation(place, model=tiny / "tiny.qs", run=few) for place in (packed, store)]
    xr.testing.assert_equal(*curves)
    assert qsdask.verify(packed, progress=False) == []


def test_a_held_out_specimen_is_scored(tiny, tmp_path, few):
    lines = (tiny / "tiny.dump").read_text().splitlines(keepends=True)
    for row in (*range(9, 57), *range(66, 114)):
        number, *rest = lines[row].split()
        lines[row] = " ".join([str(int(number) + 1000), *rest]) + "\n"
    (tmp_path / "other.dump").write_text("".join(lines))
    store = qsdask.ingest(
        tmp_path / "other.dump",
        tmp_path / "other.zarr",
        species={1: "Cu", 2: "Zr"},
        strain_step=0.01,
        chunk=24,
        run=few,
    )
    qsdask.shells(store, run=few)
    qsdask.features(store, run=few)
    qsdask.respond(store, run=few)
    qsdask.predict(store, model=tiny / "tiny.qs", run=few)
    packed = shutil.make_archive(str(tmp_path / "other.zarr"), "zip", store)
    wanted = qsdask.evaluate(store, model=tiny / "tiny.qs", run=few)
    found = qsdask.evaluate(packed, model=tiny / "tiny.qs", run=few)
    assert repr({**found, "store": ""}) == repr({**wanted, "store": ""})
    page = qsdask.report(packed, model=tiny / "tiny.qs", out=tmp_path / "page.html", run=few)
    assert "other" in Path(page).read_text()


def test_what_writes_says_that_it_cannot(packed, tiny, few):
    before = packed.read_bytes()
    again = replace(few, overwrite=True)
    for command in (
        lambda: qsdask.ingest(tiny / "tiny.dump", packed, species={1: "Cu", 2: "Zr"}, run=again),
        lambda: qsdask.shells(packed, cutoff=3.5, run=again),
        lambda: qsdask.features(packed, run=again),
        lambda: qsdask.respond(packed, run=again),
        lambda: qsdask.predict(packed, model=tiny / "tiny.qs", run=again),
        lambda: qsdask.repair(packed, run=few),
        lambda: qsdask.migrate(packed),
    ):
        with pytest.raises(QSDaskError, match=r"(?s)E-ZIPPED.*unzip tiny.zarr.zip") as caught:
            command()
        assert caught.value.exit_status == 73
    assert packed.read_bytes() == before
    assert files_of(packed.parent) == {packed.name: before}


def test_what_is_no_store_or_damaged_is_refused(packed, tmp_path, tiny):
    whole = packed.read_bytes()
    packed.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(QSDaskError, match="E-STORE-DAMAGED: the zip file cannot be read"):
        qsdask.open_store(packed)
    packed.write_bytes(whole)
    with zipfile.ZipFile(packed) as archive:
        [one] = [info for info in archive.infolist() if info.filename.endswith("response/d2min/d2min/c/1/0")]
    damaged = bytearray(whole)
    damaged[one.header_offset + 30 + len(one.filename) + one.compress_size // 2] ^= 255
    packed.write_bytes(damaged)
    tree = qsdask.open_store(packed)
    with pytest.raises(QSDaskError, match="E-STORE-DAMAGED"):
        tree["response/d2min"].ds["d2min"].load()
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(QSDaskError, match="E-NO-STORE: no store is in this zip file"):
        qsdask.open_store(tmp_path / "other.zip")
    with zipfile.ZipFile(tmp_path / "chunk.zip", "w") as archive:
        for file in sorted((tiny / "tiny.zarr").rglob("*")):
            if file.is_file() and "position/c/1" not in str(file):
                archive.write(file, file.relative_to(tiny / "tiny.zarr"))
    with pytest.raises(QSDaskError, match=r"E-STORE-DAMAGED: frames/position/c/1/./0: the chunk is missing"):
        qsdask.open_store(tmp_path / "chunk.zip")["frames"].ds["position"].load()


def test_plain_xarray_opens_it_too(tiny, tmp_path):
    packed = shutil.make_archive(str(tmp_path / "tiny.zarr"), "zip", tiny / "tiny.zarr")
    tree = xr.open_datatree(zarr.storage.ZipStore(packed, mode="r"), engine="zarr", chunks="auto")
    ours = qsdask.open_store(packed)["atoms"].to_dataset().load()
    # To us ids and elements are coordinates, too.
    xr.testing.assert_equal(tree["atoms"].to_dataset().load(), ours.drop_vars("element").reset_coords("id"))
