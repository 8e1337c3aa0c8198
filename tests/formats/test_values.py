"""Tables of values by atom id: what is read alike, and what is refused with its place."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from qsdask.errors import BadDataError, NoInputError, QSDaskError, UsageError
from qsdask.formats import values as module
from qsdask.formats.values import value_rows

WANTED = {3: 0.5, 1: -1.25e-3, 2: float("nan"), 7: 4.0}


def read(values, name="barrier", **columns) -> dict[int, float]:
    found: dict[int, float] = {}
    for part in value_rows(values, name=name, **columns):
        assert part.id.dtype == np.int64
        assert part.value.dtype == np.float64
        found |= dict(zip(part.id.tolist(), part.value.tolist(), strict=True))
    return found


def same(one: dict[int, float], two: dict[int, float]) -> bool:
    return one.keys() == two.keys() and np.array_equal([*one.values()], [two[k] for k in one], equal_nan=True)


TEXTS = {
    "commas": "id,barrier\n3,0.5\n1,-1.25e-3\n2,\n7,4\n",
    "semicolons, any case, other columns": "x;ID;Barrier;y\n0;3;0.5;a\n0;1;-1.25e-3;b\n0;2;NA;c\n0;7;4;d\n",
    "tabs": "id\tbarrier\n3\t0.5\n1\t-1.25e-3\n2\tnan\n7\t4\n",
    "blanks": "  id   barrier\n 3   0.5\n 1   -1.25e-3\n 2   NaN\n 7   4.0\n",
    "savetxt": "# id barrier\n3 0.5\n1 -1.25e-3\n2 nan\n7 4\n",
    "remarks before": "# made by nobody\n#\nid,barrier\n3,0.5\n1,-1.25e-3\n2,null\n7,4\n",
    "the only other column": "id,anything\n3,0.5\n1,-1.25e-3\n2,\n7,4\n",
    "quotes, CRLF, blank lines": '"id","barrier"\r\n"3","0.5"\r\n\r\n1,-1.25e-3\r\n2,""\r\n7,4\r\n',
    "ids of floats, byte order mark": "\ufeffid,barrier\n3.0,0.5\n1.0,-1.25e-3\n2.0,\n7.0,4\n",
}


@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("rows", [1, 2, 1 << 18])
def test_every_way_to_write_a_table_is_read_alike_in_pieces_or_whole(kind, rows, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_ROWS", rows)
    file = tmp_path / "values.csv"
    file.write_bytes(TEXTS[kind].encode())
    assert same(read(file), WANTED)
    packed = tmp_path / "values.csv.gz"
    packed.write_bytes(gzip.compress(TEXTS[kind].encode()))
    assert same(read(packed), WANTED)


def test_parquet_and_what_python_holds_are_read_alike(tmp_path, monkeypatch):
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    pandas = pytest.importorskip("pandas")

    table = arrow.table({"id": [*WANTED], "barrier": [0.5, -1.25e-3, None, 4.0], "other": list("abcd")})
    parquet.write_table(table, tmp_path / "v.parquet")
    monkeypatch.setattr(module, "_ROWS", 3)
    assert same(read(tmp_path / "v.parquet"), WANTED)
    assert same(read(str(tmp_path / "v.parquet"), id_column="id", column="barrier"), WANTED)
    ids, value = [*WANTED], [*WANTED.values()]
    frame = pandas.DataFrame({"id": ids, "barrier": value})
    for given in (
        WANTED,
        {**WANTED, 2: None},
        frame,
        frame.set_index("id")["barrier"],
        {"id": ids, "barrier": value},
        (np.array(ids, dtype=float), np.array(value)),
        [ids, [0.5, -1.25e-3, None, 4]],
    ):
        assert same(read(given), WANTED)


REFUSED = {
    "no number": ("id,barrier\n3,0.5\n1,high\n", "E-NUMBER", "'high'", 3, 1),
    "a decimal comma": ("id;barrier\n3;0,5\n", "E-NUMBER", "'0,5'", 2, 3),
    "a decimal comma between commas": ("id,barrier\n3,0,5\n", "E-LINE", "3 columns", 2, None),
    "infinite": ("id,barrier\n3,0.5\n1,-inf\n", "E-NUMBER", "-inf", 3, 1),
    "beyond doubles": ("id,barrier\n\n3,1e999\n", "E-NUMBER", "inf", 3, 3),
    "as good as infinite": ("id,barrier\n3,1e31\n", "E-NUMBER", "beyond 1e[+]30", 2, 3),
    "no id": ("id,barrier\n,0.5\n", "E-NUMBER", "must be a whole number, found ''", 2, None),
    "half an id": ("id,barrier\n1.5,0.5\n", "E-NUMBER", "'1.5'", 2, None),
    "an id beyond integers": ("id,barrier\n99999999999999999999,0.5\n", "E-NUMBER", "whole number", 2, None),
    "a short line": ("id,barrier\n3,0.5\n1\n", "E-LINE", "1 columns", 3, None),
    "no heading": ("3,0.5\n1,2\n", "E-HEADER", "names no columns", 1, None),
    "nothing": ("", "E-HEADER", "empty", None, None),
    "no ids": ("atom,barrier\n3,0.5\n", "E-COLUMN", "no column 'id'.*columns are: atom, barrier", None, None),
    "which one": ("id,a,b\n3,0.5,1\n", "E-COLUMN", "which column holds 'barrier'", None, None),
    "twice the column": ("id,barrier,barrier\n3,0.5,1\n", "E-COLUMN", "2 times", None, None),
    "a dump": ("ITEM: TIMESTEP\n0\n", "E-FORMAT", "LAMMPS dump", None, None),
    "a spreadsheet": ("PK\x03\x04junk", "E-FORMAT", "zip file", None, None),
    "zeros": ("id,bar\0rier\n", "E-FORMAT", "no text", None, None),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_table_of_values_is_refused_with_its_place(case, tmp_path):
    text, code, said, line, atom_id = REFUSED[case]
    file = tmp_path / "values.csv"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(BadDataError, match=said) as caught:
        read(file)
    assert (caught.value.code, caught.value.line, caught.value.atom_id) == (code, line, atom_id)
    assert caught.value.file == str(file)


def test_other_files_and_objects_are_refused(tmp_path):
    with pytest.raises(NoInputError):
        read(tmp_path / "nowhere.csv")
    (tmp_path / "v.csv").write_bytes("id,barrier\n1,\xe9\n".encode("latin-1"))
    (tmp_path / "v.parquet").write_text("id,barrier\n1,2\n")
    (tmp_path / "cut.parquet").write_bytes(b"PAR1 and no more")
    for name in ("v.csv", "v.parquet", "cut.parquet"):
        with pytest.raises(BadDataError) as caught:
            read(tmp_path / name)
        assert caught.value.code == "E-FORMAT"
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(TEXTS["commas"].encode())[:-9])
    with pytest.raises(BadDataError) as caught:
        read(tmp_path / "cut.csv.gz")
    assert caught.value.code == "E-GZIP"
    for given in (3.0, "abc".encode, [1, 2, 3]):
        with pytest.raises(UsageError) as caught:
            read(given)
        assert caught.value.code == "E-VALUES"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (([1, 2], [0.5]), "equally long"),
        (([1, 2], [0.5, "high"]), "'high' in row 2"),
        (([1, "b"], [0.5, 1.0]), "row 1|row 2"),
        (([1.5], [0.5]), "1.5"),
        (([1, 2], [0.5, np.inf]), "atom id 2 in row 2"),
    ],
)
def test_arrays_are_checked_as_files_are(given, said):
    with pytest.raises(BadDataError, match=said):
        read(given)


def test_a_table_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch):
    file = tmp_path / "values.csv"
    file.write_text("id,barrier\n1,2\n3,4\n")
    monkeypatch.setattr(module, "_ROWS", 1)
    rows = value_rows(file, name="barrier")
    next(rows)
    with Path(file).open("a") as more:
        more.write("5,6\n")
    with pytest.raises(QSDaskError) as caught:
        list(rows)
    assert caught.value.code == "E-CHANGED"
