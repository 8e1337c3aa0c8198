"""The test on a held-out glass: scores with what they mean, baselines, and the AUC of training beside that of the test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup

from qsdask.reporting import template
from qsdask.reporting.number import RATIO, SCORE, UNKNOWN, Form
from qsdask.reporting.published import GLASS

__all__ = ["PUBLISHED", "SCORES", "Score", "is_known", "parts_of_test"]


class Score(NamedTuple):
    """A score.

    Attributes
    ----------
    title : str
    form : Form
        How it is written.
    meaning : str
        What it is.
    by_chance : float or None
        That of a random order, where no baseline is asked for it.
    """

    title: str
    form: Form
    meaning: str
    by_chance: float | None = None


#: Scores by the names that `qsdask.evaluate` gives them; all but the last have intervals.
SCORES = {
    "auc_roc": Score(
        "AUC-ROC", SCORE, "chance that a plastic atom has a higher QS than one that is not; blind to how rare they are"
    ),
    "average_precision": Score(
        "average precision", SCORE, "mean precision while more and more plastic atoms are found, the softest first"
    ),
    **{
        f"lift_{percent}": Score(
            f"lift, softest {percent} %", RATIO, "how many times more often these are plastic than all atoms", 1.0
        )
        for percent in (1, 5, 10)
    },
    "mcc": Score("MCC at 0.5", SCORE, "correlation (Matthews) of QS > 0.5 with being plastic: 1 at best", 0.0),
    "f1": Score("F1 at 0.5", SCORE, "harmonic mean of precision and recall"),
    "recall": Score("recall at 0.5", SCORE, "plastic atoms that have QS > 0.5"),
    "precision": Score("precision at 0.5", SCORE, "atoms with QS > 0.5 that are plastic"),
    "calibration_error": Score(
        "calibration error",
        SCORE,
        "mean distance of P(plastic | QS), carried to how rare plastic atoms are, from what was found",
    ),
}

#: What the paper gives for its held-out glass.
PUBLISHED = {"auc_roc": 0.771, "recall": 0.742}

#: What the baselines do, none of which looks at the structure.
_BASELINES = {
    "random": "calls every second atom plastic",
    "most frequent": "calls no atom plastic, as most are not",
    "minority": "calls every atom plastic, which few are",
}

#: What of the scores is told of in its own manner.
_APART = {"baselines", "intervals", "precision_recall", "auc_rows", "auc_note", *SCORES}


def is_known(value: Any) -> bool:
    """Whether there is a value, and it is no NaN."""
    return value is not None and not (isinstance(value, float | np.floating) and np.isnan(value))


def parts_of_test(scores: Mapping[str, Any]) -> list[Markup]:
    """What there is to tell of a test; see `qsdask.reporting.page.Report` for `scores`."""
    return [
        _table(scores),
        template.columns(
            _baselines(scores.get("baselines") or {}),
            template.facts({name: value for name, value in scores.items() if name not in _APART}),
        ),
        _auc(scores),
    ]


def _table(scores: Mapping[str, Any]) -> Markup:
    intervals, chance = scores.get("intervals") or {}, (scores.get("baselines") or {}).get("random") or {}
    rows = []
    for name, (title, form, meaning, usual) in SCORES.items():
        if not is_known(scores.get(name)):
            continue
        shown = title[0].upper() + title[1:]
        published = form(PUBLISHED[name]) if name in PUBLISHED else ""
        random = chance.get(name, usual)
        by_chance = form(random) if is_known(random) else ""
        rows.append(
            [
                template.titled(shown, meaning),
                form(scores[name]),
                form.between(intervals.get(name)),
                by_chance,
                published,
            ]
        )
    if not rows:
        return Markup()
    caption = (
        "On this glass, which the model has never seen, with plastic atoms as rare as they are. By chance: atoms in random order. "
        f"Published: {GLASS}."
    )
    return template.table(
        ["Score", "This glass", "95 % confidence", "By chance", "Published"], rows, caption=caption, chief=[0]
    )


def _baselines(baselines: Mapping[str, Mapping]) -> Markup:
    if not baselines:
        return Markup()
    names = ("auc_roc", "average_precision", "recall")
    rows = [
        [
            template.titled(name, _BASELINES[name]) if name in _BASELINES else name,
            *(SCORES[score].form(row[score]) if is_known(row.get(score)) else UNKNOWN for score in names),
        ]
        for name, row in baselines.items()
    ]
    return template.table(
        ["Baseline", "AUC-ROC", "Average precision", "Recall"], rows, caption="Baselines do not look at the structure."
    )


def _auc(scores: Mapping[str, Any]) -> Markup:
    if not scores.get("auc_rows"):
        return Markup()
    rows = [[template.titled(what, how), value] for what, how, value in scores["auc_rows"]]
    caption = f"AUC-ROC of the test and of the training. {scores.get('auc_note', '')}"
    return template.table(["AUC-ROC of", "Value"], rows, caption=caption)
