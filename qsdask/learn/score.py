"""Scores of a prediction: ranking, decisions, baselines, calibration."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import rankdata

from qsdask.errors import BadDataError, UsageError

__all__ = [
    "auc_roc",
    "average_precision",
    "baselines",
    "calibration",
    "decisions",
    "evaluate",
    "fold_spread",
    "prior_corrected",
]

_NAN = float("nan")


def auc_roc(y: np.ndarray, score: np.ndarray) -> float:
    """Area under the receiver operating characteristic; equal scores count half.

    Parameters
    ----------
    y : bool array, shape (n,)
        Plastic.
    score : float array, shape (n,)
        Higher means more plastic. Must be finite.

    Returns
    -------
    float
        NaN when all labels are equal: the area is then not defined.

    Raises
    ------
    BadDataError
        ``E-SCORE``: shapes differ or a score has no value.
    """
    y, score = _checked(y, score)
    n_true = int(np.count_nonzero(y))
    n_false = len(y) - n_true
    if n_true == 0 or n_false == 0:
        return _NAN
    # Ranks are halves of integers: their sum is exact up to 2^52.
    return float((rankdata(score)[y].sum() - n_true * (n_true + 1) / 2) / (n_true * n_false))


def average_precision(y: np.ndarray, score: np.ndarray) -> float:
    """Sum of precision times rise of recall over all thresholds; equal scores are one threshold.

    Parameters
    ----------
    y, score
        As in `auc_roc`.

    Returns
    -------
    float
        NaN when all labels are equal.

    Raises
    ------
    BadDataError
        ``E-SCORE``.
    """
    y, score = _checked(y, score)
    n_true = int(np.count_nonzero(y))
    if n_true in (0, len(y)):
        return _NAN
    order = np.argsort(-score, kind="stable")
    last = np.append(np.flatnonzero(np.diff(score[order])), len(y) - 1)
    hits = np.cumsum(y[order])[last]
    return float(np.sum(np.diff(hits, prepend=0) / n_true * (hits / (last + 1))))


def decisions(y: np.ndarray, score: np.ndarray, threshold: float = 0.5) -> dict[str, float]:
    """Recall, precision and F1 of calling ``score >= threshold`` plastic.

    Parameters
    ----------
    y, score
        As in `auc_roc`.
    threshold : float
        Smallest score that is called plastic.

    Returns
    -------
    dict of str to float
        ``recall``, ``precision``, ``f1``, ``called`` (fraction of atoms called plastic). NaN where the
        denominator is zero: no plastic atoms (recall), none called plastic (precision), neither (F1).

    Raises
    ------
    BadDataError
        ``E-SCORE``.
    """
    y, score = _checked(y, score)
    called = score >= threshold
    return _rates(int(np.count_nonzero(called & y)), int(np.count_nonzero(y)), int(np.count_nonzero(called)), len(y))


def baselines(y: np.ndarray) -> dict[str, dict[str, float]]:
    """Scores of the paper's three predictors that know nothing of the structure.

    Parameters
    ----------
    y : bool array, shape (n,)
        Plastic.

    Returns
    -------
    dict of str to dict of str to float
        ``random`` (each atom called plastic with probability 1/2), ``most_frequent`` and ``minority`` (always
        the more frequent and the rarer label; equal counts: not plastic is the more frequent), each with the
        names of `decisions` and ``auc``, ``average_precision``.

    Notes
    -----
    ``random`` is given as its expectation, so that it does not fluctuate: AUC 1/2, recall 1/2, and precision
    and average precision equal to the plastic fraction (in the limit of many atoms), F1 of that recall and
    precision. Constant predictors have one tied score for all atoms, thus an AUC of 1/2 by definition of
    ties. With one label only, AUC and average precision are not defined: NaN.

    References
    ----------
    .. [1] Q. Wang, A. Jain, Nat. Commun. 10, 5537 (2019), doi:10.1038/s41467-019-13511-9.
    """
    y = np.asarray(y, dtype=bool)
    n, n_true = len(y), int(np.count_nonzero(y))
    ranked = {"auc": 0.5, "average_precision": n_true / n} if 0 < n_true < n else dict.fromkeys(_RANKED, _NAN)
    nothing, everything = _rates(0, n_true, 0, n), _rates(n_true, n_true, n, n)
    plastic_is_rare = 2 * n_true <= n
    return {
        "random": {**ranked, **_rates(n_true / 2, n_true, n / 2, n)},
        "most_frequent": {**ranked, **(nothing if plastic_is_rare else everything)},
        "minority": {**ranked, **(everything if plastic_is_rare else nothing)},
    }


_RANKED = ("auc", "average_precision")


def prior_corrected(probability: np.ndarray, prior: float, *, trained_prior: float = 0.5) -> np.ndarray:
    """Undo the shift of probabilities that comes from training on a balanced sample.

    Parameters
    ----------
    probability : float array
        Probability of being plastic by a model trained on rows of which `trained_prior` were plastic.
    prior : float
        Plastic fraction of the atoms before undersampling, between 0 and 1.
    trained_prior : float
        Plastic fraction after undersampling: 1/2 for equal undersampling.

    Returns
    -------
    float64 array
        Same shape. Same order of the atoms, hence the same AUC.

    Raises
    ------
    UsageError
        ``E-PRIOR``: a fraction not strictly between 0 and 1.

    Notes
    -----
    Undersampling multiplies the odds of every atom by the same factor; Bayes' rule with prior π and trained
    prior t gives q' = q π/t / (q π/t + (1 − q)(1 − π)/(1 − t)); for t = 1/2:
    q' = q π / (q π + (1 − q)(1 − π)). The mean over models is corrected as one probability.

    References
    ----------
    .. [1] M. Saerens, P. Latinne, C. Decaestecker, Neural Comput. 14, 21 (2002),
       doi:10.1162/089976602753284446.
    """
    if not (0 < prior < 1 and 0 < trained_prior < 1):
        raise UsageError(
            f"plastic fractions must lie between 0 and 1, got {prior!r} and {trained_prior!r}", code="E-PRIOR"
        )
    q = np.asarray(probability, dtype=np.float64)
    plastic = q * (prior / trained_prior)
    return plastic / (plastic + (1 - q) * ((1 - prior) / (1 - trained_prior)))


def calibration(y: np.ndarray, probability: np.ndarray, n_bins: int = 10) -> dict[str, Any]:
    """Compare predicted probability with observed fraction in bins of equal population.

    Parameters
    ----------
    y : bool array, shape (n,)
        Plastic.
    probability : float array, shape (n,)
        Predicted. Must be finite.
    n_bins : int
        Bins wanted; equal probabilities are never divided, so there may be fewer.

    Returns
    -------
    dict
        ``predicted``, ``observed`` (float64 arrays, shape (n_bin,): mean probability and plastic fraction),
        ``n`` (int64 array, shape (n_bin,)) by rising probability, and ``error``: the expected calibration
        error Σ n |observed − predicted| / Σ n, NaN without atoms.

    Raises
    ------
    BadDataError
        ``E-SCORE``.
    """
    y, probability = _checked(y, probability)
    n = len(y)
    order = np.argsort(probability, kind="stable")
    p, hit = probability[order], y[order]
    wanted = np.arange(n_bins) * n // n_bins
    # Move every cut to the first atom of its run of equal probabilities.
    start = np.unique(np.searchsorted(p, p[wanted])) if n else np.empty(0, dtype=np.int64)
    size = np.diff(np.append(start, n))
    predicted = np.add.reduceat(p, start) / size if n else np.empty(0)
    observed = np.add.reduceat(hit.astype(np.float64), start) / size if n else np.empty(0)
    error = float(np.sum(size * np.abs(observed - predicted)) / n) if n else _NAN
    return {"predicted": predicted, "observed": observed, "n": size.astype(np.int64), "error": error}


def fold_spread(y: np.ndarray, probability: np.ndarray) -> dict[str, Any]:
    """AUC of each model, their mean and spread, and the AUC of the mean probability.

    Parameters
    ----------
    y : bool array, shape (n,)
        Plastic.
    probability : float array, shape (n_model, n)
        Of each model. Must be finite.

    Returns
    -------
    dict
        ``auc`` (float64 array, shape (n_model,)), ``mean``, ``std`` (population), ``auc_of_mean``. NaN when
        all labels are equal.

    Raises
    ------
    BadDataError
        ``E-SCORE``.
    """
    each = np.array([auc_roc(y, p) for p in probability])
    mean = np.asarray(probability, dtype=np.float64).mean(axis=0)
    return {"auc": each, "mean": float(each.mean()), "std": float(each.std()), "auc_of_mean": auc_roc(y, mean)}


def evaluate(
    y: np.ndarray, qs: np.ndarray, *, prior: float | None = None, trained_prior: float = 0.5, n_bins: int = 10
) -> dict[str, Any]:
    """Every score of a softness on a set-aside specimen.

    Parameters
    ----------
    y : bool array, shape (n,)
        Plastic.
    qs : float array, shape (n,)
        Softness. Atoms without value are left out and counted.
    prior, trained_prior : float, optional
        Plastic fractions before and after undersampling in training, for the corrected probability; without
        `prior` there is none.
    n_bins : int
        Bins of the calibration.

    Returns
    -------
    dict
        ``n_atoms``, ``n_plastic``, ``n_without_softness``, ``auc``, ``average_precision``, the names of
        `decisions`, ``baselines``, ``calibration``, ``calibration_corrected`` (with `prior`), and ``notes``:
        sentences that say which scores are not defined and why.

    Raises
    ------
    BadDataError
        ``E-SCORE``: shapes differ.
    """
    y, qs = np.asarray(y, dtype=bool), np.asarray(qs, dtype=np.float64)
    if y.shape != qs.shape or y.ndim != 1:
        raise BadDataError(f"labels {y.shape} and softness {qs.shape} must be equal rows", code="E-SCORE")
    known = np.isfinite(qs)
    y, qs = y[known], qs[known]
    n, n_true = len(y), int(np.count_nonzero(y))
    notes = []
    if n_true in (0, n):
        notes.append(f"AUC and average precision are not defined: {n_true} of {n} atoms are plastic")
    result: dict[str, Any] = {
        "n_atoms": n,
        "n_plastic": n_true,
        "n_without_softness": int(np.count_nonzero(~known)),
        "auc": auc_roc(y, qs),
        "average_precision": average_precision(y, qs),
        **decisions(y, qs),
        "baselines": baselines(y),
        "calibration": calibration(y, qs, n_bins),
    }
    for name in ("recall", "precision", "f1"):
        if np.isnan(result[name]):
            notes.append(f"{name} is not defined: {n_true} atoms are plastic, {np.count_nonzero(qs >= 0.5)} called so")
    if prior is not None:
        corrected = prior_corrected(qs, prior, trained_prior=trained_prior)
        result["calibration_corrected"] = calibration(y, corrected, n_bins)
    result["notes"] = notes
    return result


def _checked(y: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    y, score = np.asarray(y, dtype=bool), np.asarray(score, dtype=np.float64)
    if y.shape != score.shape or y.ndim != 1:
        raise BadDataError(f"labels {y.shape} and scores {score.shape} must be equal rows", code="E-SCORE")
    if not np.isfinite(score).all():
        raise BadDataError(f"{int((~np.isfinite(score)).sum())} of {len(y)} scores have no value", code="E-SCORE")
    return y, score


def _rates(hits: float, n_true: int, n_called: float, n: int) -> dict[str, float]:
    return {
        "recall": hits / n_true if n_true else _NAN,
        "precision": hits / n_called if n_called else _NAN,
        "f1": 2 * hits / (n_true + n_called) if n_true + n_called else _NAN,
        "called": n_called / n if n else _NAN,
    }
