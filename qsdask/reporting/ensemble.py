"""Softness of an ensemble of glasses by composition and thermal history (paper, Fig. 3f), beside what was published."""

from __future__ import annotations

import re
from functools import partial

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qsdask.reporting.number import PERCENT, SCORE, Form
from qsdask.reporting.sheet import sheet
from qsdask.reporting.style import BLUE, GREEN, GREY, ORANGE, SKY, SOFTNESS, VERMILLION, on, styled

__all__ = ["ensemble_rows", "ensemble_sheet", "has_replicas"]

_COLOURS = (BLUE, VERMILLION, GREEN, ORANGE, SKY, GREY)

#: Standard deviation of QS and share of hard atoms that were published, all at 5e10 K/s; what was not is None.
_PUBLISHED: dict[tuple[str, int], tuple[float, float | None]] = {
    ("Cu", 50): (0.196, 0.054),
    ("Cu", 65): (0.230, 0.13),
    ("Cu", 80): (0.234, None),
}

#: Per cent by which a composition may differ from a published one.
_NEAR = 2


def has_replicas(found: xr.Dataset) -> bool:
    """Whether some glasses of what `qsdask.compare` found are replicas, so that there are errors."""
    return "condition" in found.dims and bool((found["condition_glasses"] > 1).any())


def ensemble_rows(found: xr.Dataset) -> list[tuple[str, ...]]:
    """Rows of a table by condition, titles first: the mean of each with its error, and the published values."""
    rows: list[tuple[str, ...]] = [
        ("composition, rate", "glasses", "std", "published", "hard", "published", "soft", "mean")
    ]
    for k, name in enumerate(found["condition"].values.tolist()):
        one = found.isel(condition=k)
        spread, hard = _published(str(one["composition"].item()))
        rows.append(
            (
                name,
                str(one["condition_glasses"].item()),
                _with_error(one, "qs_std", SCORE),
                "" if spread is None else SCORE(spread),
                _with_error(one, "fraction_hard", PERCENT),
                "" if hard is None else PERCENT(hard),
                _with_error(one, "fraction_soft", PERCENT),
                _with_error(one, "qs_mean", SCORE),
            )
        )
    return rows


def ensemble_sheet(found: xr.Dataset) -> Figure:
    """Distributions by condition with their errors, and their spread and hard atoms beside what was published."""
    panels = [("ensemble-distribution", partial(_distributions, found)), ("ensemble-spread", partial(_spreads, found))]
    return sheet(f"{found.sizes['glass']} glasses, softness by {found.attrs['model']}", panels)


@styled
def _distributions(found: xr.Dataset, axes: Axes) -> Figure:
    figure, axes = on(axes)
    edge = np.append(found["qs_lower"].values, 1.0)
    for k, colour in enumerate(_colours(found)):
        one = found.isel(condition=k)
        mean, error = (one[f"condition_qs_density{end}"].values for end in ("", "_error"))
        label = f"{one['condition'].item()}: std {_with_error(one, 'qs_std', SCORE)}"
        axes.stairs(mean, edge, color=colour, linewidth=1.5, label=label)
        if np.isfinite(error).all():
            low, high = (np.append(y, y[-1]) for y in (mean - error, mean + error))
            axes.fill_between(edge, low, high, step="post", color=colour, alpha=0.2, linewidth=0)
    for limit in (found.attrs["hard_below"], found.attrs["soft_above"]):
        axes.axvline(limit, color=GREY, linestyle=":", linewidth=0.9)
    axes.set_xlim(0.0, 1.0)
    axes.set_ylim(0.0, 1.25 * axes.get_ylim()[1])
    axes.set_xlabel(SOFTNESS)
    axes.set_ylabel("Probability density (per unit QS)")
    axes.legend(loc="upper right", fontsize=7)
    return figure


@styled
def _spreads(found: xr.Dataset, axes: Axes) -> Figure:
    figure, axes = on(axes)
    place = np.arange(found.sizes["condition"])
    for k, colour in enumerate(_colours(found)):
        one = found.isel(condition=k)
        axes.errorbar(
            k, one["condition_qs_std"], np.nan_to_num(one["condition_qs_std_error"]), fmt="o", color=colour, capsize=3
        )
    known = [_published(name)[0] for name in found["composition"].values.tolist()]
    for k, value in enumerate(known):
        if value is not None:
            label = "published, 5e10 K/s" if k == next(i for i, v in enumerate(known) if v is not None) else None
            axes.plot([k - 0.25, k + 0.25], [value, value], color="black", linestyle="--", linewidth=1.0, label=label)
    axes.set_xticks(place, [str(name).replace(", ", "\n") for name in found["condition"].values], fontsize=7)
    axes.set_xlim(-0.6, len(place) - 0.4)
    axes.set_ylabel("std(QS): structural heterogeneity")
    if any(value is not None for value in known):
        axes.legend(loc="best")
    return figure


def _published(composition: str) -> tuple[float | None, float | None]:
    """Published values of a composition such as ``Cu65Zr35``, of Cu-Zr alone."""
    shares = dict(re.findall(r"([A-Z][a-z]?)(\d+)", composition))
    if set(shares) != {"Cu", "Zr"}:
        return None, None
    for (name, share), values in _PUBLISHED.items():
        if abs(int(shares[name]) - share) <= _NEAR:
            return values
    return None, None


def _with_error(one: xr.Dataset, name: str, form: Form) -> str:
    return form.spread(*(one[f"condition_{name}{end}"].item() for end in ("", "_error")))


def _colours(found: xr.Dataset) -> list:
    n = found.sizes["condition"]
    return list(_COLOURS[:n]) if n <= len(_COLOURS) else list(colormaps["viridis"](np.linspace(0.0, 0.9, n)))
