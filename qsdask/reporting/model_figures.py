"""Figures of a model: how well it ranks, whether its probabilities hold, what it looks at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from qsdask.reporting.style import BLUE, GREY, ORANGE, SOFTNESS, VERMILLION, clean, interval, panel, styled

__all__ = ["calibration", "importance", "precision_recall", "roc"]


@styled
def roc(spectrum: xr.Dataset) -> Figure:
    """Receiver operating characteristic of QS for plastic atoms."""
    figure, axes = panel(5.2, 4.6)
    auc, error = spectrum["auc"].item(), spectrum["auc_std_error"].item()
    false, true = spectrum["roc_false"].values, spectrum["roc_true"].values
    axes.fill_between(false, true, false, color=BLUE, alpha=0.10, linewidth=0)
    axes.plot(false, true, color=BLUE, label=f"QS: AUC = {auc:.3f} ± {error:.3f}")
    axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1.0, label="random: 0.500")
    half = int(np.argmin(np.abs(spectrum["cut_qs"].values - 0.5)))
    axes.plot(false[half], true[half], "o", color=VERMILLION, label=f"QS = 0.5: recall {true[half]:.3f}")
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
        axes.axhline(chance, color=GREY, linestyle="--", linewidth=1.0, label=f"random: {chance:.3f}")
    if len(recall):
        half = int(np.argmin(np.abs(cut - 0.5)))
        axes.plot(
            recall[half], precision[half], "o", color=VERMILLION, label=f"QS = 0.5: precision {precision[half]:.3f}"
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
    value, low, high = (spectrum[f"p_balanced{k}"].values[shown] for k in ("", "_low", "_high"))
    axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1.0, label="perfect")
    axes.errorbar(
        qs,
        value,
        [value - low, high - value],
        fmt="o",
        color=BLUE,
        elinewidth=0.9,
        label=f"observed, {interval(spectrum)}",
    )
    axes.set_xlim(0.0, 1.0)
    axes.set_ylim(0.0, 1.0)
    axes.set_aspect("equal")
    axes.set_xlabel(SOFTNESS)
    axes.set_ylabel("P(plastic | QS) at equal classes (fraction)")
    axes.legend(loc="upper left")
    return figure


@styled
def importance(ranking: Sequence[tuple[str, float]], *, most: int = 15, unit: str = "share of total gain") -> Figure:
    """Bars of a model's most important features.

    Parameters
    ----------
    ranking : sequence of (str, float)
        Feature name and importance, largest first.
    most : int
        Bars drawn at most.
    unit : str
        What an importance is.

    Returns
    -------
    Figure
    """
    shown = list(ranking)[:most]
    figure, axes = panel(6.4, 0.9 + 0.26 * max(len(shown), 1))
    place = np.arange(len(shown))
    colours = [ORANGE if str(name).startswith("mro") else BLUE for name, _ in shown]
    axes.barh(place, [value for _, value in shown], color=colours, height=0.7)
    # Names come from outside: a dollar sign in one must not start a formula.
    axes.set_yticks(place, [clean(name) for name, _ in shown], parse_math=False)
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(f"Importance ({unit})")
    axes.set_title("blue: short range; orange: medium range", loc="right", fontsize=8, color=GREY)
    return figure
