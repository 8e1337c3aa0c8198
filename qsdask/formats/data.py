"""LAMMPS data files, in double precision: the box and the section ``Atoms``; one frame.

References
----------
https://docs.lammps.org/read_data.html, https://docs.lammps.org/Howto_triclinic.html
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from qsdask.formats.as_dump import DumpLines, reals
from qsdask.formats.frame import FrameLocation, ReadWarning
from qsdask.formats.header import DumpHeader, shown
from qsdask.formats.layout import Body, Layout
from qsdask.formats.single import index_single

__all__ = ["DATA", "index_data", "is_data"]

#: Columns of the atom styles; image flags may follow. Of styles without these, the user names them.
_STYLES = {
    b"atomic": "id type x y z",
    b"charge": "id type q x y z",
    b"molecular": "id mol type x y z",
    b"bond": "id mol type x y z",
    b"angle": "id mol type x y z",
    b"full": "id mol type q x y z",
    b"sphere": "id type diameter density x y z",
    b"dipole": "id type q x y z mux muy muz",
    b"electron": "id type q spin radius x y z",
    b"peri": "id type volume density x y z",
}
_IMAGES = ("ix", "iy", "iz")
_COUNT = re.compile(rb"^[ \t]*\d+[ \t]+atoms[ \t]*(#.*)?\r?$", re.MULTILINE)
_SIDE = re.compile(rb"^[^#\n]*([xyz]lo[ \t]+[xyz]hi|[abc]vec)\b", re.MULTILINE)
#: Header line: numbers, then what they are.
_NUMBERS = re.compile(rb"[ \t]*((?:[-+.\dEe]+[ \t]+)+)([a-z][a-z ]*?)[ \t]*\Z")
_SECTION = re.compile(rb"[A-Z][A-Za-z ]*\Z")


def is_data(head: bytes) -> bool:
    """Whether a text begins like a data file."""
    return _COUNT.search(head) is not None and _SIDE.search(head) is not None


def index_data(
    path: str | os.PathLike,
    *,
    boundary: tuple[str, str, str] | None = None,
    columns: str | None = None,
    units: str | None = None,
) -> tuple[list[FrameLocation], list[ReadWarning]]:
    """Find the frame of a LAMMPS data file.

    Parameters
    ----------
    path : path-like
        Plain or packed.
    boundary : tuple of str
        Always needed: a data file does not say it.
    columns : str, optional
        Names of the columns of ``Atoms``, such as ``"id type q x y z"``, where the file does not name its atom style, or the
        style is not known here. Image flags may follow without being named.
    units : str, optional
        Unit style, where the file does not name it; see `qsdask.units`.

    Returns
    -------
    frames : list of FrameLocation
        One, of reader ``"data"``. Timestep and units are those of the title that ``write_data`` makes.
    warnings : list of ReadWarning
        ``W-NO-STEP`` where there is no such title.

    Raises
    ------
    BadDataError
        ``E-BOUNDARY-UNKNOWN``, ``E-COLUMN`` (the style is not known), ``E-HEADER``, ``E-BOX``, ``E-COUNT``, ``E-MEMORY``,
        ``E-TRUNCATED``.
    """
    begun = False
    stepless = True

    def in_header(line):
        nonlocal begun
        if begun and line.strip():
            return False
        begun = begun or line.split(b"#")[0].strip() == b"Atoms"
        return True

    def parse(lines, ahead):
        nonlocal stepless
        told = DumpLines(path, 0, 1, units)
        if boundary is None:
            raise told.refusal(
                "LAMMPS data files do not say which boundaries are periodic",
                "E-BOUNDARY-UNKNOWN",
                hint="give the boundary, for example --boundary ppp",
            )
        names = _columns(lines, ahead[0].split(b"#")[0].split(), columns, told)
        if not ahead[0].split(b"#")[0].split()[names.index("type")].isdigit():
            names[names.index("type")] = "element"  # labels of types
        stepless = _title(lines[0], b"timestep") is None
        return _header(lines, told, names, boundary)

    frames, _ = index_single(
        path, reader="data", in_header=in_header, parse=parse, ends=lambda line: _SECTION.match(_bare(line)) is not None
    )
    note = ReadWarning("W-NO-STEP", f"{os.fspath(path)}: no timestep in the file; frames are counted from 0")
    return frames, [note] if stepless else []


def _bare(line: bytes) -> bytes:
    return line.split(b"#")[0].strip()


def _title(line: bytes, name: bytes) -> bytes | None:
    """What the title of a file that LAMMPS wrote says."""
    found = re.search(rb"\b%s = (\w+)" % name, line) if line.startswith(b"LAMMPS data file") else None
    return found[1] if found else None


def _columns(lines: Sequence[bytes], first: list[bytes], given: str | None, told: DumpLines) -> list[str]:
    """Names of the columns of the section ``Atoms``."""
    row = next(k for k, line in enumerate(lines) if _bare(line) == b"Atoms")
    style = lines[row].partition(b"#")[2].strip()
    words = given or _STYLES.get(style, "")
    if not words and not style and len(first) in (5, 8):
        words = _STYLES[b"atomic"]  # no other style has so few
    if not words:
        raise told.refusal(
            f"the columns of 'Atoms' are not known: {f'style {shown(style)}' if style else 'the file names no style'}",
            "E-COLUMN",
            row,
            hint="give them in their order, for example --columns 'id type q x y z', or write 'Atoms # charge'",
        )
    names = words.split()
    missing = [name for name in ("id", "type", "x", "y", "z") if name not in names]
    if missing:
        raise told.refusal(f"column {missing[0]!r} is missing; columns are: {' '.join(names)}", "E-COLUMN", row)
    if len(first) not in (len(names), len(names) + 3):
        message = (
            f"the first atom has {len(first)} columns; {' '.join(names)}, and three image flags or none, are expected"
        )
        raise told.refusal(
            message, "E-LINE", len(lines), hint="give other names with --columns, or mend 'Atoms # style'"
        )
    return [*names, *_IMAGES[: len(first) - len(names)]]


def _header(
    lines: Sequence[bytes],
    told: DumpLines,
    columns: Sequence[str],
    boundary: tuple[str, str, str] | None,
    timestep: int = 0,
) -> DumpHeader:
    said: dict[bytes, tuple[int, bytes]] = {}
    for row, line in enumerate(lines[1:], start=1):
        text = _bare(line)
        if _SECTION.match(text):
            break
        found = _NUMBERS.match(text)
        if found:
            said[b" ".join(found[2].split())] = row, found[1]
    if b"atoms" not in said:
        raise told.refusal("the file does not say how many atoms it has", "E-HEADER")
    row, text = said[b"atoms"]
    units = _title(lines[0], b"units")
    if units:
        told.item(0, b"UNITS", (0, units))
    told.item(0, b"TIMESTEP", (0, _title(lines[0], b"timestep") or b"%d" % timestep))
    told.item(row, b"NUMBER OF ATOMS", (row, text.strip()))
    at, cell, low = _cell(said, told)
    told.box(at, cell, low, boundary or ())
    told.item(len(lines) - 1, b"ATOMS " + " ".join(columns).encode())
    return replace(told.read(boundary), labels=_labels(lines, told))


def _labels(lines, told):
    """Labels of the types, from their section."""
    begin = next((k for k, line in enumerate(lines) if _bare(line) == b"Atom Type Labels"), len(lines))
    labels: dict[int, str] = {}
    for row, line in enumerate(lines[begin + 1 :], start=begin + 1):
        words = _bare(line).split()
        if _SECTION.match(_bare(line)):
            break
        if words and (len(words) != 2 or not words[0].isdigit() or int(words[0][:18]) in labels):
            raise told.refusal(f"expected a type and its label, found {shown(line)}", "E-HEADER", row)
        if words:
            labels[int(words[0][:18])] = words[1].decode("utf-8", "backslashreplace")
    return labels


def _cell(said, told):
    """Row of the box, its vectors and its lower corner."""

    def numbers(name, n):
        if name not in said:
            raise told.refusal(f"the file does not say {name.decode()!r}", "E-BOX")
        row, text = said[name]
        return reals(told, text, n, row, "E-BOX")

    if b"avec" in said:
        cell = np.array([numbers(name, 3) for name in (b"avec", b"bvec", b"cvec")])
        return said[b"avec"][0], cell, np.array(numbers(b"abc origin", 3))
    low, high = np.array([numbers(b"%clo %chi" % (axis, axis), 2) for axis in b"xyz"]).T
    xy, xz, yz = numbers(b"xy xz yz", 3) if b"xy xz yz" in said else (0.0, 0.0, 0.0)
    edge = high - low
    row = said[b"xlo xhi"][0]
    return row, np.array([[edge[0], 0.0, 0.0], [xy, edge[1], 0.0], [xz, yz, edge[2]]]), low


class _Body(Body):
    """Atoms with comments behind them."""

    def rows(self, memory: np.ndarray, at: int, stop: int) -> tuple[np.ndarray, int, int]:
        data = memory[at:stop].tobytes()
        if b"#" in data:
            plain = re.sub(rb"#[^\r\n]*", lambda found: b" " * len(found[0]), data)
            memory[at:stop] = np.frombuffer(plain, np.uint8)
        return memory, at, stop


DATA = Layout(
    lambda lines, place: _header(
        lines, DumpLines(place.path, 0, 1, place.units), place.columns, place.boundary, place.timestep
    ),
    _Body,
)
