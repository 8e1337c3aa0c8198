"""Files are there whole or not at all, and a failed write leaves nothing behind."""

from __future__ import annotations

import os

import pytest

from qsdask.errors import ResumableError
from qsdask.files.durable import being_written, give_name, replace_unchanged, write_durable


def test_a_file_is_made_or_replaced_whole(tmp_path):
    write_durable(tmp_path / "a", b"one")
    write_durable(tmp_path / "a", [b"tw", b"o"])
    assert (tmp_path / "a").read_bytes() == b"two"
    assert [file.name for file in tmp_path.iterdir()] == ["a"]


def test_nothing_is_seen_before_the_end(tmp_path):
    with being_written(tmp_path / "a") as file:
        file.write(b"half")
        assert not (tmp_path / "a").exists()
    assert (tmp_path / "a").read_bytes() == b"half"


def test_an_exclusive_write_replaces_nothing(tmp_path):
    write_durable(tmp_path / "a", b"first", exclusive=True)
    with pytest.raises(FileExistsError):
        write_durable(tmp_path / "a", b"second", exclusive=True)
    assert (tmp_path / "a").read_bytes() == b"first"
    assert [file.name for file in tmp_path.iterdir()] == ["a"]


def test_only_what_is_unchanged_is_replaced(tmp_path):
    write_durable(tmp_path / "a", b"one")
    replace_unchanged(tmp_path / "a", b"two", was=b"one")
    assert (tmp_path / "a").read_bytes() == b"two"
    with pytest.raises(ResumableError, match="E-CHANGED-MEANWHILE"):
        replace_unchanged(tmp_path / "a", b"three", was=b"one")
    with pytest.raises(ResumableError, match="E-CHANGED-MEANWHILE"):
        replace_unchanged(tmp_path / "b", b"three", was=b"")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("a", b"two")]


@pytest.mark.parametrize("failing", ["fsync", "write"])
def test_a_failed_write_leaves_what_was_there_and_says_where(tmp_path, monkeypatch, failing):
    write_durable(tmp_path / "a", b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    def pieces():
        yield b"new"
        if failing == "write":
            full()

    if failing == "fsync":
        monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as error:
        write_durable(tmp_path / "a", pieces())
    assert error.value.filename == str(tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["a"]


def test_what_somebody_else_wrote_gets_its_name(tmp_path):
    (tmp_path / "a.partial").write_bytes(b"restart")
    give_name(tmp_path / "a.partial", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"restart"
    assert not (tmp_path / "a.partial").exists()
