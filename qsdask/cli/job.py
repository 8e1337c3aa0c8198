"""Commands that do a whole job."""

from __future__ import annotations

from dataclasses import asdict

import click

import qsdask
from qsdask.cli.group import CONTEXT, cli
from qsdask.cli.options import COUNT, listing_settings, running
from qsdask.cli.output import as_json_text


@cli.command(context_settings=CONTEXT)
@click.argument("recipe")
@listing_settings
@click.option("--set", "changes", multiple=True, help="Replace a setting: --set train.threshold=4.5")
@click.option("--folder", help="Where everything goes, instead of the recipe's folder.")
@click.option("--dry-run", is_flag=True, help="Print what would be written, tasks, bytes and memory; run nothing.")
@running
def run(recipe, changes, folder, dry_run, run) -> None:
    """Do all of a job from one recipe; run again, it goes on where it was.

    \b
    qsdask run pipelines/quickstart.toml --set train.threshold=4.5
    qsdask run pipelines/quickstart.toml --dry-run
    qsdask run shipped:demo_glass                            # from the melt to the report
    qsdask run --settings > my.toml                          # all that a recipe may hold
    """
    from qsdask.cli.plans import print_plan
    from qsdask.cli.tables import print_estimate, print_run, print_written
    from qsdask.jobs.plan import written
    from qsdask.jobs.storage import reached, storage_of
    from qsdask.jobs.trajectories import simulation

    with reached(storage_of(recipe, changes)):
        if not dry_run:
            print_run(qsdask.run(recipe, changes=changes, folder=folder, run=run))
            return
        print_written(written(recipe, changes=changes, folder=folder))
        if cost := simulation(recipe, changes=changes, folder=folder, run=run):
            print_estimate(cost)
        print_plan(qsdask.plan(recipe, changes=changes, folder=folder))


@cli.command(context_settings=CONTEXT)
@click.argument("recipe")
@click.option("--set", "changes", multiple=True, help="Replace a setting: --set ingest.chunk=131072")
@click.option("--folder", help="Where everything would go, instead of the recipe's folder.")
@click.option("--atoms", type=COUNT, help="As if every specimen had so many, at its density: 1e9.")
@click.option("--frames", type=COUNT, help="As if every trajectory had so many.")
@click.option("--cost", is_flag=True, help="Also time, bytes and files, from what the stages were measured to take.")
@click.option("--cores", type=COUNT, multiple=True, help="For which the time is wanted (default: 1, 16 and 256).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def plan(recipe, changes, folder, atoms, frames, cost, cores, as_json) -> None:
    """Say what a recipe will cost: tasks, ghosts, bytes, memory, and with --cost time; nothing is run.

    \b
    qsdask plan pipelines/quickstart.toml
    qsdask plan glass.toml --cost --cores 64
    qsdask plan shipped:quickstart --cost --atoms 1e9 --frames 33    # no trajectory so large is needed
    """
    from qsdask.cli.plans import print_costs, print_plan
    from qsdask.engine.rates import CORES
    from qsdask.jobs.plan import costs

    job = {"changes": changes, "folder": folder, "n_atom": atoms, "n_frame": frames}
    plans = qsdask.plan(recipe, **job)
    wanted = cores or CORES
    found = costs(recipe, **job, cores=wanted) if cost else {}
    if as_json:
        rows = {name: [asdict(each) for each in stages] for name, stages in plans.items()}
        costly = {name: [asdict(each) for each in stages if each] for name, stages in found.items()}
        click.echo(as_json_text({"plan": rows, **({"cost": costly} if cost else {})}))
        return
    print_plan(plans)
    if cost:
        print_costs(found, wanted)


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
