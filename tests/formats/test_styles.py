"""Text formats beside the LAMMPS dump: yaml, AtomEye cfg, rmc6f and data files, against LAMMPS and other readers."""

from __future__ import annotations

import gzip
import io
import pickle
from pathlib import Path

import numpy as np
import pytest
import zstandard

from qsdask.errors import BadDataError, QSDaskError
from qsdask.formats import open_trajectory
from qsdask.formats.trajectory import read_locations

DATA = Path(__file__).parent / "data"
CFGS = [DATA / f"styles.{step}.cfg" for step in (10, 0, 5)]
CELL = np.array([[8.0, 0.0, 0.0], [1.0, 9.0, 0.0], [-0.5, 0.25, 10.0]])
FRACTION = np.random.default_rng(3).uniform(0, 1, (6, 3))
NAMES = ["Cu", "Cu", "Zr", "Zr", "Cu", "Al"]


def codes(trajectory):
    return [warning.code for warning in trajectory.warnings]


def same_atoms(got, wanted, tolerance=1e-12):
    """Ids, elements, box and, but for whole cells, places of two frames are the same."""
    rows, others = np.argsort(got.id), np.argsort(wanted.id)
    np.testing.assert_array_equal(got.id[rows], wanted.id[others])
    np.testing.assert_allclose(got.cell, wanted.cell, atol=tolerance)
    apart = (got.position[rows] - wanted.position[others]) @ np.linalg.inv(wanted.cell)
    np.testing.assert_allclose(apart - np.rint(apart), 0.0, atol=tolerance)
    assert got.boundary == wanted.boundary
    names = [
        [frame.element.name[k] for k in frame.element.code[order]] for frame, order in ((got, rows), (wanted, others))
    ]
    assert names[0] == names[1]


# --- as LAMMPS wrote them --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wanted():
    return list(open_trajectory(DATA / "styles.dump").read())


def test_yaml_gives_what_the_dump_gives(wanted):
    trajectory = pickle.loads(pickle.dumps(open_trajectory(DATA / "styles.yaml")))
    assert codes(trajectory) == []
    found = list(trajectory.read())
    assert [(f.timestep, f.units, f.time is not None) for f in found] == [(k, "metal", True) for k in (0, 5, 10)]
    for got, frame in zip(found, wanted, strict=True):
        same_atoms(got, frame)
        np.testing.assert_array_equal(np.sort(got.position, axis=0), np.sort(frame.position, axis=0))
        np.testing.assert_array_equal(got.type, frame.type)


def test_cfg_gives_what_the_dump_gives_and_its_names_the_timesteps(wanted):
    trajectory = open_trajectory(CFGS)
    assert codes(trajectory) == ["W-NAME-STEP"]
    assert [frame.timestep for frame in trajectory.frames] == [0, 5, 10]
    for got, frame in zip(trajectory.read(), wanted, strict=True):
        same_atoms(got, frame)
        np.testing.assert_array_equal(np.sort(got.type), np.sort(frame.type))


def test_cfg_in_the_order_given(wanted):
    trajectory = open_trajectory(CFGS, assume_order=True)
    assert codes(trajectory)[-1] == "W-ASSUMED-ORDER"
    assert [frame.timestep for frame in trajectory.frames] == [0, 1, 2]
    same_atoms(next(trajectory.read(0, 1)), wanted[2])


def test_cfg_files_whose_names_do_not_tell_need_an_order(tmp_path):
    for name, text in (("a.cfg", CFGS[0]), ("b.cfg", CFGS[1])):
        (tmp_path / name).write_bytes(text.read_bytes())
    with pytest.raises(BadDataError, match="E-STEP-ORDER"):
        open_trajectory([tmp_path / "a.cfg", tmp_path / "b.cfg"])


def test_cfg_that_lammps_shrank_is_refused():
    with pytest.raises(BadDataError, match=r"(?s)E-CONVENTION: A = 10.*line 2.*xs ys zs"):
        open_trajectory(DATA / "styles-unwrapped.cfg")


@pytest.mark.parametrize("name", ["styles.data", "styles-labels.data"])
def test_data_gives_what_the_dump_gives_in_double_precision(wanted, name):
    trajectory = open_trajectory(DATA / name, boundary="ppp")
    assert codes(trajectory) == []
    (got,) = trajectory.read()
    assert (got.timestep, got.units) == (10, "metal")
    same_atoms(got, wanted[2])
    assert (got.type is None) == (name != "styles.data")


