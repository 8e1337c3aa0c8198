"""What a model scored on each part of its training atoms that it was learned without, as a table."""

from __future__ import annotations

from collections.abc import Mapping

import click

from qsdask.cli.tables import print_table

__all__ = ["print_left_out"]


def print_left_out(scores: Mapping, settings: Mapping) -> None:
    """Print the scores of the learner ``response``; of others, whose folds have no names, nothing."""
    parts = [one for one in scores["folds"] if "left_out" in one]
    if not parts:
        return
    rows = [(one["left_out"], f"{one['n']:,}", one["auc"], one["average_precision"]) for one in parts]
    print_table("what was left out, by models that did not see it", ("", "atoms", "AUC", "average precision"), rows)
    tried = ", ".join(f"{one['penalty']:g}" for one in scores["penalties"])
    why = f", the best of {tried} on what was left out" if tried else ""
    mean = scores["mean"]
    click.echo(f"AUC {mean['auc']:.3f} ± {mean['auc_std']:.3f}; penalty {settings['penalty']:g}{why}")
