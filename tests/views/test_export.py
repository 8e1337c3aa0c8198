"""What is exported holds what the store holds, as other programs read it."""

from __future__ import annotations

import json
import subprocess
import sys
import zlib
from bz2 import decompress

import numpy as np
import pandas as pd
import pytest
import zstandard

import qsdask
from qsdask.cli import main
from qsdask.errors import UsageError
from qsdask.formats import open_trajectory

COLUMNS = ["qs", "d2min", "valid", "flag"]


@pytest.fixture(scope="module")
def store(tiny):
    return tiny / "tiny.zarr"


@pytest.fixture(scope="module")
def table(store):
    """All atoms of both frames, from the store by xarray alone."""
    tree = qsdask.open_store(store)
    feature = tree["features/interstice"].ds["feature"].values.tolist()
    parts = []
    for frame in range(2):
        part = pd.DataFrame({"frame": frame, "id": tree["atoms/id"].values})
        part["element"] = np.array(["Cu", "Zr"])[tree["atoms/species"].values]
        part[["x", "y", "z"]] = tree["frames/position"].values[frame]
        part["qs"] = tree["softness/tiny/qs"].values
        part["d2min"] = tree["response/d2min/d2min"].values[frame]
        part["valid"] = tree["response/d2min/valid"].values[frame]
        part["flag"] = tree["shells/voronoi/flag"].values
        part[feature[5]] = tree["features/interstice/value"].values[:, 5]
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def same(found: pd.DataFrame, table: pd.DataFrame) -> None:
    assert list(found) == list(table)
    for name in table:
        single = table[name].dtype == np.float32  # which text does not tell
        values = found[name].to_numpy().astype(np.float32) if single else found[name].to_numpy()
        np.testing.assert_array_equal(values, table[name].to_numpy(), name)


def typed(*arguments: object) -> int:
    return main([str(a) for a in arguments])


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".csv.zst", ".csv.bz2"])
def test_pandas_reads_tables(store, table, tmp_path, ending):
    out = qsdask.export(store, tmp_path / f"a{ending}", step="all", columns=list(table)[6:])
    same(pd.read_csv(out), table)
    one = qsdask.export(store, tmp_path / f"b{ending}", step=1, columns=COLUMNS)
    same(pd.read_csv(one), table[table["frame"] == 1][[*list(table)[1:6], *COLUMNS]])


