"""LAMMPS text dumps: read frames that `qsdask.formats.index` found, whole or piece by piece, strictly."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import xxhash

from qsdask.errors import BadDataError, QSDaskError, UsageError
from qsdask.formats.container import DAMAGE_CODES, TextFile
from qsdask.formats.frame import Elements, Frame, FrameLocation, FramePiece
from qsdask.formats.header import DumpHeader, parse_header
from qsdask.formats.index import index_frames
from qsdask.formats.refusal import changed, explained, refusal, refuse_far
from qsdask.kernels import text
from qsdask.kernels.identity import repeated_id
from qsdask.kernels.resolution import NO_DIGIT, written_digits
from qsdask.kernels.words import PADDING
from qsdask.units import scale_of

__all__ = ["index_frames", "lines_of_id", "read_frames", "read_pieces"]

#: After these nothing more of the file can be trusted.
_FATAL = DAMAGE_CODES | {"E-CHANGED"}
_NEWLINE = 10


def read_frames(
    locations: Sequence[FrameLocation], *, digest: bool = True, on_bad: Callable[[QSDaskError], None] | None = None
) -> Iterator[Frame]:
    """Read frames of one file that `index_frames` found.

    Parameters
    ----------
    locations : sequence of FrameLocation
        Of one file, in rising order. Frames between them are passed over: by seeking in plain text, else by
        decompressing.
    digest : bool
        Compute `Frame.digest`; empty otherwise.
    on_bad : callable, optional
        Is given the error of a frame that cannot be read; the frame is left out. Damage of a compressed file,
        and a file that changed, are raised all the same.

    Yields
    ------
    Frame

    Raises
    ------
    BadDataError
        With file, frame, timestep and line: ``E-LINE`` (a line has more or fewer columns), ``E-NUMBER``
        (not a finite decimal number, one beyond `FARTHEST`, or a whole number beyond int64), ``E-NAME`` (an element longer than 8
        bytes, or too many different ones), ``E-NUL`` (binary zeros), ``E-TYPE`` (below 1), ``E-DUP-ID``,
        ``E-CHANGED`` (not what was indexed), ``E-GZIP``, ``E-ZSTD``, ``E-BZIP2``.
    """
    if not locations:
        return
    with TextFile(locations[0].path) as file:
        for place in locations:
            try:
                (piece,) = _pieces_of(file, place, place.natoms, digest)
            except BadDataError as error:
                if on_bad is None or error.code in _FATAL:
                    raise
                on_bad(error)
                continue
            yield _frame(piece)


def read_pieces(
    locations: Sequence[FrameLocation], n_atom: int, *, digest: bool = True
) -> Iterator[tuple[int, FramePiece]]:
    """Read frames of one file piece by piece, in one pass.

    Parameters
    ----------
    locations : sequence of FrameLocation
        As in `read_frames`.
    n_atom : int
        Atoms in a piece; fewer in the last one of a frame. Only one piece is held.
    digest : bool
        As in `read_frames`.

    Yields
    ------
    index : int
        Which of the locations.
    piece : FramePiece

    Raises
    ------
    BadDataError
        As `read_frames`; but an id that stands twice in different pieces is for the caller to find. See
        `lines_of_id`.
    UsageError
        ``E-COUNT``: pieces without atoms.
    """
    if n_atom < 1:
        raise UsageError(f"pieces of {n_atom} atoms cannot be read", code="E-COUNT")
    if not locations:
        return
    with TextFile(locations[0].path) as file:
        for k, place in enumerate(locations):
            for piece in _pieces_of(file, place, n_atom, digest):
                yield k, piece


def lines_of_id(location: FrameLocation, atom_id: int) -> list[int]:
    """Line numbers of all lines of a frame with this id, for a message; the frame is read again.

    Parameters
    ----------
    location : FrameLocation
    atom_id : int

    Returns
    -------
    list of int
    """
    found, column = [], location.columns.index("id")
    with TextFile(location.path) as file:
        header = file.blocks(location.offset, location.header)
        line = location.line + sum((int((memory[:-PADDING] == _NEWLINE).sum()) for memory in header), start=0)
        begin = location.offset + location.header
        for memory in file.blocks(begin, location.offset + location.length - begin):
            for row in memory[:-PADDING].tobytes().removesuffix(b"\n").split(b"\n"):
                cells = row.split(None, column + 1)
                if len(cells) > column and cells[column].lstrip(b"+-").isdigit():
                    found += [line] if int(cells[column]) == atom_id else []
                line += 1
    return found


def _pieces_of(file: TextFile, place: FrameLocation, n_atom: int, digest: bool) -> Iterator[FramePiece]:
    """The pieces of one frame; every error names the frame."""
    reader = _FrameReader(place, n_atom, digest)
    try:
        for memory in file.blocks(place.offset, place.length):
            yield from reader.read(memory)
    except BadDataError as error:
        if error.frame is None:
            error.frame, error.timestep = place.ordinal, place.timestep
        raise
    if not reader.ended:
        raise changed(place)


class _FrameReader:
    """From blocks of the text of one frame to pieces of its atoms."""

    def __init__(self, place: FrameLocation, n_atom: int, digest: bool) -> None:
        self.place, self._n_atom = place, n_atom
        self._hash = xxhash.xxh3_128() if digest else None
        self._passed = 0  # bytes of the frame
        self._first = 0  # atoms of the frame
        self._line = place.line  # of the first atom of the piece
        self._header: DumpHeader | None = None

    @property
    def ended(self) -> bool:
        """Whether all atoms are read."""
        return self._first == self.place.natoms

    def read(self, memory: np.ndarray) -> Iterator[FramePiece]:
        """The pieces that this block of whole lines completes."""
        stop = memory.size - PADDING
        if self._hash:
            self._hash.update(memory[:stop].data)
        at = 0
        if self._header is None:
            at = self._begin(memory, stop)
        if memory[stop - 1] != _NEWLINE:
            if self._passed + stop == self.place.length:
                raise changed(self.place)
            raise self._explained(memory, (stop - 1, 0, text.LONG_LINE))
        while at < stop:
            if self.ended:
                raise changed(self.place)
            end, column, kind = self._rows.read(memory, at, stop)
            if kind != text.DONE:
                raise self._explained(memory, (end, column, kind))
            self._note_digits(memory, at, end)
            at = end
            if self._rows.full:
                last = self._first + self._rows.line == self.place.natoms
                if last and self._passed + at != self.place.length:
                    raise changed(self.place)
                yield self._piece(last)
        self._passed += stop

    def _begin(self, memory, stop):
        """Read the header; the byte of the first atom."""
        place = self.place
        *lines, rest = memory[: min(place.header, stop)].tobytes().split(b"\n")
        if rest or not lines or not lines[-1].lstrip().startswith(b"ITEM: ATOMS"):
            raise changed(place)
        header = parse_header(
            lines, path=place.path, frame=place.ordinal, line=place.line, boundary=place.boundary, units=place.units
        )
        if (header.timestep, header.natoms) != (place.timestep, place.natoms):
            raise changed(place)
        self._header = header
        wanted = {"id": (text.INT, 0), "type": (text.INT, 1), "element": (text.NAME, 0)}
        wanted |= {name: (text.FLOAT, axis) for axis, name in enumerate(header.coordinates)}
        self._action, self._slot = np.array([wanted.get(name, (text.SKIP, 0)) for name in header.columns]).T
        self._line += len(lines)
        self._start()
        return place.header

    def _start(self):
        """Make room for the next piece."""
        n_line = min(self._n_atom, self.place.natoms - self._first)
        self._rows = text.RowReader(n_line, self._action, self._slot)
        self._digits = (NO_DIGIT, 0)

    def _note_digits(self, memory, at, end):
        seen = written_digits(memory, at, end, self._action == text.FLOAT, 32, 8)
        self._digits = tuple(map(max, self._digits, seen))

    def _explained(self, memory, fault):
        line, offset = self._line + self._rows.line, self.place.offset + self._passed
        return explained(self.place, self._header.columns, memory, fault, line, offset)

    def _piece(self, last):
        """The piece that is full; room for the next one is made."""
        header, rows, n = self._header, self._rows, self._rows.line
        identity = rows.integer[0] if header.has_id else np.arange(self._first + 1, self._first + n + 1)
        self._refuse_repeats(identity)
        kind = rows.integer[1] if "type" in header.columns else None
        if kind is not None and kind.min() < 1:
            row = int(np.argmax(kind < 1))
            raise refusal(
                self.place,
                f"atom type {kind[row]} is below 1",
                "E-TYPE",
                line=self._line + row,
                atom_id=int(identity[row]),
            )
        element = None
        if "element" in header.columns:
            names, code = rows.names()
            element = Elements(tuple(name.decode("utf-8", "backslashreplace") for name in names), code)
        first, most = self._digits
        resolution = math.nan if first == NO_DIGIT else float(f"1e{first - most + 1}")
        position = rows.floating
        if header.scaled:
            position = header.cartesian(position)
            resolution *= np.linalg.norm(header.cell, axis=1).max()
        elif (scale := scale_of(header.units)) != 1.0:
            position, resolution = position * scale, resolution * scale
        refuse_far(self.place, position, identity, self._line)
        piece = FramePiece(
            header=header,
            first=self._first,
            line=self._line,
            id=identity,
            position=position,
            type=kind,
            element=element,
            resolution=float(resolution),
            digest=self._hash.hexdigest() if last and self._hash else "",
        )
        self._first += n
        self._line += n
        if not last:
            self._start()
        return piece

    def _refuse_repeats(self, identity):
        repeated = repeated_id(identity)
        if repeated:
            first, second = (self._line + row for row in repeated)
            raise refusal(
                self.place,
                f"atom id {identity[repeated[1]]} appears twice in one frame (first seen on line {first})",
                "E-DUP-ID",
                line=second,
                atom_id=int(identity[repeated[1]]),
                why="ids must be unique; a restart with 'dump_modify append yes' often causes this",
            )


def _frame(piece: FramePiece) -> Frame:
    """The frame whose only piece this is."""
    header = piece.header
    return Frame(
        timestep=header.timestep,
        natoms=header.natoms,
        cell=header.cell,
        origin=header.origin,
        boundary=header.boundary,
        id=piece.id,
        position=piece.position,
        convention=header.convention,
        type=piece.type,
        element=piece.element,
        units=header.units,
        time=header.time,
        digest=piece.digest,
        has_id=header.has_id,
        resolution=piece.resolution,
    )
