"""Scores in words: each with its interval, and which of two models is better."""

from __future__ import annotations

from collections.abc import Mapping

from qsdask.learn import Model
from qsdask.learn.bootstrap import DRAWS, LEVEL
from qsdask.reporting.held_out import SCORES
from qsdask.reporting.number import COUNT, PERCENT_FINE, SPACE, Form
from qsdask.units import symbol

__all__ = ["auc_note", "auc_rows", "compared_in_words", "confidence_of", "scores_in_words", "verdict_of"]


def scores_in_words(scores: Mapping) -> dict[str, str]:
    """What `qsdask.evaluate` found, score by score.

    Parameters
    ----------
    scores : mapping
        Its result.

    Returns
    -------
    dict of str to str
        By title, with intervals; the calibration error last, which has none.
    """
    return {
        title: form.within(scores[name], scores["intervals"].get(name)) for name, (title, form, *_) in SCORES.items()
    }


def confidence_of(scores: Mapping) -> str:
    """Where the intervals in a result of `qsdask.evaluate` come from, in words."""
    return (
        f"{100 * LEVEL:g}{SPACE}% confidence, from {COUNT(DRAWS)} draws of {scores['blocks']} blocks of space, each "
        f"{Form('.3g', symbol(scores['length']))(scores['block_edge'])} wide or more"
    )


def auc_rows(scores: Mapping, model: Model) -> list[tuple[str, str, str]]:
    """AUC of the test and of the training side by side: of what, how it was found, the value.

    Parameters
    ----------
    scores : mapping
        Result of `qsdask.evaluate`.
    model : Model
        That it is of.
    """
    form, n = SCORES["auc_roc"].form, len(model.scores["folds"])
    mean = model.scores["mean"]
    names = ", ".join(specimen.name for specimen in model.specimens)
    atoms = f"{COUNT(scores['usable'])} usable atoms of this glass, {PERCENT_FINE(scores['plastic_fraction'])} of them plastic"
    among = (
        "as many plastic as other ones"
        if model.linear is None and model.settings["ratio"] == 1
        else "plastic and other ones"
    )
    return [
        (
            "QS on this glass, the test",
            f"the mean of {n} fold models, on all {atoms}; in brackets: {confidence_of(scores)}",
            form.within(scores["auc_roc"], scores["intervals"]["auc_roc"]),
        ),
        (
            "Single models on this glass",
            f"each fold model alone, on the same atoms; ± is the standard deviation over the {n}, not an error of the glass",
            form.spread(scores["auc_models_mean"], scores["auc_models_std"]),
        ),
        (
            "Folds left out in training",
            f"each fold model on atoms of {names} that it was not fitted to, {among}; ± is the standard deviation over the {n}",
            form.spread(mean["auc"], mean["auc_std"]),
        ),
    ]


def auc_note(model: Model) -> str:
    """Why the AUC of training and that of the test differ, and which one to quote."""
    shared = (
        " dealt out by atoms, so that neighbours of what a model has seen are among them"
        if model.settings.get("fold_kind") == "stratified" and model.linear is None
        else ""
    )
    return (
        f"To quote is the first. What was left out in training is of the same glasses as what was fitted{shared}: that value tells what "
        "the model can do there, not on another glass. Errors of single models average out in QS. The interval is drawn from "
        "blocks of space, not from atoms: neighbours rearrange together, and taken as independent they would make it too narrow."
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
    for name, (title, form, *_) in SCORES.items():
        if name not in against["scores"]:
            continue
        row = against["scores"][name]
        shown = first if row["low"] > 0 else second if row["high"] < 0 else None
        rows.append(
            (
                title,
                *(form(row[which]) for which in ("first", "second")),
                _signed(form).within(row["difference"], (row["low"], row["high"])),
                Form(".2g")(row["other_sign"]),
                f"{shown} is better" if shown else "no difference shown",
            )
        )
    return rows


def verdict_of(against: Mapping, first: str, second: str) -> str:
    """Which of two models ranks better, in one sentence; arguments as of `compared_in_words`."""
    row = against["scores"]["auc_roc"]
    value, low, high = (row[key] for key in ("difference", "low", "high"))
    form = _signed(SCORES["auc_roc"].form)
    if high < 0:
        return f"{second} ranks better: AUC {form.within(-value, (-high, -low))}"
    told = form.within(value, (low, high))
    return f"{first} ranks better: AUC {told}" if low > 0 else f"no difference in ranking shown: AUC {told}"


def _signed(form: Form) -> Form:
    return form._replace(spec=f"+{form.spec}")
