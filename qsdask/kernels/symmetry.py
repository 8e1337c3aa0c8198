"""Symmetry functions: smeared radial densities and sums over pairs of neighbours, by species.

Centre i, neighbours j and k with explicit images, all of them closer than a cut-off [1]_ [2]_:

* radial, per species X: ``sum_{j in X} exp(-(r_ij - r)**2 / 2 s**2)`` at r = 0, s, 2 s, ..., the smearing s being
  the step of the grid;
* angular, per unordered pair of species and parameter set: ``sum exp(-(r_ij**2 + r_ik**2 + r_jk**2) / xi**2)
  (1 + lambda cos(theta_jik))**zeta`` over the pairs of neighbours, each once.

The Gaussian of one neighbour is one geometric sequence times a fixed table: with r_ij = (n + f) s and abs(f) <= 1/2,
``exp(-(f - m)**2 / 2) = exp(-f**2 / 2) exp(f)**m exp(-m**2 / 2)``. It costs two exponentials and two
multiplications a grid point. It is taken at the 20 points from n - 9 to n + 10; what is left out is below
``exp(-9.5**2 / 2) = 3e-20`` of a neighbour at each point.

Of an angular term only the exponential depends on xi, and only the power of ``1 + lambda cos`` on lambda and zeta;
each is made once for all sets that share it. ``r_ij**2 + r_ik**2 + r_jk**2`` is twice ``r_ij**2 + r_ik**2 - r_ij . r_ik``.

Neighbours are looked up cell by cell and used at once: no list of them outlives an atom. Sums run in the order of
identity, species after species, so that they have the same bits however the work was cut.

References
----------
.. [1] J. Behler, M. Parrinello, Phys. Rev. Lett. 98, 146401 (2007), doi:10.1103/PhysRevLett.98.146401.
.. [2] Q. Wang, A. Jain, Nat. Commun. 10, 5537 (2019), doi:10.1038/s41467-019-13511-9.
"""

from __future__ import annotations

import numpy as np

from qsdask.kernels.cells import build_cells, fill_candidates
from qsdask.kernels.exponential import exponential
from qsdask.kernels.jit import kernel
from qsdask.kernels.sorting import LANES, U, whole_lanes

__all__ = ["symmetry_functions"]

#: Grid points before the one nearest to a neighbour at which its Gaussian is taken, and their number in all.
BEFORE, WIDTH = 9, 20
#: exp(-m**2 / 2) at these points.
GAUSS = np.exp(-0.5 * np.arange(-BEFORE, WIDTH - BEFORE) ** 2)
#: Cells are so much narrower than the reach: few enough atoms to look at, enough that share the look.
CELLS_IN_REACH = 1.5


@kernel
def fill_ascending(key, n, largest, place, spare, tally):
    """Places of the `n` keys in ascending sequence, 0 ... `largest`: a radix sort, byte by byte.

    A thousand keys are too many to count and, at so few bytes, cheaper to deal out than to compare.
    """
    for k in range(n):
        place[k] = k
    shift = U(0)
    while (U(largest) >> shift) > U(0):
        tally[:] = 0
        for k in range(n):
            spare[k] = place[k]
            tally[((U(key[k]) >> shift) & U(255)) + U(1)] += U(1)
        for b in range(U(255)):
            tally[b + U(1)] += tally[b]
        for k in range(n):
            p = spare[k]
            b = (U(key[p]) >> shift) & U(255)
            place[tally[b]] = p
            tally[b] += U(1)
        shift += U(8)


@kernel
def fill_radial(distance, kind, n, step, gauss, first, ratio, place, density):
    """Add the Gaussians of `n` neighbours to ``density[kind]``, whose grid begins `BEFORE` points early."""
    for k in range(whole_lanes(n)):
        t = distance[k] / step
        nearest = np.floor(t + 0.5)
        f = t - nearest
        place[k] = np.int32(nearest)
        ratio[k] = exponential(f)
        first[k] = exponential(-f * (0.5 * f + BEFORE))
    for k in range(n):
        w = ratio[k]
        w2 = w * w
        w4 = w2 * w2
        a = first[k]
        b, c, d = a * w, a * w2, a * (w2 * w)
        row, begin = U(kind[k]), U(place[k])
        for m in range(U(0), U(WIDTH), U(4)):
            p = begin + m
            density[row, p] += gauss[m] * a
            density[row, p + U(1)] += gauss[m + U(1)] * b
            density[row, p + U(2)] += gauss[m + U(2)] * c
            density[row, p + U(3)] += gauss[m + U(3)] * d
            a, b, c, d = a * w4, b * w4, c * w4, d * w4


