"""Interstices of an atom as normalised histograms on fixed bins, instead of four statistics.

The values are those of `qsdask.kernels.interstice`. Every value has weight 1 / n. Without smearing it falls into one
bin, lower edge included; with smearing a normal distribution around it is spread over the bins, each of which takes the
difference of the distribution function between its edges. The first and the last bin also hold what lies outside, so
that a histogram always adds up to 1. NaN in all bins where there are no values.

References
----------
doi:10.1038/s41467-019-13511-9
"""

from __future__ import annotations

import math

import numpy as np

from qsdask.kernels.interstice import checked, fill_bonds, fill_interstices, open_bench, open_bonds
from qsdask.kernels.jit import kernel
from qsdask.kernels.polytope import U

__all__ = ["distance_histogram", "voronoi_histogram"]


@kernel
def fill_histogram(vector, n, low, width, smearing, value, i, column, n_bin):
    """Histogram of ``vector[:n]`` into `n_bin` columns of row `i`, from `column` on."""
    for b in range(n_bin):
        value[i, column + b] = 0.0 if n > 0 else np.nan
    for k in range(n):
        place = (vector[k] - low) / width
        if smearing == 0.0:
            b = int(min(max(np.floor(place), 0.0), n_bin - 1.0))
            value[i, column + b] += 1.0
            continue
        # In units of the width; half of the complement of the error function is the distribution function.
        scale = width / (smearing * math.sqrt(2.0))
        below = 0.0
        for b in range(n_bin):
            up_to = 1.0 if b == n_bin - 1 else 0.5 * math.erfc((place - (b + 1)) * scale)
            value[i, column + b] += up_to - below
            below = up_to
    for b in range(n_bin):
        value[i, column + b] /= n


@kernel
def fill_distance_histogram(position, radius, neighbour, count, contact, low, width, smearing, value):
    """Histogram of the bonds of every owned atom."""
    size = neighbour.shape[1]
    bonds, vector = open_bonds(size), np.empty(size)
    for i in range(U(neighbour.shape[0])):
        n = U(count[i])
        fill_bonds(position, radius, neighbour, n, contact, i, bonds, vector)
        fill_histogram(vector, np.int64(n), low, width, smearing, value, i, 0, value.shape[1])


@kernel
def fill_voronoi_histogram(position, radius, neighbour, count, contact, clip, low, width, smearing, value):
    """Histograms of the bonds, the triangles and the tetrahedra of every owned atom."""
    bench = open_bench(neighbour)
    vector, area, volume = bench[4]
    n_bin = value.shape[1] // 3
    for i in range(U(neighbour.shape[0])):
        n = U(count[i])
        m, _ = fill_interstices(position, radius, neighbour, n, contact, clip, i, bench)
        fill_histogram(vector, np.int64(n), low[0], width[0], smearing, value, i, 0, n_bin)
        fill_histogram(area, np.int64(m), low[1], width[1], smearing, value, i, n_bin, n_bin)
        fill_histogram(volume, np.int64(m), low[2], width[2], smearing, value, i, 2 * n_bin, n_bin)


def voronoi_histogram(
    position, radius, n_owned, neighbour, count, bounds, n_bin, *, contact=False, clip=True, smearing=0.0
):
    """Histograms of the distance, area and volume interstices over the kept Voronoi neighbours.

    Parameters
    ----------
    position, radius, n_owned, neighbour, count
        As of `qsdask.kernels.interstice.voronoi_interstice`.
    bounds : float64 array, shape (3, 2)
        Lower edge of the first and upper edge of the last bin, of the distance, area and volume interstice. Unit: 1.
    n_bin : int
        Bins of equal width of each histogram.
    contact, clip : bool
        As in `qsdask.kernels.interstice.voronoi_interstice`.
    smearing : float
        Standard deviation of the smearing; 0 for none. Unit: 1, as the interstices.

    Returns
    -------
    float64 array, shape (n_owned, 3 n_bin)
        Three histograms, each with the sum 1, or NaN: without neighbours all of them, without a hull around the atom
        the second and the third. Dimensionless.

    Raises
    ------
    ValueError
        If the shapes do not fit, the bounds do not rise, or `smearing` is negative.

    References
    ----------
    doi:10.1038/s41467-019-13511-9
    """
    arrays = checked(position, radius, n_owned, neighbour, count)
    low, width = _bins(bounds, n_bin, smearing)
    value = np.empty((n_owned, 3 * n_bin))
    fill_voronoi_histogram(*arrays, bool(contact), bool(clip), low, width, float(smearing), value)
    return value


def distance_histogram(position, radius, n_owned, neighbour, count, bounds, n_bin, *, contact=False, smearing=0.0):
    """Histogram of the distance interstice over any shell.

    Parameters
    ----------
    position, radius, n_owned, neighbour, count, n_bin, contact, smearing
        As in `voronoi_histogram`.
    bounds : float64 array, shape (2,)
        Lower edge of the first and upper edge of the last bin. Unit: 1.

    Returns
    -------
    float64 array, shape (n_owned, n_bin)
        With the sum 1, or NaN without neighbours. Dimensionless.

    Errors and references are those of `voronoi_histogram`.
    """
    arrays = checked(position, radius, n_owned, neighbour, count)
    low, width = _bins(np.reshape(bounds, (1, 2)), n_bin, smearing)
    value = np.empty((n_owned, n_bin))
    fill_distance_histogram(*arrays, bool(contact), low[0], width[0], float(smearing), value)
    return value


def _bins(bounds, n_bin, smearing):
    """Lower edge of the first bin and width of all, of each histogram."""
    low, high = np.asarray(bounds, dtype=np.float64).T
    if not (high > low).all() or n_bin < 1:
        raise ValueError(f"bounds must rise and there must be a bin, got {bounds} and {n_bin}")
    if not 0 <= smearing < np.inf:
        raise ValueError(f"smearing must be 0 or a positive number, got {smearing!r}")
    return np.ascontiguousarray(low), (high - low) / n_bin
