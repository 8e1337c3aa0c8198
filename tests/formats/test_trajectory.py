"""Many files, their order, and what may not be mixed; formats read through MDAnalysis."""

from __future__ import annotations

import gzip
import pickle
import subprocess
import sys
from pathlib import Path

import MDAnalysis
import numpy as np
import pytest

from qsdask.errors import BadDataError, NoInputError, UsageError
from qsdask.formats import boundary_flags, open_trajectory


def frame(step, flags="pp pp pp", columns="id type x y z", head="", z=6.5, ids=(1, 2)):
    return (
        f"{head}ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n2\nITEM: BOX BOUNDS {flags}\n0 9\n0 9\n0 9\n"
        f"ITEM: ATOMS {columns}\n{ids[0]} 1 1.5 2.5 {step % 9}\n{ids[1]} 2 4.5 5.5 {z}\n"
    )


@pytest.fixture
def files(tmp_path):
    def files(*texts):
        paths = []
        for k, text in enumerate(texts):
            paths.append(tmp_path / f"dump.{k}")
            paths[-1].write_text(text)
        return paths

    return files


def test_files_are_ordered_by_the_timestep_within(files, tmp_path):
    paths = files(frame(1000), frame(200), frame(0) + frame(100))
    packed = tmp_path / "last.gz"
    packed.write_bytes(gzip.compress(frame(2000).encode()))
    trajectory = pickle.loads(pickle.dumps(open_trajectory([packed, *paths])))
    assert [place.timestep for place in trajectory.frames] == [0, 100, 200, 1000, 2000]
    assert [f.timestep for f in trajectory.read()] == [0, 100, 200, 1000, 2000]
    assert [f.timestep for f in trajectory.read(1, 4)] == [100, 200, 1000]
    assert len(trajectory) == 5


@pytest.mark.parametrize(
    ("texts", "match"),
    [
        ([frame(0) + frame(5) + frame(5, z=6)], "E-STEP-ORDER: timestep 5 appears twice"),
        ([frame(0) + frame(5) + frame(3)], "E-STEP-ORDER: timestep 3 goes back"),
        ([frame(0) + frame(5), frame(5, z=6) + frame(6)], "E-STEP-ORDER: timestep 5 appears twice"),
        ([frame(0) + frame(5), frame(4) + frame(6)], "E-STEP-ORDER: timestep 4 goes back"),
        ([frame(0), frame(1, columns="id type xu yu zu")], "E-CONVENTION: coordinates are unwrapped"),
        ([frame(0), frame(1, flags="pp ff pp")], "E-BOUNDARY: the boundary is pp ff pp"),
        ([frame(0, head="ITEM: UNITS\nmetal\n"), frame(1, head="ITEM: UNITS\nlj\n")], "E-UNITS: units are 'lj'"),
        # The same atoms at the same places are no copy in another box.
        ([frame(0) + frame(5) + frame(5, flags="pp ff pp")], "E-STEP-ORDER: timestep 5 appears twice"),
        ([frame(0) + frame(5), frame(5, flags="pp pp pp", columns="id type xu yu zu")], "E-STEP-ORDER"),
        (
            [frame(0, head="ITEM: UNITS\nmetal\n"), frame(0, head="ITEM: UNITS\nreal\n")],
            "E-STEP-ORDER: timestep 0 appears twice",
        ),
        # What one file does not say is metal, and so not the same.
        ([frame(0, head="ITEM: UNITS\nlj\n"), frame(1)], "E-UNITS: units are not said.*they are 'lj'"),
        ([frame(0), frame(1, head="ITEM: UNITS\nnano\n")], "E-UNITS: units are 'nano'.*not said"),
    ],
)
def test_frames_that_cannot_be_one_trajectory(files, texts, match):
    with pytest.raises(BadDataError, match=match):
        open_trajectory(files(*texts))


def codes(trajectory):
    return [warning.code for warning in trajectory.warnings]


