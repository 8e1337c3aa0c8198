"""What models lose on glasses of other conditions, as Wang & Jain (2019) show it (Fig. 4), and the AUC of every pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from qsdask.reporting.style import BLUE, GREEN, GREY, ORANGE, SKY, VERMILLION, ShownFigure, clean, styled

__all__ = ["transfer"]

_COLOURS = (BLUE, VERMILLION, GREEN, ORANGE, SKY, GREY)
#: Matrices beside each other.
_PER_ROW = 2
#: A violin of fewer values would draw what is not there.
_LEAST = 4


@styled
def transfer(found: Mapping) -> Figure:
    """Violins of the losses by category, the first set filled and the others not; below, the AUC of all pairs.

    Parameters
    ----------
    found : mapping
        Of `qsdask.transfer`.

    Returns
    -------
    Figure
    """
    sets, n = found["sets"], len(found["conditions"])
    n_row = -(-len(sets) // _PER_ROW)
    size = 1.9 + 0.52 * n
    columns = min(_PER_ROW, len(sets))
    figure = ShownFigure(figsize=(max(8.4, columns * (size + 1.2)), 4.2 + n_row * size), layout="constrained")
    parts = figure.subfigures(2, 1, squeeze=False, height_ratios=[4.2, n_row * size])[:, 0]
    _violins(parts[0].subplots(), found)
    places = parts[1].subplots(n_row, columns, squeeze=False).ravel()
    known = [pair["auc"] for pair in found["pairs"] if np.isfinite(pair["auc"])]
    for axes, name in zip(places, sets, strict=False):
        _matrix(axes, found, name, (min(known, default=0.5), max(known, default=1.0)))
    for axes in places[len(sets) :]:
        axes.set_axis_off()
    return figure


def _violins(axes: Axes, found: Mapping) -> None:
    kinds, sets = list(found["categories"]), found["sets"]
    width = 0.8 / len(sets)
    for k, kind in enumerate(kinds):
        for s, name in enumerate(sets):
            mine = [p for p in found["pairs"] if (p["set"], p["category"]) == (name, kind) and np.isfinite(p["loss"])]
            if mine:
                _violin(axes, k + width * (s - (len(sets) - 1) / 2), mine, width, _COLOURS[s % len(_COLOURS)], s == 0)
    axes.axhline(0.0, color=GREY, linewidth=0.8, linestyle=":")
    texts = [found["categories"][kind].replace(", ", ",\n") for kind in kinds]
    axes.set_xticks(range(len(kinds)), texts)
    axes.set_xlim(-0.6, len(kinds) - 0.4)
    axes.set_ylabel("Loss of AUC (own model less this one)")
    axes.set_title(
        "a point a pair of conditions; bars: standard error over the glasses of the target", loc="right", fontsize=8
    )
    handles = [
        Patch(facecolor=_COLOURS[s % 6] if s == 0 else "white", edgecolor=_COLOURS[s % 6], label=clean(name))
        for s, name in enumerate(sets)
    ]
    axes.legend(handles=handles, loc="upper left")


def _violin(axes: Axes, at: float, pairs: Sequence[Mapping], width: float, colour: str, filled: bool) -> None:
    loss = np.array([pair["loss"] for pair in pairs])
    error = np.nan_to_num([pair["loss_error"] for pair in pairs])
    if len(loss) >= _LEAST and np.ptp(loss) > 0:
        for body in axes.violinplot([loss], [at], widths=0.95 * width, showextrema=False)["bodies"]:  # type: ignore[attr-defined]
            body.set(facecolor=colour if filled else "white", edgecolor=colour, alpha=0.35 if filled else 1.0, zorder=1)
    offset = at + 0.4 * width * (np.arange(len(loss)) / max(len(loss) - 1, 1) - 0.5)
    axes.errorbar(offset, loss, error, fmt="o", markersize=2.5, elinewidth=0.5, color=colour, alpha=0.8)
    axes.plot([at - 0.3 * width, at + 0.3 * width], [loss.mean()] * 2, color="black", linewidth=1.4, zorder=5)


def _matrix(axes: Axes, found: Mapping, name: str, limits: tuple[float, float]) -> None:
    names = [condition["name"].replace(", ", "\n") for condition in found["conditions"]]
    value = np.full((len(names), len(names)), np.nan)
    for pair in found["pairs"]:
        if pair["set"] == name:
            value[pair["source"], pair["target"]] = pair["auc"]
    axes.imshow(value, cmap="viridis", vmin=limits[0], vmax=limits[1])
    for (row, column), auc in np.ndenumerate(value):
        if np.isfinite(auc):
            dark = auc < limits[0] + 0.6 * (limits[1] - limits[0])
            colour = "white" if dark else "black"
            axes.text(column, row, f"{auc:.3f}", ha="center", va="center", fontsize=7, color=colour)
    axes.set_xticks(range(len(names)), names, rotation=60, ha="right", fontsize=7)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    axes.set_ylabel("learned from")
    axes.set_xlabel("judged on")
    # Of several sets each on a line of its own: together they are wider than the matrix.
    axes.set_title("AUC-ROC, " + clean(name).replace("+", "\n+ "), loc="left")
