"""What a question found, in rows with its confidence, the value that Wang & Jain (2019) published, and how the two compare."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr

from qsdask.reporting.style import length_of, square
from qsdask.units import ANGSTROM

__all__ = ["GLASS", "HEADS", "Row", "row_of", "spectrum_rows"]

#: The glass of the published values, where no other is named.
GLASS = "Cu65Zr35 quenched at 5e10 K/s"

#: Titles of the columns.
HEADS = ("Quantity", "This glass", "95 % confidence", "Published", "")


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
    form: str,
    interval: np.ndarray | None = None,
    published: float | None = None,
    told: str = "",
) -> Row:
    """One row.

    Parameters
    ----------
    name : str
        Of the quantity.
    value : float
        Of this glass.
    form : str
        How numbers are written, such as ``"{:.1%}"``.
    interval : float64 array, shape (2,), optional
        Ends.
    published : float, optional
        Published value.
    told : str
        How it is written, where otherwise than the others.
    """
    known = interval is not None and bool(np.isfinite(interval).all())
    ends = " to ".join(form.format(end) for end in interval) if known and interval is not None else ""
    beside = "" if published is None else told or form.format(published)
    word = ""
    if known and interval is not None and published is not None:
        word = "lower" if interval[1] < published else "higher" if interval[0] > published else "as published"
    return Row(name, form.format(value) if np.isfinite(value) else "–", ends, beside, word)


def spectrum_rows(found: xr.Dataset) -> list[Row]:
    """Rows of what `qsdask.study.spectrum` found: Figures 3a, 3b and 2b."""
    hard, soft = found.attrs["hard_below"], found.attrs["soft_above"]
    unit, digits = square(found), ".2f" if length_of(found) == ANGSTROM else ".3g"
    area = f"{{:{digits}}} {unit}"
    rows: list[tuple[str, str, str, float | None, str]] = [
        (f"Atoms with QS < {hard:g}", "fraction_hard", "{:.1%}", 0.13, "13 %"),
        (f"Atoms with QS > {soft:g}", "fraction_soft", "{:.1%}", 0.11, "11 %"),
        ("Standard deviation of QS", "qs_std", "{:.3f}", 0.230, ""),
        ("Plastic atoms, P(plastic)", "p_plastic_all", "{:.2%}", None, ""),
        ("P(plastic | QS = 0.5) / P(plastic)", "p_ratio_half", "{:.2f}", 1.0, "close to 1"),
        ("Plastic atoms with QS > 0.5 (recall)", "recall", "{:.1%}", 0.742, "74.2 %"),
        (f"Mean D² of atoms with QS < {hard:g}", "d2_mean_hard", area, 0.55, "0.55 Å²"),
        (f"Mean D² of atoms with QS > {soft:g}", "d2_mean_soft", area, None, ""),
        ("Mean D² of all atoms", "d2_mean_all", area, None, ""),
    ]
    return [
        row_of(name, found[key].item(), form, _ends(found, key), value, told)
        for name, key, form, value, told in rows
        if np.isfinite(found[key].item())
    ]


def _ends(found: xr.Dataset, key: str) -> np.ndarray | None:
    return found[f"{key}_interval"].values if f"{key}_interval" in found else None
