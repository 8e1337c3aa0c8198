"""Voronoi cells of all owned atoms, exact, one atom at a time.

Algorithm
---------
A cell is the set of points nearer to its atom than to any other: the intersection of the half spaces
``x . r <= |r|**2 / 2`` over all bonds r. It is cut out of a large regular tetrahedron by the planes of
the other atoms in ascending distance, in the dual (`qsdask.kernels.polytope`): the surface is a
triangulation whose points are planes and whose triangles are the vertices of the cell. A plane cuts off
vertex v when ``v . r > |r|**2 / 2 (1 + tie)``. Vertices are always solved from their own three planes,
never interpolated from earlier vertices, so rounding does not pile up and a cell does not remember
planes that were cut away again.

An atom farther than twice the largest vertex radius cannot cut [1]_ (security radius), so the work
stops there, and this is also the certificate of the result: with all atoms within ``2 * vertex_radius``
known, the cell is proven. Candidates come from linked cells in shells of rising radius; the first
radius follows the atoms treated before. It changes the speed only: the sequence of the planes is by
(distance, order) whatever the shells are.

Facet areas are half the sum of ``(v_s x v_t) . r / |r|`` over the edges of the facet, exact for any
planar polygon seen from the atom, and the volume is the sum of ``area * |r| / 6``.

Ties
----
Where more than three planes meet in one vertex (crystals) rounding would decide which planes cut. The
relative tie width 1e-11 is far above rounding and far below any length that matters: a plane that would
cut off less is taken as touching. If the rim of a cut is not one cycle nevertheless, the cell is
started again with the tie width ten times wider, three times at most, then given up as ``DEGENERATE``.
Facets below 1e-12 of the surface of the cell do not exist, and edges below 1e-6 of the vertex radius
are not counted. Coordinates rounded in a text file open real, tiny facets at such vertices;
`keep_facets` drops them.

State bits
----------
===========  =====  ====================================================================================
OPEN         1      the cell reaches farther than `open_radius`: volume NaN, vertex radius inf, count 0
UNCERTIFIED  2      the proof needs atoms farther than `reach`: widen it and try again
COINCIDENT   4      another atom is nearer than 1e-6 angstrom: volume NaN, count 0
DEGENERATE   8      rounding could not be mended: volume NaN, count 0
===========  =====  ====================================================================================

Cost: about 24 planes and 110 vertex solves an atom in a dense glass.

References
----------
.. [1] N. Ray, D. Sokolov, S. Lefebvre, B. Levy, "Meshless Voronoi on the GPU", ACM Trans. Graph. 37,
   265 (2018), doi:10.1145/3272127.3275092.
.. [2] C. H. Rycroft, "Voro++: A three-dimensional Voronoi cell library in C++", Chaos 19, 041111 (2009),
   doi:10.1063/1.3215722.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from qsdask.kernels.cells import build_cells, fill_candidates, sort_by_distance, sort_by_order, typical_width
from qsdask.kernels.jit import kernel
from qsdask.kernels.polytope import (
    LANES,
    U,
    count_beyond,
    cut_cell,
    fill_facets,
    fill_height,
    open_surface,
    start_cell,
)

__all__ = ["COINCIDENT", "DEGENERATE", "OPEN", "UNCERTIFIED", "VoronoiShell", "keep_facets", "voronoi_shell"]

OPEN = 1
UNCERTIFIED = 2
COINCIDENT = 4
DEGENERATE = 8
#: Planes do not fit: never seen outside, the caller starts again with more room.
_CROWDED = 16

#: Relative depth below which a plane touches a vertex rather than cuts it off.
TIE = 1e-11
#: Ten times wider each time.
TIE_ATTEMPTS = 4
#: Square of the distance below which two atoms coincide. Unit: square angstrom.
COINCIDENT_SQUARE = 1e-12
#: Smallest facet, as a share of the surface of the cell.
ZERO_AREA = 1e-12


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
        Edges of the facet, 0 where empty.
    count : int32 array, shape (n_owned,)
        Number of facets.
    volume : float64 array, shape (n_owned,)
        Volume of the cell; NaN where OPEN, COINCIDENT, DEGENERATE or not selected. Unit: cubic angstrom.
    vertex_radius : float64 array, shape (n_owned,)
        Distance of the farthest vertex; inf where OPEN, NaN where there is no cell. Unit: angstrom.
    state : uint8 array, shape (n_owned,)
        State bits.
    """

    neighbour: np.ndarray
    distance: np.ndarray
    area: np.ndarray
    edges: np.ndarray
    count: np.ndarray
    volume: np.ndarray
    vertex_radius: np.ndarray
    state: np.ndarray


