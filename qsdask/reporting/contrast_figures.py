"""Violins of hard and soft atoms, column by column (paper, Fig. 3d)."""

from __future__ import annotations

import textwrap

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qsdask.reporting.captions import CAPTIONS
from qsdask.reporting.number import SCORE
from qsdask.reporting.published import classes_told
from qsdask.reporting.style import BLUE, GREY, VERMILLION, ShownFigure, styled

__all__ = ["contrast_sheet"]

#: Share of the atoms beyond either end of a violin that is not drawn.
_BEYOND = 0.002

#: Bins of a violin.
_FINE = 40


@styled
def contrast_sheet(found: xr.Dataset, title: str = "", most: int = 8, across: int = 4) -> Figure:
    """Violins of the most separating columns, named by their meaning.

    Parameters
    ----------
    found : Dataset
        Of `qsdask.contrast`.
    title : str
        What the sheet is about; without one, published values stand where the sheet does.
    most : int
        Columns at most.
    across : int
        Of them in a row, at most.
    """
    n = min(most, found.sizes["column"])
    across = min(across, n)
    rows = -(-n // across)
    # On a page, where it has no title, it is shown smaller.
    wide, tall, line = (3.4, 3.6, 40) if title else (2.7, 2.9, 33)
    figure = ShownFigure(figsize=(wide * across, tall * rows + 0.9), layout="constrained")
    limits = classes_told(found)
    figure.suptitle(f"{title}. {limits}" if title else limits, fontsize=11, x=0.01, ha="left")
    grid = figure.subplots(rows, across, squeeze=False)
    for k, axes in enumerate(grid.flat):
        if k < n:
            _violins(axes, found.isel(column=k), line)
        else:
            axes.set_visible(False)
    if title:
        said = textwrap.fill(f"Published: {CAPTIONS['contrast'].published}", 52 * across)
        figure.supxlabel(said, fontsize=8, color=GREY, x=0.01, ha="left")
    return figure


def _violins(axes: Axes, one: xr.Dataset, line: int) -> None:
    """Both classes of one column side by side, under its meaning in lines of so many characters."""
    edges, count = one["edges"].values, one["count"].values.astype(float)
    low, high = _ends(edges, count.sum(axis=0))
    fine = np.linspace(low, high, _FINE + 1)
    for side, colour in enumerate((BLUE, VERMILLION)):
        cumulated = np.concatenate([[0.0], np.cumsum(count[side])])
        # Equally full bins made even: between edges atoms are spread evenly.
        density = np.diff(np.interp(fine, edges, cumulated))
        half = 0.42 * density / max(density.max(), 1e-300)
        middle = (fine[1:] + fine[:-1]) / 2.0
        axes.fill_betweenx(middle, side - half, side + half, color=colour, alpha=0.55, linewidth=0)
        axes.plot([side - 0.2, side + 0.2], [one["median"].values[side]] * 2, color="black", linewidth=1.4)
    axes.set_xticks([0, 1], ["hard", "soft"])
    axes.set_ylim(low, high)
    axes.set_title(textwrap.fill(str(one["meaning"].item()), line), loc="left", fontsize=8)
    area = SCORE.within(one["auc"].item(), one["auc_interval"].values)
    axes.set_xlabel(f"AUC {area}, d = {one['cohen_d'].item():+.2f}", fontsize=8)


def _ends(edges: np.ndarray, count: np.ndarray) -> tuple[float, float]:
    """What is drawn of a column: without its farthest values."""
    share = np.concatenate([[0.0], np.cumsum(count)]) / max(count.sum(), 1.0)
    inside = np.flatnonzero((share > _BEYOND) & (share < 1.0 - _BEYOND))
    if not len(inside):
        return float(edges[0]) - 0.5, float(edges[-1]) + 0.5
    low, high = edges[max(inside[0] - 1, 0)], edges[min(inside[-1] + 1, len(edges) - 1)]
    # A long tail within one bin must not flatten all the rest.
    step = 0.35 * (edges[inside[-1]] - edges[inside[0]])
    low, high = max(low, edges[inside[0]] - step), min(high, edges[inside[-1]] + step)
    return (float(low), float(high)) if high > low else (float(low) - 0.5, float(high) + 0.5)
