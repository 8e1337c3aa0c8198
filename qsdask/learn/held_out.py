"""Atoms that a model did not see: whether there are enough of them, and how well it ranks them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from qsdask.errors import BadDataError
from qsdask.learn import score
from qsdask.learn.table import Specimen
from qsdask.learn.tally import Tally
from qsdask.settings.defaults import HARD_BELOW, SOFT_ABOVE

__all__ = ["Judged", "check_counts", "fold_scores", "mean_scores", "times_likelier"]

_ENOUGH_PLASTIC = 50


def check_counts(
    specimens: Sequence[Specimen],
    n_folds: int,
    d2_quantiles: Sequence[float] | None = None,
    name: str | None = None,
    *,
    rows: tuple[int, int] = (0, 0),
    plastic: Sequence[int] | None = None,
) -> list[str]:
    """Refuse atoms that cannot be learned from; say what is thin.

    Parameters
    ----------
    specimens : sequence of Specimen
        With counts.
    n_folds : int
        Parts that are left out one after the other.
    d2_quantiles : sequence of float, optional
        Quantiles of D2min for the message. Unit: angstrom^2. Of a label of the user's own, in its unit.
    name : str, optional
        Of a label of the user's own.
    rows : tuple of (int, int)
        Rows and plastic ones among them of a table, where that has more than the specimens count.
    plastic : sequence of int, optional
        Plastic atoms of every specimen that are there; those that it counts by default.

    Returns
    -------
    list of str
        Warnings.

    Raises
    ------
    BadDataError
        ``E-ONE-CLASS``, ``E-FEW-PLASTIC``.
    """
    n = max(rows[0], sum(s.n_usable for s in specimens))
    n_plastic = max(rows[1], sum(s.n_plastic for s in specimens))
    spread = (
        "" if d2_quantiles is None else f"; {name or 'D2min'} quantiles {', '.join(f'{q:.3g}' for q in d2_quantiles)}"
    )
    if n_plastic in (0, n):
        raise BadDataError(
            f"all {n} usable atoms have one label: {n_plastic} plastic, {n - n_plastic} not{spread}",
            code="E-ONE-CLASS",
            why=f"all values of {name} are one, or its threshold lies outside of them"
            if name
            else "the D2min threshold lies outside the values at this strain, or the strain is too small",
            hint="a threshold between the quantiles" + ("" if name else ", or a larger strain"),
        )
    fewest = min(n_plastic, n - n_plastic)
    if fewest < 2 * n_folds:
        few = fewest == n_plastic
        change = "a larger strain, a lower threshold" if few else "a smaller strain, a higher threshold"
        raise BadDataError(
            f"{n_plastic} plastic and {n - n_plastic} other usable atoms are too few for {n_folds} folds: "
            f"at least {2 * n_folds} of each{spread}",
            code="E-FEW-PLASTIC",
            hint=f"more specimens, {'another threshold or share' if name else change}, or fewer folds",
        )
    warnings = []
    if fewest < _ENOUGH_PLASTIC:
        warnings.append(f"W-FEW-PLASTIC: only {fewest} atoms of one label; scores are noise below {_ENOUGH_PLASTIC}")
    each = [s.n_plastic for s in specimens] if plastic is None else plastic
    for specimen, there in zip(specimens, each, strict=True):
        if there < n_folds:
            warnings.append(f"W-FEW-PLASTIC: specimen {specimen.name!r} has {there} plastic atoms for {n_folds} folds")
    return warnings


def fold_scores(tally: Tally) -> dict[str, float]:
    """Scores of atoms that a model did not see; NaN where one is not defined."""
    rates = score.decisions(tally)
    return {
        "auc": score.auc_roc(tally),
        "average_precision": score.average_precision(tally),
        **{name: rates[name] for name in ("recall", "precision", "f1")},
    }


class Judged(NamedTuple):
    """What a fold model says of the atoms left out.

    Attributes
    ----------
    scores : dict of str to float
        See `fold_scores`; and ``n``, how many atoms they are.
    counts : Tally
        The atoms counted as hard, soft and neither.
    """

    scores: dict[str, float]
    counts: Tally

    @classmethod
    def of(cls, y: np.ndarray, q: np.ndarray) -> Judged:
        """From labels, bool array of shape (n,), and probabilities."""
        kind = np.where(q > SOFT_ABOVE, 1.0, np.where(q < HARD_BELOW, 0.0, 0.5))
        return cls({"n": len(y), **fold_scores(Tally.of(y, q))}, Tally.of(y, kind))


def mean_scores(scores: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Means of `fold_scores`, and the spread of the AUC."""
    names = ("auc", "average_precision", "recall", "precision", "f1")
    mean = {name: float(np.mean([s[name] for s in scores])) for name in names}
    return {**mean, "auc_std": float(np.std([s["auc"] for s in scores]))}


def times_likelier(tally: Tally, prior: float) -> float:
    """How many times likelier soft atoms are plastic than hard ones, by models that did not see them.

    Parameters
    ----------
    tally : Tally
        Atoms by QS and label.
    prior : float
        Plastic fraction of the atoms that there are.

    Notes
    -----
    Half an atom is added to every count: no class is quite empty.
    """
    chances = []
    for chosen in (tally.score > SOFT_ABOVE, tally.score < HARD_BELOW):
        plastic, other = (
            (int(atoms[chosen].sum()) + 0.5) / (int(atoms.sum()) + 1) for atoms in (tally.plastic, tally.other)
        )
        chances.append(prior * plastic / (prior * plastic + (1 - prior) * other))
    return float(f"{chances[0] / chances[1]:.3g}")
