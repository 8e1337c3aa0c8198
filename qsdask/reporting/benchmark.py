"""Feature sets against each other, as Wang & Jain (2019) show them (Fig. 5a)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from qsdask.reporting.style import BLUE, GREEN, GREY, ORANGE, ShownFigure, clean, styled

__all__ = ["benchmark"]

_COLOUR = {"short": BLUE, "medium": ORANGE, "added": GREEN}
_WIDTH = 0.26


@styled
def benchmark(found: Mapping) -> Figure:
    """Boxes of the AUC of fold models: on the rows left out of the training glasses, and on each held-out glass.

    Parameters
    ----------
    found : mapping
        Of `qsdask.benchmark`.

    Returns
    -------
    Figure
    """
    panels = [
        ("cross-validation, training glasses", [(row, row["folds"], np.mean(row["folds"])) for row in found["rows"]])
    ]
    for k, store in enumerate(found["test"]):
        entries = [(row, row["held_out"][k]["auc_models"], row["held_out"][k]["auc"]) for row in found["rows"]]
        panels.append((f"held out: {clean(Path(store).stem)}", entries))
    names = found["sets"]
    figure = ShownFigure(figsize=(max(5.2, 2.2 + 0.75 * len(names)), 1.1 + 2.3 * len(panels)), layout="constrained")
    axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for place, (title, entries) in zip(axes, panels, strict=True):
        _boxes(place, names, entries)
        place.set_title(title, loc="left")
        place.set_ylabel("AUC-ROC")
    axes[-1].set_xticks(range(len(names)), names, rotation=35, ha="right")
    kinds = {k: text for k, text in found["kinds"].items() if any(row["kind"] == k for row in found["rows"])}
    handles = [Patch(facecolor=_COLOUR[k], alpha=0.35, edgecolor=_COLOUR[k], label=text) for k, text in kinds.items()]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(kinds))
    figure.supxlabel(
        "box: quartiles of the fold models, dashed: median, whiskers: all\ndiamond: of QS; above, mean of the folds",
        fontsize=8,
        color=GREY,
    )
    return figure


def _boxes(axes: Axes, names: Sequence[str], entries: Sequence[tuple[Mapping, Sequence[float], float]]) -> None:
    for row, values, whole in entries:
        kinds = [other["kind"] for other, _, _ in entries if other["set"] == row["set"]]
        at = names.index(row["set"]) + _WIDTH * (kinds.index(row["kind"]) - (len(kinds) - 1) / 2)
        colour = _COLOUR[row["kind"]]
        known = [value for value in values if np.isfinite(value)]
        axes.boxplot(
            [known],
            positions=[at],
            widths=0.85 * _WIDTH,
            whis=(0, 100),
            patch_artist=True,
            manage_ticks=False,
            boxprops={"facecolor": colour, "alpha": 0.35, "edgecolor": colour},
            medianprops={"color": colour, "linestyle": "--"},
            whiskerprops={"color": colour},
            capprops={"color": colour},
        )
        axes.plot([at], [whole], marker="D", markersize=3, color=colour, linestyle="none")
    for k in range(1, len(names)):
        axes.axvline(k - 0.5, color=GREY, linewidth=0.4, alpha=0.5)
    axes.axhline(0.5, color=GREY, linewidth=0.8, linestyle=":")
    axes.set_xlim(-0.6, len(names) - 0.4)
