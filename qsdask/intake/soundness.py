"""Undeformed frames that no Voronoi cell can be made of."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from qsdask.errors import BadDataError

__all__ = ["OVERLAP", "Pair", "overlapping", "refuse_flat", "refuse_overlap"]

#: Atoms nearer than this are one atom written twice. Unit: angstrom.
OVERLAP = 1e-5

#: Direction that is normal to no plane of a crystal.
OBLIQUE = np.array([np.sqrt(2.0), np.sqrt(3.0), np.sqrt(5.0)]) / np.sqrt(10.0)


def refuse_flat(low: np.ndarray, high: np.ndarray, n_atom: int, path: str, timestep: int | None) -> None:
    """Refuse a system of two dimensions: atoms that all have the same coordinate along an axis.

    Parameters
    ----------
    low, high : float64 array, shape (3,)
        Lowest and highest coordinates of the undeformed glass, as read.
    n_atom : int
        Its atoms. Fewer than four always lie in a plane, and are let through.
    path : str
        Its file, for messages.
    timestep : int or None
        Likewise.

    Raises
    ------
    BadDataError
        ``E-2D``.
    """
    if n_atom < 4:
        return
    for axis in np.flatnonzero(low == high):
        raise BadDataError(
            f"all atoms have {'xyz'[axis]} = {low[axis]:g}",
            code="E-2D",
            file=path,
            frame=0,
            timestep=timestep,
            why="2D systems are not supported: their atoms have no Voronoi cells in three dimensions",
        )


class Pair(NamedTuple):
    """Two atoms at one place.

    Attributes
    ----------
    distance : float
        Unit: angstrom.
    first, second : int
        Their ids, rising.
    """

    distance: float
    first: int
    second: int


def overlapping(position: np.ndarray, atom_id: np.ndarray) -> Pair | None:
    """Two atoms that are one written twice, which have no Voronoi cells of their own.

    Parameters
    ----------
    position : float64 array, shape (n, 3)
        Wrapped. Unit: angstrom.
    atom_id : int64 array, shape (n,)

    Returns
    -------
    Pair or None
        Of those that are next to one another the nearest, and of these the one with the lowest ids.

    Notes
    -----
    Along a direction that no lattice plane is normal to, atoms that are near each other stand near each other in a
    sorted list.
    """
    along = position @ OBLIQUE
    order = np.argsort(along, kind="stable")
    sorted_along = along[order]
    for gap in range(1, len(order)):
        first = np.flatnonzero(sorted_along[gap:] - sorted_along[:-gap] <= OVERLAP)
        if not len(first):
            return None
        a, b = order[first], order[first + gap]
        distance = np.linalg.norm(position[a] - position[b], axis=1)
        if distance.min() <= OVERLAP:
            least = np.flatnonzero(distance == distance.min())
            low, high = np.sort([atom_id[a[least]], atom_id[b[least]]], axis=0)
            k = np.lexsort((high, low))[0]
            return Pair(float(distance.min()), int(low[k]), int(high[k]))
    return None


def refuse_overlap(pair: Pair | None, path: str, timestep: int | None) -> None:
    """Refuse two atoms at one place.

    Parameters
    ----------
    pair : Pair or None
        Of `overlapping`.
    path, timestep
        As of `refuse_flat`.

    Raises
    ------
    BadDataError
        ``E-OVERLAP`` with both ids.
    """
    if pair is not None:
        raise BadDataError(
            f"atoms {pair.first} and {pair.second} are {pair.distance:.3g} angstrom apart",
            code="E-OVERLAP",
            file=path,
            frame=0,
            timestep=timestep,
            atom_id=pair.second,
            why="two atoms at one place have no Voronoi cells of their own",
            hint="remove the copy from the first frame",
        )
