"""The header of one frame of a LAMMPS text dump: count, box, boundary, columns; nothing is guessed.

References
----------
https://docs.lammps.org/dump.html, https://docs.lammps.org/Howto_triclinic.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from qsdask.errors import BadDataError, UsageError
from qsdask.formats.frame import boundary_flags, periodic_axes

__all__ = ["DumpHeader", "parse_header"]

_INTEGER = re.compile(rb"[+-]?\d{1,18}\Z")
_NUMBER = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\Z")
_MOST_COLUMNS = 1000
#: Coordinate columns, the best first: the suffix, whether they are fractions of the cell, and the convention.
_COORDINATES = (
    ("", False, "wrapped"),
    ("u", False, "unwrapped"),
    ("s", True, "wrapped"),
    ("su", True, "unwrapped"),
)


@dataclass(frozen=True, slots=True)
class DumpHeader:
    """What the header of a frame says.

    Attributes
    ----------
    timestep, natoms : int
    cell, origin, boundary, convention, units, time
        As in `qsdask.formats.frame.Frame`.
    columns : tuple of str
        Names of all columns.
    coordinates : tuple of str
        The three that are read.
    scaled : bool
        Coordinates are fractions of the cell.
    """

    timestep: int
    natoms: int
    cell: np.ndarray
    origin: np.ndarray
    boundary: tuple[str, str, str]
    columns: tuple[str, ...]
    coordinates: tuple[str, str, str]
    scaled: bool
    convention: str
    units: str | None
    time: float | None


class _Place:
    """Where the header stands, for errors."""

    def __init__(self, path, frame, line):
        self.path, self.frame, self.line, self.timestep = path, frame, line, None

    def refuse(self, message, code, row, *, why=None, hint=None) -> NoReturn:
        raise BadDataError(
            message,
            code=code,
            file=self.path,
            frame=self.frame,
            timestep=self.timestep,
            line=self.line + row,
            why=why,
            hint=hint,
        )


def shown(text: bytes) -> str:
    """Bytes from a file for a message: short, and with nothing that a terminal would obey."""
    text = text.strip()
    return repr((text[:57] + b"..." if len(text) > 60 else text).decode("utf-8", "backslashreplace"))


def parse_header(
    lines: list[bytes], *, path: object, frame: int, line: int, boundary: tuple[str, str, str] | None
) -> DumpHeader:
    """Read the header of one frame.

    Parameters
    ----------
    lines : list of bytes
        From the first ``ITEM:`` line of the frame up to and including ``ITEM: ATOMS``.
    path, frame, line
        File, position in it, and line number of ``lines[0]``, for messages.
    boundary : tuple of str or None
        What the user says, needed for old dumps without boundary flags.

    Returns
    -------
    DumpHeader

    Raises
    ------
    BadDataError
        ``E-HEADER`` (an item is missing, repeated, unknown or not what it must be), ``E-COUNT`` (fewer than
        one atom), ``E-BOX`` (missing, not finite, zero or inverted), ``E-BOUNDARY-UNKNOWN``, ``E-BOUNDARY``
        (file and user disagree), ``E-COLUMN`` (a needed column is missing or stands twice).
    """
    place = _Place(path, frame, line)
    items: dict[bytes, tuple[int, bytes, list[bytes]]] = {}
    row = 0
    while row < len(lines):
        text = lines[row].strip()
        if not text.startswith(b"ITEM:"):
            if b"\0" in text:
                place.refuse(
                    "binary zeros in the header of a frame", "E-NUL", row, why="a node or disk failed"
                )
            place.refuse(f"expected a line 'ITEM: ...', found {shown(text)}", "E-HEADER", row)
        title = text[5:].strip()
        name = next(
            (known for known in _ITEM_LINES if title == known or title.startswith(known + b" ")), None
        )
        if name is None:
            place.refuse(
                f"unknown item {shown(title)}", "E-HEADER", row, why="not a dump of atoms, or damaged"
            )
        if name in items:
            place.refuse(
                f"ITEM: {name.decode()} stands twice before ITEM: ATOMS",
                "E-HEADER",
                row,
                why="a run was killed while it wrote, and the next one appended to the file",
            )
        n = _ITEM_LINES[name]
        values = lines[row + 1 : row + 1 + n]
        if len(values) < n or any(value.lstrip().startswith(b"ITEM:") for value in values):
            code = "E-BOX" if name == b"BOX BOUNDS" else "E-HEADER"
            place.refuse(f"fewer than {n} line{'s' * (n > 1)} after 'ITEM: {name.decode()}'", code, row)
        items[name] = (row, title[len(name) :].strip(), values)
        row += 1 + n
    for name in (b"TIMESTEP", b"NUMBER OF ATOMS", b"BOX BOUNDS", b"ATOMS"):
        if name not in items:
            code = "E-BOX" if name == b"BOX BOUNDS" else "E-HEADER"
            place.refuse(f"the frame has no 'ITEM: {name.decode()}'", code, 0)
    place.timestep = _whole(items, b"TIMESTEP", place)
    natoms = _whole(items, b"NUMBER OF ATOMS", place)
    if natoms < 1:
        place.refuse(f"the number of atoms is {natoms}", "E-COUNT", items[b"NUMBER OF ATOMS"][0] + 1)
    cell, origin, flags = _box(items[b"BOX BOUNDS"], place)
    columns = tuple(name.decode("utf-8", "backslashreplace") for name in items[b"ATOMS"][1].split())
    coordinates, scaled, convention = _choose_columns(columns, place, items[b"ATOMS"][0])
    time = None
    if b"TIME" in items:
        row, _, values = items[b"TIME"]
        time = _reals(values[0], 1, place, row + 1, "E-HEADER")[0]
    units = items[b"UNITS"][2][0].decode("utf-8", "backslashreplace").strip() if b"UNITS" in items else None
    return DumpHeader(
        timestep=place.timestep,
        natoms=natoms,
        cell=cell,
        origin=origin,
        boundary=_agreed(flags, boundary, place, items[b"BOX BOUNDS"][0]),
        columns=columns,
        coordinates=coordinates,
        scaled=scaled,
        convention=convention,
        units=units,
        time=time,
    )


_ITEM_LINES = {
    b"UNITS": 1,
    b"TIMESTEP": 1,
    b"TIME": 1,
    b"NUMBER OF ATOMS": 1,
    b"BOX BOUNDS": 3,
    b"ATOMS": 0,
}


def _whole(items, name, place):
    row, _, values = items[name]
    text = values[0].strip()
    if not _INTEGER.match(text):
        place.refuse(f"{name.decode()} must be a whole number, found {shown(text)}", "E-HEADER", row + 1)
    return int(text)


def _reals(text, n, place, row, code):
    tokens = text.split()
    if len(tokens) != n:
        place.refuse(f"expected {n} numbers, found {shown(text)}", code, row)
    for token in tokens:
        if not _NUMBER.match(token) or not np.isfinite(float(token)):
            place.refuse(f"{shown(token)} is not a finite decimal number", code, row)
    return [float(token) for token in tokens]


def _box(item, place):
    """Cell, origin and boundary flags (or None) of the three forms LAMMPS writes."""
    row, title, lines = item
    words = title.split()
    if words[:2] == [b"abc", b"origin"]:
        form, words, n = "general", words[2:], 4
    elif words[:3] == [b"xy", b"xz", b"yz"]:
        form, words, n = "triclinic", words[3:], 3
    else:
        form, n = "orthogonal", 2
    if len(words) not in (0, 3):
        place.refuse(f"cannot read the box title {shown(title)}", "E-BOX", row)
    v = np.array([_reals(text, n, place, row + 1 + k, "E-BOX") for k, text in enumerate(lines)])
    if form == "general":
        cell, origin = v[:, :3].copy(), v[:, 3].copy()
    else:
        xy, xz, yz = v[:, 2] if form == "triclinic" else (0.0, 0.0, 0.0)
        # LAMMPS writes the box that bounds the tilted cell, not the cell.
        low = v[:, 0] - [min(0.0, xy, xz, xy + xz), min(0.0, yz), 0.0]
        high = v[:, 1] - [max(0.0, xy, xz, xy + xz), max(0.0, yz), 0.0]
        for k, axis in enumerate("xyz"):
            if not high[k] > low[k]:
                what = "zero" if high[k] == low[k] else "inverted"
                place.refuse(
                    f"the box is {what} along {axis}: {low[k]:g} to {high[k]:g}", "E-BOX", row + 1 + k
                )
        edge = high - low
        cell = np.array([[edge[0], 0.0, 0.0], [xy, edge[1], 0.0], [xz, yz, edge[2]]])
        origin = low
    # A flat cell has next to no volume beside the box that its edges would make.
    if not np.linalg.det(cell) > 1e-9 * np.prod(np.linalg.norm(cell, axis=1)) > 0.0:
        place.refuse("the box vectors span no volume, or are left-handed", "E-BOX", row + 1)
    try:
        flags = boundary_flags(b" ".join(words).decode("utf-8", "backslashreplace")) if words else None
    except UsageError as error:
        place.refuse(f"cannot read the box title {shown(title)}: {error.message}", "E-BOX", row)
    return cell, origin, flags


def _agreed(flags, given, place, row):
    if flags is None and given is None:
        place.refuse(
            "the dump does not say which boundaries are periodic",
            "E-BOUNDARY-UNKNOWN",
            row,
            why="LAMMPS before 2010, and other programs, write 'ITEM: BOX BOUNDS' without 'pp pp pp'",
            hint="give the boundary, for example --boundary ppp",
        )
    if flags is None:
        return given
    if given is not None and np.any(periodic_axes(flags) != periodic_axes(given)):
        place.refuse(
            f"the boundary given is {' '.join(given)}, the file says {' '.join(flags)}",
            "E-BOUNDARY",
            row,
            hint="leave the boundary out to use that of the file",
        )
    return flags


def _choose_columns(columns, place, row):
    seen = ", ".join(columns) if columns else "none"
    if len(columns) > _MOST_COLUMNS:
        place.refuse(f"{len(columns)} columns, more than {_MOST_COLUMNS}", "E-COLUMN", row)
    for name in columns:
        if name in _READ and columns.count(name) > 1:
            place.refuse(f"column {name!r} stands twice", "E-COLUMN", row)
    if "id" not in columns:
        place.refuse(
            f"column 'id' is missing; columns are: {seen}",
            "E-COLUMN",
            row,
            why="LAMMPS writes atoms in any order: without ids they cannot be followed from frame to frame",
            hint="dump with 'dump ... custom N file id type x y z'",
        )
    for suffix, scaled, convention in _COORDINATES:
        names = tuple(axis + suffix for axis in "xyz")
        if all(name in columns for name in names):
            return names, scaled, convention
    # Name the set of which most is there.
    best = max(_COORDINATES, key=lambda c: sum(axis + c[0] in columns for axis in "xyz"))
    missing = [axis + best[0] for axis in "xyz" if axis + best[0] not in columns]
    place.refuse(
        f"column {', '.join(map(repr, missing))} is missing; columns are: {seen}",
        "E-COLUMN",
        row,
        why="x y z, xu yu zu, xs ys zs or xsu ysu zsu are needed; two dimensions are not supported",
    )


_READ = frozenset(
    ["id", "type", "element", *(axis + suffix for suffix, _, _ in _COORDINATES for axis in "xyz")]
)
