"""Many files, their order, and what may not be mixed; formats read through MDAnalysis."""

from __future__ import annotations

import gzip
import pickle

import MDAnalysis
import numpy as np
import pytest

from qsdask.errors import BadDataError, NoInputError, UsageError
from qsdask.formats import boundary_flags, open_trajectory


def frame(step, flags="pp pp pp", columns="id type x y z", head=""):
    return (
        f"{head}ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n2\nITEM: BOX BOUNDS {flags}\n0 9\n0 9\n0 9\n"
        f"ITEM: ATOMS {columns}\n1 1 1.5 2.5 {step % 9}\n2 2 4.5 5.5 6.5\n"
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
        ([frame(0) + frame(5) + frame(5)], "E-STEP-ORDER: timestep 5 appears twice"),
        ([frame(0) + frame(5) + frame(3)], "E-STEP-ORDER: timestep 3 goes back"),
        ([frame(0) + frame(5), frame(5) + frame(6)], "E-STEP-ORDER: timestep 5 appears twice"),
        ([frame(0) + frame(5), frame(4) + frame(6)], "E-STEP-ORDER: timestep 4 goes back"),
        ([frame(0), frame(1, columns="id type xu yu zu")], "E-CONVENTION: coordinates are unwrapped"),
        ([frame(0), frame(1, flags="pp ff pp")], "E-BOUNDARY: the boundary is pp ff pp"),
        (
            [frame(0, head="ITEM: UNITS\nmetal\n"), frame(1, head="ITEM: UNITS\nlj\n")],
            "E-UNITS: units are 'lj'",
        ),
    ],
)
def test_frames_that_cannot_be_one_trajectory(files, texts, match):
    with pytest.raises(BadDataError, match=match):
        open_trajectory(files(*texts))


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
    assert {warning.code for warning in trajectory.warnings} >= {"W-FLOAT32"}


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
