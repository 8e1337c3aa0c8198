"""Convex hull of the neighbours of one atom, triangulated.

The incremental algorithm with the same "remove the cut triangles, fan the rim" routine as the Voronoi cells (`qsdask.kernels.polytope`).
Points are bonds, that is, coordinates relative to the centre atom. The surface starts as a tetrahedron of four of the points themselves,
not as artificial points round the centre: the planes then have the size of the input, and a centre outside
needs no special case. A triangle (a, b, c) carries its normal N = (b - a) x (c - a) and offset D = N . a, and point p sees
it when N . p > D. Six times the volume of the tetrahedron centre-triangle is D, so the centre lies strictly inside when every D is positive.

Sequence of the points: the tetrahedron takes slot 0, the slot farthest from it, the slot farthest from their line and
the slot farthest from the plane of the three (the earliest slot among those equal within one part in a thousand); all other points follow in slot order, that
is, by atom id. A point on or inside the surface gives no triangle.

Ties (the written rule for crystals)
------------------------------------
* A point less than 1e-11 of the shell radius above a plane lies in it, and does not see the triangle.
* A point up to 2e-5 of the shell radius above the plane (rounding of a text file with five decimals) lies in it *if it stands to the
  corners of the triangle as the sites of a lattice do*: its coordinates in the plane, in units of two sides of the triangle, are multiples of 1/6
  within 1e-3. The four corners of an fcc square, the rhombs of bcc with 14 neighbours, the hexagons of diamond: all do. Four atoms of a
  glass never do (about 1 in 1e7 near-coplanar quadruples, themselves 1 in 1e3), so in a glass the hull is the exact one.
* Coplanar points are thus triangulated by the sequence above: the diagonal of a square follows from atom ids, not from rounding.

If the rim of a patch is not one cycle the hull is started again with the first width ten times wider, three times at
most, then reported as flat (no result).

State
-----
0 done, FEW (fewer than four points), FLAT (all points in one plane: tetrahedra below 1e-7 of the shell radius cubed; or no result),
OUTSIDE (the centre is not inside by more than 1e-7 of the shell radius).

Cost: quadratic at worst, about 1 us for the 14 neighbours of a glass.

References
----------
.. [1] C. B. Barber, D. P. Dobkin, H. Huhdanpaa, "The quickhull algorithm for convex hulls", ACM Trans. Math. Softw. 22, 469 (1996),
   doi:10.1145/235815.235821.
"""

from __future__ import annotations

import numpy as np

from qsdask.kernels.jit import kernel
from qsdask.kernels.polytope import find_rim, open_surface, replace_patch, set_triangle

__all__ = ["FEW", "FLAT", "OUTSIDE", "convex_hull"]

FEW = 1
FLAT = 2
OUTSIDE = 4

#: Height above a plane, in shell radii, that is rounding.
TIE = 1e-11
TIE_ATTEMPTS = 4
#: Height above a plane, in shell radii, that is rounding of a text file, for points that form a lattice.
LATTICE_TIE = 2e-5
#: How near the in-plane coordinates must be to multiples of 1/6, in units of 1/6.
LATTICE_FIT = 1e-3
#: Six volumes of a tetrahedron, in shell radii cubed, that are nothing.
FLAT_VOLUME = 1e-7
#: Depth of the centre below a plane, in shell radii, that is nothing.
OUTSIDE_DEPTH = 1e-7
#: Candidates for the tetrahedron must be better by this factor to displace an earlier slot.
BETTER = 1.001


@kernel
def set_planes(corner, patch, n, point, plane):
    """Set normal, offset and length of the normal of triangles ``patch[:n]``."""
    for k in range(n):
        t = patch[k]
        a, b, c = corner[t, 0], corner[t, 1], corner[t, 2]
        ax, ay, az = point[0, a], point[1, a], point[2, a]
        ux, uy, uz = point[0, b] - ax, point[1, b] - ay, point[2, b] - az
        vx, vy, vz = point[0, c] - ax, point[1, c] - ay, point[2, c] - az
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        plane[0, t] = nx
        plane[1, t] = ny
        plane[2, t] = nz
        plane[3, t] = nx * ax + ny * ay + nz * az
        plane[4, t] = np.sqrt(nx * nx + ny * ny + nz * nz)


@kernel
def find_tetrahedron(point, n):
    """Four slots that span a volume, and six times that volume with its sign."""
    b, best = 0, 0.0
    for k in range(1, n):
        dx, dy, dz = point[0, k] - point[0, 0], point[1, k] - point[1, 0], point[2, k] - point[2, 0]
        d = dx * dx + dy * dy + dz * dz
        if d > best * BETTER:
            b, best = k, d
    ux, uy, uz = point[0, b] - point[0, 0], point[1, b] - point[1, 0], point[2, b] - point[2, 0]
    c, best = 0, 0.0
    nx, ny, nz = 0.0, 0.0, 0.0
    for k in range(1, n):
        dx, dy, dz = point[0, k] - point[0, 0], point[1, k] - point[1, 0], point[2, k] - point[2, 0]
        wx, wy, wz = uy * dz - uz * dy, uz * dx - ux * dz, ux * dy - uy * dx
        d = wx * wx + wy * wy + wz * wz
        if d > best * BETTER:
            c, best = k, d
            nx, ny, nz = wx, wy, wz
    e, best, signed = 0, 0.0, 0.0
    for k in range(1, n):
        dx, dy, dz = point[0, k] - point[0, 0], point[1, k] - point[1, 0], point[2, k] - point[2, 0]
        d = nx * dx + ny * dy + nz * dz
        if abs(d) > best * BETTER:
            e, best, signed = k, abs(d), d
    return b, c, e, signed


