"""Commands that fill a store or make a model."""

from __future__ import annotations

import click

import qsdask
from qsdask.cli.generated import settings_options
from qsdask.cli.group import CONTEXT, cli
from qsdask.cli.options import done, reading, running, source_files, steps_of, warn, which_frames
from qsdask.errors import UsageError
from qsdask.names import name_of_model
from qsdask.settings import (
    FeatureSettings,
    IngestSettings,
    PropensitySettings,
    RespondSettings,
    ShellSettings,
    TrainSettings,
)


@cli.command(context_settings=CONTEXT)
@click.argument("files", nargs=-1, required=True)
@click.argument("store")
@settings_options(IngestSettings)
@reading
@running
def ingest(files, store, run, **settings) -> None:
    """Turn a trajectory into a store.

    \b
    qsdask ingest run7.dump.gz glass7.zarr --species 1=Cu,2=Zr --strain-step 0.00125
    qsdask ingest 'dump.*.gz' glass7.zarr --species 1=Cu,2=Zr      # one file per frame
    """
    from qsdask.views.info import warnings_of

    made = qsdask.ingest(source_files(files), store, **settings, run=run)
    warn(warnings_of(made, "ingest"))
    done(made)


@cli.command(context_settings=CONTEXT)
@click.argument("store")
@settings_options(ShellSettings)
@which_frames
@running
def shells(store, step, strain, run, **settings) -> None:
    """Find the Voronoi and the cut-off neighbours of every atom.

    \b
    qsdask shells glass7.zarr --cutoff 4.0
    qsdask shells glass7.zarr --frame 32,40
    """
    steps = steps_of(store, step, strain)
    done(qsdask.shells(store, step=steps, **settings, run=run), steps)


@cli.command(context_settings=CONTEXT)
@click.argument("store", required=False)
@settings_options(FeatureSettings, convention="that of the shells unless given")
@click.option("--facets", type=click.Choice(["hard", "soft"]), hidden=True)
@click.option(
    "--list",
    "listed",
    is_flag=True,
    help="Print all sets with their measured cost, or with --set (or --set all) every column, its unit and meaning.",
)
@which_frames
@running
def features(store, listed, step, strain, run, facets, **settings) -> None:
    """Compute what every atom looks like, in the undeformed glass or at a strain.

    \b
    qsdask features glass7.zarr --set interstice
    qsdask features glass7.zarr --set all
    qsdask features glass7.zarr --set interstice --strain 0.04
    qsdask features glass7.zarr --set interstice --coarsen 2 --coarsen-radius 5.0,7.0
    qsdask features --list                       # sets, settings, cost
    qsdask features --list --set interstice      # columns, units, meaning; --set all for those of every set
    """
    from qsdask.cli.feature_options import refuse_unused
    from qsdask.cli.tables import print_feature_sets

    if facets is not None:
        warn([f"--facets {facets} is now --facet-weighting {'none' if facets == 'hard' else 'area'}"])
        settings["facet_weighting"] = facets
    name = settings.pop("set")
    refuse_unused("all" if listed and not name else name, settings)
    if listed:
        print_feature_sets(name, settings)
        return
    if store is None:
        raise click.MissingParameter(param_type="argument", param_hint="'STORE'")
    steps = steps_of(store, step, strain)
    done(qsdask.features(store, set=name, step=steps, run=run, **settings), steps)


@cli.command(context_settings=CONTEXT)
@click.argument("store")
@settings_options(RespondSettings)
@settings_options(PropensitySettings, runs="their response is averaged too", threshold="with --runs only")
@running
def respond(store, runs, threshold, run, **settings) -> None:
    """Measure D2min of every atom at every stored strain.

    \b
    qsdask respond glass7.zarr --cutoff 4.0
    qsdask respond glass7.zarr --runs glass7-run2.zarr,glass7-run3.zarr
    """
    if threshold is not None and not runs:
        raise UsageError("--threshold of respond is that of --runs", code="E-SETTING")
    done(qsdask.respond(store, **settings, runs=runs or (), threshold=threshold, run=run))


@cli.command(context_settings=CONTEXT)
@click.argument("stores", nargs=-1, required=True)
@click.option("--model", required=True, help="Model folder to write, such as cuzr.qs.")
@settings_options(TrainSettings)
@running
def train(stores, model, run, **settings) -> None:
    """Learn softness from deformed glasses.

    \b
    qsdask train glass1.zarr glass2.zarr --model cuzr.qs --strain 0.04 --threshold 5
    qsdask train glass1.zarr glass2.zarr --model often.qs --label propensity --threshold 0.5
    """
    from qsdask.learn import loaded

    made = qsdask.train(list(stores), model=model, run=run, **settings)
    warn(loaded(str(made)).warnings)
    click.echo(f"{made}: done. Next: qsdask predict OTHER.zarr --model {made}")


@cli.command(context_settings=CONTEXT)
@click.argument("store")
@click.option("--model", required=True, help="Model folder.")
@which_frames
@running
def predict(store, model, step, strain, run) -> None:
    """Give every atom its quench-in softness, or the softness that its structure has at a strain.

    \b
    qsdask predict glass7.zarr --model cuzr.qs
    qsdask predict glass7.zarr --model cuzr.qs --frame 32
    """
    from qsdask.views.info import warnings_of

    steps = steps_of(store, step, strain)
    made = qsdask.predict(store, model=model, step=steps, run=run)
    for k in steps:
        warn(warnings_of(made, f"softness/{name_of_model(model)}", k))
    done(made, steps, model)
