"""In which columns hard and soft atoms differ: counts of both classes in bins of a column, and effect sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr

from qsdask.analysis.counts import QUANTUM, auc_of_counts, described
from qsdask.analysis.distance import add
from qsdask.analysis.extent import exact_sum

__all__ = ["CLASSES", "Counts", "area", "edges_of", "finalise", "partial"]

CLASSES = ("hard", "soft")

#: Bins of a column, equally full where values are many: an area under a curve is then good to half of a 128th.
N_BIN = 128


class Counts(NamedTuple):
    """Atoms of both classes counted.

    Attributes
    ----------
    blocks : dict of int to int64 array, shape (n_column * 2 * N_BIN,)
        By block of space: atoms by column, class and bin.
    sums : object array of int, shape (2, n_column, 3)
        By class: atoms with a value, and in quanta the sums of the values and of their squares.
    """

    blocks: dict[int, np.ndarray]
    sums: np.ndarray

    def __add__(self, other: Counts) -> Counts:  # type: ignore[override]  # counts add up, tuples would join
        return Counts(add(self.blocks, other.blocks), self.sums + other.sums)


def edges_of(value: np.ndarray) -> np.ndarray:
    """Edges of the bins of a column.

    Parameters
    ----------
    value : float array, shape (n,)
        Of some of the atoms; what is not finite is no value.

    Returns
    -------
    float64 array, shape (N_BIN + 1,)
        Least and greatest value, and between them quantiles, or the middles between values where there are few different ones;
        the greatest again and again where they are fewer still. NaN without values.
    """
    value = value[np.isfinite(value)].astype(np.float64)
    edges = np.full(N_BIN + 1, np.nan)
    if not len(value):
        return edges
    different = np.unique(value)
    if len(different) <= N_BIN:
        inner = (different[1:] + different[:-1]) / 2.0
    else:
        inner = np.unique(np.quantile(value, np.arange(1, N_BIN) / N_BIN))
    edges[:] = different[-1]
    edges[0] = different[0]
    edges[1 : len(inner) + 1] = inner
    return edges


def partial(value: np.ndarray, soft: np.ndarray, edges: np.ndarray, block: np.ndarray) -> Counts:
    """Count the hard and soft atoms of a chunk.

    Parameters
    ----------
    value : float array, shape (n, n_column)
        What is not finite is no value.
    soft : bool array, shape (n,)
        Soft; hard otherwise.
    edges : float64 array, shape (n_column, N_BIN + 1)
        Of `edges_of`. What lies beyond the ends is in the outermost bins.
    block : int64 array, shape (n,)
        Block of space of each atom.
    """
    n_column = value.shape[1]
    different, place = np.unique(block, return_inverse=True)
    count = np.zeros((len(different), n_column, 2, N_BIN), dtype=np.int64)
    for k in range(n_column):
        known = np.isfinite(value[:, k])
        at = np.searchsorted(edges[k, 1:-1], value[known, k].astype(np.float64), side="right")
        np.add.at(count[:, k], (place[known], soft[known].astype(np.int64), at), 1)
    sums = np.empty((2, n_column, 3), dtype=object)
    for side in (0, 1):
        mine = value[soft == bool(side)].astype(np.float64)
        sums[side, :, 0] = np.isfinite(mine).sum(axis=0).astype(object)
        sums[side, :, 1], sums[side, :, 2] = exact_sum(mine), exact_sum(mine**2)
    return Counts(dict(zip(different.tolist(), count.reshape(len(different), n_column * 2 * N_BIN), strict=True)), sums)


def area(count: np.ndarray) -> np.ndarray:
    """Chance that a soft atom has the larger value, ties counted half, from counts, shape (..., 2, N_BIN)."""
    return auc_of_counts(count[..., 1, :], count[..., 0, :])[0]


def finalise(total: Counts, columns: Sequence[str], meanings: Sequence[str], edges: np.ndarray) -> xr.Dataset:
    """Effect sizes of all columns, the most separating first.

    Returns
    -------
    Dataset
        Over ``column``: ``auc`` (chance that a soft atom has the larger value), ``separation`` (twice its distance from one half:
        1 where the classes do not overlap), ``cohen_d`` (difference of the means by the pooled standard deviation), of each class
        ``mean``, ``std``, ``median`` and ``n_known``; ``count`` in bins with ``edges``. NaN where a class has no atom.
    """
    count = np.sum(list(total.blocks.values()), axis=0).reshape(len(columns), 2, N_BIN)
    auc = area(count)
    number = total.sums[..., 0].astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = total.sums[..., 1].astype(np.float64) * QUANTUM / number
        spread = np.sqrt(np.maximum(total.sums[..., 2].astype(np.float64) * QUANTUM / number - mean**2, 0.0))
        pooled = np.sqrt((number * spread**2).sum(axis=0) / (number.sum(axis=0) - 2.0))
        cohen = (mean[1] - mean[0]) / pooled
    order = np.argsort(np.where(np.isnan(auc), 0.0, -np.abs(auc - 0.5)), kind="stable")
    both = ("class", "column")
    found = xr.Dataset(
        {
            "auc": described(auc, "column", "chance that a soft atom has the larger value than a hard one"),
            "separation": described(
                2.0 * np.abs(auc - 0.5), "column", "1 where the classes do not overlap, 0 where they are alike"
            ),
            "cohen_d": described(
                cohen, "column", "mean of soft less mean of hard atoms, by the pooled standard deviation"
            ),
            "mean": described(mean, both, "mean"),
            "std": described(spread, both, "standard deviation"),
            "median": described(_medians(count, edges).T, both, "median, within its bin"),
            "n_known": described(number.astype(np.int64), both, "atoms with a value"),
            "count": described(count, ("column", "class", "bin"), "atoms per bin"),
            "edges": described(edges, ("column", "edge"), "edges of the bins"),
        },
        {
            "column": described(np.array(list(columns)), "column", "name of the column"),
            "meaning": described(np.array(list(meanings)), "column", "what it means"),
            "class": described(np.array(CLASSES), "class", "class of the atoms"),
        },
    )
    return found.isel(column=order)


def _medians(count: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Medians by column and class, between the edges of their bin."""
    below = np.cumsum(count, axis=-1)
    half = below[..., -1:] / 2.0
    at = np.minimum((below < half).sum(axis=-1), count.shape[-1] - 1)
    low, high = (
        np.take_along_axis(edges[:, None, k : k + N_BIN].repeat(2, axis=1), at[..., None], -1)[..., 0] for k in (0, 1)
    )
    mine = np.take_along_axis(count, at[..., None], -1)[..., 0]
    before = np.take_along_axis(below, at[..., None], -1)[..., 0] - mine
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(half[..., 0] > 0, low + (high - low) * (half[..., 0] - before) / mine, np.nan)
