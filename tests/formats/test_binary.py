"""LAMMPS binary dumps: the numbers of the text dump of the same run, and nothing broken accepted."""

from __future__ import annotations

import pickle
import struct
from pathlib import Path

import numpy as np
import pytest

from qsdask.errors import BadDataError, QSDaskError
from qsdask.formats import open_trajectory
from qsdask.formats.binary import index_binary, is_binary, read_binary

#: Written by LAMMPS 22Jul2025: ``ortho`` by two processes (two chunks), free along z, with units and time;
#: ``tri`` with xs ys zs and elements; ``gen`` in general triclinic form; ``atom`` of style atom.
DATA = Path(__file__).parent / "data"


@pytest.mark.parametrize("name", ["ortho", "tri", "gen", "atom"])
def test_same_numbers_as_the_text_dump(name):
    places, notes = index_binary(DATA / f"{name}.bin")
    assert notes == []
    got = list(read_binary(pickle.loads(pickle.dumps(places))))
    expected = list(open_trajectory(DATA / f"{name}.dump").read())
    assert len(got) == len(expected) > 1
    for one, two in zip(got, expected, strict=True):
        assert (one.timestep, one.natoms, one.boundary, one.convention, one.units, one.time) == (
            two.timestep,
            two.natoms,
            two.boundary,
            two.convention,
            two.units,
            two.time,
        )
        np.testing.assert_array_equal(one.id, two.id)
        np.testing.assert_array_equal(one.position, two.position)
        np.testing.assert_array_equal(one.cell, two.cell)
        np.testing.assert_array_equal(one.origin, two.origin)
        if two.type is not None:
            np.testing.assert_array_equal(one.type, two.type)
        assert np.isnan(one.resolution)
        assert len(one.digest) == 32
    assert len({frame.digest for frame in got}) == len(got)


@pytest.mark.parametrize("block", [1, 7, 32])
def test_blocks_read_at_a_time_change_nothing(monkeypatch, block):
    places, _ = index_binary(DATA / "ortho.bin")
    whole = list(read_binary(places))
    monkeypatch.setattr("qsdask.formats.binary._BLOCK", block)
    for one, two in zip(read_binary(places), whole, strict=True):
        np.testing.assert_array_equal(one.position, two.position)
        np.testing.assert_array_equal(one.id, two.id)
        np.testing.assert_array_equal(one.type, two.type)
        assert one.digest == two.digest


def test_facts_of_the_files():
    ortho, _ = index_binary(DATA / "ortho.bin")
    assert [(p.reader, p.timestep, p.has_id, p.line) for p in ortho] == [
        ("binary", step, True, 0) for step in (0, 10, 20)
    ]
    assert ortho[0].columns == ("id", "type", "x", "y", "z", "ix", "iy", "iz")
    assert ortho[1].boundary == ("pp", "pp", "ff")
    assert ortho[2].units == "metal"  # LAMMPS writes it once
    (tri, _), _ = index_binary(DATA / "tri.bin")
    assert next(read_binary([tri])).type.tolist() == [1] * tri.natoms  # 'element' holds types


def test_opened_by_content():
    whole = open_trajectory(DATA / "ortho.bin")
    assert [f.timestep for f in whole.read(1)] == [10, 20]


def old(
    revision=0,
    *,
    order="<",
    columns=b"id type x y z",
    rows=((1, 2, 0.5, 1.5, 2.5), (7, 1, 3.0, 4.0, 5.0)),
    chunks=None,
    natoms=None,
    step=5,
    magic=b"DUMPCUSTOM",
):
    """A frame as LAMMPS before 2020, or with magic string, writes it."""
    table = np.array(rows, float)
    data = b""
    if revision:
        data += struct.pack(order + "q", -len(magic)) + magic + struct.pack(order + "ii", 1, revision)
    data += struct.pack(
        order + "qqi6i6d", step, len(rows) if natoms is None else natoms, 0, *[0] * 4, 1, 1, 0, 10, 0, 10, 0, 10
    )
    data += struct.pack(order + "i", table.shape[1])
    if revision == 2:
        data += struct.pack(order + "ibi", 0, 0, len(columns)) + columns
    chunks = [table] if chunks is None else chunks
    data += struct.pack(order + "i", len(chunks))
    for chunk in chunks:
        data += struct.pack(order + "i", np.size(chunk)) + np.asarray(chunk).astype(order + "f8").tobytes()
    return data


