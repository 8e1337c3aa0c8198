"""Voronoi cells of all owned atoms, plain or radical, exact, one atom at a time.

Algorithm
---------
A cell is the set of points x nearer to its atom than to any other. In the radical tessellation (power
diagram, Laguerre tessellation [3]_, [4]_) nearness is the power distance ``|x - x_i|**2 - R_i**2``; equal
radii give the plain one, with the same bits. Seen from atom i the cell is the intersection of the half
spaces ``x . r <= h``, ``h = (|r|**2 + R_i**2 - R_j**2) / 2``, over the bonds r to all atoms j. It is cut
out of a large regular tetrahedron by the planes of the other atoms in ascending distance, in the dual
(`qsdask.kernels.polytope`): the surface is a triangulation whose points are planes and whose triangles are
the vertices of the cell. A plane cuts off vertex v when ``v . r > h + tie |r|**2 / 2``. Vertices are always
solved from their own three planes, never interpolated from earlier vertices, so rounding does not pile up
and a cell does not remember planes that were cut away again.

Security radius [1]_: atom j at distance d can cut off a vertex at radius q only if ``q d > h``, that is
``d**2 - 2 q d + R_i**2 - R_j**2 < 0``, that is ``d < q + sqrt(q**2 + R_j**2 - R_i**2)``, which grows with
R_j. With q the largest vertex radius and R_max the largest radius of all, no atom farther than
``q + sqrt(q**2 + g)``, ``g = R_max**2 - R_i**2 >= 0``, can cut; without radii that is 2 q. The work stops
there: at the first atom that cuts nothing while every ``q <= (d - g / d) / 2``. This is also the certificate
of the result: with all atoms within the security radius known, the cell is proven. Candidates come from
linked cells in shells of rising radius; the first radius follows the atoms treated before. It changes the
speed only: the sequence of the planes is by (distance, order) whatever the shells are.

Facet areas are half the sum of ``(v_s x v_t) . r / |r|`` over the edges of the facet, exact for any
planar polygon seen from the atom, and the volume is the sum of ``area * h / |r| / 3``. With radii a plane may
lie behind the atom, h < 0: the atom is then outside its own cell, and both formulas still hold. A small
atom deep inside a large one may have no cell at all: EMPTY.

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
EMPTY        16     radical only: nothing of the space is this atom's: volume NaN, count 0
===========  =====  ====================================================================================

Cost: about 24 planes and 110 vertex solves an atom in a dense glass.

References
----------
.. [1] N. Ray, D. Sokolov, S. Lefebvre, B. Levy, "Meshless Voronoi on the GPU", ACM Trans. Graph. 37,
   265 (2018), doi:10.1145/3272127.3275092.
.. [2] C. H. Rycroft, "Voro++: A three-dimensional Voronoi cell library in C++", Chaos 19, 041111 (2009),
   doi:10.1063/1.3215722.
.. [3] F. Aurenhammer, "Power diagrams: properties, algorithms and applications", SIAM J. Comput. 16, 78
   (1987), doi:10.1137/0216006.
.. [4] B. J. Gellatly, J. L. Finney, "Calculation of protein volumes: an alternative to the Voronoi
   procedure", J. Mol. Biol. 161, 305 (1982), doi:10.1016/0022-2836(82)90155-3.
"""

from __future__ import annotations

import numpy as np

from qsdask.kernels.cells import build_cells, fill_candidates, typical_width
from qsdask.kernels.facets import VoronoiShell, empty_shell, keep_facets, widened_shell
from qsdask.kernels.jit import inline, kernel
from qsdask.kernels.polytope import LANES, U, count_beyond, cut_cell, fill_facets, fill_height, open_surface, start_cell
from qsdask.kernels.sorting import sort_by_distance, sort_by_order

__all__ = [
    "COINCIDENT",
    "DEGENERATE",
    "EMPTY",
    "OPEN",
    "UNCERTIFIED",
    "VoronoiShell",
    "keep_facets",
    "security_radius",
    "voronoi_shell",
]

OPEN = 1
UNCERTIFIED = 2
COINCIDENT = 4
DEGENERATE = 8
EMPTY = 16
#: Planes do not fit: never seen outside, the caller starts again with more room.
_CROWDED = 32

#: Relative depth below which a plane touches a vertex rather than cuts it off.
TIE = 1e-11
#: Ten times wider each time.
TIE_ATTEMPTS = 4
#: Square of the distance below which two atoms coincide. Unit: square angstrom.
COINCIDENT_SQUARE = 1e-12
#: Smallest facet, as a share of the surface of the cell.
ZERO_AREA = 1e-12


@inline
def security_radius(radius, gap):
    """Distance beyond which no atom can cut a cell whose farthest vertex is at `radius`. Unit: angstrom.

    `gap` is the square of the largest atomic radius less that of the atom's own; 0 in the plain tessellation.
    """
    return radius + np.sqrt(radius * radius + gap)


