"""Values by atom id in a table of text, packed or not, read forward in pieces."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from qsdask.errors import BadDataError
from qsdask.formats.container import TextFile
from qsdask.formats.header import shown
from qsdask.formats.value_table import ValueRows, checked, columns_meant

__all__ = ["NO_VALUE", "all_numbers", "cells_of", "divided_by", "rows_of_text", "text_in"]

#: What stands for no value in tables of text, in any case.
NO_VALUE = frozenset({"", "nan", "na", "n/a", "null", "none", "<na>"})

#: How tables of text are divided; blanks where the heading holds none of these.
_BETWEEN = (",", ";", "\t")


class _Raw(io.RawIOBase):
    """The text of a file, unpacked, for Python's own readers."""

    def __init__(self, file: TextFile) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, view: Any) -> int:
        return self._file.readinto(memoryview(view))


def text_in(packed: TextFile, errors: str = "strict") -> io.TextIOWrapper:
    """The text of a file for Python's own readers, ends of lines as they are."""
    return io.TextIOWrapper(io.BufferedReader(_Raw(packed), 1 << 20), encoding="utf-8-sig", errors=errors, newline="")


def rows_of_text(
    path: str | os.PathLike, name: str, id_column: str, column: str | None, *, count: int
) -> Iterator[ValueRows]:
    """Rows of a table of text, `count` at a time; see `qsdask.formats.values.value_rows`."""
    with TextFile(path) as packed:
        text = text_in(packed)
        try:
            yield from _TextTable(path, text).rows(name, id_column, column, count)
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
        told = remark if remark and first and all_numbers(cells_of(first, divided_by(first))) else first
        self._between = divided_by(told)
        self.names = [cell.strip() for cell in cells_of(told, self._between)]
        if not first or not any(self.names):
            raise BadDataError("the file is empty", code="E-HEADER", file=path, hint="write 'id,value' and the values")
        if all_numbers(self.names):
            raise BadDataError(
                f"the first line names no columns: {shown(told.strip().encode())}",
                code="E-HEADER",
                file=path,
                line=self._passed,
                hint="write a line such as 'id,barrier' above it",
            )
        self._lines = _chain(first, text) if told is remark else text

    def _numbered(self) -> Iterator[tuple[int, list[str]]]:
        """Line and cells of every row."""
        passed = self._passed - (not isinstance(self._lines, io.TextIOWrapper))
        if not self._between:
            yield from ((k, line.split()) for k, line in enumerate(self._lines, passed + 1))
            return
        reader = csv.reader(self._lines, delimiter=self._between)
        yield from ((passed + reader.line_num, cells) for cells in reader)

    def rows(self, name: str, id_column: str, column: str | None, count: int) -> Iterator[ValueRows]:
        """Rows of the two columns, some at a time."""
        mine, its = columns_meant(self.names, name, id_column, column, self.path)
        row, numbered = 1, self._numbered()
        while taken := list(islice(numbered, count)):
            kept = [(k, cells) for k, cells in taken if cells and any(cells) and not cells[0].startswith("#")]
            self._refuse_short(kept)
            line = np.array([k for k, _ in kept], dtype=np.int64)
            ids = self._whole([cells[mine] for _, cells in kept], line)
            value = self._reals([cells[its] for _, cells in kept], line, ids)
            yield checked(ValueRows(ids, value, line, row), self.path)
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
            if cell.strip().casefold() not in NO_VALUE:
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


def divided_by(line: str) -> str:
    """What divides the cells of a line; empty for blanks."""
    count = {mark: line.count(mark) for mark in _BETWEEN}
    best = max(_BETWEEN, key=lambda mark: count[mark])
    return best if count[best] else ""


def cells_of(line: str, between: str) -> list[str]:
    """Cells of a line that this divides, as of `divided_by`."""
    return next(csv.reader([line], delimiter=between), []) if between else line.split()


def all_numbers(cells: Sequence[str]) -> bool:
    """Whether there are cells, and all are numbers."""
    try:
        return bool([float(cell) for cell in cells])
    except ValueError:
        return False
