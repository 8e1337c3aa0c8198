"""What ``qsdask explain`` prints."""

from __future__ import annotations

import click
import xarray as xr

from qsdask.cli.tables import print_table
from qsdask.views.explanation import in_words, rows_of, rows_of_dependence, rows_of_motifs

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
    print_table(f"columns by mean contribution{shown}", ("column", *_HEADS, "value"), rows_of(found, "column", _MOST))
    click.echo(
        "gain: share of what splits gained in training. permutation: fall of the AUC-ROC of QS on this glass when the values are "
        "dealt out anew. contribution: mean size, logarithm of the odds. soft - hard: mean contribution in soft atoms minus that "
        "in hard ones. value: by how many standard deviations the column is higher in soft atoms."
    )
    for note in found.attrs["notes"]:
        click.echo(note)
    click.echo(in_words(found))


def print_dependence(found: xr.Dataset) -> None:
    """Print what `qsdask.partial_dependence` found."""
    title = f"partial dependence of QS, mean over {found.attrs['n_sampled']:,} of {found.attrs['n']:,} atoms"
    print_table(title, *rows_of_dependence(found))
    if motifs := rows_of_motifs(found):
        heads = ("motif", "atoms", "QS", *found.attrs["columns"])
        print_table("motifs: mean QS, and where they lie on average", heads, motifs)
    for note in found.attrs["notes"]:
        click.echo(note)
