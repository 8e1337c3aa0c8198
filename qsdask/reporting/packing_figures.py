"""Pictures of how hard and soft atoms pack (paper, Fig. 3c)."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

from qsdask.reporting.style import BLUE, GREEN, GREY, VERMILLION, length_of, on, styled
from qsdask.units import symbol

__all__ = ["class_g", "cluster_sizes", "dimension", "mass_scaling"]

_COLOUR = {"hard": BLUE, "soft": VERMILLION, "all": GREY}
_PAIR_COLOUR = {"hard-hard": BLUE, "soft-soft": VERMILLION, "hard-soft": GREEN, "all-all": GREY}


@styled
def mass_scaling(found: xr.Dataset, axes: Axes | None = None) -> Figure:
    """M(r) of each class, with the straight lines of the ranges."""
    figure, axes = on(axes)
    r, last = found["r"].values, found.sizes["range"] - 1
    for name in found["class"].values.tolist():
        one, colour = found.sel({"class": name}), _COLOUR[name]
        shown = one["mass"].values > 0
        slopes = ", ".join(f"{d:.2f}" for d in one["dimension"].values)
        axes.plot(r[shown], one["mass"].values[shown], color=colour, label=f"{_named(found, name)}: D = {slopes}")
        if "mass_interval" in one:
            axes.fill_between(r, *one["mass_interval"].values.T, color=colour, alpha=0.2, linewidth=0)
    for k in range(last):
        axes.axvline(found["range_high"].values[k], color=GREY, linestyle=":", linewidth=1.0)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(found.attrs["spacing"], r[-1])
    axes.set_ylim(0.1, None)
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 3.0, 5.0)))
    axes.xaxis.set_major_formatter(FormatStrFormatter("%g"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    around = "the same class" if found.attrs["around"] == "own" else "any class"
    axes.set_ylabel(f"M(r): atoms of {around} within r")
    axes.set_xlabel(_distance(found))
    ranges = " and ".join(
        f"{low:.3g}–{high:.3g}" for low, high in zip(found["range_low"].values, found["range_high"].values, strict=True)
    )
    axes.legend(loc="upper left", title=f"D in {ranges} {symbol(length_of(found))}", alignment="left")
    return figure


@styled
def dimension(found: xr.Dataset, axes: Axes | None = None) -> Figure:
    """Local dimension of each class, with that of the ranges."""
    figure, axes = on(axes)
    r = found["r"].values
    for name in found["class"].values.tolist():
        one, colour = found.sel({"class": name}), _COLOUR[name]
        axes.plot(r, one["dimension_local"].values, color=colour, linewidth=1.0, label=_named(found, name))
        if "dimension_local_interval" in one:
            axes.fill_between(r, *one["dimension_local_interval"].values.T, color=colour, alpha=0.2, linewidth=0)
        for k in range(found.sizes["range"]):
            ends = found["range_low"].values[k], found["range_high"].values[k]
            axes.plot(ends, [one["dimension"].values[k]] * 2, color=colour, linewidth=2.4)
    axes.axhline(3.0, color=GREY, linestyle="--", linewidth=1.0)
    axes.set_xlim(found.attrs["spacing"], r[-1])
    axes.set_ylim(0.0, 5.0)
    axes.set_ylabel("D(r) = d ln M / d ln r; bars: by range")
    axes.set_xlabel(_distance(found))
    axes.legend(loc="upper right")
    return figure


@styled
def class_g(found: xr.Dataset, axes: Axes | None = None) -> Figure:
    """g(r) within and between the classes."""
    figure, axes = on(axes)
    for pair in found["pair"].values.tolist():
        g = found["g"].sel(pair=pair).values
        axes.plot(found["shell_r"].values, g, color=_PAIR_COLOUR[pair], linewidth=1.0, label=pair.replace("-", " – "))
    axes.axhline(1.0, color=GREY, linestyle="--", linewidth=0.8)
    axes.set_xlim(0.7 * found.attrs["spacing"], found["r"].values[-1])
    axes.set_ylim(0.0, None)
    axes.set_ylabel("g(r) (no unit)")
    axes.set_xlabel(_distance(found))
    axes.legend(loc="upper right")
    return figure


@styled
def cluster_sizes(found: xr.Dataset, axes: Axes | None = None) -> Figure:
    """Share of the atoms of each class in clusters of a size, beside atoms taken at random."""
    figure, axes = on(axes)
    low = found["size_low"].values
    place, width = np.arange(len(low)), 0.2
    for p, part in enumerate(found["part"].values.tolist()):
        for k, labels in enumerate(found["labels"].values.tolist()):
            one = found.sel(part=part, labels=labels)
            through = one["cluster_spans"].values.any()
            name = part if labels == "glass" else f"as many as {part}, by chance"
            axes.bar(
                place + (2 * p + k - 1.5) * width,
                np.nan_to_num(one["cluster_atoms"].values),
                width,
                color=_COLOUR[part],
                alpha=1.0 if labels == "glass" else 0.35,
                label=name + (", through the cell" if through else ""),
            )
    axes.set_xticks(place, [_short(a) for a in low.tolist()], fontsize=7 if len(low) > 12 else None)
    axes.set_ylim(0.0, 1.4 * axes.get_ylim()[1])
    axes.set_xlabel("Atoms of the cluster: from so many up to twice as many")
    axes.set_ylabel("Share of the atoms of the class (fraction)")
    axes.legend(loc="upper right", ncols=2, fontsize=7)
    return figure


def _short(number: int) -> str:
    """Powers of two in few characters: 1, 2, 4 ... 512, 1k, 2k ... 512k, 1M."""
    power = 0
    while number >= 1024 and power < 3:
        number, power = number // 1024, power + 1
    return f"{number}{('', 'k', 'M', 'G')[power]}"


def _named(found: xr.Dataset, name: str) -> str:
    limits = {
        "hard": f" (QS < {found.attrs['hard_below']:g})",
        "soft": f" (QS > {found.attrs['soft_above']:g})",
        "all": "",
    }
    return name + limits[name]


def _distance(found: xr.Dataset) -> str:
    return f"Distance r ({symbol(length_of(found))})"
