"""LAMMPS text dumps: what is read, and that nothing broken is accepted."""

from __future__ import annotations

import gzip
import pickle
import time

import numpy as np
import pytest

from qsdask.errors import BadDataError, NoInputError
from qsdask.formats import open_trajectory
from qsdask.formats.index import index_frames
from qsdask.formats.rows import read_frames

N = 5
POSITION = np.array([[0.5, 1.5, 2.5], [9.25, 0.125, 3.0], [4.0, 5.0, 6.0], [7.5, 7.5, 7.5], [1e-3, 2.0, 9.0]])


def frame(step=0, *, flags=" pp pp pp", box="0 10\n0 10\n0 10", columns="id type x y z", rows=None, count=None):
    if rows is None:
        rows = [f"{i + 1} {1 + i % 2} {x!r} {y!r} {z!r}" for i, (x, y, z) in enumerate(POSITION.tolist())]
    count = len(rows) if count is None else count
    return (
        f"ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n{count}\nITEM: BOX BOUNDS{flags}\n{box}\n"
        f"ITEM: ATOMS {columns}\n" + "".join(row + "\n" for row in rows)
    )


@pytest.fixture
def write(tmp_path):
    def write(data, name="in.dump"):
        path = tmp_path / name
        data = data if isinstance(data, bytes) else data.encode()
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    return write


def read(path, **options):
    return list(open_trajectory(path, **options).read())


@pytest.mark.parametrize("name", ["in.dump", "in.dump.gz"])
def test_frames_of_one_file(write, name):
    path = write(frame(0) + frame(100) + frame(250), name)
    trajectory = pickle.loads(pickle.dumps(open_trajectory(path)))
    assert [place.timestep for place in trajectory.frames] == [0, 100, 250]
    assert [place.line for place in trajectory.frames] == [1, 15, 29]
    one, two = trajectory.read(1)
    assert (one.timestep, two.timestep, one.natoms) == (100, 250, N)
    np.testing.assert_array_equal(one.position, POSITION)
    np.testing.assert_array_equal(one.id, np.arange(1, N + 1))
    np.testing.assert_array_equal(one.type, [1, 2, 1, 2, 1])
    np.testing.assert_array_equal(one.cell, np.eye(3) * 10)
    assert one.boundary == ("pp", "pp", "pp")
    assert one.periodic.all()
    assert one.convention == "wrapped"
    assert one.element is None
    assert one.units is None
    assert len(one.digest) == 32
    assert one.digest != two.digest


def test_digest_does_not_depend_on_compression(write):
    plain, packed = write(frame()), write(frame(), "in.dump.gz")
    assert read(plain)[0].digest == read(packed)[0].digest
    assert next(open_trajectory(plain).read(digest=False)).digest == ""


def test_frames_larger_than_the_blocks_read(write, golden):
    frames, _ = index_frames(golden / "cuzr256.dump", block=100)
    assert [(place.natoms, place.line) for place in frames] == [(256, 1)]
    data = frame(1) + frame(2) + frame(3)
    for block in (64, 65, 100, 137):
        assert index_frames(write(data), block=block) == index_frames(write(data))


def test_skipping_frames_of_a_gzip_file(write):
    path = write("".join(frame(step) for step in range(20)), "in.dump.gz")
    places, _ = index_frames(path)
    assert [f.timestep for f in read_frames([places[3], places[4], places[17]])] == [3, 4, 17]


def test_shuffled_lines_and_columns(write):
    rows = [f"{x!r} Zr {i + 1} {z!r} 7 {y!r} 2" for i, (x, y, z) in enumerate(POSITION.tolist())][::-1]
    (got,) = read(write(frame(columns="x element id z ix y type", rows=rows)))
    order = np.argsort(got.id)
    np.testing.assert_array_equal(got.position[order], POSITION)
    assert got.element.name == ("Zr",)
    assert got.element.code.tolist() == [0] * N


