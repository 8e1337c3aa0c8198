"""Scores in words: what was predicted, and for labels of the user's own how softness ranks the values."""

from __future__ import annotations

from collections.abc import Mapping

from qsdask.reporting.number import COUNT, PERCENT_FINE, SCORE

__all__ = ["own_scores_told", "rows_of_label"]

#: What is shown of a class, under these names.
_OF_CLASS = {
    "auc_roc": "AUC-ROC of the soft class",
    "average_precision": "average precision of the soft class",
    "recall": "recall at QS = 0.5",
    "precision": "precision at QS = 0.5",
}


def rows_of_label(scores: Mapping) -> list[tuple[str, str]]:
    """What was predicted, of scores of `qsdask.evaluate`; names and texts."""
    share = f"{COUNT(scores['plastic'])} ({PERCENT_FINE(scores['plastic_fraction'])})"
    if "label" not in scores:
        return [
            ("plastic", f"{share} at strain {scores['strain']:g}"),
            ("frame", f"{scores['frame']} ({scores['branch']})"),
        ]
    return [("soft", f"{share}: {scores['rule']}"), *_ranking(scores)]


def _ranking(scores: Mapping) -> list[tuple[str, str]]:
    name = scores["label"]
    return [
        (f"AUC-ROC of the largest 5 % of {name}", SCORE(scores["auc_top"])),
        (f"AUC-ROC of the smallest 5 % of {name}", SCORE(scores["auc_bottom"])),
        (f"Spearman of QS and {name}", SCORE(scores["spearman"])),
        (f"R² of QS and {name} (squared Pearson)", SCORE(scores["r2"])),
    ]


def own_scores_told(scores: Mapping) -> dict[str, str]:
    """Scores for a label of the user's own as a page lists them."""
    return {
        **dict(rows_of_label(scores)),
        **{text: SCORE(scores[name]) for name, text in _OF_CLASS.items()},
        "usable atoms": COUNT(scores["usable"]),
    }
