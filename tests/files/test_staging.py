"""Files that are mapped into memory where stores lie in a bucket: copies of this machine, each fetched once."""

from __future__ import annotations

import numpy as np
import pytest

from qsdask.files.location import located
from qsdask.files.staging import local_copy, staged, waiting_file
from qsdask.intake.rowtable import RowTable


def test_of_a_folder_they_are_where_they_are(tmp_path):
    with staged(tmp_path / "a") as folder:
        (folder / "file").write_text("x")
    assert local_copy(tmp_path / "a" / "file") == tmp_path / "a" / "file"
    assert waiting_file(tmp_path, "b") == tmp_path / "b"


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


def test_rows_by_id_are_found_from_a_bucket(bucket):
    ids = np.array([7, 3, 9])
    RowTable.write(located("s3://lab/.rows"), ids, np.array([0, 1, 0]))
    table = RowTable(located("s3://lab/.rows"))
    assert table.rows_of(np.array([9, 3, 4])).tolist() == [2, 1, -1]
