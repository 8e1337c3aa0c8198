"""Undeformed frames that no Voronoi cell can be made of."""

from __future__ import annotations

import numpy as np

from qsdask.errors import BadDataError
from qsdask.formats.frame import Frame
from qsdask.space.box import Box

__all__ = ["refuse_flat", "refuse_overlap"]

#: Atoms nearer than this are one atom written twice. Unit: angstrom.
OVERLAP = 1e-5

#: Direction that is normal to no plane of a crystal.
OBLIQUE = np.array([np.sqrt(2.0), np.sqrt(3.0), np.sqrt(5.0)]) / np.sqrt(10.0)


def refuse_flat(frame: Frame, path: str) -> None:
    """Refuse a system of two dimensions: atoms that all have the same coordinate along an axis.

    Parameters
    ----------
    frame : Frame
        The undeformed glass. Fewer than four atoms always lie in a plane, and are let through.
    path : str
        Its file, for messages.

    Raises
    ------
    BadDataError
        ``E-2D``.
    """
    if frame.natoms < 4:
        return
    for axis in np.flatnonzero(np.ptp(frame.position, axis=0) == 0.0):
        raise BadDataError(
            f"all atoms have {'xyz'[axis]} = {frame.position[0, axis]:g}",
            code="E-2D",
            file=path,
            frame=0,
            timestep=frame.timestep,
            why="2D systems are not supported: their atoms have no Voronoi cells in three dimensions",
        )


def refuse_overlap(frame: Frame, path: str) -> None:
    """Refuse two atoms at one place, which have no Voronoi cells of their own.

    Parameters
    ----------
    frame : Frame
        The undeformed glass.
    path : str
        Its file, for messages.

    Raises
    ------
    BadDataError
        ``E-OVERLAP`` with both ids.

    Notes
    -----
    Along a direction that no lattice plane is normal to, atoms that are near each other stand near each other in a
    sorted list.
    """
    box = Box(frame.cell, frame.origin, frame.periodic)
    position = box.wrap(frame.position)
    along = position @ OBLIQUE
    order = np.argsort(along, kind="stable")
    sorted_along = along[order]
    for gap in range(1, len(order)):
        first = np.flatnonzero(sorted_along[gap:] - sorted_along[:-gap] <= OVERLAP)
        if not len(first):
            return
        a, b = order[first], order[first + gap]
        distance = np.linalg.norm(position[a] - position[b], axis=1)
        if distance.min() <= OVERLAP:
            k = int(np.argmin(distance))
            pair = sorted((int(frame.id[a[k]]), int(frame.id[b[k]])))
            raise BadDataError(
                f"atoms {pair[0]} and {pair[1]} are {distance[k]:.3g} angstrom apart",
                code="E-OVERLAP",
                file=path,
                frame=0,
                timestep=frame.timestep,
                atom_id=pair[1],
                why="two atoms at one place have no Voronoi cells of their own",
                hint="remove the copy from the first frame",
            )
