"""Text formats that hold one frame: the header is found, read, and the lines of atoms behind it are counted."""

from __future__ import annotations

import os
from collections.abc import Callable

from qsdask.errors import BadDataError
from qsdask.formats.container import TextStream
from qsdask.formats.frame import FrameLocation, ReadWarning
from qsdask.formats.header import DumpHeader, shown
from qsdask.formats.refusal import refuse_beyond

__all__ = ["index_single"]

_MOST_HEADER_BYTES = 1 << 16
_ALL = 1 << 62


def index_single(
    path: str | os.PathLike,
    *,
    reader: str,
    in_header: Callable[[bytes], bool],
    parse: Callable[[list[bytes], list[bytes]], DumpHeader],
    spread: Callable[[DumpHeader], bool] = lambda _: False,
    ends: Callable[[bytes], bool] = lambda _: False,
    stepless: bool = False,
) -> tuple[list[FrameLocation], list[ReadWarning]]:
    """Find the frame of a file that holds one.

    Parameters
    ----------
    path : path-like
        Plain or packed.
    reader : str
        Name of the format in `qsdask.formats.layouts.LAYOUTS`.
    in_header : callable
        Told every line from the first on, whether it belongs to the header: False for that of the first atom.
    parse : callable
        From the lines of the header, and the three behind it, to what they say.
    spread : callable
        Whether atoms do not stand one a line; all lines behind the header are theirs then, and counted when they are read.
    ends : callable
        Whether a line may follow the last atom; the rest of the file is then of no interest.
    stepless : bool
        The format has no timesteps.

    Returns
    -------
    frames : list of FrameLocation
        One.
    warnings : list of ReadWarning
        ``W-NO-STEP``.

    Raises
    ------
    BadDataError
        ``E-FORMAT``, ``E-TRUNCATED``, ``E-COUNT``, ``E-MEMORY``, and those of ``parse``.
    """
    name = os.fspath(path)
    with TextStream(path) as stream:
        lines, ahead = _opening(stream, name, in_header)
        length = stream.offset
        header = parse(lines, ahead)
        n, wide = header.natoms, spread(header)
        refuse_beyond(n, stream.text.most_lines(len(header.columns) - wide), stream.text.stored, path, frame=0)
        passed = stream.skip(_ALL if wide else n)
        rest = stream.readline()
        if passed < n or (wide and rest):
            raise _cut(stream, name, n, passed)
        end = stream.offset - len(rest)
        while rest and not ends(rest):
            if rest.strip():
                raise BadDataError(
                    f"the header says {n} atoms; another line follows them: {shown(rest)}",
                    code="E-COUNT",
                    file=path,
                    frame=0,
                    line=stream.line - rest.endswith(b"\n"),
                    why="the count is wrong, or the file is damaged",
                )
            rest = stream.readline()
    place = FrameLocation(
        path=name,
        ordinal=0,
        offset=0,
        length=end,
        header=length,
        timestep=header.timestep,
        natoms=n,
        line=1,
        boundary=header.boundary,
        convention=header.convention,
        units=header.units,
        reader=reader,
        has_id=header.has_id,
        columns=header.columns,
        cell=tuple(map(tuple, header.cell.tolist())),
    )
    notes = (
        [ReadWarning("W-NO-STEP", f"{name}: no timestep in the file; frames are counted from 0")] if stepless else []
    )
    return [place], notes


def _opening(stream, path, in_header):
    """Lines of the header, and the three behind it, at the first of which the stream then stands."""
    lines: list[bytes] = []
    while True:
        start, line = stream.offset, stream.readline()
        if not line:
            raise BadDataError(
                "the file ends within its header", code="E-TRUNCATED", file=path, frame=0, line=stream.line
            )
        if not in_header(line):
            ahead = [line, stream.readline(), stream.readline()]
            stream.back_to(start)
            return lines, ahead
        lines.append(line)
        if stream.offset > _MOST_HEADER_BYTES:
            raise BadDataError(
                f"no atom begins within {_MOST_HEADER_BYTES} bytes",
                code="E-FORMAT",
                file=path,
                frame=0,
                line=stream.line,
            )


def _cut(stream, path, natoms, passed):
    """The error for a file that ends before its last atom does."""
    return BadDataError(
        "the only frame is cut, or its count is wrong",
        code="E-TRUNCATED",
        file=path,
        frame=0,
        line=stream.line,
        why=f"{passed} whole lines follow the header, which says {natoms} atoms",
    )
