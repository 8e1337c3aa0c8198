"""What is written is read back, by this package and by the rules of the formats."""

from __future__ import annotations

import csv
import gc

import numpy as np
import pytest

from qsdask.errors import CannotCreateError, UsageError
from qsdask.formats import DumpWriter, ExtxyzWriter, open_trajectory, open_writer, write_extxyz, write_lammps_dump
from qsdask.formats.tables import CsvWriter

RNG = np.random.default_rng(3)
N = 200
CELLS = {
    "orthogonal": np.diag([10.0, 11.0, 12.0]),
    "triclinic": np.array([[10.0, 0, 0], [-2.5, 11.0, 0], [1.5, -1.25, 12.0]]),
    "general": np.array([[9.0, 1.0, 0.5], [-1.0, 8.0, 1.0], [0.5, -2.0, 7.0]]),
}


def atoms(cell, origin=(1.0, -2.0, 0.25)):
    return {
        "cell": cell,
        "origin": np.array(origin),
        "periodic": np.array([True, True, False]),
        "identity": RNG.permutation(N) * 3 + 2**33,
        "species_names": ("Zr", "Cu"),
        "species": RNG.integers(0, 2, N),
        "position": np.array(origin) + RNG.random((N, 3)) @ cell,
    }


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS.keys())
def test_dump_is_read_back(tmp_path, cell):
    path = tmp_path / "out.dump"
    given = atoms(cell)
    write_lammps_dump(path, **given, timestep=42, columns={"qs": RNG.random(N), "plastic": RNG.random(N) < 0.5})
    (got,) = open_trajectory(path).read()
    np.testing.assert_array_equal(got.position, given["position"])
    np.testing.assert_array_equal(got.id, given["identity"])
    np.testing.assert_array_equal(got.type, given["species"] + 1)
    assert [got.element.name[k] for k in got.element.code] == [("Zr", "Cu")[k] for k in given["species"]]
    np.testing.assert_allclose(got.cell, cell, rtol=0, atol=1e-14)
    np.testing.assert_allclose(got.origin, given["origin"], rtol=0, atol=1e-14)
    assert got.boundary == ("pp", "pp", "ff")
    assert got.timestep == 42
    assert path.read_text().splitlines()[8] == "ITEM: ATOMS id type element x y z qs plastic"


def test_values_of_columns(tmp_path):
    given = atoms(CELLS["orthogonal"])
    columns = {
        "d2min": np.where(RNG.random(N) < 0.2, np.nan, RNG.random(N) * 1e-7),
        "single": RNG.random(N).astype(np.float32),
        "count": RNG.integers(-(2**60), 2**60, N),
        "plastic": RNG.random(N) < 0.5,
    }
    write_lammps_dump(tmp_path / "out.dump", **given, columns=columns)
    write_extxyz(tmp_path / "out.extxyz", **given, columns=columns)
    dump = [line.split()[6:] for line in (tmp_path / "out.dump").read_text().splitlines()[9:]]
    lines = (tmp_path / "out.extxyz").read_text().splitlines()
    xyz = [line.split()[5:] for line in lines[2:]]
    for rows, truth in ((dump, "1"), (xyz, "T")):
        d2min, single, count, plastic = zip(*rows, strict=True)
        np.testing.assert_array_equal(np.array(d2min, float), columns["d2min"])
        np.testing.assert_array_equal(np.array(single, np.float32), columns["single"])
        assert [int(text) for text in count] == columns["count"].tolist()
        assert [text == truth for text in plastic] == columns["plastic"].tolist()


def test_extxyz_header(tmp_path):
    path = tmp_path / "out.extxyz"
    given = atoms(CELLS["triclinic"])
    write_extxyz(path, **given, timestep=7, columns={"qs": np.zeros(N), "n": np.zeros(N, int), "b": np.zeros(N, bool)})
    lines = path.read_text().splitlines()
    assert lines[0] == str(N)
    assert lines[1] == (
        'Lattice="10.0 0.0 0.0 -2.5 11.0 0.0 1.5 -1.25 12.0" Origin="1.0 -2.0 0.25" pbc="T T F" Timestep=7 '
        "Properties=species:S:1:pos:R:3:id:I:1:qs:R:1:n:I:1:b:L:1"
    )
    position = np.array([line.split()[1:4] for line in lines[2:]], float)
    np.testing.assert_array_equal(position, given["position"])


