"""Pictures of finished Datasets, in the manner of Wang & Jain (2019).

Every function takes a Dataset of `qsdask.analysis` and gives a Matplotlib `Figure`; nothing is computed but
the drawing. No pyplot and none of the user's settings take part: the same Dataset gives the same bytes.
Colours are those of Okabe & Ito, distinguishable with any colour vision.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from qsdask.reporting.course import name_course, places
from qsdask.reporting.crossover_figures import mark_crossover
from qsdask.reporting.number import COUNT, PERCENT, PERCENT_FINE, SCORE, SPACE
from qsdask.reporting.style import (
    BLUE,
    GREY,
    ORANGE,
    SKY,
    SOFTNESS,
    VERMILLION,
    at_strain,
    length_of,
    on,
    panel,
    square,
    styled,
    threshold_of,
    with_interval,
)
from qsdask.units import ANGSTROM, renamed, symbol

__all__ = [
    "activation_auc",
    "activation_deciles",
    "activation_softness",
    "plastic_given_softness",
    "predicted_given_d2",
    "slice_map",
    "softness_distribution",
]


#: A group of fewer atoms than this is drawn as its mean only, not as a distribution.
_LEAST_VIOLIN = 20
_MOST_VIOLINS = 30


@styled
def slice_map(slab: xr.Dataset, *, predicted: float = 0.5) -> Figure:
    """D2 in a slice, the atoms predicted plastic circled in white (paper, Fig. 2a).

    Parameters
    ----------
    slab : Dataset
        Of `qsdask.analysis.slab.finalise`.
    predicted : float
        Atoms with QS above it are circled.

    Returns
    -------
    Figure
    """
    u, v = slab["u"].values, slab["v"].values
    plane = slab["plane_cell"].values
    width = plane[0, 0] + abs(plane[1, 0])
    tall = float(np.clip(plane[1, 1] / width, 0.25, 2.2))
    figure, axes = panel(6.4 if tall < 1.3 else 4.6, (6.4 if tall < 1.3 else 4.6) * 0.84 * tall + 0.6)
    threshold, length = threshold_of(slab), length_of(slab)
    field = slab["map_d2"].values
    # The colours end at twice the threshold: above it, "plastic" is all there is to say.
    top = 2.0 * threshold if np.isfinite(threshold) else np.nanmax(field, initial=1.0)
    levels = np.linspace(0.0, top, 21)
    drawn = axes.contourf(
        slab["map_u"].values,
        slab["map_v"].values,
        np.ma.masked_invalid(field),
        levels=levels,
        cmap="magma",
        extend="max",
    )
    qs = slab["qs"].values
    soft, unknown = qs > predicted, np.isnan(qs)
    if unknown.any():
        axes.plot(u[unknown], v[unknown], ".", color="#ffffff88", markersize=1.5)
    for mask, share, edge, line in (
        (~soft & ~unknown, 0.5, "#ffffff66", 0.5),
        (soft, 2.0, "#000000", 2.4),
        (soft, 2.0, "#ffffff", 1.2),
    ):
        size = slab["radius"].values[mask] * share
        axes.add_collection(
            EllipseCollection(
                size,
                size,
                np.zeros_like(size),
                units="xy",
                offsets=np.column_stack([u[mask], v[mask]]),
                offset_transform=axes.transData,
                facecolors="none",
                edgecolors=edge,
                linewidths=line,
            )
        )
    margin = 1.0 if length == ANGSTROM else 0.5 * slab.attrs[renamed("thickness_angstrom", length)]
    axes.set_xlim(min(0.0, u.min(initial=0.0)) - margin, max(width, u.max(initial=0.0)) + margin)
    axes.set_ylim(min(0.0, v.min(initial=0.0)) - margin, max(plane[1, 1], v.max(initial=0.0)) + margin)
    axes.set_facecolor("#d9d9d9")
    axes.set_aspect("equal")
    axes.set_xlabel(f"{slab.attrs['u_axis']} ({symbol(length)})")
    axes.set_ylabel(f"{slab.attrs['v_axis']} ({symbol(length)})")
    bar = figure.colorbar(drawn, ax=axes, label=f"D² ({square(slab)}), smoothed", shrink=0.9)
    if np.isfinite(threshold):
        bar.ax.axhline(threshold, color="white", linewidth=1.5)
    without = f", {COUNT(unknown.sum())} without QS" if unknown.any() else ""
    # A narrow picture has no room for it on one line.
    told = (f"white circles: QS > {predicted:g}, drawn to scale", f"{COUNT(len(u))} atoms{without}")
    axes.set_title(("; " if tall < 1.3 else "\n").join(told), loc="left")
    return figure


@styled
def predicted_given_d2(spectrum: xr.Dataset, axes: Axes | None = None) -> Figure:
    """Fraction predicted plastic against the D2 that atoms really had (paper, Fig. 2b)."""
    figure, axes = on(axes)
    lower, upper = spectrum["d2_lower"].values, spectrum["d2_upper"].values
    shown = (lower > 0.0) & np.isfinite(upper) & (spectrum["d2_count"].values > 0)
    place = np.sqrt(lower[shown] * upper[shown])
    value, low, high, told = with_interval(spectrum, "p_predicted", shown)
    axes.fill_between(place, low, high, color=BLUE, alpha=0.18, linewidth=0, label=told)
    axes.plot(place, value, "o-", color=BLUE, label="atoms in the bin")
    axes.axhline(spectrum["fraction_predicted"].item(), color=GREY, linestyle="--", linewidth=1.0, label="all atoms")
    threshold, unit = threshold_of(spectrum), square(spectrum)
    axes.axvline(threshold, color=VERMILLION, linewidth=1.0, label=f"plastic above {threshold:g}{SPACE}{unit}")
    axes.set_xscale("log")
    axes.set_ylim(0.0, 1.0)
    axes.set_xlabel(f"D² ({unit}){at_strain(spectrum)}")
    axes.set_ylabel(f"P(QS > {spectrum.attrs['predicted_above']:g} | D²) (fraction)")
    axes.legend(loc="upper left")
    return figure


@styled
def softness_distribution(spectrum: xr.Dataset, axes: Axes | None = None) -> Figure:
    """Distribution of QS with its hard and its soft end shaded (paper, Fig. 3a)."""
    figure, axes = on(axes)
    lower, upper = spectrum["qs_lower"].values, spectrum["qs_upper"].values
    hard, soft = spectrum.attrs["hard_below"], spectrum.attrs["soft_above"]
    colour = np.where(upper <= hard + 1e-9, BLUE, np.where(lower >= soft - 1e-9, VERMILLION, "#b8b8b8"))
    axes.bar(
        lower,
        spectrum["qs_density"].values,
        upper - lower,
        align="edge",
        color=colour,
        edgecolor="white",
        linewidth=0.4,
    )
    if "qs_density_interval" in spectrum:
        low, high = spectrum["qs_density_interval"].values.T
        axes.vlines((lower + upper) / 2.0, low, high, color="black", linewidth=0.6)
    top = axes.get_ylim()[1] * 1.22
    axes.set_ylim(0.0, top)
    for place, name, limit, tint, side in (
        (hard / 2.0, "hard", f"QS < {hard:g}", BLUE, "left"),
        ((1.0 + soft) / 2.0, "soft", f"QS > {soft:g}", VERMILLION, "center"),
    ):
        share = spectrum[f"fraction_{name}"].item()
        x = 0.01 if side == "left" else place
        axes.text(
            x, top * 0.98, f"{name}: {limit}\n{PERCENT(share)} of atoms", color=tint, ha=side, va="top", fontsize=9
        )
    mean = spectrum["qs_mean"].item()
    axes.axvline(mean, ymax=0.82, color="black", linewidth=1.0, linestyle="--")
    axes.text(
        mean,
        top * 0.83,
        f"mean {SCORE(mean)}, std {SCORE(spectrum['qs_std'].item())}",
        ha="center",
        va="bottom",
        fontsize=8,
    )
    axes.set_xlim(0.0, 1.0)
    axes.set_xlabel(SOFTNESS)
    axes.set_ylabel("Probability density (per unit QS)")
    return figure


@styled
def plastic_given_softness(spectrum: xr.Dataset, axes: Axes | None = None) -> Figure:
    """P(plastic | QS) with its interval, and the ratio to P(plastic) on the right (paper, Fig. 3b)."""
    figure, axes = on(axes, 5.6, 3.9)
    qs, trials, hits = (spectrum[k].values for k in ("wide_qs", "n_observed", "n_plastic"))
    value, low, high, told = with_interval(spectrum, "p_plastic")
    prevalence = spectrum["p_plastic_all"].item()
    hit = hits > 0
    none = (trials > 0) & ~hit
    axes.errorbar(
        qs[hit],
        value[hit],
        [(value - low)[hit], (high - value)[hit]],
        fmt="o",
        color=BLUE,
        ecolor=BLUE,
        elinewidth=0.9,
        label=f"this glass, {told}",
    )
    if none.any():
        axes.plot(qs[none], high[none], "v", color=BLUE, markerfacecolor="none", label="no plastic atom: upper limit")
    axes.plot(qs, spectrum["p_expected"].values, color=ORANGE, linewidth=1.4, label="calibrated model")
    axes.axhline(
        prevalence, color=GREY, linestyle="--", linewidth=1.0, label=f"P(plastic) = {PERCENT_FINE(prevalence)}"
    )
    axes.axvline(0.5, color=GREY, linestyle=":", linewidth=1.0)
    axes.set_xlim(0.0, 1.0)
    axes.set_xlabel(SOFTNESS)
    axes.set_ylabel(f"P(plastic | QS) (fraction){at_strain(spectrum)}")
    if prevalence > 0.0:
        axes.set_yscale("log")
        right = axes.secondary_yaxis("right", functions=(lambda p: p / prevalence, lambda r: r * prevalence))
        right.set_ylabel("P(plastic | QS) / P(plastic) (ratio)")
    axes.legend(loc="lower right")
    return figure


@styled
def activation_softness(activation: xr.Dataset, axes: Axes | None = None) -> Figure:
    """QS of the atoms that become plastic, step by step, with the crossover where there is one (paper, Fig. 3e)."""
    alone = axes is None
    figure, axes = on(axes, 5.6, 4.6)
    place = places(activation)
    many = np.flatnonzero(activation["n_newly"].values >= _LEAST_VIOLIN)
    spacing = np.median(np.abs(np.diff(place))) if len(place) > 1 else 0.01
    every = max(1, -(-len(many) // _MOST_VIOLINS))
    qs = np.concatenate([[0.0], activation["qs"].values, [1.0]])
    for step in many[::every]:
        count = activation["qs_count_newly"].values[step].astype(float)
        half = 0.46 * every * spacing * np.concatenate([[count[0]], count, [count[-1]]]) / count.max()
        axes.fill_betweenx(qs, place[step] - half, place[step] + half, color=SKY, alpha=0.55, linewidth=0)
    median = activation["qs_quantile_newly"].sel(quantile=0.5).values
    axes.plot(
        place[many], median[many], "_", color=BLUE, markersize=7, label="newly plastic: median, shape: distribution"
    )
    axes.plot(place, activation["qs_mean_newly"].values, "o-", color=BLUE, label="newly plastic: mean")
    axes.plot(
        place,
        activation["qs_mean_activated"].values,
        "s-",
        color=VERMILLION,
        markersize=3,
        label="all plastic by then: mean",
    )
    mean = activation["qs_mean_all"].item()
    axes.axhline(mean, color=GREY, linestyle="--", linewidth=1.0, label=f"all atoms: {SCORE(mean)} (random)")
    axes.set_ylim(0.0, 1.0)
    mark_crossover(axes, activation)
    name_course(axes, activation)
    axes.set_ylabel(SOFTNESS)
    if alone:
        figure.legend(loc="outside lower center", ncols=2)
    else:
        axes.legend(loc="lower left", fontsize=7)
    return figure


@styled
def activation_auc(activation: xr.Dataset) -> Figure:
    """How well QS ranks the plastic atoms at every strain, above the fraction of plastic atoms."""
    figure = Figure(figsize=(5.6, 4.6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[2.2, 1.0])
    place = places(activation)
    for suffix, colour, marker, text in (
        ("", VERMILLION, "s-", "plastic at this strain, against all others"),
        ("_newly", BLUE, "o-", "newly plastic, against the rest so far"),
    ):
        if f"auc{suffix}_interval" in activation:
            upper.fill_between(
                place, *activation[f"auc{suffix}_interval"].values.T, color=colour, alpha=0.18, linewidth=0
            )
        upper.plot(place, activation[f"auc{suffix}"].values, marker, color=colour, markersize=3.5, label=text)
    upper.axhline(0.5, color=GREY, linestyle="--", linewidth=1.0, label="random")
    upper.set_ylim(0.4, 1.0)
    upper.set_ylabel("AUC-ROC of QS (no unit)")
    upper.legend(loc="lower right" if np.nanmin(activation["auc"].values, initial=1.0) > 0.68 else "upper right")
    lower.plot(place, activation["plastic_fraction"].values, color="black")
    lower.fill_between(place, activation["plastic_fraction"].values, color="black", alpha=0.12, linewidth=0)
    lower.set_ylim(bottom=0.0)
    lower.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=""))
    lower.set_ylabel("Plastic atoms (%)")
    name_course(lower, activation)
    return figure


@styled
def activation_deciles(activation: xr.Dataset, axes: Axes | None = None) -> Figure:
    """Fraction activated in each tenth of the atoms by QS, against strain."""
    alone = axes is None
    figure, axes = on(axes, 5.6, 3.9)
    place = places(activation)
    # The palest end of viridis hardly shows on white.
    colours = colormaps["viridis"](np.linspace(0.0, 0.88, 10))
    for decile in range(10):
        share = activation["activated_fraction"].values[:, decile]
        upper = activation["decile_upper"].values[decile]
        name = "softest" if decile == 9 else "hardest" if decile == 0 else ""
        shown = np.where(share > 0.0, share, np.nan)
        axes.plot(
            place,
            shown,
            color=colours[decile],
            marker=".",
            markersize=3,
            label=f"{decile + 1}: QS ≤ {upper:.2f} {name}",
        )
    if np.nanmax(activation["activated_fraction"].values, initial=0.0) > 0.0:
        axes.set_yscale("log")
    name_course(axes, activation)
    axes.set_ylabel("Activated by then (fraction of decile)")
    handles, labels = axes.get_legend_handles_labels()
    told = {"title": "decile of QS", "alignment": "left"}
    if alone:
        figure.legend(handles[::-1], labels[::-1], loc="outside right center", **told)
    else:
        axes.legend(handles[::-1], labels[::-1], loc="lower right", fontsize=6.5, **told)
    return figure
