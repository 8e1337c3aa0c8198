"""Sheets of the physics of soft and hard atoms: what a question found, as the paper draws it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from qsdask.reporting import figures
from qsdask.reporting.sheet import sheet
from qsdask.reporting.style import clean

__all__ = ["spectrum_sheet"]


def spectrum_sheet(found: xr.Dataset) -> Figure:
    """Distribution of QS, P(plastic | QS) and P(predicted | D2) side by side (paper, Figs 3a, 3b, 2b)."""
    panels = [("softness-distribution", partial(figures.softness_distribution, found))]
    if np.isfinite(found["p_plastic_all"].item()):
        panels += [
            ("plastic-given-softness", partial(figures.plastic_given_softness, found)),
            ("predicted-given-d2", partial(figures.predicted_given_d2, found)),
        ]
    return sheet(_title(found), panels)


def _title(found: xr.Dataset) -> str:
    return f"{clean(Path(found.attrs['store']).stem)}, softness by {clean(Path(found.attrs['model']).stem)}"
