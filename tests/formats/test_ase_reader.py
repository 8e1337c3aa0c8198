"""Extended XYZ, VASP and CIF files through ASE."""

from __future__ import annotations

import bz2
import gzip
import pickle
import sys

import numpy as np
import pytest

from qsdask.errors import BadDataError, QSDaskError, UsageError
from qsdask.formats import open_trajectory, write_extxyz
from qsdask.formats.ase_reader import format_of

ase = pytest.importorskip("ase")
ase_io = pytest.importorskip("ase.io")

CELL = np.array([[8.0, 0.0, 0.0], [1.0, 9.0, 0.0], [-0.5, 0.25, 10.0]])
NAMES = ["Zr", "Cu", "Cu", "Al", "Zr"]
POSITION = np.random.default_rng(0).uniform(0, 8, (5, 3))


def extxyz(step=0, *, head='pbc="T T F"', properties="species:S:1:pos:R:3:id:I:1", rows=None, count=None, lattice=True):
    if rows is None:
        rows = [
            f"{n} {x!r} {y!r} {z!r} {10 + k}"
            for k, (n, (x, y, z)) in enumerate(zip(NAMES, POSITION.tolist(), strict=True))
        ]
    cell = f'Lattice="{" ".join(map(repr, CELL.ravel().tolist()))}" ' if lattice else ""
    return f"{len(rows) if count is None else count}\n{cell}{head} Timestep={step} Properties={properties}\n" + "".join(
        row + "\n" for row in rows
    )


@pytest.fixture
def write(tmp_path):
    def write(text, name="glass.xyz"):
        data = text.encode()
        data = {".gz": gzip.compress, ".bz2": bz2.compress}.get(name[name.rindex(".") :], bytes)(data)
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return write


def codes(trajectory):
    return [warning.code for warning in trajectory.warnings]


@pytest.mark.parametrize("name", ["glass.xyz", "glass.extxyz", "glass.xyz.gz", "glass.extxyz.bz2"])
def test_extended_xyz(write, name):
    path = write(extxyz(0) + extxyz(50) + extxyz(100, head='pbc="T T F" Origin="1 2 3"'), name)
    trajectory = pickle.loads(pickle.dumps(open_trajectory(path)))
    assert codes(trajectory) == []
    assert [(f.timestep, f.line, f.reader, f.has_id) for f in trajectory.frames] == [
        (0, 1, "ase", True),
        (50, 8, "ase", True),
        (100, 15, "ase", True),
    ]
    one, two, three = trajectory.read()
    np.testing.assert_array_equal(one.position, POSITION)
    np.testing.assert_array_equal(one.cell, CELL)
    assert one.position.dtype == one.cell.dtype == np.float64
    assert one.boundary == ("pp", "pp", "ff")
    assert one.id.tolist() == [10, 11, 12, 13, 14]
    assert one.element.name == ("Al", "Cu", "Zr")
    assert [one.element.name[k] for k in one.element.code] == NAMES
    assert one.origin.tolist() == [0, 0, 0]
    assert three.origin.tolist() == [1, 2, 3]
    assert len(one.digest) == 32
    assert one.digest != two.digest
    assert np.isnan(one.resolution)
    assert next(trajectory.read(1, 2)).timestep == 50


def test_what_qsdask_writes_is_read_back(tmp_path):
    path = tmp_path / "out.xyz"
    write_extxyz(
        path,
        identity=np.arange(3, 8),
        species=np.array([2, 1, 1, 0, 2]),
        position=POSITION,
        species_names=["Al", "Cu", "Zr"],
        cell=CELL,
        origin=np.ones(3),
        periodic=np.array([True, False, True]),
        timestep=70,
    )
    (got,) = open_trajectory(path).read()
    np.testing.assert_array_equal(got.position, POSITION)
    np.testing.assert_array_equal(got.origin, np.ones(3))
    assert got.id.tolist() == [3, 4, 5, 6, 7]
    assert got.boundary == ("pp", "ff", "pp")
    assert got.timestep == 70


