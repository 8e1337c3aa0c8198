"""What ``qsdask explain`` prints."""

from __future__ import annotations

import click
import numpy as np
import xarray as xr

from qsdask.cli.tables import print_table
from qsdask.views.explanation import in_words, rows_of

__all__ = ["print_dependence", "print_importance"]

#: Columns that are printed; the others are in the JSON.
_MOST = 20

_HEADS = ("gain", "permutation", "contribution", "soft - hard")


def print_importance(found: xr.Dataset) -> None:
    """Print what `qsdask.importance` found: kinds of columns, then the columns, then what it comes to."""
    for dim, title in (
        ("part", "by range and quantity"),
        ("statistic", "by statistic; of the medium range that of the column, then that over the neighbours"),
    ):
        print_table(title, (dim, *_HEADS), rows_of(found, dim))
    shown = f", the first {_MOST} of {found.sizes['column']}" if found.sizes["column"] > _MOST else ""
    rows = [
        (*row, "" if np.isnan(higher) else f"{higher:+.2f}")
        for row, higher in zip(rows_of(found, "column", _MOST), _higher(found), strict=True)
    ]
    print_table(f"columns by mean contribution{shown}", ("column", *_HEADS, "value"), rows)
    click.echo(
        "gain: share of what splits gained in training. permutation: fall of the AUC-ROC of QS on this glass when the values are "
        "dealt out anew. contribution: mean size, logarithm of the odds. soft - hard: mean contribution in soft atoms minus that "
        "in hard ones. value: by how many standard deviations the column is higher in soft atoms."
    )
    for note in found.attrs["notes"]:
        click.echo(note)
    click.echo(in_words(found))


def _higher(found: xr.Dataset) -> np.ndarray:
    return found["higher"].values[np.argsort(-found["size"].values, kind="stable")][:_MOST]


def print_dependence(found: xr.Dataset) -> None:
    """Print what `qsdask.partial_dependence` found: of one column all values, of two the ends."""
    columns, qs = found.attrs["columns"], found["qs"].values
    title = f"partial dependence of QS, mean over {found.attrs['n_sampled']:,} of {found.attrs['n']:,} atoms"
    if len(columns) == 1:
        values = [(f"{x:.5g}", f"{y:.4f}") for x, y in zip(found["first"].values, qs, strict=True)]
        print_table(title, (columns[0], "QS"), values)
    else:
        ends = [np.unravel_index(k, qs.shape) for k in (qs.argmin(), qs.argmax())]
        rows = [
            (
                name,
                *(f"{found[axis].values[end[k]]:.5g}" for k, axis in enumerate(("first", "second"))),
                f"{qs[end]:.4f}",
            )
            for name, end in zip(("hardest", "softest"), ends, strict=True)
        ]
        print_table(title, ("", *columns, "QS"), rows)
    motifs = [
        (name, int(n), f"{qs:.3f}", *(f"{x:.5g}" for x in mean))
        for name, n, qs, mean in zip(
            *(found[key].values for key in ("motif", "motif_n", "motif_qs", "motif_mean")), strict=True
        )
    ]
    if motifs:
        print_table("motifs: mean QS, and where they lie on average", ("motif", "atoms", "QS", *columns), motifs)
    for note in found.attrs["notes"]:
        click.echo(note)
