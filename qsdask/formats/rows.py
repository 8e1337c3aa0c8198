"""Text with one atom a line, or nearly so: read frames that were found, whole or piece by piece, strictly."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import xxhash

from qsdask.errors import BadDataError, QSDaskError, UsageError
from qsdask.formats.arrays import elements_coded
from qsdask.formats.container import DAMAGE_CODES, TextFile
from qsdask.formats.frame import Elements, Frame, FrameLocation, FramePiece
from qsdask.formats.header import DumpHeader
from qsdask.formats.layouts import LAYOUTS
from qsdask.formats.refusal import changed, explained, refusal, refuse_far
from qsdask.kernels import text
from qsdask.kernels.identity import repeated_id
from qsdask.kernels.resolution import NO_DIGIT, written_digits
from qsdask.kernels.words import PADDING
from qsdask.units import scale_of

__all__ = ["digest_of", "lines_of_id", "read_frames", "read_pieces", "read_stretch"]

#: After these nothing more of the file can be trusted.
_FATAL = DAMAGE_CODES | {"E-CHANGED"}
_NEWLINE = 10
_HASHED = 1 << 22  # bytes at a time


def read_frames(
    locations: Sequence[FrameLocation], *, digest: bool = True, on_bad: Callable[[QSDaskError], None] | None = None
) -> Iterator[Frame]:
    """Read frames of one text file whose `FrameLocation.reader` is one of `qsdask.formats.layouts.LAYOUTS`.

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


def read_stretch(location: FrameLocation, stretch: tuple[int, int], n_atom: int) -> Iterator[FramePiece]:
    """Read some atoms of one frame, piece by piece.

    Parameters
    ----------
    location : FrameLocation
        With `FrameLocation.marks`, or the whole frame is the one stretch that can be read.
    stretch : tuple of int
        First atom and the one after the last, both at the beginning of the frame, at a mark, or at its end.
    n_atom : int
        As in `read_pieces`.

    Yields
    ------
    FramePiece
        Without a digest, which takes all text of a frame in its order; see `digest_of`.

    Raises
    ------
    BadDataError
        As `read_pieces`.
    """
    begins = {
        0: location.offset + location.header,
        **dict(location.marks),
        location.natoms: location.offset + location.length,
    }
    with TextFile(location.path) as file:
        yield from _named(
            location, _stretch_of(file, location, stretch, begins[stretch[0]], begins[stretch[1]], n_atom)
        )


def digest_of(location: FrameLocation) -> str:
    """`Frame.digest` of a frame, from its text alone."""
    found = xxhash.xxh3_128()
    with TextFile(location.path) as file:
        for memory in file.blocks(location.offset, location.length, _HASHED):
            found.update(memory[:-PADDING].data)
    return found.hexdigest()


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
    found, column, row = [], location.columns.index("id"), 0
    with TextFile(location.path) as file:
        header = file.blocks(location.offset, location.header)
        line = location.line + sum((int((memory[:-PADDING] == _NEWLINE).sum()) for memory in header), start=0)
        body = LAYOUTS[location.reader].body(location, line)
        begin = location.offset + location.header
        for memory in file.blocks(begin, location.offset + location.length - begin):
            memory, at, stop = body.rows(memory, 0, memory.size - PADDING)
            for text_row in memory[at:stop].tobytes().removesuffix(b"\n").split(b"\n"):
                cells = text_row.split(None, column + 1)
                if len(cells) > column and cells[column].lstrip(b"+-").isdigit():
                    found += [body.line_of(row)] if int(cells[column]) == atom_id else []
                row += 1
    return found


def _pieces_of(file: TextFile, place: FrameLocation, n_atom: int, digest: bool) -> Iterator[FramePiece]:
    """The pieces of one frame."""
    return _named(place, _all_of(file, place, _FrameReader(place, n_atom, digest)))


def _named(place: FrameLocation, pieces: Iterator[FramePiece]) -> Iterator[FramePiece]:
    """The same; every error names the frame."""
    try:
        yield from pieces
    except BadDataError as error:
        if error.frame is None:
            error.frame, error.timestep = place.ordinal, place.timestep
        raise


def _all_of(file: TextFile, place: FrameLocation, reader: _FrameReader) -> Iterator[FramePiece]:
    for memory in file.blocks(place.offset, place.length):
        yield from reader.read(memory)
    if not reader.ended:
        raise reader.miscounted()


def _stretch_of(file, place, stretch, begin, end, n_atom):
    """Pieces from one byte of a frame to another; the header is read first."""
    reader = _FrameReader(place, n_atom, digest=False)
    for memory in file.blocks(place.offset, place.header):
        yield from reader.read(memory)
    reader.go_to(stretch, begin)
    for memory in file.blocks(begin, end - begin):
        yield from reader.read(memory)
    if not reader.ended:
        raise reader.miscounted()


