"""The spectrum of softness block by block of space: whole-number counts from which it can be drawn again with whole blocks.

Atoms of one neighbourhood become plastic together, and are alike in softness: intervals that take them as independent are too
narrow. What is drawn again are blocks; here is what is counted in each, and what follows from the sum of some of them.
"""

from __future__ import annotations

import numpy as np

from qsdask.analysis import distribution
from qsdask.analysis.counts import N_FINE, QUANTUM, coarse, fine_bin, quanta
from qsdask.analysis.spectrum import D2_EDGES, HALF_WINDOW, balanced, checked_d2
from qsdask.settings.defaults import HARD_BELOW, SOFT_ABOVE

__all__ = ["N_BIN", "N_WIDE", "by_block", "quantities"]

#: Bins of the distribution and of probabilities, as of `qsdask.analysis.spectrum.finalise`.
N_BIN, N_WIDE = 50, 20

#: D2 is summed in whole multiples of this: 2^47 angstrom^2 in a block, each atom good to 1e-5.
_D2_QUANTUM = 2.0**-16

_FINE = 100
_PARTS = ("all", "hard", "soft", "predicted")


def by_block(
    qs: np.ndarray,
    d2: np.ndarray,
    valid: np.ndarray,
    threshold: float,
    block: np.ndarray,
    *,
    hard: float = HARD_BELOW,
    soft: float = SOFT_ABOVE,
    predicted: float = 0.5,
    d2_edges: np.ndarray = D2_EDGES,
) -> dict[int, np.ndarray]:
    """Count a chunk of atoms in blocks.

    Parameters
    ----------
    qs, d2, valid, threshold, hard, soft, predicted, d2_edges
        As of `qsdask.analysis.spectrum.partial`.
    block : int64 array, shape (n_atom,)
        Block of each atom.

    Returns
    -------
    dict of int to int64 array, shape (n_column,)
        By block; counts of chunks add up. See `quantities` for what is in them.

    Raises
    ------
    QSDaskError
        As of `qsdask.analysis.spectrum.partial`.
    """
    qs, d2, observed = checked_d2(qs, d2, valid)
    different, place = np.unique(block, return_inverse=True)
    known, plastic = np.isfinite(qs), observed & (d2 > threshold)
    parts = distribution.parts_of(qs, hard, soft, predicted)
    fine = fine_bin(qs, N_FINE) // (N_FINE // _FINE)
    moved = np.where(observed, d2, 0.0)
    d2_bin = np.searchsorted(d2_edges, moved, side="right")
    weight = quanta(qs)

    def tally(mask: np.ndarray, index: np.ndarray, n: int) -> np.ndarray:
        return np.bincount(place[mask] * n + index[mask], minlength=len(different) * n).reshape(-1, n)

    def total(mask: np.ndarray, value: np.ndarray) -> np.ndarray:
        sums = np.zeros((len(different), 1), dtype=np.int64)
        np.add.at(sums[:, 0], place[mask], value[mask])
        return sums

    one, n_d2 = np.ones(len(qs), dtype=np.int64), len(d2_edges) + 1
    square, whole = weight * weight >> 30, np.rint(moved / _D2_QUANTUM).astype(np.int64)
    columns = [
        tally(known, fine, _FINE),
        tally(observed, fine, _FINE),
        tally(plastic, fine, _FINE),
        tally(observed, d2_bin, n_d2),
        tally(observed & parts["predicted"], d2_bin, n_d2),
        total(known, weight),
        total(known, square),
        total(plastic & parts["predicted"], one),
        *(
            total(mask & also, value)
            for mask in parts.values()
            for also, value in ((known, one), (observed, one), (observed, whole))
        ),
    ]
    return dict(zip(different.tolist(), np.concatenate(columns, axis=1), strict=True))


def quantities(count: np.ndarray) -> dict[str, np.ndarray]:
    """What follows from sums of counts of blocks.

    Parameters
    ----------
    count : float64 array, shape (n_draw, n_column)
        Sums of the results of `by_block`.

    Returns
    -------
    dict of str to float64 array, shape (n_draw, ...)
        By the names that `qsdask.analysis.spectrum.finalise` gives them, which finds the same of all blocks together; NaN
        where there are no atoms.
    """
    n_part = len(_PARTS)
    n_d2 = (count.shape[1] - 3 * _FINE - 3 - 3 * n_part) // 2
    widths = [_FINE, _FINE, _FINE, n_d2, n_d2, 1, 1, 1, 3 * n_part]
    usable, observed, plastic, d2, d2_predicted, qs, square, hit, of_part = np.split(
        count, np.cumsum(widths)[:-1], axis=1
    )
    number = usable.sum(axis=1)
    part = of_part.reshape(-1, n_part, 3)
    first, last = round((0.5 - HALF_WINDOW) * _FINE), round((0.5 + HALF_WINDOW) * _FINE)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = qs[:, 0] / number * QUANTUM
        prevalence = plastic.sum(axis=1) / observed.sum(axis=1)
        trials, hits = coarse(observed, N_WIDE), coarse(plastic, N_WIDE)
        chance = hits / trials
        window = plastic[:, first:last].sum(axis=1) / observed[:, first:last].sum(axis=1)
        found = {
            "qs_mean": mean,
            "qs_std": np.sqrt(np.maximum(square[:, 0] / number * QUANTUM - mean**2, 0.0)),
            "qs_density": coarse(usable, N_BIN) * N_BIN / number[:, None],
            "p_plastic_all": prevalence,
            "p_plastic": chance,
            "p_ratio": chance / prevalence[:, None],
            "p_ratio_half": window / prevalence,
            "p_balanced": balanced(chance, prevalence[:, None]),
            "p_predicted": d2_predicted / d2,
            "recall": hit[:, 0] / plastic.sum(axis=1),
        }
        for k, name in enumerate(_PARTS):
            found[f"fraction_{name}"] = part[:, k, 0] / number
            found[f"d2_mean_{name}"] = part[:, k, 2] * _D2_QUANTUM / part[:, k, 1]
    return found
