"""`qsdask check`: everything that is wrong with a trajectory, in one go, as text and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
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
    assert [w.code for w in found.warnings] == ["W-BAD-FRAME"] * 2 + ["W-SPECIES"]
    assert "--species 1=Cu,2=Zr" in found.warnings[-1].text
    assert found.frames == 2
    told = qsdask.check(broken, skip_bad_frames=True, species={1: "Cu", 2: "Zr"})
    assert [w.code for w in told.warnings] == ["W-BAD-FRAME"] * 2


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


#: Files of every format: what ingest needs beside them, and what it keeps or refuses.
NAMED = Path(__file__).parents[1] / "formats" / "data"
INPUTS = [
    ("styles.yaml", {}),
    ("styles.?.cfg", {}),
    ("styles-unwrapped.cfg", {}),
    ("styles.data", {}),
    ("styles.data", {"boundary": "ppp"}),
    ("styles-labels.data", {"boundary": "ppp"}),
    ("cut.cfg", {}),
    ("cut.yaml", {}),
    ("glass.rmc6f", {}),
    ("glass.gsd", {}),
    ("cluster.xyz", {}),
    ("x.local", {}),
]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    """Folder of all these files."""
    home = tmp_path_factory.mktemp("inputs")
    for file in NAMED.glob("styles*"):
        (home / file.name).write_bytes(file.read_bytes())
    (home / "cut.cfg").write_bytes((home / "styles.5.cfg").read_bytes()[:1000])
    (home / "cut.yaml").write_bytes((home / "styles.yaml").read_bytes()[:-300])
    (home / "x.local").write_text("ITEM: TIMESTEP\n0\nITEM: NUMBER OF ENTRIES\n1\n")
    places = np.stack(np.meshgrid(*[np.arange(3) + 0.125] * 3), axis=-1).reshape(-1, 3)
    rows = "".join(
        f"{k + 1} Cu [1] {x / 3:.9f} {y / 3:.9f} {z / 3:.9f} 1 0 0 0\n" for k, (x, y, z) in enumerate(places)
    )
    head = "(Version 6f format configuration file)\nNumber of atoms: 27\nCell (Ang/deg): 9 9 9 90 90 90\nAtoms:\n"
    (home / "glass.rmc6f").write_text(head + rows)
    rows = "".join(f"Cu {3 * x} {3 * y} {3 * z}\n" for x, y, z in places)
    (home / "cluster.xyz").write_text(f'27\nProperties=species:S:1:pos:R:3 pbc="F F F"\n{rows}')
    hoomd = pytest.importorskip("gsd.hoomd")
    with hoomd.open(str(home / "glass.gsd"), "w") as file:
        frame = hoomd.Frame()
        frame.configuration.box, frame.particles.N, frame.particles.types = [9, 9, 9, 0.1, 0, 0], 27, ["Cu"]
        frame.particles.typeid, frame.particles.position = np.zeros(27), 3 * places - 4.5
        file.append(frame)
    return home


@pytest.mark.parametrize(("name", "options"), INPUTS)
def test_check_tells_of_every_format_what_ingest_does(inputs, tmp_path, few, name, options):
    files = sorted(inputs.glob(name))
    assert files
    found = qsdask.check(files, **options)
    try:
        store = qsdask.ingest(files, tmp_path / "glass.zarr", **options, run=few)
    except qsdask.QSDaskError as error:
        refused, warned = [str(error)], []
    else:
        record = {s["stage"]: s for s in qsdask.info(store)["stages"]}["ingest"]
        refused, warned = [], [(w["code"], w["text"]) for w in record["provenance"]["warnings"]]
        assert found.frames == record["tasks"]
    assert [str(error) for error in found.errors] == refused
    if not refused:
        assert sorted(map(tuple, found.warnings)) == sorted(warned)
