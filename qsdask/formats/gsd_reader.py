"""GSD files of HOOMD-blue through the ``gsd`` package: in double precision where the file has it, tilted cells, any frame.

References
----------
https://gsd.readthedocs.io/en/stable/schema-hoomd.html
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from types import ModuleType

import numpy as np

from qsdask.errors import BadDataError, UsageError
from qsdask.formats.arrays import BadFrame, checked_frame, digest_of, elements_coded, read_each
from qsdask.formats.frame import PERIODIC, Frame, FrameLocation, ReadWarning
from qsdask.formats.refusal import changed, refusal, refuse_beyond, refuse_many
from qsdask.units import scale_of

__all__ = ["index_gsd", "is_gsd", "read_gsd"]

_MAGIC = bytes.fromhex("df65df65df65df65")
#: What the format says where a file says nothing.
_BOX, _TYPES = (1.0, 1.0, 1.0, 0.0, 0.0, 0.0), ("A",)
_SINGLE = 12  # bytes of a position at least


def is_gsd(head: bytes) -> bool:
    """Whether a file begins like a GSD file."""
    return head.startswith(_MAGIC)


def _gsd(path) -> ModuleType:
    try:
        import gsd.fl
    except ImportError as error:
        raise UsageError(
            f"{os.path.basename(os.fspath(path))} is read through the package gsd, which is not installed",
            code="E-EXTRA",
            file=path,
            hint="pip install 'qsdask[gsd]'",
        ) from error
    return gsd.fl


class _File:
    """Arrays of a GSD file, frame by frame."""

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = path
        try:
            self.file = _gsd(path).open(os.fspath(path), "r")
        except (RuntimeError, OSError, ValueError) as error:
            raise self._damaged(error) from error
        if self.file.schema != "hoomd":
            self.file.close()
            raise BadDataError(f"the GSD file holds {self.file.schema!r}, not 'hoomd'", code="E-FORMAT", file=path)

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def _damaged(self, error, frame=None):
        return BadDataError(
            f"gsd cannot read it: {type(error).__name__}: {error}",
            code="E-FORMAT",
            file=self.path,
            frame=frame,
            why="the file is cut or damaged",
        )

    def get(self, frame: int, name: str) -> np.ndarray | None:
        """An array of a frame, or that of the first one, which holds from there on; None when neither has it."""
        try:
            for at in dict.fromkeys((frame, 0)):
                if self.file.chunk_exists(frame=at, name=name):
                    return self.file.read_chunk(frame=at, name=name)
        except (RuntimeError, OSError, ValueError, KeyError, MemoryError) as error:
            raise self._damaged(error, frame) from error
        return None

    def number(self, frame: int, name: str, default: int) -> int:
        """A whole number of a frame."""
        found = self.get(frame, name)
        return default if found is None or not found.size else int(found.ravel()[0])


def index_gsd(
    path: str | os.PathLike, *, boundary: tuple[str, str, str] | None = None
) -> tuple[list[FrameLocation], list[ReadWarning]]:
    """Find all frames of a GSD file.

    Parameters
    ----------
    path : path-like
    boundary : tuple of str, optional
        Periodic by definition; a boundary given here replaces that, for slabs.

    Returns
    -------
    frames : list of FrameLocation
        Of reader ``"gsd"``. Atoms stand in the order of their tags in every frame, so they have ids: 1, 2, 3, ...
    warnings : list of ReadWarning
        ``W-FLOAT32`` where positions are stored in single precision.

    Raises
    ------
    UsageError
        ``E-EXTRA``: the package ``gsd`` is not installed.
    BadDataError
        ``E-FORMAT``, ``E-COUNT`` (more atoms than the file has room for, or their number changes), ``E-MEMORY``, ``E-2D``.
    """
    name = os.fspath(path)
    frames: list[FrameLocation] = []
    with _File(path) as file:
        refuse_many(file.file.nframes, path)
        for ordinal in range(file.file.nframes):
            natoms = file.number(ordinal, "particles/N", 0)
            step = file.number(ordinal, "configuration/step", 0)
            _refuse_frame(file, ordinal, natoms, step, frames)
            frames.append(
                FrameLocation(
                    path=name,
                    ordinal=ordinal,
                    offset=0,
                    length=0,
                    header=0,
                    timestep=step,
                    natoms=natoms,
                    line=0,
                    boundary=boundary or PERIODIC,
                    convention="wrapped",
                    reader="gsd",
                )
            )
        if not frames:
            raise BadDataError("the file has no frame", code="E-FORMAT", file=path)
        position = file.file.chunk_exists(frame=0, name="particles/position") and file.get(0, "particles/position")
    text = f"{name}: positions are stored in single precision"
    return frames, [ReadWarning("W-FLOAT32", text)] if getattr(position, "dtype", np.float64) == np.float32 else []


def _refuse_frame(file, ordinal, natoms, step, frames):
    """Refuse a frame that cannot be one of this trajectory, before anything is allocated for its atoms."""

    def refuse(message, code, **more):
        return BadDataError(message, code=code, file=file.path, frame=ordinal, timestep=step, **more)

    size = os.path.getsize(file.path)
    refuse_beyond(natoms, size // _SINGLE, size, file.path, frame=ordinal, timestep=step)
    if file.number(ordinal, "configuration/dimensions", 3) != 3:
        raise refuse("the frame has two dimensions", "E-2D", why="2D systems are not supported")
    if frames and natoms != frames[0].natoms:
        raise refuse(
            f"the frame has {natoms} atoms, the first one {frames[0].natoms}",
            "E-COUNT",
            why="GSD files do not say which atoms came or went",
            hint="write a LAMMPS dump or extended XYZ with ids",
        )


def read_gsd(locations: Sequence[FrameLocation], *, on_bad: BadFrame | None = None) -> Iterator[Frame]:
    """Read frames of one file that `index_gsd` found.

    Parameters
    ----------
    locations : sequence of FrameLocation
        Of one file.
    on_bad : callable, optional
        Called with the error of a frame that cannot be used, which is then left out; without it the error is raised.

    Yields
    ------
    Frame
        The box is centred at zero. ``element`` holds the names of the types.

    Raises
    ------
    BadDataError
        ``E-FORMAT``, ``E-BOX``, ``E-NUMBER``, ``E-TYPE`` (a type that has no name), ``E-CHANGED``.
    """
    if not locations:
        return
    with _File(locations[0].path) as file:
        yield from read_each(locations, lambda place: _read_one(file, place), on_bad)


def _read_one(file, place):
    if place.ordinal >= file.file.nframes or file.number(place.ordinal, "particles/N", 0) != place.natoms:
        raise changed(place)
    n = place.natoms
    box = file.get(place.ordinal, "configuration/box")
    box = np.array(_BOX if box is None else box, np.float64)
    position = file.get(place.ordinal, "particles/position")
    kind = file.get(place.ordinal, "particles/typeid")
    kind = np.zeros(n, np.int64) if kind is None else kind.astype(np.int64)
    if box.shape != (6,) or position is None or position.shape != (n, 3) or kind.shape != (n,):
        raise refusal(
            place, "box, positions or types are not as many as they must be", "E-FORMAT", why="the file is damaged"
        )
    scale = scale_of(place.units)
    cell = scale * _cell(box)
    position = scale * position.astype(np.float64)
    names = _names(file.get(place.ordinal, "particles/types"))
    strange = np.flatnonzero((kind < 0) | (kind >= len(names)))
    if len(strange):
        message = f"type {kind[strange[0]]} has no name; named are {', '.join(names)}"
        raise refusal(place, message, "E-TYPE", atom_id=int(strange[0]) + 1)
    return checked_frame(
        place,
        cell=cell,
        origin=-0.5 * cell.sum(axis=0),
        id=np.arange(1, n + 1),
        position=position,
        element=elements_coded(names, kind),
        digest=digest_of(position, cell, kind, np.array(names)),
    )


def _cell(box: np.ndarray) -> np.ndarray:
    """Lattice vectors from lengths and tilt factors; in HOOMD the latter are parts of the length along their second axis."""
    lx, ly, lz, xy, xz, yz = box.tolist()
    return np.array([[lx, 0.0, 0.0], [xy * ly, ly, 0.0], [xz * lz, yz * lz, lz]])


def _names(found: np.ndarray | None) -> list[str]:
    """Names of the types: rows of bytes that end with zeros."""
    if found is None:
        return list(_TYPES)
    return [bytes(row).split(b"\0")[0].decode("utf-8", "backslashreplace") for row in found.astype(np.uint8)]
