"""Remove the cut triangles, fan the rim to the new point: one routine for Voronoi cells and convex hulls.

Both are the convex hull of points around the origin. A closed surface of oriented triangles (a, b, c)
over point numbers is kept; a new point sees some triangles, and these form one patch. The patch is
removed, and every directed edge of its rim is joined to the new point. For a convex hull this is the
incremental algorithm of the textbooks; for a Voronoi cell it is clipping in the dual: a triangle is the
Voronoi vertex where three planes meet, "sees" is "cuts off", and the fan is the new facet [1]_.

The surface is stored as the three corners of every triangle and ``owner[a * size + b]``, the triangle
that holds the directed edge a -> b. The edge b -> a then belongs to the triangle on the other side, so
the rim is read off directly: an edge of a removed triangle whose reverse is owned by a kept one.
Entries of ``owner`` of edges that have gone are never looked up again, so nothing is ever cleared.

Cost: one look-up for every edge of a removed triangle and three stores for a new one.

The second half of the file is the clipping of a cell by planes, which only `qsdask.kernels.tessellate`
uses; the planes of a hull stand in `qsdask.kernels.hull`. Loops over all triangles run over a round
number of entries, the surplus ones being neutral, so that they vectorise without a remainder.

Robustness: the rim must be one simple cycle, which is checked each time by walking it. Rounding can
break this only when several points lie within rounding of one plane; `find_rim` then says so and the
caller starts again with a wider tie rule. It never loops and never goes on with a torn surface.

References
----------
.. [1] N. Ray, D. Sokolov, S. Lefebvre, B. Levy, "Meshless Voronoi on the GPU", ACM Trans. Graph. 37,
   265 (2018), doi:10.1145/3272127.3275092.
"""

from __future__ import annotations

import numpy as np

from qsdask.kernels.jit import inline, kernel

__all__ = [
    "close_gap",
    "count_beyond",
    "cut_cell",
    "fan_rim",
    "fill_facets",
    "fill_height",
    "find_rim",
    "open_surface",
    "round_up",
    "set_triangle",
    "start_cell",
]

#: Unsigned indices: Numba then leaves out its test for negative ones.
U = np.uint64
NONE = U(0)
#: Room beyond the last triangle, so that vectorised loops may run over a round number of entries.
LANES = U(16)
#: Smallest edge, as a share of the vertex radius, squared.
ZERO_EDGE_SQUARE = 1e-12


@kernel
def open_surface(size):
    """Empty surface for at most `size` points.

    Returns
    -------
    a, b, c : uint32 array, shape (2 * size + LANES,)
        Corners of a triangle, anticlockwise from outside.
    owner : uint32 array, shape (size * size,)
        Triangle that holds a directed edge.
    patch : uint32 array, shape (2 * size + LANES,)
        Room for the triangles that are removed, then for those that are made.
    rim : uint32 array, shape (2 * size + LANES,)
        Room for the points of the rim.
    follow : uint32 array, shape (size + 1,)
        Room for the walk round the rim; the last entry is a dump.
    height : float64 array, shape (2 * size + LANES,)
        Height of the new point above every triangle: removed where positive.
    """
    room = 2 * size + 16
    a, b, c = np.zeros(room, np.uint32), np.zeros(room, np.uint32), np.zeros(room, np.uint32)
    owner = np.zeros(size * size, np.uint32)
    patch, rim = np.zeros(room, np.uint32), np.zeros(room, np.uint32)
    return a, b, c, owner, patch, rim, np.zeros(size + 1, np.uint32), np.zeros(room)


@inline
def round_up(n):
    """Next multiple of `LANES`."""
    return (n + LANES - U(1)) & ~(LANES - U(1))


@inline
def set_triangle(a, b, c, owner, size, t, p, q, r):
    """Store triangle `t` with corners p, q, r and the three edges that it owns."""
    a[t] = p
    b[t] = q
    c[t] = r
    owner[U(p) * size + U(q)] = t
    owner[U(q) * size + U(r)] = t
    owner[U(r) * size + U(p)] = t


