"""Convex hull of the neighbours of one atom, triangulated.

The incremental algorithm with the same "remove the cut triangles, fan the rim" routine as the Voronoi
cells (`qsdask.kernels.polytope`). Points are bonds, that is, coordinates relative to the centre atom.
The surface starts as a tetrahedron of four of the points themselves, not as artificial points round the
centre: the planes then have the size of the input, and a centre outside needs no special case. A
triangle (a, b, c) carries its normal N = (b - a) x (c - a) and offset D = N . a, and point p sees it
when N . p > D. Six times the volume of the tetrahedron centre-triangle is D, so the centre lies
strictly inside when every D is positive.

Sequence of the points: the tetrahedron takes slot 0, the slot farthest from it, the slot farthest from
their line and the slot farthest from the plane of the three (the earliest slot among those equal within
one part in a thousand); all other points follow in slot order, that is, by atom id. A point on or
inside the surface gives no triangle.

Ties (the written rule for crystals)
------------------------------------
* A point less than 1e-11 of the shell radius above a plane lies in it, and does not see the triangle.
* A point up to 2e-5 of the shell radius above the plane (rounding of a text file with five decimals)
  lies in it *if it stands to the corners of the triangle as the sites of a lattice do*: its coordinates
  in the plane, in units of two sides of the triangle, are multiples of 1/6 within 1e-3. The four
  corners of an fcc square, the rhombs of bcc with 14 neighbours, the hexagons of diamond: all do. Four
  atoms of a glass do so by chance in about 4 of 1e6 near-coplanar quadruples, themselves about one per
  thousand atoms, so in a glass the hull is the exact one.
* Coplanar points are thus triangulated by the sequence above: the diagonal of a square follows from
  atom ids, not from rounding.

If the rim of a patch is not one cycle the hull is started again with the first width ten times wider,
three times at most, then reported as flat (no result).

State
-----
0 done, FEW (fewer than four points), FLAT (all points in one plane: tetrahedra below 1e-7 of the shell
radius cubed; or no result), OUTSIDE (the centre is not inside by more than 1e-7 of the shell radius).

Cost: quadratic at worst, about 1 us for the 14 neighbours of a glass.

References
----------
.. [1] C. B. Barber, D. P. Dobkin, H. Huhdanpaa, "The quickhull algorithm for convex hulls", ACM Trans.
   Math. Softw. 22, 469 (1996), doi:10.1145/235815.235821.
"""

from __future__ import annotations

import numpy as np

from qsdask.kernels.jit import inline, kernel
from qsdask.kernels.polytope import U, close_gap, fan_rim, find_rim, open_surface, round_up, set_triangle

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


@inline
def set_plane(a, b, c, t, px, py, pz, nx, ny, nz, offset, steep):
    """Set normal, offset and length of the normal of triangle `t`."""
    i, j, k = a[t], b[t], c[t]
    ax, ay, az = px[i], py[i], pz[i]
    ux, uy, uz = px[j] - ax, py[j] - ay, pz[j] - az
    vx, vy, vz = px[k] - ax, py[k] - ay, pz[k] - az
    x, y, z = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    nx[t] = x
    ny[t] = y
    nz[t] = z
    offset[t] = x * ax + y * ay + z * az
    steep[t] = np.sqrt(x * x + y * y + z * z)


@kernel
def find_tetrahedron(px, py, pz, n):
    """Three slots that span a volume with slot 0, and six times that volume with its sign."""
    b, best = U(0), 0.0
    for k in range(U(1), n):
        dx, dy, dz = px[k] - px[0], py[k] - py[0], pz[k] - pz[0]
        d = dx * dx + dy * dy + dz * dz
        if d > best * BETTER:
            b, best = k, d
    ux, uy, uz = px[b] - px[0], py[b] - py[0], pz[b] - pz[0]
    c, best = U(0), 0.0
    nx, ny, nz = 0.0, 0.0, 0.0
    for k in range(U(1), n):
        dx, dy, dz = px[k] - px[0], py[k] - py[0], pz[k] - pz[0]
        wx, wy, wz = uy * dz - uz * dy, uz * dx - ux * dz, ux * dy - uy * dx
        d = wx * wx + wy * wy + wz * wz
        if d > best * BETTER:
            c, best = k, d
            nx, ny, nz = wx, wy, wz
    e, best, signed = U(0), 0.0, 0.0
    for k in range(U(1), n):
        d = nx * (px[k] - px[0]) + ny * (py[k] - py[0]) + nz * (pz[k] - pz[0])
        if abs(d) > best * BETTER:
            e, best, signed = k, abs(d), d
    return b, c, e, signed


@kernel
def on_lattice(i, j, k, p, px, py, pz, x, y, z):
    """Whether `p`, almost in the plane of i, j, k with normal (x, y, z), is their lattice site."""
    ux, uy, uz = px[j] - px[i], py[j] - py[i], pz[j] - pz[i]
    vx, vy, vz = px[k] - px[i], py[k] - py[i], pz[k] - pz[i]
    wx, wy, wz = px[p] - px[i], py[p] - py[i], pz[p] - pz[i]
    scale = 6.0 / (x * x + y * y + z * z)
    along_v = scale * (x * (uy * wz - uz * wy) + y * (uz * wx - ux * wz) + z * (ux * wy - uy * wx))
    along_u = scale * (x * (wy * vz - wz * vy) + y * (wz * vx - wx * vz) + z * (wx * vy - wy * vx))
    return abs(along_u - np.rint(along_u)) < LATTICE_FIT and abs(along_v - np.rint(along_v)) < LATTICE_FIT


