"""AtomEye configurations (cfg), plain and extended, and LAMMPS dumps of style ``cfg``.

A file holds one frame: a cell, and atoms in fractions of it. A plain file has mass and symbol in every line; in an extended one
they stand in lines of their own, above the atoms of a species (AtomEye) or above every atom (LAMMPS, ASE).

References
----------
J. Li, Modelling Simul. Mater. Sci. Eng. 11, 173 (2003), doi:10.1088/0965-0393/11/2/305; http://li.mit.edu/Archive/Graphics/A/;
https://docs.lammps.org/dump.html
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

import numpy as np

from qsdask.errors import BadDataError
from qsdask.formats.as_dump import DumpLines, reals
from qsdask.formats.frame import PERIODIC, FrameLocation, ReadWarning
from qsdask.formats.header import DumpHeader, shown
from qsdask.formats.layout import Body, Layout
from qsdask.formats.refusal import refusal, zeros
from qsdask.formats.single import index_single
from qsdask.kernels import species
from qsdask.kernels.words import PADDING

__all__ = ["ATOMEYE", "index_atomeye", "is_atomeye"]

_VALUE = re.compile(rb"[ \t]*([^=#\s][^=#]*?)[ \t]*=[ \t]*([^#]*)")
_MATRIX = re.compile(r"(H0|Transform|eta)\(([123]),([123])\)\Z")
_FIRST_LINES = re.compile(rb"\s*(#[^\n]*\n\s*)*Number of particles\s*=")
#: Names of the numbers of an atom that the format itself gives.
_PLACES, _VELOCITIES = ("xs", "ys", "zs"), ("vxs", "vys", "vzs")
#: LAMMPS shrinks coordinates that are not wrapped to a tenth, about the centre of the cell, and says A = 10.
_UNWRAPPED = 10.0
_MOST_COLUMNS = 1000


def is_atomeye(head: bytes) -> bool:
    """Whether a text begins like an AtomEye configuration."""
    return _FIRST_LINES.match(head) is not None


def index_atomeye(
    path: str | os.PathLike, *, boundary: tuple[str, str, str] | None = None, units: str | None = None
) -> tuple[list[FrameLocation], list[ReadWarning]]:
    """Find the frame of an AtomEye configuration.

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
        One, of reader ``"cfg"``; ``has_id`` when an auxiliary number is called ``id``.
    warnings : list of ReadWarning
        ``W-NO-STEP``.

    Raises
    ------
    BadDataError
        ``E-HEADER``, ``E-BOX``, ``E-COUNT``, ``E-MEMORY``, ``E-UNITS``, ``E-CONVENTION`` (coordinates of LAMMPS that are not
        wrapped), ``E-COLUMN``, ``E-TRUNCATED``.
    """

    def parse(lines, ahead):
        told = DumpLines(path, 0, 1, units)
        said = _said(lines, told)
        return _header(said, told, _columns(said, [line.split() for line in ahead], told), boundary)

    return index_single(path, reader="cfg", in_header=_in_header, parse=parse, spread=_spread, stepless=True)


def _in_header(line: bytes) -> bool:
    text = line.split(b"#")[0].strip()
    return not text or b"=" in text or text == b".NO_VELOCITY."


def _spread(header: DumpHeader) -> bool:
    """Whether the file is an extended one: masses and symbols stand in lines of their own."""
    return header.columns[0] != "mass"


def _said(lines: Sequence[bytes], told: DumpLines) -> dict[str, tuple[int, bytes]]:
    """What every line of the header says, by its key, with the row of the line."""
    said: dict[str, tuple[int, bytes]] = {}
    for row, line in enumerate(lines):
        if line.split(b"#")[0].strip() == b".NO_VELOCITY.":
            said["no velocity"] = row, b""
            continue
        found = _VALUE.match(line)
        if found is None:
            continue
        key = found[1].decode("utf-8", "backslashreplace")
        if key in said:
            raise told.refusal(f"{key!r} stands twice", "E-HEADER", row)
        said[key] = row, found[2].strip()
    return said


def _columns(said: dict[str, tuple[int, bytes]], ahead: list[list[bytes]], told: DumpLines) -> tuple[str, ...]:
    """Names of the columns of an atom; of a plain file from how many the first line has."""
    width = len(ahead[0])
    velocities = () if "no velocity" in said else _VELOCITIES
    if "entry_count" not in said:
        if width not in (5, 8):
            message = (
                f"the first atom has {width} columns; mass, symbol, s1 s2 s3 and three velocities, or none, are needed"
            )
            raise told.refusal(message, "E-HEADER", why="an extended file says 'entry_count'")
        return ("mass", "element", *_PLACES, *_VELOCITIES[: width - 5])
    row, text = said["entry_count"]
    count = int(reals(told, text, 1, row)[0])
    names = [*_PLACES, *velocities]
    if not len(names) <= count <= _MOST_COLUMNS:
        raise told.refusal(f"entry_count is {count}; the coordinates alone take {len(names)}", "E-HEADER", row)
    auxiliary = [f"auxiliary[{k}]" for k in range(count - len(names))]
    stray = [key for key in said if key.startswith("auxiliary[") and key not in auxiliary]
    if stray:
        raise told.refusal(f"{stray[0]} is beyond entry_count = {count}", "E-HEADER", said[stray[0]][0])
    named = [said[key][1].split(b"[")[0].split() if key in said else [] for key in auxiliary]
    values = [*ahead[2][len(names) :], *[b""] * count]
    for key, word, value in zip(auxiliary, named, values, strict=False):
        # Written as decimals, which other programs do, ids may have lost digits.
        read = word in ([b"id"], [b"type"]) and value.isdigit()
        names.append(word[0].decode() if read else key)
    return ("element", *names)


def _header(
    said: dict[str, tuple[int, bytes]],
    told: DumpLines,
    columns: Sequence[str],
    boundary: tuple[str, str, str] | None,
    timestep: int = 0,
) -> DumpHeader:
    needed = ["Number of particles", *(f"H0({i},{j})" for i in "123" for j in "123")]
    missing = [key for key in needed if key not in said]
    if missing:
        raise told.refusal(f"the file has no {missing[0]!r}", "E-BOX" if missing[0][0] == "H" else "E-HEADER")
    row, text = said["Number of particles"]
    told.item(row, b"TIMESTEP", (row, b"%d" % timestep))
    told.item(row, b"NUMBER OF ATOMS", (row, text))
    scale = _scale(said, told)
    matrices = {"H0": np.zeros((3, 3)), "Transform": np.eye(3), "eta": np.zeros((3, 3))}
    for key, (at, value) in said.items():
        found = _MATRIX.match(key)
        if found:
            number = value.split()[:1] or [b""]
            matrices[found[1]][int(found[2]) - 1, int(found[3]) - 1] = reals(told, number[0], 1, at, "E-BOX")[0]
    if (matrices["Transform"] != np.eye(3)).any() or matrices["eta"].any():
        raise told.refusal(
            "the cell is deformed by Transform or eta, which are not read",
            "E-BOX",
            hint="write H0 of the deformed cell, for example by loading and saving the file in AtomEye or OVITO",
        )
    told.box(said["H0(1,1)"][0], scale * matrices["H0"], np.zeros(3), boundary or PERIODIC)
    told.item(row, b"ATOMS " + " ".join(columns).encode())
    return told.read(boundary)


def _scale(said, told):
    """Angstroms that a length of 1 stands for."""
    if "A" not in said:
        return 1.0
    row, text = said["A"]
    number, *unit = text.split()[:2] or [b""]
    scale = reals(told, number, 1, row)[0]
    if unit and unit[0].lower() not in (b"angstrom", b"a"):
        raise told.refusal(f"the unit of length is {shown(unit[0])}", "E-UNITS", row, hint="give A in Angstrom")
    if not scale > 0.0:
        raise told.refusal(f"the scale A is {scale:g}", "E-BOX", row)
    if scale == _UNWRAPPED:
        raise told.refusal(
            "A = 10: LAMMPS writes so where coordinates are not wrapped, shrunk to the tenth about the centre of the cell",
            "E-CONVENTION",
            row,
            hint="dump 'mass type xs ys zs id' instead of 'xsu ysu zsu'; if the cell is truly that large, write "
            "A = 1.0 Angstrom and ten times H0",
        )
    return scale


class _Body(Body):
    """Atoms below lines of their mass and symbol."""

    def __init__(self, place: FrameLocation, line: int) -> None:
        super().__init__(place, line)
        self.regular = place.columns[0] == "mass"
        self._byte = place.offset + place.header
        self._state, self._symbol = np.zeros(2, np.int64), np.zeros(species.LONGEST_SYMBOL, np.uint8)
        self._passed = 0  # lines
        self._lines: list[np.ndarray] = []  # of the atoms that are not forgotten
        self._forgotten = 0  # atoms

    def rows(self, memory: np.ndarray, at: int, stop: int) -> tuple[np.ndarray, int, int]:
        if self.regular or at == stop:
            return memory, at, stop
        out = np.zeros(species.ROW_GROWTH * (stop - at) + PADDING, np.uint8)
        line_of = np.empty((stop - at) // 4 + 1, np.int64)
        end, n_row, n_line, kind = species.put_species(memory, at, stop, self._state, self._symbol, out, line_of)
        if kind != species.DONE or not memory[at:stop].all():
            raise self._refusal(memory[at:stop].tobytes(), kind, n_line)
        self._lines.append((line_of[:n_row] + self.line + self._passed).astype(np.uint32))
        self._passed += n_line
        self._byte += stop - at
        return out[: end + PADDING], 0, end

    def line_of(self, row: int) -> int:
        if self.regular:
            return super().line_of(row)
        row -= self._forgotten
        for lines in self._lines:
            if row < len(lines):
                return int(lines[row])
            row -= len(lines)
        return self.line + self._passed

    def forget(self, row: int) -> None:
        while self._lines and self._forgotten + len(self._lines[0]) <= row:
            self._forgotten += len(self._lines.pop(0))

    def _refusal(self, data: bytes, kind: int, n_line: int) -> BadDataError:
        zero = data.find(b"\0")
        if zero >= 0:
            line = self.line + self._passed + data.count(b"\n", 0, zero)
            return zeros(self.place.path, self._byte + zero, frame=0, timestep=self.place.timestep, line=line)
        expected = {
            species.BAD_MASS: "the mass of a species, or the columns of an atom",
            species.BAD_SYMBOL: "the symbol of a species, of 8 letters at most",
            species.NO_SYMBOL: "the symbol of a species behind its mass",
            species.LOST_SPECIES: "mass and symbol of a species before its atoms",
        }[kind]
        text, line = data.split(b"\n")[n_line], self.line + self._passed + n_line
        return refusal(self.place, f"expected {expected}, found {shown(text)}", "E-LINE", line=line)


def _read_header(lines: list[bytes], place: FrameLocation) -> DumpHeader:
    told = DumpLines(place.path, place.ordinal, place.line, place.units)
    return _header(_said(lines, told), told, place.columns, place.boundary, place.timestep)


ATOMEYE = Layout(_read_header, _Body)
