"""Commands that make glasses."""

from __future__ import annotations

import click

import qsdask
from qsdask.cli.group import CONTEXT, cli
from qsdask.cli.options import listing_settings, running


@cli.command(context_settings=CONTEXT)
@click.argument("recipe")
@listing_settings
@click.option("--set", "changes", multiple=True, help="Replace a setting: --set ensemble.atoms=500")
@click.option("--folder", help="Where specimens go, instead of the recipe's folder.")
@click.option("--only", multiple=True, help="Specimens to make: a name or a pattern such as 'cu65*'.")
@click.option("--dry-run", is_flag=True, help="Print specimens and core-hours, from a short timing.")
@running
def simulate(recipe, changes, folder, only, dry_run, run) -> None:
    """Make glasses with LAMMPS: melt, quench, deform; run again, it goes on where it was.

    \b
    qsdask simulate pipelines/glasses_cu_zr.toml --dry-run
    qsdask simulate shipped:glasses_fe_p --workers 8         # a recipe that comes with qsdask
    qsdask simulate glasses.toml --set ensemble.replicas=1 --only 'cu65*'
    qsdask simulate --settings > my.toml                     # all that a recipe may hold
    """
    from qsdask.cli.tables import print_estimate, print_specimens
    from qsdask.jobs.simulate import estimate

    asked = {"changes": changes, "folder": folder, "only": only, "run": run}
    if dry_run:
        print_estimate(estimate(recipe, **asked))
        return
    print_specimens(qsdask.simulate(recipe, **asked))
