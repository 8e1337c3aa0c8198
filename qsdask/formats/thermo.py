"""Tables of what a simulation wrote of itself along its way: logs of LAMMPS, its averages over time, and tables of text."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass

import numpy as np

from qsdask.errors import BadDataError
from qsdask.formats.container import TextFile
from qsdask.formats.value_text import NO_VALUE, all_numbers, cells_of, divided_by, text_in

__all__ = ["ThermoTable", "thermo_table"]

#: First column of what LAMMPS writes in its log, the lines above and below it, and how a log begins.
_HEAD, _ABOVE, _BELOW, _BEGINS = "Step", "Per MPI rank memory allocation", "Loop time of", "LAMMPS ("

#: Style of units, where a log shows the command.
_UNITS = re.compile(r"\s*units\s+(lj|real|metal|si|cgs|electron|micro|nano)\s*(?:#.*)?")

_HOW = "a log of LAMMPS, or a table with a heading such as 'timestep,stress_zz_gpa'"


@dataclass(frozen=True)
class ThermoTable:
    """Columns of numbers, in the order of the file.

    Attributes
    ----------
    path : path-like
    columns : dict of str to float64 array
        By the names in the file; NaN for empty cells, and where a part of a log does not have the column.
    units : str or None
        Style of units that a log of LAMMPS names.
    """

    path: str | os.PathLike
    columns: dict[str, np.ndarray]
    units: str | None


def thermo_table(path: str | os.PathLike) -> ThermoTable:
    """Read a table of time.

    Parameters
    ----------
    path : path-like
        Text, packed or not: a log of LAMMPS with ``thermo_style one`` or ``custom``, all its runs behind each other; what
        ``fix ave/time`` wrote; or a table with a heading, divided by commas, semicolons, tabs or blanks.

    Returns
    -------
    ThermoTable

    Raises
    ------
    NoInputError
        ``E-NO-FILE``.
    BadDataError
        ``E-HEADER`` without names of columns, or with one twice, ``E-LINE`` for a row of another length, ``E-NUMBER`` for a cell
        that is no finite number; those of packed files.
    """
    with TextFile(path) as packed:
        text = text_in(packed, errors="replace").read()
    lines = text.splitlines()
    if text.startswith(_BEGINS) or any(line.startswith((_ABOVE, _BELOW)) for line in lines):
        # A run that was killed may leave half of a line.
        return _of_log(path, lines if text.endswith("\n") else lines[:-1])
    return _of_table(path, lines)


def _of_log(path: str | os.PathLike, lines: list[str]) -> ThermoTable:
    """All runs of a log; what stands between their lines, such as warnings, is no row."""
    rows: list[dict[str, float]] = []
    head: list[str] = []
    units = None
    for number, line in enumerate(lines, 1):
        cells = line.split()
        if found := _UNITS.fullmatch(line):
            units = found[1]
        if cells[:1] == [_HEAD]:
            head = _head(path, number, cells)
        elif line.startswith(_BELOW):
            head = []
        elif head and cells and all_numbers(cells[:1]):
            rows.append(_row(path, number, head, cells))
    names = list(dict.fromkeys(name for row in rows for name in row))
    if not names:
        raise BadDataError("the log has no rows", code="E-HEADER", file=path, hint=_HOW)
    return ThermoTable(path, {name: np.array([row.get(name, math.nan) for row in rows]) for name in names}, units)


def _of_table(path: str | os.PathLike, lines: list[str]) -> ThermoTable:
    rows: list[dict[str, float]] = []
    head: list[str] = []
    remark, between = "", ""
    for number, line in enumerate(lines, 1):
        if line.startswith("#"):
            remark = line.lstrip("#")
            continue
        if not line.strip():
            continue
        if not head:
            # LAMMPS and NumPy write the heading as a remark above the numbers.
            told = remark if remark and all_numbers(cells_of(line, divided_by(line))[:1]) else line
            between = divided_by(told)
            head = _head(path, number, [cell.strip() for cell in cells_of(told, between)])
            if told is line:
                continue
        rows.append(_row(path, number, head, cells_of(line, between)))
    if not rows:
        raise BadDataError("the table has no rows", code="E-HEADER", file=path, hint=_HOW)
    return ThermoTable(path, {name: np.array([row[name] for row in rows]) for name in head}, None)


def _head(path: str | os.PathLike, line: int, names: list[str]) -> list[str]:
    if all_numbers(names[:1]):
        raise BadDataError("no line names the columns", code="E-HEADER", file=path, line=line, hint=_HOW)
    if twice := [name for k, name in enumerate(names) if name in names[:k]]:
        raise BadDataError(f"two columns are called {twice[0]}", code="E-HEADER", file=path, line=line)
    return names


def _row(path: str | os.PathLike, line: int, head: list[str], cells: list[str]) -> dict[str, float]:
    if len(cells) != len(head):
        raise BadDataError(
            f"{len(head)} columns were named, this row has {len(cells)}", code="E-LINE", file=path, line=line
        )
    return {name: _number(path, line, name, cell.strip()) for name, cell in zip(head, cells, strict=True)}


def _number(path: str | os.PathLike, line: int, name: str, cell: str) -> float:
    """A finite number, or NaN for no value."""
    if cell.casefold() in NO_VALUE:
        return math.nan
    try:
        found = float(cell)
    except ValueError:
        found = math.inf
    if not math.isfinite(found):
        raise BadDataError(
            f"column {name} must hold a finite number, found {cell[:40]!r}", code="E-NUMBER", file=path, line=line
        )
    return found