@inline
def find_rim(a, b, c, owner, size, height, patch, n_triangle, follow):
    """Removed triangles and the rim that they leave.

    Parameters
    ----------
    height : float64 array
        Positive where a triangle is removed.
    patch : uint32 array
        Filled with the removed triangles, ascending.
    follow : uint32 array
        Filled with the next point of the rim after a point of the rim.

    Returns
    -------
    n_patch, n_rim, first : uint64
        Removed triangles, rim edges, and a point of the rim.
    """
    n_patch = U(0)
    for t in range(n_triangle):
        patch[n_patch] = t
        n_patch += U(height[t] > 0)
    n_rim = U(0)
    first = U(0)
    for k in range(n_patch):
        t = U(patch[k])
        p, q, r = U(a[t]), U(b[t]), U(c[t])
        # By masks, not branches, which could not be predicted: edges inside the patch write into the dump.
        stays = U(height[owner[q * size + p]] <= 0)
        follow[size ^ ((size ^ p) & (NONE - stays))] = q
        first ^= (first ^ p) & (NONE - stays)
        n_rim += stays
        stays = U(height[owner[r * size + q]] <= 0)
        follow[size ^ ((size ^ q) & (NONE - stays))] = r
        first ^= (first ^ q) & (NONE - stays)
        n_rim += stays
        stays = U(height[owner[p * size + r]] <= 0)
        follow[size ^ ((size ^ r) & (NONE - stays))] = p
        first ^= (first ^ r) & (NONE - stays)
        n_rim += stays
    return n_patch, n_rim, first


@inline
def fan_rim(a, b, c, owner, size, patch, n_patch, rim, n_rim, first, follow, point, n_triangle):
    """Join the rim to `point`, in the places of the removed triangles first.

    On return triangle ``patch[k]`` is (rim[k], rim[k + 1], point) for every k below `n_rim`. Places
    ``patch[n_rim:n_patch]`` are gaps, ascending, for `close_gap`.

    Returns
    -------
    uint64
        New number of triangles, gaps included; zero if the rim is not one simple cycle.
    """
    p = first
    rim[0] = first
    turns = U(0)
    for k in range(n_rim):
        q = U(follow[p])
        if k >= n_patch:
            patch[k] = n_triangle
            n_triangle += U(1)
        t = U(patch[k])
        a[t] = p
        b[t] = q
        c[t] = point
        owner[p * size + q] = t
        owner[q * size + point] = t
        owner[point * size + p] = t
        rim[k + U(1)] = q
        turns += U(q == first)
        p = q
    # Back at the first point at the end and never before: as many different points as edges.
    return n_triangle if (p == first and turns == U(1) and n_rim > U(2)) else U(0)


@inline
def close_gap(a, b, c, owner, size, gap, n_triangle):
    """Move the last triangle into a gap (the highest one first); returns where it stood."""
    last = n_triangle - U(1)
    if gap != last:
        set_triangle(a, b, c, owner, size, gap, a[last], b[last], c[last])
    return last


@inline
def solve_vertex(a, b, c, t, px, py, pz, ph, vx, vy, vz):
    """Set the vertex of triangle `t` from its three planes; returns the determinant of the three bonds."""
    i, j, k = a[t], b[t], c[t]
    ax, ay, az, ah = px[i], py[i], pz[i], ph[i]
    bx, by, bz, bh = px[j], py[j], pz[j], ph[j]
    cx, cy, cz, ch = px[k], py[k], pz[k], ph[k]
    ux, uy, uz = by * cz - bz * cy, bz * cx - bx * cz, bx * cy - by * cx
    wx, wy, wz = cy * az - cz * ay, cz * ax - cx * az, cx * ay - cy * ax
    qx, qy, qz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    determinant = ax * ux + ay * uy + az * uz
    inverse = 1.0 / determinant
    vx[t] = (ah * ux + bh * wx + ch * qx) * inverse
    vy[t] = (ah * uy + bh * wy + ch * qy) * inverse
    vz[t] = (ah * uz + bh * wz + ch * qz) * inverse
    return determinant