def test_parquet_keeps_types_and_units(store, table, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    out = qsdask.export(store, tmp_path / "a.parquet", step=[0, -1], columns=list(table)[6:])
    same(pd.read_parquet(out), table)
    read = parquet.ParquetFile(out)
    assert read.metadata.num_row_groups == 4  # two domains of two frames: never a whole frame in memory
    kinds = {field.name: str(field.type) for field in read.schema_arrow}
    assert kinds.items() >= {"id": "int64", "x": "double", "valid": "bool", "flag": "uint8"}.items()
    assert kinds[list(table)[-1]] == "float"
    assert read.schema_arrow.field("x").metadata == {b"units": b"angstrom"}


@pytest.mark.parametrize("ending", [".dump", ".lammpstrj.gz", ".dump.zst", ".dump.bz2"])
def test_several_frames_are_a_trajectory_that_is_ingested_again(store, table, tmp_path, few, ending):
    out = tmp_path / f"a{ending}"
    assert typed("export", store, "--frame", "all", "--columns", "QS,D2min", "--out", out) == 0
    frames = list(open_trajectory(out).read())
    assert [frame.timestep for frame in frames] == qsdask.open_store(store)["frames/timestep"].values.tolist()
    for k, frame in enumerate(frames):
        expected = table[table["frame"] == k]
        np.testing.assert_array_equal(frame.id, expected["id"])
        np.testing.assert_array_equal(frame.position, expected[["x", "y", "z"]])
    qsdask.ingest(out, tmp_path / "again.zarr", strain_step=0.01, chunk=24, run=few)
    again = qsdask.open_store(tmp_path / "again.zarr")["frames"].ds
    first = qsdask.open_store(store)["frames"].ds
    np.testing.assert_array_equal(again["position"], first["position"])
    np.testing.assert_array_equal(again["cell"], first["cell"])


def test_ase_reads_a_trajectory(store, table, tmp_path):
    io = pytest.importorskip("ase.io")
    out = qsdask.export(store, tmp_path / "a.extxyz.gz", step="all", columns=COLUMNS)
    for k, atoms in enumerate(io.read(out, ":", format="extxyz")):
        expected = table[table["frame"] == k]
        np.testing.assert_array_equal(atoms.positions, expected[["x", "y", "z"]])
        for name in ("id", *COLUMNS):
            np.testing.assert_array_equal(atoms.arrays[name], expected[name])
    assert k == 1


_OVITO = """
import json, sys
from ovito.io import import_file
found = import_file(sys.argv[1])
for k in range(found.source.num_frames):
    data = found.compute(k).particles
    print(json.dumps([data.identifiers[:].tolist(), data.positions[:].tolist(), data["qs"][:].tolist()]))
"""


@pytest.mark.parametrize("name", ["a.dump.gz", "a.extxyz"])
def test_ovito_reads_a_trajectory(store, table, tmp_path, name):
    pytest.importorskip("ovito")
    out = qsdask.export(store, tmp_path / name, step="all", columns=["qs"])
    shown = subprocess.run([sys.executable, "-c", _OVITO, out], capture_output=True, text=True, check=True)
    read = [json.loads(line) for line in shown.stdout.strip().splitlines()]
    assert len(read) == 2
    for k, (number, position, qs) in enumerate(read):
        expected = table[table["frame"] == k].set_index("id").loc[number]
        # Its parser rounds the last digit otherwise.
        np.testing.assert_allclose(position, expected[["x", "y", "z"]], rtol=1e-14)
        np.testing.assert_allclose(qs, expected["qs"], rtol=1e-14)


def test_columns_are_named_in_any_case_and_what_is_always_there_is_not_written_twice(store, tmp_path):
    name = "sro__interstice_area__voro__std"
    out = qsdask.export(store, tmp_path / "a.csv", columns=["ID", "species", "Qs", name.upper(), "QS", "x"])
    assert out.read_text().splitlines()[0] == f"id,element,x,y,z,qs,{name}"
    with pytest.raises(UsageError, match="E-COLUMN: no column qx in frame 1") as caught:
        qsdask.export(store, tmp_path / "b.csv", step=[1, 0], columns=["QS", "qx"])
    assert "qs" in caught.value.why
    assert not (tmp_path / "b.csv").exists()


def test_packed_files_are_the_same_bytes_again(store, tmp_path):
    plain = qsdask.export(store, tmp_path / "a.csv", columns=["qs"]).read_bytes()
    unpack = {
        ".gz": lambda data: zlib.decompress(data, 31),
        ".zst": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
        ".bz2": decompress,
    }
    for ending, unpacked in unpack.items():
        one, two = (qsdask.export(store, tmp_path / f"{k}.csv{ending}", columns=["qs"]).read_bytes() for k in "ab")
        assert one == two
        assert unpacked(one) == plain


def test_endings_and_frames_that_are_not_understood(store, tmp_path, capsys, monkeypatch):
    for options, code in (
        (("--out", tmp_path / "a.txt.gz"), "E-FORMAT"),
        (("--out", tmp_path / "a.parquet.gz"), "E-FORMAT"),
        (("--out", tmp_path / "a.gz"), "E-FORMAT"),
        (("--out", tmp_path / "a.csv", "--frame", "every"), "E-STEP"),
        (("--out", tmp_path / "a.csv", "--frame", "all", "--strain", "0.01"), "E-SETTING"),
    ):
        assert typed("export", store, *options) == 64
        assert code in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"(?s)E-EXTRA.*qsdask\[parquet\]"):
        qsdask.export(store, tmp_path / "a.parquet")
    assert not list(tmp_path.iterdir())


def test_softness_of_a_file_is_written_as_a_table(tiny, table, tmp_path, capsys):
    asked = ("softness", tiny / "tiny.dump", "--species", "Cu,Zr", "--model", tiny / "tiny.qs", "--accept-outside")
    assert typed(*asked, "--out", tmp_path / "a.txt") == 64
    assert "E-FORMAT" in capsys.readouterr().err
    assert typed(*asked, "--out", tmp_path / "a.csv.gz") == 0
    found = pd.read_csv(tmp_path / "a.csv.gz").set_index("id")
    assert list(found) == ["element", "x", "y", "z", "qs", "qs_std", "outside"]
    known = table[(table["frame"] == 0) & table["qs"].notna()]
    np.testing.assert_array_equal(found.loc[known["id"], "qs"], known["qs"])
