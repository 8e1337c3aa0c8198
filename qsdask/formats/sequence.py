"""Frames of several files put into one sequence by their timesteps, and refused where they cannot be one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from qsdask.errors import BadDataError
from qsdask.formats.frame import LENGTH_UNITS, Frame, FrameLocation, ReadWarning, periodic_axes
from qsdask.formats.refusal import refusal

__all__ = ["in_sequence", "numbered", "refuse_unlike"]

#: Steps that a warning lists.
_LISTED = 20


def in_sequence(
    files: Sequence[Sequence[FrameLocation]], read: Callable[[FrameLocation], Frame], *, overlap: str
) -> tuple[list[FrameLocation], list[ReadWarning]]:
    """Order files by the timestep of their first frame, and settle what stands twice.

    Parameters
    ----------
    files : sequence of sequence of FrameLocation
        Frames of each file as they stand there. Files that begin at the same step keep their order.
    read : callable
        Reads one frame; called only for timesteps that stand twice.
    overlap : {"error", "last"}
        What becomes of a timestep that is not greater than the one before: refused, or the frames written later
        replace all from that timestep on.

    Returns
    -------
    frames : list of FrameLocation
        Of rising timesteps.
    warnings : list of ReadWarning
        ``W-DUP-STEP`` (the same frame twice: one is left out), ``W-OVERLAP`` (names the replaced steps).

    Raises
    ------
    BadDataError
        ``E-STEP-ORDER``, ``E-PIECES`` (files that hold different atoms of the same frames).
    """
    frames: list[FrameLocation] = []
    known: dict[int, FrameLocation] = {}
    twice: list[int] = []
    replaced: list[int] = []
    for place in (place for file in sorted(files, key=lambda file: file[0].timestep) for place in file):
        earlier = known.get(place.timestep)
        if earlier is not None and _is_copy(earlier, place, read):
            twice.append(place.timestep)
            continue
        if frames and place.timestep <= frames[-1].timestep:
            if overlap == "error":
                raise _out_of_order(frames[-1], place)
            while frames and frames[-1].timestep >= place.timestep:
                gone = frames.pop().timestep
                del known[gone]
                replaced.append(gone)
        frames.append(place)
        known[place.timestep] = place
    warnings = []
    if twice:
        text = f"{len(twice)} frames stand twice with the same content, one of each is used: timesteps {_listed(twice)}"
        warnings.append(ReadWarning("W-DUP-STEP", text))
    if replaced:
        text = (
            f"{len(replaced)} frames were written before a later run went back over them and are left out: "
            f"timesteps {_listed(replaced)}"
        )
        warnings.append(ReadWarning("W-OVERLAP", text))
    return frames, warnings


def _listed(steps):
    steps = sorted(steps)
    return ", ".join(map(str, steps[:_LISTED])) + (f" and {len(steps) - _LISTED} more" if len(steps) > _LISTED else "")


def _is_copy(one: FrameLocation, two: FrameLocation, read) -> bool:
    """Whether two frames of one timestep hold the same atoms in the same box; refuses pieces of one frame."""
    a, b = read(one), read(two)
    if one.path != two.path and one.has_id and two.has_id and not np.isin(b.id, a.id).any():
        raise refusal(
            two,
            f"other atoms of the same timestep as in {one.path}: the files hold pieces of frames",
            "E-PIECES",
            why="'%' in the file name of a LAMMPS dump makes every processor write its own file",
            hint="write one file ('dump_modify ... nfile 1', or no '%' in the name), "
            "or bring the pieces into one with LAMMPS 'read_dump' or OVITO",
        )
    if (a.natoms, a.boundary, a.convention) != (b.natoms, b.boundary, b.convention) or _other_units(a, b):
        return False
    return all(map(np.array_equal, _content(a), _content(b)))


def _other_units(one, two):
    """Whether two frames name different unit styles; one that names none has those of the other."""
    return bool(one.units and two.units and one.units != two.units)


def _content(frame: Frame) -> list[np.ndarray]:
    """All that makes a frame, whatever the order of its atoms."""
    order = np.argsort(frame.id, kind="stable")
    content = [frame.cell, frame.origin, frame.id[order], frame.position[order]]
    content.append(np.empty(0) if frame.type is None else frame.type[order])
    if frame.element is not None:
        content.append(np.array(frame.element.name)[frame.element.code[order]])
    return content


def _out_of_order(before, after):
    what = "appears twice" if after.timestep == before.timestep else "goes back"
    return refusal(
        after,
        f"timestep {after.timestep} {what}: frame {before.ordinal} of {before.path} has timestep {before.timestep}",
        "E-STEP-ORDER",
        line=after.line or None,
        why="a restart wrote again what was there, files of different runs are mixed, or processors wrote one file each",
        hint="leave out what stands twice, or give --restart-overlap last to use what was written last; "
        "--reference names the file of an undeformed glass whose timestep is of another run",
    )


def numbered(
    files: Sequence[Sequence[FrameLocation]], assume_order: bool
) -> tuple[list[list[FrameLocation]], list[ReadWarning]]:
    """Number the frames of several files without timesteps in the order in which the files are given.

    Parameters
    ----------
    files : sequence of sequence of FrameLocation
    assume_order : bool
        The user says that this is their order.

    Returns
    -------
    files : list of list of FrameLocation
    warnings : list of ReadWarning
        ``W-ASSUMED-ORDER``.

    Raises
    ------
    BadDataError
        ``E-STEP-ORDER`` unless ``assume_order``.
    """
    if not assume_order:
        raise BadDataError(
            "several files, and none has timesteps",
            code="E-STEP-ORDER",
            file=files[1][0].path,
            hint="give them in their order and --assume-order, or convert them to LAMMPS dumps",
        )
    first, result = 0, []
    for file in files:
        result.append([replace(place, timestep=first + k) for k, place in enumerate(file)])
        first += len(file)
    return result, [ReadWarning("W-ASSUMED-ORDER", "files without timesteps are taken in the order given")]


def refuse_unlike(frames: Sequence[FrameLocation], *, assume_order: bool) -> list[ReadWarning]:
    """Refuse frames that cannot be one trajectory although their timesteps rise.

    Parameters
    ----------
    frames : sequence of FrameLocation
    assume_order : bool
        Atoms without ids stand in the same order in every frame: the user says so.

    Returns
    -------
    list of ReadWarning
        ``W-ASSUMED-ORDER``, ``W-COLUMNS`` (columns that are not needed come or go).

    Raises
    ------
    BadDataError
        ``E-NO-ID``, ``E-CONVENTION``, ``E-BOUNDARY``, ``E-UNITS`` (they change, or their length is not the angstrom).
    """
    warnings = []
    for before, after in pairwise(frames):
        _compare(before, after)
    _refuse_other_lengths(frames)
    # Formats without ids keep an order of their own, which is not that of the others.
    orders = {place.by_order for place in frames}
    nameless = next((place for place in frames if not place.has_id or (place.by_order and len(orders) > 1)), None)
    if len(frames) > 1 and nameless is not None:
        if not assume_order:
            raise refusal(
                nameless,
                "atoms have no ids: they cannot be followed from frame to frame",
                "E-NO-ID",
                line=nameless.line or None,
                why="LAMMPS writes atoms in any order, which changes from frame to frame",
                hint="dump with 'dump ... custom N file id type x y z'; or, if the order never changes, --assume-order",
            )
        text = "atoms have no ids; they are taken to stand in the same order in every frame"
        warnings.append(ReadWarning("W-ASSUMED-ORDER", text))
    changes: dict[str, list[int]] = {}
    for before, after in pairwise(frames):
        change = _column_change(before, after)
        if change:
            changes.setdefault(change, []).append(after.timestep)
    warnings += [
        ReadWarning("W-COLUMNS", f"{change} from timestep {_listed(steps)} on") for change, steps in changes.items()
    ]
    return warnings


def _refuse_other_lengths(frames):
    """Radii and cut-offs are in angstrom: other lengths would give wrong numbers."""
    for place in frames:
        unit = LENGTH_UNITS[place.units] if place.units else "angstrom"
        if unit != "angstrom":
            raise refusal(
                place,
                f"the file is in {place.units!r} units, whose length is the {unit}",
                "E-UNITS",
                line=place.line or None,
                why="lengths are taken to be in angstrom",
                hint="convert box and coordinates to angstrom, and write 'ITEM: UNITS' with 'metal' or 'real'",
            )


def _column_change(before, after):
    if not before.columns or not after.columns:
        return ""
    gone = [name for name in before.columns if name not in after.columns]
    new = [name for name in after.columns if name not in before.columns]
    parts = [f"column {' '.join(gone)} is missing"] if gone else []
    parts += [f"column {' '.join(new)} is new"] if new else []
    return ", ".join(parts)


def _compare(before, after):
    """Refuse two frames that cannot follow each other."""

    def refuse(message, code):
        return refusal(after, message, code, line=after.line or None)

    where = f"frame {before.ordinal} of {before.path}"
    if after.convention != before.convention:
        raise refuse(f"coordinates are {after.convention}, in {where} they are {before.convention}", "E-CONVENTION")
    if (periodic_axes(after.boundary) != periodic_axes(before.boundary)).any():
        raise refuse(
            f"the boundary is {' '.join(after.boundary)}, in {where} it is {' '.join(before.boundary)}", "E-BOUNDARY"
        )
    if _other_units(before, after):
        raise refuse(f"units are {after.units!r}, in {where} they are {before.units!r}", "E-UNITS")