def test_data_needs_a_boundary():
    with pytest.raises(BadDataError, match=r"(?s)E-BOUNDARY-UNKNOWN: LAMMPS data files.*--boundary"):
        open_trajectory(DATA / "styles.data")


@pytest.mark.parametrize("name", ["styles.yaml", "styles.5.cfg", "styles.data"])
@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_packed_files_give_the_same(tmp_path, name, pack):
    plain = open_trajectory(DATA / name, boundary="ppp")
    (tmp_path / "packed").write_bytes(pack((DATA / name).read_bytes()))
    packed = open_trajectory(tmp_path / "packed", boundary="ppp")
    assert [f.digest for f in packed.read()] == [f.digest for f in plain.read()]


@pytest.mark.parametrize("name", ["styles.yaml", "styles.5.cfg", "styles.data"])
@pytest.mark.parametrize("n", [1, 7, 31, 32, 1000])
def test_pieces_are_parts_of_the_frame(name, n):
    trajectory = open_trajectory(DATA / name, boundary="ppp")
    for step, frame in enumerate(trajectory.read()):
        pieces = [piece for _, piece in trajectory.pieces([step], n)]
        assert [len(piece.id) for piece in pieces[:-1]] == [n] * (len(pieces) - 1)
        np.testing.assert_array_equal(np.concatenate([piece.position for piece in pieces]), frame.position)
        names = [piece.element.name[k] for piece in pieces for k in piece.element.code]
        assert names == [frame.element.name[k] for k in frame.element.code]
        assert pieces[-1].digest == frame.digest


def test_yaml_is_what_pyyaml_reads(wanted):
    yaml = pytest.importorskip("yaml")
    documents = list(yaml.safe_load_all((DATA / "styles.yaml").read_text()))
    for got, document in zip(open_trajectory(DATA / "styles.yaml").read(), documents, strict=True):
        assert got.timestep == document["timestep"]
        table = [dict(zip(document["keywords"], row, strict=True)) for row in document["data"]]
        assert got.id.tolist() == [row["id"] for row in table]
        np.testing.assert_array_equal(got.position, [[float(row[axis]) for axis in "xyz"] for row in table])


def test_cfg_and_data_are_what_ase_reads():
    ase_io = pytest.importorskip("ase.io")
    for name, form in (("styles.5.cfg", "cfg"), ("styles.data", "lammps-data")):
        (got,) = open_trajectory(DATA / name, boundary="ppp").read()
        atoms = ase_io.read(DATA / name, format=form)
        order = np.argsort(got.id) if form == "lammps-data" else np.arange(len(got.id))
        apart = (atoms.positions - got.position[order]) @ np.linalg.inv(got.cell)
        np.testing.assert_allclose(apart - np.rint(apart), 0.0, atol=1e-9)
        np.testing.assert_allclose(atoms.cell.array, got.cell, atol=1e-9)


# --- as others write them --------------------------------------------------------------------------------------------


def cfg(*, head="A = 1.0 Angstrom", rows=None, count=6, entries="entry_count = 3\n", velocity=".NO_VELOCITY.\n"):
    lines = "".join(f"H0({i + 1},{j + 1}) = {CELL[i, j]:.10g} A\n" for i in range(3) for j in range(3))
    if rows is None:
        rows, before = [], None
        for name, place in zip(NAMES, FRACTION.tolist(), strict=True):
            rows += [] if name == before else ["63.546", name]
            rows.append(" ".join(map(repr, place)))
            before = name
    return f"Number of particles = {count}\n{head}\n{lines}{velocity}{entries}" + "".join(row + "\n" for row in rows)


def plain_cfg(velocities="0.1 0.2 0.3"):
    rows = [f"63.5 {n} {' '.join(map(repr, x))} {velocities}" for n, x in zip(NAMES, FRACTION.tolist(), strict=True)]
    return cfg(rows=rows, entries="", velocity="")