@kernel
def fill_powers(x, y, z, length, j, n, sets, total, cosine, base, power):
    """Of the pairs of neighbour `j` with those after it: the sum of the three squares, and all powers."""
    begin = j + U(1)
    padded = whole_lanes(n - begin)
    for q in range(padded):
        k = begin + q
        dot = x[j] * x[k] + y[j] * y[k] + z[j] * z[k]
        both = length[j] * length[k]
        cosine[q] = dot / both
        total[q] = 2.0 * (length[j] * length[j] + length[k] * length[k] - dot)
    for s in range(U(sets.zeta.shape[0])):
        sign, left = sets.sign[s], sets.zeta[s]
        for q in range(padded):
            base[q] = 1.0 + sign * cosine[q]
            power[s, q] = 1.0
        while left:
            if left & 1:
                for q in range(padded):
                    power[s, q] *= base[q]
            left >>= 1
            if left:
                for q in range(padded):
                    base[q] *= base[q]


@kernel
def fill_angular(x, y, z, length, end, sets, work, value, i, column):
    """Angular functions of one atom, whose neighbours stand species after species, ending at `end`.

    Terms are first summed over j for every k, which needs no sum across a vector, then over k.
    """
    n_species = U(end.shape[0])
    n, n_set = U(end[n_species - U(1)]), U(sets.column.shape[0])
    total, cosine, base, smear, power, partial = work
    begin = U(0)
    for first in range(n_species):
        for s in range(n_set):
            for k in range(begin, n):
                partial[s, k] = 0.0
        for j in range(begin, U(end[first])):
            fill_powers(x, y, z, length, j, n, sets, total, cosine, base, power)
            padded = whole_lanes(n - j - U(1))
            last = -1
            for s in range(n_set):
                width, p = U(sets.width[s]), U(sets.power[s])
                if sets.width[s] != last:
                    last = sets.width[s]
                    inverse = -sets.inverse[width]
                    for q in range(padded):
                        # A smaller exponential counts for nothing; it must only not leave the range.
                        smear[q] = exponential(max(total[q] * inverse, -690.0))
                for q in range(padded):
                    partial[s, j + U(1) + q] += smear[q] * power[p, q]
        low = begin
        for second in range(first, n_species):
            for s in range(n_set):
                sum_of_pairs = 0.0
                for k in range(low, U(end[second])):
                    sum_of_pairs += partial[s, k]
                value[i, column + sets.column[s]] = sum_of_pairs
            low = U(end[second])
            column += n_set
        begin = U(end[first])


