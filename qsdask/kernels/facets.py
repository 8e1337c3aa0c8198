"""Facets of Voronoi cells: their arrays, and which of them are kept as neighbours."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from qsdask.kernels.jit import kernel

__all__ = ["VoronoiShell", "empty_shell", "keep_facets", "widened_shell"]


class VoronoiShell(NamedTuple):
    """Facets of the Voronoi cells.

    Attributes
    ----------
    neighbour : int32 array, shape (n_owned, n_slot)
        Local index of the atom behind a facet, ascending in `order`, -1 where empty.
    distance : float64 array, shape (n_owned, n_slot)
        Distance of the two atoms, NaN where empty. Unit: angstrom.
    area : float64 array, shape (n_owned, n_slot)
        Area of the facet, NaN where empty. Unit: square angstrom.
    edges : int32 array, shape (n_owned, n_slot)
        Edges of the facet, -1 where empty.
    count : int32 array, shape (n_owned,)
        Number of facets.
    volume : float64 array, shape (n_owned,)
        Volume of the cell; NaN where OPEN, COINCIDENT, DEGENERATE, EMPTY or not selected. Unit: cubic
        angstrom.
    vertex_radius : float64 array, shape (n_owned,)
        Distance of the farthest vertex; inf where OPEN, NaN where there is no cell. Unit: angstrom.
    state : uint8 array, shape (n_owned,)
        State bits.
    """

    neighbour: np.ndarray
    distance: np.ndarray
    area: np.ndarray
    edges: np.ndarray
    count: np.ndarray  # type: ignore[assignment]  # rather than tuple's own method
    volume: np.ndarray
    vertex_radius: np.ndarray
    state: np.ndarray


def empty_shell(n_owned, n_slot, *, blank):
    """Shell of the right shape; `blank` fills what the kernel will not touch."""
    shell = VoronoiShell(
        np.empty((n_owned, n_slot), dtype=np.int32),
        np.empty((n_owned, n_slot)),
        np.empty((n_owned, n_slot)),
        np.empty((n_owned, n_slot), dtype=np.int32),
        np.zeros(n_owned, dtype=np.int32),
        np.full(n_owned, np.nan),
        np.full(n_owned, np.nan),
        np.zeros(n_owned, dtype=np.uint8),
    )
    if blank:
        for array, value in zip(shell[:4], (-1, np.nan, np.nan, -1), strict=True):
            array[...] = value
    return shell


def widened_shell(shell, n_slot):
    """The same shell with more, empty, slots."""
    wide = empty_shell(len(shell.count), n_slot, blank=True)
    for old, new in zip(shell[:4], wide[:4], strict=True):
        new[:, : old.shape[1]] = old
    return wide._replace(count=shell.count, volume=shell.volume, vertex_radius=shell.vertex_radius, state=shell.state)


@kernel
def fill_kept(neighbour, distance, area, edges, count, fraction, sequential, kept):
    """Copy the facets that stay into `kept`, packed to the left."""
    n_slot = neighbour.shape[1]
    for i in range(neighbour.shape[0]):
        n = count[i]
        total = 0.0
        for k in range(n):
            total += area[i, k]
        left = n
        m = 0
        for k in range(n):
            if area[i, k] < fraction * total / left:
                if sequential:
                    left -= 1
                continue
            kept.neighbour[i, m] = neighbour[i, k]
            kept.distance[i, m] = distance[i, k]
            kept.area[i, m] = area[i, k]
            kept.edges[i, m] = edges[i, k]
            m += 1
        kept.count[i] = m
        for k in range(m, n_slot):
            kept.neighbour[i, k] = -1
            kept.distance[i, k] = np.nan
            kept.area[i, k] = np.nan
            kept.edges[i, k] = -1


def keep_facets(shell, fraction=0.05, sequential=False):
    """Drop the small facets of every cell.

    Parameters
    ----------
    shell : VoronoiShell
        Full cells.
    fraction : float
        A facet with less than this share of the mean facet area of its cell is dropped; 0 keeps all.
    sequential : bool
        False: the mean is over all facets of the cell. True: after each removal the mean is the total
        area of the full cell over the number of facets left, facets taken in ascending order (amlearn).

    Returns
    -------
    VoronoiShell
        New neighbour, distance, area, edges and count; volume, vertex radius and state are those of the
        full cell. Nothing is recomputed for the facets that stay.

    Raises
    ------
    ValueError
        If `fraction` is negative or not a number.
    """
    if not fraction >= 0:
        raise ValueError(f"fraction must not be negative, got {fraction!r}")
    n_owned, n_slot = shell.neighbour.shape
    kept = empty_shell(n_owned, n_slot, blank=False)._replace(
        volume=shell.volume, vertex_radius=shell.vertex_radius, state=shell.state
    )
    fill_kept(*shell[:5], float(fraction), bool(sequential), kept)
    return kept