@pytest.fixture
def write(tmp_path):
    def write(data, name="in.bin"):
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return write


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("revision", [0, 1, 2])
def test_older_headers_and_both_byte_orders(write, order, revision):
    path = write(old(revision, order=order) + old(revision, order=order, step=9))
    places, _ = index_binary(path, columns=None if revision == 2 else "id type x y z")
    one, two = read_binary(places)
    assert (one.timestep, two.timestep) == (5, 9)
    assert one.id.tolist() == [1, 7]
    assert one.type.tolist() == [2, 1]
    assert one.position.tolist() == [[0.5, 1.5, 2.5], [3, 4, 5]]
    assert one.boundary == ("pp", "pp", "ff")


@pytest.mark.parametrize("columns", [None, "id type x y", "id type x y z vx"])
def test_old_headers_need_their_columns(write, columns):
    with pytest.raises(BadDataError, match="E-COLUMN"):
        index_binary(write(old()), columns=columns)


def test_without_ids(write):
    path = write(old(2, columns=b"type x y z", rows=[(1, 2.0, 3.0, 4.0), (1, 5.0, 6.0, 7.0)]))
    (place,), _ = index_binary(path)
    (frame,) = read_binary([place])
    assert not place.has_id
    assert not frame.has_id
    assert frame.id.tolist() == [1, 2]


def test_every_cut_is_told(write):
    first = old(2)
    data = first + old(2, step=9)
    for end in range(1, len(data)):
        path = write(data[:end])
        if end < len(first):
            with pytest.raises(QSDaskError, match=r"E-TRUNCATED|E-FORMAT"):
                index_binary(path)
            continue
        places, notes = index_binary(path)
        assert [p.timestep for p in places] == [5]
        assert [n.code for n in notes] == ["W-TRUNCATED"] * (end > len(first))
        if end > len(first):
            with pytest.raises(BadDataError, match="E-TRUNCATED: the last frame is cut"):
                index_binary(path, strict=True)


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "E-FORMAT: not a LAMMPS binary dump"),
        (b"\0" * 500, "E-FORMAT"),
        (b"ITEM: TIMESTEP\n0\n" + b" " * 200, "E-FORMAT"),
        (old(2, natoms=10**12), "E-TRUNCATED: the only frame is cut, or its count is wrong"),
        (old(2) + old(2, natoms=10**12), "E-COUNT: the frame says 1000000000000 atoms"),
        (old(2) + old(2, natoms=1), "E-COUNT: a chunk says 10 numbers; the frame has 1 atoms"),
        (old(2, natoms=-5), "E-COUNT: the number of atoms is -5"),
        (old(2) + old(2, chunks=[[1, 1, 2, 3]]) + old(2), "E-COUNT: a chunk says 4 numbers"),
        (old(2) + old(2, chunks=[[1, 1, 2, 3, 4]]) + old(2), "E-COUNT: the frame says 2 atoms, its chunks hold 1"),
        (old(2) + b"\xff" * 300, "E-FORMAT: no header of a frame"),
        (old(2) + old(2)[8:], "E-FORMAT: no header of a frame"),
        (old(2, columns=b"id type x y \0"), "E-FORMAT: the header of the frame is damaged"),
        (old(2, columns=b"id type x y"), "E-COLUMN: the frame has 5 columns"),
        (old(2, columns=b"id type x y q"), "E-COLUMN: column 'z' is missing|E-2D"),
        (old(3), "E-FORMAT: no header of a frame is here, or one of a revision"),
    ],
)
def test_damaged_structure(write, data, match):
    with pytest.raises(BadDataError, match=match) as caught:
        index_binary(write(data))
    assert caught.value.line is None
    assert caught.value.file.endswith("in.bin")