@kernel
def start_cell(a, b, c, owner, size, px, py, pz, ph, vx, vy, vz, open_radius):
    """Regular tetrahedron whose faces touch the sphere of `open_radius`; the other vertices are zero."""
    for k in range(4):
        px[k] = 1.0 if k < 2 else -1.0
        py[k] = 1.0 if k % 2 == 0 else -1.0
        pz[k] = px[k] * py[k]
        ph[k] = np.sqrt(3.0) * open_radius
    set_triangle(a, b, c, owner, size, U(0), 0, 1, 2)
    set_triangle(a, b, c, owner, size, U(1), 0, 3, 1)
    set_triangle(a, b, c, owner, size, U(2), 0, 2, 3)
    set_triangle(a, b, c, owner, size, U(3), 1, 3, 2)
    vx[:] = 0.0
    vy[:] = 0.0
    vz[:] = 0.0
    for t in range(U(4)):
        solve_vertex(a, b, c, t, px, py, pz, ph, vx, vy, vz)


@inline
def fill_height(vx, vy, vz, n_triangle, rx, ry, rz, touch, height):
    """Height of every vertex above the plane; returns how many are cut off."""
    n = U(0)
    for t in range(round_up(n_triangle)):
        d = vx[t] * rx + vy[t] * ry + vz[t] * rz - touch
        height[t] = d
        n += U(d > 0)
    # The surplus entries are at the origin: a plane behind it would count them too.
    return n - (round_up(n_triangle) - n_triangle) * U(touch < 0)


@inline
def count_beyond(vx, vy, vz, n_triangle, square):
    """Number of vertices whose squared radius is above `square`."""
    n = U(0)
    for t in range(round_up(n_triangle)):
        n += U(vx[t] * vx[t] + vy[t] * vy[t] + vz[t] * vz[t] > square)
    return n


@inline
def cut_cell(a, b, c, owner, size, patch, rim, follow, height, px, py, pz, ph, vx, vy, vz, n_triangle, n_plane):
    """Cut off the vertices with positive height by plane `n_plane`.

    Returns
    -------
    uint64
        New number of triangles; zero if rounding has torn the surface.
    """
    n_patch, n_rim, first = find_rim(a, b, c, owner, size, height, patch, n_triangle, follow)
    n_triangle = fan_rim(a, b, c, owner, size, patch, n_patch, rim, n_rim, first, follow, n_plane, n_triangle)
    good = n_triangle > U(0)
    for k in range(n_rim):
        good &= solve_vertex(a, b, c, U(patch[k]), px, py, pz, ph, vx, vy, vz) > 0
    for k in range(n_rim, n_patch):
        gap = U(patch[n_patch - U(1) - (k - n_rim)])
        n_triangle = close_gap(a, b, c, owner, size, gap, n_triangle)
        vx[gap], vy[gap], vz[gap] = vx[n_triangle], vy[n_triangle], vz[n_triangle]
        vx[n_triangle], vy[n_triangle], vz[n_triangle] = 0.0, 0.0, 0.0
    return n_triangle if good else U(0)


@inline
def add_edge(vx, vy, vz, t, s, px, py, pz, plane, tiny, moment, edge):
    """Count the edge from vertex `t` to vertex `s` for one of its two facets."""
    tx, ty, tz = vx[t], vy[t], vz[t]
    sx, sy, sz = vx[s], vy[s], vz[s]
    mx, my, mz = ty * sz - tz * sy, tz * sx - tx * sz, tx * sy - ty * sx
    moment[plane] += mx * px[plane] + my * py[plane] + mz * pz[plane]
    edge[plane] += U((tx - sx) * (tx - sx) + (ty - sy) * (ty - sy) + (tz - sz) * (tz - sz) > tiny)


@kernel
def fill_facets(a, b, c, owner, size, n_triangle, n_plane, px, py, pz, vx, vy, vz, square_radius, moment, edge):
    """Sum of the edge moments ``(v_t x v_s) . r`` and number of edges of every plane."""
    for k in range(n_plane):
        moment[k] = 0.0
        edge[k] = 0
    tiny = ZERO_EDGE_SQUARE * square_radius
    for t in range(n_triangle):
        i, j, k = U(a[t]), U(b[t]), U(c[t])
        add_edge(vx, vy, vz, t, owner[j * size + i], px, py, pz, j, tiny, moment, edge)
        add_edge(vx, vy, vz, t, owner[k * size + j], px, py, pz, k, tiny, moment, edge)
        add_edge(vx, vy, vz, t, owner[i * size + k], px, py, pz, i, tiny, moment, edge)
