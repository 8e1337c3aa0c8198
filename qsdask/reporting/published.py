"""What a question found, in rows with its confidence, the value that Wang & Jain (2019) published, and how the two compare."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr

from qsdask.reporting.number import COUNT, PERCENT, PERCENT_FINE, RATIO, SCORE, SHORT, Form
from qsdask.reporting.style import length_of, square
from qsdask.settings.defaults import HARD_BELOW, SOFT_ABOVE
from qsdask.units import ANGSTROM, symbol

__all__ = [
    "CLUSTERS",
    "GLASS",
    "HEADS",
    "Row",
    "classes_told",
    "cluster_rows",
    "crossover_rows",
    "has_usual_classes",
    "packing_rows",
    "row_of",
    "spectrum_rows",
]

#: The glass of the published values, where no other is named.
GLASS = "Cu65Zr35 quenched at 5e10 K/s"

#: A dimension that is not told apart from one so near to 3 is close to it.
_CLOSE = 0.1

#: Titles of the columns.
HEADS = ("Quantity", "This glass", "95 % confidence", "Published", "Compared")


#: What the columns of `cluster_rows` are.
CLUSTERS = (
    "Clusters: neighbours of one class, and of exactly as many usable atoms drawn at random from the same glass. Largest: its "
    "atoms, and their share of all of the class; of an atom: atoms in the cluster of an atom, on average; alone: without a neighbour "
    "of the class; goes through: along a cell vector it meets its own image, or goes from end to end."
)


class Row(NamedTuple):
    """A row of a table.

    Attributes
    ----------
    name : str
        Of the quantity.
    value : str
        Of this glass.
    interval : str
        Of the value; empty where it is not known.
    published : str
        Empty where nothing corresponds.
    word : str
        How the published value lies to the interval.
    """

    name: str
    value: str
    interval: str = ""
    published: str = ""
    word: str = ""


def row_of(
    name: str,
    value: float,
    form: Form,
    interval: np.ndarray | None = None,
    published: float | None = None,
    told: str = "",
    *,
    holds: bool | None = None,
) -> Row:
    """One row.

    Parameters
    ----------
    name : str
        Of the quantity.
    value : float
        Of this glass.
    form : Form
        How numbers are written.
    interval : float64 array, shape (2,), optional
        Ends.
    published : float, optional
        Published value.
    told : str
        How it is written, where otherwise than the others; what was published instead of a value.
    holds : bool, optional
        Whether what was published instead of a value holds here.
    """
    ends = form.between(interval)
    beside = told or ("" if published is None else form(published))
    word = "" if holds is None else "as published" if holds else "otherwise"
    if ends and interval is not None and published is not None:
        word = "lower" if interval[1] < published else "higher" if interval[0] > published else "as published"
    return Row(name, form(value), ends, beside, word)


def spectrum_rows(found: xr.Dataset) -> list[Row]:
    """Rows of what `qsdask.study.spectrum` found: Figures 3a, 3b and 2b."""
    hard, soft = (f"QS {sign} {found.attrs[name]:g}" for sign, name in (("<", "hard_below"), (">", "soft_above")))
    area = Form(".2f" if length_of(found) == ANGSTROM else ".3g", square(found))
    usual = has_usual_classes(found)
    rows: list[tuple[str, str, Form, float | None, str]] = [
        (
            f"Atoms with {hard}",
            "fraction_hard",
            PERCENT,
            0.13 if usual else None,
            Form(".0f", "%", 100.0)(0.13) * usual,
        ),
        (
            f"Atoms with {soft}",
            "fraction_soft",
            PERCENT,
            0.11 if usual else None,
            Form(".0f", "%", 100.0)(0.11) * usual,
        ),
        ("Standard deviation of QS", "qs_std", SCORE, 0.230, ""),
        ("Plastic atoms, P(plastic)", "p_plastic_all", PERCENT_FINE, None, ""),
        ("P(plastic | QS = 0.5) / P(plastic)", "p_ratio_half", RATIO, 1.0, "close to 1"),
        ("Plastic atoms with QS > 0.5 (recall)", "recall", PERCENT, 0.742, ""),
        (f"Mean D² of atoms with {hard}", "d2_mean_hard", area, 0.55 if usual else None, ""),
        (f"Mean D² of atoms with {soft}", "d2_mean_soft", area, None, ""),
        ("Mean D² of all atoms", "d2_mean_all", area, None, ""),
    ]
    return [
        row_of(name, found[key].item(), form, _ends(found, key), value, told)
        for name, key, form, value, told in rows
        if np.isfinite(found[key].item())
    ]


def classes_told(found: xr.Dataset) -> str:
    """Which atoms are hard, and which are soft, in words."""
    return f"hard: QS < {found.attrs['hard_below']:g}; soft: QS > {found.attrs['soft_above']:g}"


def has_usual_classes(found: xr.Dataset) -> bool:
    """Whether hard and soft are what they are in the paper: published values are of no other classes."""
    return (found.attrs["hard_below"], found.attrs["soft_above"]) == (HARD_BELOW, SOFT_ABOVE)


def packing_rows(found: xr.Dataset) -> list[Row]:
    """Rows of what `qsdask.packing` found: Figure 3c."""
    span, rows = Form(".3g", symbol(length_of(found))), []
    n_range, usual = found.sizes["range"], has_usual_classes(found)
    for k in range(n_range):
        within = span.between([found[f"range_{end}"].values[k] for end in ("low", "high")])
        for name in ("hard", "soft", "all"):
            one = found.sel({"class": name}).isel(range=k)
            value, ends = one["dimension"].item(), one["dimension_interval"].values
            told, holds = "", None
            if name != "all" and n_range == 2 and found.attrs["around"] == "own" and usual and np.isfinite(value):
                told = "below 3" if k == 0 else "close to 3"
                holds = bool(ends[1] < 3.0 if k == 0 else ends[1] > 3.0 - _CLOSE) if np.isfinite(ends).all() else None
            rows.append(row_of(f"D of {name} atoms, {within}", value, RATIO, ends, told=told, holds=holds))
    peaks = [_first_peak(found, pair) for pair in ("hard-hard", "soft-soft")]
    if np.isfinite(peaks).all():
        told, holds = ("higher than of soft ones", peaks[0] > peaks[1]) if usual else ("", None)
        rows.append(row_of("First peak of g(r), hard to hard atoms", peaks[0], RATIO, told=told, holds=holds))
        rows.append(row_of("First peak of g(r), soft to soft atoms", peaks[1], RATIO))
    return rows


def cluster_rows(found: xr.Dataset) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Titles and rows of the clusters that `qsdask.packing` found, with those of as many atoms by chance."""
    heads = ("Clusters", "Atoms", "Clusters", "Largest", "Of all", "Of an atom", "Alone", "Goes through along")
    rows: list[tuple[str, ...]] = []
    names = {"glass": "{} atoms", "chance": "as many by chance"}
    for part in found["part"].values.tolist():
        for labels in found["labels"].values.tolist():
            one = found.sel(part=part, labels=labels)
            along = [axis for axis in "abc" if one["cluster_spans"].sel(axis=axis).item()]
            rows.append(
                (
                    names[labels].format(part),
                    COUNT(one["n_clustered"].item()),
                    COUNT(one["n_cluster"].item()),
                    COUNT(one["cluster_largest"].item()),
                    PERCENT(one["cluster_largest_share"].item()),
                    Form(",.1f")(one["cluster_mean"].item()),
                    PERCENT(one["cluster_alone"].item()),
                    ", ".join(along) or "none",
                )
            )
    return heads, rows


def crossover_rows(found: xr.Dataset) -> list[Row]:
    """Rows of the crossover that `qsdask.activation` found: Figure 3e."""
    rows = []
    for k, stage in enumerate(found["stage"].values.tolist()):
        at, ends = found["crossover"].values[k], found["crossover_interval"].values[k]
        published = 0.065 if k == 0 else None
        told = "about 0.065" if k == 0 else ""
        row = row_of(f"Strain at which {stage} begins", at, SHORT, ends, published, told)
        rows.append(row if np.isfinite(at) else row._replace(value="none found"))
    return rows


def _first_peak(found: xr.Dataset, pair: str) -> float:
    """Highest g(r) within one and a half spacings of the atoms."""
    near = found["shell_r"].values < 1.5 * found.attrs["spacing"]
    return float(np.nanmax(found["g"].sel(pair=pair).values[near], initial=0.0))


def _ends(found: xr.Dataset, key: str) -> np.ndarray | None:
    return found[f"{key}_interval"].values if f"{key}_interval" in found else None
