"""What a model scored on each part of its training atoms that it was learned without, as a table."""

from __future__ import annotations

from collections.abc import Mapping

import click

from qsdask.cli.tables import print_table

__all__ = ["print_left_out"]


def print_left_out(scores: Mapping, settings: Mapping) -> None:
    """Print the scores of the learner ``response``, part by part; of others, whose folds have no names, their mean."""
    parts = [one for one in scores["folds"] if "left_out" in one]
    mean = scores["mean"]
    told = f"AUC {mean['auc']:.3f} ± {mean['auc_std']:.3f} (standard deviation)"
    if not parts:
        if settings.get("parallel") == "data":
            click.echo(
                "learned data-parallel, by all workers together: other trees than one process grows (--parallel)"
            )
        click.echo(
            f"{told} on the folds left out; they share neighbours, so only a held-out glass tells what it is worth"
        )
        return
    rows = [(one["left_out"], f"{one['n']:,}", one["auc"], one["average_precision"]) for one in parts]
    print_table("what was left out, by models that did not see it", ("", "atoms", "AUC", "average precision"), rows)
    tried = ", ".join(f"{one['penalty']:g}" for one in scores["penalties"])
    why = f", the best of {tried} on what was left out" if tried else ""
    click.echo(f"{told} over them; penalty {settings['penalty']:g}{why}")
    if settings["penalty"] in [one["penalty"] for one in scores["penalties"][:1] + scores["penalties"][-1:]]:
        click.echo("That is at the end of those that were tried: a --penalty beyond may do better.")
