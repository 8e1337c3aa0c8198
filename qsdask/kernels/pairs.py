"""Pairs of atoms counted by the classes of both and by their distance.

Cells are a quarter of the reach wide, so that a search sphere is followed by straight runs of atoms in the sequence of the
cell list. Whole numbers: nothing depends on the order in which pairs are met.
"""

from __future__ import annotations

import numpy as np

from qsdask.kernels.cells import build_cells
from qsdask.kernels.jit import kernel
from qsdask.kernels.sorting import U

__all__ = ["class_pairs"]

#: Cells along the reach.
_CELLS = 4

#: Distances that are taken at once.
_AT_ONCE = 256


def class_pairs(position, kind, n_kind, centre, group, n_group, border, width, n_bin):
    """Count the atoms around chosen centres by distance.

    Parameters
    ----------
    position : float64 array, shape (n_local, 3)
        Every atom within ``width * n_bin`` of a centre, each periodic image an entry of its own. Unit: angstrom.
    kind : int array, shape (n_local,)
        Class of every atom, 0 ... n_kind - 1.
    n_kind : int
        Number of classes.
    centre : int array, shape (n_centre,)
        Entries that are centres.
    group : int array, shape (n_centre,)
        Group of every centre, 0 ... n_group - 1; groups are counted apart.
    n_group : int
        Number of groups.
    border : float64 array, shape (n_centre,)
        Distance up to which all atoms around a centre are known; what lies farther is not counted for it. Unit: angstrom.
    width : float
        Width of a bin. Unit: angstrom.
    n_bin : int
        Number of bins: bin k holds distances from ``k * width`` up to, but without, ``(k + 1) * width``.

    Returns
    -------
    pairs : int64 array, shape (n_group, n_kind, n_kind, n_bin)
        By the class of the centre, then of the other atom. The centre itself does not count; another atom at its place does.
    centres : int64 array, shape (n_group, n_kind, n_bin)
        Centres of each class around which the whole bin is known.

    Raises
    ------
    ValueError
        If `width` is not a positive number, a class or a group is out of range, or a coordinate is not finite.
    """
    kind = np.ascontiguousarray(kind, dtype=np.int64)
    centre, group = (np.ascontiguousarray(x, dtype=np.int64) for x in (centre, group))
    if not width > 0:
        raise ValueError(f"width must be a positive number, got {width!r}")
    for name, value, n in (("class", kind, n_kind), ("group", group, n_group), ("centre", centre, len(position))):
        if len(value) and not 0 <= value.min() <= value.max() < n:
            raise ValueError(f"{name} must lie in 0 ... {n - 1}, got {value.min()} ... {value.max()}")
    # Whole bins that lie within the border.
    whole = np.minimum(np.floor(np.asarray(border, dtype=np.float64) / width), n_bin)
    pairs = np.zeros((n_group, n_kind, n_kind, n_bin), dtype=np.int64)
    centres = np.zeros((n_group, n_kind, n_bin), dtype=np.int64)
    if len(centre):
        cells = build_cells(position, width * n_bin / _CELLS)
        fill_class_pairs(
            cells, position, kind, kind[cells.atom], centre, group, whole.astype(np.int64), width, pairs, centres
        )
    return pairs, centres


@kernel
def fill_class_pairs(cells, position, kind, sorted_kind, centre, group, whole, width, pairs, centres):
    """Add the pairs of every centre; `sorted_kind` is the class in the sequence of ``cells.atom``."""
    x, y, z, start = cells.x, cells.y, cells.z, cells.start
    nx, ny, nz = cells.shape[0], cells.shape[1], cells.shape[2]
    wx, wy, wz = cells.width[0], cells.width[1], cells.width[2]
    # A slot more for each class takes what lies farther, and is never read.
    n_slot = pairs.shape[3] + 1
    own = np.zeros(pairs.shape[2] * n_slot, np.int64)
    base = np.empty(sorted_kind.shape[0], np.int32)
    for k in range(sorted_kind.shape[0]):
        base[k] = sorted_kind[k] * n_slot
    place = np.empty(_AT_ONCE, np.int32)
    for m in range(centre.shape[0]):
        i = centre[m]
        n_whole = whole[m]
        for k in range(n_whole):
            centres[group[m], kind[i], k] += 1
        if n_whole <= 0:
            continue
        own[:] = 0
        beyond = np.float64(n_whole)
        cx, cy, cz = position[i, 0], position[i, 1], position[i, 2]
        sx, sy, sz = cx - cells.lower[0], cy - cells.lower[1], cz - cells.lower[2]
        # A hair more: an atom on a cell face may be rounded into the next cell, a distance into the next bin.
        radius = n_whole * width * (1 + 1e-9)
        bound = radius * radius
        z0, z1 = int(min(max((sz - radius) / wz, 0.0), nz - 1.0)), int(max(min((sz + radius) / wz, nz - 1.0), 0.0))
        y0, y1 = int(min(max((sy - radius) / wy, 0.0), ny - 1.0)), int(max(min((sy + radius) / wy, ny - 1.0), 0.0))
        for kz in range(z0, z1 + 1):
            # The outermost cells also hold what lies on the faces of the grid.
            gap = max(max(kz * wz - sz, sz - (kz + 1) * wz), 0.0) if 0 < kz < nz - 1 else 0.0
            left = bound - gap * gap
            if left < 0.0:
                continue
            for ky in range(y0, y1 + 1):
                gap = max(max(ky * wy - sy, sy - (ky + 1) * wy), 0.0) if 0 < ky < ny - 1 else 0.0
                rest = left - gap * gap
                if rest < 0.0:
                    continue
                half = np.sqrt(rest) * (1 + 1e-9) + 1e-9 * wx
                x0 = int(min(max((sx - half) / wx, 0.0), nx - 1.0))
                x1 = int(max(min((sx + half) / wx, nx - 1.0), 0.0))
                row = (kz * ny + ky) * nx
                first, last = U(start[row + x0]), U(start[row + x1 + 1])
                while first < last:
                    n = min(last - first, U(_AT_ONCE))
                    # Free of branches, so that roots and quotients are taken several at a time.
                    for k in range(n):
                        dx, dy, dz = x[first + k] - cx, y[first + k] - cy, z[first + k] - cz
                        distance = np.sqrt(dx * dx + dy * dy + dz * dz)
                        place[k] = base[first + k] + np.int32(min(distance / width, beyond))
                    for k in range(n):
                        own[U(place[k])] += 1
                    first += n
        # The centre has met itself at distance zero.
        own[kind[i] * n_slot] -= 1
        for other in range(pairs.shape[2]):
            for k in range(n_whole):
                pairs[group[m], kind[i], other, k] += own[other * n_slot + k]