def test_large_and_negative_ids_with_gaps(write):
    ids = [2**62, -5, 0, 7, 2**31]
    rows = [f"{i} 1 0.0 0.0 {k}" for k, i in enumerate(ids)]
    (got,) = read(write(frame(rows=rows)))
    assert got.id.tolist() == ids


@pytest.mark.parametrize("newline", ["\n", "\r\n", " \n", "\t\r\n"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_line_ends_bom_and_text_between_frames(write, newline, bom):
    data = bom + (frame(0) + "\n# a comment\n\n" + frame(10) + "\n").replace("\n", newline).encode()
    one, two = read(write(data))
    assert two.timestep == 10
    np.testing.assert_array_equal(one.position, POSITION)


def test_tabs_and_blanks_before_and_behind(write):
    one, two = read(
        write(
            (frame(0) + frame(1))
            .replace(" ", "\t")
            .replace("ITEM:\t", "ITEM: ")
            .replace("NUMBER\tOF\tATOMS", "NUMBER OF ATOMS")
            .replace("BOX\tBOUNDS", "BOX BOUNDS")
        )
    )
    np.testing.assert_array_equal(one.position, POSITION)
    padded = "".join(f"  {line} \n" if not line.startswith("ITEM") else line + "  \n" for line in frame(7).splitlines())
    (three,) = read(write(padded))
    assert (two.timestep, three.timestep) == (1, 7)
    np.testing.assert_array_equal(three.position, POSITION)


def test_without_ids_atoms_are_counted(write):
    rows = [f"1 {x!r} {y!r} {z!r}" for x, y, z in POSITION.tolist()]
    path = write(frame(0) + frame(1, columns="type x y z", rows=rows))
    places, _ = index_frames(path)
    assert [place.has_id for place in places] == [True, False]
    assert places[1].columns == ("type", "x", "y", "z")
    named, counted = read_frames(places)
    assert (named.has_id, counted.has_id) == (True, False)
    assert counted.id.tolist() == [1, 2, 3, 4, 5]
    np.testing.assert_array_equal(counted.position, POSITION)


def test_columns_may_change_between_frames(write):
    rows = [f"{z!r} 0.5 {i + 1} {y!r} {x!r}" for i, (x, y, z) in enumerate(POSITION.tolist())]
    one, two = read(write(frame(0) + frame(1, columns="z mass id y x", rows=rows)))
    np.testing.assert_array_equal(two.position, POSITION)
    assert (one.type is None, two.type is None) == (False, True)


def test_image_flags_are_not_applied(write):
    (got,) = read(write(frame(columns="id x y z ix iy iz", rows=["1 1.5 2.5 3.5 1 -2 3"])))
    assert got.position.tolist() == [[1.5, 2.5, 3.5]]
    assert got.convention == "wrapped"


def test_largest_ids(write):
    rows = [f"{i} 1 0.0 0.0 0.0" for i in (2**63 - 1, 1, -(2**63) + 1)]
    assert read(write(frame(rows=rows)))[0].id.tolist() == [2**63 - 1, 1, -(2**63) + 1]


@pytest.mark.parametrize("name", ["in.dump", "in.dump.gz"])
def test_absurd_count_is_refused_at_once(write, name):
    """Also in the only frame, and without allocating."""
    start = time.perf_counter()
    with pytest.raises(BadDataError, match=r"E-COUNT|E-TRUNCATED"):
        open_trajectory(write(frame(count=10**12), name))
    assert time.perf_counter() - start < 1


def test_too_many_columns(write):
    with pytest.raises(BadDataError, match="E-COLUMN: 1006 columns, more than 1000"):
        open_trajectory(write(frame(columns="id type x y z " + "c " * 1001)))


def test_long_atom_line(write):
    """Longer than a block of text, and longer than a block of the parser."""
    for n in (20_000, 300_000):
        rows = ["1 1 1.0 2.0 3.0", f"2 1 1.0 2.0{' ' * n}3.0", "3 1 1.0 2.0 3.0"]
        with pytest.raises(BadDataError, match=r"E-LINE: the line is too long|E-FORMAT: a line is") as info:
            read(write(frame(rows=rows)))
        assert info.value.line == 11


def test_terminal_escapes_in_names_are_shown_not_obeyed(write):
    for text in (
        frame(columns="id type x y \x1b[31mz"),
        frame(columns="id type element x y z", rows=["1 1 Cu\x1b]0;x 1 2 3"]),
        frame(columns="id \x1b[2J x y z", rows=["1 1 1 2"]),
        frame(flags=" \x1b[31m pp pp"),
    ):
        with pytest.raises(BadDataError) as info:
            read(write(text))
        assert "\x1b" not in str(info.value)
        assert "x1b" in str(info.value)


@pytest.mark.parametrize(
    ("form", "step"),
    [
        ("{:.5f}", 1e-5),
        ("{:.2f}", 1e-2),
        ("{:.0f}", 1.0),
        ("{:.4e}", 1e-3),
        ("{:g}", 1e-4),
        ("{:.3g}", 1e-1),
        ("{:.16e}", 1e-15),
    ],
)
def test_resolution_is_the_step_of_the_largest_number(write, form, step):
    position = np.random.default_rng(3).uniform(0, 90, (3000, 3))
    rows = [f"{i} 1 " + " ".join(map(form.format, p)) for i, p in enumerate(position.tolist(), start=1)]
    (got,) = read(write(frame(box="0 90\n0 90\n0 90", rows=rows)))
    assert got.resolution == step
    rounded = np.abs(got.position - position).max()
    assert 0.4 * step < rounded <= 0.51 * step or step < 1e-12


def test_resolution_of_scaled_coordinates(write):
    rows = [f"{k + 1} 1 0.{k:03d}1 0.5 0.25" for k in range(1000)]
    (got,) = read(write(frame(columns="id type xs ys zs", box="0 10\n0 50\n0 20", rows=rows)))
    assert got.resolution == pytest.approx(50 * 1e-4)


def test_resolution_is_unknown_when_all_is_zero(write):
    assert np.isnan(read(write(frame(rows=["1 1 0 0.000 0"])))[0].resolution)


def test_units_and_time(write):
    head = "ITEM: UNITS\nmetal\nITEM: TIME\n0.25\n"
    path = write(head + frame(0) + "ITEM: TIME\n0.5\n" + frame(1))
    one, two = read(path)
    assert (one.units, one.time, two.units, two.time) == ("metal", 0.25, "metal", 0.5)
    assert next(open_trajectory(path).read(1)).units == "metal"


def test_triclinic_bounding_box(write):
    """The formula of https://docs.lammps.org/Howto_triclinic.html, by hand."""
    xlo, xhi, ylo, yhi, zlo, zhi, xy, xz, yz = 1.0, 11.0, -2.0, 7.0, 0.5, 8.5, -3.0, 2.0, -1.5
    box = (
        f"{xlo + min(0, xy, xz, xy + xz)} {xhi + max(0, xy, xz, xy + xz)} {xy}\n"
        f"{ylo + min(0, yz)} {yhi + max(0, yz)} {xz}\n{zlo} {zhi} {yz}"
    )
    (got,) = read(write(frame(flags=" xy xz yz pp ff fs", box=box)))
    np.testing.assert_array_equal(got.cell, [[10, 0, 0], [-3, 9, 0], [2, -1.5, 8]])
    np.testing.assert_array_equal(got.origin, [1, -2, 0.5])
    assert got.boundary == ("pp", "ff", "fs")
    assert got.periodic.tolist() == [True, False, False]


def test_general_triclinic(write):
    box = "9 1 0.5 -1\n-1 8 1 2\n0.5 -2 7 3"
    (got,) = read(write(frame(flags=" abc origin pp pp pp", box=box)))
    np.testing.assert_array_equal(got.cell, [[9, 1, 0.5], [-1, 8, 1], [0.5, -2, 7]])
    np.testing.assert_array_equal(got.origin, [-1, 2, 3])


@pytest.mark.parametrize(("suffix", "convention"), [("s", "wrapped"), ("su", "unwrapped")])
def test_scaled_coordinates_in_a_tilted_cell(write, suffix, convention):
    columns = "id type " + " ".join(axis + suffix for axis in "xyz")
    path = write(frame(flags=" xy xz yz pp pp pp", box="0 12 2\n-1 9 0\n0 8 0", columns=columns))
    (got,) = read(path)
    assert got.convention == convention
    np.testing.assert_allclose(got.position, [0, -1, 0] + POSITION @ [[10, 0, 0], [2, 10, 0], [0, 0, 8]])


def test_unwrapped_coordinates(write):
    assert read(write(frame(columns="id type xu yu zu")))[0].convention == "unwrapped"


def test_cartesian_columns_are_preferred(write):
    rows = ["1 1 0.5 0.5 0.5 1 2 3"]
    (got,) = read(write(frame(columns="id type xs ys zs x y z", rows=rows)))
    assert got.position.tolist() == [[1, 2, 3]]


def test_old_dump_without_boundary(write):
    path = write(frame(flags=""))
    with pytest.raises(BadDataError, match=r"E-BOUNDARY-UNKNOWN[\s\S]*line 5"):
        open_trajectory(path)
    assert read(path, boundary="pfs")[0].boundary == ("pp", "ff", "ss")


def test_boundary_against_the_file(write):
    path = write(frame(flags=" pp ff ss"))
    assert read(path, boundary="pff")[0].boundary == ("pp", "ff", "ss")
    with pytest.raises(BadDataError, match=r"E-BOUNDARY: the boundary given is pp pp pp"):
        open_trajectory(path, boundary="ppp")


CUTS = {
    "a number": -3,
    "the last newline": -1,
    "an atom line": -30,
    "all atoms": -len("".join(frame().partition("z\n")[2])),
    "the header": 60 - len(frame()),
    "the first line": 7 - len(frame()),
}


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS.keys())
@pytest.mark.parametrize("name", ["in.dump", "in.dump.gz"])
def test_cut_last_frame(write, cut, name):
    path = write((frame(0) + frame(1) + frame(2))[:cut], name)
    trajectory = open_trajectory(path)
    assert [f.timestep for f in trajectory.read()] == [0, 1]
    (warning,) = trajectory.warnings
    assert warning.code == "W-TRUNCATED"
    assert f"byte {2 * len(frame())} " in warning.text
    with pytest.raises(BadDataError, match=r"E-TRUNCATED[\s\S]*frame\s+2, line 29"):
        open_trajectory(path, strict=True)


@pytest.mark.parametrize("name", ["in.dump", "in.dump.gz"])
@pytest.mark.parametrize("strict", [False, True])
def test_a_damaged_header_at_the_end_is_no_cut(write, name, strict):
    """No 'ITEM: ATOMS' comes before the file ends, but that is not why."""
    data = frame(0) + frame(1).replace("ITEM: ATOMS", "ITEM: ATNMS")
    with pytest.raises(BadDataError, match="E-HEADER: unknown item 'ITEM: ATNMS") as refusal:
        open_trajectory(write(data, name), strict=strict)
    assert (refusal.value.frame, refusal.value.line) == (1, 23)
    assert len(open_trajectory(write(data, name), skip_bad_frames=True)) == 1
    with pytest.raises(BadDataError, match="E-HEADER") as refusal:
        open_trajectory(write(data + frame(2) * 20, name))
    assert refusal.value.line == 23


def test_blank_lines_between_frames_have_an_end(write):
    blanks = "\n" * 60_000
    assert len(read(write(frame(0) + blanks + frame(1) + blanks))) == 2
    with pytest.raises(BadDataError, match=r"E-FORMAT: more than .* blank or comments") as refusal:
        open_trajectory(write(frame(0) + "#\n" + " \n" * 10**6 + frame(1)))
    assert 15 < refusal.value.line < 10**6
    with pytest.raises(BadDataError, match="E-HEADER") as refusal:
        open_trajectory(write(frame(0) + "\n\x0c\n" + frame(1)))
    assert refusal.value.line == 16


@pytest.mark.parametrize("pieces", [False, True])
def test_scaled_coordinates_that_overflow(write, pieces):
    rows = [f"{k} 1 0.5 0.5 {z}" for k, z in enumerate(("0.5", "0.25", "1.7e308", "0.75"), 1)]
    trajectory = open_trajectory(write(frame(columns="id type xs ys zs", rows=rows)))
    with pytest.raises(BadDataError, match=r"E-NUMBER.*not finite") as refusal:
        list(trajectory.pieces([0], 2) if pieces else trajectory.read())
    assert (refusal.value.line, refusal.value.atom_id) == (12, 3)


@pytest.mark.parametrize("pieces", [False, True])
@pytest.mark.parametrize("columns", ["id type x y z", "id type xu yu zu", "id type xs ys zs"])
def test_coordinates_too_large_for_distances(write, pieces, columns):
    good, bad = (1e8, 1.1e8) if columns.endswith("zs") else (1e9, 1.1e9)  # fractions of 10 angstrom
    rows = [f"{k} 1 0.5 {y!r} 0.5" for k, y in enumerate((0.5, good, -good, 0.25), 1)]
    assert len(read(write(frame(columns=columns, rows=rows)))) == 1
    for value in (bad, -1e30, 1e300):
        rows[2] = f"3 1 0.5 {value!r} 0.5"
        trajectory = open_trajectory(write(frame(columns=columns, rows=rows)))
        with pytest.raises(BadDataError, match=r"E-NUMBER: a coordinate of atom id 3.*(beyond|not finite)") as refusal:
            list(trajectory.pieces([0], 2) if pieces else trajectory.read())
        assert (refusal.value.frame, refusal.value.line, refusal.value.atom_id) == (0, 12, 3)


def test_the_only_frame_is_cut(write):
    with pytest.raises(BadDataError, match=r"E-TRUNCATED: the only frame is cut"):
        open_trajectory(write(frame()[:-1]))


def test_half_a_frame_in_the_middle(write):
    with pytest.raises(BadDataError, match=r"E-COUNT: the frame says 5 atoms, but 4 whole[\s\S]*line 28"):
        open_trajectory(write(frame(0) + frame(1)[:-1].rpartition("\n")[0] + "\n" + frame(2)))
    header_only = "ITEM: TIMESTEP\n5\nITEM: NUMBER OF ATOMS\n"
    with pytest.raises(BadDataError, match=r"E-HEADER[\s\S]*line 17"):
        open_trajectory(write(frame(0) + header_only + frame(2)))


@pytest.mark.parametrize("after", ["", frame(1)])
@pytest.mark.parametrize(("count", "line"), [(N - 1, 14), (N + 1, None)])
def test_wrong_count(write, after, count, line):
    match = "E-COUNT|E-TRUNCATED" if line is None else rf"E-COUNT[\s\S]*line {line}"
    with pytest.raises(BadDataError, match=match):
        open_trajectory(write(frame(count=count) + after))


@pytest.mark.parametrize("count", [0, -5])
def test_no_atoms(write, count):
    with pytest.raises(BadDataError, match=rf"E-COUNT: the number of atoms is {count}[\s\S]*line 4"):
        open_trajectory(write(frame(count=count)))


@pytest.mark.parametrize("count", [10**12, N + 1])
def test_count_beyond_the_file(write, count):
    with pytest.raises(
        BadDataError, match=f"E-COUNT: the frame says {count} atoms, but (5 whole lines|the file has only)"
    ):
        open_trajectory(write(frame(0) + frame(1, count=count)))


@pytest.mark.parametrize("count", ["1e3", "five", "99999999999999999999", "5 5"])
def test_count_is_not_a_number(write, count):
    with pytest.raises(BadDataError, match=r"E-HEADER: NUMBER OF ATOMS must be a whole number[\s\S]*line 4"):
        open_trajectory(write(frame(count=count)))


@pytest.mark.parametrize(
    ("row", "match"),
    [
        ("3 1 1.0 2.0", "E-LINE: the line has 4 columns, 5 are announced"),
        ("3 1 1.0 2.0 3.0 4.0", "E-LINE: the line has 6 columns"),
        ("", r"E-LINE: the line has 0 columns[\s\S]*comment or blank"),
        ("# note that this is", "E-LINE|E-NUMBER"),
        ("3 1 nan 2.0 3.0", r"E-NUMBER: column 'x' needs a finite decimal number, found 'nan'[\s\S]*blew up"),
        ("3 1 1.0 -inf 3.0", "E-NUMBER: column 'y'"),
        ("3 1 1.0 2.0 1.#IND", "E-NUMBER: column 'z'"),
        ("3 1 ******** 2.0 3.0", r"E-NUMBER: .*found '\*{8}'"),
        ("3 1 1.2D+01 2.0 3.0", r"E-NUMBER: .*found '1.2D\+01'[\s\S]*Fortran exponent"),
        ("3 1 1,5 2.0 3.0", r"E-NUMBER: [\s\S]*decimal comma"),
        ("3 1 1e999 2.0 3.0", "E-NUMBER: column 'x'"),
        ("3.0 1 1.0 2.0 3.0", "E-NUMBER: column 'id' needs a whole number, found '3.0'"),
        ("9223372036854775808 1 1.0 2.0 3.0", "E-NUMBER: column 'id': .* is beyond int64"),
        ("3 1 1.0 \0\0\0\0 3.0", r"E-NUL: binary zeros at byte \d+"),
        ("3 0 1.0 2.0 3.0", "E-TYPE: atom type 0"),
        ("3 1 1.0 2.0\x0b3.0 1", "E-NUMBER: a control character"),
    ],
)
def test_broken_atom_line(write, row, match):
    rows = [f"{i} 1 1.0 2.0 3.0" for i in (1, 2)] + [row] + [f"{i} 1 1.0 2.0 3.0" for i in (4, 5)]
    path = write(frame(0) + frame(1, rows=rows))
    with pytest.raises(BadDataError, match=match) as info:
        read(path)
    assert (info.value.frame, info.value.timestep, info.value.line) == (1, 1, 26)
    assert info.value.file == str(path)


def test_zeros_name_their_byte(write):
    data = frame().replace("9.25", "\0\0\0\0")
    with pytest.raises(BadDataError, match=f"binary zeros at byte {data.index(chr(0))}\n"):
        read(write(data))
    with pytest.raises(BadDataError, match=f"binary zeros at byte {len(frame())}\n"):
        read(write(frame() + "\0" * 100))
    zeroed = (frame() + frame(1))[:-80] + "\0" * 80
    with pytest.raises(BadDataError, match=f"binary zeros at byte {len(zeroed) - 80}\n") as refusal:
        open_trajectory(write(zeroed))
    assert refusal.value.line == zeroed.count("\n") + 1


def test_zeros_over_line_ends_in_the_middle(write):
    """They change the number of lines, too; a packed file says that only."""
    data = frame() + frame(1)[:-60] + "\0" * 59 + "\n" + frame(2)
    with pytest.raises(BadDataError, match=f"E-NUL: binary zeros at byte {data.index(chr(0))}\n") as refusal:
        open_trajectory(write(data))
    assert refusal.value.line == data.count("\n", 0, data.index(chr(0))) + 1
    with pytest.raises(BadDataError, match="E-COUNT"):
        open_trajectory(write(data, "in.dump.gz"))


def test_duplicate_id(write):
    rows = [f"{i} 1 1.0 2.0 3.0" for i in (4, 2, 3, 2, 1)]
    with pytest.raises(BadDataError, match=r"E-DUP-ID: atom id 2 appears twice .*line 11\)") as info:
        read(write(frame(rows=rows)))
    assert (info.value.line, info.value.atom_id) == (13, 2)


@pytest.mark.parametrize(
    ("box", "match"),
    [
        ("0 10\n10 0\n0 10", "E-BOX: the box is inverted along y[^~]*line 7"),
        ("0 10\n0 10\n5 5", "E-BOX: the box is zero along z[^~]*line 8"),
        ("0 nan\n0 10\n0 10", "E-BOX: 'nan' is not a finite[^~]*line 6"),
        ("0 10\n0 1e999\n0 10", "E-BOX: '1e999' is not a finite"),
        ("0 10\n0 1.1e9\n0 10", "E-BOX: the box reaches 1.1e.09, beyond 1e.09[^~]*line 7"),
        ("0 10\n0 10\n-1e300 10", "E-BOX: the box reaches -1e.300, beyond[^~]*line 8"),
        ("0 10\n0 10 3\n0 10", "E-BOX: expected 2 numbers"),
        ("0 10\n0 10", "E-BOX: fewer than 3 lines after"),
    ],
)
def test_bad_box(write, box, match):
    with pytest.raises(BadDataError, match=match):
        open_trajectory(write(frame(box=box)))


def test_a_box_thinner_than_atoms_are_apart_is_refused_where_it_repeats(write):
    for box, line in (("0 10\n0 10\n0 1e-6", 6), ("0 0.49\n0 10\n0 10", 6)):
        with pytest.raises(BadDataError, match=r"E-BOX: the box is .* thick along its periodic axis") as refusal:
            open_trajectory(write(frame(0) + frame(1, box=box)))
        assert (refusal.value.frame, refusal.value.line) == (1, 14 + line)
    # A cell that is tilted over by ten edges is no thicker.
    with pytest.raises(BadDataError, match=r"E-BOX: the box is 0.0995 angstrom thick along its periodic axis x"):
        open_trajectory(write(frame(flags=" xy xz yz pp pp pp", box="0 11 10\n0 1 0\n0 10 0")))
    # Free sides do not repeat; unit cells are thicker.
    assert len(read(write(frame(box="0 10\n0 10\n0 1e-6", flags=" pp pp ff")))) == 1
    assert len(read(write(frame(box="0 0.51\n0 1.6\n0 2")))) == 1


def test_missing_box_and_flat_or_left_handed_box(write):
    data = frame()
    start, end = data.index("ITEM: BOX"), data.index("ITEM: ATOMS")
    with pytest.raises(BadDataError, match="E-BOX: the frame has no 'ITEM: BOX BOUNDS'"):
        open_trajectory(write(data[:start] + data[end:]))
    for box in ("1 0 0 0\n0 1 0 0\n1 1 0 0", "0 1 0 0\n1 0 0 0\n0 0 1 0"):
        with pytest.raises(BadDataError, match="E-BOX: the box vectors span no volume"):
            open_trajectory(write(frame(flags=" abc origin pp pp pp", box=box)))
    with pytest.raises(BadDataError, match="E-BOX: cannot read the box title"):
        open_trajectory(write(frame(flags=" pf pp pp")))


@pytest.mark.parametrize(
    ("columns", "match"),
    [
        ("id type x y vz", r"E-2D: there is no z coordinate[\s\S]*2D systems are not supported"),
        ("type id xs ys", "E-2D: there is no z coordinate"),
        ("id type xu yu z", "E-COLUMN: column 'zu' is missing"),
        ("id x x y z", "E-COLUMN: column 'x' stands twice"),
        ("id type a b c", "E-COLUMN: column 'x', 'y', 'z' is missing"),
    ],
)
def test_missing_columns(write, columns, match):
    """In a later frame too, before any atom is read."""
    with pytest.raises(BadDataError, match=match) as info:
        open_trajectory(write(frame(0) + frame(1, columns=columns)))
    assert (info.value.frame, info.value.line) == (1, 23)


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "E-FORMAT: the file is empty"),
        (b"\0" * 5000, "E-FORMAT: the file is only binary zeros"),
        (b"<!DOCTYPE html><html>", "E-FORMAT: the file is an HTML"),
        (b"64\nLattice\nCu 0 0 0\n", "E-FORMAT: the file is like XYZ"),
        (b"\x28\xb5\x2f\xfd1234", "E-ZSTD"),
        (b"BZh9 1234", "E-BZIP2"),
        (b"\xfd7zXZ\0", r"E-FORMAT: the file is xz-compressed[\s\S]*xz -d"),
        (b"PK\x03\x04", r"E-FORMAT: the file is zip-compressed[\s\S]*unzip"),
        (
            b"hello\x1b[31m world\n",
            r"E-FORMAT: .*of no format that is read: it begins with 'hello\\x1b[\s\S]*give a trajectory",
        ),
        (b"# only\n# comments\n", "E-FORMAT: the file has no frame"),
        (b"ITEM: ENTRIES index\n", "E-FORMAT: the file is a LAMMPS dump of style local"),
        (b"ITEM: TIMESTEP\n0\nITEM: NUMBER OF GRID CELLS\n", "E-HEADER|E-TRUNCATED"),
        (b"\x1f\x8b\x08", "E-GZIP"),
    ],
)
def test_not_a_dump(write, data, match):
    with pytest.raises(BadDataError, match=match):
        open_trajectory(write(data))


