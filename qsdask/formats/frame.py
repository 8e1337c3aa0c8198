"""One frame of a trajectory, and where it stands, whatever file it came from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from qsdask.errors import UsageError
from qsdask.units import stored_length

__all__ = [
    "FARTHEST",
    "MARKED",
    "PERIODIC",
    "Elements",
    "Frame",
    "FrameHeader",
    "FrameLocation",
    "FramePiece",
    "ReadWarning",
    "boundary_flags",
    "periodic_axes",
    "too_thin",
]


#: Largest coordinate of an atom or a box. Unit: angstrom. So far out, at a decimetre, neighbouring doubles are 1.2e-7
#: apart, a hundredth of what parts two atoms (`qsdask.intake.soundness.OVERLAP`); beyond, places lose the digits that
#: distances are made of, and whole numbers of periodic copies those that make them exact. The largest
#: simulations are some 1e4 angstrom wide, and no atom diffuses through a thousandth of this.
FARTHEST = 1e9

#: Thinnest box along a periodic axis: every atom is as near to its own copy as the box is thick, and no two atoms come
#: nearer than the 0.74 angstrom of a hydrogen molecule. Unit cells of crystals have 1.5 and more. Unit: angstrom.
THINNEST = 0.5

#: Atoms between two places of a frame at which one may begin to read, and of the pieces that frames are read in.
MARKED = 1 << 18

#: Boundary of formats that are periodic by definition.
PERIODIC = ("pp", "pp", "pp")


class ReadWarning(NamedTuple):
    """Something that was accepted, and that the user should know of.

    Attributes
    ----------
    code : str
        Stable code such as ``"W-TRUNCATED"``.
    text : str
        What was found, where, and what was done with it.
    """

    code: str
    text: str


class Elements(NamedTuple):
    """Names of the elements in a frame and which one every atom is.

    Attributes
    ----------
    name : tuple of str
        Different names, sorted, so that they do not depend on the order of the atoms.
    code : int32 array, shape (n_atom,)
        Index into ``name``.
    """

    name: tuple[str, ...]
    code: np.ndarray


@dataclass(frozen=True, slots=True)
class FrameLocation:
    """Where a frame stands and what its header says; small, and all a worker needs to read it.

    Attributes
    ----------
    path : str
    ordinal : int
        Position in its file, from 0.
    offset, length, header : int
        First byte, number of bytes, and bytes before the first atom line, all of the uncompressed text.
    timestep, natoms : int
    line : int
        Line number of the first header line, from 1.
    boundary : tuple of str
        Two letters of ``pfsm`` per axis: lower and upper side.
    convention : str
        ``"wrapped"`` or ``"unwrapped"``.
    units : str or None
        LAMMPS unit style, if the file names it (``dump_modify units yes``) or the user.
    reader : str
        One of `qsdask.formats.layouts.LAYOUTS`, ``"binary"``, ``"gsd"``, ``"ase"`` or ``"mda"``; bytes and lines are 0 where
        it tells none.
    has_id : bool
        The file names the atoms; if not, ids are 1, 2, 3, ... in the order of the file.
    columns : tuple of str
        Names of all columns, where the format has them.
    cell : tuple of tuple of float, or None
        As in `Frame`, where it stands in the header.
    by_order : bool
        Ids are 1, 2, 3, ... because the format has none; it keeps its atoms in one order, which need not be that of others.
    marks : tuple of tuple of int
        Where several may begin to read one frame at once: of every `MARKED`-th atom, but the first, how many come before it,
        and its first byte. Of plain text with one atom a line.
    """

    path: str
    ordinal: int
    offset: int
    length: int
    header: int
    timestep: int
    natoms: int
    line: int
    boundary: tuple[str, str, str]
    convention: str
    units: str | None = None
    reader: str = "lammps"
    has_id: bool = True
    columns: tuple[str, ...] = ()
    cell: tuple[tuple[float, ...], ...] | None = None
    by_order: bool = False
    marks: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class FrameHeader:
    """What a frame says before its first atom.

    Attributes
    ----------
    timestep, natoms, cell, origin, boundary, convention, units, time
        As in `Frame`.
    has_id : bool
        As in `FrameLocation`.
    """

    timestep: int
    natoms: int
    cell: np.ndarray
    origin: np.ndarray
    boundary: tuple[str, str, str]
    convention: str
    units: str | None
    time: float | None
    has_id: bool

    @property
    def periodic(self) -> np.ndarray:
        """Bool array, shape (3,): periodic axes."""
        return periodic_axes(self.boundary)

    def told(self) -> dict[str, Any]:
        """The same as JSON has it; numbers keep all their digits."""
        names = ("timestep", "natoms", "boundary", "convention", "units", "time", "has_id")
        said = {name: getattr(self, name) for name in names}
        return {**said, "cell": self.cell.tolist(), "origin": self.origin.tolist()}

    @classmethod
    def of_told(cls, told: Mapping[str, Any]) -> FrameHeader:
        """What `told` has told."""
        arrays = {name: np.array(told[name]) for name in ("cell", "origin")}
        return cls(**{**told, "boundary": tuple(told["boundary"]), **arrays})


@dataclass(frozen=True, eq=False)
class FramePiece:
    """Some atoms of a frame that stand one after the other in the file.

    Attributes
    ----------
    header : FrameHeader
    first : int
        Atoms of the frame that come before.
    line : int
        Line number of the first atom.
    id, position, type, element
        Of these atoms, as in `Frame`. The names of the elements are those of this piece.
    resolution : float
        As in `Frame`, from these atoms.
    digest : str
        That of the whole frame in its last piece; empty before, and when it is not wanted.
    """

    header: FrameHeader
    first: int
    line: int
    id: np.ndarray
    position: np.ndarray
    type: np.ndarray | None
    element: Elements | None
    resolution: float
    digest: str

    def line_of(self, index: int) -> int | None:
        """Line number of an atom of this piece; None where there are no lines."""
        return self.line + index if self.line else None


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame, atoms in the order of the file.

    Attributes
    ----------
    timestep, natoms : int
    cell : float64 array, shape (3, 3)
        Rows are the lattice vectors. Unit: sigma if the file is in ``lj`` units, else angstrom, converted where the file
        has another; see `qsdask.units`.
    origin : float64 array, shape (3,)
        Lower corner of the cell; a point is ``origin + s @ cell``.
    boundary : tuple of str
        Two letters of ``pfsm`` per axis: lower and upper side.
    id : int64 array, shape (n_atom,)
        Unique. Any int64 but the lowest; gaps are allowed.
    position : float64 array, shape (n_atom, 3)
        Cartesian and finite, as read: neither wrapped nor unwrapped here.
    convention : str
        ``"wrapped"`` when the file holds wrapped coordinates (x, xs; image flags are not applied),
        ``"unwrapped"`` for xu, xsu.
    type : int64 array, shape (n_atom,), or None
        From 1.
    element : Elements or None
    units : str or None
        LAMMPS unit style, if the file names it or the user.
    time : float or None
        Simulation time, if the file gives it. Unit: that of ``units``.
    digest : str
        XXH3 (16 bytes, hexadecimal) of the text of the frame, or of what there is where there is no text.
    warnings : tuple of ReadWarning
    has_id : bool
        As in `FrameLocation`.
    resolution : float
        Step to which coordinates were rounded when they were written; with ``%g`` it grows with the number,
        and this is the step of the largest. NaN where it is unknown. Unit: that of the cell.
    """

    timestep: int
    natoms: int
    cell: np.ndarray
    origin: np.ndarray
    boundary: tuple[str, str, str]
    id: np.ndarray
    position: np.ndarray
    convention: str = "wrapped"
    type: np.ndarray | None = None
    element: Elements | None = None
    units: str | None = None
    time: float | None = None
    digest: str = ""
    warnings: tuple[ReadWarning, ...] = field(default=())
    has_id: bool = True
    resolution: float = math.nan

    @property
    def periodic(self) -> np.ndarray:
        """Bool array, shape (3,): periodic axes."""
        return periodic_axes(self.boundary)


