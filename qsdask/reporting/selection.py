"""Score against number of columns, as Wang & Jain (2019) choose theirs (Supplementary Fig. 5), and the columns chosen."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qsdask.reporting.style import BLUE, GREEN, GREY, ORANGE, SKY, VERMILLION, ShownFigure, clean, styled

__all__ = ["selection"]

_HELD_OUT = (VERMILLION, GREEN, ORANGE, SKY)


@styled
def selection(found: Mapping) -> Figure:
    """Course of the elimination, and the importance of what is left with how many fold models choose it alone.

    Parameters
    ----------
    found : mapping
        Of `qsdask.select`.

    Returns
    -------
    Figure
    """
    n = len(found["columns"])
    figure = ShownFigure(figsize=(12.0, max(4.2, 1.2 + 0.24 * n)), layout="constrained")
    left, right = figure.subplots(1, 2)
    _course(left, found, n)
    _columns(right, found)
    return figure


def _course(axes: Axes, found: Mapping, chosen: int) -> None:
    path = found["path"]
    number, auc, error = (np.array([step[name] for step in path]) for name in ("n", "auc", "auc_error"))
    axes.fill_between(number, auc - error, auc + error, color=BLUE, alpha=0.2, linewidth=0)
    axes.plot(number, auc, color=BLUE, marker="o", markersize=2.5, label="folds left out, ± standard error")
    for k, store in enumerate(found["test"]):
        judged = [(step["n"], step["held_out"][store]) for step in path if store in step["held_out"]]
        label = f"held out: {clean(Path(store).stem, 30)}"
        axes.plot(*zip(*judged, strict=True), color=_HELD_OUT[k % 4], marker="D", markersize=3.5, label=label)
    axes.axvline(chosen, color=GREY, linestyle=":", linewidth=1.0)
    axes.text(chosen * 1.05, 0.98, f"{chosen}", transform=axes.get_xaxis_transform(), va="top", color=GREY)
    axes.set_xscale("log")
    ticks = [k for k in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if k <= number.max()]
    axes.set_xticks(ticks, [str(k) for k in ticks])
    axes.minorticks_off()
    axes.set_xlabel("Number of columns")
    axes.set_ylabel("AUC-ROC")
    axes.legend(loc="lower right", frameon=True, framealpha=1.0, edgecolor="none")


def _columns(axes: Axes, found: Mapping) -> None:
    names = [clean(column["name"]) for column in found["columns"]]
    place = np.arange(len(names))
    axes.barh(place, [column["importance"] for column in found["columns"]], color=BLUE, height=0.7)
    for k, column in enumerate(found["columns"]):
        axes.text(column["importance"], k, f" {column['chosen_by']:.0%}", va="center", fontsize=7, color=GREY)
    # Names come from outside: a dollar sign in one must not start a formula.
    axes.set_yticks(place, names, parse_math=False, fontsize=8)
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.margins(x=0.12)
    axes.set_xlabel("Importance (share of the gain)")
    axes.set_title("per cent: fold models that choose it alone", loc="right", fontsize=8, color=GREY)
