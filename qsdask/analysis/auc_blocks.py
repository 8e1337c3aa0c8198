"""How well QS ranks the atoms that become plastic, block by block of space: counts from which its AUC can be drawn again.

Neighbours become plastic together: an error of the AUC that takes atoms as independent is too small.
"""

from __future__ import annotations

import numpy as np

from qsdask.analysis.counts import auc_of_counts, fine_bin

__all__ = ["KINDS", "areas", "by_block"]

#: What is ranked, by the ending of its names in `qsdask.analysis.activation`: plastic atoms among all that are observed, and newly
#: plastic ones among those at risk.
KINDS = ("", "_newly")

#: Bins of QS: ties within them change an AUC by less than a hundredth of its interval.
_FINE = 128


def by_block(
    qs: np.ndarray, d2: np.ndarray, valid: np.ndarray, threshold: float, block: np.ndarray
) -> dict[int, np.ndarray]:
    """Count a chunk of atoms by block of space, step and QS.

    Parameters
    ----------
    qs, d2, valid, threshold, block
        As of `qsdask.analysis.crossover.by_block`; every QS is known.

    Returns
    -------
    dict of int to int64 array, shape (n_step * n_kind * 2 * n_bin,)
        By block: for each step and each of `KINDS` the atoms that are so, and the others; counts of chunks add up.
    """
    different, place = np.unique(block, return_inverse=True)
    index = place * _FINE + fine_bin(qs, _FINE)
    n, activated = len(different) * _FINE, np.zeros(len(qs), dtype=bool)
    found = np.zeros((len(different), len(d2), len(KINDS), 2, _FINE), dtype=np.int64)
    for step in range(len(d2)):
        observed = np.asarray(valid[step], dtype=bool) & np.isfinite(d2[step])
        plastic = observed & (d2[step] > threshold)
        for kind, among in enumerate((observed, observed & ~activated)):
            for other, mask in enumerate((among & plastic, among & ~plastic)):
                found[:, step, kind, other] = np.bincount(index[mask], minlength=n).reshape(-1, _FINE)
        activated |= plastic
    return dict(zip(different.tolist(), found.reshape(len(different), -1), strict=True))


def areas(count: np.ndarray) -> np.ndarray:
    """AUC of sums of counts of blocks.

    Parameters
    ----------
    count : float64 array, shape (n_draw, n_kind * 2 * n_bin)
        Sums of what `by_block` counted at one step.

    Returns
    -------
    float64 array, shape (n_draw, n_kind)
        NaN where there are atoms of one kind only.
    """
    positive, negative = np.moveaxis(count.reshape(len(count), len(KINDS), 2, _FINE), 2, 0)
    return auc_of_counts(positive, negative)[0]
