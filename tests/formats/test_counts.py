"""Atoms that a header says are held against the bytes of the file and the memory at hand before room is made for them."""

from __future__ import annotations

import bz2
import gzip
import shutil
import struct
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import zstandard

from qsdask.errors import BadDataError
from qsdask.formats import open_trajectory
from qsdask.formats.container import TextFile

PACK = {"gzip": gzip.compress, "bzip2": bz2.compress, "zstd": zstandard.ZstdCompressor(level=19).compress}
DATA = Path(__file__).parent / "data"
MANY = 10**9


def dump(rows, step=0, count=None):
    return (
        f"ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n{len(rows) if count is None else count}\n"
        "ITEM: BOX BOUNDS pp pp pp\n0 90\n0 90\n0 90\nITEM: ATOMS id type x y z\n" + "".join(rows)
    ).encode()


def crystal(n=25):
    """Lines in order, as similar as those of atoms can be."""
    return [
        f"{k} 1 {3.6 * x:.6g} {3.6 * y:.6g} {3.6 * z:.6g}\n"
        for k, (x, y, z) in enumerate(product(range(n), repeat=3), start=1)
    ]


@pytest.fixture
def put(tmp_path):
    def put(data, name="in.dump"):
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return put


@pytest.fixture
def nothing_is_read(monkeypatch):
    """No text is passed over: what is refused is refused by what is known before."""

    def skip(self, n_line):
        raise AssertionError(f"{n_line} lines were looked for")

    monkeypatch.setattr("qsdask.formats.container.TextStream.skip", skip)


@pytest.fixture
def little_memory(monkeypatch):
    monkeypatch.setattr("qsdask.formats.refusal.memory_at_hand", lambda: 450)


@pytest.mark.parametrize("pack", PACK.values(), ids=PACK)
def test_a_packed_file_cannot_hold_what_its_header_says(put, nothing_is_read, pack):
    path = put(pack(dump(["1 1 0.5 0.5 0.5\n"] * 200_000, step=7, count=MANY)))
    with pytest.raises(BadDataError, match=r"E-COUNT: the frame says 1000000000 atoms, but the file has only") as found:
        open_trajectory(path)
    assert (found.value.file, found.value.frame, found.value.timestep, found.value.line) == (str(path), 0, 7, 10)


def test_a_bomb_of_equal_lines_is_refused_before_it_is_unpacked(put, nothing_is_read):
    with pytest.raises(BadDataError, match="E-COUNT"):
        open_trajectory(put(PACK["zstd"](dump(["1 1 0.5 0.5 0.5\n"] * 10**6))))


@pytest.mark.parametrize("pack", [*PACK.values(), partial(zstandard.ZstdCompressor(level=22).compress)])
def test_the_most_similar_lines_of_atoms_pass(put, pack):
    rows = crystal()
    path = put(pack(dump(rows)))
    assert open_trajectory(path).frames[0].natoms == len(rows)
    with TextFile(path) as text:
        assert text.most_lines(5) > 10 * len(rows)
    only_ids = [f"{k} 1 0 0 0\n" for k in range(200_000)]
    assert open_trajectory(put(pack(dump(only_ids)))).frames[0].natoms == len(only_ids)


@pytest.mark.parametrize("data", [dump(crystal(3)), gzip.compress(dump(crystal(3)))], ids=["plain", "gzip"])
def test_more_atoms_than_memory_are_refused_where_they_are_announced(put, little_memory, nothing_is_read, data):
    with pytest.raises(BadDataError, match=r"E-MEMORY: the frame says 27 atoms, which take") as found:
        open_trajectory(put(data))
    assert (found.value.frame, found.value.timestep, found.value.line) == (0, 0, 1)


def test_other_formats_ask_for_memory_too(tmp_path, put, little_memory):
    shutil.copy(DATA / "ortho.bin", tmp_path)
    with pytest.raises(BadDataError, match="E-MEMORY"):
        open_trajectory(tmp_path / "ortho.bin")
    with pytest.raises(BadDataError, match="E-MEMORY"):
        open_trajectory(put(b"5\n\n" + b"Cu 0.5 1.5 2.5\n" * 5, "in.xyz"), boundary="fff")
    pytest.importorskip("ase")
    text = b'5\nLattice="9 0 0 0 9 0 0 0 9" pbc="T T T"\n' + b"Cu 1.5 0.5 2.5\n" * 5
    with pytest.raises(BadDataError, match="E-MEMORY"):
        open_trajectory(put(text, "in.extxyz"))


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("in.xyz", b"%d\nglass\nCu 0 0 0\n"),
        ("in.xyz.gz", b"%d\nglass\nCu 0 0 0\n"),
        ("in.gro", b"glass\n %d\n    1CU     CU    1   0.126   1.624   1.679\n   1 1 1\n"),
    ],
)
def test_counts_of_texts_that_mdanalysis_reads(put, name, head):
    data = head % MANY
    path = put(gzip.compress(data) if name.endswith("gz") else data, name)
    with pytest.raises(BadDataError, match=f"E-COUNT: the frame says {MANY} atoms, but the file has only") as found:
        open_trajectory(path, boundary="ppp")
    assert found.value.file == str(path)