def test_same_as_ase(tmp_path):
    path = tmp_path / "run.extxyz"
    rng = np.random.default_rng(2)
    images = [ase.Atoms("Cu3Zr2", rng.random((5, 3)), cell=CELL * (1 + k), pbc=[True, False, True]) for k in range(4)]
    ase_io.write(path, images)
    trajectory = open_trajectory(path, assume_order=True)
    assert codes(trajectory) == ["W-NO-STEP", "W-ASSUMED-ORDER"]
    for k, (got, image) in enumerate(zip(trajectory.read(), ase_io.read(path, index=":"), strict=True)):
        assert got.timestep == k
        np.testing.assert_array_equal(got.position, image.positions)
        np.testing.assert_array_equal(got.cell, image.cell.array)
        assert got.id.tolist() == [1, 2, 3, 4, 5]
    with pytest.raises(BadDataError, match="E-NO-ID"):
        open_trajectory(path)


def test_boundary_of_extended_xyz(write):
    silent = write(extxyz(head=""))
    with pytest.raises(BadDataError, match="E-BOUNDARY-UNKNOWN"):
        open_trajectory(silent)
    assert open_trajectory(silent, boundary="pfp").frames[0].boundary == ("pp", "ff", "pp")
    told = write(extxyz(), "told.xyz")
    assert open_trajectory(told, boundary="pps").frames[0].boundary == ("pp", "pp", "ss")
    with pytest.raises(BadDataError, match="E-BOUNDARY: the boundary given is pp pp pp"):
        open_trajectory(told, boundary="ppp")


def test_extended_xyz_without_a_box(write):
    path = write(extxyz(head="", lattice=False), "cluster.extxyz")
    with pytest.raises(BadDataError, match="E-BOX: the frame has no box"):
        list(open_trajectory(path, boundary="ppp").read())
    (got,) = open_trajectory(path, boundary="fff").read()
    s = np.linalg.solve(got.cell.T, (got.position - got.origin).T)
    assert s.min() >= -1e-12
    assert s.max() <= 1 + 1e-12


ROWS = [f"Cu {k} 1 2 {k}" for k in range(5)]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (extxyz(rows=[*ROWS[:4], "Cu 1 nan 2 9"]), "E-NUMBER: a coordinate of atom id 9"),
        (extxyz(rows=[*ROWS[:4], "Cu 1 inf 2 9"]), "E-NUMBER: a coordinate of atom id 9"),
        (extxyz(rows=[*ROWS[:4], "Cu 1 1.5D+00 2 9"]), "E-FORMAT: ASE cannot read the frame"),
        (extxyz(rows=[*ROWS[:4], "Cu 1 1.5 2 9 9"]), "E-LINE: the line has 6 columns, 5 are announced"),
        (extxyz(rows=[*ROWS[:4], "Cu 1 1.5 2"]), "E-LINE: the line has 4 columns"),
        (extxyz(rows=[*ROWS[:4], "# no atom"]), "E-LINE"),
        (extxyz(rows=[*ROWS[:4], "Cu 1 1.5 2 0"]), "E-DUP-ID: atom id 0 appears twice"),
        (extxyz(rows=[*ROWS[:4], "X 1 1.5 2 9"]), "E-NAME: an atom has no element"),
        (extxyz(rows=[*ROWS[:4], "Cu 1 1.5 2 9.5"]), "E-FORMAT"),
        (extxyz(properties="species:S:1:pos:R:3:id:R:1"), "E-NUMBER: column 'id' needs whole"),
        (extxyz(properties="species:S:1:pos"), "E-HEADER: cannot read Properties"),
        (extxyz(step=1.5), "E-HEADER: the timestep must be a whole number"),
        (extxyz(head='pbc="T T"'), "E-HEADER: pbc must be three"),
        (extxyz().replace("8.0 0.0 0.0", "-8.0 0.0 0.0"), "E-BOX"),
        (extxyz().replace("8.0 0.0 0.0", "0.0 0.0 0.0"), "E-BOX"),
        (extxyz().replace("8.0 0.0 0.0", "nan 0.0 0.0"), "E-BOX"),
        (extxyz(count=6), "E-TRUNCATED: the only frame is cut"),
        (extxyz(count=10**12), "E-COUNT: the frame says 1000000000000 atoms, but the file has only"),
        (extxyz() + extxyz(1, count=10**12), "E-COUNT: the frame says 1000000000000 atoms"),
        (extxyz(count=4) + extxyz(1), "E-COUNT: expected the number of atoms"),
        ("Lattice=\n" + extxyz(), "E-FORMAT: expected the number of atoms"),
        (extxyz()[:-1], "E-TRUNCATED"),
        (extxyz(0) + extxyz(1).replace("Timestep=1", ""), "E-HEADER: the frame has no Timestep"),
        ("", "E-FORMAT"),
    ],
)
def test_broken_extended_xyz(write, text, match):
    with pytest.raises(BadDataError, match=match) as caught:
        list(open_trajectory(write(text, "glass.extxyz")).read())
    assert caught.value.file.endswith("glass.extxyz")


