"""Slow twins of the columns built on counts, from Qhull cells and lists of (row, image)."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np

from tests.naive.neighbours import neighbours
from tests.naive.voronoi import keep_fixed

NAN = float("nan")


class Atom(NamedTuple):
    """Kept facets of one atom: rows behind them, bonds, distances, areas, edges; volume of the whole cell."""

    row: list
    bond: np.ndarray
    distance: np.ndarray
    area: np.ndarray
    edges: list
    volume: float


def atoms(position, cell, cells, fraction=0.05):
    """Kept facets of every atom, None for one without a cell; `cells` are those of `voronoi_cells`."""
    found = []
    for i, closed in enumerate(cells):
        if closed is None:
            found.append(None)
            continue
        keep = np.flatnonzero(keep_fixed(closed.area, fraction))
        row = [closed.neighbour[k][0] for k in keep]
        image = np.array([closed.neighbour[k][1] for k in keep])
        bond = position[row] + image @ cell - position[i]
        edges = [int(closed.edges[k]) for k in keep]
        found.append(Atom(row, bond, closed.distance[keep], closed.area[keep], edges, closed.volume))
    return found


def near_rows(position, cell, periodic, cutoff):
    """Rows of the neighbours within the cut-off of every atom, once for every image."""
    return [[row for row, _, _ in found] for found in neighbours(position, cell, periodic, cutoff)]


def index(atom, beyond):
    """<n_3 ... n_7> of one atom."""
    if atom is None:
        return [NAN] * 5
    counted = Counter(min(e, 7) if beyond else e for e in atom.edges)
    return [float(counted[i]) for i in range(3, 8)]


def ifold(n):
    """Index over its sum."""
    total = sum(n)
    return [x / total if total else NAN for x in n]


def average_ifold(all_atoms, i, beyond):
    """sum_m n_i^m / sum_m sum_j n_j^m over the atom and its neighbours."""
    if all_atoms[i] is None:
        return [NAN] * 5
    members = [index(all_atoms[k], beyond) for k in [i, *all_atoms[i].row]]
    return ifold([sum(n[c] for n in members) for c in range(5)])


def weighted_ifold(atom, beyond, weight):
    """Share of the weight under facets with 3 ... 7 edges."""
    if atom is None:
        return [NAN] * 5
    each = atom.area if weight == "area" else atom.area * atom.distance / 2 / 3
    bins = [0.0] * 5
    for e, w in zip(atom.edges, each, strict=True):
        e = min(e, 7) if beyond else e
        if 3 <= e <= 7:
            bins[e - 3] += w
    return ifold(bins)


def motif(atom, rule):
    """Z12, Z16, either, Frank-Kasper type."""
    if atom is None:
        return [NAN] * 4
    n = Counter(atom.edges)
    z = {k: dict(n) == ({5: 12, 6: k - 12} if k > 12 else {5: 12}) for k in (12, 14, 15, 16)}
    type_fk = any(z.values()) if rule == "strict" else 2 * n[4] + n[5] == 12
    return [float(x) for x in (z[12], z[16], z[12] or z[16], type_fk)]


def chemistry(rows, species, composition, rule):
    """Numbers of every species among the rows, and their deviations."""
    number = [sum(species[r] == s for r in rows) for s in range(len(composition))]
    if not rows:
        return number + [NAN] * len(composition)
    share = [x / len(rows) for x in number]
    if rule == "difference":
        return number + [p - c for p, c in zip(share, composition, strict=True)]
    return number + [1 - p / c for p, c in zip(share, composition, strict=True)]
