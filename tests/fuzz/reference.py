"""A slow, strict reader of LAMMPS text dumps in plain Python: the oracle of the fuzzer.

Written from https://docs.lammps.org/dump.html and Howto_triclinic.html, line by line and token by token; it
shares no code with qsdask. It refuses whatever the format does not allow, and guesses nothing. A file that
ends within its last frame is reported as cut, with the frames before it.
"""

from __future__ import annotations

import bz2
import gzip
import io
import math
import re
from dataclasses import dataclass

__all__ = ["Dump", "Picture", "Refused", "read", "unpacked"]

INTEGER = re.compile(rb"[+-]?[0-9]+\Z")
REAL = re.compile(rb"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\Z")
CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f]")
VALUE_LINES = {b"UNITS": 1, b"TIME": 1, b"TIMESTEP": 1, b"NUMBER OF ATOMS": 1, b"BOX BOUNDS": 3, b"ATOMS": 0}
NEEDED = (b"TIMESTEP", b"NUMBER OF ATOMS", b"BOX BOUNDS", b"ATOMS")
STARTS = (b"ITEM: TIMESTEP", b"ITEM: UNITS", b"ITEM: TIME")
STYLES = (b"lj", b"real", b"metal", b"si", b"cgs", b"electron", b"micro", b"nano")
#: Angstrom, or sigma, in the unit of length of every style.
SCALE = dict(zip(STYLES, (1.0, 1.0, 1.0, 1e10, 1e8, 0.529177210903, 1e4, 10.0), strict=True))
COORDINATES = (("", False, "wrapped"), ("u", False, "unwrapped"), ("s", True, "wrapped"), ("su", True, "unwrapped"))
LONGEST_NAME, MOST_NAMES, MOST_COLUMNS = 8, 128, 1000


class Refused(Exception):
    """The text is not a dump.

    Attributes
    ----------
    reason : str
        A short, stable phrase.
    line : int or None
        From 1; None where there is no text.
    """

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(f"{reason} (line {line})")
        self.reason, self.line = reason, line


class Cut(Exception):
    """The text ends within a frame."""


@dataclass
class Picture:
    """One frame, in plain lists; the names are those of `qsdask.formats.frame.Frame`."""

    timestep: int
    natoms: int
    cell: list[list[float]]
    origin: list[float]
    boundary: tuple[str, ...] | None
    convention: str
    scaled: bool
    units: str | None
    time: float | None
    id: list[int]
    has_id: bool
    type: list[int] | None
    element: list[str] | None
    position: list[list[float]]

    def same(self, other: Picture) -> bool:
        """The same atoms at the same places in the same box, whatever their order."""

        def content(picture):
            none = [None] * picture.natoms
            atoms = zip(picture.id, picture.type or none, picture.element or none, picture.position, strict=True)
            box = (picture.cell, picture.origin, picture.boundary, picture.convention)
            return sorted(atoms, key=lambda atom: atom[0]), box

        if self.units and other.units and self.units != other.units:
            return False
        return self.timestep == other.timestep and content(self) == content(other)


@dataclass
class Dump:
    """Frames of a file, and whether the text ends within one more."""

    frames: list[Picture]
    cut: bool


def read(data: bytes) -> Dump:
    """Read a dump, plain or compressed.

    Parameters
    ----------
    data : bytes
        The whole file.

    Returns
    -------
    Dump

    Raises
    ------
    Refused
        The format does not allow it, or the frames do not make one trajectory.
    """
    frames, cut = _frames(unpacked(data))
    if not frames:
        raise Refused("no whole frame", 1)
    return Dump(_trajectory(frames), cut)


def unpacked(data: bytes) -> bytes:
    """The text of a file, plain or compressed; `Refused` when the container is damaged."""
    try:
        if data.startswith(b"\x1f\x8b"):
            return gzip.decompress(data)
        if data.startswith(b"BZh"):
            return _bunzip(data)
        if data.startswith(b"\x28\xb5\x2f\xfd"):
            import zstandard

            with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True) as stream:
                text = stream.read()
            _refuse_unended_zstd(data)
            return text
    except Refused:
        raise
    except Exception as error:  # whatever a broken container raises
        raise Refused(f"damaged container: {type(error).__name__}") from error
    return data


def _bunzip(data):
    """All streams; `bz2.decompress` would take garbage behind the first one for its end."""
    text = b""
    while data:
        stream = bz2.BZ2Decompressor()
        text += stream.decompress(data)
        if not stream.eof:
            raise Refused("damaged container: cut")
        data = stream.unused_data
    return text


def _refuse_unended_zstd(data):
    """The stream reader of zstandard takes the end of the file for the end of a frame; this does not."""
    import zstandard

    while data:
        frame = zstandard.ZstdDecompressor().decompressobj()
        frame.decompress(data)
        if not frame.eof:
            raise Refused("damaged container: cut")
        data = frame.unused_data