def rmc6f(*, count=6, label="[1] ", box=None, rows=None):
    if box is None:
        box = "Lattice vectors (Ang):\n" + "".join(" ".join(map(repr, vector)) + "\n" for vector in CELL.tolist())
    rows = rows or [
        f"{k + 1:6d}  {n:4s} {label}{x:.9f} {y:.9f} {z:.9f}   {k + 1}   0   0   0"
        for k, (n, (x, y, z)) in enumerate(zip(NAMES, FRACTION.tolist(), strict=True))
    ]
    return (
        "(Version 6f format configuration file)\nMetadata material: CuZrAl: glass\nNumber of types of atoms:   3\n"
        f"Atom types present: Cu Zr Al\nNumber of atoms:   {count}\nSupercell dimensions:   1  1  1\n{box}Atoms:\n"
        + "".join(row + "\n" for row in rows)
    )


def data_file(style=" # atomic", rows=None, *, before="", after="\nVelocities\n\n1 0 0 0\n", count=6):
    rows = rows or [
        f"{k + 1} {1 + (n == 'Zr')} {x!r} {y!r} {z!r}"
        for k, (n, (x, y, z)) in enumerate(zip(NAMES, (FRACTION @ CELL).tolist(), strict=True))
    ]
    return (
        f"a glass\n\n{count} atoms # all of them\n2 atom types\n\n0.0 8.0 xlo xhi\n0.0 9.0 ylo yhi\n0 10 zlo zhi\n"
        f"1.0 -0.5 0.25 xy xz yz\n\nMasses\n\n1 63.546 # Cu\n2 91.224 # Zr\n{before}\nAtoms{style}\n\n"
        + "".join(row + "\n" for row in rows)
        + after
    )


@pytest.fixture
def read(tmp_path):
    def read(text, **options):
        path = tmp_path / "input"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        trajectory = open_trajectory(path, boundary=options.pop("boundary", "ppp"), **options)
        return list(trajectory.read())

    return read


@pytest.mark.parametrize(
    "text",
    [
        cfg(),
        cfg().replace("\n", "\r\n"),
        cfg(head="# made by hand\n\nA = 1.0 Angstrom (basic length-scale)"),
        cfg(head="A = 2.0 Angstrom")
        .replace("= 8 A", "= 4 A")
        .replace("= 9 A", "= 4.5 A")
        .replace("= 10 A", "= 5 A")
        .replace("= 1 A\n", "= 0.5 A\n")
        .replace("= 0.25 A", "= 0.125 A")
        .replace("-0.5 A", "-0.25 A"),
        plain_cfg(),
        plain_cfg(velocities=""),
        rmc6f(),
        rmc6f(label=""),
        rmc6f(label="[ 1] "),
    ],
)
def test_fractions_of_a_cell(read, text):
    (got,) = read(text, boundary=None)
    np.testing.assert_allclose(got.position, FRACTION @ CELL, atol=2e-8)
    np.testing.assert_allclose(got.cell, CELL, atol=1e-12)
    assert [got.element.name[k] for k in got.element.code] == NAMES
    assert got.boundary == ("pp", "pp", "pp")


def test_a_slab_of_a_format_that_is_periodic_by_definition(read):
    for text in (cfg(), rmc6f()):
        assert read(text, boundary="fpp")[0].boundary == ("ff", "pp", "pp")


def test_rmc6f_with_lengths_and_angles(read):
    ase_geometry = pytest.importorskip("ase.geometry")
    a, b, c, alpha, beta, gamma = ase_geometry.cell_to_cellpar(CELL)
    box = f"Cell (Ang/deg): {float(a)!r} {float(b)!r} {float(c)!r} {float(alpha)!r} {float(beta)!r} {float(gamma)!r}\n"
    (got,) = read(rmc6f(box=box))
    np.testing.assert_allclose(got.cell, CELL, atol=1e-12)
    vectors = "Lattice vectors (Ang):\n" + "".join(" ".join(f"{x:.5f}" for x in v) + "\n" for v in CELL.tolist())
    np.testing.assert_allclose(read(rmc6f(box=box + vectors))[0].cell, CELL, atol=1e-5)
    with pytest.raises(BadDataError, match="E-BOX: 'Cell"):
        read(rmc6f(box=box + vectors.replace("9.00000", "9.50000")))
    # Programs write the vectors as rows or as columns; the lengths decide, and without them it is not guessed.
    columns = "Lattice vectors (Ang):\n" + "".join(" ".join(f"{x:.5f}" for x in v) + "\n" for v in CELL.T.tolist())
    np.testing.assert_allclose(read(rmc6f(box=box + columns))[0].cell, CELL, atol=1e-5)
    with pytest.raises(BadDataError, match=r"E-BOX: .* may be rows or columns"):
        read(rmc6f(box=columns))
    (right,) = read(rmc6f(box="Cell (Ang/deg): 8 9 10 90 90 90\n"))
    np.testing.assert_array_equal(right.cell, np.diag([8.0, 9.0, 10.0]))


