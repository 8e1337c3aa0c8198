"""Every broken dump is refused with its code and line, every odd one is read right, soon and in little memory."""

from __future__ import annotations

import os

import pytest

from qsdask.errors import BadDataError
from qsdask.formats.opening import open_trajectory
from tests.corpus.generate import corpus
from tests.corpus.glass import dump, glass
from tests.corpus.judge import faults
from tests.corpus.worker import Answer, Reader

ROWS = (
    *(f"A{k}" for k in range(1, 22) if k != 19),  # A19 needs a file that changes: below
    *(f"B{k}" for k in range(1, 15)),
    "C1",
    "C2",
    "C4",
    "C7",
)
PATIENCE, MEMORY = 5.0, 300  # seconds; MiB above what the first case needs


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    return corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def reader(cases):
    """qsdask in its process, kernels loaded, and the memory that this takes."""
    with Reader("qsdask", PATIENCE, next(c for c in cases if c.stored and c.due.verdict == "read")) as started:
        assert started.first.kind == "read", started.first.error
        yield started, started.first.peak


@pytest.mark.parametrize("row", ROWS)
def test_row_of_the_catalogue(cases, reader, row):
    process, base = reader
    wrong = {}
    for case in cases:
        if case.row != row:
            continue
        answer = process.read(case)
        found = faults(case, answer)
        if answer.peak > base + MEMORY:
            found.append(f"memory grew by {answer.peak - base} MiB")
        if found:
            wrong[case.name] = found
    assert not wrong, "\n".join(f"{name}: {'; '.join(found)}" for name, found in wrong.items())


def test_the_corpus_covers_the_catalogue(cases):
    assert {case.row for case in cases} == set(ROWS)
    assert len(cases) >= 200
    for verdict, least in {"read": 40, "warn": 20, "refuse": 100}.items():
        assert sum(case.due.verdict == verdict for case in cases) >= least


def test_the_corpus_is_the_same_every_time(cases, tmp_path):
    again = corpus(tmp_path)
    assert [case.name for case in again] == [case.name for case in cases]
    for one, two in zip(cases, again, strict=True):
        for a, b in zip(one.files, two.files, strict=True):
            if a.is_file():
                assert a.read_bytes() == b.read_bytes(), one.name


CHANGES = {
    "appended": lambda path, data: path.open("ab").write(data[-100:]),
    "cut": lambda path, data: os.truncate(path, len(data) - 50),
    "replaced": lambda path, data: (path.unlink(), path.write_bytes(data.replace(b"1.", b"2."))),
    "rewritten": lambda path, data: path.write_bytes(data.replace(b"1.", b"2.")),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
@pytest.mark.parametrize("after", [0, 1], ids=["after the index", "between frames"])
def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path, change, after):
    path = tmp_path / "in.dump"
    path.write_text(dump(glass()))
    os.utime(path, (1, 1))  # so that the change has another time, however quick this is
    trajectory = open_trajectory(path)
    frames = trajectory.read()
    for _ in range(after):
        next(frames)
    change(path, path.read_bytes())
    with pytest.raises(BadDataError, match="E-CHANGED"):
        list(frames)


def test_the_judge_sees_what_is_wrong(cases):
    """The tests above can fail: each kind of wrong answer is told from the right one."""
    case = next(c for c in cases if c.name == "A1-within-a-line")
    frames = [
        {
            "timestep": f.timestep,
            "id": f.id.tolist(),
            "type": f.type.tolist(),
            "element": None,
            "cell": f.cell.tolist(),
            "position": f.position.tolist(),
            "origin": f.origin.tolist(),
            "boundary": list(f.boundary),
        }
        for f in case.due.frames
    ]

    def judged(change=None, codes=("W-TRUNCATED",)):
        changed = [dict(frame) for frame in frames]
        if change:
            changed[1].update(change)
        return faults(case, Answer("read", changed, set(codes)))

    assert judged() == []
    assert "warnings" in judged(codes=())[0]
    position = [row[:] for row in frames[1]["position"]]
    position[3][1] += 1e-15
    for change in (
        {"timestep": 1},
        {"position": position},
        {"id": [1] * 64},
        {"type": [1] * 64},
        {"origin": [1, 0, 0]},
        {"boundary": ["ff"] * 3},
    ):
        assert judged(change) == [f"frame 1: {next(iter(change))} differs"]
    assert "frames" in faults(case, Answer("read", frames[:1], {"W-TRUNCATED"}))[0]
    assert faults(case, Answer("hang")) == ["hang"]

    bad = next(c for c in cases if c.name == "A12-short-line")
    error = {"class": "BadDataError", "text": "x", "code": "E-LINE", "file": "f", "line": bad.due.line}
    assert faults(bad, Answer("refused", error=error)) == []
    for name, value in {"code": "E-BOX", "line": 1, "file": None, "text": "\x1b[31m"}.items():
        assert faults(bad, Answer("refused", error=error | {name: value})), name
    assert "accepted silently" in faults(bad, Answer("read", frames))[0]
    assert (
        "no error of qsdask"
        in faults(bad, Answer("refused", error={"class": "ValueError", "text": "x", "traceback": ""}))[0]
    )
