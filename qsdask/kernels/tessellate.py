"""Voronoi cells of all owned atoms, exact, one atom at a time.

Algorithm
---------
A cell is the set of points nearer to its atom than to any other: the intersection of the half spaces
``x . r <= |r|**2 / 2`` over all bonds r. It is cut out of a large regular tetrahedron by the planes of the other atoms in
ascending distance, in the dual (`qsdask.kernels.polytope`): the surface is a triangulation whose points are planes and whose
triangles are the vertices of the cell. A plane cuts off vertex v when ``v . r > |r|**2 / 2 (1 + tie)``. Vertices are
always solved from their own three planes, never interpolated from earlier vertices, so rounding does not pile up and a
cell does not remember planes that were cut away again.

An atom farther than twice the largest vertex radius cannot cut [1]_ (security radius), so the work stops there, and this is also the
certificate of the result: with all atoms within ``2 * vertex_radius`` known, the cell is proven. Candidates come from linked
cells in shells of rising radius; the first radius follows the atoms treated before. It changes the speed
only: the sequence of the planes is by (distance, order) whatever the shells are.

Facet areas are half the sum of ``(v_s x v_t) . r / |r|`` over the edges of the facet, exact for any planar polygon seen from the atom, and
the volume is the sum of ``area * |r| / 6``.

Ties
----
Where more than three planes meet in one vertex (crystals) rounding would decide which planes cut. The relative tie width 1e-11
is far above rounding and far below any length that matters: a plane that would cut off less is taken as touching. If the rim of a cut is
not one cycle nevertheless, the cell is started again with the tie width ten times wider, three times at most,
then given up as ``DEGENERATE``. Facets below 1e-12 of the surface of the cell do not exist, and edges below 1e-6 of the vertex radius
are not counted. Coordinates rounded in a text file open real, tiny facets at such vertices; `keep_facets` drops them.

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
.. [1] N. Ray, D. Sokolov, S. Lefebvre, B. Levy, "Meshless Voronoi on the GPU", ACM Trans. Graph. 37, 265 (2018),
   doi:10.1145/3272127.3275092.
.. [2] C. H. Rycroft, "Voro++: A three-dimensional Voronoi cell library in C++", Chaos 19, 041111 (2009),
   doi:10.1063/1.3215722.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from qsdask.kernels.cells import build_cells, fill_candidates, sort_by_distance, sort_by_order, typical_width
from qsdask.kernels.jit import kernel
from qsdask.kernels.polytope import find_rim, open_surface, replace_patch, set_triangle

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
#: Smallest edge, as a share of the vertex radius, squared.
ZERO_EDGE_SQUARE = 1e-12


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
def solve_vertices(corner, patch, n, plane, vertex):
    """Set the vertices of triangles ``patch[:n]`` from their three planes.

    Returns
    -------
    bool
        False if three planes have no common point on the outer side.
    """
    good = True
    for k in range(n):
        t = patch[k]
        a, b, c = corner[t, 0], corner[t, 1], corner[t, 2]
        ax, ay, az, ah = plane[0, a], plane[1, a], plane[2, a], plane[3, a]
        bx, by, bz, bh = plane[0, b], plane[1, b], plane[2, b], plane[3, b]
        cx, cy, cz, ch = plane[0, c], plane[1, c], plane[2, c], plane[3, c]
        ux, uy, uz = by * cz - bz * cy, bz * cx - bx * cz, bx * cy - by * cx
        vx, vy, vz = cy * az - cz * ay, cz * ax - cx * az, cx * ay - cy * ax
        wx, wy, wz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
        volume = ax * ux + ay * uy + az * uz
        good &= volume > 0
        inverse = 1.0 / volume
        vertex[0, t] = (ah * ux + bh * vx + ch * wx) * inverse
        vertex[1, t] = (ah * uy + bh * vy + ch * wy) * inverse
        vertex[2, t] = (ah * uz + bh * vz + ch * wz) * inverse
    return good


@kernel
def start_cell(corner, owner, patch, plane, vertex, open_radius):
    """Regular tetrahedron whose faces touch the sphere of `open_radius`. Returns the number of triangles."""
    for a in range(4):
        plane[0, a] = 1.0 if a < 2 else -1.0
        plane[1, a] = 1.0 if a % 2 == 0 else -1.0
        plane[2, a] = plane[0, a] * plane[1, a]
        plane[3, a] = np.sqrt(3.0) * open_radius
    set_triangle(corner, owner, 0, 0, 1, 2)
    set_triangle(corner, owner, 1, 0, 3, 1)
    set_triangle(corner, owner, 2, 0, 2, 3)
    set_triangle(corner, owner, 3, 1, 3, 2)
    for t in range(4):
        patch[t] = t
    solve_vertices(corner, patch, 4, plane, vertex)
    return 4


@kernel
def fill_cut(vertex, n_triangle, rx, ry, rz, height, depth):
    """Depth of every vertex beyond the plane; returns how many are cut off."""
    n = 0
    for t in range(n_triangle):
        d = vertex[0, t] * rx + vertex[1, t] * ry + vertex[2, t] * rz
        depth[t] = d
        n += d > height
    return n


@kernel
def count_beyond(vertex, n_triangle, square):
    """Number of vertices whose squared radius is above `square`."""
    n = 0
    for t in range(n_triangle):
        x, y, z = vertex[0, t], vertex[1, t], vertex[2, t]
        n += x * x + y * y + z * z > square
    return n


@kernel
def largest_square(vertex, n_triangle):
    """Largest squared vertex radius."""
    largest = 0.0
    for t in range(n_triangle):
        x, y, z = vertex[0, t], vertex[1, t], vertex[2, t]
        largest = max(largest, x * x + y * y + z * z)
    return largest


@kernel
def fill_facets(corner, owner, n_triangle, n_plane, plane, vertex, square_radius, moment, edge):
    """Sum of the edge moments ``(v_s x v_t) . r`` and number of edges of every plane."""
    for a in range(n_plane):
        moment[a] = 0.0
        edge[a] = 0
    tiny = ZERO_EDGE_SQUARE * square_radius
    for t in range(n_triangle):
        for side in range(3):
            a = corner[t, side]
            b = corner[t, side + 1 if side < 2 else 0]
            if a > b:
                continue
            s = owner[b, a]
            px, py, pz = vertex[0, t], vertex[1, t], vertex[2, t]
            qx, qy, qz = vertex[0, s], vertex[1, s], vertex[2, s]
            ux, uy, uz = py * qz - pz * qy, pz * qx - px * qz, px * qy - py * qx
            moment[b] += ux * plane[0, b] + uy * plane[1, b] + uz * plane[2, b]
            moment[a] -= ux * plane[0, a] + uy * plane[1, a] + uz * plane[2, a]
            long = (px - qx) ** 2 + (py - qy) ** 2 + (pz - qz) ** 2 > tiny
            edge[a] += long
            edge[b] += long


@kernel
def fill_cells_of_atoms(
    cells, order, n_owned, reach, open_radius, chosen, size, shell_neighbour, shell_distance, shell_area,
    shell_edges, shell_count, shell_volume, shell_radius, shell_state,
):  # fmt: skip
    """Voronoi cells of the chosen atoms; returns the largest count.

    Atoms with more than `size` planes are marked crowded; rows with more facets than slots keep their true
    count and stay empty. The caller sees to both.
    """
    n_slot = shell_neighbour.shape[1]
    corner, owner, patch, rim, follow = open_surface(size)
    vertex = np.empty((3, 2 * size))
    depth = np.empty(2 * size)
    plane = np.empty((4, size))
    moment = np.empty(size)
    edge = np.empty(size, np.int32)
    facet = np.empty(size, np.int32)
    who = np.empty(size, np.int32)
    key = np.empty(size, np.int64)
    capacity = 512
    square = np.empty(capacity)
    entry = np.empty(capacity, np.int32)
    tie_break = np.empty(capacity, np.int64)
    place = np.empty(max(capacity, size), np.int32)
    largest_count = 0
    # No atom beyond this can touch the part of a cell that counts.
    limit = min(reach, 2 * open_radius)
    guess = limit
    for centre in range(cells.atom.shape[0]):
        i = cells.atom[centre]
        if i >= n_owned or not chosen[i]:
            continue
        shell_volume[i] = np.nan
        shell_radius[i] = np.nan
        shell_count[i] = 0
        for k in range(n_slot):
            shell_neighbour[i, k] = -1
            shell_distance[i, k] = np.nan
            shell_area[i, k] = np.nan
            shell_edges[i, k] = 0
        cx, cy, cz = cells.x[centre], cells.y[centre], cells.z[centre]
        state = DEGENERATE
        tie = TIE
        n_triangle = 0
        n_plane = 4
        farthest = 0.0
        for _attempt in range(TIE_ATTEMPTS):
            n_triangle = start_cell(corner, owner, patch, plane, vertex, open_radius)
            n_plane = 4
            state = 0
            inner = -1.0
            outer = guess
            done = False
            while not done:
                n = fill_candidates(cells, cx, cy, cz, inner, outer * outer, square, entry)
                while n < 0:
                    capacity *= 2
                    square = np.empty(capacity)
                    entry = np.empty(capacity, np.int32)
                    tie_break = np.empty(capacity, np.int64)
                    place = np.empty(max(capacity, size), np.int32)
                    n = fill_candidates(cells, cx, cy, cz, inner, outer * outer, square, entry)
                for k in range(n):
                    tie_break[k] = order[cells.atom[entry[k]]]
                sort_by_distance(square, tie_break, n, place)
                for k in range(n):
                    j = entry[place[k]]
                    if j == centre:
                        continue
                    d = square[place[k]]
                    if d < COINCIDENT_SQUARE:
                        state = COINCIDENT
                        break
                    rx, ry, rz = cells.x[j] - cx, cells.y[j] - cy, cells.z[j] - cz
                    half = 0.5 * d
                    height = half + tie * half
                    n_patch = fill_cut(vertex, n_triangle, rx, ry, rz, height, depth)
                    if n_patch == 0:
                        if count_beyond(vertex, n_triangle, half * 0.5) == 0:
                            done = True
                            break
                        continue
                    if n_plane == size:
                        state = _CROWDED
                        break
                    m = 0
                    for t in range(n_triangle):
                        patch[m] = t
                        m += depth[t] > height
                    n_rim = find_rim(corner, owner, patch, n_patch, rim, follow)
                    if n_rim == 0:
                        state = DEGENERATE
                        break
                    plane[0, n_plane] = rx
                    plane[1, n_plane] = ry
                    plane[2, n_plane] = rz
                    plane[3, n_plane] = half
                    who[n_plane] = j
                    n_triangle = replace_patch(corner, owner, patch, n_patch, rim, n_rim, n_plane, vertex, n_triangle)
                    n_plane += 1
                    if not solve_vertices(corner, patch, n_rim, plane, vertex):
                        state = DEGENERATE
                        break
                if state != 0:
                    break
                farthest = largest_square(vertex, n_triangle)
                if done or 4 * farthest <= outer * outer or outer >= limit:
                    break
                inner = outer * outer
                # As many again as there were, but not beyond what the cell can need.
                outer = min(min(2 * np.sqrt(farthest) * (1 + 1e-12), 1.25 * outer), limit)
            if state != DEGENERATE:
                break
            tie *= 10
        if state != 0:
            shell_state[i] = state
            continue
        radius = np.sqrt(farthest)
        if radius >= open_radius:
            shell_radius[i] = np.inf
            shell_state[i] = OPEN | (UNCERTIFIED if 2 * open_radius > reach else 0)
            continue
        guess = min(guess * 0.998 if 2 * radius <= guess else guess * 1.02, limit)
        fill_facets(corner, owner, n_triangle, n_plane, plane, vertex, farthest, moment, edge)
        surface = 0.0
        volume = 0.0
        for a in range(4, n_plane):
            volume += moment[a]
            moment[a] = 0.5 * moment[a] / np.sqrt(2 * plane[3, a])
            surface += moment[a]
        m = 0
        for a in range(4, n_plane):
            facet[m] = a
            key[m] = order[cells.atom[who[a]]]
            m += moment[a] > ZERO_AREA * surface
        shell_volume[i] = volume / 12
        shell_radius[i] = radius
        shell_count[i] = m
        shell_state[i] = UNCERTIFIED if 2 * radius > reach else 0
        largest_count = max(largest_count, m)
        if m > n_slot:
            continue
        sort_by_order(key, m, place)
        for k in range(m):
            a = facet[place[k]]
            shell_neighbour[i, k] = cells.atom[who[a]]
            shell_distance[i, k] = np.sqrt(2 * plane[3, a])
            shell_area[i, k] = moment[a]
            shell_edges[i, k] = edge[a]
    return largest_count


def voronoi_shell(position, order, n_owned, reach, *, open_radius=8.0, select=None, n_slot=24):
    """Voronoi cell of every owned atom: neighbours, facet areas, edges, volume.

    Parameters
    ----------
    position : float64 array, shape (n_local, 3)
        Owned atoms first, then ghosts; every periodic image is an entry of its own. Unit: angstrom.
    order : int64 array, shape (n_local,)
        Rank by (atom id, image), all different; slots ascend in it.
    n_owned : int
        Number of owned atoms.
    reach : float
        Every atom within this distance of an owned atom is present; inf if all atoms there are, are. Unit: angstrom.
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
    Independent of ghosts beyond what the cell needs, of their sequence, and of which atoms are treated together: to the last bit.
    An UNCERTIFIED cell is the exact cell of the atoms given; it may differ from that of the whole system.
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
        False: the mean is over all facets of the cell. True: after each removal the mean is the total area of the full cell over the
        number of facets left, facets taken in ascending order (amlearn).

    Returns
    -------
    VoronoiShell
        New neighbour, distance, area, edges and count; volume, vertex radius and state are those of the full cell.
        Nothing is recomputed for the facets that stay.

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
