"""The header of one frame of a LAMMPS text dump: count, box, boundary, columns; nothing is guessed.

References
----------
https://docs.lammps.org/dump.html, https://docs.lammps.org/Howto_triclinic.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NoReturn

import numpy as np

from qsdask.errors import BadDataError
from qsdask.formats.frame import FARTHEST, FrameHeader, periodic_axes, too_thin
from qsdask.units import LENGTH_UNITS, scale_of

__all__ = ["DumpHeader", "check_opening", "parse_header"]

_INTEGER = re.compile(rb"[+-]?\d{1,18}\Z")
_NUMBER = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\Z")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f]")
_SIDES = re.compile(rb"(pp|[fsm]{2})\Z")
_MOST_COLUMNS = 1000
#: Lines behind each item.
_ITEM_LINES = {b"UNITS": 1, b"TIMESTEP": 1, b"TIME": 1, b"NUMBER OF ATOMS": 1, b"BOX BOUNDS": 3, b"ATOMS": 0}
_ITEM = re.compile(rb"ITEM: (%s)(?:[ \t]+(.+))?\Z" % b"|".join(_ITEM_LINES))
#: Coordinate columns, the best first: the suffix, whether they are fractions of the cell, and the convention.
_COORDINATES = (("", False, "wrapped"), ("u", False, "unwrapped"), ("s", True, "wrapped"), ("su", True, "unwrapped"))


@dataclass(frozen=True, kw_only=True, eq=False)
class DumpHeader(FrameHeader):
    """What the header of a frame says, and which columns are read.

    Attributes
    ----------
    columns : tuple of str
        Names of all columns.
    coordinates : tuple of str
        The three that are read.
    scaled : bool
        Coordinates are fractions of the cell.
    labels : dict of int to str
        Labels of the types, where the header names them.
    """

    columns: tuple[str, ...]
    coordinates: tuple[str, str, str]
    scaled: bool
    labels: dict[int, str] = field(default_factory=dict)

    def cartesian(self, fraction: np.ndarray) -> np.ndarray:
        """Places of atoms from fractions of the cell.

        Parameters
        ----------
        fraction : float64 array, shape (n_atom, 3)

        Returns
        -------
        float64 array, shape (n_atom, 3)
            Not finite where it overflows. Unit: that of the cell.
        """
        # Not by a product of matrices, whose sums may depend on how many rows there are.
        position = np.empty_like(fraction)
        a, b, c = fraction.T
        with np.errstate(over="ignore", invalid="ignore"):
            for axis, (u, v, w) in enumerate(self.cell.T):
                position[:, axis] = self.origin[axis] + (a * u + b * v + c * w)
        return position


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
    """Bytes from a file for a message: short, readable, and with nothing that a terminal would obey.

    Of what is not text at all only the ASCII characters are shown, and a dot for every other byte.
    """
    text = text.strip()
    text = text[:57] + b"..." if len(text) > 60 else text
    strange = sum(not c.isprintable() or c == "\ufffd" for c in text.decode("utf-8", "replace"))
    if 4 * strange > len(text):
        text = bytes(byte if 32 <= byte < 127 else ord(".") for byte in text)
    return repr(text.decode("utf-8", "backslashreplace"))


def parse_header(
    lines: list[bytes],
    *,
    path: object,
    frame: int,
    line: int,
    boundary: tuple[str, str, str] | None,
    units: str | None = None,
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
    units : str, optional
        Unit style where the frame does not name its own: of the frames before, or what the user says.

    Returns
    -------
    DumpHeader

    Raises
    ------
    BadDataError
        ``E-HEADER`` (an item is missing, repeated, unknown or not what it must be), ``E-COUNT`` (fewer than
        one atom), ``E-BOX`` (missing, not finite, beyond all measure, too thin, zero or inverted), ``E-BOUNDARY-UNKNOWN``, ``E-BOUNDARY``
        (file and user disagree), ``E-COLUMN`` (a needed column is missing or stands twice), ``E-2D``,
        ``E-UNITS`` (no unit style of LAMMPS), ``E-NUL``.
    """
    place = _Place(path, frame, line)
    items = _items(lines, place, cut=False)
    for name in (b"TIMESTEP", b"NUMBER OF ATOMS", b"BOX BOUNDS", b"ATOMS"):
        if name not in items:
            code = "E-BOX" if name == b"BOX BOUNDS" else "E-HEADER"
            place.refuse(f"the frame has no 'ITEM: {name.decode()}'", code, 0)
    place.timestep = _whole(items, b"TIMESTEP", place)
    natoms = _whole(items, b"NUMBER OF ATOMS", place)
    if natoms < 1:
        place.refuse(f"the number of atoms is {natoms}", "E-COUNT", items[b"NUMBER OF ATOMS"][0] + 1)
    units = _unit_style(items, place) or units
    cell, origin, flags = _box(items[b"BOX BOUNDS"], place, scale_of(units))
    sides = _agreed(flags, boundary, place, items[b"BOX BOUNDS"][0])
    thin = too_thin(cell, sides, units)
    if thin:
        place.refuse(row=items[b"BOX BOUNDS"][0] + 1, **thin)
    columns = tuple(name.decode("utf-8", "backslashreplace") for name in items[b"ATOMS"][1].split())
    if "element" not in columns:
        # Since 2022 LAMMPS knows labels of types, and calls their column so.
        columns = tuple("element" if name == "typelabel" else name for name in columns)
    coordinates, scaled, convention = _choose_columns(columns, place, items[b"ATOMS"][0])
    time = None
    if b"TIME" in items:
        row, _, values = items[b"TIME"]
        time = _reals(values[0], 1, place, row + 1, "E-HEADER")[0]
    return DumpHeader(
        timestep=place.timestep,
        natoms=natoms,
        cell=cell,
        origin=origin,
        boundary=sides,
        columns=columns,
        coordinates=coordinates,
        scaled=scaled,
        convention=convention,
        units=units,
        time=time,
        has_id="id" in columns,
    )


