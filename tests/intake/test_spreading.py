"""Large frames read by many tasks each: the bytes of one task after the other, the same refusals, interrupted or not."""

from __future__ import annotations

import bz2
import gzip
import os
import shutil

import numpy as np
import pytest

import qsdask
from qsdask.errors import BadDataError
from qsdask.files import bucket_lock
from qsdask.formats import container, open_trajectory
from qsdask.intake import spreading
from qsdask.stages import arranging
from qsdask.stages.arranging import Arranging
from qsdask.store import ledger
from qsdask.store.reader import StoreReader
from tests.conftest import SPECIES
from tests.intake.test_loading import run_of, stretched
from tests.intake.test_new_atoms import strangers
from tests.intake.test_reference import frames_of, with_rows, written
from tests.store_files import content_of

#: So many that two of them lie in one file of the store.
GRADIENTS = [stretched("y", 0.001 * k) for k in range(19)]


@pytest.fixture
def run(tmp_path):
    """Nineteen frames of 60 atoms, which stand in another order in every frame."""
    frames = frames_of(run_of(GRADIENTS, tmp_path / "run.dump", jump=0.01))
    return [with_rows(f, lambda rows, k=k: shuffled(rows, k)) for k, f in enumerate(frames)]


def shuffled(rows, seed):
    return [rows[k] for k in np.random.default_rng(seed).permutation(len(rows))]


@pytest.fixture
def spread(monkeypatch):
    """Frames of few atoms are large."""

    def make(large: int = 20, marked: int = 13, tasks: int = 2, enough: int = 1) -> None:
        monkeypatch.setattr(spreading, "LARGE", large)
        monkeypatch.setattr(spreading, "TASKS", tasks)
        monkeypatch.setattr(spreading, "ENOUGH", enough)
        monkeypatch.setattr(container, "MARKED", marked)

    return make


@pytest.fixture
def counted(monkeypatch):
    """Numbers of tasks that were done, by label; the run is interrupted before the task of this number."""
    done: dict[str, int] = {}
    stop: list[int] = []
    do = Arranging._do

    def each(self, label, work, arguments):
        def one(*task):
            if stop and sum(done.values()) == stop[0]:
                raise KeyboardInterrupt
            done[label] = done.get(label, 0) + 1
            return work(*task)

        return do(self, label, one, arguments)

    monkeypatch.setattr(Arranging, "_do", each)
    return done, stop


def ingested(dump, store, few, **settings):
    return qsdask.ingest(dump, store, **{"species": SPECIES, "name": "g", "chunk": 16, **settings}, run=few)


def as_files(run, folder, how):
    """The frames in one file, or one a file, packed or not."""
    folder.mkdir()
    if how == "one":
        return written(folder / "run.dump", *run)
    pack = {"files": bytes, "gz": gzip.compress, "bz2": bz2.compress}[how]
    files = [folder / f"{k}.dump" for k in range(len(run))]
    for file, frame in zip(files, run, strict=True):
        file.write_bytes(pack(frame.encode()))
    return files


@pytest.mark.parametrize("how", ["one", "files", "gz", "bz2"])
@pytest.mark.parametrize(("large", "marked", "tasks", "enough"), [(20, 13, 2, 1), (7, 1, 64, 256), (59, 60, 1, 5)])
def test_many_tasks_a_frame_write_the_bytes_of_one(
    run, tmp_path, few, spread, counted, how, large, marked, tasks, enough
):
    files, (done, _) = as_files(run, tmp_path / "in", how), counted
    ingested(files, tmp_path / "one.zarr", few)
    assert "ingest match" not in done
    spread(large, marked, tasks, enough)
    ingested(files, tmp_path / "many.zarr", few)
    assert content_of(tmp_path / "one.zarr") == content_of(tmp_path / "many.zarr")
    assert qsdask.verify(tmp_path / "many.zarr", progress=False) == []
    plain = how in ("one", "files")
    # A frame without sections is read by one task: the first one of a file, and those with a file of their own.
    sections = {1: 60, 13: 3, 60: 1}[marked] if plain else 1
    hashed = 19 * (sections > 1)
    # Of two frames in one file of the store, the second one of which only a pass over the first leads to, none is spread.
    spread_frames = 19 if sections > 1 or how != "one" else 0
    assert done.get("ingest match", 0) == (spread_frames * sections + hashed if spread_frames else 0)


