"""Counts over the neighbours of an atom: facets by their edges, neighbours by their species.

Sums run in slot order, so the results do not depend on how the work was cut. Counts are float64: they
become feature columns, and are exact.
"""

from __future__ import annotations

import numpy as np

from qsdask.kernels.jit import kernel
from qsdask.kernels.polytope import U

__all__ = ["FEWEST_EDGES", "N_EDGES", "edge_census", "pooled", "shares", "species_census"]

#: Facets with 3 ... 7 edges are counted.
FEWEST_EDGES = 3
N_EDGES = 5


def edge_census(edges, count, weight=None, *, beyond=False):
    """Number of facets with 3, 4, 5, 6 and 7 edges around each atom, or their total weight.

    Parameters
    ----------
    edges : int array, shape (n_row, n_slot)
        Edges of every facet, filled from the left.
    count : int32 array, shape (n_row,)
        Number of facets.
    weight : float64 array, shape (n_row, n_slot), optional
        Weight of every facet, 1 by default. Any unit.
    beyond : bool
        Facets with more than 7 edges count as 7; otherwise they are not counted.

    Returns
    -------
    float64 array, shape (n_row, 5)
        NaN without facets. Unit: that of the weight.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    edges = np.ascontiguousarray(edges, dtype=np.int32)
    weight = np.ones(edges.shape) if weight is None else np.ascontiguousarray(weight, dtype=np.float64)
    if weight.shape != edges.shape:
        raise ValueError(f"weight must have the shape of edges, {edges.shape}, got {weight.shape}")
    total = np.empty((len(edges), N_EDGES))
    fill_edge_census(edges, _counts(edges, count), weight, bool(beyond), total)
    return total


def shares(value):
    """Every row divided by its sum.

    Parameters
    ----------
    value : float64 array, shape (n_row, n_column)
        Any unit.

    Returns
    -------
    float64 array, shape (n_row, n_column)
        NaN where the sum is zero or NaN. Unit: 1.
    """
    value = np.ascontiguousarray(value, dtype=np.float64)
    share = np.empty(value.shape)
    fill_shares(value, share)
    return share


def species_census(species, n_species, neighbour, count):
    """Number of neighbours of every species.

    Parameters
    ----------
    species : int array, shape (n_local,)
        Species index of every local atom, 0 ... n_species - 1.
    n_species : int
        Number of species.
    neighbour : int32 array, shape (n_row, n_slot)
        Local index of the neighbours, filled from the left.
    count : int32 array, shape (n_row,)
        Number of neighbours.

    Returns
    -------
    float64 array, shape (n_row, n_species)
        Zero without neighbours. Unit: 1.

    Raises
    ------
    ValueError
        If the shapes do not fit or a species index is out of range.
    """
    species = np.ascontiguousarray(species, dtype=np.int16)
    if len(species) and not 0 <= species.min() <= species.max() < n_species:
        raise ValueError(f"species indices must lie in 0 ... {n_species - 1}, got {species.min()} ... {species.max()}")
    neighbour = np.ascontiguousarray(neighbour, dtype=np.int32)
    total = np.zeros((len(neighbour), n_species))
    fill_species_census(species, neighbour, _counts(neighbour, count), total)
    return total


def pooled(value, n_owned, neighbour, count):
    """Sum of each column over every atom and its neighbours, the atom included.

    Parameters
    ----------
    value : float64 array, shape (n_row, n_column)
        Columns of the owned atoms, then of all their neighbours among the ghosts. Any unit.
    n_owned : int
        The first `n_owned` atoms get a result.
    neighbour : int32 array, shape (at least n_owned, n_slot)
        Local index of the neighbours, filled from the left.
    count : int32 array, shape (at least n_owned,)
        Number of neighbours.

    Returns
    -------
    float64 array, shape (n_owned, n_column)
        NaN where the atom or one of its neighbours has NaN. Unit: that of the column.

    Raises
    ------
    ValueError
        If the shapes do not fit, or a neighbour has no row in `value`.
    """
    value = np.ascontiguousarray(value, dtype=np.float64)
    neighbour = np.ascontiguousarray(neighbour[:n_owned], dtype=np.int32)
    count = _counts(neighbour, count[:n_owned])
    farthest = int(neighbour.max(initial=-1))
    if max(farthest + 1, n_owned) > len(value):
        raise ValueError(f"value has {len(value)} rows, which leaves out neighbour {farthest}: two rings are needed")
    total = np.empty((n_owned, value.shape[1]))
    fill_pooled(value, neighbour, count, total)
    return total


def _counts(slots, count):
    """`count` as the kernels want it, one for every row of `slots`."""
    count = np.ascontiguousarray(count, dtype=np.int32)
    if slots.ndim != 2 or count.shape != slots.shape[:1]:
        raise ValueError(f"slots and count must have equal rows, got {slots.shape} and {count.shape}")
    return count


@kernel
def fill_edge_census(edges, count, weight, beyond, total):
    """Total weight of the facets with 3 ... 7 edges of every row."""
    for i in range(U(total.shape[0])):
        total[i] = 0.0 if count[i] > 0 else np.nan
        for k in range(U(count[i])):
            column = edges[i, k] - FEWEST_EDGES
            if beyond:
                column = min(column, N_EDGES - 1)
            if 0 <= column < N_EDGES:
                total[i, U(column)] += weight[i, k]


@kernel
def fill_shares(value, share):
    """Every row over its sum."""
    for i in range(U(value.shape[0])):
        total = 0.0
        for c in range(U(value.shape[1])):
            total += value[i, c]
        for c in range(U(value.shape[1])):
            share[i, c] = value[i, c] / total


@kernel
def fill_species_census(species, neighbour, count, total):
    """Neighbours of every species; `total` comes filled with zero."""
    for i in range(U(total.shape[0])):
        for k in range(U(count[i])):
            total[i, U(species[U(neighbour[i, k])])] += 1.0


@kernel
def fill_pooled(value, neighbour, count, total):
    """Sum over the atom, then its neighbours in slot order."""
    for i in range(U(total.shape[0])):
        for c in range(U(value.shape[1])):
            total[i, c] = value[i, c]
        for k in range(U(count[i])):
            j = U(neighbour[i, k])
            for c in range(U(value.shape[1])):
                total[i, c] += value[j, c]
