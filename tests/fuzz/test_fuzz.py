"""Damaged dumps: qsdask refuses with a place, or reads exactly what a slow strict reader reads."""

from __future__ import annotations

import os

import numpy as np
import pytest

from qsdask.errors import BadDataError
from tests.fuzz import compare as subject
from tests.fuzz import reference
from tests.fuzz.mutate import KINDS, mutation, valid_dumps
from tests.fuzz.run import campaign, table


def test_two_thousand_damaged_files_are_refused_or_read_right(tmp_path):
    found = campaign(2000, 0, folder=tmp_path / "findings")
    failed = sum(n for (_, outcome), n in found.items() if outcome in subject.FAILURES)
    said = "".join(sorted(p.read_text() for p in (tmp_path / "findings").glob("*.txt") if p.name[:2] != "st")[:5])
    assert failed == 0, f"{table(found)}\n{said}"
    assert sum(found.values()) == 2000
    # A campaign in which everything is refused, or nothing, tests nothing.
    for outcome in ("equal", "both refuse"):
        assert sum(n for (_, o), n in found.items() if o == outcome) > 100


@pytest.mark.parametrize("k", range(len(valid_dumps())))
def test_valid_dumps_are_read_alike(tmp_path, k):
    path = tmp_path / "in.dump"
    path.write_bytes(b"".join(valid_dumps()[k]))
    assert subject.compare(path, path.read_bytes())[0] == "equal"
    assert len(reference.read(path.read_bytes()).frames) == 2


def test_mutations_are_the_same_for_ever_and_of_all_kinds():
    assert [mutation(3, k) for k in range(20)] == [mutation(3, k) for k in range(20)]
    assert {mutation(0, k)[0] for k in range(20)} == set(KINDS)
    assert mutation(0, 4) != mutation(1, 4)


def test_one_wrong_bit_is_found(tmp_path, monkeypatch):
    path = tmp_path / "in.dump"
    path.write_bytes(b"".join(valid_dumps()[0]))
    real = subject._frames

    def one_bit_off(trajectory):
        frames = real(trajectory)
        frames[1].position[3, 0] = np.nextafter(frames[1].position[3, 0], np.inf)
        return frames

    monkeypatch.setattr(subject, "_frames", one_bit_off)
    outcome, detail = subject.compare(path, path.read_bytes())
    assert outcome == "mismatch"
    assert "frame 1: positions differ" in detail


def test_foreign_exceptions_and_errors_without_a_line_are_failures(tmp_path, monkeypatch):
    path = tmp_path / "in.dump"
    path.write_bytes(b"".join(valid_dumps()[0]))
    for error, outcome in (
        (ValueError("x"), "exception"),
        (BadDataError("x", code="E-NUMBER", file=path), "no place"),
        (BadDataError("x", code="E-NUMBER", line=3), "no place"),
    ):

        def fail(path, error=error):
            raise error

        monkeypatch.setattr(subject, "open_trajectory", fail)
        assert subject.compare(path, path.read_bytes())[0] == outcome
        assert outcome in subject.FAILURES


def _die_on_one(path, data):
    """A reader that kills its process on the second file of the campaign."""
    if data == mutation(0, 1)[1]:
        os._exit(7)
    return "equal", ""


def test_a_crash_of_the_reader_is_an_outcome_and_the_campaign_goes_on():
    found = campaign(4, 0, examine=_die_on_one)
    assert found == {(mutation(0, k)[0], "crash" if k == 1 else "equal"): 1 for k in range(4)}
    assert "| crash |" in table(found)