def test_rmc6f_is_what_ase_writes_and_reads(tmp_path):
    ase_io, ase = pytest.importorskip("ase.io"), pytest.importorskip("ase")
    atoms = ase.Atoms(NAMES, scaled_positions=FRACTION, cell=[8, 9, 10, 80, 95, 100], pbc=True)
    ase_io.write(tmp_path / "a.rmc6f", atoms, format="rmc6f")
    (got,) = open_trajectory(tmp_path / "a.rmc6f").read()
    back = ase_io.read(tmp_path / "a.rmc6f", format="rmc6f")
    np.testing.assert_allclose(got.cell @ got.cell.T, back.cell.array @ back.cell.array.T, atol=1e-3)
    np.testing.assert_allclose(got.position @ np.linalg.inv(got.cell), back.get_scaled_positions(), atol=1e-5)
    assert [got.element.name[k] for k in got.element.code] == list(back.symbols)


def test_cfg_is_what_ase_writes(tmp_path):
    ase_io, ase = pytest.importorskip("ase.io"), pytest.importorskip("ase")
    atoms = ase.Atoms(NAMES, scaled_positions=FRACTION, cell=CELL, pbc=True)
    atoms.new_array("charge", np.arange(6.0))
    atoms.set_velocities(np.ones((6, 3)))
    ase_io.write(tmp_path / "a.cfg", atoms, format="cfg")
    (got,) = open_trajectory(tmp_path / "a.cfg").read()
    np.testing.assert_allclose(got.position, atoms.positions, atol=2e-5)  # ASE writes seven digits
    assert [got.element.name[k] for k in got.element.code] == NAMES
    assert not got.has_id


@pytest.mark.parametrize(
    ("style", "columns", "extra"),
    [
        (" # charge", None, "{id} {type} 0.5 {x}"),
        (" # full", None, "{id} 1 {type} 0.5 {x} 0 -1 2"),
        (" # molecular", None, "{id} 1 {type} {x}"),
        ("", None, "{id} {type} {x} 0 -1 2"),
        (" # hybrid charge sphere", "id type x y z q", "{id} {type} {x} 0.5"),
        (" # atomic", None, "{id} {type} {x} # Cu"),
        (" # atomic", None, "{id} {type} {x}   # a longer comment\r"),
    ],
)
def test_data_of_several_styles(read, style, columns, extra):
    places = (FRACTION @ CELL).tolist()
    rows = [extra.format(id=9 - k, type=1 + k % 2, x=" ".join(map(repr, x))) for k, x in enumerate(places)]
    (got,) = read(data_file(style, rows), columns=columns)
    np.testing.assert_array_equal(got.position, places)
    np.testing.assert_array_equal(got.cell, CELL)
    assert got.id.tolist() == [9, 8, 7, 6, 5, 4]
    assert got.type.tolist() == [1, 2] * 3


def test_data_with_general_vectors(read):
    box = "0 8 0 avec\n-9 1 0 bvec\n0.25 -0.5 10 cvec\n1 2 3 abc origin\n"
    lines = data_file().split("\n")
    text = "\n".join([*lines[:5], *box.split("\n")[:-1], *lines[9:]])
    (got,) = read(text)
    np.testing.assert_array_equal(got.cell, [[0, 8, 0], [-9, 1, 0], [0.25, -0.5, 10]])
    np.testing.assert_array_equal(got.origin, [1, 2, 3])


def test_data_that_does_not_name_its_style_is_refused(read):
    rows = [f"{k + 1} 1 0.5 1 1 {k}" for k in range(6)]
    with pytest.raises(BadDataError, match=r"(?s)E-COLUMN: the columns of 'Atoms'.*--columns 'id type q x y z'"):
        read(data_file("", rows))
    with pytest.raises(BadDataError, match=r"E-COLUMN: .*style 'ellipsoid'"):
        read(data_file(" # ellipsoid", rows))
    with pytest.raises(BadDataError, match=r"E-LINE: the first atom has 6 columns"):
        read(data_file(" # atomic", rows))


