"""Pictures of localisation, of avalanches, and of the strains at which shear bands begin (paper, Fig. 3e)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qsdask.reporting.course import name_course, places
from qsdask.reporting.style import BLUE, GREEN, GREY, ORANGE, SOFTNESS, VERMILLION, on, styled

__all__ = ["avalanche_sizes", "localisation", "mark_crossover"]


def mark_crossover(axes: Axes, activation: xr.Dataset) -> None:
    """Mark where the stages of the deformation begin, with the confidence of it; nothing where no crossover was looked for or found."""
    if "crossover" not in activation or activation.attrs.get("along") != "strain":
        return
    sign = np.sign(activation["strain"].values[-1]) or 1.0
    at = sign * activation["crossover"].values
    names = ["nominal elastic", *activation["stage"].values.tolist()]
    found = np.flatnonzero(np.isfinite(at))
    for k in found.tolist():
        low, high = sign * activation["crossover_interval"].values[k]
        axes.axvspan(low, high, color=ORANGE, alpha=0.15, linewidth=0, zorder=0)
        axes.axvline(at[k], color=ORANGE, linewidth=1.2)
    ends = [0.0, *at[found].tolist(), float(activation["strain"].values[-1])]
    for k, (begin, end) in enumerate(pairwise(ends)):
        text = names[k] if k < len(found) or not len(found) or k == len(names) - 1 else f"{names[k]} and after"
        text = "no crossover found" if not len(found) else text
        place = axes.get_xaxis_transform()
        said = axes.text(
            (begin + end) / 2, 0.985, text, color=GREY, fontsize=7.5, ha="center", va="top", transform=place
        )
        # A narrow stage, or strains that are all alike, must not push the axes aside.
        said.set_in_layout(False)


@styled
def localisation(found: xr.Dataset, axes: Axes | None = None) -> Figure:
    """Localisation of D2 and of plastic atoms by strain, and the excess softness of the newly plastic, with the lines fitted."""
    figure, axes = on(axes, 5.6, 4.2)
    place = places(found)
    for name, colour, text in (
        ("qs_excess", BLUE, "QS of newly plastic less at risk"),
        ("localisation_d2", VERMILLION, "localisation of D²"),
        ("localisation_plastic", GREEN, "localisation of plastic atoms"),
    ):
        axes.plot(place, found[name].values, "o", color=colour, markersize=3, label=text)
        axes.fill_between(place, *found[f"{name}_interval"].values.T, color=colour, alpha=0.15, linewidth=0)
        if f"{name}_fit" in found:
            axes.plot(place, found[f"{name}_fit"].values, color=colour, linewidth=1.2)
    axes.axhline(0.0, color=GREY, linestyle="--", linewidth=0.8)
    axes.set_ylim(top=1.25 * axes.get_ylim()[1])
    mark_crossover(axes, found)
    name_course(axes, found)
    axes.set_ylabel("Excess QS; localisation (no unit)")
    axes.legend(loc="upper right", bbox_to_anchor=(1.0, 0.95))
    return figure


@styled
def avalanche_sizes(found: xr.Dataset, axes: Axes | None = None) -> Figure:
    """How large avalanches are at every strain, and how soft their atoms were by their size."""
    figure, axes = on(axes, 5.6, 4.2)
    place = places(found)
    axes.plot(
        place,
        np.where(found["avalanche_largest"] > 0, found["avalanche_largest"], np.nan),
        "^-",
        color=VERMILLION,
        label="largest",
    )
    axes.plot(place, found["avalanche_mean"].values, "o-", color=BLUE, label="of an atom, on average")
    axes.set_yscale("log")
    axes.set_ylim(0.8, None)
    mark_crossover(axes, found)
    name_course(axes, found)
    axes.set_ylabel("Avalanche: newly plastic neighbours (atoms)")
    axes.legend(loc="upper left", bbox_to_anchor=(0.0, 0.95))
    inset = axes.inset_axes((0.64, 0.12, 0.33, 0.24))
    inset.plot(found["size_low"].values, found["avalanche_qs"].values, "s-", color=BLUE, markersize=3)
    inset.axhline(found["qs_mean_all"].item(), color=GREY, linestyle="--", linewidth=0.8)
    inset.set_xscale("log", base=2)
    inset.set_ylim(0.3, 0.7)
    inset.set_xlabel("atoms of the avalanche", fontsize=7)
    inset.set_ylabel(SOFTNESS.split(",")[1].split("(")[0].strip() + " of its atoms", fontsize=7)
    inset.tick_params(labelsize=6)
    return figure
