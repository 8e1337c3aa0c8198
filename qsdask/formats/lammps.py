"""LAMMPS text dumps: find the frames in one pass, then read any of them, strictly, with places in errors."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence

import numpy as np

from qsdask.errors import BadDataError, QSDaskError
from qsdask.formats.container import TextStream, read_stretches, sniff
from qsdask.formats.frame import Elements, Frame, FrameLocation, ReadWarning
from qsdask.formats.header import DumpHeader, parse_header, shown
from qsdask.kernels import text

__all__ = ["index_frames", "read_frames"]

_BOM = b"\xef\xbb\xbf"
_FRAME_STARTS = (b"ITEM: TIMESTEP", b"ITEM: UNITS", b"ITEM: TIME")
_MOST_HEADER_LINES = 64


def index_frames(
    path: str | os.PathLike,
    *,
    boundary: tuple[str, str, str] | None = None,
    strict: bool = False,
    block: int = 4 << 20,
) -> tuple[list[FrameLocation], list[ReadWarning]]:
    """Find all frames of a dump and check all headers and line counts; atoms are not converted.

    Parameters
    ----------
    path : path-like
        Plain or gzip text, told by its content.
    boundary : tuple of str, optional
        Needed when the file does not say it; see `qsdask.formats.frame.boundary_flags`.
    strict : bool
        Refuse a last frame that is cut, instead of leaving it out with a warning.
    block : int
        Bytes read at a time: the memory used does not depend on the size of file or frames.

    Returns
    -------
    frames : list of FrameLocation
    warnings : list of ReadWarning
        ``W-TRUNCATED`` with the byte where the cut frame begins.

    Raises
    ------
    NoInputError
        ``E-NO-FILE``.
    BadDataError
        ``E-FORMAT`` (not a dump), ``E-GZIP`` (names the last whole frame), ``E-COUNT`` (a frame has more or
        fewer lines than it says), ``E-TRUNCATED``, and those of `qsdask.formats.header.parse_header`.

    Notes
    -----
    A frame whose last line has no newline is cut: the last number may have lost digits.
    """
    container, head = sniff(path)
    _refuse_other_formats(path, container, head)
    frames: list[FrameLocation] = []
    warnings: list[ReadWarning] = []
    units = None
    with TextStream(path, block) as stream:
        try:
            while True:
                first = _next_item(stream, len(frames))
                if first is None:
                    break
                found = _index_one(stream, first, frames, path, boundary, units)
                if isinstance(found, FrameLocation):
                    frames.append(found)
                    units = found.units
                    continue
                offset, line = found
                _refuse_zeros(path, len(frames), offset, stream.offset)
                cut = (
                    f"{os.fspath(path)}: frame {len(frames)} is cut; "
                    f"it begins at byte {offset} (line {line}) and the file ends at byte {stream.offset}"
                )
                if strict or not frames:
                    raise BadDataError(
                        "the last frame is cut" if frames else "the only frame is cut, or its count is wrong",
                        code="E-TRUNCATED",
                        file=path,
                        frame=len(frames),
                        line=line,
                        why=f"it begins at byte {offset}, and the text ends at byte {stream.offset}",
                        hint="leave strict off to use the whole frames" if frames else None,
                    )
                warnings.append(ReadWarning("W-TRUNCATED", cut + "; left out"))
                break
        except QSDaskError as error:
            if error.code == "E-GZIP":
                raise _after_whole_frames(error, frames) from error
            raise
    if not frames:
        raise BadDataError("the file has no frame", code="E-FORMAT", file=path)
    return frames, warnings


def _refuse_other_formats(path, container, head):
    if container not in ("plain", "gzip"):
        what = f"{container}-compressed: only plain text and gzip are read"
        hint = f"decompress it first ({container} -d)" if container != "zip" else "unzip it first"
    else:
        body = head.removeprefix(_BOM).lstrip()
        first = body.partition(b"\n")[0]
        if body.startswith(b"ITEM:") or body.startswith(b"#"):
            return
        hint = None
        lower = body[:200].lower()
        if not head:
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
            what = f"not a LAMMPS text dump: it begins with {shown(first)}"
    raise BadDataError(
        f"the file is {what}",
        code="E-FORMAT",
        file=path,
        why="a dump begins with 'ITEM: TIMESTEP'",
        hint=hint,
    )


def _next_item(stream, ordinal):
    """The first header line of the next frame, past blank and comment lines; None at the end."""
    while True:
        line = stream.readline()
        if stream.offset == len(line):
            line = line.removeprefix(_BOM)
        body = line.strip()
        if not line:
            return None
        if not body or body.startswith(b"#"):
            continue
        cut = not line.endswith(b"\n") and any(start.startswith(body) for start in _FRAME_STARTS)
        if cut or body.startswith(_FRAME_STARTS):
            return line
        line_number = stream.line - line.endswith(b"\n")
        where = {"file": stream.path, "frame": max(ordinal - 1, 0), "line": line_number}
        zero = line.find(b"\0")
        if zero >= 0:
            raise BadDataError(
                f"binary zeros at byte {stream.offset - len(line) + zero}",
                code="E-NUL",
                why="a node or disk failed while the file was written",
                **where,
            )
        if body.startswith(b"ITEM:"):
            raise BadDataError(
                f"a frame must begin with ITEM: TIMESTEP, found {shown(body)}", code="E-HEADER", **where
            )
        raise BadDataError(
            f"expected ITEM: TIMESTEP, found {shown(body)}",
            code="E-COUNT",
            why="the frame before has more lines than its NUMBER OF ATOMS",
            **where,
        )


def _index_one(stream, first, frames, path, boundary, units):
    """The frame that begins with line ``first``, or (offset, line) when the file ends within it."""
    offset = stream.offset - len(first)
    line = stream.line - first.endswith(b"\n")
    lines = [first]
    while lines[-1].endswith(b"\n") and not lines[-1].lstrip().startswith(b"ITEM: ATOMS"):
        lines.append(stream.readline())
        if len(lines) > _MOST_HEADER_LINES:
            raise BadDataError(
                f"no 'ITEM: ATOMS' within {_MOST_HEADER_LINES} lines",
                code="E-HEADER",
                file=path,
                frame=len(frames),
                line=line,
            )
    if not lines[-1].endswith(b"\n"):
        return offset, line
    header = parse_header(lines, path=path, frame=len(frames), line=line, boundary=boundary)
    header_length = stream.offset - offset
    passed = stream.skip(header.natoms)
    if passed < header.natoms:
        rest = stream.readline()
        before = frames[-1].natoms if frames else header.natoms
        if rest.endswith(b"\n") or header.natoms > before:
            raise BadDataError(
                f"the frame says {header.natoms} atoms, but {passed} whole lines follow",
                code="E-COUNT",
                file=path,
                frame=len(frames),
                timestep=header.timestep,
                line=stream.line - rest.endswith(b"\n"),
                why="a wrong count, or a run was killed while it wrote and the next one appended to the file",
            )
        return offset, line
    return FrameLocation(
        path=os.fspath(path),
        ordinal=len(frames),
        offset=offset,
        length=stream.offset - offset,
        header=header_length,
        timestep=header.timestep,
        natoms=header.natoms,
        line=line,
        boundary=header.boundary,
        convention=header.convention,
        units=header.units or units,
    )


def _refuse_zeros(path, frame, first, last):
    """A last frame that seems cut may have lost its line ends to a page of zeros instead."""
    step = 4 << 20
    pieces = [(at, min(step, last - at)) for at in range(first, last, step)]
    for (at, _), memory in zip(pieces, read_stretches(path, pieces), strict=True):
        zeros = np.flatnonzero(memory[: -text.PADDING] == 0)
        if zeros.size:
            raise BadDataError(
                f"binary zeros at byte {at + zeros[0]}",
                code="E-NUL",
                file=path,
                frame=frame,
                why="a node or disk failed while the file was written",
            )


def _after_whole_frames(error, frames):
    if frames:
        last = frames[-1]
        error.frame, error.timestep = last.ordinal, last.timestep
        error.message += f"; frame {last.ordinal} is the last whole one"
        error.hint = f"keep the whole frames: zcat FILE | head -c {last.offset + last.length} > whole.dump"
    else:
        error.message += "; no whole frame comes before the damage"
    return error


def read_frames(locations: Sequence[FrameLocation], *, digest: bool = True) -> Iterator[Frame]:
    """Read frames of one file that `index_frames` found.

    Parameters
    ----------
    locations : sequence of FrameLocation
        Of one file, in rising order. Frames between them are passed over: by seeking in plain text, by
        decompressing in gzip.
    digest : bool
        Compute `Frame.digest`, a quarter to a third of the time; empty otherwise.

    Yields
    ------
    Frame

    Raises
    ------
    BadDataError
        With file, frame, timestep and line: ``E-LINE`` (a line has more or fewer columns), ``E-NUMBER``
        (not a finite decimal number, or a whole number beyond int64), ``E-NAME`` (an element longer than 8
        bytes, or too many different ones), ``E-NUL`` (binary zeros), ``E-TYPE`` (below 1), ``E-DUP-ID``,
        ``E-CHANGED`` (not what was indexed), ``E-GZIP``.
    """
    if not locations:
        return
    stretches = [(place.offset, place.length) for place in locations]
    for place, memory in zip(locations, read_stretches(locations[0].path, stretches), strict=True):
        yield _read_frame(place, memory, digest)


def _read_frame(place: FrameLocation, memory: np.ndarray, digest: bool) -> Frame:
    stop = memory.size - text.PADDING
    lines = memory[: place.header].tobytes().splitlines(keepends=True)
    same = stop == place.length and memory[stop - 1] == 10 and lines[-1].lstrip().startswith(b"ITEM: ATOMS")
    if same:
        header = parse_header(
            lines, path=place.path, frame=place.ordinal, line=place.line, boundary=place.boundary
        )
        same = (header.timestep, header.natoms) == (place.timestep, place.natoms)
    if not same:
        raise _refusal(place, "the file is no longer what it was when it was indexed", "E-CHANGED")
    names = header.columns
    action = np.full(len(names), text.SKIP)
    slot = np.zeros(len(names), np.int64)
    wanted = {"id": (text.INT, 0), "type": (text.INT, 1), "element": (text.NAME, 0)}
    wanted |= {name: (text.FLOAT, axis) for axis, name in enumerate(header.coordinates)}
    for column, name in enumerate(names):
        action[column], slot[column] = wanted.get(name, (text.SKIP, 0))
    rows = text.parse_rows(memory, place.header, stop, place.natoms, action, slot)
    if rows.kind != text.DONE or rows.end != stop:
        raise _explained(place, rows, header, memory)
    line = place.line + len(lines)
    identity = rows.integer[0]
    repeated = text.repeated_id(identity)
    if repeated:
        first, second = (line + row for row in repeated)
        raise _refusal(
            place,
            f"atom id {identity[repeated[1]]} appears twice in one frame (first seen on line {first})",
            "E-DUP-ID",
            line=second,
            atom_id=int(identity[repeated[1]]),
            why="ids must be unique; a restart with 'dump_modify append yes' often causes this",
        )
    kind = rows.integer[1] if "type" in names else None
    if kind is not None and kind.min() < 1:
        row = int(np.argmax(kind < 1))
        raise _refusal(
            place,
            f"atom type {kind[row]} is below 1",
            "E-TYPE",
            line=line + row,
            atom_id=int(identity[row]),
        )
    position = rows.floating
    if header.scaled:
        position = header.origin + position @ header.cell
    element = None
    if "element" in names:
        element = Elements(tuple(n.decode("utf-8", "backslashreplace") for n in rows.names), rows.code)
    return Frame(
        timestep=header.timestep,
        natoms=header.natoms,
        cell=header.cell,
        origin=header.origin,
        boundary=header.boundary,
        id=identity,
        position=position,
        convention=header.convention,
        type=kind,
        element=element,
        units=place.units,
        time=header.time,
        digest=hashlib.blake2b(memory[:stop], digest_size=16).hexdigest() if digest else "",
    )


def _refusal(place, message, code, **more):
    return BadDataError(
        message, code=code, file=place.path, frame=place.ordinal, timestep=place.timestep, **more
    )


def _explained(place: FrameLocation, rows: text.Rows, header: DumpHeader, memory: np.ndarray) -> BadDataError:
    """The error for a table that could not be read, from the line at fault."""
    stop = memory.size - text.PADDING
    n_header = memory[: place.header].tobytes().count(b"\n")
    line = place.line + n_header + rows.line
    around = memory[max(rows.end - 65536, 0) : min(rows.end + 65536, stop)].tobytes()
    at = rows.end - max(rows.end - 65536, 0)
    start = around.rfind(b"\n", 0, at) + 1
    end = around.find(b"\n", at)
    whole = around[start : end if end >= 0 else len(around)]
    token = around[at:].split(None, 1)[0] if around[at:].strip() else b""
    n_column = len(header.columns)
    name = header.columns[rows.column] if rows.column < n_column else "?"
    if b"\0" in whole:
        zero = place.offset + rows.end - at + start + whole.index(b"\0")
        return _refusal(
            place,
            f"binary zeros at byte {zero}",
            "E-NUL",
            line=line,
            why="a node or disk failed while the file was written",
        )
    if rows.kind in (text.FEW_TOKENS, text.MANY_TOKENS):
        n = len(whole.split())
        what = (
            f"the line has {n} columns, {n_column} are announced ({' '.join(header.columns)}): {shown(whole)}"
        )
        why = "a comment or blank line between the atoms" if not n or whole.startswith(b"#") else None
        return _refusal(place, what, "E-LINE", line=line, why=why)
    if rows.kind == text.BAD_INT:
        return _refusal(
            place, f"column {name!r} needs a whole number, found {shown(token)}", "E-NUMBER", line=line
        )
    if rows.kind == text.INT_RANGE:
        return _refusal(place, f"column {name!r}: {shown(token)} is beyond int64", "E-NUMBER", line=line)
    if rows.kind == text.BAD_FLOAT:
        why = None
        if b"nan" in token.lower() or b"inf" in token.lower() or b"#" in token:
            why = "the simulation blew up"
        elif token.startswith(b"*"):
            why = "a Fortran program ran out of digits"
        elif b"," in token:
            why = "a decimal comma"
        elif b"d" in token.lower():
            why = "a Fortran exponent: write E for D"
        return _refusal(
            place,
            f"column {name!r} needs a finite decimal number, found {shown(token)}",
            "E-NUMBER",
            line=line,
            why=why,
        )
    if rows.kind == text.MANY_NAMES or (rows.kind == text.BAD_TOKEN and name == "element" and len(token) > 8):
        return _refusal(
            place,
            f"column {name!r}: {shown(token)} is too long, or there are too many different names",
            "E-NAME",
            line=line,
        )
    if rows.kind == text.LONG_LINE:
        return _refusal(place, "the line is too long", "E-LINE", line=line)
    if rows.kind == text.BAD_TOKEN:
        return _refusal(place, f"a control character in {shown(whole)}", "E-NUMBER", line=line)
    return _refusal(place, "the file is no longer what it was when it was indexed", "E-CHANGED")