# --- damage ----------------------------------------------------------------------------------------------------------

YAML = (DATA / "styles.yaml").read_text()
FIRST = YAML[: YAML.index("...\n") + 4]


def no_step(text, old, new):
    assert old in text
    return text.replace(old, new, 1)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (no_step(FIRST, "natoms: 32", "natoms: 31"), "E-COUNT: the frame says 31 atoms, it has more"),
        (no_step(FIRST, "natoms: 32", "natoms: 33"), "E-COUNT: the frame says 33 atoms, it has fewer"),
        (no_step(FIRST, "natoms: 32", "natoms: 1000000000000"), "E-COUNT"),
        (no_step(FIRST, "natoms: 32", "natoms: x"), "E-HEADER: NUMBER OF ATOMS must be a whole number.*line 6"),
        (no_step(FIRST, "timestep: 0\n", ""), "E-HEADER: the frame has no 'timestep'"),
        (no_step(FIRST, "- [ 0, 10.725 ]", "- [ 10.725, 0 ]"), "E-BOX"),
        (no_step(FIRST, " z, vx", " vx"), "E-2D"),
        (no_step(FIRST, "units: metal", "units: parsec"), "E-UNITS.*line 4"),
        (no_step(FIRST, "creator: LAMMPS\n", "creator: LAMMPS\nnonsense\n"), "E-HEADER: expected 'key: value'.*line 3"),
        (no_step(FIRST, ", Zr ,", ", ,"), "E-LINE: the line has 6 columns"),
        (no_step(FIRST, "  - [ ", "  - "), "E-BOX|E-LINE|E-HEADER"),
        (no_step(FIRST, "]\n...", "\n..."), r"E-LINE: expected '- \[ ... \]'.*line 49"),
    ],
)
def test_damaged_yaml(read, text, match):
    with pytest.raises(BadDataError, match=f"(?s){match}"):
        read(text, boundary=None)


def test_a_yaml_dump_that_is_cut_loses_its_last_frame(read, tmp_path):
    cut = YAML[: len(YAML) - 40]
    assert [frame.timestep for frame in read(cut)] == [0, 5]
    with pytest.raises(BadDataError, match="E-TRUNCATED"):
        read(cut, strict=True)
    with pytest.raises(BadDataError, match="E-TRUNCATED"):
        read(FIRST[:-40])


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (cfg(count=5), "E-COUNT: the frame says 5 atoms, it has more"),
        (cfg(count=7), "E-COUNT: the frame says 7 atoms, it has 6"),
        (cfg(count=10**12), "E-COUNT"),
        (cfg(count="x"), "E-HEADER: NUMBER OF ATOMS.*line 1"),
        (cfg(head="A = 0 Angstrom"), "E-BOX: the scale"),
        (cfg(head="A = 1 nm"), "E-UNITS: the unit of length is 'nm'.*line 2"),
        (cfg(head="A = 1 Angstrom\nTransform(1,1) = 1.1"), "E-BOX: the cell is deformed"),
        (cfg(head="A = 1 Angstrom\nH0(1,1) = 3 A"), "E-HEADER: 'H0.1,1.' stands twice"),
        (cfg().replace("H0(2,2) = 9 A\n", ""), "E-BOX: the file has no 'H0.2,2.'"),
        (cfg().replace("H0(2,2) = 9", "H0(2,2) = -9"), "E-BOX.*line 3"),
        (cfg(entries="entry_count = 2\n"), "E-HEADER: entry_count is 2"),
        (cfg(entries="entry_count = 4\n"), "E-LINE: the line has 4 columns, 5 are announced"),
        (cfg(rows=["63.5", "Cu", "0 0 0", "0 0 nan"], count=2), "E-NUMBER.*line 17"),
        (cfg(rows=["63.5", "Cu", "0 0 0", "0 0 1e300"], count=2), "E-NUMBER: .*beyond.*line 17, atom id 2"),
        (cfg(rows=["63.5", "0.1 0.2 0.3"], count=1), "E-LINE: expected the symbol .* behind its mass.*line 15"),
        (cfg(rows=["0.1 0.2 0.3"], count=1), "E-LINE: expected mass and symbol.*line 14"),
        (cfg(rows=["Cu", "63", "0.1 0.2 0.3"], count=1), "E-LINE: expected the mass.*line 14"),
        (cfg(rows=["63.5", "Copernicium", "0.1 0.2 0.3"], count=1), "E-LINE: expected the symbol.*line 15"),
        (cfg(rows=["63.5", "Cu", "0.1 0.\0 0.3"], count=1), "E-NUL.*line 16"),
        (plain_cfg("1 2"), "E-HEADER: the first atom has 7 columns"),
        (plain_cfg().rsplit("\n", 2)[0] + "\n", "E-TRUNCATED"),
        (plain_cfg() + "63.5 Cu 0 0 0 0 0 0\n", "E-COUNT.*another line.*line 18"),
    ],
)
def test_damaged_cfg(read, text, match):
    with pytest.raises(BadDataError, match=f"(?s){match}"):
        read(text, boundary=None)


