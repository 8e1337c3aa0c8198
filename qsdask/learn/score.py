"""Scores of a prediction: ranking, decisions, baselines, calibration; all from counts of atoms, see `Tally`."""

from __future__ import annotations

from typing import Any

import numpy as np

from qsdask.errors import UsageError
from qsdask.learn import measures
from qsdask.learn.tally import Tally

__all__ = [
    "auc_roc",
    "average_precision",
    "baselines",
    "calibration",
    "decisions",
    "evaluate",
    "precision_recall",
    "prior_corrected",
]

_NAN = float("nan")


def auc_roc(tally: Tally) -> float:
    """Area under the receiver operating characteristic; equal scores count half.

    Parameters
    ----------
    tally : Tally
        Atoms by score and label.

    Returns
    -------
    float
        NaN when all labels are equal: the area is then not defined.
    """
    return float(measures.area(tally.plastic, tally.other))


def average_precision(tally: Tally) -> float:
    """Sum of precision times rise of recall over all thresholds; equal scores are one threshold.

    Parameters
    ----------
    tally : Tally
        Atoms by score and label.

    Returns
    -------
    float
        NaN when all labels are equal.
    """
    return float(measures.average_precision(tally.plastic, tally.other))


def decisions(tally: Tally, threshold: float = 0.5) -> dict[str, float]:
    """Recall, precision, F1 and Matthews' correlation of calling ``score >= threshold`` plastic.

    Parameters
    ----------
    tally : Tally
        Atoms by score and label.
    threshold : float
        Smallest score that is called plastic.

    Returns
    -------
    dict of str to float
        ``recall``, ``precision``, ``f1``, ``called`` (fraction of atoms called plastic), ``mcc``. NaN where the
        denominator is zero: no plastic atoms (recall), none called plastic (precision), neither (F1); all alike, or all
        called alike (MCC).
    """
    called = tally.score >= threshold
    decision = int(tally.plastic[called].sum()), tally.n_plastic, int(tally.atoms[called].sum()), tally.n_atom
    return {**_rates(*decision), "mcc": float(measures.matthews(*decision))}


def precision_recall(tally: Tally, n_point: int = 200) -> dict[str, np.ndarray]:
    """Precision against recall, thinned to equal rises of recall.

    Parameters
    ----------
    tally : Tally
        Atoms by score and label.
    n_point : int
        Points at most.

    Returns
    -------
    dict of str to float64 array, shape (n,)
        ``recall`` (rising), ``precision``, and ``threshold``: the score at and above which atoms are called plastic. Each
        is the first point at which recall reaches a multiple of 1 / `n_point`. Empty without plastic atoms.
    """
    if not tally.n_plastic:
        return {name: np.empty(0) for name in ("recall", "precision", "threshold")}
    precision, recall = (rate[::-1] for rate in measures.precision_recall(tally.plastic, tally.other))
    # Multiples are compared as whole numbers of atoms.
    found = np.cumsum(tally.plastic[::-1])
    wanted = np.arange(1, n_point + 1) * tally.n_plastic
    first = np.unique(np.searchsorted(found * n_point, wanted))
    return {"recall": recall[first], "precision": precision[first], "threshold": tally.score[::-1][first]}


def baselines(n: int, n_true: int) -> dict[str, dict[str, float]]:
    """Scores of the paper's three predictors that know nothing of the structure.

    Parameters
    ----------
    n, n_true : int
        Atoms, and plastic ones among them.

    Returns
    -------
    dict of str to dict of str to float
        ``random`` (each atom called plastic with probability 1/2), ``most_frequent`` and ``minority`` (always
        the more frequent and the rarer label; equal counts: not plastic is the more frequent), each with the
        names of `qsdask.learn.measures.rates` and ``auc``, ``average_precision``.

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


def calibration(tally: Tally, n_bins: int = 10, probability: np.ndarray | None = None) -> dict[str, Any]:
    """Compare predicted probability with observed fraction in bins of equal population.

    Parameters
    ----------
    tally : Tally
        Atoms by predicted probability and label.
    n_bins : int
        Bins wanted; equal probabilities are never divided, so there may be fewer.
    probability : float64 array, shape (n_score,), optional
        What the scores stand for, in their order; the scores themselves when not given.

    Returns
    -------
    dict
        ``predicted``, ``observed`` (float64 arrays, shape (n_bin,): mean probability and plastic fraction),
        ``n`` (int64 array, shape (n_bin,)) by rising probability, and ``error``: the expected calibration
        error Σ n |observed − predicted| / Σ n, NaN without atoms.
    """
    p, n = tally.score if probability is None else probability, tally.n_atom
    if n == 0:
        return {"predicted": np.empty(0), "observed": np.empty(0), "n": np.empty(0, dtype=np.int64), "error": _NAN}
    # Every cut moves to the first atom of its run of equal probabilities.
    wanted = np.arange(n_bins) * n // n_bins
    start = np.unique(np.searchsorted(np.cumsum(tally.atoms), wanted, side="right"))
    size = np.add.reduceat(tally.atoms, start)
    predicted = np.add.reduceat(p * tally.atoms, start) / size
    observed = np.add.reduceat(tally.plastic, start) / size
    error = float(np.sum(size * np.abs(observed - predicted)) / n)
    return {"predicted": predicted, "observed": observed, "n": size, "error": error}


def evaluate(
    tally: Tally, *, prior: float | None = None, trained_prior: float = 0.5, n_bins: int = 10
) -> dict[str, Any]:
    """Every score of a softness on a held-out specimen.

    Parameters
    ----------
    tally : Tally
        Its atoms by softness and label.
    prior, trained_prior : float, optional
        Plastic fractions before and after undersampling in training, for the corrected probability; without
        `prior` there is none.
    n_bins : int
        Bins of the calibration.

    Returns
    -------
    dict
        ``n_atoms``, ``n_plastic``, ``auc``, ``average_precision``, the names of `decisions` and of
        `qsdask.learn.measures.LIFTS`, ``precision_recall``, ``baselines``, ``calibration``, ``calibration_corrected``
        (with `prior`), and ``notes``: sentences that say which scores are not defined and why.
    """
    n, n_true = tally.n_atom, tally.n_plastic
    notes = []
    if n_true in (0, n):
        notes.append(f"AUC and average precision are not defined: {n_true} of {n} atoms are plastic")
    result: dict[str, Any] = {
        "n_atoms": n,
        "n_plastic": n_true,
        "auc": auc_roc(tally),
        "average_precision": average_precision(tally),
        **decisions(tally),
        **{name: float(measures.lift(tally.plastic, tally.other, share)) for name, share in measures.LIFTS.items()},
        "precision_recall": precision_recall(tally),
        "baselines": baselines(n, n_true),
        "calibration": calibration(tally, n_bins),
    }
    n_called = int(tally.atoms[tally.score >= 0.5].sum())
    notes += [
        f"{name} is not defined: {n_true} atoms are plastic, {n_called} called so"
        for name in ("recall", "precision", "f1", "mcc")
        if np.isnan(result[name])
    ]
    if prior is not None:
        corrected = prior_corrected(tally.score, prior, trained_prior=trained_prior)
        result["calibration_corrected"] = calibration(tally, n_bins, corrected)
    result["notes"] = notes
    return result


def _rates(hits: float, n_true: int, n_called: float, n: int) -> dict[str, float]:
    return {name: float(rate) for name, rate in measures.rates(hits, n_true, n_called, n).items()}