@kernel
def fill_cells_of_atoms(
    cells, order, n_owned, reach, open_radius, chosen, n_plane_max, shell_neighbour, shell_distance,
    shell_area, shell_edges, shell_count, shell_volume, shell_radius, shell_state,
):  # fmt: skip
    """Voronoi cells of the chosen atoms; returns the largest count.

    Atoms with more than `n_plane_max` planes, or more than 16 times as many atoms in one search, are
    marked crowded; rows with more facets than slots keep their true count and stay empty. The caller
    sees to both.
    """
    n_slot = U(shell_neighbour.shape[1])
    size = U(n_plane_max)
    a, b, c, owner, patch, rim, follow, height = open_surface(n_plane_max)
    room = 2 * n_plane_max + 16
    vx, vy, vz = np.zeros(room), np.zeros(room), np.zeros(room)
    px, py, pz, ph = np.empty(room), np.empty(room), np.empty(room), np.empty(room)
    moment = np.empty(room)
    edge = np.empty(room, np.uint32)
    facet = np.empty(room, np.uint32)
    who = np.empty(room, np.uint32)
    capacity = 16 * size
    square = np.empty(capacity + LANES)
    entry = np.empty(capacity + LANES, np.uint32)
    tie_break = np.empty(capacity + LANES, np.int64)
    place = np.empty(capacity + LANES, np.uint32)
    x, y, z, start, atom = cells.x, cells.y, cells.z, cells.start, cells.atom
    grid = (cells.lower[0], cells.lower[1], cells.lower[2], cells.width[0], cells.width[1], cells.width[2])
    shape = (cells.shape[0], cells.shape[1], cells.shape[2])
    largest_count = U(0)
    # No atom beyond this can touch the part of a cell that counts.
    limit = min(reach, 2 * open_radius)
    guess = min(2 * max(max(grid[3], grid[4]), grid[5]), limit)
    for centre in range(U(atom.shape[0])):
        i = U(atom[centre])
        if i >= U(n_owned) or not chosen[i]:
            continue
        cx, cy, cz = x[centre], y[centre], z[centre]
        state = DEGENERATE
        tie = TIE
        n_triangle = U(4)
        n_plane = U(4)
        farthest = 0.0
        for _attempt in range(TIE_ATTEMPTS):
            start_cell(a, b, c, owner, size, px, py, pz, ph, vx, vy, vz, open_radius)
            n_triangle = U(4)
            n_plane = U(4)
            state = 0
            inner = -1.0
            outer = guess
            while True:
                done = False
                n = fill_candidates(
                    x, y, z, start, grid, shape, cx, cy, cz, inner, outer * outer, square, entry
                )
                if n > capacity:
                    state = _CROWDED
                    break
                sort_by_distance(square, entry, atom, order, n, tie_break, place)
                for k in range(n):
                    p = place[k]
                    j = U(entry[p])
                    if j == centre:
                        continue
                    d = square[p]
                    if d < COINCIDENT_SQUARE:
                        state = COINCIDENT
                        break
                    rx, ry, rz = x[j] - cx, y[j] - cy, z[j] - cz
                    half = 0.5 * d
                    if fill_height(vx, vy, vz, n_triangle, rx, ry, rz, half + tie * half, height) == U(0):
                        if count_beyond(vx, vy, vz, n_triangle, half * 0.5) == U(0):
                            done = True
                            break
                        continue
                    if n_plane == size:
                        state = _CROWDED
                        break
                    px[n_plane] = rx
                    py[n_plane] = ry
                    pz[n_plane] = rz
                    ph[n_plane] = half
                    who[n_plane] = j
                    n_triangle = cut_cell(
                        a,
                        b,
                        c,
                        owner,
                        size,
                        patch,
                        rim,
                        follow,
                        height,
                        px,
                        py,
                        pz,
                        ph,
                        vx,
                        vy,
                        vz,
                        n_triangle,
                        n_plane,
                    )
                    n_plane += U(1)
                    if n_triangle == U(0):
                        state = DEGENERATE
                        break
                if state != 0:
                    break
                farthest = 0.0
                for t in range(n_triangle):
                    farthest = max(farthest, vx[t] * vx[t] + vy[t] * vy[t] + vz[t] * vz[t])
                if done or 4 * farthest <= outer * outer or outer >= limit:
                    break
                inner = outer * outer
                outer = min(min(2 * np.sqrt(farthest) * (1 + 1e-12), 1.25 * outer), limit)
            if state != DEGENERATE:
                break
            tie *= 10
        m = U(0)
        if state == 0:
            radius = np.sqrt(farthest)
            if radius >= open_radius:
                shell_radius[i] = np.inf
                state = OPEN | (UNCERTIFIED if 2 * open_radius > reach else 0)
            else:
                guess = min(guess * 0.998 if 2 * radius <= guess else guess * 1.02, limit)
                fill_facets(
                    a, b, c, owner, size, n_triangle, n_plane, px, py, pz, vx, vy, vz, farthest, moment, edge
                )
                surface = 0.0
                volume = 0.0
                for f in range(U(4), n_plane):
                    volume += moment[f]
                    ph[f] = np.sqrt(2 * ph[f])
                    moment[f] = 0.5 * moment[f] / ph[f]
                    surface += moment[f]
                for f in range(U(4), n_plane):
                    facet[m] = f
                    tie_break[m] = order[atom[who[f]]]
                    m += U(moment[f] > ZERO_AREA * surface)
                shell_volume[i] = volume / 12
                shell_radius[i] = radius
                state = UNCERTIFIED if 2 * radius > reach else 0
        shell_state[i] = state
        shell_count[i] = m
        largest_count = max(largest_count, m)
        if m > n_slot:
            continue
        sort_by_order(tie_break, m, place)
        for k in range(m):
            f = facet[place[k]]
            shell_neighbour[i, k] = atom[who[f]]
            shell_distance[i, k] = ph[f]
            shell_area[i, k] = moment[f]
            shell_edges[i, k] = edge[f]
        for k in range(m, n_slot):
            shell_neighbour[i, k] = -1
            shell_distance[i, k] = np.nan
            shell_area[i, k] = np.nan
            shell_edges[i, k] = 0
    return largest_count