def test_an_id_that_stands_twice_in_a_cfg_is_told_with_its_lines(tmp_path):
    text = CFGS[2].read_text().splitlines()
    words = text[21].split()
    text[21] = " ".join([*words[:3], text[15 + 3].split()[3], *words[4:]])
    (tmp_path / "a.cfg").write_text("\n".join(text) + "\n")
    with pytest.raises(BadDataError, match=r"(?s)E-DUP-ID: .*first seen on line 19.*line 22"):
        list(open_trajectory(tmp_path / "a.cfg").read())
    trajectory = open_trajectory(tmp_path / "a.cfg")
    error = trajectory.repeated_id(0, int(text[21].split()[3]))
    assert error.line == 22
    assert "first seen on line 19" in error.message


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (rmc6f(count=5), "E-COUNT: .*another line follows.*line 17"),
        (rmc6f(count=7), "E-TRUNCATED"),
        (rmc6f(count=10**12), "E-COUNT"),
        (rmc6f().replace("Number of atoms:   6\n", ""), "E-HEADER: the file has no 'Number of atoms:'"),
        (rmc6f(box=""), "E-BOX: the file has neither"),
        (rmc6f(box="Cell (Ang/deg): 8 9 10 90 90\n"), "E-BOX: expected 6 finite numbers.*line 7"),
        (rmc6f(box="Cell (Ang/deg): 8 9 10 20 90 150\n"), "E-BOX: no cell has the angles"),
        (rmc6f(box="Cell (Ang/deg): 8 9 nan 90 90 90\n"), "E-BOX: expected 6 finite"),
        (rmc6f().replace("     2  Cu", "     1  Cu"), "E-DUP-ID.*first seen on line 12.*line 13"),
        (rmc6f().replace("     2  Cu", "     x  Cu"), "E-NUMBER.*line 13"),
        (rmc6f().replace("     2  Cu", "     2  Cu 1"), "E-LINE.*line 13"),
        (rmc6f()[:-5], "E-TRUNCATED"),
        (rmc6f().split("Atoms:")[0], "E-TRUNCATED: the file ends within its header"),
    ],
)
def test_damaged_rmc6f(read, text, match):
    with pytest.raises(BadDataError, match=f"(?s){match}"):
        read(text)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (data_file(count=5), "E-COUNT: the header says 5 atoms; another line"),
        (data_file(count=7), "E-COUNT|E-TRUNCATED|E-LINE"),
        (data_file(count=7, after=""), "E-TRUNCATED"),
        (data_file(count=10**12), "E-COUNT"),
        (data_file().replace("0.0 9.0 ylo yhi", "9.0 0.0 ylo yhi"), "E-BOX"),
        (data_file().replace("0.0 9.0 ylo yhi\n", ""), "E-BOX: the file does not say 'ylo yhi'"),
        (data_file().replace("0.0 9.0 ylo", "0.0 1e400 ylo"), "E-BOX: expected 2 finite"),
        (data_file(before="\nAtom Type Labels\n\n1 Cu\n1 Zr\n"), "E-HEADER: expected a type and its label"),
        (data_file(before="\nAtom Type Labels\n\n1 Cu\n"), "E-TYPE: atom type 2 has no label"),
        (data_file(rows=["1 1 0 0 0", "1 1 0 0 1"], count=2), "E-DUP-ID"),
        (data_file(rows=["1 1 0 0 0", "2 0 0 0 1"], count=2), "E-TYPE: atom type 0.*line 19"),
        (data_file(rows=["1 1 0 0 0", "2 1 0 0 1d0"], count=2), "E-NUMBER.*line 19"),
    ],
)
def test_damaged_data(read, text, match):
    with pytest.raises(BadDataError, match=f"(?s){match}"):
        read(text)


