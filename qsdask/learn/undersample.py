"""Equal undersampling of the majority, ranked by identity."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from qsdask.errors import BadDataError, UsageError

__all__ = ["Kept", "Ranked", "kept", "undersample"]

#: First bits of a rank by which rows are counted.
_BITS = 16

#: Class, rank and tie of some rows, as of `undersample`.
Ranked = tuple[np.ndarray, np.ndarray, np.ndarray]


class Kept(NamedTuple):
    """Which rows are kept.

    Attributes
    ----------
    minority : bool
        Class of the minority, which is kept as a whole.
    rank, tie : int
        Of the last row of the majority that is kept.
    """

    minority: bool
    rank: int
    tie: int

    def of(self, y: np.ndarray, rank: np.ndarray, tie: np.ndarray) -> np.ndarray:
        """Which of some rows are kept, bool array of shape (n,); arguments as of `undersample`."""
        last = np.uint64(self.rank)
        return (y == self.minority) | (rank < last) | ((rank == last) & (tie <= self.tie))


def kept(parts: Callable[[], Iterable[Ranked]], ratio: float = 1.0) -> Kept:
    """Keep the whole minority and as many of the majority, those with the smallest rank; of rows that come in parts.

    Parameters
    ----------
    parts : callable
        Gives the parts, each time that it is called; none of them is held. No two rows share rank and tie.
    ratio : float
        As of `undersample`.

    Raises
    ------
    UsageError
        ``E-RATIO``.
    BadDataError
        ``E-ONE-CLASS``.

    Notes
    -----
    Rows are counted by the first bits of their rank; where the last one lies there are few, and these alone are ordered.
    """
    if not (np.isfinite(ratio) and ratio >= 1):
        raise UsageError(f"the undersampling ratio must be a number >= 1, got {ratio!r}", code="E-RATIO")
    counts = np.zeros((2, 1 << _BITS), dtype=np.int64)
    for y, rank, _ in parts():
        for label in (0, 1):
            counts[label] += np.bincount(_first_bits(rank[y == label]), minlength=1 << _BITS)
    n_plastic, n = int(counts[1].sum()), int(counts.sum())
    if n_plastic in (0, n):
        raise BadDataError(f"all {n} rows have one label: {n_plastic} plastic, {n - n_plastic} not", code="E-ONE-CLASS")
    minority = 2 * n_plastic <= n
    few, many = sorted((n_plastic, n - n_plastic))
    wanted, below = min(round(ratio * few), many), np.cumsum(counts[int(not minority)])
    group = int(np.searchsorted(below, wanted))
    ranks, ties = [], []
    for y, rank, tie in parts():
        there = (y != minority) & (_first_bits(rank) == group)
        ranks.append(rank[there])
        ties.append(tie[there])
    rank, tie = np.concatenate(ranks), np.concatenate(ties)
    before = int(below[group - 1]) if group else 0
    last = np.lexsort((tie, rank))[wanted - before - 1]
    return Kept(minority, int(rank[last]), int(tie[last]))


def _first_bits(rank: np.ndarray) -> np.ndarray:
    return (rank >> np.uint64(64 - _BITS)).astype(np.int64)


def undersample(y: np.ndarray, rank: np.ndarray, *, ratio: float = 1.0, tie: np.ndarray | None = None) -> np.ndarray:
    """Keep the whole minority and as many of the majority, those with the smallest rank.

    Parameters
    ----------
    y : bool array, shape (n,)
        Plastic. Rows of all training specimens together.
    rank : uint64 array, shape (n,)
        Random number of each row, from `qsdask.learn.identity_hash` or ``Table.hashes``.
    ratio : float
        Rows of the majority kept for each row of the minority; at least 1.
    tie : int array, shape (n,), optional
        Breaks ties of `rank` between specimens: the index of the specimen by ascending key.

    Returns
    -------
    int64 array, shape (m,)
        Chosen rows, ascending.

    Raises
    ------
    UsageError
        ``E-RATIO``: ratio below 1 or not finite.
    BadDataError
        ``E-ONE-CLASS``: all rows have the same label.

    Notes
    -----
    Specimens are pooled, then undersampled, as in the paper [1]_. The choice depends on the identities alone,
    not on the order of the rows. Choosing again from a table that holds only the rows once chosen (or those
    of several draws) gives the same rows: labels can be read first, and features of the chosen rows after.
    When plastic atoms are the majority they are the ones thinned out.

    References
    ----------
    .. [1] Q. Wang, A. Jain, Nat. Commun. 10, 5537 (2019), doi:10.1038/s41467-019-13511-9.
    """
    y, rank = np.asarray(y, dtype=bool), np.asarray(rank, dtype=np.uint64)
    rows = y, rank, np.zeros(len(y), dtype=np.int64) if tie is None else np.asarray(tie)
    return np.flatnonzero(kept(lambda: [rows], ratio).of(*rows))