@pytest.mark.parametrize("writer", [DumpWriter, ExtxyzWriter, CsvWriter])
def test_chunks_make_the_same_file(tmp_path, writer):
    given = atoms(CELLS["triclinic"])
    names = given.pop("species_names")
    data = {name: given.pop(name) for name in ("identity", "species", "position")}
    qs = RNG.random(N)
    for name, chunk in (("one", N), ("many", 37)):
        with writer(tmp_path / name, natoms=N, species=names, columns={"qs": float}, **given) as out:
            for k in range(0, N, chunk):
                part = slice(k, k + chunk)
                out.write(**{key: value[part] for key, value in data.items()}, columns={"qs": qs[part]})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "many").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["many", "one"]


def settings():
    return {"cell": np.eye(3), "origin": np.zeros(3), "periodic": [True] * 3, "species": ["Cu"], "natoms": 2}


def test_nothing_is_left_of_a_file_that_was_not_finished(tmp_path):
    path = tmp_path / "out.dump"
    path.write_text("before")
    with (
        pytest.raises(UsageError, match="E-COUNT: 1 atoms were written, 2 were announced"),
        DumpWriter(path, **settings()) as out,
    ):
        out.write([1], [0], np.zeros((1, 3)))
    with pytest.raises(RuntimeError, match="stop"), DumpWriter(path, **settings()):
        raise RuntimeError("stop")
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["a.csv", "a.dump.gz", "a.extxyz.zst", "a.dump.bz2", "a.parquet"])
@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_nothing_is_left_of_frames_that_are_not_whole(tmp_path, name):
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    later = {"cell": np.eye(3), "origin": np.zeros(3), "timestep": 1, "frame": 1}
    out = open_writer(tmp_path / name, **settings(), frame=0)
    out.write([1, 2], np.zeros(2, int), np.zeros((2, 3)))
    out.next_frame(**later)
    out.write([1], np.zeros(1, int), np.zeros((1, 3)))
    with pytest.raises(UsageError, match="E-COUNT: 1 atoms were written, 2 were announced"):
        out.next_frame(**later | {"frame": 2})
    with pytest.raises(UsageError, match="E-COUNT"):
        out.close()
    del out
    gc.collect()
    assert not list(tmp_path.iterdir())


def test_names_of_species_are_quoted_in_csv(tmp_path):
    with open_writer(tmp_path / "a.csv", **settings() | {"species": ['a,"b"', "Zr"]}) as out:
        out.write([1, 2], np.array([0, 1]), np.zeros((2, 3)))
    with (tmp_path / "a.csv").open(newline="") as file:
        assert [row[1] for row in csv.reader(file)] == ["element", 'a,"b"', "Zr"]


@pytest.mark.parametrize("columns", [{"x": float}, {"two words": float}, {"qs": str}, {"1a": int}, {"": int}])
def test_columns_that_cannot_be_written(tmp_path, columns):
    with pytest.raises(UsageError, match="E-COLUMN"):
        DumpWriter(tmp_path / "out.dump", **settings(), columns=columns)
    assert not list(tmp_path.iterdir())


def test_other_columns_than_announced(tmp_path):
    with (
        pytest.raises(UsageError, match="E-COLUMN"),
        DumpWriter(tmp_path / "out.dump", **settings(), columns={"qs": float}) as out,
    ):
        out.write([1, 2], [0, 0], np.zeros((2, 3)), {"qs": np.zeros(3)})
    assert not list(tmp_path.iterdir())


def test_folder_that_is_not_there(tmp_path):
    with pytest.raises(CannotCreateError, match="E-CREATE"):
        DumpWriter(tmp_path / "none" / "out.dump", **settings())


def test_format_by_ending(tmp_path):
    for name, writer in (
        ("a.extxyz", ExtxyzWriter),
        ("a.XYZ", ExtxyzWriter),
        ("a.dump", DumpWriter),
        ("a.CSV.GZ", CsvWriter),
    ):
        out = open_writer(tmp_path / name, **settings())
        assert type(out) is writer
        out.abandon()
    with pytest.raises(UsageError, match="E-FORMAT"):
        open_writer(tmp_path / "a.txt", **settings())
