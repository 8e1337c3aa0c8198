"""Softness of several glasses in one picture, as Wang & Jain (2019) compare quench rates (Fig. 3f)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.figure import Figure

from qsdask.reporting.style import BLUE, GREEN, GREY, ORANGE, SKY, SOFTNESS, VERMILLION, clean, styled

__all__ = ["comparison"]

_COLOURS = (BLUE, VERMILLION, GREEN, ORANGE, SKY, GREY)


@styled
def comparison(found: xr.Dataset) -> Figure:
    """Distributions of QS, and those of its change where the atoms are the same.

    Parameters
    ----------
    found : Dataset
        Of `qsdask.compare`.

    Returns
    -------
    Figure
    """
    names = [clean(Path(name).stem, 30) for name in found["glass"].values.tolist()]
    many = len(names) > len(_COLOURS)
    colours = colormaps["viridis"](np.linspace(0.0, 0.9, len(names))) if many else _COLOURS
    changed = [k for k in range(len(names)) if found["n_common"][k] > 0]
    figure = Figure(figsize=(5.6 * (1 + bool(changed)), 4.2), layout="constrained")
    axes = figure.subplots(1, 1 + bool(changed), squeeze=False)[0]
    edge = np.append(found["qs_lower"].values, 1.0)
    for k, name in enumerate(names):
        spread = f"std {found['qs_std'][k].item():.3f}"
        axes[0].stairs(found["qs_density"][k].values, edge, color=colours[k], linewidth=1.5, label=f"{name}, {spread}")
    for limit in (found.attrs["hard_below"], found.attrs["soft_above"]):
        axes[0].axvline(limit, color=GREY, linestyle=":", linewidth=0.9)
    axes[0].set_xlim(0.0, 1.0)
    axes[0].set_ylim(0.0, None)
    axes[0].set_xlabel(SOFTNESS)
    axes[0].set_ylabel("Probability density (per unit QS)")
    axes[0].set_title("dotted: hard below, soft above", loc="left")
    axes[0].legend(loc="upper right")
    if changed:
        edge = np.append(found["delta_lower"].values, 1.0)
        for k in changed:
            size = f"mean |ΔQS| {found['delta_size'][k].item():.3f}"
            axes[1].stairs(
                found["delta_count"][k].values, edge, color=colours[k], linewidth=1.5, label=f"{names[k]}, {size}"
            )
        axes[1].set_yscale("symlog", linthresh=1.0)
        axes[1].set_xlabel(f"Change of QS since {names[0]} (no unit)")
        axes[1].set_ylabel("Atoms per bin")
        axes[1].legend(loc="upper right")
    return figure
