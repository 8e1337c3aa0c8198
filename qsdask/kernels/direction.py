"""Interstices by direction: means weighted by how far a bond or a hull triangle faces along an axis, or across it.

Weights are cos^2 and sin^2 of the angle between the axis and the bond, or the normal of the triangle; sin^2 comes from
the two other components, so that it is zero, and not a rounding error, for a bond along the axis. The normals are
those that `qsdask.kernels.hull` has left, their length is twice the area: nothing is computed twice.
"""

from __future__ import annotations

import numpy as np

from qsdask.kernels.interstice import checked, fill_bonds, fill_interstices, open_bench, open_bonds
from qsdask.kernels.jit import inline, kernel
from qsdask.kernels.polytope import U

__all__ = ["directed_distance", "directed_interstice"]

#: Mean weight that rounding alone can make: a bond across the axis may have 1e-30 or so along it.
FAINT = 1e-20


@inline
def fill_weights(a, p, q, n, along, across):
    """cos^2 and sin^2 of directions with the component `a` along the axis, `p` and `q` across it."""
    for k in range(n):
        side = p[k] * p[k] + q[k] * q[k]
        square = a[k] * a[k] + side
        along[k] = a[k] * a[k] / square
        across[k] = side / square


@kernel
def weighted_mean(vector, weight, n):
    """Mean of ``vector[:n]``; relative to the first entry, so that equal ones have exactly their value as mean."""
    total = shifted = 0.0
    first = vector[0]
    for k in range(n):
        total += weight[k]
        shifted += weight[k] * (vector[k] - first)
    return first + shifted / total if total > FAINT * n else np.nan


@kernel
def fill_directed_interstice(position, radius, neighbour, count, contact, clip, axis, value):
    """Axial and lateral means of bonds, triangles and tetrahedra of every owned atom."""
    bench = open_bench(neighbour)
    vector, area, volume = bench[4]
    along, across = np.empty(len(area)), np.empty(len(area))
    bond, normal = bench[0], bench[2]
    p, q = (axis + 1) % 3, (axis + 2) % 3
    for i in range(U(neighbour.shape[0])):
        n = U(count[i])
        m, _ = fill_interstices(position, radius, neighbour, n, contact, clip, i, bench)
        fill_weights(bond[axis], bond[p], bond[q], n, along, across)
        value[i, 0] = weighted_mean(vector, along, n)
        value[i, 1] = weighted_mean(vector, across, n)
        fill_weights(normal[axis], normal[p], normal[q], m, along, across)
        value[i, 2] = weighted_mean(area, along, m)
        value[i, 3] = weighted_mean(area, across, m)
        value[i, 4] = weighted_mean(volume, along, m)
        value[i, 5] = weighted_mean(volume, across, m)


@kernel
def fill_directed_distance(position, radius, neighbour, count, contact, axis, value):
    """Axial and lateral means of the bonds of every owned atom."""
    size = neighbour.shape[1]
    bond, vector, along, across = open_bonds(size), np.empty(size + 1), np.empty(size), np.empty(size)
    p, q = (axis + 1) % 3, (axis + 2) % 3
    for i in range(U(neighbour.shape[0])):
        n = U(count[i])
        fill_bonds(position, radius, neighbour, n, contact, i, bond, vector)
        fill_weights(bond[axis], bond[p], bond[q], n, along, across)
        value[i, 0] = weighted_mean(vector, along, n)
        value[i, 1] = weighted_mean(vector, across, n)


def directed_interstice(position, radius, n_owned, neighbour, count, axis, *, contact=False, clip=True):
    """Distance, area and volume interstices over the kept Voronoi neighbours, along an axis and across it.

    Parameters
    ----------
    position, radius, n_owned, neighbour, count
        As of `qsdask.kernels.interstice.voronoi_interstice`.
    axis : {0, 1, 2}
        x, y or z.
    contact : bool
        False: ``(d - R - R) / d``. True: ``d / (R + R) - 1``.
    clip : bool
        Negative area and volume interstices count as zero.

    Returns
    -------
    float64 array, shape (n_owned, 6)
        Axial and lateral mean ``sum w x / sum w`` of the distance, then of the area, then of the volume interstice:
        w = cos^2 and sin^2 of the angle between the axis and the bond, or the normal of the hull triangle.
        Dimensionless. NaN where no weight is left, and for area and volume without a hull around the atom.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    References
    ----------
    Interstices: doi:10.1038/s41467-019-13511-9. The weights are qsdask's own.
    """
    arrays = checked(position, radius, n_owned, neighbour, count)
    value = np.empty((n_owned, 6))
    fill_directed_interstice(*arrays, bool(contact), bool(clip), int(axis), value)
    return value


def directed_distance(position, radius, n_owned, neighbour, count, axis, *, contact=False):
    """Distance interstices over any shell, along an axis and across it.

    Parameters
    ----------
    position, radius, n_owned, neighbour, count, axis, contact
        As of `directed_interstice`.

    Returns
    -------
    float64 array, shape (n_owned, 2)
        Axial and lateral mean. Dimensionless. NaN where no weight is left.

    Errors and references are those of `directed_interstice`.
    """
    arrays = checked(position, radius, n_owned, neighbour, count)
    value = np.empty((n_owned, 2))
    fill_directed_distance(*arrays, bool(contact), int(axis), value)
    return value
