"""What a model looks at: three importances side by side, and how softness depends on columns (paper, Fig. 5b)."""

from __future__ import annotations

from textwrap import fill

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from matplotlib.patheffects import withStroke

from qsdask.reporting.style import BLUE, GREEN, GREY, ORANGE, clean, panel, styled

__all__ = ["importances", "partial_dependence"]

_IMPORTANCES = (
    ("gain", "in training\n({measure})"),
    ("permutation", "permutation\n(fall of the AUC)"),
    ("size", "contribution\n(mean size, log-odds)"),
)

PURPLE = "#7a3b9e"

#: Contours: these shares of the atoms lie inside.
_INSIDE = (0.9, 0.5)


@styled
def importances(found: xr.Dataset, *, most: int = 15) -> Figure:
    """Bars of the three importances: of the most contributing kinds of columns above, of such columns below.

    Parameters
    ----------
    found : Dataset
        Of `qsdask.importance`.
    most : int
        Kinds, and columns, drawn at most.

    Returns
    -------
    Figure
    """
    parts = found["part"].values[np.argsort(-found["part_size"].values)][:most]
    columns = found["column"].values[np.argsort(-found["size"].values)][:most]
    figure = Figure(figsize=(10.4, 1.6 + 0.24 * len(parts) + 0.32 * len(columns)), layout="constrained")
    drawn = figure.subplots(
        2, 3, sharey="row", squeeze=False, height_ratios=[len(parts) + 0.6, 1.33 * len(columns) + 0.6]
    )
    for row, dim, names, before in ((0, "part", parts, "part_"), (1, "column", columns, "")):
        chosen = found.sel({dim: names})
        for axes, (name, text) in zip(drawn[row], _IMPORTANCES, strict=True):
            _bars(axes, chosen, before + name, names)
            if row:
                axes.set_xlabel(text.format(measure=fill(found.attrs["measure"], 24)))
    notes = found.attrs["notes"]
    judged = (
        clean(notes[0], 150) if notes else f"AUC-ROC {found.attrs['auc']:.3f} on {found.attrs['n_permuted']:,} atoms"
    )
    figure.suptitle(f"blue: short range; orange: medium range. {judged}", fontsize=8, color=GREY, x=0.99, ha="right")
    return figure


def _bars(axes: Axes, chosen: xr.Dataset, name: str, names: np.ndarray) -> None:
    place, value = np.arange(len(names)), chosen[name].values
    error = chosen[f"{name}_std"].values if f"{name}_std" in chosen else None
    if np.isnan(value).all():
        axes.text(0.5, 0.5, "none", ha="center", va="center", transform=axes.transAxes, color=GREY)
    else:
        colours = [ORANGE if str(one).startswith("mro") else BLUE for one in names]
        marks = {"ecolor": GREY, "elinewidth": 0.9}
        axes.barh(place, value, xerr=error, color=colours, height=0.7, error_kw=marks)
        axes.axvline(0.0, color="black", linewidth=0.6)
    # Names come from outside: a dollar sign in one must not start a formula.
    told = chosen["meaning"].values if "column" in chosen[name].dims else names
    axes.set_yticks(place, [fill(clean(one, 120), 60) for one in told], parse_math=False, fontsize=7)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)


@styled
def partial_dependence(found: xr.Dataset) -> Figure:
    """Softness over one or two columns, with the density of the atoms and the motifs.

    Parameters
    ----------
    found : Dataset
        Of `qsdask.partial_dependence`.

    Returns
    -------
    Figure
    """
    return _of_two(found) if "second" in found.dims else _of_one(found)


def _meaning(found: xr.Dataset, k: int) -> str:
    """What a column is, with its name below."""
    told, name = (clean(found.attrs[key][k], 120) for key in ("meanings", "columns"))
    return f"{fill(told, 60)}\n{name}"


def _of_one(found: xr.Dataset) -> Figure:
    n_motif = found.sizes["motif"]
    figure = Figure(figsize=(6.2, 4.2 + 0.2 * n_motif), layout="constrained")
    ratios = [0.2 * n_motif] * (n_motif > 0) + [2.2, 0.8]
    *upper, axes, lower = figure.subplots(len(ratios), 1, sharex=True, height_ratios=ratios)
    axes.plot(found["first"].values, found["qs"].values, "o-", color=BLUE, markersize=3)
    axes.set_ylabel("Partial dependence\nof QS (no unit)")
    edge, count = found["first_edge"].values, found["count"].values
    lower.stairs(count, edge, fill=True, color=GREY, alpha=0.4)
    lower.set_ylabel("Atoms\nper bin")
    lower.set_ylim(0.0, None)
    lower.set_xlabel(_meaning(found, 0), parse_math=False)
    lower.set_xlim(edge[0], edge[-1])
    if upper:
        _spans(upper[0], found)
    (upper or [axes])[0].set_title(_told(found), loc="left", fontsize=8, color=GREY)
    return figure


