"""Commands that look after data: is a trajectory right, is a store whole, can it be mended."""

from __future__ import annotations

import json

import click

import qsdask
from qsdask.cli.generated import settings_options
from qsdask.cli.group import CONTEXT, cli
from qsdask.cli.options import reading, running, source_files
from qsdask.settings import IngestSettings


@cli.command(context_settings=CONTEXT)
@click.argument("files", nargs=-1, required=True)
@settings_options(
    IngestSettings,
    only=("species", "strain_step", "strain_file", "loading", "boundary", "units", "radius", "lost_atoms", "new_atoms"),
)
@reading
@click.option("--max-errors", type=click.IntRange(1), default=20, help="Stop after so many.")
@click.option("--frame", type=int, help="Look at one frame only, counted from 0.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def check(files, max_errors, frame, as_json, quiet, **settings) -> None:
    """Read a trajectory to its end without ingesting it; tell all that is wrong with it.

    Ends with status 65 when something is.

    \b
    qsdask check run7.dump.gz --species 1=Cu,2=Zr
    qsdask check 'dump.*.zst' --max-errors 100
    """
    from qsdask.cli.tables import print_findings

    found = qsdask.check(source_files(files), max_errors=max_errors, frame=frame, progress=not quiet, **settings)
    if as_json:
        click.echo(json.dumps(found.as_json(), indent=1))
    else:
        print_findings(found)
    if found.errors:
        raise click.exceptions.Exit(found.errors[0].exit_status)


@cli.command(context_settings=CONTEXT)
@click.argument("store")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def verify(store, quiet) -> None:
    """Find every flipped bit, cut, deleted and strange file of a store.

    Ends with status 74 when there is damage.

    \b
    qsdask verify glass7.zarr
    """
    damage = qsdask.verify(store, progress=not quiet)
    for item in damage:
        click.echo(str(item))
    harm = [item for item in damage if not item.harmless]
    if harm:
        click.echo(f"{store}: {len(harm)} damaged. Next: qsdask repair {store}")
        raise click.exceptions.Exit(74)
    click.echo(f"{store}: whole.")


@cli.command(context_settings=CONTEXT)
@click.argument("store")
@click.option("--source", multiple=True, help="The trajectory again, when its own frames are damaged.")
@running
def repair(store, source, run) -> None:
    """Compute damaged parts of a store again, and only those.

    \b
    qsdask repair glass7.zarr
    qsdask repair glass7.zarr --source run7.dump.gz
    """
    mended = qsdask.repair(store, source=source_files(source) or None, run=run)
    for line in mended:
        click.echo(line)
    click.echo(f"{store}: {'mended' if mended else 'whole, nothing to do'}.")


@cli.command(context_settings=CONTEXT)
@click.argument("store")
def migrate(store) -> None:
    """Bring a store of an older qsdask to the present format.

    \b
    qsdask migrate glass7.zarr
    """
    qsdask.migrate(store)
    click.echo(f"{store}: has the present format.")
