"""LAMMPS binary dumps (``dump ... custom N file.bin``, ``atom``): found by their headers, read as strictly as text.

A frame is a header, a number of chunks (one per process that wrote), and for every chunk the number of doubles and
the doubles. Since 2020 the header begins with a magic string and names the columns; before, it began with the timestep
and did not. Timesteps and counts are taken to be of 8 bytes, as in every LAMMPS but those built with ``-DLAMMPS_SMALLSMALL``.

References
----------
https://docs.lammps.org/dump.html
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from xxhash import xxh3_128

from qsdask.errors import BadDataError, QSDaskError
from qsdask.files.location import opened, size_of
from qsdask.formats.arrays import BadFrame, CutError, checked_frame, last_frame_cut, read_each
from qsdask.formats.container import sniff
from qsdask.formats.frame import Frame, FrameLocation, ReadWarning
from qsdask.formats.header import DumpHeader, parse_header
from qsdask.formats.refusal import changed, refusal, refuse_large, refuse_many
from qsdask.units import scale_of

__all__ = ["index_binary", "is_binary", "read_binary"]

_MAGIC = (b"DUMPATOM", b"DUMPCUSTOM")
_MOST_TEXT = 1 << 16
_BLOCK = 1 << 15  # atoms read at a time
_LARGEST_EXACT = 2.0**53  # ids are stored as doubles


class _Fields:
    """Numbers and texts of a file, one after the other, in the byte order of the computer that wrote it."""

    def __init__(self, file, order):
        self.file, self.order = file, order

    def bytes(self, n):
        data = self.file.read(n)
        if len(data) < n:
            raise CutError
        return data

    def take(self, form):
        """One value, or a tuple when ``form`` asks for several."""
        form = self.order + form
        values = struct.unpack(form, self.bytes(struct.calcsize(form)))
        return values[0] if len(values) == 1 else values

    def text(self, refuse):
        n = self.take("i")
        data = self.bytes(n) if 0 <= n <= _MOST_TEXT else b"\0"
        if not data.isascii() or not data.decode("ascii").isprintable():
            raise refuse("the header of the frame is damaged: a text in it is not one", "E-FORMAT")
        return data


@dataclass(frozen=True, slots=True)
class _Opening:
    """What stands before the numbers of a frame."""

    header: DumpHeader
    width: int
    n_chunk: int


def _order(head: bytes) -> str | None:
    """Byte order, ``"<"`` or ``">"``, of a file that begins like a binary dump; None when it does not."""
    if len(head) < 100:
        return None
    for order in "<>":
        step, natoms, tilt, *flags = struct.unpack_from(order + "qqi6i", head)
        if head[8:].startswith(_MAGIC) and -step in map(len, _MAGIC):
            return order
        # Old headers: no text and no other format has such small numbers in these places.
        if 0 <= step < 1 << 53 and 0 < natoms < 1 << 40 and tilt in (0, 1) and set(flags) <= {0, 1, 2, 3}:
            return order
    return None


def is_binary(head: bytes) -> bool:
    """Whether a file that begins with these bytes (100 or more) is a LAMMPS binary dump."""
    return _order(head) is not None


def index_binary(
    path: str | os.PathLike,
    *,
    boundary: tuple[str, str, str] | None = None,
    strict: bool = False,
    columns: str | None = None,
    units: str | None = None,
) -> tuple[list[FrameLocation], list[ReadWarning]]:
    """Find all frames of a binary dump and check all headers and counts; the numbers of atoms are not read.

    Parameters
    ----------
    path : path-like
    boundary : tuple of str, optional
        Must agree with that of the file.
    strict : bool
        Refuse a last frame that is cut, instead of leaving it out with a warning.
    columns : str, optional
        Names of the columns, such as ``"id type x y z"``: needed for dumps of a LAMMPS before 2020, which do
        not name them.
    units : str, optional
        Unit style, where the file does not name it.

    Returns
    -------
    frames : list of FrameLocation
        Of reader ``"binary"``; their line is 0.
    warnings : list of ReadWarning
        ``W-TRUNCATED`` with the byte where the cut frame begins.

    Raises
    ------
    NoInputError
        ``E-NO-FILE``.
    BadDataError
        ``E-FORMAT`` (not a binary dump, compressed, or its header is damaged), ``E-COUNT`` (counts of a frame
        contradict each other, or the size of the file), ``E-MEMORY``, ``E-TRUNCATED``, ``E-COLUMN``, and those of
        `qsdask.formats.header.parse_header`.
    """
    container, head = sniff(path)
    order = _order(head)
    if order is None or container != "plain":
        raise BadDataError(
            "not a LAMMPS binary dump" if order is None else f"a binary dump that is compressed ({container})",
            code="E-FORMAT",
            file=path,
            hint=None if order is None else "decompress it first",
        )
    frames: list[FrameLocation] = []
    size = size_of(path)
    with opened(path) as file:
        fields = _Fields(file, order)
        while file.tell() < size:
            start = file.tell()
            refuse_many(len(frames) + 1, path)
            try:
                frames.append(_index_one(fields, size, frames, path, boundary, columns, units))
            except CutError:
                ends = f"byte {start}", f"byte {size}"
                return frames, [last_frame_cut(path, len(frames), *ends, strict=strict)]
    return frames, []


def _index_one(fields, size, frames, path, boundary, columns, units):
    start = fields.file.tell()
    opening = _opening(fields, path, len(frames), boundary, columns, frames[-1].units if frames else units)
    header = opening.header

    def refuse(message):
        return BadDataError(
            message,
            code="E-COUNT",
            file=path,
            frame=len(frames),
            timestep=header.timestep,
            why="the file is damaged, or a run was killed while it wrote and the next one appended to it",
        )

    header_length = fields.file.tell() - start
    expected = header.natoms * opening.width
    if 8 * expected > size - fields.file.tell():
        if frames and header.natoms > frames[-1].natoms:
            raise refuse(f"the frame says {header.natoms} atoms, more than the file has room for")
        raise CutError
    if not frames or header.natoms > frames[-1].natoms:
        refuse_large(header.natoms, path, frame=len(frames), timestep=header.timestep)
    found = 0
    for _ in range(opening.n_chunk):
        n = fields.take("i")
        found += n
        if n < 0 or n % opening.width or found > expected:
            raise refuse(f"a chunk says {n} numbers; the frame has {header.natoms} atoms of {opening.width} columns")
        fields.file.seek(8 * n, os.SEEK_CUR)
    if fields.file.tell() > size:
        raise CutError
    if found != expected:
        raise refuse(f"the frame says {header.natoms} atoms, its chunks hold {found / opening.width:g}")
    return FrameLocation(
        path=os.fspath(path),
        ordinal=len(frames),
        offset=start,
        length=fields.file.tell() - start,
        header=header_length,
        timestep=header.timestep,
        natoms=header.natoms,
        line=0,
        boundary=header.boundary,
        convention=header.convention,
        units=header.units,
        reader="binary",
        has_id="id" in header.columns,
        columns=header.columns,
    )


def _opening(fields: _Fields, path, frame, boundary, columns: str | None, units: str | None) -> _Opening:
    """Read a header: it says what that of a text dump says, so it is put as one and read by the same rules."""

    def refuse(message, code, **more):
        return BadDataError(message, code=code, file=path, frame=frame, **more)

    step, revision = fields.take("q"), 0
    if step < 0:
        magic = fields.bytes(-step) if -step in map(len, _MAGIC) else b""
        endian, revision = fields.take("ii") if magic in _MAGIC else (0, 0)
        if endian != 1 or revision not in (1, 2):
            raise refuse(
                "no header of a frame is here, or one of a revision that is not known",
                "E-FORMAT",
                why="the file is damaged, or written by a newer LAMMPS",
            )
        step = fields.take("q")
    natoms, tilt = fields.take("qi")
    flags = fields.take("6i")
    if tilt not in (0, 1, 2) or not set(flags) <= {0, 1, 2, 3}:
        raise refuse("no header of a frame is here", "E-FORMAT", why="the file is damaged")
    box = fields.take({0: "6d", 1: "9d", 2: "12d"}[tilt])
    width = fields.take("i")
    lines = []
    if revision == 2:
        style = fields.text(refuse)
        lines += [b"ITEM: UNITS", style] if style else []
        lines += [b"ITEM: TIME", b"%r" % fields.take("d")] if fields.take("b") else []
        columns = fields.text(refuse).decode()
    if columns is None:
        raise refuse(
            "this binary dump does not name its columns",
            "E-COLUMN",
            why="a LAMMPS before 2020 wrote it",
            hint="give them in their order, for example --columns 'id type x y z'",
        )
    if len(columns.split()) != width:
        raise refuse(f"the frame has {width} columns, named are: {columns}", "E-COLUMN")
    n_chunk = fields.take("i")
    if n_chunk < 0:
        raise refuse(f"the frame says {n_chunk} chunks", "E-COUNT")
    title, rows = _box_lines(tilt, box, flags)
    lines += [b"ITEM: TIMESTEP", b"%d" % step, b"ITEM: NUMBER OF ATOMS", b"%d" % natoms, title, *rows]
    lines.append(b"ITEM: ATOMS " + columns.encode())
    try:
        whole = [line + b"\n" for line in lines]
        header = parse_header(whole, path=path, frame=frame, line=1, boundary=boundary, units=units)
    except QSDaskError as error:
        error.line = None  # there are none in this file
        raise
    return _Opening(header, width, n_chunk)


def _box_lines(tilt, box, flags):
    """Box title and bounds as in a text dump; decimals are written so that they give the same doubles."""
    pairs = "".join("pfsm"[flag] for flag in flags)
    title = f"ITEM: BOX BOUNDS {('', 'xy xz yz ', 'abc origin ')[tilt]}{pairs[:2]} {pairs[2:4]} {pairs[4:]}"
    if tilt == 2:
        rows = [(*box[3 * k : 3 * k + 3], box[9 + k]) for k in range(3)]
    else:
        rows = [(box[2 * k], box[2 * k + 1], *box[6 + k : 7 + k]) for k in range(3)]
    return title.encode(), [" ".join(map(repr, row)).encode() for row in rows]


def read_binary(locations: Sequence[FrameLocation], *, on_bad: BadFrame | None = None) -> Iterator[Frame]:
    """Read frames of one file that `index_binary` found.

    Parameters
    ----------
    locations : sequence of FrameLocation
        Of one file.
    on_bad : callable, optional
        Called with the error of a frame that cannot be used, which is then left out; without it the error is
        raised.

    Yields
    ------
    Frame
        ``digest`` is that of the bytes of the frame. A column ``element`` holds types: LAMMPS writes no names
        into binary dumps.

    Raises
    ------
    BadDataError
        ``E-NUMBER`` (not finite, or an id or type that is not a whole number below 2^53), ``E-TYPE``,
        ``E-DUP-ID``, ``E-CHANGED`` (not what was indexed).
    """
    if not locations:
        return
    order = _order(sniff(locations[0].path)[1])
    with opened(locations[0].path) as file:
        fields = _Fields(file, order or "<")
        yield from read_each(locations, lambda place: _read_one(fields, place), on_bad)


def _read_one(fields: _Fields, place: FrameLocation) -> Frame:
    file, hashed = fields.file, xxh3_128()
    columns = place.columns
    kind = next((name for name in ("type", "element") if name in columns), None)
    whole = np.zeros((2, place.natoms))
    position = np.empty((place.natoms, 3))
    row = 0
    try:
        file.seek(place.offset)
        hashed.update(fields.bytes(place.header))
        file.seek(place.offset)
        opening = _opening(fields, place.path, place.ordinal, place.boundary, " ".join(columns), place.units)
        header = opening.header
        if (header.timestep, header.natoms, header.columns) != (place.timestep, place.natoms, columns):
            raise CutError
        wanted = [columns.index(name) for name in header.coordinates]
        for _ in range(opening.n_chunk):
            size = fields.bytes(4)
            hashed.update(size)
            left = struct.unpack(fields.order + "i", size)[0] // opening.width
            while left > 0:
                data = fields.bytes(8 * opening.width * min(left, _BLOCK))
                hashed.update(data)
                table = np.frombuffer(data, fields.order + "f8").reshape(-1, opening.width)
                part = slice(row, row + len(table))
                position[part] = table[:, wanted]
                if place.has_id:
                    whole[0, part] = table[:, columns.index("id")]
                if kind:
                    whole[1, part] = table[:, columns.index(kind)]
                row, left = part.stop, left - len(table)
        if row != place.natoms:
            raise CutError
    except (CutError, ValueError) as error:
        raise changed(place) from error
    for values, name in zip(whole, ("id", kind), strict=True):
        bad = np.flatnonzero(~((np.abs(values) < _LARGEST_EXACT) & (np.rint(values) == values)))
        if bad.size:
            message = (
                f"column {name!r} needs whole numbers, found {values[bad[0]]!r} for atom {bad[0] + 1} of the frame"
            )
            raise refusal(place, message, "E-NUMBER")
    return checked_frame(
        place,
        cell=header.cell,
        origin=header.origin,
        id=whole[0].astype(np.int64) if place.has_id else np.arange(1, place.natoms + 1),
        position=header.cartesian(position) if header.scaled else position * scale_of(header.units),
        type=whole[1].astype(np.int64) if kind else None,
        time=header.time,
        digest=hashed.hexdigest(),
    )
