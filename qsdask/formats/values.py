"""Values by atom id: CSV and other tables of text, packed or not, Apache Parquet, or what Python holds."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from qsdask.errors import BadDataError, UsageError
from qsdask.files.location import opened
from qsdask.formats.container import refuse_changed, sniff, stamp
from qsdask.formats.header import shown
from qsdask.formats.tables import parquet_for
from qsdask.formats.value_table import ValueRows, checked, columns_meant
from qsdask.formats.value_text import rows_of_text

__all__ = ["value_rows"]

#: Rows that are held at once.
_ROWS = 1 << 18

_PARQUET = b"PAR1"

#: How what is no table begins, what it is, and what to do.
_OTHERS = (
    (b"PK\x03\x04", "a zip file, such as a spreadsheet", "save it as CSV"),
    (b"\xd0\xcf\x11\xe0", "a spreadsheet", "save it as CSV"),
    (b"\x93NUMPY", "a NumPy array", "in Python: qsdask.label(store, values=(ids, numpy.load(FILE)), name=...)"),
    (b"\x89HDF", "an HDF5 file", "write the ids and the values as CSV"),
    (b"ITEM:", "a LAMMPS dump", "write the ids and the values as CSV"),
)


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
        yield from rows_of_text(values, name, id_column, column, count=_ROWS)
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


def _of_parquet(path: str | os.PathLike, name: str, id_column: str, column: str | None) -> Iterator[ValueRows]:
    arrow = parquet_for(path)
    try:
        with opened(path) as source:
            file = arrow.parquet.ParquetFile(source)
            names = list(file.schema_arrow.names)
            mine, its = columns_meant(names, name, id_column, column, path)
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
        mine, its = columns_meant(names, name, id_column, column, None)
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
    return checked(ValueRows(ids.astype(np.int64), real, None, row), file)


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
