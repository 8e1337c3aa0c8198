"""Free surfaces: the alpha shape of the atoms, from spheres of empty space that touch them.

A probe sphere rolls over the atoms from outside and stops where it touches the centres of three of them with no centre
inside: these three span a facet of the surface. All facets together are the boundary of the alpha shape [1]_, [2]_, the
union of the Delaunay tetrahedra whose circumspheres are smaller than the probe. An atom lies on the surface when its
Voronoi cell reaches farther than the radius of the probe, and only then can it be the corner of a facet.

How far a facet can be seen: its three corners lie on one sphere of the probe's radius R, and so does, or outside of it,
every other atom. Whatever decides upon a facet lies within 2 R of each of its points. The corner that is next to a point p
of a facet lies within R of p, at right angles to the way from an atom to its nearest p; or it is p. Facets at the distance
d have a corner within ``sqrt(d**2 + R**2)``.

An atom that is not on the surface is inside the solid part of the alpha shape. A straight line from it to anything outside
passes through a facet: the nearest facet is that of the solid it belongs to, whatever flies about in the vacuum.

References
----------
.. [1] H. Edelsbrunner and E. P. Mücke, "Three-dimensional alpha shapes", ACM Trans. Graph. 13, 43 (1994),
   doi:10.1145/174462.156635.
.. [2] A. Stukowski, "Computational analysis methods in atomistic modeling of crystals", JOM 66, 399 (2014),
   doi:10.1007/s11837-013-0827-5.
"""

from __future__ import annotations

import numpy as np

from qsdask.kernels.cells import build_cells, fill_candidates, neighbour_shell
from qsdask.kernels.jit import inline, kernel
from qsdask.kernels.sorting import LANES, U

__all__ = ["exposed_facets", "facet_distance"]

#: Relative depth of a centre inside a probe sphere below which it touches: in crystals more than three do.
TOUCH = 1e-8

#: Square of the sine below which three atoms stand in a row.
IN_A_ROW = 1e-12


@inline
def cross(ax, ay, az, bx, by, bz):
    return ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx


@kernel
def is_exposed(position, i, j, k, near, n_near, square):
    """Whether an empty sphere of this squared radius touches three atoms; `near` are all within its diameter of `i`."""
    x, y, z = position[i, 0], position[i, 1], position[i, 2]
    ux, uy, uz = position[j, 0] - x, position[j, 1] - y, position[j, 2] - z
    vx, vy, vz = position[k, 0] - x, position[k, 1] - y, position[k, 2] - z
    wx, wy, wz = cross(ux, uy, uz, vx, vy, vz)
    uu, vv, ww = ux * ux + uy * uy + uz * uz, vx * vx + vy * vy + vz * vz, wx * wx + wy * wy + wz * wz
    if ww <= IN_A_ROW * uu * vv:
        return False
    # Centre of the circle through the three, seen from the first.
    ax, ay, az = cross(wx, wy, wz, ux, uy, uz)
    bx, by, bz = cross(vx, vy, vz, wx, wy, wz)
    ox, oy, oz = (vv * ax + uu * bx) / (2 * ww), (vv * ay + uu * by) / (2 * ww), (vv * az + uu * bz) / (2 * ww)
    rise = square - (ox * ox + oy * oy + oz * oz)
    if rise < 0:
        return False
    rise = np.sqrt(rise / ww)
    inside = square * (1 - TOUCH)
    for side in (-1.0, 1.0):
        cx, cy, cz = x + ox + side * rise * wx, y + oy + side * rise * wy, z + oz + side * rise * wz
        empty = True
        for s in range(n_near):
            m = near[s]
            dx, dy, dz = position[m, 0] - cx, position[m, 1] - cy, position[m, 2] - cz
            if dx * dx + dy * dy + dz * dz < inside and m != j and m != k:
                empty = False
                break
        if empty:
            return True
    return False


@kernel
def fill_exposed(position, order, n_surface, neighbour, count, square, facet):
    """Facets among the first `n_surface` atoms, corners in rising `order`; returns how many, also when they do not fit."""
    n = 0
    for i in range(n_surface):
        for s in range(count[i]):
            j = neighbour[i, s]
            if j >= n_surface or order[j] < order[i]:
                continue
            for t in range(s + 1, count[i]):
                k = neighbour[i, t]
                if k < n_surface and is_exposed(position, i, j, k, neighbour[i], count[i], square):
                    if n < facet.shape[0]:
                        facet[n, 0], facet[n, 1], facet[n, 2] = i, j, k
                    n += 1
    return n


def exposed_facets(position, order, on_surface, probe):
    """Facets of the free surface among the atoms of a block.

    Parameters
    ----------
    position : float64 array, shape (n, 3)
        All atoms; every periodic image is an entry of its own. Unit: angstrom.
    order : int64 array, shape (n,)
        Rank by (atom id, image): corners are taken in this order, so that rounding does not depend on the rows.
    on_surface : bool array, shape (n,)
        Atoms whose Voronoi cell reaches farther than the probe's radius: only these can be corners.
    probe : float
        Radius of the probe sphere. Unit: angstrom.

    Returns
    -------
    float64 array, shape (n_facet, 3, 3)
        Positions of the three corners of every facet. A facet within two radii of the end of the block may be one only
        because the atoms behind are not there.

    Notes
    -----
    Exact to rounding: an atom less than 1e-8 of the squared radius inside of a sphere touches it. Where four atoms of a
    crystal touch one sphere, the facets overlap and mean the same surface. Cost: about 10 microseconds an atom of the
    surface in a metal.
    """
    # Those of the surface first: they are the ones whose neighbours are wanted.
    moved = np.argsort(~np.asarray(on_surface, dtype=bool), kind="stable")
    n_surface = int(np.count_nonzero(on_surface))
    position = np.ascontiguousarray(position, dtype=np.float64)[moved]
    order = np.ascontiguousarray(order, dtype=np.int64)[moved]
    shell = neighbour_shell(position, order, n_surface, 2 * probe * (1 + 1e-9), measured=False)
    facet = np.empty((4 * n_surface, 3), dtype=np.int64)
    while (found := fill_exposed(position, order, n_surface, *shell[::2], float(probe) ** 2, facet)) > len(facet):
        facet = np.empty((found, 3), dtype=np.int64)
    return position[facet[:found]]