def test_endless_line(write):
    with pytest.raises(BadDataError, match="E-FORMAT: a line is longer"):
        index_frames(write("ITEM: TIMESTEP" + " " * 300000), block=1000)


def test_gzip_cut_or_damaged(write, tmp_path):
    rng = np.random.default_rng(0)
    frames = []
    for step in range(3):
        rows = [f"{i + 1} 1 {x:.5f} {y:.5f} {z:.5f}" for i, (x, y, z) in enumerate(rng.random((9000, 3)) * 10)]
        frames.append(frame(step, rows=rows))
    packed = gzip.compress("".join(frames).encode())
    whole = len("".join(frames[:2]))
    path = tmp_path / "cut.dump.gz"
    path.write_bytes(packed[:-9])
    with pytest.raises(BadDataError, match=rf"E-GZIP[\s\S]*head -c ({whole}|{len(''.join(frames))})"):
        open_trajectory(path)
    path.write_bytes(packed[:-8] + b"12345678")
    with pytest.raises(BadDataError, match=r"E-GZIP: the gzip file is damaged[\s\S]*may be wrong too"):
        open_trajectory(path)
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(BadDataError, match=r"E-GZIP.*frame 0 is the last whole one") as info:
        open_trajectory(path)
    assert f"head -c {len(frames[0])} " in info.value.hint


def test_gzip_members_one_after_the_other(tmp_path):
    path = tmp_path / "in.dump.gz"
    path.write_bytes(gzip.compress(frame(0).encode()) + gzip.compress(frame(1).encode()))
    assert [f.timestep for f in read(path)] == [0, 1]


def test_compression_is_told_by_content(tmp_path):
    path = tmp_path / "in.dump"
    path.write_bytes(gzip.compress(frame(3).encode()))
    assert read(path)[0].timestep == 3


@pytest.mark.parametrize("change", [lambda t: t[:-40], lambda t: t.replace("\n5\n", "\n6\n"), lambda t: "x" * len(t)])
def test_file_changed_after_it_was_indexed(write, change):
    trajectory = open_trajectory(write(frame(5)))
    write(change(frame(5)))
    with pytest.raises(BadDataError, match=r"E-CHANGED|E-HEADER"):
        list(trajectory.read())


def test_missing_file(tmp_path):
    with pytest.raises(NoInputError, match=r"E-NO-FILE: the input file is not there"):
        open_trajectory(tmp_path / "none.dump")
    with pytest.raises(NoInputError, match="is a folder"):
        open_trajectory(tmp_path)
