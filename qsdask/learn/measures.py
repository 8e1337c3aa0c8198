"""Scores from atoms counted by rising softness, of one glass or of many draws of it at once.

Everywhere ``plastic`` and ``other`` hold the atoms of each label by rising score along their last axis, as whole numbers of
any dtype; what has no value is NaN.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["LIFTS", "all_of", "area", "average_precision", "lift", "matthews", "precision_recall", "rates"]

#: Shares of the softest atoms whose lift is told, by its name.
LIFTS = {"lift_1": 0.01, "lift_5": 0.05, "lift_10": 0.10}


def all_of(plastic: np.ndarray, other: np.ndarray, called: np.ndarray) -> dict[str, np.ndarray]:
    """All scores that intervals are told of.

    Parameters
    ----------
    plastic, other : array, shape (..., n_score)
        Atoms.
    called : bool array, shape (n_score,)
        Which scores are called plastic.

    Returns
    -------
    dict of str to float64 array, shape (...)
        ``auc_roc``, ``average_precision``, ``mcc``, ``f1``, ``recall``, ``precision``, and the names of `LIFTS`.
    """
    of_called, n_called = (count[..., called].sum(axis=-1) for count in (plastic, plastic + other))
    found = _from_the_softest(plastic, other)
    decision = of_called, found[0][..., -1], n_called, found[1][..., -1]
    decided = rates(*decision)
    return {
        "auc_roc": _area(*found),
        "average_precision": _average_precision(*found),
        "mcc": matthews(*decision),
        **{name: decided[name] for name in ("f1", "recall", "precision")},
        **{name: _lift(*found, share) for name, share in LIFTS.items()},
    }


def area(plastic: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Area under the receiver operating characteristic; equal scores count half.

    Parameters
    ----------
    plastic, other : array, shape (..., n_score)
        Atoms.

    Returns
    -------
    float64 array, shape (...)
        NaN when all labels are equal.
    """
    return _area(*_from_the_softest(plastic, other))


def average_precision(plastic: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Sum of precision times rise of recall over all thresholds; equal scores are one threshold.

    Parameters
    ----------
    plastic, other : array, shape (..., n_score)
        Atoms.

    Returns
    -------
    float64 array, shape (...)
        NaN when all labels are equal.
    """
    return _average_precision(*_from_the_softest(plastic, other))


def lift(plastic: np.ndarray, other: np.ndarray, share: float) -> np.ndarray:
    """How many times more often the softest atoms are plastic than all are.

    Parameters
    ----------
    plastic, other : array, shape (..., n_score)
        Atoms.
    share : float
        Which atoms are the softest, as a share of all: 0.01 for the softest hundredth. Of the atoms of the score that the
        cut falls on as many as are missing count, with their own plastic fraction.

    Returns
    -------
    float64 array, shape (...)
        1 for chance, at most the smaller of 1 / share and 1 / plastic fraction; NaN without plastic atoms.
    """
    return _lift(*_from_the_softest(plastic, other), share)


def rates(hits: ArrayLike, n_true: ArrayLike, n_called: ArrayLike, n: ArrayLike) -> dict[str, np.ndarray]:
    """Scores of a decision, from the four numbers that it has.

    Parameters
    ----------
    hits, n_true, n_called, n : array, shape (...)
        Plastic atoms called plastic, plastic ones, those called plastic, and all.

    Returns
    -------
    dict of str to float64 array, shape (...)
        ``recall``, ``precision``, ``f1``, ``called`` (share of the atoms called plastic). NaN where the
        denominator is zero.
    """
    hits, n_true, n_called, n = (np.asarray(count) for count in (hits, n_true, n_called, n))
    return {
        "recall": _share(hits, n_true),
        "precision": _share(hits, n_called),
        "f1": _share(2 * hits, n_true + n_called),
        "called": _share(n_called, n),
    }


def matthews(hits: ArrayLike, n_true: ArrayLike, n_called: ArrayLike, n: ArrayLike) -> np.ndarray:
    """Matthews' correlation of a decision with the truth.

    Parameters
    ----------
    hits, n_true, n_called, n : array, shape (...)
        As of `rates`.

    Returns
    -------
    float64 array, shape (...)
        -1 to 1, 0 for chance; NaN when all labels, or all decisions, are equal.

    References
    ----------
    B. W. Matthews, Biochim. Biophys. Acta 405, 442 (1975), doi:10.1016/0005-2795(75)90109-9
    """
    hits, n_true, n_called, n = (np.asarray(count, dtype=np.float64) for count in (hits, n_true, n_called, n))
    spread = np.sqrt(n_true * (n - n_true)) * np.sqrt(n_called * (n - n_called))
    return _share(n * hits - n_true * n_called, spread)


def precision_recall(plastic: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Precision and recall of calling everything at and above each score plastic.

    Parameters
    ----------
    plastic, other : array, shape (..., n_score)
        Atoms.

    Returns
    -------
    precision, recall : float64 arrays, shape (..., n_score)
        By rising score.
    """
    hits, called = _from_the_softest(plastic, other)
    return _share(hits, called)[..., :0:-1], _share(hits, hits[..., -1:])[..., :0:-1]


def _from_the_softest(plastic: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Plastic atoms, and all, down to each score by falling score; none at first, shape (..., n_score + 1)."""
    hits, called = (np.cumsum(count[..., ::-1], axis=-1) for count in (plastic, plastic + other))
    none = np.zeros_like(hits, shape=(*hits.shape[:-1], 1))
    return np.concatenate([none, hits], axis=-1), np.concatenate([none, called], axis=-1)


def _area(hits: np.ndarray, called: np.ndarray) -> np.ndarray:
    wrong = called - hits
    # Twice the number of beaten opponents, a tie as one: whole numbers, exact below 4e9 atoms.
    beaten = np.diff(wrong, axis=-1) * (hits[..., 1:] + hits[..., :-1])
    return _share(beaten.sum(axis=-1) / 2, hits[..., -1] * wrong[..., -1])


def _average_precision(hits: np.ndarray, called: np.ndarray) -> np.ndarray:
    n_true = hits[..., -1]
    rise = _share(np.diff(hits, axis=-1), n_true[..., None])
    # Where nobody was called yet, nothing rises.
    precision = np.where(called > 0, _share(hits, called), 0.0)[..., 1:]
    return np.where(called[..., -1] > n_true, np.sum(rise * precision, axis=-1), np.nan)


def _lift(hits: np.ndarray, called: np.ndarray, share: float) -> np.ndarray:
    n, n_true = called[..., -1], hits[..., -1]
    wanted = share * n
    first = (called < wanted[..., None]).sum(axis=-1)
    upper, lower = ([_at(count, k) for count in (hits, called)] for k in (first, np.maximum(first - 1, 0)))
    among = _share((wanted - lower[1]) * (upper[0] - lower[0]), upper[1] - lower[1])
    return _share(_share(lower[0] + among, wanted), _share(n_true, n))


def _at(value: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Value at one place of the last axis for each of the others."""
    return np.take_along_axis(value, place[..., None], axis=-1)[..., 0]


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Quotient, NaN where there is nothing to divide by."""
    part, whole = np.asarray(part, dtype=np.float64), np.asarray(whole)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(whole == 0, np.nan, part / whole)
