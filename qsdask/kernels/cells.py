"""Linked cells: atoms sorted by cell, and the cut-off neighbour shell.

Atoms are sorted by the cell that holds them, x running fastest, so that the cells of one row that a search
sphere touches are one contiguous run of atoms: a search reads a few dozen short straight runs and needs no
per-cell loop. Inside a cell the atoms keep their order, so the sort is stable and deterministic.

Everything here sees plain open space: periodic images are local entries of their own (ghosts). Cost is linear
in the number of atoms for any density that varies little over one search sphere; for clusters in vacuum the number
of cells is capped at four per atom and the cells widen instead.

Kernels
-------
``fill_candidates`` collects the atoms of one spherical annulus, ``sort_by_distance`` and ``sort_by_order`` put
them in their two canonical sequences. Both sorts count, for every entry, how many entries stand before it: quadratic, but
free of branches and vectorised, which beats every comparison sort for the 15 to 60 atoms of a search; long
lists go to a Shell sort.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from qsdask.kernels.jit import kernel

__all__ = ["CellList", "NeighbourShell", "build_cells", "neighbour_shell"]

#: Largest number of cells per atom; more would only be empty ones.
CELLS_PER_ATOM = 4
#: Longest list that is sorted by counting; longer ones are Shell-sorted.
COUNTED_SORT = 96


class CellList(NamedTuple):
    """Atoms sorted by cell.

    Attributes
    ----------
    lower : float64 array, shape (3,)
        Lower corner of the grid. Unit: angstrom.
    width : float64 array, shape (3,)
        Edges of one cell. Unit: angstrom.
    shape : int64 array, shape (3,)
        Cells along x, y, z.
    start : int64 array, shape (n_cell + 1,)
        First entry of each cell in `atom`; x runs fastest.
    atom : int32 array, shape (n_local,)
        Local atom index, sorted by cell.
    x, y, z : float64 array, shape (n_local,)
        Coordinates in the sequence of `atom`. Unit: angstrom.
    """

    lower: np.ndarray
    width: np.ndarray
    shape: np.ndarray
    start: np.ndarray
    atom: np.ndarray
    x: np.ndarray
    y: np.ndarray
    z: np.ndarray


class NeighbourShell(NamedTuple):
    """Neighbours inside a cut-off, in ascending `order`.

    Attributes
    ----------
    neighbour : int32 array, shape (n_owned, n_slot)
        Local index of the neighbour, -1 where empty; filled from the left.
    distance : float64 array, shape (n_owned, n_slot)
        Distance, NaN where empty. Unit: angstrom.
    count : int32 array, shape (n_owned,)
        Number of neighbours.
    """

    neighbour: np.ndarray
    distance: np.ndarray
    count: np.ndarray


@kernel
def fill_cells(position, lower, width, shape, start, cell, atom, x, y, z):
    """Counting sort of the atoms by cell."""
    n = position.shape[0]
    for i in range(n):
        place = 0
        for axis in range(2, -1, -1):
            k = int((position[i, axis] - lower[axis]) / width[axis])
            place = place * shape[axis] + min(max(k, 0), shape[axis] - 1)
        cell[i] = place
        start[place + 1] += 1
    for c in range(start.shape[0] - 1):
        start[c + 1] += start[c]
    for i in range(n):
        k = start[cell[i]]
        start[cell[i]] = k + 1
        atom[k] = i
        x[k] = position[i, 0]
        y[k] = position[i, 1]
        z[k] = position[i, 2]
    for c in range(start.shape[0] - 1, 0, -1):
        start[c] = start[c - 1]
    start[0] = 0


def build_cells(position, width):
    """Sort atoms into a grid of cells.

    Parameters
    ----------
    position : float64 array, shape (n_local, 3)
        Finite coordinates, any extent. Unit: angstrom.
    width : float
        Wanted cell edge. Made wider where the grid would exceed four cells per atom. Unit: angstrom.

    Returns
    -------
    CellList
        The grid and the sorted atoms.

    Raises
    ------
    ValueError
        If a coordinate is not finite, or `width` is not a positive number.
    """
    position = np.ascontiguousarray(position, dtype=np.float64)
    n = len(position)
    if not width > 0:
        raise ValueError(f"cell width must be a positive number, got {width!r}")
    lower = position.min(axis=0) if n else np.zeros(3)
    extent = position.max(axis=0) - lower if n else np.zeros(3)
    if not np.isfinite(extent).all():
        raise ValueError("a coordinate is not finite; non-finite atoms must be refused or masked before this")
    widths = np.full(3, float(width))
    while True:
        shape = np.floor(extent / widths) + 1
        excess = shape.prod() / max(CELLS_PER_ATOM * n, 1)
        if excess <= 1:
            break
        # Only axes with more than one cell can give any back.
        wide = shape > 1
        widths[wide] *= max(excess ** (1 / wide.sum()), 1.01)
    shape = shape.astype(np.int64)
    start = np.zeros(shape.prod() + 1, dtype=np.int64)
    atom = np.empty(n, dtype=np.int32)
    x, y, z = np.empty((3, n))
    fill_cells(position, lower, widths, shape, start, np.empty(n, dtype=np.int64), atom, x, y, z)
    return CellList(lower, widths, shape, start, atom, x, y, z)


def typical_width(position):
    """Cell edge that puts about one atom into a cell, from the bounding box. Unit: angstrom."""
    n = len(position)
    extent = np.ptp(position, axis=0) if n else np.ones(3)
    # A line or a plane of atoms has no volume: floor each side at a small share of the longest.
    extent = np.maximum(extent, max(extent.max(), 1e-3) * 1e-2)
    return float((extent.prod() / max(n, 1)) ** (1 / 3))


@kernel
def fill_candidates(cells, cx, cy, cz, inner, outer, square, entry):
    """Entries of the cell list with ``inner < d**2 <= outer``, in cell order.

    Parameters
    ----------
    cells : CellList
        The sorted atoms.
    cx, cy, cz : float64
        Centre. Unit: angstrom.
    inner, outer : float64
        Squared radii; an `inner` below zero takes the centre's own atom too. Unit: square angstrom.
    square : float64 array, shape (capacity,)
        Filled with squared distances.
    entry : int32 array, shape (capacity,)
        Filled with places in ``cells.atom``.

    Returns
    -------
    int64
        Number of entries, or minus one if the capacity does not suffice.
    """
    x, y, z, start = cells.x, cells.y, cells.z, cells.start
    wx, wy, wz = cells.width[0], cells.width[1], cells.width[2]
    nx, ny, nz = cells.shape[0], cells.shape[1], cells.shape[2]
    # One part in 1e9 more than the radius: an atom on a cell face may be rounded into the next cell.
    radius = np.sqrt(outer) * (1 + 1e-9)
    sx, sy, sz = cx - cells.lower[0], cy - cells.lower[1], cz - cells.lower[2]
    x0 = int(max((sx - radius) / wx, 0.0))
    x1 = int(min((sx + radius) / wx, nx - 1.0))
    y0 = int(max((sy - radius) / wy, 0.0))
    y1 = int(min((sy + radius) / wy, ny - 1.0))
    z0 = int(max((sz - radius) / wz, 0.0))
    z1 = int(min((sz + radius) / wz, nz - 1.0))
    bound = radius * radius
    capacity = square.shape[0]
    n = 0
    if x0 > x1:
        return n
    for kz in range(z0, z1 + 1):
        gap = max(max(kz * wz - sz, sz - (kz + 1) * wz), 0.0)
        left = bound - gap * gap
        for ky in range(y0, y1 + 1):
            gap = max(max(ky * wy - sy, sy - (ky + 1) * wy), 0.0)
            # The last row also holds what lies on the upper face of the grid.
            if gap * gap > left and ky < ny - 1:
                continue
            row = (kz * ny + ky) * nx
            first, last = start[row + x0], start[row + x1 + 1]
            if n + (last - first) > capacity:
                return -1
            for k in range(first, last):
                dx, dy, dz = x[k] - cx, y[k] - cy, z[k] - cz
                d = dx * dx + dy * dy + dz * dz
                square[n] = d
                entry[n] = k
                n += (d > inner) & (d <= outer)
    return n


@kernel
def shell_sort(key, tie, n, place):
    """Places of the `n` keys in ascending (key, tie) sequence; any length, ties allowed."""
    for i in range(n):
        place[i] = i
    gap = 1
    while gap < n // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for i in range(gap, n):
            p = place[i]
            k, t = key[p], tie[p]
            j = i
            while j >= gap:
                q = place[j - gap]
                if key[q] < k or (key[q] == k and tie[q] <= t):
                    break
                place[j] = q
                j -= gap
            place[j] = p
        gap //= 3


@kernel
def sort_by_distance(square, tie, n, place):
    """Places of the entries in ascending (squared distance, tie) sequence."""
    if n <= COUNTED_SORT:
        total = 0
        for i in range(n):
            d = square[i]
            before = 0
            for j in range(n):
                before += square[j] < d
            place[before] = i
            total += before
        # Equal distances share one rank, so the ranks sum to less than 0 + 1 + ... + n-1.
        if total == n * (n - 1) // 2:
            return
    shell_sort(square, tie, n, place)


@kernel
def sort_by_order(order, n, place):
    """Places of the entries in ascending `order`, all different."""
    if n <= COUNTED_SORT:
        for i in range(n):
            mine = order[i]
            before = 0
            for j in range(n):
                before += order[j] < mine
            place[before] = i
    else:
        shell_sort(order, order, n, place)


@kernel
def fill_neighbours(cells, order, n_owned, cutoff, neighbour, distance, count):
    """Neighbour slots of every owned atom, ``0 < d < cutoff``, ascending `order`.

    Rows whose neighbours do not fit keep their true `count` and stay empty: the caller grows the slots.

    Returns
    -------
    int64
        The largest count.
    """
    n_slot = neighbour.shape[1]
    capacity = 512
    square = np.empty(capacity)
    entry = np.empty(capacity, np.int32)
    key = np.empty(capacity, np.int64)
    place = np.empty(capacity, np.int32)
    outer = cutoff * cutoff
    largest = 0
    for c in range(cells.atom.shape[0]):
        i = cells.atom[c]
        if i >= n_owned:
            continue
        n = fill_candidates(cells, cells.x[c], cells.y[c], cells.z[c], 0.0, outer, square, entry)
        while n < 0:
            capacity *= 2
            square = np.empty(capacity)
            entry = np.empty(capacity, np.int32)
            key = np.empty(capacity, np.int64)
            place = np.empty(capacity, np.int32)
            n = fill_candidates(cells, cells.x[c], cells.y[c], cells.z[c], 0.0, outer, square, entry)
        # The cut-off itself does not belong to the shell; the search takes it in.
        m = 0
        for k in range(n):
            d = np.sqrt(square[k])
            square[m] = d
            entry[m] = entry[k]
            key[m] = order[cells.atom[entry[k]]]
            m += d < cutoff
        count[i] = m
        largest = max(largest, m)
        if m > n_slot:
            continue
        sort_by_order(key, m, place)
        for k in range(m):
            p = place[k]
            neighbour[i, k] = cells.atom[entry[p]]
            distance[i, k] = square[p]
        for k in range(m, n_slot):
            neighbour[i, k] = -1
            distance[i, k] = np.nan
    return largest


def neighbour_shell(position, order, n_owned, cutoff, n_slot=24):
    """Neighbours with ``0 < d < cutoff`` of every owned atom.

    Parameters
    ----------
    position : float64 array, shape (n_local, 3)
        Owned atoms first, then ghosts. Unit: angstrom.
    order : int64 array, shape (n_local,)
        Rank by (atom id, image), all different; slots ascend in it.
    n_owned : int
        Number of owned atoms.
    cutoff : float
        Both ends of the interval are open. Unit: angstrom.
    n_slot : int
        Slots to begin with; grown to the largest count when that is more.

    Returns
    -------
    NeighbourShell
        Local index and distance of the neighbours, and their count.

    Raises
    ------
    ValueError
        If `cutoff` is not a positive number or a coordinate is not finite.

    Notes
    -----
    Every periodic image is a local entry of its own, so several images of one atom may be neighbours, and an atom
    may neighbour its own image. An atom at distance zero is not a neighbour.
    """
    if not (cutoff > 0 and np.isfinite(cutoff)):
        raise ValueError(f"cutoff must be a positive number, got {cutoff!r}")
    position = np.ascontiguousarray(position, dtype=np.float64)
    order = np.ascontiguousarray(order, dtype=np.int64)
    # Narrow cells fit the sphere better; below one atom a cell they only cost loops.
    cells = build_cells(position, max(typical_width(position), cutoff / 8))
    while True:
        shell = NeighbourShell(
            np.empty((n_owned, n_slot), dtype=np.int32),
            np.empty((n_owned, n_slot)),
            np.empty(n_owned, dtype=np.int32),
        )
        largest = fill_neighbours(cells, order, n_owned, float(cutoff), *shell)
        if largest <= n_slot:
            return shell
        n_slot = int(largest)
