"""Errors for atoms that cannot be read, from the text at fault."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np

from qsdask.errors import BadDataError
from qsdask.files.memory import memory_at_hand
from qsdask.formats.frame import FARTHEST, FrameLocation
from qsdask.formats.header import shown
from qsdask.kernels import text
from qsdask.kernels.words import PADDING

__all__ = ["changed", "explained", "refusal", "refuse_beyond", "refuse_far", "refuse_large", "refuse_many", "zeros"]

#: Frames of a trajectory. Each is a task and some files of a store, and every task is told of all of them; the strain steps
#: of a glass are hundreds.
MOST_FRAMES = 10_000

#: Memory that an atom of the first frame takes while rows are made of it: 113 measured. Unit: bytes.
_ATOM_BYTES = 100


def refusal(place: FrameLocation, message: str, code: str, **more) -> BadDataError:
    """An error in a frame; ``more`` as in `qsdask.errors.QSDaskError`."""
    return BadDataError(message, code=code, file=place.path, frame=place.ordinal, timestep=place.timestep, **more)


def changed(place: FrameLocation) -> BadDataError:
    """``E-CHANGED``: the frame is not what was indexed."""
    return refusal(
        place,
        "the file is no longer what it was when it was indexed",
        "E-CHANGED",
        why="a simulation, or a copy, still writes it",
        hint="wait until it is finished, then start again",
    )


def refuse_far(
    place: FrameLocation,
    position: np.ndarray,
    identity: np.ndarray,
    line_of: Callable[[int], int | None] = lambda _: None,
) -> None:
    """Refuse coordinates that are not finite, or so large that doubles cannot hold distances between atoms.

    Parameters
    ----------
    place : FrameLocation
    position : float64 array, shape (n, 3)
    identity : int64 array, shape (n,)
        Ids of these atoms.
    line_of : callable, optional
        Line number of one of them, where there are lines.

    Raises
    ------
    BadDataError
        ``E-NUMBER`` with the id, and the line where there are lines.
    """
    # Two reductions without an array of their own; NaN is in neither range.
    if position.min(initial=0.0) >= -FARTHEST and position.max(initial=0.0) <= FARTHEST:
        return
    near = (np.abs(position) <= FARTHEST).all(axis=1)
    row = int(np.argmin(near))
    atom, worst = int(identity[row]), position[row][~(np.abs(position[row]) <= FARTHEST)][0]
    finite = bool(np.isfinite(worst))
    raise refusal(
        place,
        f"a coordinate of atom id {atom} is {f'{worst:g}, beyond {FARTHEST:g}' if finite else 'not finite'}",
        "E-NUMBER",
        line=line_of(row),
        atom_id=atom,
        why="the simulation blew up" + (", or the file is damaged" if finite else ""),
    )


def refuse_beyond(natoms: int, most: int, stored: int, path: str | os.PathLike, **place) -> None:
    """Refuse a frame that says more atoms than its file, or the memory at hand, can hold; before anything is allocated.

    Parameters
    ----------
    natoms : int
        What the frame says.
    most : int
        Atoms that the file can hold.
    stored : int
        Bytes of the file.
    path : path-like
    **place
        As in `refuse_large`.

    Raises
    ------
    BadDataError
        ``E-COUNT``, ``E-MEMORY``.
    """
    if natoms > most:
        raise BadDataError(
            f"the frame says {natoms} atoms, but the file has only {stored} bytes",
            code="E-COUNT",
            file=path,
            why="the file is cut, or the count is wrong",
            **place,
        )
    refuse_large(natoms, path, **place)


def refuse_large(natoms: int, path: str | os.PathLike, **place) -> None:
    """Refuse a frame that says more atoms than the memory at hand can hold, before anything is allocated for them.

    Parameters
    ----------
    natoms : int
        What the frame says.
    path : path-like
    **place
        Frame, timestep and line, as in `qsdask.errors.QSDaskError`.

    Raises
    ------
    BadDataError
        ``E-MEMORY``.
    """
    need, room = natoms * _ATOM_BYTES, memory_at_hand()
    if need > room:
        raise BadDataError(
            f"the frame says {natoms} atoms, which take {need / 1e9:.3g} GB of memory; {room / 1e9:.3g} GB are at hand",
            code="E-MEMORY",
            file=path,
            why="the count is wrong, or the system is too large for this computer or the limit of this job",
            hint="use a computer, or ask for a job, with more memory",
            **place,
        )


def refuse_many(n_frame: int, path: str | os.PathLike, line: int | None = None) -> None:
    """Refuse more frames than a store takes, as soon as they are counted.

    Parameters
    ----------
    n_frame : int
        Found so far.
    path : path-like
    line : int, optional
        Near the last of them.

    Raises
    ------
    BadDataError
        ``E-FRAMES``.
    """
    if n_frame > MOST_FRAMES:
        raise BadDataError(
            f"there are more than {MOST_FRAMES} frames",
            code="E-FRAMES",
            file=path,
            frame=n_frame - 1,
            line=line,
            why="every frame is a task and some files of the store",
            hint="dump less often, or keep one frame of each strain step",
        )


def zeros(path: str | os.PathLike, byte: int, **place) -> BadDataError:
    """The error for binary zeros in a text, at ``byte`` of it."""
    return BadDataError(
        f"binary zeros at byte {byte}",
        code="E-NUL",
        file=path,
        why="a node or disk failed while the file was written",
        **place,
    )


def explained(
    place: FrameLocation,
    columns: tuple[str, ...],
    memory: np.ndarray,
    fault: tuple[int, int, int],
    line: int,
    offset: int,
) -> BadDataError:
    """The error for a line that could not be read.

    Parameters
    ----------
    place : FrameLocation
    columns : tuple of str
        Names.
    memory : uint8 array, shape (n_byte + PADDING,)
        Text around the fault.
    fault : tuple of int
        Byte, column and kind, as `qsdask.kernels.text.RowReader.read` returns them.
    line : int
        Its line number.
    offset : int
        Byte of the file at which ``memory`` begins.

    Returns
    -------
    BadDataError
    """
    at, column, kind = fault
    low = max(at - 65536, 0)
    around = memory[low : min(at + 65536, memory.size - PADDING)].tobytes()
    start = around.rfind(b"\n", 0, at - low) + 1
    end = around.find(b"\n", at - low)
    whole = around[start : end if end >= 0 else len(around)]
    token = next(iter(around[at - low :].split(None, 1)), b"")
    name = columns[column] if column < len(columns) else "?"

    def refuse(message, code, why=None):
        return refusal(place, message, code, line=line, why=why)

    if b"\0" in whole:
        byte = offset + low + start + whole.index(b"\0")
        return zeros(place.path, byte, frame=place.ordinal, timestep=place.timestep, line=line)
    if kind in (text.FEW_TOKENS, text.MANY_TOKENS):
        n = len(whole.split())
        return refuse(
            f"the line has {n} columns, {len(columns)} are announced ({' '.join(columns)}): {shown(whole)}",
            "E-LINE",
            "a comment or blank line between the atoms" if not n or whole.startswith(b"#") else None,
        )
    if kind == text.BAD_INT:
        return refuse(f"column {name!r} needs a whole number, found {shown(token)}", "E-NUMBER")
    if kind == text.INT_RANGE:
        return refuse(f"column {name!r}: {shown(token)} is beyond int64", "E-NUMBER")
    if kind == text.BAD_FLOAT:
        return refuse(
            f"column {name!r} needs a finite decimal number, found {shown(token)}", "E-NUMBER", _why_no_number(token)
        )
    if kind == text.MANY_NAMES or (kind == text.BAD_TOKEN and name == "element" and len(token) > 8):
        return refuse(f"column {name!r}: {shown(token)} is too long, or there are too many different names", "E-NAME")
    if kind == text.LONG_LINE:
        return refuse("the line is too long", "E-LINE")
    return refuse(f"a control character in {shown(whole)}", "E-NUMBER")


def _why_no_number(token):
    """What usually leads to such a token."""
    if b"nan" in token.lower() or b"inf" in token.lower() or b"#" in token:
        return "the simulation blew up"
    if token.startswith(b"*"):
        return "a Fortran program ran out of digits"
    if b"," in token:
        return "a decimal comma"
    if b"d" in token.lower():
        return "a Fortran exponent: write E for D"
    return None