class _Lines:
    """The lines of a text, one after the other."""

    def __init__(self, text):
        self.text = text
        self.at = 3 if text.startswith(b"\xef\xbb\xbf") else 0
        self.number = 0  # of the line taken last

    def ended(self):
        return self.at >= len(self.text)

    def peek(self):
        return self.text[self.at :].split(b"\n", 1)[0]

    def peek_word(self):
        """The next line without its end, and the blanks around it."""
        return self.peek().removesuffix(b"\r").strip(b" \t")

    def take(self):
        """The next line without its end; Cut when it has none."""
        end = self.text.find(b"\n", self.at)
        if end < 0:
            raise Cut
        line = self.text[self.at : end]
        self.at = end + 1
        self.number += 1
        return line.removesuffix(b"\r")


def _frames(text):
    lines = _Lines(text)
    frames, units = [], None
    while True:
        while not lines.ended() and (not lines.peek_word() or lines.peek_word().startswith(b"#")):
            try:
                lines.take()
            except Cut:  # a comment without a line end: nothing is lost
                return frames, False
        if lines.ended():
            return frames, False
        first = lines.peek_word()
        unended = lines.text.find(b"\n", lines.at) < 0
        if not (first.startswith(STARTS) or (unended and any(s.startswith(first) for s in STARTS))):
            raise Refused("not the beginning of a frame", lines.number + 1)
        try:
            picture = _frame(lines, units)
        except Cut:
            return frames, True
        units = picture.units
        frames.append(picture)


def _frame(lines, units):
    picture, names, wanted = _header(lines, units)
    first = lines.number + 1
    rows = []
    for _ in range(picture.natoms):
        if lines.peek().startswith(b"ITEM:"):
            raise Refused("fewer atoms than announced", lines.number + 1)
        rows.append(lines.take())
    # A cut frame is left out: what stands in it is looked at only now that it is whole.
    seen: set[int] = set()
    for k, row in enumerate(rows):
        _atom(picture, row, names, wanted, first + k)
        if picture.id[-1] in seen:
            raise Refused("id twice", first + k)
        seen.add(picture.id[-1])
    if len(set(picture.element or ())) > MOST_NAMES:
        raise Refused("too many names", lines.number)
    return picture


def _header(lines, units):
    items = {}
    while b"ATOMS" not in items:
        line = lines.take()
        here = lines.number
        name, rest = _item(line, here)
        if name in items:
            raise Refused("item twice", here)
        values = []
        for _ in range(VALUE_LINES[name]):
            value = lines.take()
            if value.lstrip().startswith(b"ITEM:"):
                raise Refused("value missing", here)
            if CONTROL.search(value):
                raise Refused("control byte in header", lines.number)
            values.append(value)
        items[name] = (here, rest, values)
    last = lines.number
    for name in NEEDED:
        if name not in items:
            raise Refused(f"no {name.decode()}", last)
    timestep = _integer(items[b"TIMESTEP"])
    natoms = _integer(items[b"NUMBER OF ATOMS"])
    if natoms < 1:
        raise Refused("no atoms", items[b"NUMBER OF ATOMS"][0] + 1)
    time = _reals(items[b"TIME"][2][0], 1, items[b"TIME"][0] + 1)[0] if b"TIME" in items else None
    if b"UNITS" in items:
        here, _, (style,) = items[b"UNITS"]
        if style.strip() not in STYLES:
            raise Refused("unknown unit style", here + 1)
        units = style.strip().decode()
    cell, origin, boundary = _box(*items[b"BOX BOUNDS"], _scale(units))
    names = [word.decode("utf-8", "backslashreplace") for word in items[b"ATOMS"][1].split()]
    wanted, scaled, convention = _columns(names, items[b"ATOMS"][0])
    picture = Picture(
        timestep,
        natoms,
        cell,
        origin,
        boundary,
        convention,
        scaled,
        units,
        time,
        id=[],
        has_id="id" in names,
        type=[] if "type" in names else None,
        element=[] if "element" in names else None,
        position=[],
    )
    return picture, names, wanted


def _item(line, here):
    text = line.strip(b" \t")
    if CONTROL.search(text):
        raise Refused("control byte in header", here)
    if not text.startswith(b"ITEM:"):
        raise Refused("no item", here)
    for name in VALUE_LINES:
        start = b"ITEM: " + name
        rest = text.removeprefix(start)
        if text.startswith(start) and (not rest or rest[:1] in b" \t"):
            if rest and name not in (b"BOX BOUNDS", b"ATOMS"):
                raise Refused("words behind an item", here)
            return name, rest.strip()
    known = any(text[5:].split()[: len(name.split())] == name.split() for name in VALUE_LINES)
    raise Refused("spacing of an item" if known else "unknown item", here)


def _integer(item):
    here, _, (text,) = item
    if not INTEGER.match(text.strip()) or not -(2**63) <= int(text) < 2**63:
        raise Refused("not a whole number", here + 1)
    return int(text)


def _real(token, here):
    if not REAL.match(token):
        raise Refused("not a number", here)
    value = float(token)
    if not math.isfinite(value):
        raise Refused("not finite", here)
    return value


