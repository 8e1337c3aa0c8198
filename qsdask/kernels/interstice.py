"""Interstices: how much of a bond, a hull triangle and a hull tetrahedron lies outside the atoms.

Centre O, kept neighbours A_k, Miracle radii R (any radii). Per atom the mean, population standard
deviation, minimum and maximum of three vectors [1]_:

* distance, per bond: ``(d - R_O - R_A) / d`` (paper), or ``d / (R_O + R_A) - 1`` (contact); may be negative;
* area, per triangle of the convex hull of the neighbours: ``1 - sum_3 R_i**2 theta_i / 2 / area``;
* volume, per tetrahedron O + triangle: ``1 - sum_4 R_i**3 Omega_i / 3 / volume``.

Area and volume are clipped at zero unless told otherwise. Plane angles are atan2(2 area, dot product)
with the third from their sum pi; solid angles follow van Oosterom and Strackee [2]_, ``tan(Omega / 2) =
|a . (b x c)| / (abc + (a.b) c + (b.c) a + (c.a) b)``. All dot products come from the three bonds and
the three edges of a triangle, and ``a . (b x c)`` is the offset of the hull plane, so nothing is
computed twice.

NaN rules: no neighbour, all NaN; fewer than four (FEW), a flat hull (FLAT) or a centre not inside
(OUTSIDE), area and volume NaN, and the distance columns stay.

Sums run over the neighbours in slot order and over the triangles in the sequence in which
`qsdask.kernels.hull` left them, which depends on the bonds only: results do not depend on how the work
was cut.

References
----------
.. [1] Q. Wang, A. Jain, "A transferable machine-learning framework linking interstice distribution and
   plastic heterogeneity in metallic glasses", Nat. Commun. 10, 5537 (2019),
   doi:10.1038/s41467-019-13511-9.
.. [2] A. van Oosterom, J. Strackee, "The solid angle of a plane triangle", IEEE Trans. Biomed. Eng.
   BME-30, 125 (1983), doi:10.1109/TBME.1983.325207.
"""

from __future__ import annotations

import numpy as np

from qsdask.kernels.hull import FEW, FLAT, OUTSIDE, fill_hull_or_state, open_planes
from qsdask.kernels.jit import inline, kernel
from qsdask.kernels.polytope import U, open_surface, round_up

__all__ = ["FEW", "FLAT", "OUTSIDE", "distance_interstice", "voronoi_interstice"]


@kernel
def fill_statistics(vector, n, value, i, column):
    """Mean, population std, minimum and maximum of ``vector[:n]`` into four columns of row `i`."""
    total, low, high = 0.0, np.inf, -np.inf
    for k in range(n):
        v = vector[k]
        total += v
        low = min(low, v)
        high = max(high, v)
    mean = total / n
    spread = 0.0
    for k in range(n):
        d = vector[k] - mean
        spread += d * d
    value[i, column] = mean
    value[i, column + 1] = np.sqrt(spread / n)
    value[i, column + 2] = low if n > 0 else np.nan
    value[i, column + 3] = high if n > 0 else np.nan


@kernel
def open_bonds(size):
    """Room for components, lengths and radii at the far end of `size` bonds."""
    return np.empty(size), np.empty(size), np.empty(size), np.empty(size), np.empty(size)


@inline
def fill_bonds(position, radius, neighbour, n, contact, i, bonds, vector):
    """The `n` bonds of atom `i`, and their distance interstices into `vector`."""
    px, py, pz, length, sphere = bonds
    for k in range(n):
        j = U(neighbour[i, k])
        px[k] = position[j, 0] - position[i, 0]
        py[k] = position[j, 1] - position[i, 1]
        pz[k] = position[j, 2] - position[i, 2]
        length[k] = np.sqrt(px[k] * px[k] + py[k] * py[k] + pz[k] * pz[k])
        sphere[k] = radius[j]
        contact_length = radius[i] + radius[j]
        gap = length[k] - contact_length
        vector[k] = length[k] / contact_length - 1.0 if contact else gap / length[k]


@kernel
def fill_distance_interstice(position, radius, neighbour, count, contact, value):
    """Four statistics of the bonds of every owned atom."""
    size = neighbour.shape[1]
    bonds, vector = open_bonds(size), np.empty(size)
    for i in range(U(neighbour.shape[0])):
        n = U(count[i])
        fill_bonds(position, radius, neighbour, n, contact, i, bonds, vector)
        fill_statistics(vector, n, value, i, 0)


