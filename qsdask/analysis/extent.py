"""How far the columns of atoms reach, which atoms are looked at where all would be too many, and sums that add exactly."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from qsdask.analysis.counts import quanta

__all__ = ["Extent", "exact_sum", "extent_of", "hash_limit", "placed_within"]


class Extent(NamedTuple):
    """Atoms counted, and the ends of their columns.

    Attributes
    ----------
    n : int
        Atoms.
    low, high : float64 array, shape (n_column,)
        Least and greatest value; inf and -inf where no atom has one.
    """

    n: int
    low: np.ndarray
    high: np.ndarray

    def __add__(self, other: Extent) -> Extent:  # type: ignore[override]  # extents join, tuples would be strung together
        return Extent(self.n + other.n, np.minimum(self.low, other.low), np.maximum(self.high, other.high))

    def limit(self, sample: int) -> np.uint64:
        """Hash up to which atoms are taken; see `hash_limit`."""
        return hash_limit(self.n, sample)


def hash_limit(n: int, sample: int) -> np.uint64:
    """Hash up to which of `n` atoms are taken, so that they are about so many; all, where there are no more."""
    share = sample / max(n, 1)
    return np.uint64(2**64 - 1) if share >= 1 else np.uint64(int(share * 2**53) * 2**11)


def extent_of(value: np.ndarray) -> Extent:
    """Extent of the atoms of a chunk.

    Parameters
    ----------
    value : float array, shape (n, n_column)
        What is not finite is no value.
    """
    known = np.isfinite(value)
    low = value.min(axis=0, initial=np.inf, where=known)
    high = value.max(axis=0, initial=-np.inf, where=known)
    return Extent(len(value), low.astype(np.float64), high.astype(np.float64))


def placed_within(value: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Where values lie between the ends of their columns, from 0 to 1; 0 in a column that is the same everywhere.

    NaN where there is no value.
    """
    width = np.where(high > low, high - low, 1.0)
    known = np.isfinite(value)
    return (
        np.where(known, np.where(known, value, 0.0).astype(np.float64) - np.where(high >= low, low, 0.0), np.nan)
        / width
    )


def exact_sum(value: np.ndarray) -> np.ndarray:
    """Sums over the atoms of a chunk in whole quanta, without bound: object array of int, shape of a row.

    See `qsdask.analysis.counts.QUANTUM`. Whole numbers add up to the same however the atoms are cut into chunks.
    """
    return quanta(value).sum(axis=0).astype(object)
