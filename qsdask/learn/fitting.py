"""From sums over groups of atoms to a linear model: penalty, models that did not see a group, curve, scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from qsdask.kernels.linear import linear_scores
from qsdask.learn.curve import fitted_curve
from qsdask.learn.held_out import fold_scores, mean_scores, times_likelier
from qsdask.learn.linear import LinearPart
from qsdask.learn.ridge import GRID, Products, coefficients, judged, left_out
from qsdask.learn.tally import Tally
from qsdask.settings.defaults import HARD_BELOW, SOFT_ABOVE

__all__ = ["Fit", "Scored", "experience", "fit", "part_of", "scored", "scores_of"]

#: Share of the spread of the target to which scores are rounded down where atoms are counted by them.
_RESOLUTION = 2.0**-12


class Fit(NamedTuple):
    """Linear models of one penalty.

    Attributes
    ----------
    penalty : float
        In units of the number of atoms.
    tried : dict of float to float
        What `qsdask.learn.ridge.judged` said of penalties; empty where one was given.
    coefficient : float64 array, shape (n_column, 1 + n_group)
        Of the model of all atoms, then of those that did not see a group.
    resolution : float
        Step of scores where atoms are counted by them, a power of two.
    """

    penalty: float
    tried: dict[float, float]
    coefficient: np.ndarray
    resolution: float


def fit(groups: Mapping[int, Products], penalty: float | None = None) -> Fit:
    """Linear models of all groups, and of all but one.

    Parameters
    ----------
    groups : mapping of int to Products
        Of each group of atoms, counted from 0; at least two.
    penalty : float, optional
        Instead of the one of `qsdask.learn.ridge.GRID` whose scores of groups left out go best with their targets; of equal
        ones the largest.
    """
    tried = judged(groups, GRID) if penalty is None else {}
    best = max(tried, key=lambda one: (tried[one], one)) if penalty is None else penalty
    others = left_out(groups)
    whole = groups[0] + others[0]
    models = [whole, *(others[k] for k in range(len(groups)))]
    spread = np.sqrt(max(whole.centred()[2], 2.0**-40))
    return Fit(
        best,
        tried,
        np.stack([coefficients(one, best) for one in models], axis=1),
        _RESOLUTION * 2.0 ** np.floor(np.log2(spread)),
    )


class Scored(NamedTuple):
    """Atoms counted by their scores; those of two chunks add up.

    Attributes
    ----------
    left_out : dict of int to Tally
        Of each group, by the model that did not see it.
    whole : Tally
        Of all atoms, by the model of all.
    """

    left_out: dict[int, Tally]
    whole: Tally

    def __add__(self, other: Scored) -> Scored:  # type: ignore[override]  # counts add up, tuples would join
        return Scored(added(self.left_out, other.left_out), self.whole + other.whole)


def added(one: Mapping[int, Any], other: Mapping[int, Any]) -> dict[int, Any]:
    """What two chunks have of every group, added."""
    return {
        name: one[name] + other[name] if name in one and name in other else one.get(name, other.get(name))
        for name in sorted({*one, *other})
    }


def scored(made: Fit, whole: np.ndarray, y: np.ndarray, group: np.ndarray) -> Scored:
    """Count atoms by their scores.

    Parameters
    ----------
    made : Fit
        Models.
    whole : float32 array, shape (n, n_column)
        From `qsdask.learn.standard.Standard.whole`, without NaN.
    y : bool array, shape (n,)
        Plastic.
    group : int array, shape (n,)
        Group of each atom.
    """
    score = linear_scores(whole, np.ascontiguousarray(made.coefficient))
    tallies = {
        int(k): Tally.of(y[group == k], score[group == k, 1 + k], resolution=made.resolution) for k in np.unique(group)
    }
    return Scored(tallies, Tally.of(y, score[:, 0], resolution=made.resolution))


def part_of(made: Fit, found: Scored) -> LinearPart:
    """The linear part of a model: coefficients, and the curve of scores of atoms that were left out."""
    first, *others = found.left_out.values()
    offset, slope = fitted_curve(sum(others, start=first))
    return LinearPart(made.coefficient[:, 0].copy(), made.coefficient[:, 1:].T.copy(), offset, slope)


def scores_of(made: Fit, part: LinearPart, found: Scored, names: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Scores that a model keeps, and warnings.

    Parameters
    ----------
    made, part, found
        From `fit`, `part_of` and `scored`.
    names : sequence of str
        Of the groups.

    Returns
    -------
    scores : dict
        ``folds`` with the scores of every group that was left out, ``mean``, and ``penalties`` that were tried.
    warnings : list of str
    """
    each: list[dict[str, Any]] = []
    for k, tally in sorted(found.left_out.items()):
        scores = fold_scores(_by_softness(part, tally))
        each.append({"draw": 0, "fold": k, "left_out": names[k], "n": tally.n_atom, **scores})
    tried = [{"penalty": penalty, "correlation": value} for penalty, value in made.tried.items()]
    undefined = sum(bool(np.isnan(one["auc"])) for one in each)
    warnings = [f"W-ONE-CLASS-FOLD: {undefined} of {len(each)} parts left out hold one label only"] * bool(undefined)
    if part.slope == 0.0:
        warnings.append("W-NO-SKILL: plastic atoms that were left out have no higher scores than others; QS is 1/2")
    return {"folds": each, "mean": mean_scores(each), "penalties": tried}, warnings


def experience(part: LinearPart, found: Scored, prior: float) -> dict[str, float]:
    """How soft a model finds its training atoms: see `qsdask.learn.Model`, ``trained``."""
    first, *others = found.left_out.values()
    whole, left_out = (_by_softness(part, tally) for tally in (found.whole, sum(others, start=first)))
    share = whole.atoms / whole.n_atom
    mean = float(np.sum(share * whole.score))
    told = {
        "mean": mean,
        "std": float(np.sqrt(np.sum(share * (whole.score - mean) ** 2))),
        "hard": float(np.sum(share[whole.score < HARD_BELOW])),
        "soft": float(np.sum(share[whole.score > SOFT_ABOVE])),
    }
    rounded = {name: float(f"{x:.6g}") for name, x in told.items()}
    return {**rounded, "times_likelier": times_likelier(left_out, prior)}


def _by_softness(part: LinearPart, tally: Tally) -> Tally:
    """Atoms by QS instead of by score."""
    return tally.at(part.curve(tally.score))