@kernel
def fill_angle(y, x, n, angle):
    """``atan2(y, x)`` for positive `y`, without branches, so that it is vectorised; good to 2e-16.

    The quotient is brought into [-0.42, 0.42] with one division: the smaller over the larger of y and
    abs(x), or, above tan(pi / 8), their difference over their sum, which is the tangent of the angle
    less pi / 4. The rational function is that of the Cephes library.
    """
    for k in range(n):
        p, q = y[k], abs(x[k])
        low, high = min(p, q), max(p, q)
        steep = low > 0.41421356237309503 * high
        r = (low - high if steep else low) / (low + high if steep else high)
        z = r * r
        above = (
            ((-8.750608600031904122785e-1 * z - 1.615753718733365076637e1) * z - 7.500855792314704667340e1) * z
            - 1.228866684490136173410e2
        ) * z - 6.485021904942025371773e1
        below = (
            (((z + 2.485846490142306297962e1) * z + 1.650270098316988542046e2) * z + 4.328810604912902668951e2) * z
            + 4.853903996359136964868e2
        ) * z + 1.945506571482613964425e2
        a = r + r * (z * above / below) + (0.25 * np.pi if steep else 0.0)
        a = 0.5 * np.pi - a if p > q else a
        angle[k] = np.pi - a if x[k] < 0 else a


@kernel
def fill_hull_interstice(
    a, b, c, m, px, py, pz, length, sphere, centre_radius, offset, steep, sine, cosine, angle, area, volume
):
    """Area and volume interstice of every triangle of one hull.

    The six angles of a triangle (two plane ones, four solid ones) stand in blocks of `m` entries of
    `sine`, `cosine` and `angle`, scaled by any common factor, so that one vectorised pass takes all
    arctangents of the atom.
    """
    for t in range(m):
        i, j, k = a[t], b[t], c[t]
        la, lb, lc = length[i], length[j], length[k]
        ab = px[i] * px[j] + py[i] * py[j] + pz[i] * pz[j]
        bc = px[j] * px[k] + py[j] * py[k] + pz[j] * pz[k]
        ca = px[k] * px[i] + py[k] * py[i] + pz[k] * pz[i]
        aa, bb, cc = la * la, lb * lb, lc * lc
        lab = np.sqrt(aa + bb - 2 * ab)
        lbc = np.sqrt(bb + cc - 2 * bc)
        lca = np.sqrt(cc + aa - 2 * ca)
        # Dot products of the two edges that meet in a corner.
        at_a = aa - ab - ca + bc
        at_b = bb - bc - ab + ca
        at_c = cc - ca - bc + ab
        sine[t] = steep[t]
        sine[t + m] = steep[t]
        sine[t + U(2) * m] = offset[t]
        sine[t + U(3) * m] = offset[t]
        sine[t + U(4) * m] = offset[t]
        sine[t + U(5) * m] = offset[t]
        cosine[t] = at_a
        cosine[t + m] = at_b
        cosine[t + U(2) * m] = la * lb * lc + ab * lc + bc * la + ca * lb
        cosine[t + U(3) * m] = la * lab * lca + (aa - ab) * lca + (aa - ca) * lab + at_a * la
        cosine[t + U(4) * m] = lb * lbc * lab + (bb - bc) * lab + (bb - ab) * lbc + at_b * lb
        cosine[t + U(5) * m] = lc * lca * lbc + (cc - ca) * lbc + (cc - bc) * lca + at_c * lc
    fill_angle(sine, cosine, round_up(U(6) * m), angle)
    ro = centre_radius
    for t in range(m):
        ra, rb, rc = sphere[a[t]], sphere[b[t]], sphere[c[t]]
        angle_c = np.pi - angle[t] - angle[t + m]
        filled = ra * ra * angle[t] + rb * rb * angle[t + m] + rc * rc * angle_c
        area[t] = 1 - filled / steep[t]
        filled = ro * ro * ro * angle[t + U(2) * m] + ra * ra * ra * angle[t + U(3) * m]
        filled += rb * rb * rb * angle[t + U(4) * m] + rc * rc * rc * angle[t + U(5) * m]
        volume[t] = 1 - 4 * filled / offset[t]


@kernel
def open_bench(neighbour):
    """Room for the bonds, the hull, the angles and the three interstices of one atom of a shell."""
    size = max(neighbour.shape[1], 4)
    # The entries that only round up the number of angles must be numbers.
    angles = (np.ones(12 * size + 16), np.ones(12 * size + 16), np.ones(12 * size + 16))
    interstices = (np.empty(size), np.empty(2 * size), np.empty(2 * size))
    return open_bonds(size), open_surface(size), open_planes(size), angles, interstices