@kernel
def fill_cells_of_atoms(
    cells,
    weight,
    heaviest,
    order,
    n_owned,
    reach,
    open_radius,
    chosen,
    n_plane_max,
    shell_neighbour,
    shell_distance,
    shell_area,
    shell_edges,
    shell_count,
    shell_volume,
    shell_radius,
    shell_state,
):
    """Voronoi cells of the chosen atoms; returns the largest count.

    `weight` holds the squares of the radii in the sequence of ``cells.atom``, `heaviest` the largest of all.
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
    moment, apart = np.empty(room), np.empty(room)
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
    guess = 2 * max(max(grid[3], grid[4]), grid[5])
    for centre in range(U(atom.shape[0])):
        i = U(atom[centre])
        if i >= U(n_owned) or not chosen[i]:
            continue
        cx, cy, cz = x[centre], y[centre], z[centre]
        own = weight[centre]
        gap = heaviest - own
        # No atom beyond this can touch the part of a cell that counts.
        enough = security_radius(open_radius, gap)
        limit = min(reach, enough)
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
            outer = min(guess, limit)
            while True:
                done = False
                n = fill_candidates(x, y, z, start, grid, shape, cx, cy, cz, inner, outer * outer, square, entry)
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
                    # Radii first: equal ones leave exactly the half.
                    h = half + 0.5 * (own - weight[j])
                    n_cut = fill_height(vx, vy, vz, n_triangle, rx, ry, rz, h + tie * half, height)
                    if n_cut == U(0):
                        beyond = max(d - gap, 0.0)
                        if count_beyond(vx, vy, vz, n_triangle, 0.25 * beyond * (beyond / d)) == U(0):
                            done = True
                            break
                        continue
                    if n_cut == n_triangle:
                        state = EMPTY
                        break
                    if n_plane == size:
                        state = _CROWDED
                        break
                    px[n_plane] = rx
                    py[n_plane] = ry
                    pz[n_plane] = rz
                    ph[n_plane] = h
                    apart[n_plane] = d
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
                secure = security_radius(np.sqrt(farthest), gap)
                if done or secure <= outer or outer >= limit:
                    break
                inner = outer * outer
                outer = min(min(secure * (1 + 1e-12), 1.25 * outer), limit)
            if state != DEGENERATE:
                break
            tie *= 10
        m = U(0)
        if state == 0:
            radius = np.sqrt(farthest)
            if radius >= open_radius:
                shell_radius[i] = np.inf
                state = OPEN | (UNCERTIFIED if enough > reach else 0)
            else:
                secure = security_radius(radius, gap)
                guess *= 0.998 if secure <= guess else 1.02
                fill_facets(a, b, c, owner, size, n_triangle, n_plane, px, py, pz, vx, vy, vz, farthest, moment, edge)
                surface = 0.0
                volume = 0.0
                for f in range(U(4), n_plane):
                    volume += moment[f] * (2 * ph[f] / apart[f])
                    ph[f] = np.sqrt(apart[f])
                    moment[f] = 0.5 * moment[f] / ph[f]
                    surface += moment[f]
                for f in range(U(4), n_plane):
                    facet[m] = f
                    tie_break[m] = order[atom[who[f]]]
                    m += U(moment[f] > ZERO_AREA * surface)
                shell_volume[i] = volume / 12
                shell_radius[i] = radius
                state = UNCERTIFIED if secure > reach else 0
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
            shell_edges[i, k] = -1
    return largest_count


def voronoi_shell(
    position, order, n_owned, reach, *, radius=None, largest_radius=None, open_radius=8.0, select=None, n_slot=24
):
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
    radius : float64 array, shape (n_local,), optional
        Atomic radii: the radical tessellation; without, the plain one. Unit: angstrom.
    largest_radius : float, optional
        Largest radius of any atom that there is, also beyond `reach`: the certificate rests on it. That of
        `radius` by default. Unit: angstrom.
    open_radius : float
        A cell with a vertex at this distance or farther is open. Unit: angstrom.
    select : bool array, shape (n_owned,), optional
        Only these atoms; the others get count 0, volume NaN and state 0.
    n_slot : int
        Slots to begin with; grown to the largest count when that is more.

    Returns
    -------
    VoronoiShell
        Facets, volumes, vertex radii and state bits (`OPEN`, `UNCERTIFIED`, `COINCIDENT`, `DEGENERATE`,
        `EMPTY`).

    Raises
    ------
    ValueError
        If `reach` or `open_radius` is not positive, a coordinate is not finite, or the radii are not numbers
        from 0 to `largest_radius`, one for every atom.

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
    weight, heaviest = _square_radii(radius, largest_radius, len(position))
    chosen = np.ones(n_owned, np.bool_) if select is None else np.array(select, dtype=np.bool_)
    shell = empty_shell(n_owned, n_slot, blank=select is not None)
    cells = build_cells(position, typical_width(position))
    weight = weight[cells.atom]
    size = 64
    while True:
        largest = fill_cells_of_atoms(
            cells, weight, heaviest, order, n_owned, float(reach), float(open_radius), chosen, size, *shell
        )
        crowded = shell.state == _CROWDED
        if largest > n_slot:
            chosen = crowded | (shell.count > n_slot)
            shell = widened_shell(shell, int(largest))
            n_slot = int(largest)
        else:
            chosen = crowded
        if not chosen.any():
            return shell
        size *= 2 if crowded.any() else 1


def _square_radii(radius, largest_radius, n_local):
    """Squares of the radii and of the largest; zeros without radii."""
    if radius is None:
        return np.zeros(n_local), 0.0
    radius = np.asarray(radius, dtype=np.float64)
    if radius.shape != (n_local,):
        raise ValueError(f"radius must have shape ({n_local},), got {radius.shape}")
    largest = radius.max(initial=0.0) if largest_radius is None else float(largest_radius)
    if not (np.isfinite(largest) and ((radius >= 0) & (radius <= largest)).all()):
        raise ValueError(f"radii must be numbers from 0 to {largest}")
    return radius * radius, largest * largest
