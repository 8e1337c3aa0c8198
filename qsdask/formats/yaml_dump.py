"""LAMMPS dumps of style ``yaml``: a document a frame, an atom a line; read as a stream, not as YAML in general.

References
----------
https://docs.lammps.org/dump.html, https://docs.lammps.org/Howto_structured_data.html
"""

from __future__ import annotations

import os
import re

import numpy as np

from qsdask.formats.arrays import CutError, last_frame_cut
from qsdask.formats.as_dump import DumpLines
from qsdask.formats.container import TextStream
from qsdask.formats.frame import FrameLocation, ReadWarning
from qsdask.formats.header import DumpHeader, shown
from qsdask.formats.layout import Body, Layout
from qsdask.formats.refusal import refusal, refuse_beyond, refuse_many

__all__ = ["YAML", "index_yaml", "is_yaml"]

_MOST_HEADER_LINES = 64
_KEY = re.compile(rb"([a-z]+):[ \t]*(.*)\Z")
_LIST = re.compile(rb"[ \t]*- \[(.*)\]\Z")
_NEEDED = ("timestep", "natoms", "boundary", "box", "keywords", "data")
_BLANKS = bytes.maketrans(b"[],", b"   ")


def is_yaml(head: bytes) -> bool:
    """Whether a text begins like such a dump."""
    return head.lstrip().startswith(b"---") and b"creator: LAMMPS" in head[:256]


def index_yaml(
    path: str | os.PathLike,
    *,
    boundary: tuple[str, str, str] | None = None,
    strict: bool = False,
    units: str | None = None,
) -> tuple[list[FrameLocation], list[ReadWarning]]:
    """Find all frames of a dump of style ``yaml``, and check all headers and line counts; atoms are not converted.

    Parameters
    ----------
    path : path-like
        Plain or packed.
    boundary : tuple of str, optional
        Must agree with that of the file.
    strict : bool
        Refuse a last frame that is cut, instead of leaving it out with a warning.
    units : str, optional
        Unit style, where the file does not name it; see `qsdask.units`.

    Returns
    -------
    frames : list of FrameLocation
        Of reader ``"yaml"``.
    warnings : list of ReadWarning
        ``W-TRUNCATED``.

    Raises
    ------
    BadDataError
        ``E-FORMAT``, ``E-HEADER``, ``E-COUNT``, ``E-MEMORY``, ``E-TRUNCATED``, and those of
        `qsdask.formats.header.parse_header`.
    """
    frames: list[FrameLocation] = []
    with TextStream(path) as stream:
        while True:
            line = stream.line
            try:
                found = _next_frame(stream, os.fspath(path), frames, boundary, units)
            except CutError:
                ends = f"line {line}", f"line {stream.line}"
                return frames, [last_frame_cut(path, len(frames), *ends, strict=strict, line=line)]
            if found is None:
                return frames, []
            frames.append(found)
            refuse_many(len(frames), path, line)


def _next_frame(stream, path, frames, boundary, units):
    """The next frame; None at the end."""
    text = b"\n"
    while text and not text.strip():
        start, line = stream.offset, stream.line
        text = stream.readline()
    if not text:
        return None
    told = DumpLines(path, len(frames), line, frames[-1].units if frames else units)
    lines = [text]
    if text.endswith(b"\n") and text.strip() != b"---":
        why = "the frame before has more or fewer lines than it says" if frames else None
        raise told.refusal(f"expected '---', found {shown(text)}", "E-COUNT" if frames else "E-FORMAT", 0, why=why)
    while text.strip() != b"data:":
        text = stream.readline()
        if not text.endswith(b"\n"):
            raise CutError
        lines.append(text)
        if len(lines) > _MOST_HEADER_LINES:
            raise told.refusal("the frame has no 'data:'", "E-HEADER", 0, why="the file is damaged")
    header = _header(lines, told, boundary)
    n, length = header.natoms, stream.offset - start
    if not frames or n > frames[-1].natoms:
        most = stream.text.most_lines(len(header.columns))
        refuse_beyond(n, most, stream.text.stored, path, frame=len(frames), line=line)
    passed = stream.skip(n)
    whole = stream.behind(stream.offset - 8).rstrip().endswith(b"...")
    if passed < n and not whole:
        raise CutError
    end, after = stream.offset, stream.readline().strip()
    if whole or after not in (b"...", b"---", b""):
        message = f"the frame says {n} atoms, it has {'fewer' if whole else 'more'} lines of them"
        raise told.refusal(message, "E-COUNT", 0, timestep=header.timestep, why="the file is cut or damaged")
    if after == b"---":
        stream.back_to(end)
    return FrameLocation(
        path=path,
        ordinal=len(frames),
        offset=start,
        length=end - start,
        header=length,
        timestep=header.timestep,
        natoms=n,
        line=line,
        boundary=header.boundary,
        convention=header.convention,
        units=header.units,
        reader="yaml",
        has_id=header.has_id,
        columns=header.columns,
        cell=tuple(map(tuple, header.cell.tolist())),
    )


