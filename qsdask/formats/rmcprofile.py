"""Configurations of RMCProfile (rmc6f): one frame, atoms in fractions of the whole supercell, periodic by definition.

References
----------
M. G. Tucker et al., J. Phys.: Condens. Matter 19, 335218 (2007), doi:10.1088/0953-8984/19/33/335218; https://rmcprofile.ornl.gov
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

import numpy as np

from qsdask.formats.as_dump import DumpLines, reals
from qsdask.formats.frame import PERIODIC, FrameLocation, ReadWarning
from qsdask.formats.header import DumpHeader, shown
from qsdask.formats.layout import Body, Layout
from qsdask.formats.single import index_single

__all__ = ["RMC6F", "index_rmc6f", "is_rmc6f"]

_KEY = re.compile(rb"[ \t]*([A-Za-z][^:=]*?)[ \t]*:[ \t]*(.*)")
_BRACKETS = bytes.maketrans(b"[]", b"  ")
#: Cell and lattice vectors of one box differ by no more than their digits. Unit: angstrom.
_SAME_CELL = 0.02


def is_rmc6f(head: bytes) -> bool:
    """Whether a text begins like an rmc6f file."""
    lines = [line.strip().lower() for line in head.split(b"\n")]
    return b"version 6f" in lines[0] or any(
        line.startswith((b"cell (ang/deg)", b"lattice vectors (ang)")) for line in lines
    )


def index_rmc6f(
    path: str | os.PathLike, *, boundary: tuple[str, str, str] | None = None, units: str | None = None
) -> tuple[list[FrameLocation], list[ReadWarning]]:
    """Find the frame of an rmc6f file.

    Parameters
    ----------
    path : path-like
        Plain or packed.
    boundary : tuple of str, optional
        Periodic by definition; a boundary given here replaces that, for slabs.
    units : str, optional
        Unit style, where the file does not name it; see `qsdask.units`.

    Returns
    -------
    frames : list of FrameLocation
        One, of reader ``"rmc6f"``.
    warnings : list of ReadWarning
        ``W-NO-STEP``.

    Raises
    ------
    BadDataError
        ``E-HEADER``, ``E-BOX`` (missing, or cell and lattice vectors contradict each other), ``E-COUNT``, ``E-MEMORY``,
        ``E-TRUNCATED``.
    """
    begun = False

    def in_header(line):
        nonlocal begun
        if begun:
            return False
        begun = line.strip().lower().startswith(b"atoms:")
        return True

    def parse(lines, ahead):
        told = DumpLines(path, 0, 1, units)
        # Behind number and element a label in brackets, then the fractions, a reference number and the cell that it is of.
        first = ahead[0].translate(_BRACKETS).split()
        label = ["label"] if b"[" in ahead[0] else []
        rest = len(first) - 5 - len(label)
        if rest < 0:
            message = f"expected number, element, label and three fractions of an atom, found {shown(ahead[0])}"
            raise told.refusal(message, "E-LINE", len(lines))
        columns = ["id", "element", *label, "xs", "ys", "zs", *(f"more{k}" for k in range(rest))]
        return _header(lines, told, columns, boundary)

    return index_single(path, reader="rmc6f", in_header=in_header, parse=parse, stepless=True)


def _header(
    lines: Sequence[bytes],
    told: DumpLines,
    columns: Sequence[str],
    boundary: tuple[str, str, str] | None,
    timestep: int = 0,
) -> DumpHeader:
    said: dict[str, tuple[int, bytes]] = {}
    for row, line in enumerate(lines):
        found = _KEY.match(line)
        if found:
            key = found[1].decode("utf-8", "backslashreplace").lower()
            if key in said and not key.startswith("metadata"):
                raise told.refusal(f"{key!r} stands twice", "E-HEADER", row)
            said[key] = row, found[2].strip()
    if "number of atoms" not in said:
        raise told.refusal("the file has no 'Number of atoms:'", "E-HEADER")
    row, text = said["number of atoms"]
    told.item(row, b"TIMESTEP", (row, b"%d" % timestep))
    told.item(row, b"NUMBER OF ATOMS", (row, text))
    at, cell = _cell(lines, said, told)
    told.box(at, cell, np.zeros(3), boundary or PERIODIC)
    told.item(len(lines) - 1, b"ATOMS " + " ".join(columns).encode())
    return told.read(boundary)


def _cell(lines, said, told):
    """Row of the header that says the box, and its vectors."""
    by_lengths = by_vectors = None
    row = 0
    if "cell (ang/deg)" in said:
        row, text = said["cell (ang/deg)"]
        by_lengths = _vectors(reals(told, text, 6, row, "E-BOX"), told, row)
    if "lattice vectors (ang)" in said:
        row = said["lattice vectors (ang)"][0]
        rows = range(row + 1, row + 4)
        by_vectors = np.array([reals(told, (lines[k] if k < len(lines) else b""), 3, k, "E-BOX") for k in rows])
    if by_lengths is None and by_vectors is None:
        raise told.refusal("the file has neither 'Cell (Ang/deg):' nor 'Lattice vectors (Ang):'", "E-BOX")
    if by_vectors is None:
        return row, by_lengths
    if by_lengths is None:
        if np.triu(by_vectors, 1).any() and not np.tril(by_vectors, -1).any():
            raise told.refusal(
                "'Lattice vectors (Ang)' may be rows or columns: the first is not along x",
                "E-BOX",
                row,
                why="programs write them either way, and 'Cell (Ang/deg)' is not there to decide",
                hint="add the line 'Cell (Ang/deg): a b c alpha beta gamma'",
            )
        return row, by_vectors
    for cell in (by_vectors, by_vectors.T):  # ASE writes them as columns
        if _same_box(cell, by_lengths):
            return row, cell
    raise told.refusal(
        "'Cell (Ang/deg)' and 'Lattice vectors (Ang)' are different boxes",
        "E-BOX",
        row,
        why="one of them was changed by hand, or is that of the unit cell",
        hint="leave in the one that is that of the whole supercell",
    )


def _same_box(one, two):
    """Whether two cells differ only in how they are turned: lengths and angles are in the products of their vectors."""
    a, b = one @ one.T, two @ two.T
    length = np.sqrt(np.diagonal(b))
    return bool((np.abs(a - b) <= _SAME_CELL * (length[:, None] + length)).all())


def _vectors(numbers, told, row):
    """Lattice vectors from lengths and angles: the first along x, the second in the plane of x and y."""
    a, b, c, *degrees = numbers
    if not (min(a, b, c) > 0.0 and all(0.0 < angle < 180.0 for angle in degrees)):
        raise told.refusal(f"lengths must be positive, angles between 0 and 180: {numbers}", "E-BOX", row)
    # Exactly zero at a right angle, which the cosine of pi/2 in doubles is not.
    alpha, beta, gamma = (0.0 if angle == 90.0 else np.cos(np.deg2rad(angle)) for angle in degrees)
    sine = np.sqrt(1.0 - gamma**2)
    y = (alpha - beta * gamma) / sine
    square = 1.0 - beta**2 - y**2
    if square <= 0.0:
        raise told.refusal(f"no cell has the angles {degrees}", "E-BOX", row)
    return np.array([[a, 0.0, 0.0], [b * gamma, b * sine, 0.0], [c * beta, c * y, c * np.sqrt(square)]])


class _Body(Body):
    """Atoms with a label in brackets."""

    def rows(self, memory: np.ndarray, at: int, stop: int) -> tuple[np.ndarray, int, int]:
        memory[at:stop] = np.frombuffer(memory[at:stop].tobytes().translate(_BRACKETS), np.uint8)
        return memory, at, stop


RMC6F = Layout(
    lambda lines, place: _header(
        lines, DumpLines(place.path, 0, 1, place.units), place.columns, place.boundary, place.timestep
    ),
    _Body,
)