def test_what_comes_and_goes_is_counted_the_same(run, tmp_path, few, spread):
    fewer = [with_rows(f, lambda rows, k=k: shuffled(sorted(rows)[3 * k :], k)) for k, f in enumerate(run)]
    dump = written(tmp_path / "both.dump", *(strangers(f, 5 * k, seed=k) for k, f in enumerate(fewer)))
    how = {"lost_atoms": "mask", "new_atoms": "ignore"}
    ingested(dump, tmp_path / "one.zarr", few, **how)
    spread()
    ingested(dump, tmp_path / "many.zarr", few, **how)
    assert content_of(tmp_path / "one.zarr") == content_of(tmp_path / "many.zarr")
    assert qsdask.open_store(tmp_path / "many.zarr")["frames/n_lost"].values.tolist() == [3 * k for k in range(19)]


def test_a_cluster_does_what_one_process_does(run, tmp_path, few, spread, monkeypatch):
    dump = written(tmp_path / "run.dump", *run)
    spread()
    ingested(dump, tmp_path / "here.zarr", few)
    monkeypatch.setattr(arranging, "MARKED", 0)
    ingested(dump, tmp_path / "there.zarr", few)
    assert content_of(tmp_path / "here.zarr") == content_of(tmp_path / "there.zarr")


def test_the_plan_knows_the_tasks_and_what_waits(run, tmp_path, few, spread, counted, monkeypatch):
    spread()
    monkeypatch.setattr(spreading, "PIECE_ATOMS", 13)
    ingested(written(tmp_path / "run.dump", *run), tmp_path / "g.zarr", few)
    done, _ = counted
    planned, waiting = spreading.tasks_of(60, 19, 2, 4)
    # Ids and species are written by one task before.
    assert planned == done["ingest match"] + done["ingest buckets"] + done["ingest"] - 1
    assert waiting == 2 * (4 + 24)
    # Few tasks a frame: as many steps at the same time as one file has at most.
    spread(enough=100)
    assert spreading.tasks_of(60, 19, 2, 4) == (planned, 8 * (4 + 24))
    assert [len(some) for some in spreading.waves([[k, k + 1] for k in range(0, 20, 2)], 60)] == [4, 4, 2]
    assert spreading.tasks_of(20, 19, 2, 3) == (10, 0)


def test_bad_lines_and_atoms_are_named_as_ever(run, tmp_path, few, spread):
    """The line in the file, the frame, the timestep, and the id; the same words as one task has."""

    def renamed(rows, k, column, word):
        rows[k] = [*rows[k][:column], word, *rows[k][column + 1 :]]
        return rows

    cases = {
        "a line": (lambda rows: renamed(rows, 45, 2, "nan"), "E-NUMBER", 45),
        "a column": (lambda rows: [*rows[:45], rows[45][:-1], *rows[46:]], "E-LINE", 45),
        "a stranger": (lambda rows: renamed(rows, 50, 0, "777"), "E-LOST-ATOMS", 50),
        "a type": (lambda rows: renamed(rows, 33, 1, str(3 - int(rows[33][1]))), "E-TYPE-CHANGE", 33),
        "twice": (lambda rows: renamed(renamed(rows, 50, 0, rows[5][0]), 50, 1, rows[5][1]), "E-DUP-ID", 50),
        "lost": (lambda rows: rows[4:], "E-LOST-ATOMS", None),
    }
    before = sum(frame.count("\n") for frame in run[:11])
    for name, (change, code, row) in cases.items():
        dump = written(tmp_path / f"{name}.dump", *run[:11], with_rows(run[11], change), *run[12:])
        found = []
        for large in (10**6, 20):
            spread(large)
            with pytest.raises(BadDataError, match=code) as refusal:
                ingested(dump, tmp_path / f"{name}-{large}.zarr", few)
            found.append(refusal.value)
            shutil.rmtree(tmp_path / f"{name}-{large}.zarr", ignore_errors=True)
        for error in found:
            assert error.line == (None if row is None else before + 10 + row), name
            assert (error.frame, error.timestep, error.file) == (11, 11, str(dump)), name
        assert [found[0].atom_id, found[0].message] == [found[1].atom_id, found[1].message], name


