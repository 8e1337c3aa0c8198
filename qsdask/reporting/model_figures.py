"""Figures of a model: how well it ranks, whether its probabilities hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from qsdask.reporting.number import SCORE
from qsdask.reporting.style import BLUE, GREY, SOFTNESS, VERMILLION, panel, styled, with_interval

__all__ = ["calibration", "precision_recall", "roc"]


@styled
def roc(spectrum: xr.Dataset, interval: Sequence[float] | None = None) -> Figure:
    """Receiver operating characteristic of QS for plastic atoms.

    Parameters
    ----------
    spectrum : Dataset
        Of `qsdask.spectrum`.
    interval : sequence of float, optional
        Of the area under it, by blocks of space, as of `qsdask.evaluate`.

    Returns
    -------
    Figure
    """
    figure, axes = panel(5.2, 4.6)
    area = SCORE.within(spectrum["auc"].item(), interval)
    false, true = spectrum["roc_false"].values, spectrum["roc_true"].values
    axes.fill_between(false, true, false, color=BLUE, alpha=0.10, linewidth=0)
    axes.plot(false, true, color=BLUE, label=f"QS: AUC {area}")
    axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1.0, label=f"random: {SCORE(0.5)}")
    half = int(np.argmin(np.abs(spectrum["cut_qs"].values - 0.5)))
    axes.plot(false[half], true[half], "o", color=VERMILLION, label=f"QS = 0.5: recall {SCORE(true[half])}")
    axes.set_xlim(0.0, 1.0)
    axes.set_ylim(0.0, 1.0)
    axes.set_aspect("equal")
    axes.set_xlabel("False positive rate (fraction)")
    axes.set_ylabel("True positive rate (fraction)")
    axes.legend(loc="lower right")
    return figure


@styled
def precision_recall(curve: Mapping[str, Any]) -> Figure:
    """Share of plastic atoms among those called so, for every share that is found.

    Parameters
    ----------
    curve : mapping
        ``recall`` (rising), ``precision`` and ``threshold`` of QS, float arrays of shape (n,), and ``plastic_fraction``, the
        precision of chance.

    Returns
    -------
    Figure
    """
    figure, axes = panel(5.2, 4.6)
    recall, precision, cut = (np.asarray(curve[name], dtype=float) for name in ("recall", "precision", "threshold"))
    chance = float(curve["plastic_fraction"])
    axes.plot(recall, precision, color=BLUE, label="QS")
    if not np.isnan(chance):
        axes.axhline(chance, color=GREY, linestyle="--", linewidth=1.0, label=f"random: {SCORE(chance)}")
    if len(recall):
        half = int(np.argmin(np.abs(cut - 0.5)))
        axes.plot(
            recall[half], precision[half], "o", color=VERMILLION, label=f"QS = 0.5: precision {SCORE(precision[half])}"
        )
    axes.set_xlim(0.0, 1.0)
    # The few softest atoms are plastic ten times more often than all: without a logarithm nothing else is seen.
    axes.set_yscale("log")
    axes.set_ylim(0.8 * min((share for share in (*precision, chance) if share > 0), default=0.1), 1.0)
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("Recall: plastic atoms found (fraction)")
    axes.set_ylabel("Precision: plastic of those called so (fraction)")
    axes.legend(loc="upper right")
    return figure


@styled
def calibration(spectrum: xr.Dataset) -> Figure:
    """Observed against predicted probability, both for equal classes, as the model was trained."""
    figure, axes = panel(5.2, 4.6)
    shown = spectrum["n_observed"].values > 0
    qs = spectrum["wide_qs"].values[shown]
    value, low, high, told = with_interval(spectrum, "p_balanced", shown)
    axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1.0, label="perfect")
    axes.errorbar(
        qs, value, [value - low, high - value], fmt="o", color=BLUE, elinewidth=0.9, label=f"observed, {told}"
    )
    axes.set_xlim(0.0, 1.0)
    axes.set_ylim(0.0, 1.0)
    axes.set_aspect("equal")
    axes.set_xlabel(SOFTNESS)
    axes.set_ylabel("P(plastic | QS) at equal classes (fraction)")
    axes.legend(loc="upper left")
    return figure
