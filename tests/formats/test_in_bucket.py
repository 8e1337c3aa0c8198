"""Trajectories in a bucket: the frames of a file on a disk, read by ranges of bytes."""

from __future__ import annotations

import bz2
import gzip

import numpy as np
import pytest
import zstandard

from qsdask.errors import QSDaskError
from qsdask.files import ranged
from qsdask.formats.opening import open_trajectory

PACKED = {"": lambda data: data, ".gz": gzip.compress, ".zst": zstandard.compress, ".bz2": bz2.compress}


@pytest.fixture
def text(golden) -> bytes:
    return (golden / "cuzr256.dump").read_bytes()


@pytest.mark.parametrize("ending", PACKED)
def test_frames_are_those_of_the_file_however_it_is_packed(bucket, text, tmp_path, ending, monkeypatch):
    monkeypatch.setattr(ranged, "AHEAD", 5000)
    data = PACKED[ending](text)
    (tmp_path / f"run.dump{ending}").write_bytes(data)
    bucket.objects[f"lab/run.dump{ending}"] = data
    here = open_trajectory(tmp_path / f"run.dump{ending}")
    away = open_trajectory(f"s3://lab/run.dump{ending}")
    assert len(here) == len(away)
    steps = list(range(len(away)))
    for one, two in zip(here.read(), away.read(), strict=True):
        np.testing.assert_array_equal(one.position, two.position)
        assert one.digest == two.digest
    [place] = {place.path for place in away.portion(steps).places.values()}
    assert place == f"s3://lab/run.dump{ending}"


def test_only_what_is_needed_is_read(bucket, text, monkeypatch):
    monkeypatch.setattr(ranged, "AHEAD", 2000)
    bucket.objects["lab/run.dump"] = text * 1
    run = open_trajectory("s3://lab/run.dump")
    sent = []
    real = ranged.RangedFile.readinto

    def counted(self, buffer):
        sent.append(len(memoryview(buffer)))
        return real(self, buffer)

    monkeypatch.setattr(ranged.RangedFile, "readinto", counted)
    next(iter(run.read(0, 1)))
    assert sum(sent) < 3 * len(text)


def test_what_changes_is_refused(bucket, text):
    bucket.objects["lab/run.dump"] = text
    run = open_trajectory("s3://lab/run.dump")
    bucket.objects["lab/run.dump"] = text.replace(b"1", b"2")
    with pytest.raises(QSDaskError) as refused:
        list(run.read())
    assert refused.value.code == "E-CHANGED"
    del bucket.objects["lab/run.dump"]
    with pytest.raises(QSDaskError) as refused:
        list(run.read())
    assert refused.value.code == "E-NO-FILE"


@pytest.mark.parametrize("name", ["none.dump", "run.gsd", "run.xyz"])
def test_what_cannot_be_read_there_is_one_message(bucket, name):
    bucket.objects["lab/run.gsd"] = bytes.fromhex("DF65DF65DF65DF65") + bytes(300)
    bucket.objects["lab/run.xyz"] = b'1\nLattice="1 0 0 0 1 0 0 0 1"\nCu 0 0 0\n'
    with pytest.raises(QSDaskError) as refused:
        open_trajectory(f"s3://lab/{name}")
    assert refused.value.code == ("E-NO-FILE" if name == "none.dump" else "E-BUCKET")
    assert f"s3://lab/{name}" in refused.value.file
