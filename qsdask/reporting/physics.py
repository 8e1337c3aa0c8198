"""Sheets of the physics of soft and hard atoms: what a question found, as the paper draws it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from qsdask.reporting import contrast_figures, crossover_figures, figures, packing_figures
from qsdask.reporting.sheet import sheet
from qsdask.reporting.style import clean

__all__ = ["activation_sheet", "contrast_sheet", "packing_panels", "packing_sheet", "spectrum_sheet"]


def spectrum_sheet(found: xr.Dataset) -> Figure:
    """Distribution of QS, P(plastic | QS) and P(predicted | D2) side by side (paper, Figs 3a, 3b, 2b)."""
    panels = [("softness-distribution", partial(figures.softness_distribution, found))]
    if np.isfinite(found["p_plastic_all"].item()):
        panels += [
            ("plastic-given-softness", partial(figures.plastic_given_softness, found)),
            ("predicted-given-d2", partial(figures.predicted_given_d2, found)),
        ]
    return sheet(_title(found), panels)


def packing_panels(found: xr.Dataset) -> list[tuple[str, Callable]]:
    """What is drawn of packing, by the names of the captions."""
    drawn = {
        "mass-scaling": packing_figures.mass_scaling,
        "dimension": packing_figures.dimension,
        "class-g": packing_figures.class_g,
        "cluster-sizes": packing_figures.cluster_sizes,
    }
    return [(name, partial(draw, found)) for name, draw in drawn.items()]


def packing_sheet(found: xr.Dataset) -> Figure:
    """Mass scaling, dimension, g(r) and clusters of hard and soft atoms (paper, Fig. 3c)."""
    return sheet(_title(found), packing_panels(found), columns=2)


def activation_sheet(found: xr.Dataset) -> Figure:
    """QS of the newly plastic atoms with the crossover, localisation, deciles and avalanches (paper, Fig. 3e)."""
    panels = [
        ("activation-softness", partial(figures.activation_softness, found)),
        ("localisation", partial(crossover_figures.localisation, found)),
        ("activation-deciles", partial(figures.activation_deciles, found)),
        ("avalanches", partial(crossover_figures.avalanche_sizes, found)),
    ]
    return sheet(_title(found), panels, columns=2)


def contrast_sheet(found: xr.Dataset, most: int = 8) -> Figure:
    """Violins of hard and soft atoms in the columns in which they differ most (paper, Fig. 3d)."""
    return contrast_figures.contrast_sheet(found, _title(found), most)


def _title(found: xr.Dataset) -> str:
    return f"{clean(Path(found.attrs['store']).stem)}, softness by {clean(Path(found.attrs['model']).stem)}"