def _header(lines: list[bytes], told: DumpLines, boundary: tuple[str, str, str] | None) -> DumpHeader:
    """What the lines from ``---`` to ``data:`` say."""
    said: dict[str, tuple[int, bytes]] = {}
    under: dict[str, list[tuple[int, bytes]]] = {}
    key = ""
    for row, line in enumerate(lines[1:], start=1):
        text = line.rstrip()
        found = _KEY.match(text)
        if found:
            key = found[1].decode()
            if key in said:
                raise told.refusal(f"{key!r} stands twice", "E-HEADER", row)
            said[key] = row, found[2]
        elif not key or not text.startswith((b" ", b"\t")):
            raise told.refusal(f"expected 'key: value', found {shown(text)}", "E-HEADER", row)
        else:
            under.setdefault(key, []).append((row, text))
    missing = [key for key in _NEEDED if key not in said]
    if missing:
        code = "E-BOX" if missing[0] == "box" else "E-HEADER"
        raise told.refusal(f"the frame has no {missing[0]!r}", code, 0)
    for key, title in (
        ("units", b"UNITS"),
        ("time", b"TIME"),
        ("timestep", b"TIMESTEP"),
        ("natoms", b"NUMBER OF ATOMS"),
    ):
        if key in said:
            told.item(said[key][0], title, said[key])
    _box(told, said, under.get("box", []))
    row, names = said["keywords"]
    told.item(row, b"ATOMS " + b" ".join(name.strip(b"'\"") for name in names.translate(_BLANKS).split()))
    return told.read(boundary)


def _box(told, said, rows):
    row, sides = said["boundary"]
    flags = sides.translate(_BLANKS).split()
    values = []
    for at, text in rows:
        found = _LIST.match(text)
        if not found:
            raise told.refusal(f"expected '- [ low, high ]', found {shown(text)}", "E-BOX", at)
        values.append((at, found[1].replace(b",", b" ")))
    if len(flags) != 6 or len(values) not in (3, 4):
        raise told.refusal("the box needs six boundary flags and three rows, or four when it is tilted", "E-BOX", row)
    title = b"BOX BOUNDS "
    if len(values) == 4:
        tilts = values.pop()[1].split()
        if len(tilts) != 3:
            raise told.refusal("a tilted box has three tilts", "E-BOX", said["box"][0] + 4)
        title += b"xy xz yz "
        values = [(at, text + b" " + tilt) for (at, text), tilt in zip(values, tilts, strict=True)]
    told.item(row, title + b" ".join(a + b for a, b in zip(flags[::2], flags[1::2], strict=True)), *values)


class _Body(Body):
    """Atoms as ``- [ 1 , 2.5, ... ]``: what is not a number is blanked."""

    def __init__(self, place: FrameLocation, line: int) -> None:
        super().__init__(place, line)
        self._passed = 0  # lines

    def rows(self, memory: np.ndarray, at: int, stop: int) -> tuple[np.ndarray, int, int]:
        data = memory[at:stop].tobytes()
        n_line = data.count(b"\n")
        plain = data.replace(b"- [", b"   ")
        n_close = data.count(b"]\n") + data.count(b"]\r\n")
        if data.count(b"- [") != n_line or n_close != n_line:
            self._refuse(data)
        memory[at:stop] = np.frombuffer(plain.translate(_BLANKS), np.uint8)
        self._passed += n_line
        return memory, at, stop

    def _refuse(self, data: bytes) -> None:
        """Name the line that is not a list of numbers."""
        for row, line in enumerate(data.split(b"\n")[:-1]):
            if not _LIST.match(line.rstrip(b"\r")) or b"[" in line.replace(b"- [", b"", 1):
                message = f"expected '- [ ... ]' with the columns of an atom, found {shown(line)}"
                raise refusal(self.place, message, "E-LINE", line=self.line + self._passed + row)


YAML = Layout(
    lambda lines, place: _header(
        [line + b"\n" for line in lines], DumpLines(place.path, place.ordinal, place.line, place.units), place.boundary
    ),
    _Body,
)