def good(name):
    return {"yaml": FIRST, "cfg": cfg(), "plain": plain_cfg(), "rmc6f": rmc6f(), "data": data_file(after="")}[name]


@pytest.mark.parametrize("name", ["yaml", "cfg", "plain", "rmc6f", "data"])
def test_no_cut_gives_wrong_numbers(read, name):
    text = good(name)
    whole = read(text)[0]
    for end in range(0, len(text), 1 if len(text) < 900 else 7):
        try:
            frames = read(text[:end])
        except QSDaskError:
            continue
        # What follows the last atom may be missing.
        assert frames[0].digest == whole.digest
        assert text[end:].strip() in ("", "...", ".", "..")


@pytest.mark.parametrize("name", ["yaml", "cfg", "plain", "rmc6f", "data"])
def test_damage_ends_in_one_message_or_in_finite_numbers(read, name):
    text = bytearray(good(name).encode())
    random = np.random.default_rng(7)
    refused = 0
    for _ in range(400):
        damaged = bytearray(text)
        for _ in range(random.integers(1, 4)):
            at = random.integers(len(damaged))
            damaged[at : at + random.integers(0, 3)] = random.choice(
                [b"", b"\0", b"#", b"-", b"e", b"9", b"\n", b" ", b"\xff", b"["]
            )
        try:
            frames = read(bytes(damaged))
        except QSDaskError as error:
            refused += error.code.startswith("E-") and error.file is not None
        else:
            assert all(
                np.isfinite(frame.position).all() and len(set(frame.id.tolist())) == frame.natoms for frame in frames
            )
    assert refused > 100


def test_a_bad_frame_is_left_out_where_that_is_wanted(tmp_path):
    parts = YAML.split("---\n")
    parts[2] = parts[2].replace("  - [ 5 ,", "  - [ x ,")
    (tmp_path / "a.yaml").write_text("---\n".join(parts))
    with pytest.raises(BadDataError, match=r"(?s)E-NUMBER.*frame   1 .TIMESTEP 5"):
        list(open_trajectory(tmp_path / "a.yaml").read())
    trajectory = open_trajectory(tmp_path / "a.yaml", skip_bad_frames=True)
    assert [place.timestep for place in trajectory.frames] == [0, 10]
    assert codes(trajectory) == ["W-BAD-FRAME"]


def test_a_file_that_changed_is_refused(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(YAML)
    place = open_trajectory(path).frames[0]
    path.write_text(YAML.replace("timestep: 0", "timestep: 7"))
    with pytest.raises(BadDataError, match="E-CHANGED"):
        list(read_locations([place], None))


def test_numbers_of_many_atoms_are_those_of_python(tmp_path):
    """More text than a block holds, so that species go over from one block to the next."""
    n = 30_000
    places = np.random.default_rng(1).uniform(0, 1, (n, 3))
    text = io.StringIO()
    text.write(cfg(rows=[], count=n))
    for k, place in enumerate(places.tolist()):
        if k % 3 == 0:
            text.write(f"63.5\n{'Cu' if k % 2 else 'Zr'}\n")
        text.write(" ".join(map(repr, place)) + "\n")
    (tmp_path / "a.cfg").write_text(text.getvalue())
    (got,) = open_trajectory(tmp_path / "a.cfg").read()
    header = [places @ np.eye(3)][0]
    expected = np.empty_like(header)
    for axis in range(3):
        expected[:, axis] = places[:, 0] * CELL[0, axis] + places[:, 1] * CELL[1, axis] + places[:, 2] * CELL[2, axis]
    np.testing.assert_array_equal(got.position, expected)
    names = [got.element.name[k] for k in got.element.code]
    assert names == ["Cu" if (k - k % 3) % 2 else "Zr" for k in range(n)]
