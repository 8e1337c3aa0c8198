"""Whether a frame is several copies of a smaller cell, told by some of its atoms: whoever holds a part of it can look there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from qsdask.space.box import Box

__all__ = ["Partners", "copies_of", "partners_met", "probes_of"]

#: Atoms looked at to tell a replicated cell: that many of a glass never have partners by chance; and those looked at first.
_PROBES, _FIRST = 256, 8

#: Copies looked for along each axis, and the distance within which an atom and its copy must agree (angstrom).
_MOST, _TOLERANCE = 8, 0.01


class Partners(NamedTuple):
    """Places at which an atom must stand, if the cell is replicated.

    Attributes
    ----------
    place : float64 array, shape (n, 3)
        Reduced coordinates, from 0 to 1.
    species : int array, shape (n,)
        Of the atom that must stand there.
    """

    place: np.ndarray
    species: np.ndarray


def probes_of(n_atom: int) -> np.ndarray:
    """Atoms that are moved, by their place in the file."""
    return np.unique(np.linspace(0, n_atom - 1, min(_PROBES, n_atom)).astype(np.int64))


def partners_met(reduced: np.ndarray, species: np.ndarray, wanted: Partners, box: Box) -> np.ndarray:
    """Which of the places some atoms of a frame stand at.

    Parameters
    ----------
    reduced : float array, shape (n_atom, 3)
        Reduced coordinates.
    species : int array, shape (n_atom,)
    wanted : Partners
    box : Box
        Cell of the frame.

    Returns
    -------
    bool array, shape (n,)

    Notes
    -----
    One sort along the first axis, then a narrow window for each place.
    """
    reduced = reduced - np.floor(reduced)
    order = np.argsort(reduced[:, 0], kind="stable")
    along = reduced[order, 0]
    width = _TOLERANCE / box.height[0]
    met = np.zeros(len(wanted.place), dtype=bool)
    # The window, and its parts beyond the faces.
    for turn in (0.0, -1.0, 1.0):
        first = np.searchsorted(along, wanted.place[:, 0] + turn - width)
        last = np.searchsorted(along, wanted.place[:, 0] + turn + width)
        for k in np.flatnonzero(last > first):
            near = order[first[k] : last[k]]
            apart = reduced[near] - wanted.place[k]
            apart -= np.rint(apart)
            close = np.linalg.norm(apart @ box.cell, axis=1) < _TOLERANCE
            met[k] |= bool((close & (species[near] == wanted.species[k])).any())
    return met


def copies_of(
    probes: Partners, n_atom: int, periodic: np.ndarray, met: Callable[[Partners], np.ndarray]
) -> tuple[int, int, int]:
    """How many copies of a smaller cell stand along each axis.

    Parameters
    ----------
    probes : Partners
        Where the atoms of `probes_of` stand.
    n_atom : int
        Atoms of the frame.
    periodic : bool array, shape (3,)
        Only these axes are looked at.
    met : callable
        ``met(wanted)``: at which places there is an atom; bool, shape (n,). Of a glass it is asked once.

    Returns
    -------
    tuple of int
        1 along axes without copies.

    Notes
    -----
    The atoms are moved by 1/n of a cell vector and must meet one of the same species each. A copy that went on moving by
    itself is not told.
    """
    left = [(int(axis), n) for axis in np.flatnonzero(periodic) for n in range(2, _MOST + 1) if n_atom % n == 0]
    some = slice(None, None, -(-len(probes.place) // _FIRST))
    for part in (some, slice(None)):
        if left:
            left = _still(left, Partners(probes.place[part], probes.species[part]), met)
    copies = [max([1, *(n for axis, n in left if axis == along)]) for along in range(3)]
    return copies[0], copies[1], copies[2]


def _still(
    left: Sequence[tuple[int, int]], probes: Partners, met: Callable[[Partners], np.ndarray]
) -> list[tuple[int, int]]:
    """Axes and numbers of copies for which all of these probes meet one."""
    place = np.repeat(probes.place[None], len(left), axis=0)
    for k, (axis, n) in enumerate(left):
        place[k, :, axis] += 1.0 / n
    place %= 1.0
    found = met(Partners(place.reshape(-1, 3), np.tile(probes.species, len(left))))
    every = np.asarray(found).reshape(len(left), -1).all(axis=1)
    return [left[k] for k in np.flatnonzero(every).tolist()]
