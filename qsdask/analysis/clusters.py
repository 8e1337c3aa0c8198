"""Clusters of soft atoms: which soft atoms touch one another, how many they are, and where their centre lies."""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from qsdask.analysis.counts import described

__all__ = ["largest_clusters", "neighbour_pairs"]


def neighbour_pairs(neighbour: np.ndarray, chosen: np.ndarray, first: int = 0) -> np.ndarray:
    """Pairs of chosen atoms that are neighbours.

    Parameters
    ----------
    neighbour : int64 array, shape (n, n_slot)
        Row of each neighbour, -1 where the slot is empty.
    chosen : bool array, shape (n_atom,)
        Which rows are meant, of all atoms.
    first : int
        Row of the first line of `neighbour`.

    Returns
    -------
    int64 array, shape (n_pair, 2)
        Rows.
    """
    row = np.arange(first, first + len(neighbour))
    there = (neighbour >= 0) & chosen[row][:, None] & chosen[neighbour]
    line, slot = np.nonzero(there)
    return np.stack([row[line], neighbour[line, slot]], axis=1)


def largest_clusters(
    pairs: np.ndarray, chosen: np.ndarray, reduced: np.ndarray, cell: np.ndarray, origin: np.ndarray, n: int = 5
) -> xr.Dataset:
    """The largest connected groups of chosen atoms.

    Parameters
    ----------
    pairs : int64 array, shape (n_pair, 2)
        Of `neighbour_pairs`.
    chosen : bool array, shape (n_atom,)
        Which rows are meant.
    reduced : float64 array, shape (n_atom, 3)
        Reduced coordinates.
    cell : float64 array, shape (3, 3)
        Cell vectors as rows. Unit: angstrom.
    origin : float64 array, shape (3,)
        Lower corner. Unit: angstrom.
    n : int
        How many.

    Returns
    -------
    xarray.Dataset
        ``size`` and ``centre (cluster, xyz)``, largest first, ties by the lowest row; the attribute ``n_cluster`` counts all.

    Notes
    -----
    The centre is the mean on the circle that each cell vector is when it repeats: L. Bai, D. Breen, J. Graph. Tools 13, 53
    (2008), doi:10.1080/2151237X.2008.10129266. Of a cluster that spans the cell it says little.
    """
    rows = np.flatnonzero(chosen)
    place = np.full(len(chosen), -1)
    place[rows] = np.arange(len(rows))
    one, two = place[pairs].T
    n_cluster, of = connected_components(
        coo_array((np.ones(len(one)), (one, two)), shape=(len(rows),) * 2), directed=False
    )
    size = np.bincount(of, minlength=n_cluster)
    first = np.full(n_cluster, len(rows))
    np.minimum.at(first, of, np.arange(len(rows)))
    order = np.lexsort((first, -size))[:n]
    angle = 2.0 * np.pi * reduced[rows]
    centre = np.empty((len(order), 3))
    for k, cluster in enumerate(order):
        mine = angle[of == cluster]
        mean = np.arctan2(np.sin(mine).mean(axis=0), np.cos(mine).mean(axis=0)) / (2.0 * np.pi)
        centre[k] = origin + np.mod(mean, 1.0) @ cell
    return xr.Dataset(
        {
            "size": described(size[order], "cluster", "atoms of the cluster"),
            "centre": described(centre, ("cluster", "xyz"), "centre of the cluster", "angstrom"),
        },
        attrs={"n_cluster": int(n_cluster)},
    )
