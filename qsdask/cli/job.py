"""Commands that do a whole job."""

from __future__ import annotations

import click

import qsdask
from qsdask.cli.group import CONTEXT, cli
from qsdask.cli.options import listing_settings, running


@cli.command(context_settings=CONTEXT)
@click.argument("recipe")
@listing_settings
@click.option("--set", "changes", multiple=True, help="Replace a setting: --set train.threshold=4.5")
@click.option("--folder", help="Where everything goes, instead of the recipe's folder.")
@click.option("--dry-run", is_flag=True, help="Print tasks, bytes and memory; run nothing.")
@running
def run(recipe, changes, folder, dry_run, run) -> None:
    """Do all of a job from one recipe; run again, it goes on where it was.

    \b
    qsdask run pipelines/quickstart.toml --set train.threshold=4.5
    qsdask run pipelines/quickstart.toml --dry-run
    qsdask run shipped:demo_glass                            # from the melt to the report
    qsdask run --settings > my.toml                          # all that a recipe may hold
    """
    from qsdask.cli.tables import print_estimate, print_plan, print_run
    from qsdask.jobs.trajectories import simulation

    if dry_run:
        if cost := simulation(recipe, changes=changes, folder=folder, run=run):
            print_estimate(cost)
        print_plan(qsdask.plan(recipe, changes=changes, folder=folder))
        return
    print_run(qsdask.run(recipe, changes=changes, folder=folder, run=run))


@cli.command(context_settings=CONTEXT)
@click.option("--folder", default="qsdask-quickstart", help="Where stores, model and report go.")
@running
def quickstart(folder, run) -> None:
    """Learn softness from one shipped Cu-Zr glass and test it on another.

    \b
    qsdask quickstart
    """
    from qsdask.cli.tables import print_run

    print_run(qsdask.quickstart(folder, run=run))
