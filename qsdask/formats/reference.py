"""The undeformed glass in a file of its own, before the frames of a trajectory."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from qsdask.errors import BadDataError, QSDaskError
from qsdask.formats.frame import Elements, Frame, FrameLocation, ReadWarning, periodic_axes
from qsdask.formats.opening import open_trajectory
from qsdask.formats.refusal import refusal
from qsdask.formats.trajectory import Trajectory

__all__ = ["open_run", "tells_species", "undeformed"]


def open_run(
    paths: str | os.PathLike | Sequence[str | os.PathLike],
    *,
    reference: str | os.PathLike | None = None,
    boundary: str | None = None,
    units: str | None = None,
    assume_order: bool = False,
    columns: str | None = None,
    on_bad: Callable[[QSDaskError], None] | None = None,
    **reading: Any,
) -> Trajectory:
    """Open a trajectory, behind its undeformed frame where that stands in a file of its own.

    Parameters
    ----------
    paths, boundary, units, assume_order, columns, on_bad, **reading
        As of `qsdask.formats.opening.open_trajectory`.
    reference : path-like, optional
        File of one frame, in any format. It becomes the first frame and all of `paths` follow it, whatever timesteps they
        have. What one of the two does not tell, boundary or units, is that of the other. It may hold wrapped coordinates
        where the trajectory holds unwrapped ones. No topology belongs to it.

    Returns
    -------
    Trajectory
        Its warnings: those of both, and ``W-CONVENTION`` where one is wrapped and the other not.

    Raises
    ------
    BadDataError
        ``E-REFERENCE`` (not one frame), ``E-BOUNDARY``, ``E-UNITS`` (the two contradict each other), ``E-NO-ID`` (one has
        ids and the other none, or both none, unless `assume_order`), and those of `open_trajectory`.
    """
    both: dict[str, Any] = {"assume_order": assume_order, "columns": columns}
    if reference is None:
        return open_trajectory(paths, boundary=boundary, units=units, on_bad=on_bad, **both, **reading)
    bad: list[QSDaskError] = []

    def following(flags: str | None, style: str | None) -> Trajectory:
        bad.clear()  # those of an attempt that told too little
        on = None if on_bad is None else bad.append
        return open_trajectory(paths, boundary=flags, units=style, on_bad=on, **both, **reading)

    def alone(flags: str | None, style: str | None) -> Trajectory:
        strict = reading.get("strict", False)
        found = open_trajectory(reference, boundary=flags, units=style, strict=strict, **both)
        if len(found) != 1:
            raise BadDataError(
                f"the reference has {len(found)} frames: which one is the undeformed glass?",
                code="E-REFERENCE",
                file=reference,
                hint="write this frame alone into a file; the first frame of a trajectory is its reference without --reference",
            )
        return found

    try:
        first, rest = _told_by_each_other((alone, following), boundary, units)
    finally:
        if on_bad is not None:
            for error in bad:
                on_bad(error)
    return _joined(first, rest, assume_order)


_Opening = Callable[[str | None, str | None], Trajectory]


def _told_by_each_other(
    openings: tuple[_Opening, _Opening], boundary: str | None, units: str | None
) -> list[Trajectory]:
    """Both opened, each with the boundary and the units of the other where it tells none itself."""
    found = [_unless_untold(opening, boundary, units) for opening in openings]
    if all(isinstance(part, BadDataError) for part in found):
        found = _by_the_units_of_one(openings, found, boundary, units)
    for k in (0, 1, 0):
        part, other = found[k], found[1 - k]
        if isinstance(other, BadDataError):
            continue
        if isinstance(part, BadDataError):
            flags = boundary if part.code == "E-BOX" else " ".join(other.frames[0].boundary)
            found[k] = openings[k](flags, other.units or units)
        elif other.units and not part.units:  # cells and positions are converted where they are read
            found[k] = openings[k](" ".join(part.frames[0].boundary), other.units)
    return [part for part in found if not isinstance(part, BadDataError)]


def _unless_untold(opening: _Opening, boundary: str | None, units: str | None) -> Trajectory | BadDataError:
    """The error, where it may be that the file tells no boundary, or no units in which its box is one."""
    try:
        return opening(boundary, units)
    except BadDataError as error:
        if error.code not in ("E-BOUNDARY-UNKNOWN", "E-BOX"):
            raise
        return error


def _by_the_units_of_one(openings, errors, boundary, units):
    """One that tells units and no boundary helps the other, which tells a boundary and no units."""
    for k in (0, 1):
        if errors[k].code == "E-BOUNDARY-UNKNOWN":
            style = openings[k]("p p p", units).units
            found = _unless_untold(openings[1 - k], boundary, style)
            if not isinstance(found, BadDataError):
                return [errors[0], found] if k == 0 else [found, errors[1]]
    raise errors[0]


def _joined(reference: Trajectory, rest: Trajectory, assume_order: bool) -> Trajectory:
    """One trajectory, refused where its two parts contradict each other."""
    one, two = reference.frames[0], rest.frames[0]
    _refuse_contradiction(one, two)
    # The timestep of the undeformed frame means nothing here.
    notes = [*(note for note in reference.warnings if note.code != "W-NO-STEP"), *rest.warnings]
    for place, other, name in ((one, two, "the reference"), (two, one, "the trajectory")):
        if place.has_id and place.by_order <= other.by_order:
            continue
        if not assume_order:
            raise refusal(
                place,
                f"the atoms of {name} have no ids: nobody knows which of the others each of them is",
                "E-NO-ID",
                line=place.line or None,
                why="atoms are matched by id; in files without ids their order may be another one",
                hint="write ids (a column id:I:1 in extended XYZ); or, if atom k of the file has id k, --assume-order",
            )
        text = f"the atoms of {name} have no ids; they are taken to be 1, 2, 3, ... in the order of the file"
        notes.append(ReadWarning("W-ASSUMED-ORDER", text))
    if one.convention != two.convention:
        text = f"the reference holds {one.convention} coordinates, the trajectory {two.convention} ones; both are kept as read"
        notes.append(ReadWarning("W-CONVENTION", text))
    frames = (one, *rest.frames)
    return Trajectory(
        frames, tuple(dict.fromkeys(notes)), rest.topology, {**reference.stamps, **rest.stamps}, reference=one.path
    )


def _refuse_contradiction(one: FrameLocation, two: FrameLocation) -> None:
    """Boundary and units must be the same where both tell them."""
    if (periodic_axes(one.boundary) != periodic_axes(two.boundary)).any():
        raise refusal(
            one,
            f"the boundary of the reference is {' '.join(one.boundary)}, that of {two.path} is {' '.join(two.boundary)}",
            "E-BOUNDARY",
            line=one.line or None,
            hint="--boundary names the right one for formats that are periodic by definition (POSCAR, CIF); "
            "others must be written with the same boundary",
        )
    if one.units and two.units and one.units != two.units:
        raise refusal(
            one,
            f"the units of the reference are {one.units!r}, those of {two.path} are {two.units!r}",
            "E-UNITS",
            line=one.line or None,
            hint="write both in the same units",
        )


def undeformed(source: Trajectory, species: Mapping[int | str, str]) -> Frame:
    """The first frame of a trajectory, with the types and elements that only the one behind it tells.

    Parameters
    ----------
    source : Trajectory
        Of `open_run`.
    species : mapping of int or str to str
        Element of each type or label, as far as it is known without the file.

    Returns
    -------
    Frame
        As read, unless it is from a file of its own that lacks something. Then it has what the next frame tells of its
        atoms, by their ids; those that are lost there are taken to be like the ones that are like them here.
    """
    first = next(iter(source.read(0, 1)))
    return first if tells_species(source, first, species) else _completed(first, next(iter(source.read(1, 2))))


def tells_species(source: Trajectory, first: Frame, species: Mapping[int | str, str]) -> bool:
    """Whether nothing that the second frame tells of types and elements would be added to the first.

    Parameters
    ----------
    source, species
        As of `undeformed`.
    first : Frame
        The first one, or an atom of it for each of its types and elements.
    """
    types = () if first.type is None else np.unique(first.type).tolist()
    known = first.element is not None or set(types) <= species.keys()
    return source.reference is None or (bool(types) and known)


def _completed(frame: Frame, other: Frame) -> Frame:
    if frame.type is None and other.type is not None:
        alike = None if frame.element is None else frame.element.code
        kind = _by_id(frame.id, alike, other.id, other.type)
        frame = frame if kind is None else replace(frame, type=kind)
    if frame.element is None and other.element is not None:
        code = _by_id(frame.id, frame.type, other.id, other.element.code)
        if code is not None:
            known, place = np.unique(code, return_inverse=True)
            names = tuple(other.element.name[k] for k in known.tolist())
            frame = replace(frame, element=Elements(names, place.astype(np.int32)))
    return frame


def _by_id(wanted: np.ndarray, alike: np.ndarray | None, ids: np.ndarray, value: np.ndarray) -> np.ndarray | None:
    """Value of every wanted atom; of atoms without one the lowest of those that are alike. None when one has none."""
    order = np.argsort(ids, kind="stable")
    place = order[np.minimum(np.searchsorted(ids[order], wanted), len(ids) - 1)]
    there = ids[place] == wanted
    found = value[place]
    for kind in () if alike is None else np.unique(alike[~there]):
        same = alike == kind
        if (same & there).any():
            found[same & ~there] = found[same & there].min()
            there |= same
    return found if there.all() else None