def check_opening(lines: list[bytes], *, path: object, frame: int, line: int) -> None:
    """Refuse a header that the end of the file cuts, if its lines could not begin any.

    Parameters
    ----------
    lines, path, frame, line
        As for `parse_header`; whole lines, without ``ITEM: ATOMS``.

    Raises
    ------
    BadDataError
        ``E-HEADER``, ``E-BOX``, ``E-NUL``.
    """
    _items(lines, _Place(path, frame, line), cut=True)


def _items(lines, place, *, cut):
    """Name of every item -> its row, what stands behind its name, and its values."""
    items: dict[bytes, tuple[int, bytes, list[bytes]]] = {}
    row = 0
    while row < len(lines):
        name, rest = _title(_stripped(lines[row], place, row), place, row)
        if name in items:
            place.refuse(
                f"ITEM: {name.decode()} stands twice before ITEM: ATOMS",
                "E-HEADER",
                row,
                why="a run was killed while it wrote, and the next one appended to the file",
            )
        n = _ITEM_LINES[name]
        values = [_stripped(value, place, row + 1 + k) for k, value in enumerate(lines[row + 1 : row + 1 + n])]
        if (len(values) < n and not cut) or any(value.startswith(b"ITEM:") for value in values):
            code = "E-BOX" if name == b"BOX BOUNDS" else "E-HEADER"
            place.refuse(f"fewer than {n} line{'s' * (n > 1)} after 'ITEM: {name.decode()}'", code, row)
        items[name] = (row, rest, values)
        row += 1 + n
    return items


def _stripped(line, place, row):
    """A line without its end and the blanks around it: spaces and tabs, no other control characters."""
    text = line.removesuffix(b"\n").removesuffix(b"\r").strip(b" \t")
    if b"\0" in text:
        place.refuse("binary zeros in the header of a frame", "E-NUL", row, why="a node or disk failed")
    if _CONTROL.search(text):
        place.refuse(f"a control character in {shown(text)}", "E-HEADER", row)
    return text


