"""Tables for data frames: CSV and Apache Parquet, one row an atom."""

from __future__ import annotations

import os
from types import ModuleType
from typing import Any

import numpy as np

from qsdask.errors import UsageError
from qsdask.formats.writer import TextWriter, Writer, reals

__all__ = ["CsvWriter", "ParquetWriter", "parquet_for"]

_LEADING = ("id", "element", "x", "y", "z")
_TAKEN = frozenset({"frame", *_LEADING})


class CsvWriter(TextWriter):
    """CSV with a head line: ``id, element, x, y, z`` and the further columns, ``frame`` first where there are several.

    The arguments are those of `qsdask.formats.writer.Writer`. The table holds no cell and no units.
    """

    _TAKEN = _TAKEN
    _BOOL = ("False", "True")
    _BETWEEN = ","

    def _open(self):
        names = ["frame"] * (self.frame is not None) + [*_LEADING, *self.columns]
        self._file.write((",".join(names) + "\n").encode())

    def _header(self):
        return ""

    def _cells(self, identity, species, position):
        if self.frame is not None:
            yield [str(self.frame)] * len(identity)
        yield list(map(str, np.asarray(identity).tolist()))
        names = [_quoted(name) for name in self.species]
        yield [names[k] for k in species.tolist()]
        for axis in range(3):
            yield reals(position[:, axis])


def _quoted(text: str) -> str:
    """A cell of CSV (RFC 4180)."""
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"') else text


class ParquetWriter(Writer):
    """Apache Parquet: the columns of `CsvWriter` in their own types; units of ``x, y, z`` in the metadata of these.

    The arguments are those of `qsdask.formats.writer.Writer`.
    """

    _TAKEN = _TAKEN
    _table: Any = None

    def _open(self):
        self._arrow = arrow = parquet_for(self.path)
        meaning = {"units": "sigma" if self.units == "lj" else "angstrom"}
        leading = [
            *([arrow.field("frame", arrow.int64())] if self.frame is not None else []),
            arrow.field("id", arrow.int64()),
            arrow.field("element", arrow.string()),
            *(arrow.field(axis, arrow.float64(), metadata=meaning) for axis in "xyz"),
        ]
        further = [arrow.field(name, arrow.from_numpy_dtype(dtype)) for name, dtype in self.columns.items()]
        self._schema = arrow.schema(leading + further)
        self._table = arrow.parquet.ParquetWriter(self._file, self._schema, compression="zstd")

    def _begin(self):
        pass

    def _append(self, identity, species, position, columns):
        n = len(identity)
        frame = [] if self.frame is None else [np.full(n, self.frame, np.int64)]
        leading = [np.asarray(identity, np.int64), [self.species[k] for k in species.tolist()]]
        place = [np.ascontiguousarray(position[:, axis], np.float64) for axis in range(3)]
        further = [values.astype(self.columns[name]) for name, values in columns.items()]
        values = [*frame, *leading, *place, *further]
        arrays = [self._arrow.array(one, kind) for one, kind in zip(values, self._schema.types, strict=True)]
        self._table.write_batch(self._arrow.record_batch(arrays, schema=self._schema))

    def _end(self):
        if self._table is not None:
            self._table.close()


def parquet_for(path) -> ModuleType:
    """``pyarrow`` with ``pyarrow.parquet``, which is installed only by those who need it.

    Raises
    ------
    UsageError
        ``E-EXTRA``.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise UsageError(
            f"{os.path.basename(os.fspath(path))} is Parquet, which needs pyarrow, and that is not installed",
            code="E-EXTRA",
            file=path,
            hint="pip install 'qsdask[parquet]', or use .csv.gz",
        ) from error
    return pyarrow