@kernel
def fill_hull(px, py, pz, n, radius, tie, a, b, c, owner, size, patch, rim, follow, height, nx, ny, nz, offset, steep):
    """Hull with one tie width; returns the number of triangles, zero if flat, minus one if torn."""
    i, j, k, volume = find_tetrahedron(px, py, pz, n)
    if not abs(volume) > FLAT_VOLUME * radius**3:
        return 0
    if volume > 0:
        i, j = j, i
    # What lies beyond the last triangle is seen by no point.
    nx[:], ny[:], nz[:], steep[:], offset[:] = 0.0, 0.0, 0.0, 0.0, 1.0
    set_triangle(a, b, c, owner, size, U(0), U(0), i, j)
    set_triangle(a, b, c, owner, size, U(1), U(0), j, k)
    set_triangle(a, b, c, owner, size, U(2), U(0), k, i)
    set_triangle(a, b, c, owner, size, U(3), i, k, j)
    for t in range(U(4)):
        set_plane(a, b, c, t, px, py, pz, nx, ny, nz, offset, steep)
    n_triangle = U(4)
    small = tie * radius
    wide = LATTICE_TIE * radius
    for p in range(U(1), n):
        if p in (i, j, k):
            continue
        x, y, z = px[p], py[p], pz[p]
        above = U(0)
        near = U(0)
        for t in range(round_up(n_triangle)):
            d = nx[t] * x + ny[t] * y + nz[t] * z - offset[t] - small * steep[t]
            height[t] = d
            above += U(d > 0)
            near += U(d > wide * steep[t])
        if above != near:
            # Triangles almost in plane with the point. Seldom outside crystals.
            for t in range(n_triangle):
                if (
                    height[t] > 0
                    and height[t] <= wide * steep[t]
                    and on_lattice(a[t], b[t], c[t], p, px, py, pz, nx[t], ny[t], nz[t])
                ):
                    height[t] = 0.0
                    above -= U(1)
        if above == U(0):
            continue
        n_patch, n_rim, first = find_rim(a, b, c, owner, size, height, patch, n_triangle, follow)
        n_triangle = fan_rim(a, b, c, owner, size, patch, n_patch, rim, n_rim, first, follow, p, n_triangle)
        if n_triangle == U(0):
            return -1
        for k_rim in range(n_rim):
            set_plane(a, b, c, U(patch[k_rim]), px, py, pz, nx, ny, nz, offset, steep)
        for k_gap in range(n_rim, n_patch):
            gap = U(patch[n_patch - U(1) - (k_gap - n_rim)])
            n_triangle = close_gap(a, b, c, owner, size, gap, n_triangle)
            last = n_triangle
            nx[gap], ny[gap], nz[gap] = nx[last], ny[last], nz[last]
            offset[gap], steep[gap] = offset[last], steep[last]
            nx[last], ny[last], nz[last], offset[last], steep[last] = 0.0, 0.0, 0.0, 1.0, 0.0
    return np.int64(n_triangle)


@kernel
def fill_hull_or_state(px, py, pz, n, a, b, c, owner, patch, rim, follow, height, nx, ny, nz, offset, steep):
    """Number of triangles and state; corners stand in a, b, c, planes in nx, ny, nz, offset, steep."""
    if n < 4:
        return 0, FEW
    radius = 0.0
    for k in range(n):
        radius = max(radius, px[k] * px[k] + py[k] * py[k] + pz[k] * pz[k])
    radius = np.sqrt(radius)
    size = U(follow.shape[0] - 1)
    tie = TIE
    n_triangle = -1
    for _attempt in range(TIE_ATTEMPTS):
        n_triangle = fill_hull(
            px, py, pz, U(n), radius, tie, a, b, c, owner, size, patch, rim, follow, height, nx, ny, nz, offset, steep
        )
        if n_triangle >= 0:
            break
        tie *= 10
    if n_triangle <= 0:
        return 0, FLAT
    for t in range(n_triangle):
        if not offset[t] > OUTSIDE_DEPTH * radius * steep[t]:
            return n_triangle, OUTSIDE
    return n_triangle, 0


@kernel
def open_planes(size):
    """Room for the planes of hulls of at most `size` points: normals, offsets, lengths of the normals."""
    room = 2 * size + 16
    return np.zeros(room), np.zeros(room), np.zeros(room), np.zeros(room), np.zeros(room)


@kernel
def hull_of_points(px, py, pz):
    """One hull; see `convex_hull`."""
    n = px.shape[0]
    a, b, c, owner, patch, rim, follow, height = open_surface(max(n, 4))
    nx, ny, nz, offset, steep = open_planes(max(n, 4))
    n_triangle, state = fill_hull_or_state(
        px, py, pz, n, a, b, c, owner, patch, rim, follow, height, nx, ny, nz, offset, steep
    )
    return a[:n_triangle].copy(), b[:n_triangle].copy(), c[:n_triangle].copy(), state


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
    x, y, z = np.array(point, dtype=np.float64).T.copy()
    *corner, state = hull_of_points(x, y, z)
    return np.stack(corner, axis=1).astype(np.int32), int(state)
