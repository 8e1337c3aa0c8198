"""Files that are mapped into memory where stores lie in a bucket: copies of this machine, each fetched once."""

from __future__ import annotations

import pytest

from qsdask.files.location import located
from qsdask.files.staging import local_copy, shared_folder, staged


def test_of_a_folder_they_are_where_they_are(tmp_path):
    with staged(tmp_path / "a") as folder:
        (folder / "file").write_text("x")
    assert local_copy(tmp_path / "a" / "file") == tmp_path / "a" / "file"
    assert shared_folder(tmp_path / "b") == tmp_path / "b"


def test_of_a_bucket_they_are_fetched_once_and_again_when_they_change(bucket):
    folder = located("s3://lab/.rows")
    with staged(folder) as local:
        (local / "file").write_bytes(b"one")
    assert bucket.objects == {"lab/.rows/file": b"one"}
    first = local_copy(folder / "file")
    bucket.asked.clear()
    assert local_copy(folder / "file") == first
    assert [line for line in bucket.asked if line.startswith("GET")] == []
    bucket.objects["lab/.rows/file"] = b"two"
    second = local_copy(folder / "file")
    assert second.read_bytes() == b"two"
    assert not first.exists()
    with pytest.raises(FileNotFoundError):
        local_copy(folder / "none")


def test_what_tasks_share_of_a_bucket_lies_in_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    one, other = (shared_folder(located(f"s3://lab/{name}/.scratch")) for name in ("one", "other"))
    assert one.parent == other.parent == tmp_path
    assert one != other
    assert one == shared_folder(located("s3://lab/one/.scratch"))