def _reals(text, n, here):
    tokens = text.split()
    if len(tokens) != n:
        raise Refused("wrong number of values", here)
    return [_real(token, here) for token in tokens]


def _scale(units):
    return SCALE[units.encode()] if units else 1.0


def _box(here, title, lines, scale):
    words = title.split()
    general = words[:2] == [b"abc", b"origin"]
    tilted = words[:3] == [b"xy", b"xz", b"yz"]
    flags = words[2 if general else 3 if tilted else 0 :]
    if len(flags) not in (0, 3):
        raise Refused("box title", here)
    for flag in flags:
        if len(flag) != 2 or not set(flag) <= set(b"pfsm") or (b"p" in flag and flag != b"pp"):
            raise Refused("boundary flags", here)
    boundary = tuple(flag.decode() for flag in flags) or None
    width = 4 if general else 3 if tilted else 2
    v = [[scale * x for x in _reals(line, width, here + 1 + k)] for k, line in enumerate(lines)]
    if general:
        cell, origin = [row[:3] for row in v], [row[3] for row in v]
    else:
        xy, xz, yz = (row[2] for row in v) if tilted else (0.0, 0.0, 0.0)
        low = [v[0][0] - min(0.0, xy, xz, xy + xz), v[1][0] - min(0.0, yz), v[2][0]]
        high = [v[0][1] - max(0.0, xy, xz, xy + xz), v[1][1] - max(0.0, yz), v[2][1]]
        for k in range(3):
            if not high[k] > low[k]:
                raise Refused("box without volume", here + 1 + k)
        lx, ly, lz = (b - a for a, b in zip(low, high, strict=True))
        cell, origin = [[lx, 0.0, 0.0], [xy, ly, 0.0], [xz, yz, lz]], low
    (a, b, c) = cell
    volume = (
        a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0]) + a[2] * (b[0] * c[1] - b[1] * c[0])
    )
    edges = math.prod(math.hypot(*row) for row in cell)
    if not (math.isfinite(edges) and volume > 1e-9 * edges > 0.0):
        raise Refused("box without volume", here + 1)
    return cell, origin, boundary


def _columns(names, here):
    if len(names) > MOST_COLUMNS:
        raise Refused("too many columns", here)
    used = {"id", "type", "element"} | {axis + suffix for suffix, _, _ in COORDINATES for axis in "xyz"}
    for name in used:
        if names.count(name) > 1:
            raise Refused("column twice", here)
    for suffix, scaled, convention in COORDINATES:
        wanted = [axis + suffix for axis in "xyz"]
        if set(wanted) <= set(names):
            return wanted, scaled, convention
    raise Refused("no coordinates", here)


def _atom(picture, line, names, wanted, here):
    if CONTROL.search(line):
        raise Refused("control byte", here)
    tokens = re.split(rb"[ \t]+", line.strip(b" \t"))
    if len(tokens) != len(names):
        raise Refused("wrong number of columns", here)
    row = dict(zip(names, tokens, strict=True))
    for name in ("id", "type"):
        if name in row and not (INTEGER.match(row[name]) and -(2**63) < int(row[name]) < 2**63):
            raise Refused("not a whole number", here)
    identity = int(row["id"]) if picture.has_id else len(picture.id) + 1
    point = [_real(row[name], here) for name in wanted]
    if picture.scaled:
        s = point
        point = [picture.origin[k] + sum(s[a] * picture.cell[a][k] for a in range(3)) for k in range(3)]
        if not all(map(math.isfinite, point)):
            raise Refused("overflow of a scaled coordinate", here)
    else:
        point = [_scale(picture.units) * x for x in point]
    if picture.type is not None:
        if int(row["type"]) < 1:
            raise Refused("type below 1", here)
        picture.type.append(int(row["type"]))
    if picture.element is not None:
        if len(row["element"]) > LONGEST_NAME:
            raise Refused("long name", here)
        picture.element.append(row["element"].decode("utf-8", "backslashreplace"))
    picture.id.append(identity)
    picture.position.append(point)


def _trajectory(frames):
    """Frames that can follow each other; one written twice counts once."""
    kept = []
    for frame in frames:
        if frame.boundary is None:
            raise Refused("boundary unknown")
        if any(frame.same(other) for other in kept):
            continue
        if kept:
            before = kept[-1]
            if frame.timestep <= before.timestep:
                raise Refused("timesteps do not rise")
            if frame.convention != before.convention:
                raise Refused("conventions mixed")
            if [a == "pp" for a in frame.boundary] != [a == "pp" for a in before.boundary]:
                raise Refused("boundaries mixed")
            if frame.units and before.units and frame.units != before.units:
                raise Refused("units mixed")
            if {frame.units or "metal", before.units or "metal"} - {"metal", "real"} and frame.units != before.units:
                raise Refused("units of some frames are not said")
        kept.append(frame)
    if len(kept) > 1 and not all(frame.has_id for frame in kept):
        raise Refused("no ids")
    return kept
