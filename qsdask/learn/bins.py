"""Columns as whole numbers from 0 to 255: which of some intervals a value lies in, the same for all rows of a table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["coded", "edges_of"]


def edges_of(sample: np.ndarray, most: int) -> list[np.ndarray]:
    """Edges between the intervals of every column.

    Parameters
    ----------
    sample : float32 array, shape (n, n_column)
        Rows, in any order.
    most : int
        Intervals of a column, at most.

    Returns
    -------
    list of float64 arrays
        For every column rising edges, halfway between two values that there are. Where there are no more different values
        than intervals each has its own; else every interval holds about as many rows. A column of one value has no edge.
    """
    return [_edges(np.sort(column), most) for column in sample.T]


def _edges(value: np.ndarray, most: int) -> np.ndarray:
    different, count = np.unique(value.astype(np.float64), return_counts=True)
    if len(different) > most:
        # The last value of every interval: where the rows up to it pass the next share of all.
        share = (np.cumsum(count) - 1) * most // len(value)
        last = np.flatnonzero(np.diff(share) > 0)
    else:
        last = np.arange(len(different) - 1)
    return (different[last] + different[last + 1]) / 2


def coded(value: np.ndarray, edges: Sequence[np.ndarray]) -> np.ndarray:
    """Which interval every value lies in; one on an edge belongs to what is below.

    Parameters
    ----------
    value : float32 array, shape (n, n_column)
        Rows.
    edges : sequence of float64 arrays
        As of `edges_of`, at most 255 of a column.

    Returns
    -------
    uint8 array, shape (n, n_column)
    """
    columns = [np.searchsorted(edge, column) for edge, column in zip(edges, value.T.astype(np.float64), strict=True)]
    return np.stack(columns, axis=1).astype(np.uint8) if columns else np.empty(value.shape, dtype=np.uint8)