def steps(trajectory):
    return [f.timestep for f in trajectory.frames]


def test_boundary_flags_are_kept_per_side(files):
    trajectory = open_trajectory(files(frame(0, flags="pp fs pp") + frame(1, flags="pp ff pp")))
    assert [place.boundary[1] for place in trajectory.frames] == ["fs", "ff"]
    assert [f.boundary[1] for f in trajectory.read()] == ["fs", "ff"]


@pytest.mark.parametrize(
    "texts",
    [
        [frame(0) + frame(5) + frame(5) + frame(9)],
        [frame(0) + frame(5), frame(5) + frame(9)],
        [frame(0) + frame(5) + frame(9), frame(0)],
        # The order of the lines, and what stands before the frame, may differ.
        [frame(0) + frame(5), frame(5, head="ITEM: UNITS\nmetal\n") + frame(9)],
    ],
)
def test_the_same_frame_twice_is_used_once(files, texts):
    trajectory = open_trajectory(files(*texts))
    assert steps(trajectory) == [0, 5, 9]
    assert codes(trajectory) == ["W-DUP-STEP"]
    assert len(list(trajectory.read())) == 3


def test_a_copy_with_its_lines_in_another_order(files):
    lines = frame(5).splitlines(keepends=True)
    other = "".join([*lines[:-2], lines[-1], lines[-2]])
    trajectory = open_trajectory(files(frame(0) + frame(5), other + frame(9)))
    assert steps(trajectory) == [0, 5, 9]


@pytest.mark.parametrize(
    "texts",
    [
        [frame(0) + frame(5) + frame(10) + frame(15) + frame(5, z=6) + frame(12)],
        [frame(5, z=6) + frame(12), frame(0) + frame(5) + frame(10) + frame(15)],
    ],
)
def test_a_restart_replaces_what_it_wrote_again(files, texts):
    with pytest.raises(BadDataError, match="E-STEP-ORDER"):
        open_trajectory(files(*texts))
    trajectory = open_trajectory(files(*texts), restart_overlap="last")
    assert steps(trajectory) == [0, 5, 12]
    assert [f.position[1, 2] for f in trajectory.read()] == [6.5, 6.0, 6.5]
    (warning,) = trajectory.warnings
    assert warning.code == "W-OVERLAP"
    assert "timesteps 5, 10, 15" in warning.text


def test_frames_that_stand_in_turn_in_two_files_are_an_overlap(files):
    with pytest.raises(BadDataError, match="E-STEP-ORDER: timestep 4 goes back"):
        open_trajectory(files(frame(0) + frame(8), frame(4) + frame(12)))


def test_unknown_overlap(files):
    with pytest.raises(UsageError, match="E-OPTION"):
        open_trajectory(files(frame(0)), restart_overlap="first")


def test_pieces_of_frames_by_processor(files):
    with pytest.raises(BadDataError, match="E-PIECES: other atoms of the same timestep") as caught:
        open_trajectory(files(frame(0) + frame(5), frame(0, ids=(3, 4)) + frame(5, ids=(3, 4))))
    assert "nfile 1" in caught.value.hint


def test_frames_without_ids(files):
    def nameless(step):
        return frame(step).replace("ATOMS id type", "ATOMS mol type")

    (got,) = open_trajectory(files(nameless(0))).read()
    assert got.id.tolist() == [1, 2]
    paths = files(nameless(0) + nameless(7))
    with pytest.raises(BadDataError, match="E-NO-ID: atoms have no ids"):
        open_trajectory(paths)
    trajectory = open_trajectory(paths, assume_order=True)
    assert codes(trajectory) == ["W-ASSUMED-ORDER"]
    assert [f.id.tolist() for f in trajectory.read()] == [[1, 2], [1, 2]]


