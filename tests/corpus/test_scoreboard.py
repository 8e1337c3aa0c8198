"""The scoreboard counts every reader by the same rule."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.corpus.case import ANY_LINE, Case, read, refuse, warn
from tests.corpus.glass import glass
from tests.corpus.scoreboard import BROKEN, _heard, group, outcome, table
from tests.corpus.worker import Answer

FRAMES = glass(2)
BAD = Case("A12-x", (Path("x"),), refuse("E-LINE", line=ANY_LINE))
ODD = Case("A7-x", (Path("x"),), read(FRAMES))


def told(frames, *, turn=None, shift=0.0):
    """Frames as a peer tells them: perhaps turned and shifted as a whole, sorted by id, ids dropped."""
    turn = np.eye(3) if turn is None else turn
    frames = [f.only(np.argsort(f.id)) for f in frames]
    return [
        {"id": None, "position": ((f.position + shift) @ turn).tolist(), "cell": (f.cell @ turn).tolist()}
        for f in frames
    ]


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("Unexpected end of file at line 12 of x.dump", "refused with line"),
        ("could not parse line number 7", "refused with line"),
        ("too many values to unpack (expected 2)", "refused without line"),
        ("a pipeline of 3 stages", "refused without line"),
    ],
)
def test_a_refusal_counts_by_whether_it_names_a_line(text, due):
    assert outcome(BAD, Answer("refused", error={"class": "ValueError", "text": text}), set()) == due


def test_a_warning_counts_only_when_a_good_file_does_not_cause_it_too():
    said = Answer("read", stderr="/some/where.py:12: UserWarning: no dt\n")
    assert outcome(BAD, said, set()) == "warned"
    assert (
        outcome(BAD, said, _heard(Answer("read", stderr="/else/where.py:7: UserWarning: no dt\n")))
        == "accepted silently"
    )
    assert outcome(BAD, Answer("read", stderr="12 /x\n"), set()) == "accepted silently"
    assert outcome(BAD, Answer("read", codes={"W-TRUNCATED"}), set()) == "warned"


@pytest.mark.parametrize("kind", ["hang", "crash"])
def test_a_hang_and_a_crash_are_counted_whatever_was_due(kind):
    assert outcome(BAD, Answer(kind), set()) == outcome(ODD, Answer(kind), set()) == kind


def test_a_peer_may_turn_and_shift_a_frame_but_not_change_it():
    turn = np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])
    assert outcome(ODD, Answer("read", told(FRAMES, turn=turn, shift=3.0)), set()) == "read right"
    wrong = told(FRAMES)
    wrong[1]["position"][3][0] += 0.01
    for frames in (wrong, told(FRAMES[:1]), told([FRAMES[1], FRAMES[0]]), [{**f, "cell": None} for f in told(FRAMES)]):
        assert outcome(ODD, Answer("read", frames), set()) == "read wrong"


def test_policy_cases_and_whole_file_faults_have_tables_of_their_own():
    assert group(BAD) == "broken"
    assert group(ODD) == "odd"
    assert group(Case("A20-x", (), refuse("E-FORMAT"))) == "container"
    assert group(Case("B5-x", (), refuse("E-LOST-ATOMS"), policy=True)) == "policy"
    assert group(Case("A1-x", (), warn("W-TRUNCATED", FRAMES))) == "broken"


def test_the_table_counts_every_file_once():
    scores = {"qsdask": {"A12-x": "refused with line"}, "ASE": {"A12-x": "hang"}}
    rows = table([BAD, ODD], scores, "broken", BROKEN).splitlines()
    assert [row.split("|")[-2].strip() for row in rows[2:]] == ["1", "1"]
    assert rows[2].startswith("| qsdask ")
