"""Whole-number counts that every reduction over atoms is made of.

A reduction is a monoid: each chunk of atoms gives a Dataset of int64 counts, two of them add up, and only the
total is turned into means, fractions and scores. Integers add exactly, so the cut into chunks and the order
of adding cannot change a single bit of the result. Sums of real numbers are kept as multiples of a fixed
quantum for the same reason.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy.special import ndtri

from qsdask.errors import BadDataError, UsageError
from qsdask.units import ANGSTROM, renamed, told_in

__all__ = [
    "N_FINE",
    "QUANTUM",
    "auc_of_counts",
    "checked_softness",
    "coarse",
    "combine",
    "described",
    "fine_bin",
    "in_length",
    "quanta",
    "quantile_of_counts",
    "wilson_interval",
]

#: Fine bins of QS over [0, 1]: 0.1, 0.5 and 0.7 are edges, and they unite into the 50 bins and 200 cuts
#: drawn.
N_FINE = 4000

#: Sums of QS are whole multiples of this: exact addition up to 8e9 atoms at a resolution of 1e-9.
QUANTUM = 2.0**-30


def checked_softness(qs: np.ndarray) -> np.ndarray:
    """QS as float64, checked.

    Parameters
    ----------
    qs : float array, shape (n_atom,)
        Quench-in softness; NaN marks atoms that are not to be used. No unit.

    Returns
    -------
    float64 array, shape (n_atom,)

    Raises
    ------
    BadDataError
        ``E-QS-RANGE`` when a value lies outside [0, 1].
    """
    qs = np.asarray(qs, dtype=np.float64)
    outside = np.flatnonzero((qs < 0.0) | (qs > 1.0))
    if outside.size:
        raise BadDataError(
            f"QS must be a probability between 0 and 1, or NaN; {outside.size} of {qs.size} are not, "
            f"the first is {float(qs[outside[0]])!r} in row {outside[0]}",
            code="E-QS-RANGE",
            why="the array is probably not the output of `qsdask predict`",
        )
    return qs


def fine_bin(qs: np.ndarray, n_fine: int) -> np.ndarray:
    """Index of the fine bin of each QS, int64, shape of `qs`; QS = 1 is in the last bin, NaN gives -1."""
    known = np.isfinite(qs)
    index = np.minimum((np.where(known, qs, 0.0) * n_fine).astype(np.int64), n_fine - 1)
    return np.where(known, index, -1)


def coarse(count: np.ndarray, n_bin: int) -> np.ndarray:
    """Counts of fine bins, shape (..., n_fine), united into `n_bin` wider ones, which must divide their number."""
    return count.reshape(*count.shape[:-1], n_bin, -1).sum(axis=-1)


def quanta(qs: np.ndarray) -> np.ndarray:
    """QS as whole multiples of `QUANTUM`, int64, shape of `qs`; NaN gives 0."""
    return np.rint(np.where(np.isfinite(qs), qs, 0.0) / QUANTUM).astype(np.int64)


def described(value, dims, long_name: str, units: str = "1") -> xr.Variable:
    """A variable that carries its unit and its meaning."""
    return xr.Variable(dims, value, {"units": units, "long_name": long_name})


def in_length(found: xr.Dataset, length: str) -> xr.Dataset:
    """An answer that speaks of angstrom, for a store whose lengths have another unit: no number changes.

    Parameters
    ----------
    found : Dataset
        Of a question to a store.
    length : str
        Unit of the lengths of the store.

    Returns
    -------
    Dataset
        With units, meanings, and names of attributes in that unit, which the attribute ``length`` names; unchanged when it
        is the angstrom.
    """
    if length == ANGSTROM:
        return found
    made = found.copy()
    made.attrs = {renamed(str(name), length): value for name, value in found.attrs.items()} | {"length": length}
    for variable in made.variables.values():
        for name in ("units", "long_name"):
            if name in variable.attrs:
                variable.attrs[name] = told_in(variable.attrs[name], length)
    return made


def combine(first: xr.Dataset, second: xr.Dataset) -> xr.Dataset:
    """Sum of two partial results; associative, commutative, exact.

    Parameters
    ----------
    first, second : Dataset
        Results of the same `partial` with the same settings, over different atoms.

    Returns
    -------
    Dataset
        The partial result over the atoms of both.

    Raises
    ------
    UsageError
        ``E-PART-MISMATCH`` when the two were made with different steps, bins or settings.
    """
    differing = [k for k in {**first.attrs, **second.attrs} if first.attrs.get(k) != second.attrs.get(k)]
    for name in {**first.coords, **second.coords}:
        if name not in first.coords or name not in second.coords or not first[name].equals(second[name]):
            differing.append(name)
    if differing or dict(first.sizes) != dict(second.sizes) or set(first.data_vars) != set(second.data_vars):
        raise UsageError(
            "partial results with different settings cannot be added; they differ in "
            f"{sorted(map(str, differing))}, sizes {dict(first.sizes)} and {dict(second.sizes)}",
            code="E-PART-MISMATCH",
        )
    total = {
        name: (first[name].dims, first[name].values + second[name].values, first[name].attrs)
        for name in first.data_vars
    }
    return xr.Dataset(total, first.coords, first.attrs)


def auc_of_counts(positive: np.ndarray, negative: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Area under the ROC curve from histograms of the score of the two classes.

    Parameters
    ----------
    positive, negative : int64 array, shape (..., n_fine)
        Numbers of atoms of each class per bin of rising score.

    Returns
    -------
    auc : float64 array, shape (...)
        Probability that a positive scores above a negative, ties counted half; atoms of one bin are ties.
        NaN when a class is empty.
    resolution : float64 array, shape (...)
        Largest possible distance to the AUC of unbinned scores: half the fraction of pairs that share a bin.
    std_error : float64 array, shape (...)
        DeLong's standard error with atoms taken as independent. NaN when a class has fewer than two atoms.

    References
    ----------
    DeLong, DeLong & Clarke-Pearson, Biometrics 44, 837 (1988), doi:10.2307/2531595
    """
    n_positive = positive.sum(axis=-1)
    n_negative = negative.sum(axis=-1)
    # Twice the number of beaten opponents, a tie as one: whole numbers, exact below 4e9 atoms.
    negative_beaten = 2 * np.cumsum(negative, axis=-1) - negative
    positive_unbeaten = 2 * n_positive[..., None] - 2 * np.cumsum(positive, axis=-1) + positive
    with np.errstate(divide="ignore", invalid="ignore"):
        pairs = n_positive.astype(np.float64) * n_negative
        auc = (positive * negative_beaten).sum(axis=-1) / pairs / 2.0
        resolution = (positive * negative).sum(axis=-1) / pairs / 2.0
        spread_positive = _variance(negative_beaten / n_negative[..., None] / 2.0, positive, auc)
        spread_negative = _variance(positive_unbeaten / n_positive[..., None] / 2.0, negative, auc)
        std_error = np.sqrt(spread_positive / n_positive + spread_negative / n_negative)
    known = (n_positive > 0) & (n_negative > 0)
    estimable = (n_positive > 1) & (n_negative > 1)
    return (np.where(known, auc, np.nan), np.where(known, resolution, np.nan), np.where(estimable, std_error, np.nan))


