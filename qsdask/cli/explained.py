"""What ``qsdask explain`` prints."""

from __future__ import annotations

import click
import xarray as xr

from qsdask.cli.tables import print_table
from qsdask.views.explanation import in_words, rows_of, rows_of_dependence, rows_of_motifs

__all__ = ["print_dependence", "print_importance"]

#: Columns, and kinds of them, that are printed; the others are in the JSON.
_MOST = 20

_HEADS = ("in training", "permutation", "contribution", "soft - hard")


def print_importance(found: xr.Dataset) -> None:
    """Print what `qsdask.importance` found: kinds of columns, then the columns, then what it comes to."""
    if found.sizes["set"] > 1:
        print_table("by feature set", ("set", *_HEADS), rows_of(found, "set"))
    for dim, title in (
        ("part", "by range and quantity"),
        ("statistic", "by statistic; of the medium range that of the column, then that over the neighbours"),
    ):
        print_table(title + _shown(found, dim), (dim, *_HEADS), rows_of(found, dim, _MOST))
    title = f"columns by mean contribution{_shown(found, 'column')}"
    print_table(title, ("what it is", *_HEADS, "value", "column"), rows_of(found, "column", _MOST))
    click.echo(
        f"in training: {found.attrs['measure']}, mean over the fold models. permutation: fall of the AUC-ROC of QS on this glass when "
        f"the values are dealt out anew among {found.attrs['dealt_among']}. contribution: mean size, logarithm of the odds. "
        "soft - hard: mean contribution in soft atoms minus that in hard ones. value: by how many standard deviations the column is "
        "higher in soft atoms."
    )
    for note in found.attrs["notes"]:
        click.echo(note)
    click.echo(in_words(found))


def _shown(found: xr.Dataset, dim: str) -> str:
    """How many of them are printed, where that is not all."""
    return f", the first {_MOST} of {found.sizes[dim]}" if found.sizes[dim] > _MOST else ""


def print_dependence(found: xr.Dataset) -> None:
    """Print what `qsdask.partial_dependence` found."""
    title = f"partial dependence of QS, mean over {found.attrs['n_sampled']:,} of {found.attrs['n']:,} atoms"
    print_table(title, *rows_of_dependence(found))
    if motifs := rows_of_motifs(found):
        heads = ("motif", "atoms", "QS", *found.attrs["columns"])
        print_table("motifs: mean QS, and where they lie on average", heads, motifs)
    for note in found.attrs["notes"]:
        click.echo(note)
