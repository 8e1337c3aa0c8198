"""Remove the cut triangles, fan the rim to the new point: one routine for Voronoi cells and convex hulls.

Both are the convex hull of points around the origin. A closed surface of oriented triangles (a, b, c) over point numbers is
kept; a new point sees some triangles, and these form one patch. The patch is removed, and every directed edge
of its rim is joined to the new point. For a convex hull this is the incremental algorithm of the textbooks; for a
Voronoi cell it is clipping in the dual: a triangle is the Voronoi vertex where three planes meet, "sees" is "cuts off", and the fan is
the new facet [1]_.

The surface is stored as ``corner`` (three point numbers a triangle) and ``owner[a, b]``, the triangle that holds the directed
edge a -> b. The edge b -> a then belongs to the triangle on the other side, so the rim is read off directly: an edge of
a removed triangle whose reverse is owned by a kept one. Entries of ``owner`` of edges that have gone are never
looked up again, so nothing is ever cleared.

Cost: one look-up for every edge of a removed triangle and three stores for a new one.

Robustness: the rim must be one simple cycle, which is checked each time by walking it. Rounding can break
this only when several points lie within rounding of one plane; `find_rim` then says so and the caller starts again
with a wider tie rule. It never loops and never goes on with a torn surface.

References
----------
.. [1] N. Ray, D. Sokolov, S. Lefebvre, B. Levy, "Meshless Voronoi on the GPU", ACM Trans. Graph. 37, 265 (2018),
   doi:10.1145/3272127.3275092.
"""

from __future__ import annotations

import numpy as np

from qsdask.kernels.jit import kernel

__all__ = ["find_rim", "open_surface", "replace_patch"]


@kernel
def open_surface(size):
    """Empty surface for at most `size` points.

    Returns
    -------
    corner : int32 array, shape (2 * size, 4)
        Point numbers of a triangle, anticlockwise from outside; the fourth column is a mark, zero at rest.
    owner : int32 array, shape (size, size)
        Triangle that holds a directed edge.
    patch : int32 array, shape (2 * size,)
        Room for the triangles to be removed.
    rim : int32 array, shape (2 * size, 2)
        Room for the directed edges of the rim.
    follow : int32 array, shape (size,)
        Room for the walk round the rim.
    """
    corner = np.zeros((2 * size, 4), np.int32)
    owner = np.zeros((size, size), np.int32)
    patch = np.zeros(2 * size, np.int32)
    rim = np.zeros((2 * size, 2), np.int32)
    follow = np.zeros(size, np.int32)
    return corner, owner, patch, rim, follow


@kernel
def set_triangle(corner, owner, t, a, b, c):
    """Store triangle `t` and the three edges that it owns."""
    corner[t, 0] = a
    corner[t, 1] = b
    corner[t, 2] = c
    owner[a, b] = t
    owner[b, c] = t
    owner[c, a] = t


@kernel
def find_rim(corner, owner, patch, n_patch, rim, follow):
    """Rim of a patch of triangles.

    Returns
    -------
    int64
        Number of rim edges; zero if the rim is not one simple cycle.
    """
    for k in range(n_patch):
        corner[patch[k], 3] = 1
    n = 0
    for k in range(n_patch):
        t = patch[k]
        a, b, c = corner[t, 0], corner[t, 1], corner[t, 2]
        rim[n, 0] = a
        rim[n, 1] = b
        n += 1 - corner[owner[b, a], 3]
        rim[n, 0] = b
        rim[n, 1] = c
        n += 1 - corner[owner[c, b], 3]
        rim[n, 0] = c
        rim[n, 1] = a
        n += 1 - corner[owner[a, c], 3]
    for k in range(n_patch):
        corner[patch[k], 3] = 0
    if n < 3:
        return 0
    for k in range(n):
        follow[rim[k, 0]] = rim[k, 1]
    first = rim[0, 0]
    at = follow[first]
    step = 1
    while at != first and step < n:
        at = follow[at]
        step += 1
    return n if (at == first and step == n) else 0


@kernel
def replace_patch(corner, owner, patch, n_patch, rim, n_rim, point, value, n_triangle):
    """Remove the patch and join its rim to `point`.

    The new triangles take the places of the removed ones, then new places at the end. When more were removed than made,
    triangles from the end move into the gaps, with their column of `value`.

    Parameters
    ----------
    patch : int32 array
        Places of the removed triangles, ascending. On return ``patch[:n_rim]`` holds the places of the new
        triangles, in the sequence of the rim.
    value : float64 array, shape (n_row, 2 * size)
        Geometry of the triangles; the caller sets the columns of the new ones.

    Returns
    -------
    int64
        New number of triangles.
    """
    for k in range(n_patch, n_rim):
        patch[k] = n_triangle
        n_triangle += 1
    for k in range(n_patch - 1, n_rim - 1, -1):
        # Gaps are filled from the highest down, so the last triangle is either this gap or one that stays.
        gap, last = patch[k], n_triangle - 1
        n_triangle = last
        if gap != last:
            set_triangle(corner, owner, gap, corner[last, 0], corner[last, 1], corner[last, 2])
            for row in range(value.shape[0]):
                value[row, gap] = value[row, last]
    for k in range(n_rim):
        set_triangle(corner, owner, patch[k], rim[k, 0], rim[k, 1], point)
    return n_triangle
