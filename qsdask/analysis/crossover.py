"""Where a glass goes over from scattered rearrangements of soft atoms to shear bands: localisation by strain, and change points.

Two things change there: plastic atoms are no longer softer than those at risk, and rearrangements gather in a part of the glass.
Both are followed along the strain, and broken lines are fitted to them, with breaks at the same strains.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import NamedTuple

import numpy as np

from qsdask.analysis.counts import QUANTUM, checked_softness, quanta

__all__ = ["FEWEST", "NAMES", "SERIES", "Breaks", "breaks_of", "by_block", "series"]

#: What is followed along the strain, with its meaning.
NAMES = {
    "qs_excess": "mean QS of the newly plastic atoms less that of the atoms at risk",
    "localisation_d2": "localisation of D2 in blocks of space: 0 where all have the same mean, towards 1 where one has all",
    "localisation_plastic": "localisation of plastic atoms: their correlation within blocks of space, 0 where they are spread at random",
}

#: By which of these breaks are found.
SERIES = ("qs_excess", "localisation_d2", "localisation_plastic")

#: Newly plastic atoms below which their mean softness says nothing.
FEWEST = 10

#: D2 is summed in whole multiples of this; see `qsdask.analysis.spectrum_blocks`.
_D2_QUANTUM = 2.0**-16

#: Points on either side of a break, at least.
_APART = 2

_COLUMNS = 7


class Breaks(NamedTuple):
    """Strains at which lines break.

    Attributes
    ----------
    at : float64 array, shape (n_break,)
        Strains, rising; 0, 1 or 2 of them, as many as pay by the Bayesian information criterion.
    drawn : float64 array, shape (n_draw, n_break)
        The same of every draw.
    fit : float64 array, shape (n_series, n)
        The lines.
    """

    at: np.ndarray
    drawn: np.ndarray
    fit: np.ndarray


def by_block(
    qs: np.ndarray, d2: np.ndarray, valid: np.ndarray, threshold: float, block: np.ndarray
) -> dict[int, np.ndarray]:
    """Count a chunk of atoms by block of space and step.

    Parameters
    ----------
    qs, d2, valid, threshold
        As of `qsdask.analysis.activation.partial`: all steps of the atoms of a chunk.
    block : int64 array, shape (n_atom,)
        Block of each atom before any strain.

    Returns
    -------
    dict of int to int64 array, shape (n_step * 7,)
        By block: atoms observed, plastic, newly plastic with the sum of their QS, at risk likewise, and the sum of D2; counts
        of chunks add up.
    """
    qs = checked_softness(qs)
    known, weight = np.isfinite(qs), quanta(qs)
    different, place = np.unique(block, return_inverse=True)
    found = np.zeros((len(different), len(d2), _COLUMNS), dtype=np.int64)
    activated = np.zeros(len(qs), dtype=bool)
    one = np.ones(len(qs), dtype=np.int64)
    for step in range(len(d2)):
        observed = known & np.asarray(valid[step], dtype=bool) & np.isfinite(d2[step])
        plastic = observed & (d2[step] > threshold)
        moved = np.rint(np.where(observed, d2[step], 0.0) / _D2_QUANTUM).astype(np.int64)
        newly, at_risk = plastic & ~activated, observed & ~activated
        told = (
            (observed, one),
            (plastic, one),
            (newly, one),
            (newly, weight),
            (at_risk, one),
            (at_risk, weight),
            (observed, moved),
        )
        for column, (mask, value) in enumerate(told):
            np.add.at(found[:, step, column], place[mask], value[mask])
        activated |= plastic
    return dict(zip(different.tolist(), found.reshape(len(different), len(d2) * _COLUMNS), strict=True))


def series(blocks: Mapping[int, np.ndarray], times: np.ndarray, n_step: int) -> dict[str, np.ndarray]:
    """What is followed along the strain.

    Parameters
    ----------
    blocks : mapping of int to int64 array
        Sum of the results of `by_block`.
    times : float64 array, shape (n_draw, n_block)
        How often each block, by rising number, is in each draw.
    n_step : int
        Steps.

    Returns
    -------
    dict of str to float64 array, shape (n_draw, n_step)
        By the names of `NAMES`. NaN where there are too few newly plastic atoms, or too few blocks.

    Notes
    -----
    Localisation of plastic atoms is the intraclass correlation of a one-way analysis of variance. That of D2 is 1 - P, where P is
    the participation ratio of the mean D2 of the blocks, weighted by their atoms.

    References
    ----------
    R. A. Fisher, Statistical Methods for Research Workers (1925); A. Donner, Int. Stat. Rev. 54, 67 (1986), doi:10.2307/1403259.
    """
    count = np.array([blocks[k] for k in sorted(blocks)], dtype=np.float64).reshape(len(blocks), n_step, _COLUMNS)
    n, plastic, newly, qs_newly, risk, qs_risk, d2 = np.moveaxis(count, -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(n > 0, plastic**2 / n, 0.0), np.where(n > 0, d2**2 / n, 0.0)
        total, hit, square, even, energy, own, new, qs_new, some, qs_some = (
            times @ value for value in (n, plastic, ratio[0], n**2, ratio[1], d2, newly, qs_newly, risk, qs_risk)
        )
        drawn = times @ (n > 0)
        between = (square - hit**2 / total) / (drawn - 1.0)
        within = (hit - square) / (total - drawn)
        size = (total - even / total) / (drawn - 1.0)
        return {
            "qs_excess": np.where(new >= FEWEST, (qs_new / new - qs_some / some) * QUANTUM, np.nan),
            "localisation_d2": np.where(own > 0, 1.0 - own**2 / (total * energy), np.nan),
            "localisation_plastic": (between - within) / (between + (size - 1.0) * within),
        }


def breaks_of(strain: np.ndarray, value: np.ndarray, spread: np.ndarray, draws: np.ndarray) -> Breaks:
    """Strains at which lines through several series break, the same for all.

    Parameters
    ----------
    strain : float64 array, shape (n,)
        Rising.
    value, spread : float64 array, shape (n_series, n)
        What is fitted, and its standard error.
    draws : float64 array, shape (n_series, n_draw, n)
        The same of draws of blocks; they are fitted with as many breaks.

    Returns
    -------
    Breaks

    Notes
    -----
    Lines are continuous, breaks are at strains of frames, by least squares over all pairs of them. Errors of neighbouring steps
    go together; taking them as apart makes breaks pay a little too seldom.

    References
    ----------
    J. Bai, P. Perron, Econometrica 66, 47 (1998), doi:10.2307/2998540 (several breaks by least squares);
    G. Schwarz, Ann. Stat. 6, 461 (1978), doi:10.1214/aos/1176344136 (criterion).
    """
    n_series, n = value.shape
    places = range(_APART, n - _APART)
    weight = 1.0 / spread
    every = np.concatenate([value[:, None], draws], axis=1) * weight[:, None]
    whole = (every**2).sum(axis=(0, 2))
    best: tuple[float, tuple[int, ...]] = (np.inf, ())
    rest: dict[tuple[int, ...], np.ndarray] = {}
    for n_break in range(3):
        choices = [c for c in combinations(places, n_break) if n_break < 2 or c[1] - c[0] >= _APART]
        for chosen in choices:
            rest[chosen] = whole - sum(
                ((every[k] @ _basis(strain, chosen, weight[k])) ** 2).sum(axis=1) for k in range(n_series)
            )
            cost = (2 + n_break) * n_series + n_break
            criterion = float(rest[chosen][0]) + cost * np.log(n * n_series)
            best = min(best, (criterion, chosen))
    chosen = best[1]
    fit = np.empty_like(value)
    for k in range(n_series):
        basis = _basis(strain, chosen, weight[k])
        fit[k] = basis @ (basis.T @ every[k, 0]) / weight[k]
    alike = [c for c in rest if len(c) == len(chosen)]
    least = np.argmin([rest[c][1:] for c in alike], axis=0)
    drawn = strain[np.array([alike[k] for k in least], dtype=np.int64).reshape(len(least), len(chosen))]
    return Breaks(strain[list(chosen)], drawn, fit)


def _basis(strain: np.ndarray, chosen: tuple[int, ...], weight: np.ndarray) -> np.ndarray:
    """Orthonormal columns that span the weighted broken lines."""
    columns = [np.ones_like(strain), strain, *(np.maximum(strain - strain[k], 0.0) for k in chosen)]
    return np.linalg.qr(np.stack(columns, axis=1) * weight[:, None])[0]