def _variance(value, weight, mean):
    """Sample variance of binned values about their known mean."""
    return (weight * (value - mean[..., None]) ** 2).sum(axis=-1) / (weight.sum(axis=-1) - 1)


def quantile_of_counts(count: np.ndarray, quantile: np.ndarray) -> np.ndarray:
    """Quantiles of QS from fine histograms, linear inside a bin.

    Parameters
    ----------
    count : int64 array, shape (n_step, n_fine)
        Atoms per bin of [0, 1].
    quantile : float64 array, shape (n_quantile,)
        Between 0 and 1.

    Returns
    -------
    float64 array, shape (n_step, n_quantile)
        Within one bin width of the exact quantile; NaN for an empty histogram.
    """
    n_fine = count.shape[-1]
    result = np.full((len(count), len(quantile)), np.nan)
    for step, row in enumerate(count):
        cumulative = np.cumsum(row)
        if cumulative[-1] == 0:
            continue
        target = np.asarray(quantile) * cumulative[-1]
        # The first bin that reaches the target has atoms in it, but for a target of zero.
        index = np.maximum(np.searchsorted(cumulative, target, side="left"), np.flatnonzero(row)[0])
        inside = (target - (cumulative[index] - row[index])) / row[index]
        result[step] = (index + inside) / n_fine
    return result


def wilson_interval(success: np.ndarray, trials: np.ndarray, confidence: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Wilson score interval of a binomial fraction.

    Parameters
    ----------
    success, trials : int64 array, shape (n,)
        Numbers of hits and of atoms looked at.
    confidence : float
        Probability that the interval covers the true fraction.

    Returns
    -------
    low, high : float64 array, shape (n,)
        NaN where there are no trials.

    References
    ----------
    Wilson, J. Am. Stat. Assoc. 22, 209 (1927), doi:10.1080/01621459.1927.10502953
    """
    z = ndtri(0.5 + confidence / 2.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        fraction = success / trials
        scale = 1.0 + z * z / trials
        centre = (fraction + z * z / (2.0 * trials)) / scale
        half = z / scale * np.sqrt(fraction * (1.0 - fraction) / trials + (z / (2.0 * trials)) ** 2)
    # At no and at n hits the ends are 0 and 1 up to rounding: the fraction must not fall outside.
    low = np.minimum(np.maximum(centre - half, 0.0), fraction)
    return low, np.maximum(np.minimum(centre + half, 1.0), fraction)
