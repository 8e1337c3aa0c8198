"""Scores in words: each with its interval, and which of two models is better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qsdask.learn.bootstrap import DRAWS, LEVEL
from qsdask.learn.measures import LIFTS
from qsdask.units import symbol

__all__ = ["compared_in_words", "confidence_of", "scores_in_words", "verdict_of"]

#: Scores that have intervals, under the names that people read.
TITLES = {
    "auc_roc": "AUC-ROC",
    "average_precision": "average precision",
    **{name: f"lift, softest {100 * share:g} %" for name, share in LIFTS.items()},
    "mcc": "MCC at 0.5",
    "f1": "F1 at 0.5",
    "recall": "recall at 0.5",
    "precision": "precision at 0.5",
}


def scores_in_words(scores: Mapping, *, without: Sequence[str] = ()) -> dict[str, str]:
    """What `qsdask.evaluate` found, score by score.

    Parameters
    ----------
    scores : mapping
        Its result.
    without : sequence of str
        Names of scores that are told elsewhere.

    Returns
    -------
    dict of str to str
        By title, with intervals; the calibration error last, which has none.
    """
    told = {
        title: _told(name, scores[name], scores["intervals"][name])
        for name, title in TITLES.items()
        if name not in without
    }
    return {**told, "calibration error": _told("calibration_error", scores["calibration_error"])}


def confidence_of(scores: Mapping) -> str:
    """Where the intervals in a result of `qsdask.evaluate` come from, in words."""
    return (
        f"{100 * LEVEL:g} % confidence, from {DRAWS:,} draws of {scores['blocks']} blocks of space, each "
        f"{scores['block_edge']:.3g} {symbol(scores['length'])} wide or more"
    )


def compared_in_words(against: Mapping, first: str, second: str) -> list[tuple[str, ...]]:
    """Two models score by score.

    Parameters
    ----------
    against : mapping
        Result of `qsdask.study.against.compared`.
    first, second : str
        What the models are called.

    Returns
    -------
    list of tuple of str
        Title, both values, first minus second with its interval, the probability of the other sign, and which one is
        better.
    """
    rows = []
    for name, title in TITLES.items():
        row = against["scores"][name]
        chance = row["other_sign"]
        shown = first if row["low"] > 0 else second if row["high"] < 0 else None
        rows.append(
            (
                title,
                *(_told(name, row[which]) for which in ("first", "second")),
                _told(name, row["difference"], (row["low"], row["high"]), sign="+"),
                f"{chance:.2g}" if chance == chance else "–",
                f"{shown} is better" if shown else "no difference shown",
            )
        )
    return rows


def verdict_of(against: Mapping, first: str, second: str) -> str:
    """Which of two models ranks better, in one sentence; arguments as of `compared_in_words`."""
    row = against["scores"]["auc_roc"]
    value, low, high = (row[key] for key in ("difference", "low", "high"))
    if high < 0:
        return f"{second} ranks better: AUC {_told('auc_roc', -value, (-high, -low), sign='+')}"
    told = _told("auc_roc", value, (low, high), sign="+")
    return f"{first} ranks better: AUC {told}" if low > 0 else f"no difference in ranking shown: AUC {told}"


def _told(name: str, value: float, interval: Sequence[float] = (), *, sign: str = "") -> str:
    """A number with its interval; a dash where it is not defined, the number alone where the interval is not."""
    form = f"{sign}.{2 if name in LIFTS else 3}f"
    if value != value:
        return "–"
    if not interval or any(end != end for end in interval):
        return f"{value:{form}}"
    return f"{value:{form}} ({' to '.join(f'{end:{form}}' for end in interval)})"