def test_line_numbers_of_broken_extended_xyz(write):
    path = write(extxyz(0) + extxyz(1, rows=[*ROWS[:3], "Cu 1 2", ROWS[4]]) + extxyz(2))
    with pytest.raises(BadDataError, match="E-LINE") as caught:
        list(open_trajectory(path).read())
    assert (caught.value.line, caught.value.frame, caught.value.timestep) == (13, 1, 1)
    trajectory = open_trajectory(path, skip_bad_frames=True)
    assert [f.timestep for f in trajectory.frames] == [0, 2]
    assert codes(trajectory) == ["W-BAD-FRAME"]


def test_coordinates_and_boxes_beyond_all_measure(write):
    rows = ["Cu 1 2 3 7", "Zr 1 -1e300 3 8"]
    with pytest.raises(BadDataError, match=r"E-NUMBER: a coordinate of atom id 8 is -1e.300, beyond") as refusal:
        list(open_trajectory(write(extxyz() + extxyz(50, rows=rows))).read())
    assert (refusal.value.frame, refusal.value.line) == (1, 11)
    text = extxyz().replace('Lattice="8.0', 'Lattice="1e30')
    with pytest.raises(BadDataError, match="E-BOX: the box is not finite or beyond"):
        list(open_trajectory(write(text)).read())
    with pytest.raises(BadDataError, match=r"E-BOX: the box is .* thick along its periodic axis x"):
        list(open_trajectory(write(extxyz().replace('Lattice="8.0', 'Lattice="1e-6'))).read())


def test_cut_last_frame_of_extended_xyz(write):
    first, data = extxyz(0), extxyz(0) + extxyz(1)
    for end in range(len(first) + 1, len(data)):
        path = write(data[:end])
        trajectory = open_trajectory(path)
        assert [f.timestep for f in trajectory.frames] == [0]
        assert codes(trajectory) == ["W-TRUNCATED"]
        with pytest.raises(BadDataError, match="E-TRUNCATED"):
            open_trajectory(path, strict=True)


POSCAR = """glass
1.0
8 0 0
1 9 0
-0.5 0.25 10
Cu Zr
2 1
Direct
0.1 0.2 0.3
0.4 0.5 0.6
0.7 0.8 0.9
"""
XDATCAR = POSCAR.replace("Direct\n", "Direct configuration=     1\n") + (
    "Direct configuration=     2\n0.11 0.2 0.3\n0.4 0.5 0.6\n0.7 0.8 0.9\n"
)


@pytest.mark.parametrize("name", ["POSCAR", "CONTCAR.relaxed", "glass.vasp", "glass.poscar"])
def test_vasp_structures(tmp_path, name):
    path = tmp_path / name
    path.write_text(POSCAR)
    trajectory = open_trajectory(path)
    (got,) = trajectory.read()
    np.testing.assert_allclose(got.position, np.arange(1, 10).reshape(3, 3) / 10 @ CELL, rtol=1e-14)
    np.testing.assert_array_equal(got.cell, CELL)
    assert got.boundary == ("pp", "pp", "pp")
    assert [got.element.name[k] for k in got.element.code] == ["Cu", "Cu", "Zr"]
    assert got.id.tolist() == [1, 2, 3]
    assert open_trajectory(path, boundary="ppf").frames[0].boundary == ("pp", "pp", "ff")


def test_xdatcar_of_a_changing_cell(write):
    second = XDATCAR[len(POSCAR) + len("Direct configuration=     1\n") - len("Direct\n") :]
    header = POSCAR[: POSCAR.index("Direct")].replace("8 0 0", "9 0 0")
    path = write(XDATCAR[: -len(second)] + header + second, "XDATCAR.cell")
    one, two = open_trajectory(path).read()
    assert (one.cell[0, 0], two.cell[0, 0]) == (8.0, 9.0)


