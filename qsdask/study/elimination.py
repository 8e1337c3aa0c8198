"""Recursive elimination: learn, drop the columns that the fold models use least, learn again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from qsdask.learn import Table, Tally, score
from qsdask.learn.draws import drawn, fold_model
from qsdask.settings import TrainSettings

__all__ = ["FoldScore", "Step", "eliminated", "fold_score", "own_choice", "ranked", "without_repeats"]

#: Above so many times the wanted number of columns a twentieth of them goes at a step, below one.
FAST_ABOVE = 4


class FoldScore(NamedTuple):
    """What a fold model says of some columns.

    Attributes
    ----------
    auc : float
        On the rows left out; NaN when these have one label.
    share : float64 array, shape (n_column,)
        Share of each column in the gain of the trees; zeros when they have no split.
    """

    auc: float
    share: np.ndarray


class Step(NamedTuple):
    """Columns, the most important first, and what the fold models say of them.

    Attributes
    ----------
    names : tuple of str
    share : float64 array, shape (n_column,)
        Mean over the fold models.
    auc : float64 array, shape (n_model,)
    """

    names: tuple[str, ...]
    share: np.ndarray
    auc: np.ndarray


def fold_score(draw: int, fold: int, table: Table, settings: TrainSettings, names: Sequence[str]) -> FoldScore:
    """Learn from some columns of the rows of one draw but those of one fold.

    Parameters
    ----------
    draw, fold : int
        Which.
    table : Table
        All rows, all columns.
    settings : TrainSettings
        Folds, ratio, trees and seed.
    names : sequence of str
        Columns to learn from.

    Returns
    -------
    FoldScore
    """
    chosen = drawn(table.of_columns(names), settings, draw)
    made = fold_model(chosen, fold, settings)
    gain = np.bincount(made.trees.feature, np.maximum(made.trees.gain, 0.0), minlength=len(names))
    total = gain.sum()
    return FoldScore(score.auc_roc(Tally.of(made.y, made.q)), gain / total if total else gain)


def ranked(names: Sequence[str], scores: Sequence[FoldScore]) -> Step:
    """Columns by their mean importance; of equal ones the first stays first."""
    share = np.mean([one.share for one in scores], axis=0)
    order = np.argsort(-share, kind="stable")
    return Step(tuple(names[k] for k in order), share[order], np.array([one.auc for one in scores]))


def without_repeats(table: Table, names: Sequence[str], limit: float) -> tuple[list[str], list[dict]]:
    """Drop columns that repeat a more important one.

    Parameters
    ----------
    table : Table
        Rows on which correlations are taken.
    names : sequence of str
        All columns, the most important first.
    limit : float
        Largest size of Pearson's correlation that may stay.

    Returns
    -------
    kept : list of str
        In the order of the table.
    dropped : list of dict
        ``name``, ``like`` (the column that it repeats most) and ``correlation``. A column that never changes repeats none.
    """
    value = table.of_columns(names).X.astype(np.float64)
    value -= value.mean(axis=0)
    length = np.sqrt((value**2).sum(axis=0))
    value /= np.where(length > 0, length, 1.0)
    kept: list[int] = []
    dropped = []
    for k, name in enumerate(names):
        like = value[:, kept].T @ value[:, k] if kept else np.zeros(0)
        most = int(np.argmax(np.abs(like))) if kept else 0
        if kept and abs(like[most]) > limit:
            dropped.append({"name": name, "like": names[kept[most]], "correlation": float(like[most])})
        else:
            kept.append(k)
    stay = {names[k] for k in kept}
    return [name for name in table.columns if name in stay], dropped


def eliminated(
    names: Sequence[str],
    keep: int,
    scored: Callable[[Sequence[str]], Sequence[FoldScore]],
    *,
    last: int = 1,
    advance: Callable[[int], None] = lambda n: None,
) -> list[Step]:
    """Drop columns step by step.

    Parameters
    ----------
    names : sequence of str
        Columns to begin with.
    keep : int
        Number wanted: far above it several go at a step.
    scored : callable
        Takes names of columns, gives what each fold model says of them.
    last : int
        Number of columns to end with.
    advance : callable
        Called with the number of columns dropped.

    Returns
    -------
    list of Step
        From all columns to the last ones; the one with `keep` columns among them, unless there are fewer.
    """
    order, found = list(names), []
    while True:
        found.append(ranked(order, scored(order)))
        n = len(order)
        if n <= last:
            return found
        fast = n > FAST_ABOVE * keep
        stay = set(found[-1].names[: max(n - (max(1, n // 20) if fast else 1), last)])
        # In the order in which they began: how columns are ordered matters to the choice of features for a split.
        order = [name for name in order if name in stay]
        advance(n - len(order))


def own_choice(
    draw: int, fold: int, table: Table, settings: TrainSettings, names: Sequence[str], keep: int
) -> tuple[str, ...]:
    """Columns that one fold model alone would choose; arguments as of `fold_score` and `eliminated`."""
    steps = eliminated(
        names, keep, lambda some: [fold_score(draw, fold, table, settings, some)], last=min(keep, len(names))
    )
    return steps[-1].names