def test_interrupted_before_any_task_it_goes_on(run, tmp_path, few, spread, counted):
    dump, (done, stop) = written(tmp_path / "run.dump", *run[:16]), counted
    spread()
    ingested(dump, tmp_path / "whole.zarr", few)
    total = sum(done.values())
    assert total > 90
    for k in range(3, total, 7):
        done.clear()
        stop[:] = [k]
        spread(enough=1 + k % 2 * 100)
        store = tmp_path / f"{k}.zarr"
        with pytest.raises(KeyboardInterrupt):
            ingested(dump, store, few)
        stop.clear()
        ingested(dump, store, few)
        # One more at most: what is there once for the whole store has no receipt.
        assert total <= sum(done.values()) <= total + 1
        assert content_of(store) == content_of(tmp_path / "whole.zarr")
        assert not (store / ".scratch").exists()
        shutil.rmtree(store)


def interrupted(dump, store, few, counted, label, number, **settings):
    """Begin a store, and stop before a task of this label."""
    done, _ = counted
    done.clear()
    do = Arranging._do

    class Stopped(Exception):
        pass

    def each(self, name, work, arguments):
        if name == label and done.get(label, 0) >= number:
            raise Stopped
        return do(self, name, work, arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Arranging, "_do", each)
        with pytest.raises(Stopped):
            ingested(dump, store, few, **settings)


@pytest.mark.parametrize(("label", "number", "first"), [("ingest buckets", 10, 10), ("ingest", 3, 4)])
def test_what_waits_of_other_files_or_settings_is_no_use(run, tmp_path, few, spread, counted, label, number, first):
    """The rest of the files is written again, or atoms may be lost now: nothing that waits for the first try is taken."""
    spread()
    dump, store = written(tmp_path / "run.dump", *run), tmp_path / "g.zarr"
    interrupted(dump, store, few, counted, label, number)
    moved = [with_rows(f, lambda rows: [[*r[:2], r[3], r[2], r[4]] for r in rows]) for f in run[first:]]
    written(dump, *run[:first], *moved)
    os.utime(dump, ns=(1, 1))
    ingested(dump, store, few)
    assert content_of(store) == content_of(ingested(dump, tmp_path / "fresh.zarr", few))
    shutil.rmtree(store)
    interrupted(dump, store, few, counted, label, number)
    how = {"lost_atoms": "mask", "new_atoms": "ignore"}
    ingested(dump, store, few, **how)
    assert content_of(store) == content_of(ingested(dump, tmp_path / "masked.zarr", few, **how))


def test_what_is_taken_back_is_done_from_its_beginning(run, tmp_path, few, spread, counted):
    spread()
    dump, store = written(tmp_path / "run.dump", *run), tmp_path / "g.zarr"
    whole = content_of(ingested(dump, tmp_path / "whole.zarr", few))
    interrupted(dump, store, few, counted, "ingest", 4)
    assert len(ledger.pending(store, "ingest")) == 10 - 3
    damaged = next(file for file in (store / "frames/position/c/0").rglob("*") if file.is_file())
    damaged.write_bytes(b"damaged")
    assert qsdask.repair(store, source=dump, run=few)
    ingested(dump, store, few)
    assert content_of(store) == whole
    assert qsdask.verify(store, progress=False) == []


def test_packed_frames_behind_one_another_are_left_to_one_task(run, tmp_path, few, spread, counted):
    packed = tmp_path / "run.dump.gz"
    packed.write_bytes(gzip.compress("".join(run).encode()))
    spread()
    trajectory = open_trajectory(packed)
    assert [trajectory.stands_apart(k) for k in range(19)] == [True] + [False] * 18
    ingested(packed, tmp_path / "g.zarr", few)
    assert "ingest match" not in counted[0]
    assert np.isfinite(StoreReader(tmp_path / "g.zarr")["frames/position"][:]).all()


def test_a_store_in_a_bucket_gets_the_same_bytes(run, tmp_path, few, spread, bucket, monkeypatch):
    monkeypatch.setattr(bucket_lock, "_proven", {("s3", "lab")})
    monkeypatch.chdir(tmp_path)
    spread()
    dump = written(tmp_path / "run.dump", *run)
    bucket.objects["lab/run.dump"] = dump.read_bytes()
    ingested(dump, tmp_path / "g.zarr", few)
    ingested("s3://lab/run.dump", "s3://lab/g.zarr", few)
    for name, data in bucket.below("lab/g.zarr/").items():
        (tmp_path / "copy" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "copy" / name).write_bytes(data)
    assert content_of(tmp_path / "copy") == content_of(tmp_path / "g.zarr")
    # What waited lay in the current folder.
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith(".qsdask")] == []