@inline
def fill_interstices(position, radius, neighbour, n, contact, clip, i, bench):
    """All interstices of the Voronoi shell of atom `i`, which has `n` neighbours, into the last part of `bench`.

    Returns
    -------
    m : uint64
        Number of hull triangles, and so of area and volume interstices; 0 where there is no hull around the atom.
    flag : int
        State of the hull.
    """
    px, py, pz, length, sphere = bench[0]
    a, b, c, owner, patch, rim, follow, height = bench[1]
    nx, ny, nz, offset, steep = bench[2]
    sine, cosine, angle = bench[3]
    vector, area, volume = bench[4]
    fill_bonds(position, radius, neighbour, n, contact, i, bench[0], vector)
    n_triangle, flag = fill_hull_or_state(
        px, py, pz, np.int64(n), a, b, c, owner, patch, rim, follow, height, nx, ny, nz, offset, steep
    )
    m = U(n_triangle) if flag == 0 else U(0)
    fill_hull_interstice(
        a, b, c, m, px, py, pz, length, sphere, radius[i], offset, steep, sine, cosine, angle, area, volume
    )
    if clip:
        for t in range(m):
            area[t] = max(area[t], 0.0)
            volume[t] = max(volume[t], 0.0)
    return m, flag


@kernel
def fill_voronoi_interstice(position, radius, neighbour, count, contact, clip, value, state):
    """Twelve statistics and the state of every owned atom."""
    bench = open_bench(neighbour)
    vector, area, volume = bench[4]
    for i in range(U(neighbour.shape[0])):
        n = U(count[i])
        m, flag = fill_interstices(position, radius, neighbour, n, contact, clip, i, bench)
        state[i] = flag
        fill_statistics(vector, n, value, i, 0)
        fill_statistics(area, m, value, i, 4)
        fill_statistics(volume, m, value, i, 8)


def checked(position, radius, n_owned, neighbour, count):
    """Contiguous arrays of the right type, and shapes that fit."""
    position = np.ascontiguousarray(position, dtype=np.float64)
    radius = np.ascontiguousarray(radius, dtype=np.float64)
    neighbour = np.ascontiguousarray(neighbour, dtype=np.int32)
    count = np.ascontiguousarray(count, dtype=np.int32)
    if radius.shape != position.shape[:1]:
        raise ValueError(f"radius must have shape {position.shape[:1]}, got {radius.shape}")
    if neighbour.ndim != 2 or len(neighbour) != n_owned or count.shape != (n_owned,):
        raise ValueError(f"neighbour and count must have {n_owned} rows, got {neighbour.shape} and {count.shape}")
    return position, radius, neighbour, count


def voronoi_interstice(position, radius, n_owned, neighbour, count, *, contact=False, clip=True):
    """Distance, area and volume interstice statistics over the kept Voronoi neighbours.

    Parameters
    ----------
    position : float64 array, shape (n_local, 3)
        Owned atoms first, then ghosts. Unit: angstrom.
    radius : float64 array, shape (n_local,)
        Atomic radii. Unit: angstrom.
    n_owned : int
        Number of owned atoms.
    neighbour : int32 array, shape (n_owned, n_slot)
        Local index of the neighbours, ascending in `order`, filled from the left.
    count : int32 array, shape (n_owned,)
        Number of neighbours.
    contact : bool
        False: ``(d - R - R) / d``. True: ``d / (R + R) - 1``.
    clip : bool
        Negative area and volume interstices count as zero.

    Returns
    -------
    value : float64 array, shape (n_owned, 12)
        Mean, population std, min, max of the distance, then of the area, then of the volume interstice.
        Dimensionless.
    state : uint8 array, shape (n_owned,)
        0, or FEW = 1, FLAT = 2, OUTSIDE = 4: area and volume are NaN.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    References
    ----------
    doi:10.1038/s41467-019-13511-9
    """
    arrays = checked(position, radius, n_owned, neighbour, count)
    value = np.empty((n_owned, 12))
    state = np.empty(n_owned, dtype=np.uint8)
    fill_voronoi_interstice(*arrays, bool(contact), bool(clip), value, state)
    return value, state


def distance_interstice(position, radius, n_owned, neighbour, count, *, contact=False):
    """Distance interstice statistics over any shell.

    Parameters
    ----------
    position, radius, n_owned, neighbour, count, contact
        As of `voronoi_interstice`.

    Returns
    -------
    float64 array, shape (n_owned, 4)
        Mean, population std, min, max; NaN without neighbours. Dimensionless.

    Errors and references are those of `voronoi_interstice`.
    """
    arrays = checked(position, radius, n_owned, neighbour, count)
    value = np.empty((n_owned, 4))
    fill_distance_interstice(*arrays, bool(contact), value)
    return value