@pytest.mark.parametrize("bound", [np.nan, np.inf, -1.0, 0.0, 1e30])
def test_bad_box(write, bound):
    data = bytearray(old(2))
    at = data.index(struct.pack("<6d", 0, 10, 0, 10, 0, 10)) + 8
    data[at : at + 8] = struct.pack("<d", bound)
    with pytest.raises(BadDataError, match="E-BOX"):
        index_binary(write(bytes(data)))


@pytest.mark.parametrize(
    ("row", "match"),
    [
        ((2, 1, np.nan, 0, 0), "E-NUMBER: a coordinate of atom id 2"),
        ((2, 1, 0, 0, -np.inf), "E-NUMBER: a coordinate of atom id 2"),
        ((2, 1, 0, 0, -1e300), "E-NUMBER: a coordinate of atom id 2 is -1e.300, beyond"),
        ((2.5, 1, 0, 0, 0), "E-NUMBER: column 'id' needs whole numbers"),
        ((np.nan, 1, 0, 0, 0), "E-NUMBER: column 'id'"),
        ((1e300, 1, 0, 0, 0), "E-NUMBER: column 'id'"),
        ((2, 1.25, 0, 0, 0), "E-NUMBER: column 'type'"),
        ((2, 0, 0, 0, 0), "E-TYPE: atom type 0 is below 1"),
        ((1, 1, 0, 0, 0), "E-DUP-ID: atom id 1 appears twice"),
    ],
)
def test_bad_numbers(write, row, match):
    good = (1, 2, 0.5, 1.5, 2.5)
    path = write(old(2) + old(2, step=6, rows=[good, row]) + old(2, step=7))
    places, _ = index_binary(path)
    with pytest.raises(BadDataError, match=match) as caught:
        list(read_binary(places))
    assert (caught.value.frame, caught.value.timestep) == (1, 6)
    bad = []
    assert [f.timestep for f in read_binary(places, on_bad=bad.append)] == [5, 7]
    assert [error.frame for error in bad] == [1]


def test_changed_after_it_was_indexed(write):
    path = write(old(2) + old(2, step=6))
    places, _ = index_binary(path)
    for data in (old(2) + old(2, step=8), old(2), b"", old(2) + old(2, step=6)[:-3]):
        write(data)
        with pytest.raises(QSDaskError, match=r"E-CHANGED|E-FORMAT"):
            list(read_binary(places))


def test_compressed(tmp_path):
    import gzip

    path = tmp_path / "in.bin.gz"
    path.write_bytes(gzip.compress(old(2)))
    with pytest.raises(BadDataError, match=r"E-FORMAT: a binary dump that is compressed \(gzip\)"):
        index_binary(path)


def test_random_damage_never_crashes(write):
    """Any byte may be changed: frames are refused or read, with finite numbers, and nothing else happens."""
    data = (DATA / "ortho.bin").read_bytes()
    rng = np.random.default_rng(8)
    codes = []
    for _ in range(400):
        damaged = bytearray(data)
        at = rng.integers(0, 400) if rng.random() < 0.7 else rng.integers(0, len(data))
        damaged[at] = rng.integers(0, 256)
        path = write(bytes(damaged))
        try:
            places, _ = index_binary(path)
            assert all(np.isfinite(frame.position).all() for frame in read_binary(places))
        except QSDaskError as error:
            codes.append(error.code)
    known = "FORMAT COUNT TRUNCATED NUMBER TYPE DUP-ID BOX COLUMN HEADER 2D"
    assert set(codes) <= {f"E-{name}" for name in known.split()}
    assert len(codes) > 100


def test_other_files_are_not_taken_for_binary_dumps(golden):
    assert not is_binary((golden / "cuzr256.dump").read_bytes()[:4096])
    assert not is_binary(b"\0" * 4096)
    dcd = struct.pack("<i4s9i", 84, b"CORD", 2, 0, 1, 2, 0, 0, 0, 0, 0) + b"\0" * 200
    assert not is_binary(dcd)
