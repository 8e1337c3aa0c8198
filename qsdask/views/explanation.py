"""Pictures and tables of what a model looks at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from qsdask.reporting import explanation
from qsdask.reporting.explanation_words import in_words
from qsdask.reporting.number import PERCENT, SCORE, Form
from qsdask.reporting.picture import save_png

__all__ = [
    "in_words",
    "plain",
    "rows_of",
    "rows_of_dependence",
    "rows_of_motifs",
    "write_dependence",
    "write_importances",
]


def write_importances(found: xr.Dataset, out: str | Path, *, overwrite: bool = False) -> Path:
    """Draw what `qsdask.importance` found; see `qsdask.reporting.explanation.importances`."""
    return save_png(explanation.importances(found), Path(out), overwrite=overwrite)


def write_dependence(found: xr.Dataset, out: str | Path, *, overwrite: bool = False) -> Path:
    """Draw what `qsdask.partial_dependence` found; see `qsdask.reporting.explanation.partial_dependence`."""
    return save_png(explanation.partial_dependence(found), Path(out), overwrite=overwrite)


def rows_of(found: xr.Dataset, dim: str, most: int | None = None) -> list[tuple[str, ...]]:
    """Rows of a table of the importances of columns, or of a grouping of them: name, share in training, permutation, size, apart; of
    columns what they are, these numbers, by how many standard deviations they are higher in soft atoms, and the name.

    Parameters
    ----------
    found : Dataset
        Of `qsdask.importance`.
    dim : str
        ``column``, ``part``, ``range``, ``quantity``, ``statistic`` or ``set``.
    most : int, optional
        Rows at most, those of the largest contributions.
    """
    before = "" if dim == "column" else f"{dim}_"
    size, apart, fall, spread, gain = (
        found[f"{before}{name}"].values for name in ("size", "apart", "permutation", "permutation_std", "gain")
    )
    rows: list[tuple[str, ...]] = []
    for k in np.argsort(-size, kind="stable")[:most]:
        name = str(found[dim].values[k])
        permuted = "" if np.isnan(fall[k]) else Form(".4f").spread(fall[k], spread[k])
        row = (PERCENT(gain[k]), permuted, SCORE(size[k]), f"{apart[k]:+.3f}")
        if dim == "column":
            rows.append((str(found["meaning"].values[k]), *row, f"{found['higher'].values[k]:+.2f}", name))
        else:
            rows.append((name, *row))
    return rows


def rows_of_dependence(found: xr.Dataset) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Heads and rows of a table of partial dependence: of one column all values, of two the ends."""
    columns, qs = found.attrs["columns"], found["qs"].values
    if len(columns) == 1:
        return (columns[0], "QS"), [(f"{x:.5g}", f"{y:.4f}") for x, y in zip(found["first"].values, qs, strict=True)]
    rows: list[tuple[str, ...]] = []
    for name, place in (("hardest", qs.argmin()), ("softest", qs.argmax())):
        i, j = np.unravel_index(place, qs.shape)
        values = (found["first"].values[i], found["second"].values[j])
        rows.append((name, *(f"{x:.5g}" for x in values), f"{qs[i, j]:.4f}"))
    return ("", *columns, "QS"), rows


def rows_of_motifs(found: xr.Dataset) -> list[tuple[object, ...]]:
    """Rows of a table of motifs: name, atoms, mean QS, mean of the columns."""
    parts = (found[key].values for key in ("motif", "motif_n", "motif_qs", "motif_mean"))
    return [(name, int(n), f"{qs:.3f}", *(f"{x:.5g}" for x in mean)) for name, n, qs, mean in zip(*parts, strict=True)]


def plain(found: xr.Dataset) -> dict:
    """An answer as lists by name, for JSON; of importances with what they come to in words."""
    values = {str(name): found[name].values.tolist() for name in found.variables}
    words = {"words": in_words(found)} if "apart" in found else {}
    return {**found.attrs, **values, **words}
