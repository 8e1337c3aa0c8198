"""Equal undersampling of the majority, ranked by identity."""

from __future__ import annotations

import numpy as np

from qsdask.errors import BadDataError, UsageError

__all__ = ["undersample"]


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
    if not (np.isfinite(ratio) and ratio >= 1):
        raise UsageError(f"the undersampling ratio must be a number >= 1, got {ratio!r}", code="E-RATIO")
    y = np.asarray(y, dtype=bool)
    n_plastic = int(np.count_nonzero(y))
    if n_plastic in (0, len(y)):
        raise BadDataError(
            f"all {len(y)} rows have one label: {n_plastic} plastic, {len(y) - n_plastic} not", code="E-ONE-CLASS"
        )
    minority = y if 2 * n_plastic <= len(y) else ~y
    few, many = np.flatnonzero(minority), np.flatnonzero(~minority)
    keys = (rank[many],) if tie is None else (np.asarray(tie)[many], rank[many])
    kept = many[np.lexsort(keys)[: round(ratio * len(few))]]
    return np.sort(np.concatenate([few, kept]))