def periodic_axes(boundary: tuple[str, str, str]) -> np.ndarray:
    """Bool array, shape (3,): axes whose both sides are ``p``."""
    return np.array([pair == "pp" for pair in boundary])


def too_thin(cell: np.ndarray, boundary: tuple[str, str, str], units: str | None = None) -> dict[str, str] | None:
    """The error, as words for `QSDaskError`, for a box that is thinner than `THINNEST` along a periodic axis; None when it is not.

    Parameters
    ----------
    cell : float64 array, shape (3, 3)
        With a volume. Unit: angstrom or sigma.
    boundary : tuple of str
    units : str, optional
        Unit style of the file.
    """
    height = 1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    thin = np.flatnonzero(periodic_axes(boundary) & (height < THINNEST))
    if not len(thin):
        return None
    axis, length = thin[0], stored_length(units)
    return {
        "message": f"the box is {height[axis]:.3g} {length} thick along its periodic axis {'xyz'[axis]}",
        "code": "E-BOX",
        "why": f"every atom would be that near to its own periodic copy; no two atoms come within {THINNEST} {length}",
        "hint": f"lengths are taken to be in {units or 'metal'} units, --units names others; an axis that does not repeat "
        "needs a free boundary (f or s)",
    }


def boundary_flags(text: str) -> tuple[str, str, str]:
    """Boundary of three axes from what a user types or a header says.

    Parameters
    ----------
    text : str
        ``"ppp"``, ``"pfp"``, ``"pp ff ss"``, ``"pp,ff,fs"``: one letter of ``pfsm`` per axis, or two
        (lower, upper).

    Returns
    -------
    tuple of str
        Two letters per axis.

    Raises
    ------
    UsageError
        ``E-BOUNDARY`` when it is none of these, or an axis is periodic on one side only.
    """
    parts = text.replace(",", " ").split()
    if len(parts) == 1 and len(parts[0]) in (3, 6):
        step = len(parts[0]) // 3
        parts = [parts[0][k : k + step] for k in range(0, len(parts[0]), step)]
    pairs = tuple(part * 2 if len(part) == 1 else part for part in parts)
    if len(pairs) != 3 or any(
        len(pair) != 2 or not set(pair) <= set("pfsm") or ("p" in pair and pair != "pp") for pair in pairs
    ):
        raise UsageError(
            f"boundary {text!r} is not three axes of p (periodic), f, s or m (free)",
            code="E-BOUNDARY",
            hint="give for example --boundary ppp, or 'ff pp pp' for free surfaces along x",
        )
    return pairs
