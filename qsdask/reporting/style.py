"""How all figures look."""

from __future__ import annotations

import functools
from io import BytesIO

import numpy as np
import xarray as xr
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qsdask.reporting.number import SPACE
from qsdask.units import ANGSTROM, renamed, symbol

__all__ = [
    "BLUE",
    "GREEN",
    "GREY",
    "ORANGE",
    "SKY",
    "SOFTNESS",
    "STRAIN",
    "STYLE",
    "VERMILLION",
    "ShownFigure",
    "at_strain",
    "clean",
    "interval",
    "length_of",
    "on",
    "panel",
    "square",
    "styled",
    "threshold_of",
    "with_interval",
]

STYLE = {
    "axes.axisbelow": True,
    "axes.grid": False,
    "axes.labelsize": 10,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 10,
    "figure.dpi": 100,
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 4,
    "svg.fonttype": "path",
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
}


BLUE, VERMILLION, GREEN, ORANGE, SKY, GREY = "#0072B2", "#D55E00", "#009E73", "#E69F00", "#56B4E9", "#666666"
STRAIN = "Strain (fraction)"
SOFTNESS = "Quench-in softness, QS (no unit)"


def styled(draw):
    """Run a drawing function under the house style, whatever the user's Matplotlib settings are."""

    @functools.wraps(draw)
    def drawn(*args, **kwargs):
        with style.context(["default", STYLE]):
            return draw(*args, **kwargs)

    return drawn


class ShownFigure(Figure):
    """A figure that notebooks show, whether pyplot was imported or not."""

    def _repr_png_(self) -> bytes:
        file = BytesIO()
        self.savefig(file, format="png", dpi=self.dpi)
        return file.getvalue()


def panel(width: float = 5.2, height: float = 3.7):
    figure = ShownFigure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def on(axes: Axes | None, width: float = 5.2, height: float = 3.7):
    """Figure and axes to draw on: those given, or a picture of their own."""
    return panel(width, height) if axes is None else (axes.figure, axes)


def clean(name: object, most: int = 60) -> str:
    text = "".join(c if c.isprintable() else "�" for c in str(name))
    return text if len(text) <= most else text[: most - 1] + "…"


def length_of(dataset: xr.Dataset) -> str:
    """Unit of the lengths of an answer."""
    return str(dataset.attrs.get("length", ANGSTROM))


def square(dataset: xr.Dataset) -> str:
    """Sign of the unit of D2: Å² or σ²."""
    return f"{symbol(length_of(dataset))}²"


def threshold_of(dataset: xr.Dataset) -> float:
    """D2 above which an atom is plastic; NaN where none was named."""
    return float(dataset.attrs.get(renamed("threshold_angstrom2", length_of(dataset)), np.nan))


def interval(spectrum: xr.Dataset) -> str:
    return f"{100.0 * spectrum.attrs['confidence']:g}{SPACE}% interval"


def at_strain(dataset: xr.Dataset) -> str:
    """Strain of a Dataset of one frame, and which frame that is where its strain does not tell; empty when it is unknown."""
    strain = dataset["strain"].item() if "strain" in dataset else dataset.attrs.get("strain", np.nan)
    moment = dataset.attrs.get("moment")
    return f" at strain {strain:g}" + (f" ({moment})" if moment else "") if np.isfinite(strain) else ""


def with_interval(found: xr.Dataset, name: str, shown=slice(None)) -> tuple[np.ndarray, np.ndarray, np.ndarray, str]:
    """A fraction with the ends of its interval, by blocks of space where they tell, else binomial; and what it is called.

    Parameters
    ----------
    found : Dataset
        With `name`, ``<name>_low`` and ``<name>_high``; ``<name>_interval`` where blocks were drawn.
    name : str
        Name of the fraction.
    shown : slice or bool array
        Which bins.

    Returns
    -------
    value, low, high : float64 array, shape (n_shown,)
    told : str
    """
    value, low, high = (found[f"{name}{k}"].values[shown] for k in ("", "_low", "_high"))
    told = interval(found)
    if f"{name}_interval" not in found or not np.isfinite(found[f"{name}_interval"].values).any():
        return value, low, high, told
    ends = found[f"{name}_interval"].values[shown]
    known = np.isfinite(ends).all(axis=1)
    # Draws of few atoms may all lie on one side of what was found.
    low = np.where(known, np.fmin(ends[:, 0], value), low)
    high = np.where(known, np.fmax(ends[:, 1], value), high)
    return value, low, high, f"{told} by blocks of space"