def test_columns_that_come_and_go(files):
    def with_column(step):
        return (
            frame(step, columns="id type x y z q")
            .replace(f"2.5 {step % 9}\n", f"2.5 {step % 9} 0\n")
            .replace("6.5\n", "6.5 0\n")
        )

    trajectory = open_trajectory(files(frame(0) + with_column(1) + with_column(2) + frame(3)))
    assert [w.code for w in trajectory.warnings] == ["W-COLUMNS"] * 2
    assert "column q is new from timestep 1 on" in trajectory.warnings[0].text
    assert "column q is missing from timestep 3 on" in trajectory.warnings[1].text
    swapped = frame(4, columns="id type y x z")
    assert codes(open_trajectory(files(frame(0) + swapped))) == []


BAD = {
    "count": frame(1).replace("ATOMS\n2", "ATOMS\n3"),
    "half": frame(1)[:-30] + "\n",
    "number": frame(1, z="nan"),
    "twice": frame(1, ids=(4, 4)),
    "header": frame(1).replace("0 9\n0 9\n0 9", "0 9\n9 0\n0 9"),
    "short": frame(1, z=""),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_frames_can_be_left_out(files, kind):
    (path,) = files(frame(0) + BAD[kind] + frame(2) + frame(3))
    with pytest.raises(BadDataError) as caught:
        list(open_trajectory(path).read())
    trajectory = open_trajectory(path, skip_bad_frames=True)
    assert steps(trajectory) == [0, 2, 3]
    (warning,) = trajectory.warnings
    assert warning.code == "W-BAD-FRAME"
    assert caught.value.code in warning.text
    assert "frame 1" in warning.text
    assert [f.position[1, 2] for f in trajectory.read()] == [6.5] * 3
    assert [f.timestep for f in trajectory.read(1)] == [2, 3]


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_first_frame_is_refused_all_the_same(files, kind):
    (path,) = files(BAD[kind].replace("STEP\n1\n", "STEP\n0\n") + frame(2) + frame(3))
    with pytest.raises(BadDataError):
        open_trajectory(path, skip_bad_frames=True)


@pytest.mark.parametrize("kind", ["number", "header"])
def test_a_bad_file_among_files_of_one_frame(files, kind):
    trajectory = open_trajectory(files(frame(0), BAD[kind], frame(2)), skip_bad_frames=True)
    assert steps(trajectory) == [0, 2]
    assert codes(trajectory) == ["W-BAD-FRAME"]
    # It could be the first one: the bad frame is at step 1.
    with pytest.raises(BadDataError):
        open_trajectory(files(BAD[kind], frame(2), frame(3)), skip_bad_frames=True)


def test_too_many_bad_frames(files):
    (path,) = files(frame(0) + 3 * BAD["number"] + frame(9))
    with pytest.raises(BadDataError, match="E-BAD-FRAMES: more than 2 frames"):
        open_trajectory(path, skip_bad_frames=True, max_errors=2)
    assert steps(open_trajectory(path, skip_bad_frames=True, max_errors=3)) == [0, 9]


def test_file_that_changed_after_it_was_opened(files):
    (path,) = files(frame(0) + frame(1) + frame(2))
    trajectory = open_trajectory(path)
    reading = trajectory.read()
    assert next(reading).timestep == 0
    with path.open("a") as file:
        file.write(frame(3))
    with pytest.raises(BadDataError, match="E-CHANGED"):
        next(reading)
    with pytest.raises(BadDataError, match="E-CHANGED"):
        next(pickle.loads(pickle.dumps(trajectory)).read())
    with pytest.raises(BadDataError, match="E-CHANGED"):
        next(trajectory.pieces([0], 10))


def test_pieces_of_text_and_of_other_formats(files):
    binary = Path(__file__).parent / "data" / "ortho.bin"
    paths = files(frame(-2) + frame(-1))
    trajectory = open_trajectory([*paths])
    found = [(step, piece.first, piece.id.tolist()) for step, piece in trajectory.pieces([0, 1], 1)]
    assert found == [(0, 0, [1]), (0, 1, [2]), (1, 0, [1]), (1, 1, [2])]
    trajectory = open_trajectory(binary)
    frames = list(trajectory.read())
    found = list(trajectory.pieces([0, 2], 5))
    assert [step for step, _ in found] == [0, 2]
    for step, piece in found:
        np.testing.assert_array_equal(piece.position, frames[step].position)
        assert piece.digest == frames[step].digest
        assert piece.header.timestep == frames[step].timestep


def test_a_portion_keeps_its_numbers_and_does_not_grow_with_the_trajectory(files, monkeypatch):
    (path,) = files("".join(frame(k) for k in range(60)))
    whole = open_trajectory(path)
    monkeypatch.chdir(path.parent)
    portion = open_trajectory(path.name).portion([7, 40])
    monkeypatch.chdir("/")
    assert [(step, piece.header.timestep) for step, piece in portion.pieces([40], 2)] == [(40, 40)]
    assert portion.place(7) == whole.frames[7]
    few = open_trajectory(files("".join(frame(k) for k in range(6))))
    assert len(pickle.dumps(whole.portion([4, 5]))) <= len(pickle.dumps(few.portion([4, 5]))) + 10


def test_the_error_for_a_repeated_id_names_both_lines(files):
    trajectory = open_trajectory(files(frame(0) + frame(1, ids=(7, 7))))
    with pytest.raises(BadDataError, match="E-DUP-ID") as caught:
        list(trajectory.read())
    made = trajectory.repeated_id(1, 7)
    assert (made.message, made.line, made.frame, made.atom_id) == (
        caught.value.message,
        caught.value.line,
        caught.value.frame,
        7,
    )


def test_dumps_are_read_without_importing_mdanalysis_or_ase(files, tmp_path):
    packed = tmp_path / "run.lammpstrj.gz"
    packed.write_bytes(gzip.compress(frame(1).encode()))
    (plain,) = files(frame(0))
    (tmp_path / "broken.dump").write_text("nonsense\n")
    code = f"""
import sys
from qsdask.formats import open_trajectory
from qsdask.errors import BadDataError
list(open_trajectory([{str(plain)!r}, {str(packed)!r}]).read())
list(open_trajectory({str(Path(__file__).parent / "data" / "ortho.bin")!r}).read())
try:
    open_trajectory({str(tmp_path / "broken.dump")!r})
except BadDataError:
    print(sorted({{"MDAnalysis", "ase"}} & set(sys.modules)))
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "[]"


def test_no_files(files):
    with pytest.raises(UsageError, match="E-NO-FILE"):
        open_trajectory([])


def test_file_gone_before_it_is_read(files):
    (path,) = files(frame(0))
    trajectory = open_trajectory(path)
    path.unlink()
    with pytest.raises(NoInputError, match="E-NO-FILE: the file is no longer there"):
        list(trajectory.read())


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ("ppp", ("pp", "pp", "pp")),
        ("pfs", ("pp", "ff", "ss")),
        ("ppfsmm", ("pp", "fs", "mm")),
        ("pp ff fs", ("pp", "ff", "fs")),
        ("p,f,p", ("pp", "ff", "pp")),
    ],
)
def test_boundary_flags(text, flags):
    assert boundary_flags(text) == flags


@pytest.mark.parametrize("text", ["", "pp", "xyz", "pf pp pp", "p p p p"])
def test_not_boundary_flags(text):
    with pytest.raises(UsageError, match="E-BOUNDARY"):
        boundary_flags(text)


def test_same_as_mdanalysis(shipped):
    path = shipped / "cu65_a.dump.gz"
    universe = MDAnalysis.Universe(str(path), format="LAMMPSDUMP")
    trajectory = open_trajectory(path)
    assert len(trajectory) == len(universe.trajectory)
    last = len(trajectory) - 1
    for k, got in ((0, next(trajectory.read(0, 1))), (last, next(trajectory.read(last)))):
        step = universe.trajectory[k]
        assert got.timestep == step.data["step"]
        assert np.all(np.diff(got.id) > 0)  # MDAnalysis sorts by id
        np.testing.assert_allclose(got.position - got.origin, step.positions, atol=1e-5)
        np.testing.assert_allclose(np.diag(got.cell), step.dimensions[:3], rtol=1e-6)


XYZ = "2\nfirst\nCu 0.5 1 2\nZr 3 4 5\n2\nsecond\nCu 0.5 1 2.5\nZr 3 4 5\n"

DATA = """LAMMPS data file

3 atoms
2 atom types

0.0 10.0 xlo xhi
0.0 12.0 ylo yhi
0.0 14.0 zlo zhi

Masses

1 63.5
2 91.2

Atoms # atomic

7 1 0.5 1.5 2.5
3 2 4.0 5.0 6.0
9 1 9.0 11.0 13.0
"""


def test_lammps_data_file(tmp_path):
    path = tmp_path / "glass.data"
    path.write_text(DATA)
    trajectory = pickle.loads(pickle.dumps(open_trajectory(path, boundary="ppp")))
    (got,) = trajectory.read()
    assert sorted(got.id.tolist()) == [3, 7, 9]
    np.testing.assert_array_equal(got.cell, np.diag([10.0, 12.0, 14.0]))
    row = got.id.tolist().index(3)
    assert got.position[row].tolist() == [4.0, 5.0, 6.0]
    assert got.type[row] == 2
    assert {warning.code for warning in trajectory.warnings} == {"W-NO-STEP"}


def test_xyz(tmp_path):
    path = tmp_path / "glass.xyz"
    path.write_text(XYZ)
    with pytest.raises(BadDataError, match="E-BOUNDARY-UNKNOWN"):
        open_trajectory(path)
    with pytest.raises(BadDataError, match="E-BOX: the frame has no box"):
        list(open_trajectory(path, boundary="ppp").read())
    trajectory = open_trajectory(path, boundary="fff")
    one, two = trajectory.read()
    assert (one.timestep, two.timestep) == (0, 1)
    assert "W-NO-STEP" in {warning.code for warning in trajectory.warnings}
    assert one.element.name == ("Cu", "Zr")
    assert one.id.tolist() == [1, 2]
    assert two.position.tolist() == [[0.5, 1.0, 2.5], [3.0, 4.0, 5.0]]
    assert one.digest != two.digest
    s = np.linalg.solve(one.cell.T, (one.position - one.origin).T).T
    assert s.min() >= 0.0
    assert s.max() <= 1.0


def test_xyz_with_nan(tmp_path):
    path = tmp_path / "glass.xyz"
    path.write_text("1\n\nCu 0.5 nan 2\n")
    with pytest.raises(BadDataError, match="E-NUMBER: a coordinate of atom id 1"):
        list(open_trajectory(path, boundary="fff").read())


def test_dcd_with_topology(tmp_path):
    data, dcd = tmp_path / "glass.data", tmp_path / "run.dcd"
    data.write_text(DATA)
    universe = MDAnalysis.Universe(str(data), atom_style="id type x y z")
    with MDAnalysis.Writer(str(dcd), n_atoms=3) as writer:
        for shift in (0.0, 0.25):
            universe.atoms.positions += shift
            universe.dimensions = [10, 12, 14, 90, 90, 90]
            writer.write(universe.atoms)
    trajectory = open_trajectory(dcd, topology=data, boundary="ppp")
    one, two = trajectory.read()
    np.testing.assert_allclose(two.position - one.position, 0.25)
    np.testing.assert_array_equal(one.type, two.type)
    # Without a topology nothing says what the atoms are; nothing is guessed.
    bare = next(open_trajectory(dcd, boundary="ppp").read())
    assert bare.type is None
    assert bare.element is None


def test_mdanalysis_cannot_read_it(tmp_path):
    path = tmp_path / "glass.gro"
    path.write_text("nonsense\n")
    with pytest.raises(BadDataError, match="E-FORMAT"):
        open_trajectory(path, boundary="ppp")
