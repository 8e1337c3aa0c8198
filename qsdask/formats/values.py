"""Values by atom id: CSV and other tables of text, packed or not, Apache Parquet, or what Python holds."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple, NoReturn

import numpy as np

from qsdask.errors import BadDataError, UsageError
from qsdask.formats.container import TextFile, refuse_changed, sniff, stamp
from qsdask.formats.header import shown
from qsdask.formats.tables import parquet_for

__all__ = ["ValueRows", "value_rows"]

#: Rows that are held at once.
_ROWS = 1 << 18

#: Values beyond this are none: other programs write such for infinity.
LARGEST = 1e30

#: What stands for no value in tables of text, in any case.
_NONE = frozenset({"", "nan", "na", "n/a", "null", "none", "<na>"})

_PARQUET = b"PAR1"

#: How what is no table begins, what it is, and what to do.
_OTHERS = (
    (b"PK\x03\x04", "a zip file, such as a spreadsheet", "save it as CSV"),
    (b"\xd0\xcf\x11\xe0", "a spreadsheet", "save it as CSV"),
    (b"\x93NUMPY", "a NumPy array", "in Python: qsdask.label(store, values=(ids, numpy.load(FILE)), name=...)"),
    (b"\x89HDF", "an HDF5 file", "write the ids and the values as CSV"),
    (b"ITEM:", "a LAMMPS dump", "write the ids and the values as CSV"),
)

#: How tables of text are divided; blanks where the heading holds none of these.
_BETWEEN = (",", ";", "\t")


class ValueRows(NamedTuple):
    """Some rows of a table.

    Attributes
    ----------
    id : int64 array, shape (n,)
        Atom ids, as they stand there.
    value : float64 array, shape (n,)
        NaN where there is none.
    line : int64 array, shape (n,), or None
        Line of each in a text file, from 1.
    row : int
        Number of the first in the table, from 1.
    """

    id: np.ndarray
    value: np.ndarray
    line: np.ndarray | None
    row: int

    def place(self, k: int) -> dict[str, Any]:
        """Where row `k` stands, as errors take it."""
        return {"line": None if self.line is None else int(self.line[k]), "atom_id": int(self.id[k])}


def value_rows(values: Any, *, name: str, id_column: str = "id", column: str | None = None) -> Iterator[ValueRows]:
    """Read values by atom id, some rows at a time.

    Parameters
    ----------
    values : path-like, mapping, data frame, series, or pair of sequences
        A file, recognised by its content: Parquet, or a table of text with a heading, divided by commas, semicolons, tabs or
        blanks, packed by gzip, zstd or bzip2 or not. Or a mapping of ids to values, a data frame or mapping of columns, a
        series with ids as index, or ids and values.
    name : str
        Name of the label, which a column may have.
    id_column : str
        Column of the ids.
    column : str, optional
        Column of the values; the one called `name`, or the only one beside the ids.

    Yields
    ------
    ValueRows
        In the order of the table. Empty cells, NaN, NA and null are no value.

    Raises
    ------
    NoInputError
        ``E-NO-FILE``.
    BadDataError
        ``E-FORMAT`` (another kind of file), ``E-HEADER``, ``E-COLUMN``, ``E-LINE``, ``E-NUMBER`` (no whole number, no number,
        infinite), ``E-TABLE``, ``E-CHANGED``, and those of packed files.
    UsageError
        ``E-EXTRA``: Parquet without pyarrow. ``E-VALUES``: nothing of these.
    """
    if not isinstance(values, str | os.PathLike):
        yield from _of_python(values, name, id_column, column)
        return
    before = stamp(values)
    container, head = sniff(values)
    if head.startswith(_PARQUET) and container == "plain":
        yield from _of_parquet(values, name, id_column, column)
    else:
        _refuse_others(values, container, head)
        yield from _of_text(values, name, id_column, column)
    refuse_changed(values, before)


def _refuse_others(path: str | os.PathLike, container: str, head: bytes) -> None:
    found = next(((what, hint) for magic, what, hint in _OTHERS if head.startswith(magic)), None)
    if found is None and container not in ("plain", "gzip", "zstd", "bzip2"):
        found = f"packed by {container}", "unpack it, or pack it with gzip, zstd or bzip2"
    if found is None and os.fspath(path).casefold().endswith((".parquet", ".pq")):
        found = "called a Parquet file, and is none", "write it again, or name it .csv if it is text"
    if found is None and b"\0" in head:
        found = "no text", "CSV in UTF-8 with the columns id and value, or Parquet"
    if found:
        raise BadDataError(f"this is no table of values: it is {found[0]}", code="E-FORMAT", file=path, hint=found[1])


class _Raw(io.RawIOBase):
    """The text of a file, unpacked, for Python's own readers."""

    def __init__(self, file: TextFile) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, view: Any) -> int:
        return self._file.readinto(memoryview(view))