@kernel
def on_lattice(corner, t, point, plane, p):
    """Whether point `p`, almost in the plane of triangle `t`, stands to its corners as lattice sites do."""
    a, b, c = corner[t, 0], corner[t, 1], corner[t, 2]
    nx, ny, nz = plane[0, t], plane[1, t], plane[2, t]
    ux, uy, uz = point[0, b] - point[0, a], point[1, b] - point[1, a], point[2, b] - point[2, a]
    vx, vy, vz = point[0, c] - point[0, a], point[1, c] - point[1, a], point[2, c] - point[2, a]
    wx, wy, wz = point[0, p] - point[0, a], point[1, p] - point[1, a], point[2, p] - point[2, a]
    scale = 6.0 / (plane[4, t] * plane[4, t])
    along_v = scale * (nx * (uy * wz - uz * wy) + ny * (uz * wx - ux * wz) + nz * (ux * wy - uy * wx))
    along_u = scale * (nx * (wy * vz - wz * vy) + ny * (wz * vx - wx * vz) + nz * (wx * vy - wy * vx))
    return abs(along_u - np.rint(along_u)) < LATTICE_FIT and abs(along_v - np.rint(along_v)) < LATTICE_FIT


@kernel
def fill_hull(point, n, tie, corner, owner, patch, rim, follow, plane, height):
    """Hull with one tie width; returns the number of triangles, zero if flat, minus one if torn."""
    radius = 0.0
    for k in range(n):
        radius = max(radius, point[0, k] ** 2 + point[1, k] ** 2 + point[2, k] ** 2)
    radius = np.sqrt(radius)
    b, c, e, volume = find_tetrahedron(point, n)
    if not abs(volume) > FLAT_VOLUME * radius**3:
        return 0
    if volume > 0:
        b, c = c, b
    set_triangle(corner, owner, 0, 0, b, c)
    set_triangle(corner, owner, 1, 0, c, e)
    set_triangle(corner, owner, 2, 0, e, b)
    set_triangle(corner, owner, 3, b, e, c)
    for t in range(4):
        patch[t] = t
    set_planes(corner, patch, 4, point, plane)
    n_triangle = 4
    small = tie * radius
    wide = LATTICE_TIE * radius
    for p in range(1, n):
        if p == b or p == c or p == e:
            continue
        px, py, pz = point[0, p], point[1, p], point[2, p]
        above = 0
        for t in range(n_triangle):
            d = plane[0, t] * px + plane[1, t] * py + plane[2, t] * pz - plane[3, t] - small * plane[4, t]
            height[t] = d
            above += d > 0
        if above == 0:
            continue
        m = 0
        for t in range(n_triangle):
            if height[t] > 0 and not (
                height[t] < wide * plane[4, t] and on_lattice(corner, t, point, plane, p)
            ):
                patch[m] = t
                m += 1
        if m == 0:
            continue
        n_rim = find_rim(corner, owner, patch, m, rim, follow)
        if n_rim == 0:
            return -1
        n_triangle = replace_patch(corner, owner, patch, m, rim, n_rim, p, plane, n_triangle)
        set_planes(corner, patch, n_rim, point, plane)
    return n_triangle


@kernel
def fill_hull_or_state(point, n, corner, owner, patch, rim, follow, plane, height):
    """Number of triangles and state; the triangles stand in `corner`, their planes in `plane`."""
    if n < 4:
        return 0, FEW
    tie = TIE
    n_triangle = -1
    for _attempt in range(TIE_ATTEMPTS):
        n_triangle = fill_hull(point, n, tie, corner, owner, patch, rim, follow, plane, height)
        if n_triangle >= 0:
            break
        tie *= 10
    if n_triangle <= 0:
        return 0, FLAT
    radius = 0.0
    for k in range(n):
        radius = max(radius, point[0, k] ** 2 + point[1, k] ** 2 + point[2, k] ** 2)
    shallow = OUTSIDE_DEPTH * np.sqrt(radius)
    for t in range(n_triangle):
        if not plane[3, t] > shallow * plane[4, t]:
            return n_triangle, OUTSIDE
    return n_triangle, 0


@kernel
def open_hull(size):
    """Room for hulls of at most `size` points: the surface, five rows of plane data, heights."""
    corner, owner, patch, rim, follow = open_surface(size)
    return corner, owner, patch, rim, follow, np.empty((5, 2 * size)), np.empty(2 * size)


@kernel
def hull_of_points(point):
    """One hull; see `convex_hull`."""
    n = point.shape[1]
    corner, owner, patch, rim, follow, plane, height = open_hull(max(n, 4))
    n_triangle, state = fill_hull_or_state(point, n, corner, owner, patch, rim, follow, plane, height)
    return corner[:n_triangle, :3].copy(), state


def convex_hull(point):
    """Triangulated convex hull of points around the origin.

    Parameters
    ----------
    point : float64 array, shape (n_point, 3)
        Positions relative to the centre. Unit: any.

    Returns
    -------
    triangle : int32 array, shape (n_triangle, 3)
        Point numbers, anticlockwise from outside; empty where `state` is FEW or FLAT.
    state : int
        0, FEW, FLAT or OUTSIDE.

    Notes
    -----
    The same routine as inside the interstice kernel, for one shell; ties as described in the module.
    """
    triangle, state = hull_of_points(np.ascontiguousarray(np.asarray(point, dtype=np.float64).T))
    return triangle, int(state)