@kernel
def fill_symmetry(cells, order, species, n_owned, n_species, radial, angular, step, gauss, sets, room, value):
    """Both kinds of functions of every owned atom.

    `order` and `species` are in the sequence of ``cells.atom``. Of each cell, the atoms within reach of its owned
    ones are collected and sorted once for all of them.

    Returns
    -------
    bool
        False if more than `room` atoms have to be looked at at once.
    """
    size = U(room) + U(2) * LANES
    square, entry, place, key = (
        np.empty(size),
        np.empty(size, np.uint32),
        np.empty(size, np.uint32),
        np.empty(size, np.int32),
    )
    near_x, near_y, near_z, near_kind = (np.empty(size), np.empty(size), np.empty(size), np.empty(size, np.int32))
    found, tally = np.empty(size, np.uint32), np.empty(257, np.uint64)
    distance, kind, begin_at = np.zeros(size), np.empty(size, np.int32), np.empty(size, np.int32)
    first, ratio = np.empty(size), np.empty(size)
    x, y, z, length = np.zeros(size), np.zeros(size), np.zeros(size), np.ones(size)
    end = np.empty(n_species, np.int64)
    n_set, n_power = sets.column.shape[0], sets.zeta.shape[0]
    work = (
        np.empty(size),
        np.empty(size),
        np.empty(size),
        np.empty(size),
        np.empty((n_power, size)),
        np.empty((n_set, size)),
    )
    n_angular = n_set * (n_species * (n_species + 1) // 2)
    n_grid = U((value.shape[1] - n_angular) // n_species)
    reach = max(radial, angular)
    density = np.empty((n_species, max(n_grid, U(reach / step) + U(2)) + U(WIDTH)))
    grid = (cells.lower[0], cells.lower[1], cells.lower[2], cells.width[0], cells.width[1], cells.width[2])
    shape = (cells.shape[0], cells.shape[1], cells.shape[2])
    atom = cells.atom
    for cell in range(U(cells.start.shape[0] - 1)):
        begin, stop = U(cells.start[cell]), U(cells.start[cell + U(1)])
        low_x = low_y = low_z = np.inf
        high_x = high_y = high_z = -np.inf
        for c in range(begin, stop):
            if atom[c] < n_owned:
                low_x, high_x = min(low_x, cells.x[c]), max(high_x, cells.x[c])
                low_y, high_y = min(low_y, cells.y[c]), max(high_y, cells.y[c])
                low_z, high_z = min(low_z, cells.z[c]), max(high_z, cells.z[c])
        if low_x > high_x:
            continue
        wx, wy, wz = high_x - low_x, high_y - low_y, high_z - low_z
        # Around all owned atoms of the cell; a hair more, so that rounding loses nobody.
        outer = reach + 0.5 * np.sqrt(wx * wx + wy * wy + wz * wz) * (1 + 1e-9) + 1e-9 * reach
        n_near = fill_candidates(
            cells.x,
            cells.y,
            cells.z,
            cells.start,
            grid,
            shape,
            low_x + 0.5 * wx,
            low_y + 0.5 * wy,
            low_z + 0.5 * wz,
            -1.0,
            outer * outer,
            square[: U(room) + LANES],
            entry,
        )
        if n_near > U(room):
            return False
        for k in range(n_near):
            key[k] = order[entry[k]]
        fill_ascending(key, n_near, atom.shape[0], place, found, tally)
        for k in range(n_near):
            e = entry[place[k]]
            near_x[k], near_y[k], near_z[k], near_kind[k] = cells.x[e], cells.y[e], cells.z[e], species[e]
        padded = whole_lanes(n_near)
        for c in range(begin, stop):
            i = U(atom[c])
            if i >= U(n_owned):
                continue
            cx, cy, cz = cells.x[c], cells.y[c], cells.z[c]
            for k in range(padded):
                dx, dy, dz = near_x[k] - cx, near_y[k] - cy, near_z[k] - cz
                square[k] = dx * dx + dy * dy + dz * dz
            n = U(0)
            for k in range(n_near):
                found[n] = k
                n += U((square[k] > 0.0) & (square[k] < reach * reach))
            if n == U(0):
                for column in range(U(value.shape[1])):
                    value[i, column] = np.nan
                continue
            n_radial = U(0)
            for k in range(n):
                f = found[k]
                distance[n_radial] = square[f]
                kind[n_radial] = near_kind[f]
                n_radial += U(square[f] < radial * radial)
            for k in range(whole_lanes(n_radial)):
                distance[k] = np.sqrt(distance[k]) if k < n_radial else 0.0
            density[:] = 0.0
            fill_radial(distance, kind, n_radial, step, gauss, first, ratio, begin_at, density)
            for s in range(U(n_species)):
                for r in range(n_grid):
                    value[i, s * n_grid + r] = density[s, r + U(BEFORE)]
            if n_set == 0:
                continue
            n_angle = U(0)
            for s in range(n_species):
                for k in range(n):
                    f = found[k]
                    x[n_angle], y[n_angle], z[n_angle] = near_x[f] - cx, near_y[f] - cy, near_z[f] - cz
                    length[n_angle] = square[f]
                    n_angle += U((near_kind[f] == s) & (square[f] < angular * angular))
                end[s] = n_angle
            for k in range(n_angle):
                length[k] = np.sqrt(length[k])
            fill_angular(x, y, z, length, end, sets, work, value, i, U(n_species) * n_grid)
    return True


def symmetry_functions(
    position, order, species, n_owned, n_species, *, step, n_grid, radial_cutoff, angular_cutoff, sets
):
    """Radial and angular symmetry functions of every owned atom.

    Parameters
    ----------
    position : float64 array, shape (n_local, 3)
        Owned atoms first, then ghosts. Unit: angstrom.
    order : int64 array, shape (n_local,)
        Rank by (atom id, image), a permutation of 0 ... n_local - 1; sums run in it.
    species : int array, shape (n_local,)
        0 ... n_species - 1.
    n_owned, n_species : int
        Number of owned atoms, and of species.
    step : float
        Spacing of the radial grid, and the smearing of its Gaussians. Unit: angstrom.
    n_grid : int
        Points of the radial grid: 0, step, ..., (n_grid - 1) step.
    radial_cutoff, angular_cutoff : float
        Neighbours are closer than this; r_jk is not limited. Unit: angstrom.
    sets : AngularSets
        Parameters of the angular functions, from `angular_sets`.

    Returns
    -------
    float64 array, shape (n_owned, n_species * n_grid + n_pair * n_set)
        The radial grid of each species, then the sets of each pair of species (0, 0), (0, 1) ... (1, 1) ... . A sum
        over nothing is 0, but NaN in the whole row of an atom without any neighbour. Unit: 1.

    Raises
    ------
    ValueError
        If a cut-off or `step` is not positive, a species is out of range, or a coordinate is not finite.

    References
    ----------
    doi:10.1103/PhysRevLett.98.146401, doi:10.1038/s41467-019-13511-9
    """
    if not (step > 0 and radial_cutoff > 0 and angular_cutoff > 0):
        raise ValueError(f"step and cut-offs must be positive, got {step}, {radial_cutoff}, {angular_cutoff}")
    species = np.ascontiguousarray(species, dtype=np.int32)
    if len(species) and not (species.min() >= 0 and species.max() < n_species):
        raise ValueError(f"species must be 0 to {n_species - 1}, got {species.min()} to {species.max()}")
    cells = build_cells(position, max(radial_cutoff, angular_cutoff) / CELLS_IN_REACH)
    order = np.asarray(order)[cells.atom].astype(np.int32)
    n_pair = n_species * (n_species + 1) // 2
    value = np.empty((n_owned, n_species * n_grid + n_pair * len(sets.column)))
    room = 4096
    while not fill_symmetry(
        cells,
        order,
        species[cells.atom],
        n_owned,
        n_species,
        float(radial_cutoff),
        float(angular_cutoff),
        float(step),
        GAUSS,
        sets,
        room,
        value,
    ):
        room *= 2
    return value
