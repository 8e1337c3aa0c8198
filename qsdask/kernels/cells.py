"""Linked cells: atoms sorted by cell, and the cut-off neighbour shell.

Atoms are sorted by the cell that holds them, x running fastest, so that the cells of one row that a search
sphere touches are one contiguous run of atoms: a search reads a few dozen short straight runs and needs no
per-cell loop. Inside a cell the atoms keep their order, so the sort is stable and deterministic.

Everything here sees plain open space: periodic images are local entries of their own (ghosts). Cost is
linear in the number of atoms for any density that varies little over one search sphere; for clusters in
vacuum the number of cells is capped at four per atom and the cells widen instead.

Kernels
-------
``fill_candidates`` collects the atoms of one spherical annulus, ``sort_by_distance`` and
``sort_by_order`` put them in their two canonical sequences. Both sorts count, for every entry, how many
entries stand before it: quadratic, but free of branches and vectorised, which beats every comparison
sort for the 15 to 60 atoms of a search; long lists go to a Shell sort.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from qsdask.kernels.jit import inline, kernel
from qsdask.kernels.sorting import LANES, U, sort_by_order, whole_lanes

__all__ = ["CellList", "NeighbourShell", "build_cells", "neighbour_shell"]

#: Largest number of cells per atom; more would only be empty ones.
CELLS_PER_ATOM = 4


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
    atom : uint32 array, shape (n_local,)
        Local atom index, sorted by cell.
    x, y, z : float64 array, shape (n_local + LANES,)
        Coordinates in the sequence of `atom`, and room that a vectorised loop may read. Unit: angstrom.
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
    count: np.ndarray  # type: ignore[assignment]  # rather than tuple's own method


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
    # Axis by axis: a reduction along the long axis of (n, 3) is twenty times slower.
    lower = np.array([column.min() for column in position.T]) if n else np.zeros(3)
    extent = np.array([column.max() for column in position.T]) - lower if n else np.zeros(3)
    if not np.isfinite(extent).all():
        raise ValueError("a coordinate is not finite; non-finite atoms must be refused or masked before this")
    if not width > 0:
        raise ValueError(f"cell width must be a positive number, got {width!r}")
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
    atom = np.empty(n, dtype=np.uint32)
    x, y, z = np.zeros((3, n + int(LANES)))
    fill_cells(position, lower, widths, shape, start, np.empty(n, dtype=np.int64), atom, x, y, z)
    return CellList(lower, widths, shape, start, atom, x, y, z)


def typical_width(position):
    """Cell edge that puts about one atom into a cell, from the bounding box. Unit: angstrom."""
    n = len(position)
    extent = np.array([np.ptp(column) for column in position.T]) if n else np.ones(3)
    # A line or a plane of atoms has no volume: floor each side at a small share of the longest.
    extent = np.maximum(extent, max(extent.max(), 1e-3) * 1e-2)
    return float((extent.prod() / max(n, 1)) ** (1 / 3))


@inline
def fill_candidates(x, y, z, start, grid, shape, cx, cy, cz, inner, outer, square, entry):
    """Entries of the cell list with ``inner < d**2 <= outer``, in cell order.

    Parameters
    ----------
    x, y, z, start
        Of the `CellList`.
    grid : six float64
        Lower corner and width. Unit: angstrom.
    shape : three int64
        Cells along x, y, z.
    cx, cy, cz : float64
        Centre. Unit: angstrom.
    inner, outer : float64
        Squared radii; an `inner` below zero takes the centre's own atom too. Unit: square angstrom.
    square : float64 array, shape (capacity + LANES,)
        Filled with squared distances, then `LANES` times inf.
    entry : uint32 array, shape (capacity + LANES,)
        Filled with places in ``cells.atom``.

    Returns
    -------
    uint64
        Number of entries, or the capacity + 1 if that does not suffice.
    """
    lx, ly, lz, wx, wy, wz = grid
    nx, ny, nz = shape
    # One part in 1e9 more than the radius: an atom on a cell face may be rounded into the next cell.
    radius = np.sqrt(outer) * (1 + 1e-9)
    sx, sy, sz = cx - lx, cy - ly, cz - lz
    x0 = int(min(max((sx - radius) / wx, 0.0), nx - 1.0))
    x1 = int(max(min((sx + radius) / wx, nx - 1.0), 0.0))
    y0 = int(min(max((sy - radius) / wy, 0.0), ny - 1.0))
    y1 = int(max(min((sy + radius) / wy, ny - 1.0), 0.0))
    z0 = int(min(max((sz - radius) / wz, 0.0), nz - 1.0))
    z1 = int(max(min((sz + radius) / wz, nz - 1.0), 0.0))
    bound = radius * radius
    capacity = U(square.shape[0]) - LANES
    n = U(0)
    for kz in range(z0, z1 + 1):
        gap = max(max(kz * wz - sz, sz - (kz + 1) * wz), 0.0)
        # The last cells also hold what lies on the upper face of the grid.
        left = bound - gap * gap if kz < nz - 1 else bound
        for ky in range(y0, y1 + 1):
            gap = max(max(ky * wy - sy, sy - (ky + 1) * wy), 0.0)
            if gap * gap > left and ky < ny - 1:
                continue
            row = (kz * ny + ky) * nx
            first, last = U(start[U(row + x0)]), U(start[U(row + x1 + 1)])
            if n + (last - first) > capacity:
                return capacity + U(1)
            for k in range(first, last):
                dx, dy, dz = x[k] - cx, y[k] - cy, z[k] - cz
                d = dx * dx + dy * dy + dz * dz
                square[n] = d
                entry[n] = k
                n += U((d > inner) & (d <= outer))
    for k in range(LANES):
        square[n + k] = np.inf
    return n


@kernel
def fill_neighbours(cells, sorted_order, n_owned, outer, capacity, neighbour, distance, count):
    """Neighbour slots of every owned atom, squared distances in ``(0, outer]``, ascending order.

    `sorted_order` is the order in the sequence of ``cells.atom``. The cells are at least one cut-off wide. What can
    be near the owned atoms of a cell is copied and sorted once for all of them: the distances are then one straight
    vector loop, and neighbours come out in their order.

    Rows whose neighbours do not fit keep their true `count` and stay empty: the caller grows the slots.

    Returns
    -------
    int64
        The largest count, or -1 if more than `capacity` atoms have to be looked at at once.
    """
    n_slot = U(neighbour.shape[1])
    measured = distance.shape[1] > 0
    room = U(capacity) + LANES
    near_x, near_y, near_z, square = np.empty(room), np.empty(room), np.empty(room), np.empty(room)
    source, place, found = np.empty(room, np.uint32), np.empty(room, np.uint32), np.empty(room, np.uint32)
    near, key = np.empty(room, np.int32), np.empty(room, np.int32)
    x, y, z, start, atom = cells.x, cells.y, cells.z, cells.start, cells.atom
    nx, ny, nz = cells.shape[0], cells.shape[1], cells.shape[2]
    largest = 0
    for cell in range(nx * ny * nz):
        begin, end = U(start[cell]), U(start[cell + 1])
        low_x = low_y = low_z = np.inf
        high_x = high_y = high_z = -np.inf
        for c in range(begin, end):
            if atom[c] < n_owned:
                low_x, high_x = min(low_x, x[c]), max(high_x, x[c])
                low_y, high_y = min(low_y, y[c]), max(high_y, y[c])
                low_z, high_z = min(low_z, z[c]), max(high_z, z[c])
        if low_x > high_x:
            continue
        kx, ky, kz = cell % nx, cell // nx % ny, cell // (nx * ny)
        n_around = U(0)
        for jz in range(max(kz - 1, 0), min(kz + 2, nz)):
            for jy in range(max(ky - 1, 0), min(ky + 2, ny)):
                row = (jz * ny + jy) * nx
                first, last = U(start[row + max(kx - 1, 0)]), U(start[row + min(kx + 2, nx)])
                if n_around + (last - first) > U(capacity):
                    return -1
                for k in range(whole_lanes(last - first)):
                    # From what the owned atoms fill; never more than from one of them, also after rounding.
                    dx = max(max(low_x - x[first + k], x[first + k] - high_x), 0.0)
                    dy = max(max(low_y - y[first + k], y[first + k] - high_y), 0.0)
                    dz = max(max(low_z - z[first + k], z[first + k] - high_z), 0.0)
                    square[n_around + k] = dx * dx + dy * dy + dz * dz
                    place[n_around + k] = first + k
                n_around += last - first
        # What no owned atom can reach is left out before it costs anything.
        n_near = U(0)
        for k in range(n_around):
            source[n_near] = place[k]
            n_near += U(square[k] <= outer)
        for k in range(n_near):
            key[k] = sorted_order[source[k]]
        sort_by_order(key, n_near, place)
        for k in range(n_near):
            p = source[place[k]]
            near[k] = atom[p]
            near_x[k], near_y[k], near_z[k] = x[p], y[p], z[p]
        padded = whole_lanes(n_near)
        for c in range(begin, end):
            i = U(atom[c])
            if i >= U(n_owned):
                continue
            cx, cy, cz = x[c], y[c], z[c]
            for k in range(padded):
                dx, dy, dz = near_x[k] - cx, near_y[k] - cy, near_z[k] - cz
                square[k] = dx * dx + dy * dy + dz * dz
            m = U(0)
            for k in range(n_near):
                found[m] = k
                m += U((square[k] > 0.0) & (square[k] <= outer))
            count[i] = m
            largest = max(largest, np.int64(m))
            if m > n_slot:
                continue
            for k in range(m):
                neighbour[i, k] = near[found[k]]
                if measured:
                    distance[i, k] = np.sqrt(square[found[k]])
            for k in range(m, n_slot):
                neighbour[i, k] = -1
                if measured:
                    distance[i, k] = np.nan
    return largest


def neighbour_shell(position, order, n_owned, cutoff, n_slot=24, *, measured=True):
    """Neighbours with ``0 < d < cutoff`` of every owned atom.

    Parameters
    ----------
    position : float64 array, shape (n_local, 3)
        Owned atoms first, then ghosts. Unit: angstrom.
    order : int64 array, shape (n_local,)
        Rank by (atom id, image), a permutation of 0 ... n_local - 1; slots ascend in it.
    n_owned : int
        Number of owned atoms.
    cutoff : float
        Both ends of the interval are open. Unit: angstrom.
    n_slot : int
        Slots to begin with; grown to the largest count when that is more.
    measured : bool
        Whether the distances are wanted; without them two thirds of the memory are never touched.

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
    Every periodic image is a local entry of its own, so several images of one atom may be neighbours,
    and an atom may neighbour its own image. An atom at distance zero is not a neighbour.
    """
    if not (cutoff > 0 and np.isfinite(cutoff)):
        raise ValueError(f"cutoff must be a positive number, got {cutoff!r}")
    position = np.ascontiguousarray(position, dtype=np.float64)
    order = np.ascontiguousarray(order, dtype=np.int64)
    # A hair wider than the cut-off: an atom on a cell face may be rounded into the next cell.
    cells = build_cells(position, cutoff * (1 + 1e-9))
    # The largest square whose root is below the cut-off: one comparison then decides exactly.
    outer = float(cutoff) ** 2
    while np.sqrt(outer) >= cutoff:
        outer = np.nextafter(outer, 0.0)
    sorted_order = order[cells.atom].astype(np.int32)
    capacity = 512
    while True:
        shell = NeighbourShell(
            np.empty((n_owned, n_slot), dtype=np.int32),
            np.empty((n_owned, n_slot if measured else 0)),
            np.empty(n_owned, dtype=np.int32),
        )
        largest = fill_neighbours(cells, sorted_order, n_owned, outer, capacity, *shell)
        if 0 <= largest <= n_slot:
            return shell
        if largest < 0:
            capacity *= 4
        else:
            n_slot = int(largest)
