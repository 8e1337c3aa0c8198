"""LAMMPS text dumps: find all frames in one pass, and go on behind bad ones where that is wanted."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from qsdask.errors import BadDataError, QSDaskError
from qsdask.formats.container import DAMAGE_CODES, TextFile, TextStream, sniff
from qsdask.formats.frame import FrameLocation, ReadWarning
from qsdask.formats.header import DumpHeader, check_opening, parse_header, shown
from qsdask.formats.refusal import refuse_large, refuse_many, zeros
from qsdask.formats.unread import READ
from qsdask.kernels.words import PADDING

__all__ = ["index_frames"]

_BOM = b"\xef\xbb\xbf"
_STARTS = (b"ITEM: TIMESTEP", b"ITEM: UNITS", b"ITEM: TIME")
_MOST_HEADER_LINES = 64  # any header has fewer
_MOST_HEADER_BYTES = 1 << 16
_ALL = 1 << 62
_MOST_BLANK_LINES = 1 << 16  # in one place; a packed file of blank lines may have billions
_NEAR = 1 << 10  # bytes before a place in which an unfinished line is looked for


def index_frames(
    path: str | os.PathLike,
    *,
    boundary: tuple[str, str, str] | None = None,
    strict: bool = False,
    units: str | None = None,
    on_bad: Callable[[QSDaskError], None] | None = None,
    block: int = 1 << 18,
) -> tuple[list[FrameLocation], list[ReadWarning]]:
    """Find all frames of a dump and check all headers and line counts; atoms are not converted.

    Parameters
    ----------
    path : path-like
        Text, plain or packed by gzip, zstd or bzip2, recognised by its content.
    boundary : tuple of str, optional
        Needed when the file does not say it; see `qsdask.formats.frame.boundary_flags`.
    strict : bool
        Refuse a last frame that is cut, instead of leaving it out with a warning.
    units : str, optional
        Unit style, where the file does not name it.
    on_bad : callable, optional
        Is given the error of every bad frame; the frame is left out, and the next one is looked for. Without
        it the first error is raised.
    block : int
        Bytes read at a time: the memory used does not depend on the size of file or frames.

    Returns
    -------
    frames : list of FrameLocation
        Ordinals count the bad frames too.
    warnings : list of ReadWarning
        ``W-TRUNCATED`` with the byte where the cut frame begins.

    Raises
    ------
    NoInputError
        ``E-NO-FILE``.
    BadDataError
        ``E-FORMAT`` (not a dump, or no frame in it), ``E-GZIP``, ``E-ZSTD``, ``E-BZIP2`` (names the last whole
        frame), ``E-COUNT`` (a frame has more or fewer lines than it says), ``E-MEMORY``, ``E-NUL``, ``E-TRUNCATED``, and those
        of `qsdask.formats.header.parse_header`. With ``on_bad`` only when there is no good frame at all, or when
        a packed file is damaged, not just cut: then no number of it can be trusted.

    Notes
    -----
    A frame whose last line has no newline is cut: the last number may have lost digits.

    After a bad frame, the next one begins at the next line that begins ``ITEM: TIMESTEP`` (or ``UNITS``,
    ``TIME``), or where such a line runs on from a line that a killed run had not finished.
    """
    _refuse_other_formats(path)
    with TextStream(path, block) as stream:
        search = _Search(stream, strict, boundary=boundary, units=units)
        first_error = None
        while not search.ended:
            try:
                search.step()
            except BadDataError as error:
                bad = error if on_bad else search.cause(error)
                if not search.drop(bad) or on_bad is None:
                    raise bad  # noqa: B904 - it keeps its own cause
                first_error = first_error or bad
                on_bad(bad)
            else:
                refuse_many(len(search.frames), path, stream.line - 1)  # no bad frame that can be left out
    if not search.frames:
        raise first_error or BadDataError("the file has no frame", code="E-FORMAT", file=path)
    return search.frames, search.warnings


def _refuse_other_formats(path):
    container, head = sniff(path)
    hint, why = None, "a LAMMPS text dump begins with 'ITEM: TIMESTEP'"
    body = head.removeprefix(_BOM).lstrip()
    first = body.partition(b"\n")[0]
    lower = body[:200].lower()
    if container in ("xz", "zip"):
        what = f"{container}-compressed: plain text, gzip, zstd and bzip2 are read"
        hint = f"decompress it first ({'xz -d' if container == 'xz' else 'unzip'})"
    elif body.startswith((b"ITEM:", b"#")):
        return
    elif not head:
        what = "empty"
    elif not head.strip(b"\0 \r\n\t"):
        what = "only binary zeros and blanks at its beginning"
    elif lower.startswith((b"<!doctype", b"<html", b"<?xml")):
        what = "an HTML or XML page"
        hint = "the download failed: open the file in a text editor"
    elif first.strip().isdigit():
        what = "like XYZ: it begins with a count"
        hint = "name it .xyz"
    else:
        what = f"of no format that is read: it begins with {shown(first)}"
        hint = READ
    raise BadDataError(f"the file is {what}", code="E-FORMAT", file=path, why=why, hint=hint)


class _Search:
    """The way through a dump from frame to frame."""

    def __init__(self, stream: TextStream, strict: bool, **given: Any) -> None:
        self.frames: list[FrameLocation] = []
        self.warnings: list[ReadWarning] = []
        self.ended = False
        self._stream, self._strict, self._given = stream, strict, given
        self._path = stream.text.path
        self._ordinal = 0
        self._lost = False  # a bad frame was met, and no good one since
        self._floor = 0  # where the next frame may begin, should this one be bad
        self._marks: list[tuple[int, int]] = []

    def step(self) -> None:
        """Find one more frame, or the end."""
        if self._lost:
            self._go_to_next_start()
            self._lost = False
        first = self._next_start()
        if first is None:
            self.ended = True
            return
        offset, line = self._stream.offset - len(first), self._stream.line - first.endswith(b"\n")
        lines = self._header_lines(first)
        header = None
        if not lines[-1].endswith(b"\n"):
            check_opening(lines[:-1], path=self._path, frame=self._ordinal, line=line)
        else:
            header = parse_header(lines, path=self._path, frame=self._ordinal, line=line, **self._given)
        header_length = self._stream.offset - offset
        if header is None or not self._pass_atoms(header, offset, line):
            self.ended = True
            return self._leave_out_cut(offset, line)
        self._given["units"] = header.units
        self.frames.append(
            FrameLocation(
                path=self._path,
                ordinal=self._ordinal,
                offset=offset,
                length=self._stream.offset - offset,
                header=header_length,
                timestep=header.timestep,
                natoms=header.natoms,
                line=line,
                boundary=header.boundary,
                convention=header.convention,
                units=header.units,
                has_id=header.has_id,
                columns=header.columns,
                cell=tuple(map(tuple, header.cell.tolist())),
                marks=tuple(self._marks),
            )
        )
        self._ordinal += 1

    def cause(self, error: QSDaskError) -> QSDaskError:
        """Damage of a packed file, which may be what lies behind an error of its text; else that error."""
        if self._stream.text.size is None and error.code not in DAMAGE_CODES:
            try:
                self._stream.text.pass_to(_ALL)
            except BadDataError as damage:
                return damage
        return error

    def drop(self, error: QSDaskError) -> bool:
        """Count a frame as bad, or end where a packed file does; False when no frame can be trusted then."""
        if error.code not in DAMAGE_CODES:
            if error.frame is None:
                error.frame = self._ordinal
            self._ordinal = error.frame + 1
            self.frames = [place for place in self.frames if place.ordinal < error.frame]
            self._lost = not self.ended
            return True
        self.ended = True
        cut = isinstance(error.__cause__, EOFError)
        self._name_whole_frames(error, cut)
        return cut

    def _next_start(self):
        """The first header line of the next frame, past blank and comment lines; None at the end."""
        stream = self._stream
        for _ in range(_MOST_BLANK_LINES):
            self._floor = stream.offset
            line = stream.readline()
            if stream.offset == len(line):
                line = line.removeprefix(_BOM)
            body = line.removesuffix(b"\n").removesuffix(b"\r").strip(b" \t")
            if not line:
                return None
            cut = not line.endswith(b"\n") and any(start.startswith(body) for start in _STARTS)
            if body and not body.startswith(b"#"):
                self._refuse_run_on()
                if cut or body in _STARTS:
                    return line
                raise self._unexpected(line, body)
        raise BadDataError(
            f"more than {_MOST_BLANK_LINES} lines between two frames are blank or comments",
            code="E-FORMAT",
            file=self._path,
            frame=self._ordinal,
            line=stream.line - 1,
        )

    def _frame_before(self):
        """The frame that ends where the stream is, if it was good."""
        last = self.frames[-1] if self.frames else None
        return last if last and last.ordinal == self._ordinal - 1 else None

    def _refuse_run_on(self):
        """Refuse a frame that has its number of lines only because the next frame runs on from a cut one."""
        before = self._frame_before()
        start = self._glued_start(self._floor, before.offset) if before else None
        if start is not None:
            self._floor = start
            raise self._wrong_count(
                before, f"the next frame begins within their last line, at byte {start}", self._stream.line - 1
            )

    def _unexpected(self, line, body):
        """The error for a line between two frames."""
        number = self._stream.line - line.endswith(b"\n")
        if b"\0" in line:
            byte = self._floor + line.index(b"\0")
            return zeros(self._path, byte, frame=self._ordinal, line=number)
        before = self._frame_before()
        if before and not body.startswith(b"ITEM:") and len(body.split()) == len(before.columns):
            return self._wrong_count(before, f"more lines follow: {shown(body)}", number)
        return BadDataError(
            f"a frame must begin with ITEM: TIMESTEP, found {shown(body)}",
            code="E-HEADER",
            file=self._path,
            frame=self._ordinal,
            line=number,
        )

    def _header_lines(self, first):
        """Lines to ``ITEM: ATOMS``, to the end of the text, to where the frame seems to begin again, or too many."""
        lines, seen = [first], [first.strip()]
        leading = True  # only UNITS, TIME and TIMESTEP so far
        self._floor = self._stream.offset
        while lines[-1].endswith(b"\n") and not lines[-1].lstrip().startswith(b"ITEM: ATOMS"):
            line = self._stream.readline()
            lines.append(line)
            if line.strip() in seen:
                break
            if len(lines) % 2:
                leading = leading and line.strip() in _STARTS
                self._floor = self._stream.offset if leading else self._floor
            if line.strip() in _STARTS:
                seen.append(line.strip())
            if len(lines) > _MOST_HEADER_LINES:
                break
            if sum(map(len, lines)) > _MOST_HEADER_BYTES:
                raise BadDataError(
                    f"no 'ITEM: ATOMS' within {_MOST_HEADER_BYTES} bytes",
                    code="E-HEADER",
                    file=self._path,
                    frame=self._ordinal,
                    line=self._stream.line - len(lines),
                )
        return lines

    def _pass_atoms(self, header: DumpHeader, offset: int, first_line: int) -> bool:
        """Pass over the atoms of a frame that begins at ``offset``; False when the file ends within them."""
        stream, size = self._stream, self._stream.text.size
        before = self.frames[-1].natoms if self.frames else None
        if before is None or header.natoms > before:
            if header.natoms > stream.text.most_lines(len(header.columns)):
                raise self._wrong_count(header, f"the file has only {stream.text.stored} bytes", stream.line)
            place = {"frame": self._ordinal, "timestep": header.timestep, "line": first_line}
            refuse_large(header.natoms, self._path, **place)
        passed, self._marks = stream.skip_marked(header.natoms)
        if passed == header.natoms:
            return True
        rest = stream.readline()
        if rest.endswith(b"\n") or (before is not None and header.natoms > before):
            if size is not None:  # a packed file would have to be unpacked again
                self._refuse_zeros(offset, stream.offset, first_line)
            line = stream.line - rest.endswith(b"\n")
            raise self._wrong_count(header, f"{passed} whole lines follow", line)
        return False

    def _wrong_count(self, frame: DumpHeader | FrameLocation, found: str, line: int) -> BadDataError:
        """The error for a frame, or one whose header this is."""
        return BadDataError(
            f"the frame says {frame.natoms} atoms, but {found}",
            code="E-COUNT",
            file=self._path,
            frame=getattr(frame, "ordinal", self._ordinal),
            timestep=frame.timestep,
            line=line,
            why="a wrong count, or a run was killed while it wrote and the next one appended to the file",
        )

    def _leave_out_cut(self, offset, line):
        """Warn of a last frame that is cut, or refuse it."""
        end = self._stream.offset
        self._refuse_zeros(offset, end, line)
        if self._strict or not self.frames:
            raise BadDataError(
                "the last frame is cut" if self.frames else "the only frame is cut, or its count is wrong",
                code="E-TRUNCATED",
                file=self._path,
                frame=self._ordinal,
                line=line,
                why=f"it begins at byte {offset}, and the text ends at byte {end}",
                hint="leave strict off to use the whole frames" if self.frames else None,
            )
        self.warnings.append(
            ReadWarning(
                "W-TRUNCATED",
                f"{self._path}: frame {self._ordinal} is cut; it begins at byte {offset} (line {line}) "
                f"and the file ends at byte {end}; left out",
            )
        )

    def _refuse_zeros(self, first, last, line):
        """A frame that seems too short may have lost its line ends to a page of zeros; ``line`` begins it."""
        at = first
        with TextFile(self._path) as file:
            for memory in file.blocks(first, last - first):
                text = memory[:-PADDING].tobytes()
                zero = text.find(b"\0")
                line += text.count(b"\n", 0, zero if zero >= 0 else None)
                if zero >= 0:
                    raise zeros(self._path, at + zero, frame=self._ordinal, line=line)
                at += len(text)

    def _name_whole_frames(self, error, cut):
        if not self.frames:
            error.message += "; no whole frame comes before"
            return
        last = self.frames[-1]
        error.frame, error.timestep = last.ordinal, last.timestep
        error.message += f"; frame {last.ordinal} is the last whole one"
        if cut:
            cat = self._stream.text.container.cat
            end = last.offset + last.length
            error.hint = f"keep the whole frames: {cat} FILE | head -c {end} > whole.dump"

    def _go_to_next_start(self):
        """Go to where the next frame begins, not before the floor."""
        stream, floor = self._stream, self._floor
        stream.back_to(floor)
        while True:
            try:
                stream.skip(_ALL)
                offset = stream.offset
                line = stream.readline()
            except BadDataError as error:
                if error.code in DAMAGE_CODES:
                    raise
                continue  # more of a line without end
            start = self._glued_start(offset, floor)
            if start is None and line.strip() in _STARTS:
                start = offset
            if start is None:
                start = self._glued_start(stream.offset, offset)
            if start is not None:
                stream.back_to(start)
                return
            if not line:
                return

    def _glued_start(self, offset, floor):
        """Byte where a header begins in one of the two lines before ``offset``, behind an unfinished line."""
        text = self._stream.behind(max(floor, offset - _NEAR))
        lines = text[: len(text) - (self._stream.offset - offset)].splitlines(keepends=True)
        for row in range(max(len(lines) - 2, 0), len(lines)):
            for start in _STARTS:
                column = lines[row].rfind(start)
                if column > 0 and lines[row][column:].strip() == start:
                    return offset - len(b"".join(lines[row:])) + column
        return None