def _of_text(path: str | os.PathLike, name: str, id_column: str, column: str | None) -> Iterator[ValueRows]:
    with TextFile(path) as packed:
        text = io.TextIOWrapper(io.BufferedReader(_Raw(packed), 1 << 20), encoding="utf-8-sig", newline="")
        try:
            yield from _TextTable(path, text).rows(name, id_column, column)
        except UnicodeDecodeError:
            raise BadDataError(
                "the file is no text in UTF-8", code="E-FORMAT", file=path, hint="save it as CSV in UTF-8"
            ) from None
        except csv.Error as error:
            raise BadDataError(f"the table cannot be read: {error}", code="E-LINE", file=path) from None


class _TextTable:
    """A table of text, its heading read.

    Parameters
    ----------
    path : path-like
        For messages.
    text : text file
        Read forward only.
    """

    def __init__(self, path: str | os.PathLike, text: io.TextIOWrapper) -> None:
        self.path = path
        self._passed = 0
        remark, first = "", ""
        for line in text:
            self._passed += 1
            if line.startswith("#"):
                remark = line.lstrip("#")
            elif line.strip():
                first = line
                break
        # What savetxt of NumPy writes: the heading is a remark above the numbers.
        told = remark if remark and first and _all_numbers(self._cells(first, _between(first))) else first
        self._between = _between(told)
        self.names = [cell.strip() for cell in self._cells(told, self._between)]
        if not first or not any(self.names):
            raise BadDataError("the file is empty", code="E-HEADER", file=path, hint="write 'id,value' and the values")
        if _all_numbers(self.names):
            raise BadDataError(
                f"the first line names no columns: {shown(told.strip().encode())}",
                code="E-HEADER",
                file=path,
                line=self._passed,
                hint="write a line such as 'id,barrier' above it",
            )
        self._lines = _chain(first, text) if told is remark else text

    def _cells(self, line: str, between: str) -> list[str]:
        return next(csv.reader([line], delimiter=between), []) if between else line.split()

    def _numbered(self) -> Iterator[tuple[int, list[str]]]:
        """Line and cells of every row."""
        passed = self._passed - (not isinstance(self._lines, io.TextIOWrapper))
        if not self._between:
            yield from ((k, line.split()) for k, line in enumerate(self._lines, passed + 1))
            return
        reader = csv.reader(self._lines, delimiter=self._between)
        yield from ((passed + reader.line_num, cells) for cells in reader)

    def rows(self, name: str, id_column: str, column: str | None) -> Iterator[ValueRows]:
        """Rows of the two columns, some at a time."""
        mine, its = _columns(self.names, name, id_column, column, self.path)
        row, numbered = 1, self._numbered()
        while taken := list(islice(numbered, _ROWS)):
            kept = [(k, cells) for k, cells in taken if cells and any(cells) and not cells[0].startswith("#")]
            self._refuse_short(kept)
            line = np.array([k for k, _ in kept], dtype=np.int64)
            ids = self._whole([cells[mine] for _, cells in kept], line)
            value = self._reals([cells[its] for _, cells in kept], line, ids)
            yield _checked(ValueRows(ids, value, line, row), self.path)
            row += len(kept)

    def _refuse_short(self, rows: Sequence[tuple[int, list[str]]]) -> None:
        for k, cells in rows:
            if len(cells) != len(self.names):
                raise BadDataError(
                    f"the line has {len(cells)} columns, the heading {len(self.names)}: "
                    f"{shown((self._between or ' ').join(cells).encode())}",
                    code="E-LINE",
                    file=self.path,
                    line=k,
                    why="a decimal comma" if self._between == "," and len(cells) == len(self.names) + 1 else None,
                )

    def _whole(self, cells: list[str], line: np.ndarray) -> np.ndarray:
        """Cells that must be whole numbers."""
        try:
            return np.array(cells, dtype=np.int64)
        except (ValueError, OverflowError):
            pass
        ids = np.empty(len(cells), dtype=np.int64)
        for k, cell in enumerate(cells):
            try:
                # Programs that know floats only write 17.0.
                number = float(cell) if "." in cell else int(cell)
                if number != int(number) or abs(number) >= 2**63:
                    raise ValueError
                ids[k] = int(number)
            except (ValueError, OverflowError):
                raise self._no_number(cell, line[k], "the atom id must be a whole number") from None
        return ids

    def _reals(self, cells: list[str], line: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """Cells that must be numbers, or empty."""
        try:
            return np.array([cell or "nan" for cell in cells], dtype=np.float64)
        except ValueError:
            pass
        value = np.full(len(cells), np.nan)
        for k, cell in enumerate(cells):
            if cell.strip().casefold() not in _NONE:
                try:
                    value[k] = float(cell)
                except ValueError:
                    raise self._no_number(cell, line[k], "the value must be a number", int(ids[k])) from None
        return value

    def _no_number(self, cell: str, line: int, must: str, atom_id: int | None = None) -> BadDataError:
        return BadDataError(
            f"{must}, found {shown(cell.encode())}",
            code="E-NUMBER",
            file=self.path,
            line=int(line),
            atom_id=atom_id,
            why="a decimal comma" if "," in cell else None,
            hint="empty, NaN or NA where there is none" if atom_id is not None else None,
        )


def _chain(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _between(line: str) -> str:
    """What divides the cells of a line; empty for blanks."""
    count = {mark: line.count(mark) for mark in _BETWEEN}
    best = max(_BETWEEN, key=lambda mark: count[mark])
    return best if count[best] else ""


def _all_numbers(cells: Sequence[str]) -> bool:
    try:
        return bool([float(cell) for cell in cells])
    except ValueError:
        return False


def _columns(names: Sequence[str], name: str, id_column: str, column: str | None, file: object) -> tuple[int, int]:
    """Places of the ids and of the values among the columns."""

    def place(wanted: str) -> int | None:
        same = [k for k, one in enumerate(names) if one == wanted] or [
            k for k, one in enumerate(names) if one.casefold() == wanted.casefold()
        ]
        if len(same) > 1:
            raise BadDataError(f"the column {wanted!r} stands {len(same)} times", code="E-COLUMN", file=file)
        return same[0] if same else None

    def refuse(message: str, option: str) -> NoReturn:
        told = f"{message}; columns are: {', '.join(names)}"
        raise BadDataError(told, code="E-COLUMN", file=file, hint=f"{option} names the right one")

    mine = place(id_column)
    if mine is None:
        refuse(f"no column {id_column!r} of atom ids", "--id-column")
    if column is not None:
        its = place(column)
        if its is None:
            refuse(f"no column {column!r}", "--column")
    else:
        others = [k for k in range(len(names)) if k != mine]
        its = place(name) if place(name) is not None else others[0] if len(others) == 1 else None
        if its is None:
            refuse(f"which column holds {name!r}?", "--column")
    if its == mine:
        refuse("ids and values cannot be the same column", "--column")
    return mine, its


def _of_parquet(path: str | os.PathLike, name: str, id_column: str, column: str | None) -> Iterator[ValueRows]:
    arrow = parquet_for(path)
    try:
        file = arrow.parquet.ParquetFile(path)
        names = list(file.schema_arrow.names)
        mine, its = _columns(names, name, id_column, column, path)
        row = 1
        for batch in file.iter_batches(batch_size=_ROWS, columns=[names[mine], names[its]]):
            ids, value = (batch.column(names[k]).to_numpy(zero_copy_only=False) for k in (mine, its))
            yield _of_arrays(ids, value, row, path)
            row += batch.num_rows
    except (arrow.ArrowException, OSError) as error:
        text = str(error).partition("\n")[0]
        raise BadDataError(f"the Parquet file cannot be read: {text}", code="E-FORMAT", file=path) from None


def _of_python(values: Any, name: str, id_column: str, column: str | None) -> Iterator[ValueRows]:
    """Rows of what Python holds."""
    pair: Any = None
    names = list(values.columns) if hasattr(values, "columns") else list(values) if isinstance(values, Mapping) else []
    if names and all(isinstance(one, str) for one in names):
        mine, its = _columns(names, name, id_column, column, None)
        pair = values[names[mine]], values[names[its]]
    elif isinstance(values, Mapping):
        pair = names, list(values.values())
    elif hasattr(values, "index") and hasattr(values, "to_numpy"):
        pair = values.index, values
    elif isinstance(values, tuple | list) and len(values) == 2:
        pair = values
    if pair is None:
        raise UsageError(
            f"values cannot be a {type(values).__name__}",
            code="E-VALUES",
            hint="a file, {id: value}, a data frame or mapping with the columns id and value, or (ids, values)",
        )
    yield _of_arrays(_array(pair[0]), _array(pair[1]), 1, None)


def _array(cells: Any) -> np.ndarray:
    """What is given as an array; numbers beside text stay what they are."""
    found = np.asarray(cells)
    return found if found.dtype.kind not in "US" else np.asarray(cells, dtype=object)


def _of_arrays(ids: np.ndarray, value: np.ndarray, row: int, file: object) -> ValueRows:
    """Rows of two arrays of whatever types."""
    if ids.ndim != 1 or ids.shape != value.shape:
        raise BadDataError(
            f"ids and values must be equally long rows, got shapes {ids.shape} and {value.shape}", code="E-TABLE"
        )
    if ids.dtype.kind not in "iu":
        whole = _floats(ids, "the atom id must be a whole number", row, file)
        strange = np.flatnonzero(~(np.abs(whole) < 2.0**53) | (whole != np.floor(whole)))
        if len(strange):
            raise _no_number(ids[strange[0]], "the atom id must be a whole number", row + int(strange[0]), file)
        ids = whole
    real = (
        value.astype(np.float64)
        if value.dtype.kind in "iufb"
        else _floats(value, "the value must be a number", row, file)
    )
    return _checked(ValueRows(ids.astype(np.int64), real, None, row), file)


def _floats(cells: np.ndarray, must: str, row: int, file: object) -> np.ndarray:
    """Cells of any type as numbers, None as NaN."""
    found = np.full(len(cells), np.nan)
    for k, cell in enumerate(cells.tolist()):
        # Text is not taken for a number here: its column has the wrong type, or is the wrong one.
        if cell is not None and str(cell) != "<NA>":
            try:
                if isinstance(cell, str | bytes):
                    raise ValueError
                found[k] = float(cell)
            except (TypeError, ValueError):
                raise _no_number(cell, must, row + k, file) from None
    return found


def _no_number(cell: object, must: str, row: int, file: object) -> BadDataError:
    return BadDataError(f"{must}, found {shown(str(cell).encode())} in row {row}", code="E-NUMBER", file=file)


def _checked(rows: ValueRows, file: object) -> ValueRows:
    """Refuse what is infinite, or as good as that."""
    far = np.flatnonzero(np.abs(rows.value) > LARGEST)
    if len(far):
        k = int(far[0])
        where = "" if rows.line is not None else f" in row {rows.row + k}"
        raise BadDataError(
            f"the value of atom id {rows.id[k]}{where} is {rows.value[k]:g}"
            + ("" if np.isinf(rows.value[k]) else f", beyond {LARGEST:g}"),
            code="E-NUMBER",
            file=file,
            **rows.place(k),
            hint="empty, NaN or NA where there is none",
        )
    return rows