@kernel
def square_to_facet(px, py, pz, corner):
    """Squared distance of a point from a triangle, shape (3, 3): face, edge or corner, whichever is nearest."""
    ax, ay, az = corner[0, 0] - px, corner[0, 1] - py, corner[0, 2] - pz
    bx, by, bz = corner[1, 0] - px, corner[1, 1] - py, corner[1, 2] - pz
    cx, cy, cz = corner[2, 0] - px, corner[2, 1] - py, corner[2, 2] - pz
    nx, ny, nz = cross(bx - ax, by - ay, bz - az, cx - ax, cy - ay, cz - az)
    nearest = np.inf
    within = True
    for _edge in range(3):
        ex, ey, ez = bx - ax, by - ay, bz - az
        sx, sy, sz = cross(nx, ny, nz, ex, ey, ez)
        if sx * ax + sy * ay + sz * az > 0:
            # The point lies beyond this edge: the nearest point may be on it.
            within = False
            length = ex * ex + ey * ey + ez * ez
            t = min(max(-(ax * ex + ay * ey + az * ez) / length, 0.0), 1.0)
            dx, dy, dz = ax + t * ex, ay + t * ey, az + t * ez
            nearest = min(nearest, dx * dx + dy * dy + dz * dz)
        ax, ay, az, bx, by, bz, cx, cy, cz = bx, by, bz, cx, cy, cz, ax, ay, az
    if within:
        height = ax * nx + ay * ny + az * nz
        nearest = height * height / (nx * nx + ny * ny + nz * nz)
    return nearest


@kernel
def fill_depth(point, chosen, cells, start, facet, corner, probe, reach, depth):
    """Distance of the chosen points from the nearest facet; ``facet[start[i]:start[i + 1]]`` are those of corner i."""
    n_corner = cells.atom.shape[0]
    square, entry = np.empty(n_corner + LANES), np.empty(n_corner + LANES, np.uint32)
    grid = (cells.lower[0], cells.lower[1], cells.lower[2], cells.width[0], cells.width[1], cells.width[2])
    shape = (cells.shape[0], cells.shape[1], cells.shape[2])
    x, y, z = cells.x, cells.y, cells.z
    farthest = reach * reach + probe * probe
    for i in range(point.shape[0]):
        if not chosen[i]:
            continue
        px, py, pz = point[i, 0], point[i, 1], point[i, 2]
        outer, n = probe * probe, U(0)
        while True:
            outer = min(2 * outer, farthest)
            n = fill_candidates(x, y, z, cells.start, grid, shape, px, py, pz, -1.0, outer, square, entry)
            if n > U(0) or outer == farthest:
                break
        nearest = np.inf
        for s in range(n):
            nearest = min(nearest, square[s])
        # No facet is farther than the nearest corner, and none has its corners much farther than itself.
        outer = (nearest + probe * probe) * (1 + 1e-9)
        if n > U(0):
            n = fill_candidates(x, y, z, cells.start, grid, shape, px, py, pz, -1.0, outer, square, entry)
        nearest = np.inf
        for s in range(n):
            c = cells.atom[entry[s]]
            for f in range(start[c], start[c + 1]):
                nearest = min(nearest, square_to_facet(px, py, pz, corner[facet[f]]))
        depth[i] = np.sqrt(nearest) if nearest <= reach * reach else np.inf


def facet_distance(point, chosen, corner, probe, reach):
    """Distance of points inside a solid from the facets of its surface.

    Parameters
    ----------
    point : float64 array, shape (n, 3)
        Unit: angstrom.
    chosen : bool array, shape (n,)
        Points inside; the others are on the surface, at the distance 0.
    corner : float64 array, shape (n_facet, 3, 3)
        From `exposed_facets`, with every facet within `reach` of a point inside.
    probe, reach : float
        Radius of the probe sphere; how far facets are looked for. Unit: angstrom.

    Returns
    -------
    float64 array, shape (n,)
        Inf where no facet is within reach. Unit: angstrom.
    """
    depth = np.where(chosen, np.inf, 0.0)
    if not len(corner) or not chosen.any():
        return depth
    vertex, owner = np.unique(corner.reshape(-1, 3), axis=0, return_inverse=True)
    by_vertex = np.argsort(owner.ravel(), kind="stable")
    start = np.zeros(len(vertex) + 1, dtype=np.int64)
    np.cumsum(np.bincount(owner.ravel(), minlength=len(vertex)), out=start[1:])
    point = np.ascontiguousarray(point, dtype=np.float64)
    cells = build_cells(vertex, float(probe))
    fill_depth(point, chosen, cells, start, by_vertex // 3, corner, float(probe), float(reach), depth)
    return depth