def voronoi_shell(position, order, n_owned, reach, *, open_radius=8.0, select=None, n_slot=24):
    """Voronoi cell of every owned atom: neighbours, facet areas, edges, volume.

    Parameters
    ----------
    position : float64 array, shape (n_local, 3)
        Owned atoms first, then ghosts; every periodic image is an entry of its own. Unit: angstrom.
    order : int64 array, shape (n_local,)
        Rank by (atom id, image), a permutation of 0 ... n_local - 1; slots ascend in it.
    n_owned : int
        Number of owned atoms.
    reach : float
        Every atom within this distance of an owned atom is present; inf if all atoms there are, are.
        Unit: angstrom.
    open_radius : float
        A cell with a vertex at this distance or farther is open. Unit: angstrom.
    select : bool array, shape (n_owned,), optional
        Only these atoms; the others get count 0, volume NaN and state 0.
    n_slot : int
        Slots to begin with; grown to the largest count when that is more.

    Returns
    -------
    VoronoiShell
        Facets, volumes, vertex radii and state bits (`OPEN`, `UNCERTIFIED`, `COINCIDENT`, `DEGENERATE`).

    Raises
    ------
    ValueError
        If `reach` or `open_radius` is not positive or a coordinate is not finite.

    Notes
    -----
    Independent of ghosts beyond what the cell needs, of their sequence, and of which atoms are treated
    together: to the last bit. An UNCERTIFIED cell is the exact cell of the atoms given; it may differ
    from that of the whole system.
    """
    if not reach > 0:
        raise ValueError(f"reach must be positive, got {reach!r}")
    if not (open_radius > 0 and np.isfinite(open_radius)):
        raise ValueError(f"open_radius must be a positive number, got {open_radius!r}")
    position = np.ascontiguousarray(position, dtype=np.float64)
    order = np.ascontiguousarray(order, dtype=np.int64)
    chosen = np.ones(n_owned, np.bool_) if select is None else np.array(select, dtype=np.bool_)
    shell = _empty_shell(n_owned, n_slot, blank=select is not None)
    cells = build_cells(position, typical_width(position))
    size = 64
    while True:
        largest = fill_cells_of_atoms(
            cells, order, n_owned, float(reach), float(open_radius), chosen, size, *shell
        )
        crowded = shell.state == _CROWDED
        if largest > n_slot:
            chosen = crowded | (shell.count > n_slot)
            shell = _widen(shell, int(largest))
            n_slot = int(largest)
        else:
            chosen = crowded
        if not chosen.any():
            return shell
        size *= 2 if crowded.any() else 1


def _empty_shell(n_owned, n_slot, *, blank):
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
        for array, value in zip(shell[:4], (-1, np.nan, np.nan, 0), strict=True):
            array[...] = value
    return shell


def _widen(shell, n_slot):
    """The same shell with more, empty, slots."""
    wide = _empty_shell(len(shell.count), n_slot, blank=True)
    for old, new in zip(shell[:4], wide[:4], strict=True):
        new[:, : old.shape[1]] = old
    return wide._replace(
        count=shell.count, volume=shell.volume, vertex_radius=shell.vertex_radius, state=shell.state
    )


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
            kept.edges[i, k] = 0


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
    kept = _empty_shell(n_owned, n_slot, blank=False)._replace(
        volume=shell.volume, vertex_radius=shell.vertex_radius, state=shell.state
    )
    fill_kept(*shell[:5], float(fraction), bool(sequential), kept)
    return kept
