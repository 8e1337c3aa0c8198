"""How softness depends on one or two columns, all others left as they are; and where atoms, and motifs, lie in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from scipy.ndimage import gaussian_filter

from qsdask.analysis.counts import QUANTUM, described
from qsdask.analysis.extent import Extent, exact_sum, placed_within

__all__ = ["Sums", "counted", "finalise", "grid_of", "motifs", "partial", "points_of"]

#: Bins of a column in which atoms are counted.
BINS = 40

#: Share of the atoms that lies beyond the grid on either side.
BEYOND = 0.01

#: Voronoi indices that are shown where they are met, besides the most frequent ones: the polyhedra of Frank and Kasper.
SHOWN = ((0, 0, 12, 0, 0), (0, 0, 12, 2, 0), (0, 0, 12, 3, 0), (0, 0, 12, 4, 0))

#: Most that are shown, and fewest atoms of each.
MOST_SHOWN, FEWEST_ATOMS = 7, 5

#: Standard deviation of a column in bins, taken to be normal between its percentiles.
_SPREAD = BINS / 4.65


class Sums(NamedTuple):
    """What partial dependence is made of.

    Attributes
    ----------
    n : int
        Atoms of which columns were set.
    qs : object array of int, shape (n_point,)
        Sum of their QS at every point of the grid, in quanta.
    atoms : int64 array, shape (BINS,) or (BINS, BINS)
        Atoms by the value of the columns, within the grid.
    motif : dict of tuple to object array of int
        By Voronoi index: atoms, then in quanta the sums of QS, of where the columns lie between their ends, and of the products
        of these.
    """

    n: int
    qs: np.ndarray
    atoms: np.ndarray
    motif: dict[tuple[int, ...], np.ndarray]

    def __add__(self, other: Sums) -> Sums:  # type: ignore[override]  # sums add up, tuples would join
        motif = dict(self.motif)
        for index, sums in other.motif.items():
            motif[index] = motif[index] + sums if index in motif else sums
        return Sums(self.n + other.n, self.qs + other.qs, self.atoms + other.atoms, motif)


def grid_of(value: np.ndarray, most: int) -> np.ndarray:
    """Values of a column at which dependence is taken: those that it has, or evenly from its first to its 99th percentile.

    Parameters
    ----------
    value : float array, shape (n,)
        Of the atoms of the sample; what is not finite is no value.
    most : int
        Values at most.

    Returns
    -------
    float32 array, shape (n_grid,)
    """
    value = value[np.isfinite(value)]
    different = np.unique(value)
    if len(different) <= most:
        return different.astype(np.float32)
    low, high = np.quantile(value.astype(np.float64), [BEYOND, 1.0 - BEYOND])
    return np.unique(np.linspace(low, high, most).astype(np.float32))


def points_of(grids: Sequence[np.ndarray]) -> np.ndarray:
    """All points of the grid, shape (n_point, n_grid): the last column runs fastest."""
    return np.array(list(product(*grids)), dtype=grids[0].dtype)


def partial(
    predict: Callable[[np.ndarray], np.ndarray], value: np.ndarray, places: Sequence[int], points: np.ndarray
) -> np.ndarray:
    """Sum of the softness of atoms when some of their columns are set, for every point of a grid.

    Parameters
    ----------
    predict : callable
        Softness, finite, of rows.
    value : float array, shape (n, n_column)
        Columns of the atoms of a chunk.
    places : sequence of int
        Which columns are set.
    points : float array, shape (n_point, n_place)
        To which values.

    Returns
    -------
    object array of int, shape (n_point,)
        In whole quanta: exact, however the atoms are cut into chunks.
    """
    changed = value.copy()
    total = np.zeros(len(points), dtype=object)
    for k, point in enumerate(points):
        changed[:, places] = point
        total[k] = exact_sum(predict(changed)[:, None])[0]
    return total


def counted(value: np.ndarray, grids: Sequence[np.ndarray]) -> np.ndarray:
    """Atoms that have the columns, by their values within the grid, both ends included: int64, shape (BINS,) of each."""
    low, high = (np.array([grid[end] for grid in grids], dtype=np.float64) for end in (0, -1))
    place = placed_within(value, low, high)
    within = ((place >= 0.0) & (place <= 1.0)).all(axis=1)
    bins = np.minimum((place[within] * BINS).astype(np.int64), BINS - 1)
    count = np.zeros((BINS,) * len(grids), dtype=np.int64)
    np.add.at(count, tuple(bins.T), 1)
    return count


def motifs(index: np.ndarray, qs: np.ndarray, value: np.ndarray, extent: Extent) -> dict[tuple[int, ...], np.ndarray]:
    """Sums over the atoms of every Voronoi index; see `Sums`.

    Parameters
    ----------
    index : float array, shape (n, 5)
        Facets with 3 to 7 edges; NaN for an atom without a cell.
    qs : float64 array, shape (n,)
    value : float array, shape (n, n_place)
        The columns that are looked at; atoms that lack one do not count.
    extent : Extent
        Their ends.
    """
    placed = placed_within(value, extent.low, extent.high)
    pairs = [placed[:, i] * placed[:, j] for i in range(placed.shape[1]) for j in range(i, placed.shape[1])]
    told = np.column_stack([qs, placed, *pairs])
    known = np.isfinite(index).all(axis=1) & np.isfinite(value).all(axis=1)
    different, which = np.unique(index[known].astype(np.int64), axis=0, return_inverse=True)
    order = np.argsort(which.ravel(), kind="stable")
    parts = np.split(told[known][order], np.cumsum(np.bincount(which.ravel(), minlength=len(different)))[:-1])
    return {
        tuple(name): np.concatenate([np.array([len(part)], dtype=object), exact_sum(part)])
        for name, part in zip(different.tolist(), parts, strict=True)
    }


def finalise(total: Sums, columns: Sequence[str], grids: Sequence[np.ndarray], extent: Extent) -> xr.Dataset:
    """Means from sums.

    Returns
    -------
    Dataset
        ``qs`` over ``first`` (and ``second``), the values of the columns: mean QS of the atoms when these are set. ``count``
        over bins of ``first_edge`` (and ``second_edge``): atoms; ``density``, the same, smoothed. Of every ``motif`` that is
        shown ``motif_n`` atoms, ``motif_qs``, their mean QS, ``motif_mean`` and ``motif_covariance`` of the columns.
    """
    names = ("first", "second")[: len(columns)]
    qs = total.qs.astype(np.float64) * QUANTUM / total.n
    bins = [f"{name}_bin" for name in names]
    edges = {
        f"{name}_edge": described(
            np.linspace(grid[0], grid[-1], BINS + 1), f"{name}_edge", f"edges of bins of {column}"
        )
        for name, grid, column in zip(names, grids, columns, strict=True)
    }
    made = {
        "qs": described(
            qs.reshape([len(grid) for grid in grids]),
            names,
            "mean QS of the atoms when the columns are set to these values",
        ),
        "count": described(total.atoms, bins, "atoms per bin"),
        "density": described(_smooth(total.atoms), bins, "atoms per bin, smoothed by Scott's rule"),
        **_of_motifs(total.motif, extent),
    }
    grid = {n: described(g.astype(np.float64), n, c) for n, g, c in zip(names, grids, columns, strict=True)}
    return xr.Dataset(made, coords=grid | edges).assign_attrs(columns=list(columns), n_sampled=total.n, n=extent.n)


def _smooth(count: np.ndarray) -> np.ndarray:
    """Atoms per bin, each spread by a Gaussian of Scott's width."""
    width = _SPREAD * max(count.sum(), 1) ** (-1.0 / (count.ndim + 4))
    return gaussian_filter(count.astype(np.float64), width, mode="constant")


