"""Several panels on one sheet, each with the published value below it."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qsdask.reporting.captions import CAPTIONS
from qsdask.reporting.style import GREY, ShownFigure, styled

__all__ = ["sheet"]

#: Size of a panel with what is said below it, inch, and characters that fit into a line there.
_WIDTH, _HEIGHT, _NOTE, _LINE = 5.4, 3.9, 0.75, 74


@styled
def sheet(title: str, panels: Sequence[tuple[str, Callable[[Axes], object]]], columns: int = 3) -> Figure:
    """Draw panels side by side.

    Parameters
    ----------
    title : str
        What the sheet is about.
    panels : sequence of (str, callable)
        Name of the caption in `qsdask.reporting.captions.CAPTIONS`, and what draws onto the axes that it is given.
    columns : int
        Panels in a row, at most.

    Returns
    -------
    Figure
    """
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    figure = ShownFigure(figsize=(_WIDTH * columns, (_HEIGHT + _NOTE) * rows + 0.4), layout="constrained")
    figure.suptitle(title, fontsize=11, x=0.01, ha="left")
    for (name, draw), part in zip(panels, figure.subfigures(rows, columns, squeeze=False).flat, strict=False):
        axes = part.add_subplot()
        draw(axes)
        caption = CAPTIONS[name]
        if not axes.get_title(loc="left"):
            axes.set_title(caption.title, loc="left")
        said = f"Published: {caption.published}" if caption.published else ""
        lines = textwrap.fill(said, _LINE) + "\n" * max(0, 2 - len(textwrap.wrap(said, _LINE)))
        part.supxlabel(lines, fontsize=8, color=GREY, x=0.02, ha="left")
    return figure
