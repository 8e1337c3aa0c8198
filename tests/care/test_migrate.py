"""A store of format 1, written by the code of its time, comes to the present format with its numbers as they were."""

from __future__ import annotations

import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr

import qsdask
from qsdask.care import migrate as stage
from qsdask.care.migrate import migrate
from qsdask.care.verify import verify
from qsdask.errors import BadDataError, StoreIOError
from qsdask.store.reader import StoreReader

OLD = Path(__file__).parents[1] / "store/data/format1.zarr.tar.xz"


@pytest.fixture
def old(tmp_path) -> Path:
    """The golden old store: 48 atoms, two strains, every stage."""
    with tarfile.open(OLD) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "small.zarr"


def chunks_of(store) -> dict[str, bytes]:
    """Files that hold numbers."""
    return {
        str(f.relative_to(store)): f.read_bytes()
        for f in store.rglob("*")
        if f.is_file() and "/c/" in str(f.relative_to(store)) and "ledger" not in f.parts
    }


def test_every_command_names_the_way_out(old, few):
    for command in (qsdask.info, qsdask.open_store, verify, lambda s: qsdask.features(s, run=few)):
        with pytest.raises(BadDataError, match=r"(?s)E-FORMAT-VERSION.*format 1.*qsdask migrate"):
            command(old)


def test_the_numbers_stay_and_the_store_proves_itself(old, few):
    before = chunks_of(old)
    assert migrate(old, progress=False) == old
    assert verify(old, progress=False) == []
    after = chunks_of(old)
    assert {name: after[name] for name in before} == before
    # New are chunks full of fill values, counts that format 1 did not keep, and the gradient.
    assert {name.split("/c/")[0] for name in after.keys() - before.keys()} == {
        "frames/deformation",
        "frames/n_lost",
        "frames/n_outside",
        "shells/voronoi/flag",
    }
    assert not StoreReader(old)["shells/voronoi/flag"][:].any()
    assert qsdask.open_store(old)["response/d2min"].ds["d2min"].shape == (2, 48)
    for command in (qsdask.shells, qsdask.features, qsdask.respond):
        command(old, run=few)
    assert chunks_of(old) == after
    migrate(old, progress=False)
    assert chunks_of(old) == after


def test_computed_parts_of_a_migrated_store_can_be_mended(old, few):
    from qsdask.care.repair import repair

    migrate(old, progress=False)
    before = chunks_of(old)
    d2min = StoreReader(old)["response/d2min/d2min"][1, 24:]
    (old / "response/d2min/d2min/c/1/1").unlink()
    done, *remarks = repair(old, run=few)
    assert done == "response/d2min: 1 of 4 tasks computed again"
    # Today's D2min may round otherwise than that of the old store; then the user is told.
    assert all("the bytes differ from those computed with" in remark for remark in remarks)
    assert chunks_of(old).keys() == before.keys()
    np.testing.assert_allclose(StoreReader(old)["response/d2min/d2min"][1, 24:], d2min, rtol=1e-9, atol=1e-12)
    assert verify(old, progress=False) == []


@pytest.mark.parametrize(
    "file", ["features/interstice/value/c/1/2", "response/d2min/valid/c/0/1", "ledger/shells/receipt/c/0/0/1/0/0"]
)
def test_a_damaged_old_store_is_refused(old, file):
    data = bytearray((old / file).read_bytes())
    data[len(data) // 2] ^= 4
    (old / file).write_bytes(data)
    with pytest.raises(StoreIOError, match="E-STORE-DAMAGED"):
        migrate(old, progress=False)


@pytest.mark.parametrize("call", [1, 2, 3])
def test_a_migration_cut_short_goes_on(old, monkeypatch, tmp_path, call):
    whole = shutil.copytree(old, tmp_path / "whole" / "small.zarr")
    migrate(whole, progress=False)
    real, calls = stage.ledger.create_receipts, []

    def dies(*arguments):
        calls.append(1)
        if len(calls) == call:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(stage.ledger, "create_receipts", dies)
    with pytest.raises(KeyboardInterrupt):
        migrate(old, progress=False)
    monkeypatch.undo()
    with pytest.raises(BadDataError, match="qsdask migrate"):
        qsdask.open_store(old)
    migrate(old, progress=False)
    files = {str(f.relative_to(old)): f.read_bytes() for f in old.rglob("*") if f.is_file()}
    assert files == {str(f.relative_to(whole)): f.read_bytes() for f in whole.rglob("*") if f.is_file()}


def test_a_newer_store_is_refused(old):
    migrate(old, progress=False)
    for file in old.glob("**/zarr.json"):
        text = file.read_text()
        file.write_text(text.replace('"format": 2', '"format": 3').replace(r"\"format\": 2", r"\"format\": 3"))
    for command in (migrate, verify):
        with pytest.raises(BadDataError, match=r"(?s)E-FORMAT-VERSION.*knows <= 2"):
            command(old, progress=False)


def test_a_zarr_store_of_another_program_stays_as_it_is(tmp_path, shipped, few):
    place = tmp_path / "other.zarr"
    zarr.create_group(place, zarr_format=3, attributes={"mine": 1})
    before = {file: file.read_bytes() for file in place.rglob("*") if file.is_file()}
    with pytest.raises(qsdask.QSDaskError, match="E-NO-STORE"):
        qsdask.migrate(place)
    for overwrite in (False, True):
        with pytest.raises(qsdask.QSDaskError, match="E-FORMAT-VERSION"):
            qsdask.ingest(
                shipped / "cu65_a.dump.gz", place, species={1: "Cu", 2: "Zr"}, run=replace(few, overwrite=overwrite)
            )
    assert {file: file.read_bytes() for file in place.rglob("*") if file.is_file()} == before


@pytest.fixture
def without_gradient(tmp_path) -> Path:
    """A store of the present format that was made before there was a gradient."""
    with tarfile.open(OLD.parent / "before-rooms.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "before-rooms/glass.zarr"


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_store_without_gradient_gets_it_and_keeps_all_else(without_gradient, monkeypatch, interrupted):
    store = without_gradient
    before, digests = chunks_of(store), {s["stage"]: s["digest"] for s in qsdask.info(store)["stages"]}
    assert qsdask.info(store)["specimen"]["loading"] == ""
    if interrupted:
        with monkeypatch.context() as patch:
            patch.setattr(stage.ledger, "seal", lambda *a: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                migrate(store, progress=False)
    migrate(store, progress=False)
    after = chunks_of(store)
    assert after.keys() - before.keys() == {"frames/deformation/c/0/0/0"}
    assert {name: after[name] for name in before} == before
    found = qsdask.info(store)
    assert {s["stage"]: s["digest"] for s in found["stages"]} == digests
    assert found["stages"][0]["provenance"]["loading"] == {"component": None, "name": ""}  # its cell never changes
    assert verify(store, progress=False) == []
    np.testing.assert_array_equal(qsdask.open_store(store)["frames/deformation"].values[0], np.eye(3))
    migrate(store, progress=False)
    assert chunks_of(store) == after


def test_a_damaged_store_without_gradient_is_not_sealed_anew(without_gradient):
    file = without_gradient / "atoms/id/c/0"
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    with pytest.raises(StoreIOError, match=r"(?s)E-STORE-DAMAGED.*repair"):
        migrate(without_gradient, progress=False)
    assert not (without_gradient / "frames/deformation").exists()