def _of_motifs(found: Mapping[tuple[int, ...], np.ndarray], extent: Extent) -> dict[str, xr.Variable]:
    known = dict(found)
    frank_kasper = [known[index] for index in known if 2 * index[1] + index[2] == 12]
    shown = {_name(index): known[index] for index in _chosen(known)}
    if frank_kasper:
        shown["Frank-Kasper type (2 n4 + n5 = 12)"] = sum(frank_kasper[1:], start=frank_kasper[0])
    n_place = len(extent.low)
    width = np.where(extent.high > extent.low, extent.high - extent.low, 1.0)
    rows: dict[str, list[Any]] = {"motif_n": [], "motif_qs": [], "motif_mean": [], "motif_covariance": []}
    for sums in shown.values():
        n = int(sums[0])
        qs, *rest = sums[1:].astype(np.float64) * QUANTUM / n
        mean, square = np.array(rest[:n_place]), np.zeros((n_place, n_place))
        square[np.triu_indices(n_place)] = rest[n_place:]
        square = square + np.triu(square, 1).T
        rows["motif_n"].append(n)
        rows["motif_qs"].append(qs)
        rows["motif_mean"].append(extent.low + mean * width)
        rows["motif_covariance"].append((square - np.outer(mean, mean)) * np.outer(width, width))
    shape = {"motif_n": (), "motif_qs": (), "motif_mean": (n_place,), "motif_covariance": (n_place, n_place)}
    dims = {"motif_mean": ("axis",), "motif_covariance": ("axis", "other_axis")}
    told = {
        "motif_n": "atoms of the motif",
        "motif_qs": "their mean QS",
        "motif_mean": "mean of the columns of these atoms",
        "motif_covariance": "covariance of the columns of these atoms",
    }
    made = {
        name: described(np.array(values).reshape(len(shown), *shape[name]), ("motif", *dims.get(name, ())), told[name])
        for name, values in rows.items()
    }
    return {"motif": described(np.array(list(shown), dtype=np.str_), "motif", "Voronoi index <n3,n4,n5,n6,n7>"), **made}


def _chosen(found: Mapping[tuple[int, ...], np.ndarray]) -> list[tuple[int, ...]]:
    """Indices that are shown: the well-known ones, and the most frequent; those with as many atoms by their numbers."""
    enough = [index for index, sums in found.items() if sums[0] >= FEWEST_ATOMS]
    frequent = sorted(enough, key=lambda index: (-found[index][0], index))
    known = [index for index in SHOWN if index in enough]
    return known + [index for index in frequent if index not in known][: MOST_SHOWN - len(known)]


def _name(index: Sequence[int]) -> str:
    return f"<{','.join(map(str, index))}>"
