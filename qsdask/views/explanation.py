"""Pictures and tables of what a model looks at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from qsdask.reporting import explanation
from qsdask.reporting.explanation_words import in_words
from qsdask.reporting.picture import save_png

__all__ = ["in_words", "plain", "rows_of", "write_dependence", "write_importances"]


def write_importances(found: xr.Dataset, out: str | Path, *, overwrite: bool = False) -> Path:
    """Draw what `qsdask.importance` found; see `qsdask.reporting.explanation.importances`."""
    return save_png(explanation.importances(found), Path(out), overwrite=overwrite)


def write_dependence(found: xr.Dataset, out: str | Path, *, overwrite: bool = False) -> Path:
    """Draw what `qsdask.partial_dependence` found; see `qsdask.reporting.explanation.partial_dependence`."""
    return save_png(explanation.partial_dependence(found), Path(out), overwrite=overwrite)


def rows_of(found: xr.Dataset, dim: str, most: int | None = None) -> list[tuple[str, ...]]:
    """Rows of a table of the importances of columns, or of a grouping of them: name, gain, permutation, size, apart.

    Parameters
    ----------
    found : Dataset
        Of `qsdask.importance`.
    dim : str
        ``column``, ``part``, ``range``, ``quantity`` or ``statistic``.
    most : int, optional
        Rows at most, those of the largest contributions.
    """
    before = "" if dim == "column" else f"{dim}_"
    size, apart, fall, spread, gain = (
        found[f"{before}{name}"].values for name in ("size", "apart", "permutation", "permutation_std", "gain")
    )
    rows: list[tuple[str, ...]] = []
    for k in np.argsort(-size, kind="stable")[:most]:
        permuted = "" if np.isnan(fall[k]) else f"{fall[k]:.4f} ± {spread[k]:.4f}"
        rows.append((str(found[dim].values[k]), f"{gain[k]:.1%}", permuted, f"{size[k]:.3f}", f"{apart[k]:+.3f}"))
    return rows


def plain(found: xr.Dataset) -> dict:
    """An answer as lists by name, for JSON; of importances with what they come to in words."""
    values = {str(name): found[name].values.tolist() for name in found.variables}
    words = {"words": in_words(found)} if "apart" in found else {}
    return {**found.attrs, **values, **words}
