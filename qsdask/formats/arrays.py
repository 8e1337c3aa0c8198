"""What the readers of binary files and of other packages share: one set of checks, one digest, one rule for cut files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from xxhash import xxh3_128

from qsdask.errors import BadDataError, QSDaskError
from qsdask.formats.frame import FARTHEST, Elements, Frame, FrameLocation, ReadWarning, periodic_axes, too_thin
from qsdask.formats.refusal import refusal, refuse_far
from qsdask.kernels.identity import repeated_id

__all__ = [
    "BadFrame",
    "CutError",
    "cell_around",
    "checked_frame",
    "digest_of",
    "elements_coded",
    "elements_of",
    "last_frame_cut",
    "read_each",
]

#: Told of the error of a frame that is left out.
BadFrame = Callable[[QSDaskError], None]


def digest_of(*arrays: np.ndarray) -> str:
    """XXH3 (16 bytes, hexadecimal) of the bytes of some arrays."""
    digest = xxh3_128()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


class CutError(Exception):
    """The file ends within the frame that is looked at."""


def last_frame_cut(
    path: str | os.PathLike, n_whole: int, start: str, end: str, *, strict: bool, line: int | None = None
) -> ReadWarning:
    """The warning that the last frame of a file is left out because it is cut.

    Parameters
    ----------
    path : path-like
    n_whole : int
        Whole frames before it.
    start, end : str
        Where it begins and where the file ends, in words.
    strict : bool
    line : int, optional
        Where it begins.

    Returns
    -------
    ReadWarning
        ``W-TRUNCATED``.

    Raises
    ------
    BadDataError
        ``E-TRUNCATED`` instead, when ``strict`` or when there is no whole frame.
    """
    if strict or not n_whole:
        raise BadDataError(
            "the last frame is cut" if n_whole else "the only frame is cut, or its count is wrong",
            code="E-TRUNCATED",
            file=path,
            frame=n_whole,
            line=line,
            why=f"it begins at {start}, and the file ends at {end}",
            hint="leave strict off to use the whole frames" if n_whole else None,
        )
    text = f"{os.fspath(path)}: frame {n_whole} is cut; it begins at {start} and the file ends at {end}; left out"
    return ReadWarning("W-TRUNCATED", text)


def elements_of(names: Sequence[str] | np.ndarray) -> Elements:
    """Elements from one name per atom."""
    unique, code = np.unique(np.asarray(names), return_inverse=True)
    return Elements(tuple(unique.tolist()), code.astype(np.int32))


def elements_coded(names: Sequence[str] | Mapping[int, str], code: np.ndarray) -> Elements:
    """Elements from an index into names for every atom; names without an atom are left out, equal ones are one."""
    present, which = np.unique(code, return_inverse=True)
    unique, index = np.unique([names[k] for k in present.tolist()], return_inverse=True)
    return Elements(tuple(unique.tolist()), index[which].astype(np.int32))


def cell_around(place: FrameLocation, position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cell and origin of the box that holds all atoms, for files without one.

    Raises
    ------
    BadDataError
        ``E-BOX`` when an axis is periodic: its length must be told.
    """
    if periodic_axes(place.boundary).any():
        raise refusal(
            place,
            "the frame has no box, but the boundary is periodic",
            "E-BOX",
            hint="give --boundary fff if it is free, or use a format that holds the box: a LAMMPS dump, extended XYZ",
        )
    if not len(position):
        return np.eye(3), np.zeros(3)
    low, high = position.min(axis=0), position.max(axis=0)
    return np.diag(np.maximum(high - low, 1.0)), low


def read_each(
    locations: Sequence[FrameLocation], read_one: Callable[[FrameLocation], Frame], on_bad: BadFrame | None
) -> Iterator[Frame]:
    """Read frames one after the other; a bad one is told to ``on_bad`` and left out, or raised when it is None."""
    for place in locations:
        try:
            frame = read_one(place)
        except QSDaskError as error:
            if on_bad is None:
                raise
            on_bad(error)
        else:
            yield frame


def checked_frame(
    place: FrameLocation,
    *,
    cell: np.ndarray,
    origin: np.ndarray,
    id: np.ndarray,
    position: np.ndarray,
    type: np.ndarray | None = None,
    element: Elements | None = None,
    time: float | None = None,
    digest: str,
    line: int | None = None,
) -> Frame:
    """Make a frame of arrays, or refuse them.

    Parameters
    ----------
    place : FrameLocation
        Gives timestep, boundary, convention and units.
    cell, origin, id, position, type, element, time, digest
        Lengths are converted already. See `qsdask.formats.frame.Frame`.
    line : int, optional
        Line number of the first atom, where every atom has a line.

    Returns
    -------
    Frame
        Its resolution is not known: NaN.

    Raises
    ------
    BadDataError
        ``E-BOX`` (not finite, beyond all measure, or no volume, or thinner than
        `THINNEST` along a periodic axis), ``E-NUMBER`` (a coordinate likewise), ``E-TYPE`` (below 1), ``E-DUP-ID``,
        ``E-COUNT`` (no atoms).
    """
    if not len(position):
        raise refusal(place, "the frame has no atoms", "E-COUNT")
    refuse_far(place, position, id, lambda row: None if line is None else line + row)
    if not (np.abs(cell).max() <= FARTHEST and np.abs(origin).max() <= FARTHEST):
        raise refusal(place, f"the box is not finite or beyond {FARTHEST:g}: {np.asarray(cell).tolist()}", "E-BOX")
    if not np.linalg.det(cell) > 1e-9 * np.prod(np.linalg.norm(cell, axis=1)) > 0.0:
        raise refusal(place, f"the box spans no volume, or is left-handed: {np.asarray(cell).tolist()}", "E-BOX")
    thin = too_thin(cell, place.boundary, place.units)
    if thin:
        raise refusal(place, **thin)
    if type is not None and type.min() < 1:
        row = int(np.argmin(type))
        raise refusal(place, f"atom type {type[row]} is below 1", "E-TYPE", atom_id=int(id[row]))
    repeated = repeated_id(id)
    if repeated:
        number = int(id[repeated[1]])
        raise refusal(
            place,
            f"atom id {number} appears twice in one frame",
            "E-DUP-ID",
            atom_id=number,
            why="ids must be unique; a restart that appended to the file often causes this",
        )
    return Frame(
        timestep=place.timestep,
        natoms=len(position),
        cell=cell,
        origin=origin,
        boundary=place.boundary,
        id=id,
        position=position,
        convention=place.convention,
        type=type,
        element=element,
        units=place.units,
        time=time,
        digest=digest,
        has_id=place.has_id,
    )