def _title(text, place, row):
    """Name of an item, and what stands behind it."""
    found = _ITEM.match(text)
    if not found:
        if text.startswith(b"ITEM:"):
            place.refuse(f"unknown item {shown(text)}", "E-HEADER", row, why="not a dump of atoms, or damaged")
        place.refuse(f"expected a line 'ITEM: ...', found {shown(text)}", "E-HEADER", row)
    name, rest = found[1], found[2] or b""
    if rest and name not in (b"BOX BOUNDS", b"ATOMS"):
        place.refuse(f"nothing may follow 'ITEM: {name.decode()}', found {shown(rest)}", "E-HEADER", row)
    return name, rest


def _unit_style(items, place):
    """Name of the unit style; None when the frame does not say it."""
    if b"UNITS" not in items:
        return None
    row, _, (text,) = items[b"UNITS"]
    style = text.decode("utf-8", "backslashreplace")
    if style not in LENGTH_UNITS:
        place.refuse(
            f"{shown(text)} is not a unit style of LAMMPS",
            "E-UNITS",
            row + 1,
            hint=f"these are: {', '.join(LENGTH_UNITS)}",
        )
    return style


def _whole(items, name, place):
    row, _, (text,) = items[name]
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


def _box(item, place, scale):
    """Cell, origin and boundary flags (or None) of the three forms LAMMPS writes."""
    row, title, lines = item
    words = title.split()
    if words[:2] == [b"abc", b"origin"]:
        form, words, n = "general", words[2:], 4
    elif words[:3] == [b"xy", b"xz", b"yz"]:
        form, words, n = "triclinic", words[3:], 3
    else:
        form, n = "orthogonal", 2
    if len(words) not in (0, 3) or not all(map(_SIDES.match, words)):
        place.refuse(
            f"cannot read the box title {shown(title)}",
            "E-BOX",
            row,
            why="LAMMPS writes both sides of every axis: pp, or two of f, s and m",
        )
    v = np.array([_reals(text, n, place, row + 1 + k, "E-BOX") for k, text in enumerate(lines)])
    with np.errstate(over="ignore"):
        v *= scale
    far = np.abs(v).max(axis=1) > FARTHEST
    if far.any():
        k = int(np.argmax(far))
        place.refuse(
            f"the box reaches {v[k][np.argmax(np.abs(v[k]))]:g}, beyond {FARTHEST:g}",
            "E-BOX",
            row + 1 + k,
            why="the simulation blew up, or the file is damaged" + ", or has other units" * (scale != 1.0),
        )
    cell, origin = _cell(form, v, place, row)
    # A flat cell has next to no volume beside the box that its edges would make.
    if not np.linalg.det(cell) > 1e-9 * np.prod(np.linalg.norm(cell, axis=1)) > 0.0:
        place.refuse("the box vectors span no volume or are left-handed", "E-BOX", row + 1)
    return cell, origin, tuple(word.decode() for word in words) or None


def _cell(form, v, place, row):
    """Cell and origin from the numbers of the box."""
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
                place.refuse(f"the box is {what} along {axis}: {low[k]:g} to {high[k]:g}", "E-BOX", row + 1 + k)
        edge = high - low
        cell = np.array([[edge[0], 0.0, 0.0], [xy, edge[1], 0.0], [xz, yz, edge[2]]])
        origin = low
    return cell, origin


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
    for suffix, scaled, convention in _COORDINATES:
        names = tuple(axis + suffix for axis in "xyz")
        if all(name in columns for name in names):
            return names, scaled, convention
    # Name the set of which most is there.
    best = max(_COORDINATES, key=lambda c: sum(axis + c[0] in columns for axis in "xyz"))
    missing = [axis + best[0] for axis in "xyz" if axis + best[0] not in columns]
    if missing == ["z" + best[0]] and not any("z" + suffix in columns for suffix, _, _ in _COORDINATES):
        place.refuse(
            f"there is no z coordinate; columns are: {seen}",
            "E-2D",
            row,
            why="2D systems are not supported",
            hint="if the system has three dimensions, dump with 'dump ... custom N file id type x y z'",
        )
    place.refuse(
        f"column {', '.join(map(repr, missing))} is missing; columns are: {seen}",
        "E-COLUMN",
        row,
        why="x y z, xu yu zu, xs ys zs or xsu ysu zsu are needed",
    )


_READ = frozenset(["id", "type", "element", *(axis + suffix for suffix, _, _ in _COORDINATES for axis in "xyz")])
