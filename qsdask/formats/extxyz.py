"""Frames of extended XYZ files: where each begins, and what its comment line says."""

from __future__ import annotations

import numpy as np

from qsdask.errors import BadDataError
from qsdask.formats.arrays import CutError, last_frame_cut
from qsdask.formats.ase_package import ase_for
from qsdask.formats.container import TextStream
from qsdask.formats.frame import FrameLocation, periodic_axes
from qsdask.formats.header import shown
from qsdask.formats.refusal import refuse_beyond, refuse_many
from qsdask.units import LENGTH_UNITS

__all__ = ["comment_layout", "index_extxyz"]

_STEP_KEYS = ("Timestep", "timestep", "step")
_LONGEST_COUNT = 20


def index_extxyz(path, boundary, strict):
    """Frames, warnings, and whether timesteps are missing."""
    frames: list[FrameLocation] = []
    steps: list[int | None] = []
    notes = []
    with TextStream(path) as stream:
        while not notes:
            line = stream.line
            try:
                found = _next_frame(stream, path, frames, boundary)
            except CutError:
                ends = f"line {line}", f"line {stream.line}, without a newline or with lines missing"
                notes.append(last_frame_cut(path, len(frames), *ends, strict=strict, line=line))
                break
            if found is None:
                break
            frames.append(found[0])
            steps.append(found[1])
            refuse_many(len(frames), path, line)
    if None in steps and any(step is not None for step in steps):
        at = frames[steps.index(None)]
        message = "the frame has no Timestep, but others have"
        raise BadDataError(message, code="E-HEADER", file=path, frame=at.ordinal, line=at.line)
    return frames, notes, None in steps


def _next_frame(stream, path, frames, boundary):
    """The next frame and its timestep, if it has one; None at the end."""
    count = b"\n"
    while count and not count.strip():
        start, line = stream.offset, stream.line
        count = stream.readline()
    if not count:
        return None

    def refuse(message, code, **more):
        return BadDataError(message, code=code, file=path, frame=len(frames), line=line, **more)

    if not count.strip().isdigit() or len(count) > _LONGEST_COUNT:
        message = f"expected the number of atoms, found {shown(count)}"
        if not frames:
            raise refuse(message, "E-FORMAT")
        raise refuse(message, "E-COUNT", why="the frame before has more or fewer lines than its count")
    natoms = int(count)
    if not frames or natoms > frames[-1].natoms:
        refuse_beyond(natoms, stream.text.most_lines(3), stream.text.stored, path, frame=len(frames), line=line)
    comment = stream.readline()
    header = stream.offset - start
    if not comment.endswith(b"\n") or stream.skip(natoms) < natoms:
        if frames and natoms > frames[-1].natoms:
            raise refuse(f"the frame says {natoms} atoms, but the file ends before", "E-COUNT")
        raise CutError
    info = _comment(comment, path, refuse)
    step = next((info[key] for key in _STEP_KEYS if key in info), None)
    if step is not None and not isinstance(step, int | np.integer):
        raise refuse(f"the timestep must be a whole number, found {step!r}", "E-HEADER")
    columns = tuple(comment_layout(info)[::3])
    place = FrameLocation(
        path=path,
        ordinal=len(frames),
        offset=start,
        length=stream.offset - start,
        header=header,
        timestep=len(frames) if step is None else int(step),
        natoms=natoms,
        line=line,
        boundary=_boundary(info, boundary, refuse),
        convention="wrapped",
        # Other programs may mean other things by this key.
        units=next((style for style in LENGTH_UNITS if str(info.get("units")) == style), None),
        reader="ase",
        has_id="id" in columns,
        columns=columns,
    )
    return place, step


def comment_layout(info):
    """Name, kind and width of every column, one after the other."""
    return str(info.get("Properties", "species:S:1:pos:R:3")).split(":")


def _comment(comment, path, refuse):
    try:
        return ase_for(path).extxyz.key_val_str_to_dict(comment.decode().strip())
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise refuse(f"cannot read the comment line {shown(comment)}: {error}", "E-HEADER") from error


def _boundary(info, given, refuse):
    if "pbc" not in info:
        if given is None and "Lattice" not in info:
            return "ff", "ff", "ff"  # a cluster: there is nothing that could repeat
        if given is None:
            raise refuse(
                "the file does not say which boundaries are periodic",
                "E-BOUNDARY-UNKNOWN",
                hint='give the boundary, for example --boundary ppp, or write pbc="T T T"',
            )
        return given
    periodic = np.asarray(info["pbc"])
    if periodic.shape != (3,) or periodic.dtype != bool:
        raise refuse(f"pbc must be three of T and F, found {info['pbc']!r}", "E-HEADER")
    flags = tuple("pp" if axis else "ff" for axis in periodic)
    if given is not None and (periodic_axes(given) != periodic).any():
        raise refuse(
            f"the boundary given is {' '.join(given)}, the file says {' '.join(flags)}",
            "E-BOUNDARY",
            hint="leave the boundary out to use that of the file",
        )
    return given or flags
