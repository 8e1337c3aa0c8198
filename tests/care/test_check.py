"""`qsdask check`: everything that is wrong with a trajectory, in one go, as text and as JSON."""

from __future__ import annotations

import json

import pytest

import qsdask
from qsdask.cli import main


@pytest.fixture
def broken(tmp_path, frames):
    """Four frames: a number that is none in the second, a wrong count in the third."""
    second, third = frames[1].splitlines(), frames[2].splitlines()
    second[20] = second[20].replace(".", "x", 1)
    third[3] = "6900"
    dump = tmp_path / "broken.dump"
    dump.write_text(frames[0] + "\n".join(second) + "\n" + "\n".join(third) + "\n" + frames[3])
    return dump


def test_a_whole_trajectory_has_no_findings(shipped, capsys):
    assert main(["check", str(shipped / "cu65_a.dump.gz"), "--species", "1=Cu,2=Zr", "--quiet"]) == 0
    assert "21 frames of 6912 atoms: 0 errors, 0 warnings" in capsys.readouterr().out


def test_all_errors_are_told_with_their_places(broken, frames, capsys):
    assert main(["check", str(broken), "--json", "--quiet"]) == 65
    found = json.loads(capsys.readouterr().out)
    start = frames[0].count("\n")
    assert {(e["code"], e["frame"], e["line"]) for e in found["errors"]} == {
        ("E-NUMBER", 1, start + 21),
        ("E-COUNT", 2, 2 * start + 9 + 6900 + 1),
    }
    assert main(["check", str(broken), "--quiet"]) == 65
    shown = capsys.readouterr().out
    assert shown.count("error E-") == 2
    assert "2 errors" in shown


def test_one_frame_and_few_errors_can_be_asked_for(broken):
    assert len(qsdask.check(broken, max_errors=1).errors) == 1
    # Counts are checked for all frames, content for the one asked for (frames that can be read are counted).
    assert {e.code for e in qsdask.check(broken, frame=0).errors} == {"E-COUNT"}
    assert {e.code for e in qsdask.check(broken, frame=9).errors} == {"E-COUNT", "E-STEP"}


def test_what_ingest_may_leave_out_is_a_warning(broken):
    found = qsdask.check(broken, skip_bad_frames=True)
    assert not found.errors
    assert [w.code for w in found.warnings] == ["W-BAD-FRAME"] * 2
    assert found.frames == 2


def test_elements_without_radius_and_atoms_at_one_place_are_refused(tmp_path, frames):
    dump = tmp_path / "one.dump"
    lines = frames[0].splitlines()
    dump.write_text(frames[0])
    assert [e.code for e in qsdask.check(dump, species={1: "Cu", 2: "Xx"}).errors] == ["E-RADIUS"]
    lines[12] = " ".join([*lines[12].split()[:2], *lines[11].split()[2:]])
    dump.write_text("\n".join(lines) + "\n")
    (error,) = qsdask.check(dump).errors
    assert error.code == "E-OVERLAP"
    assert error.atom_id in (int(lines[11].split()[0]), int(lines[12].split()[0]))