def _spans(axes: Axes, found: xr.Dataset) -> None:
    """Mean and standard deviation of a column, motif by motif."""
    for k in range(found.sizes["motif"]):
        mean, spread = found["motif_mean"].values[k, 0], np.sqrt(max(found["motif_covariance"].values[k, 0, 0], 0.0))
        axes.errorbar(mean, k, xerr=spread, fmt="o", color=_colour(found, k), markersize=4, elinewidth=1.2)
    axes.set_yticks(range(found.sizes["motif"]), _labels(found), fontsize=7)
    axes.set_ylim(found.sizes["motif"] - 0.4, -0.6)


def _of_two(found: xr.Dataset) -> Figure:
    figure, axes = panel(7.4, 5.6)
    first, second = found["first"].values, found["second"].values
    # The dependence on trees has steps: nothing is smoothed. Pale, so that what lies over it is seen.
    pale = ListedColormap(0.3 + 0.7 * colormaps["RdYlBu_r"](np.linspace(0.0, 1.0, 256)))
    drawn = axes.pcolormesh(first, second, found["qs"].values.T, cmap=pale, shading="nearest", rasterized=True)
    figure.colorbar(drawn, ax=axes, label="Partial dependence of QS (no unit)")
    middle = [(found[f"{n}_edge"].values[1:] + found[f"{n}_edge"].values[:-1]) / 2 for n in ("first", "second")]
    density = found["density"].values
    if levels := _levels(density):
        axes.contour(*middle, density.T, levels=levels, colors=GREY, linewidths=0.9, linestyles="dashed")
    for k, turn in enumerate(_turns(found, first[-1] - first[0], second[-1] - second[0])):
        mean, colour = found["motif_mean"].values[k], _colour(found, k)
        value, vector = np.linalg.eigh(found["motif_covariance"].values[k])
        wide, tall = 2.0 * np.sqrt(np.maximum(value[::-1], 0.0))
        angle = np.degrees(np.arctan2(vector[1, 1], vector[0, 1]))
        axes.add_patch(Ellipse(mean, wide, tall, angle=angle, fill=False, edgecolor=colour, linewidth=0.9))
        axes.plot(*mean, "o", color=colour, markersize=4, label=f"{k + 1}  {_labels(found)[k]}")
        axes.annotate(
            str(k + 1),
            mean,
            xytext=(26 * np.cos(turn), 26 * np.sin(turn)),
            textcoords="offset points",
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.7, "shrinkA": 0, "shrinkB": 0},
            color=colour,
            ha="center",
            va="center",
            fontsize=8,
            path_effects=[withStroke(linewidth=2.5, foreground="white")],
        )
    axes.set_xlim(first[0], first[-1])
    axes.set_ylim(second[0], second[-1])
    axes.set_xlabel(_meaning(found, 0), parse_math=False)
    axes.set_ylabel(_meaning(found, 1), parse_math=False)
    axes.set_title(f"{_told(found)}; dashed: 50 % and 90 % of the atoms inside", loc="left", fontsize=8, color=GREY)
    if found.sizes["motif"]:
        figure.legend(
            loc="outside lower center", ncols=2, fontsize=7, title="mean and one standard deviation of motifs"
        )
    return figure


def _turns(found: xr.Dataset, width: float, height: float) -> np.ndarray:
    """Directions in which the numbers of the motifs stand: outwards, and as far apart as they can."""
    mean = found["motif_mean"].values / (width, height)
    outwards = mean - mean.mean(axis=0) if len(mean) else mean
    rank = np.argsort(np.argsort(np.arctan2(outwards[:, 1], outwards[:, 0]), kind="stable"))
    return 2.0 * np.pi * (rank + 0.5) / max(len(mean), 1) - np.pi


def _levels(density: np.ndarray) -> list[float]:
    """Densities above which the shares `_INSIDE` of all that are drawn lie; rising, each once."""
    falling = np.sort(density.ravel())[::-1]
    inside = np.cumsum(falling) / max(falling.sum(), 1)
    return sorted({float(falling[np.searchsorted(inside, share)]) for share in _INSIDE if falling.sum()} - {0.0})


def _labels(found: xr.Dataset) -> list[str]:
    return [
        f"{name}: {n:,} atoms, QS {qs:.2f}"
        for name, n, qs in zip(*(found[key].values for key in ("motif", "motif_n", "motif_qs")), strict=True)
    ]


def _colour(found: xr.Dataset, k: int) -> str:
    """Black for icosahedra, green for what is of Frank and Kasper, purple for what is frequent only."""
    name = str(found["motif"].values[k])
    if name == "<0,0,12,0,0>":
        return "black"
    return GREEN if name.startswith(("<0,0,12,", "Frank")) else PURPLE


def _told(found: xr.Dataset) -> str:
    n, all_atoms = found.attrs["n_sampled"], found.attrs["n"]
    return f"mean over {n:,} atoms" if n == all_atoms else f"mean over {n:,} of {all_atoms:,} atoms, chosen by hash"