class _FrameReader:
    """From blocks of the text of one frame to pieces of its atoms."""

    def __init__(self, place: FrameLocation, n_atom: int, digest: bool) -> None:
        self.place, self._n_atom = place, n_atom
        self._hash = xxhash.xxh3_128() if digest else None
        self._passed = 0  # bytes of the frame
        self._first = 0  # atoms of the frame
        self._stop = place.natoms
        self._layout = LAYOUTS[place.reader]
        self._header: DumpHeader | None = None

    @property
    def ended(self) -> bool:
        """Whether all atoms are read, of the frame or of the stretch."""
        return self._first == self._stop

    def go_to(self, stretch: tuple[int, int], begin: int) -> None:
        """Read these atoms next; the byte of the first is given."""
        (self._first, self._stop), self._passed = stretch, begin - self.place.offset
        self._start()

    def read(self, memory: np.ndarray) -> Iterator[FramePiece]:
        """The pieces that this block of whole lines completes."""
        stop, self._block = memory.size - PADDING, self.place.offset + self._passed
        if self._hash:
            self._hash.update(memory[:stop].data)
        at, ends = 0, self._passed + stop == self.place.length
        if self._header is None:
            at = self._begin(memory, stop)
        if memory[stop - 1] != _NEWLINE:
            if ends:
                raise changed(self.place)
            raise self._explained(memory, (stop - 1, 0, text.LONG_LINE))
        self._passed += stop
        memory, at, stop = self._body.rows(memory, at, stop)
        while at < stop:
            if self.ended:
                raise self.miscounted()
            end, column, kind = self._rows.read(memory, at, stop)
            if kind != text.DONE:
                raise self._explained(memory, (end, column, kind))
            self._note_digits(memory, at, end)
            at = end
            if self._rows.full:
                last = self._first + self._rows.line == self.place.natoms
                if last and not (ends and at == stop):
                    raise self.miscounted()
                yield self._piece(last)

    def miscounted(self) -> BadDataError:
        """The error for more or fewer atoms than the frame says; where they stand one a line, they were counted before."""
        if self._body.regular:
            return changed(self.place)
        n = self._first + self._rows.line
        what = f"{n}" if n < self.place.natoms else "more"
        why = "the file is cut, or the count is wrong"
        return refusal(self.place, f"the frame says {self.place.natoms} atoms, it has {what}", "E-COUNT", why=why)

    def _begin(self, memory, stop):
        """Read the header; the byte of the first atom."""
        place = self.place
        *lines, rest = memory[: min(place.header, stop)].tobytes().split(b"\n")
        header = self._layout.header(lines, place) if lines and not rest else None
        if header is None or (header.timestep, header.natoms) != (place.timestep, place.natoms):
            raise changed(place)
        self._header = header
        self._body = self._layout.body(place, place.line + len(lines))
        wanted = {"id": (text.INT, 0), "type": (text.INT, 1), "element": (text.NAME, 0)}
        wanted |= {name: (text.FLOAT, axis) for axis, name in enumerate(header.coordinates)}
        self._action, self._slot = np.array([wanted.get(name, (text.SKIP, 0)) for name in header.columns]).T
        self._start()
        return place.header

    def _start(self):
        """Make room for the next piece."""
        n_line = min(self._n_atom, self._stop - self._first)
        self._body.forget(self._first)
        self._rows = text.RowReader(n_line, self._action, self._slot)
        self._digits = (NO_DIGIT, 0)

    def _note_digits(self, memory, at, end):
        seen = written_digits(memory, at, end, self._action == text.FLOAT, 32, 8)
        self._digits = tuple(map(max, self._digits, seen))

    def _explained(self, memory, fault):
        line = self._line_of(self._rows.line)
        return explained(self.place, self._header.columns, memory, fault, line, self._block)

    def _line_of(self, row):
        """Line number of an atom of the piece."""
        return self._body.line_of(self._first + row)

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
                line=self._line_of(row),
                atom_id=int(identity[row]),
            )
        element = None
        if "element" in header.columns:
            names, code = rows.names()
            element = Elements(tuple(name.decode("utf-8", "backslashreplace") for name in names), code)
        elif header.labels and kind is not None:
            element = self._labelled(kind)
        first, most = self._digits
        resolution = math.nan if first == NO_DIGIT else float(f"1e{first - most + 1}")
        position = rows.floating
        if header.scaled:
            position = header.cartesian(position)
            resolution *= np.linalg.norm(header.cell, axis=1).max()
        elif (scale := scale_of(header.units)) != 1.0:
            position, resolution = position * scale, resolution * scale
        refuse_far(self.place, position, identity, self._line_of)
        piece = FramePiece(
            header=header,
            first=self._first,
            line=self._line_of(0) if self._body.regular else 0,
            id=identity,
            position=position,
            type=kind,
            element=element,
            resolution=float(resolution),
            digest=self._hash.hexdigest() if last and self._hash else "",
        )
        self._first += n
        if not self.ended:
            self._start()
        return piece

    def _labelled(self, kind):
        """Elements from the labels of the types."""
        labels = self._header.labels
        strange = [number for number in np.unique(kind).tolist() if number not in labels]
        if strange:
            row = int(np.argmax(kind == strange[0]))
            message = f"atom type {strange[0]} has no label; labelled are {', '.join(map(str, labels))}"
            raise refusal(self.place, message, "E-TYPE", line=self._line_of(row))
        return elements_coded(labels, kind)

    def _refuse_repeats(self, identity):
        repeated = repeated_id(identity)
        if repeated:
            first, second = map(self._line_of, repeated)
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