@pytest.mark.parametrize(("form", "at"), [("xtc", 4), ("trr", 64)])
def test_counts_of_gromacs_files(tmp_path, form, at):
    mdanalysis = pytest.importorskip("MDAnalysis")
    path = tmp_path / f"in.{form}"
    universe = mdanalysis.Universe.empty(12, trajectory=True)
    universe.atoms.positions = np.random.default_rng(0).random((12, 3))
    universe.dimensions = [10, 10, 10, 90, 90, 90]
    with mdanalysis.Writer(str(path), n_atoms=12) as writer:
        writer.write(universe.atoms)
    data = bytearray(path.read_bytes())
    assert struct.unpack_from(">i", data, at) == (12,)
    assert open_trajectory(path, boundary="ppp").frames[0].natoms == 12
    struct.pack_into(">i", data, at, MANY)
    path.write_bytes(data)
    with pytest.raises(BadDataError, match=f"E-COUNT: the frame says {MANY} atoms"):
        open_trajectory(path, boundary="ppp")


def test_counts_of_extended_xyz(put, nothing_is_read):
    comment = b'Lattice="9 0 0 0 9 0 0 0 9" pbc="T T T"\n'
    for pack in (bytes, *PACK.values()):
        with pytest.raises(BadDataError, match=r"E-COUNT: the frame says .* atoms, but the file has only") as found:
            open_trajectory(put(pack(b"%d\n%sCu 0 0 0\n" % (MANY, comment)), "in.extxyz"))
        assert (found.value.frame, found.value.line) == (0, 1)


HEADER = "glass\n1.0\n9 0 0\n0 9 0\n0 0 9\nCu Zr\n"


@pytest.mark.parametrize(
    ("text", "name", "line"),
    [
        (f"{HEADER}2 {MANY}\nDirect\n0.1 0.2 0.3\n", "POSCAR", 7),
        (f"{HEADER}{MANY} 1\nDirect configuration= 1\n0.1 0.2 0.3\n0.4 0.5 0.6\n", "XDATCAR", 7),
        (
            f"{HEADER}1 1\nDirect configuration= 1\n0.1 0.2 0.3\n0.4 0.5 0.6\n{HEADER}1 {MANY}\nDirect configuration= 2\n",
            "XDATCAR",
            17,
        ),
    ],
)
def test_counts_of_vasp_files(put, text, name, line):
    pytest.importorskip("ase")
    with pytest.raises(BadDataError, match=r"E-COUNT: the header says .* atoms, but the file has only") as found:
        open_trajectory(put(text.encode(), name))
    assert found.value.line == line


def test_files_that_are_read_whole_must_fit_into_memory(put, monkeypatch):
    pytest.importorskip("ase")
    monkeypatch.setattr("qsdask.formats.ase_reader.memory_at_hand", lambda: 10**7)
    with pytest.raises(BadDataError, match="E-MEMORY: the text is longer than"):
        open_trajectory(put(gzip.compress(b"# comment\n" * 10**6), "in.cif.gz"))


def test_more_frames_than_a_store_takes_are_refused_as_they_are_counted(tmp_path, put, monkeypatch):
    row = ["1 1 0.5 0.5 0.5\n"]
    texts = [dump(row, step) for step in range(12)]
    monkeypatch.setattr("qsdask.formats.refusal.MOST_FRAMES", 10)
    assert len(open_trajectory(put(b"".join(texts[:10])))) == 10
    for left_out in (False, True):
        with pytest.raises(BadDataError, match="E-FRAMES: there are more than 10 frames") as found:
            open_trajectory(put(b"".join(texts[:11]) + b"never looked at"), skip_bad_frames=left_out)
        assert (found.value.frame, found.value.line) == (10, 110)
    with pytest.raises(BadDataError, match="E-FRAMES"):
        open_trajectory([put(b"".join(texts[:6]), "a"), put(b"".join(texts[6:]), "b")])
    (tmp_path / "many.bin").write_bytes((DATA / "ortho.bin").read_bytes())
    monkeypatch.setattr("qsdask.formats.refusal.MOST_FRAMES", 2)
    with pytest.raises(BadDataError, match="E-FRAMES"):
        open_trajectory(tmp_path / "many.bin")
    pytest.importorskip("ase")
    with pytest.raises(BadDataError, match="E-FRAMES"):
        open_trajectory(put(b'1\nLattice="9 0 0 0 9 0 0 0 9" pbc="T T T"\nCu 1.5 0.5 2.5\n' * 3, "in.extxyz"))