def test_xdatcar_keeps_its_order(write):
    trajectory = open_trajectory(write(XDATCAR, "XDATCAR.run"))
    one, two = trajectory.read()
    assert codes(trajectory) == ["W-NO-STEP"]
    assert (one.timestep, two.timestep) == (0, 1)
    np.testing.assert_allclose((two.position - one.position)[0], 0.01 * CELL[0], atol=1e-12)
    assert one.digest != two.digest
    assert next(trajectory.read(1)).timestep == 1


@pytest.mark.parametrize(
    ("text", "name", "match"),
    [
        (POSCAR.replace("Cu Zr\n", ""), "POSCAR.x", "E-SPECIES: the file does not name its elements"),
        (POSCAR.replace("2 1\n", "2 900\n"), "POSCAR.x", "E-COUNT: the header says 2 900 atoms"),
        (POSCAR.replace("2 1\n", "2 3\n"), "POSCAR.x", "E-FORMAT: ASE cannot read it as vasp"),
        (POSCAR.replace("0.4 0.5", "0.4 nan"), "POSCAR.x", "E-NUMBER"),
        (POSCAR.replace("8 0 0", "0 0 0"), "POSCAR.x", "E-BOX|E-FORMAT"),
        ("nonsense\n", "POSCAR.x", "E-FORMAT"),
        (XDATCAR[:-1], "XDATCAR.x", "E-TRUNCATED"),
        (XDATCAR.replace("configuration=     2", "?"), "XDATCAR.x", "E-COUNT: 1 frames are read; 1 are announced"),
        (XDATCAR + "Direct configuration=     3\n0.1 0.2 0.3\n", "XDATCAR.x", r"E-FORMAT|E-COUNT"),
        (XDATCAR[:-12], "XDATCAR.x", "E-"),
        ("nonsense\n", "glass.cif", "E-FORMAT"),
    ],
)
def test_broken_vasp_and_cif(write, text, name, match):
    with pytest.raises(QSDaskError, match=match):
        list(open_trajectory(write(text, name)).read())


def test_cif(tmp_path):
    path = tmp_path / "nacl.cif"
    atoms = ase.Atoms("NaCl", [[0, 0, 0], [2.8, 2.8, 2.8]], cell=[5.6, 5.6, 5.6], pbc=True)
    ase_io.write(path, atoms)
    (got,) = open_trajectory(path).read()
    np.testing.assert_allclose(got.position, atoms.positions, atol=1e-6)
    assert got.element.name == ("Cl", "Na")
    assert got.boundary == ("pp", "pp", "pp")
    path.write_text(path.read_text().replace("1.0000", "0.5000"))
    with pytest.raises(BadDataError, match="E-FORMAT: sites are occupied only in part"):
        open_trajectory(path)


def test_files_without_timesteps_need_an_order(tmp_path):
    paths = []
    for k in (1, 0):
        paths.append(tmp_path / f"POSCAR_{k}")
        paths[-1].write_text(POSCAR.replace("0.1 0.2", f"0.1{k} 0.2"))
    with pytest.raises(BadDataError, match="E-STEP-ORDER: several files, and none has timesteps"):
        open_trajectory(paths)
    trajectory = open_trajectory(paths, assume_order=True)
    assert [f.path for f in trajectory.frames] == list(map(str, paths))
    assert [f.timestep for f in trajectory.read()] == [0, 1]
    assert "W-ASSUMED-ORDER" in codes(trajectory)


def test_without_ase_a_command_is_given(write, monkeypatch):
    monkeypatch.setitem(sys.modules, "ase.io", None)
    monkeypatch.setitem(sys.modules, "ase.io.extxyz", None)
    for path in (write(POSCAR, "POSCAR.x"), write(extxyz())):
        with pytest.raises(UsageError, match="E-EXTRA") as caught:
            open_trajectory(path)
        assert caught.value.hint == "pip install 'qsdask[ase]'"


@pytest.mark.parametrize(
    ("name", "head", "expected"),
    [
        ("a.xyz", b"2\nplain\n", None),
        ("a.xyz", b'2\nLattice="1 0 0"\n', "extxyz"),
        ("A.EXTXYZ.zst", b"", "extxyz"),
        ("/x/XDATCAR", b"", "vasp-xdatcar"),
        ("POSCAR_0.05", b"", "vasp"),
        ("poscar.d/run.dump", b"", None),
        ("a.cif.gz", b"", "cif"),
    ],
)
def test_format_by_name(name, head, expected):
    assert format_of(name, head) == expected
