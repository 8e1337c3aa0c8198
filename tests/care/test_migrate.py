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
from qsdask.care import receipts
from qsdask.care.migrate import migrate
from qsdask.care.verify import verify
from qsdask.errors import BadDataError, ResumableError, StoreIOError
from qsdask.store import ledger
from qsdask.store.durable import DurableStore
from qsdask.store.identity import StoreAt
from qsdask.store.reader import StoreReader
from qsdask.store.record import read_record, records
from qsdask.store.task_writer import StageRun
from tests.store_files import content_of, files_of

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
    # New are chunks full of fill values, counts that format 1 did not keep, the gradient, and the surfaces.
    assert {name.split("/c/")[0] for name in after.keys() - before.keys()} == {
        "frames/deformation",
        "frames/n_lost",
        "frames/n_outside",
        "shells/voronoi/flag",
        "surface/on_surface",
        "surface/surface_distance",
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


@pytest.mark.parametrize("call", range(1, 9))
def test_a_migration_cut_short_goes_on(old, monkeypatch, tmp_path, call):
    whole = shutil.copytree(old, tmp_path / "whole" / "small.zarr")
    migrate(whole, progress=False)
    real, calls = stage.ledger.create_receipts, []

    def dies(*arguments):
        calls.append(1)
        if len(calls) == call:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(receipts.ledger, "create_receipts", dies)
    with pytest.raises(KeyboardInterrupt):
        migrate(old, progress=False)
    monkeypatch.undo()
    for command in (qsdask.open_store, qsdask.info):
        with pytest.raises(BadDataError, match="qsdask migrate"):
            command(old)
    migrate(old, progress=False)
    assert content_of(old) == content_of(whole)
    assert verify(old, progress=False) == []


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
    added = {name for name in after.keys() - before.keys() if not name.startswith("surface/")}
    assert added == {"frames/deformation/c/0/0/0"}
    assert {name: after[name] for name in before} == before
    found = qsdask.info(store)
    assert {s["stage"]: s["digest"] for s in found["stages"] if s["stage"] != "surface"} == digests
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


def test_stages_of_before_get_their_run_tokens_and_nothing_else(without_gradient):
    before = content_of(without_gradient)
    assert not any(record.runs for record in records(without_gradient))
    migrate(without_gradient, progress=False)
    after = content_of(without_gradient)
    found = {record.key: record for record in records(without_gradient)}
    for record in found.values():
        assert len(record.runs) == 1
        assert record.lineage == {key: found[key].run for key in record.inputs if key in found}
        assert ledger.pending(without_gradient, record.key) == []
    assert StoreAt.of(without_gradient).identity == found["ingest"].run
    # Receipts say the same of the same files.
    told = {name for name in before if name.startswith("ledger/") and "/receipt/c/" in name}
    assert told
    assert {name: after[name] for name in told} == {name: before[name] for name in told}
    tokens = files_of(without_gradient)
    migrate(without_gradient, progress=False)
    assert files_of(without_gradient) == tokens


def test_a_late_task_of_before_does_not_write_into_a_migrated_stage(without_gradient):
    record = next(r for r in records(without_gradient) if r.key == "response/d2min")
    late = StageRun.of(without_gradient, ledger.Begun(without_gradient, record, []))
    migrate(without_gradient, progress=False)
    before = files_of(without_gradient)
    with pytest.raises(BadDataError, match="E-STORE-OTHER"):
        late.reader()
    with pytest.raises(ResumableError, match="E-OTHER-RUN"), late.committing(0, 0, 0) as writer:
        writer.write("response/d2min", "d2min", (0, slice(0, 100)), np.zeros((1, 100)))
    assert files_of(without_gradient) == before


def test_an_unfinished_stage_of_before_is_migrated_and_resumed(without_gradient, few):
    numbers = chunks_of(without_gradient)
    record = next(r for r in records(without_gradient) if r.key == "response/d2min")
    last = tuple(n - 1 for n in record.shape)
    ledger.reopen(without_gradient, record, [last])
    migrate(without_gradient, progress=False)
    assert ledger.pending(without_gradient, record.key) == [last]
    qsdask.respond(without_gradient, cutoff=3.9, run=few)
    assert {name: data for name, data in chunks_of(without_gradient).items() if name in numbers} == numbers
    assert verify(without_gradient, progress=False) == []


@pytest.mark.parametrize("file", ["zarr.json", "manifest.json", "receipt/zarr.json", "receipt/c/0/0/0/0/0"])
@pytest.mark.parametrize("key", ["ingest", "features/interstice"])
def test_migration_killed_at_any_write_goes_on(without_gradient, monkeypatch, tmp_path, key, file):
    whole = shutil.copytree(without_gradient, tmp_path / "whole.zarr")
    migrate(whole, progress=False)

    def dying(real):
        def dies(self, name, *arguments):
            if name == f"ledger/{key}/{file}":
                raise OSError("killed here")
            real(self, name, *arguments)

        return dies

    with monkeypatch.context() as patch:
        for verb in ("_put", "put"):  # of chunks, and of what says what they are
            patch.setattr(DurableStore, verb, dying(getattr(DurableStore, verb)))
        with pytest.raises(OSError, match="killed here"):
            migrate(without_gradient, progress=False)
    with pytest.raises(BadDataError, match=r"E-FORMAT-VERSION(?s:.*)qsdask migrate"):
        qsdask.open_store(without_gradient)
    migrate(without_gradient, progress=False)
    assert content_of(without_gradient) == content_of(whole)
    assert verify(without_gradient, progress=False) == []


def test_damage_is_not_vouched_for_by_a_migration(without_gradient):
    (without_gradient / "shells/voronoi/zarr.json").write_text("{}")
    file = without_gradient / "features/interstice/value/c/0/0"
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    migrate(without_gradient, progress=False)
    assert read_record(without_gradient, "features/interstice").runs
    damage = {one.file for one in verify(without_gradient, progress=False)}
    assert {"features/interstice/value/c/0/0", "shells/voronoi/zarr.json"} <= damage
