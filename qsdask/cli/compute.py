"""Commands that fill a store or make a model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

import click

import qsdask
from qsdask.cli.generated import settings_options
from qsdask.cli.group import CONTEXT, cli
from qsdask.cli.options import done, reading, running, source_files, steps_of, warn, which_frames
from qsdask.errors import UsageError
from qsdask.files.location import located
from qsdask.names import name_of_model
from qsdask.schema import group_at
from qsdask.settings import (
    FeatureSettings,
    IngestSettings,
    LabelSettings,
    PredictSettings,
    PropensitySettings,
    RespondSettings,
    ShellSettings,
    StressSettings,
    SurfaceSettings,
    TrainSettings,
)
from qsdask.settings.base import AUTO


def _told(store: Path, keys: Iterable[str], settings: Mapping[str, object] = MappingProxyType({})) -> None:
    """Say what stages found for a cut-off that was to be found, and on standard error what they warn of."""
    from qsdask.store.ledger import read

    stages = [record for key in keys if (record := read(located(store), key)) is not None]
    warn(f"{w['code']}: {w['text']}" for stage in stages for w in stage.facts.get("warnings", []))
    if settings.get("cutoff") == AUTO and stages:
        name = next(name for name in stages[0].settings if name.startswith("cutoff_"))
        unit = name.removeprefix("cutoff_")
        click.echo(
            f"cut-off {stages[0].settings[name]:g} {unit}: the first minimum of g(r); --cutoff {stages[0].settings[name]:g}"
        )


@cli.command(context_settings=CONTEXT)
@click.argument("files", nargs=-1, required=True)
@click.argument("store")
@settings_options(IngestSettings)
@reading
@click.option(
    "--thermo",
    help="Table with the stress along the loading, such as log.lammps; see 'qsdask stress', which adds it later.",
)
@running
def ingest(files, store, run, **settings) -> None:
    """Turn a trajectory into a store.

    \b
    qsdask ingest run7.dump.gz glass7.zarr --species 1=Cu,2=Zr --strain-step 0.00125
    qsdask ingest 'dump.*.gz' glass7.zarr --species 1=Cu,2=Zr      # one file per frame

    FILES are LAMMPS dumps (custom, yaml, cfg; text, packed or binary), LAMMPS data files, extended XYZ, AtomEye cfg,
    RMCProfile rmc6f, GSD, POSCAR, XDATCAR, CIF; with --topology H5MD, DCD, XTC, TRR, NetCDF. Any other is refused with its
    name and the way to convert it.
    """
    from qsdask.views.info import warnings_of

    made = qsdask.ingest(source_files(files), store, **settings, run=run)
    warn(warnings_of(made, "ingest"))
    _told(made, ["stress"])
    done(made)


@cli.command(context_settings=CONTEXT)
@click.argument("store")
@click.option(
    "--from", "table", required=True, help="Log of LAMMPS, file of fix ave/time, or table of text with a heading."
)
@settings_options(StressSettings)
@running
def stress(store, table, run, **settings) -> None:
    """Keep the stress along the loading, frame by frame, as the simulation wrote it: pages draw it along the strain.

    \b
    qsdask stress glass7.zarr --from log.lammps
    qsdask stress glass7.zarr --from averages.dat --column=-c_thermo_press[3] --unit bar

    'qsdask ingest --thermo FILE' does so at once, and by itself for trajectories of 'qsdask simulate'. Rows belong to frames by
    their timestep (Step, TimeStep, timestep), or by the strain where there is none. Frames without a row have no stress:
    nothing is interpolated.
    """
    from qsdask.store.ledger import require

    made = qsdask.stress(store, table=table, **settings, run=run)
    _told(made, ["stress"])
    facts = require(made, "stress").facts
    click.echo(f"{made}: done. {facts['table_column']}, {facts['table_unit']}, of the {facts['by']} of each frame.")


@cli.command(context_settings=CONTEXT)
@click.argument("store")
@settings_options(SurfaceSettings)
@running
def surface(store, run, **settings) -> None:
    """Find the free surfaces of a glass, and how far every atom is from them; 'qsdask features' does so, too.

    \b
    qsdask surface wire.zarr
    qsdask surface wire.zarr --reach 40 --overwrite   # for a margin of 40 angstrom
    """
    from qsdask.views.info import specimen_of, surface_text

    made = qsdask.surface(store, **settings, run=run)
    click.echo(f"free surfaces: {surface_text(specimen_of(made)['surface'])}")
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
    made = qsdask.shells(store, step=steps, **settings, run=run)
    _told(made, [group_at(k, "shells") for k in steps], settings)
    done(made, steps)


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
    qsdask features glass7.zarr --set elastic_network --stiffness 4,6
    qsdask features --list                       # sets, settings, cost
    qsdask features --list --set interstice      # columns, units, meaning; --set all for those of every set
    """
    from qsdask.cli.feature_options import refuse_unused
    from qsdask.cli.tables import print_feature_sets
    from qsdask.stages.features import set_names

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
    made = qsdask.features(store, set=name, step=steps, run=run, **settings)
    _told(made, [group_at(k, f"features/{one}") for k in steps for one in set_names(name or FeatureSettings().set)])
    done(made, steps)


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
    made = qsdask.respond(store, **settings, runs=runs or (), threshold=threshold, run=run)
    _told(made, ["response/d2min"], settings)
    done(made)


@cli.command(context_settings=CONTEXT)
@click.argument("store")
@click.option(
    "--from", "values", required=True, help="Table with a line for every atom: CSV, packed or not, or Parquet."
)
@settings_options(LabelSettings)
@running
def label(store, values, run, **settings) -> None:
    """Keep a property of every atom that was found by other means, to learn it: an energy barrier, a local yield stress.

    \b
    qsdask label glass7.zarr --from barriers.csv --name barrier --unit eV
    qsdask label glass7.zarr --from all.parquet --name p_hop --id-column atom --column hop
    qsdask train glass1.zarr glass2.zarr --label barrier --bottom 5% --model barrier.qs

    The table has a heading and the ids of the trajectory, in any order; columns are divided by commas, semicolons, tabs or
    blanks. Empty, NaN and NA are no value. No deformation is needed: a glass of one frame can be learned from, too.
    """
    from qsdask.store.ledger import require

    made = qsdask.label(store, values=values, run=run, **{k: v for k, v in settings.items() if v is not None})
    facts = require(made, f"labels/{settings['name']}").facts
    click.echo(f"{settings['name']}: {facts['n_value']} atoms have a value, {facts['n_without']} have none")
    rules = "--top 5% (or --bottom 5%, --threshold X, --below X, --rank high)"
    click.echo(
        f"{made}: done. With features, next: qsdask train {made} ... --label {settings['name']} {rules} --model my.qs"
    )


@cli.command(context_settings=CONTEXT)
@click.argument("stores", nargs=-1, required=True)
@click.option("--model", required=True, help="Model folder to write, such as cuzr.qs.")
@settings_options(TrainSettings)
@running
def train(stores, model, run, **settings) -> None:
    """Learn softness from deformed glasses, or from a property that 'qsdask label' keeps.

    \b
    qsdask train glass1.zarr glass2.zarr --model cuzr.qs --strain 0.04 --threshold 5
    qsdask train glass1.zarr glass2.zarr --model often.qs --label propensity --threshold 0.5
    qsdask train glass1.zarr glass2.zarr --model tuned.qs --search 40
    qsdask train glass1.zarr glass2.zarr --model far.qs --learner response
    qsdask train glass1.zarr glass2.zarr --model barrier.qs --label barrier --bottom 5%
    """
    from qsdask.cli.learning_tables import print_search
    from qsdask.cli.left_out import print_left_out
    from qsdask.learn import loaded

    made = qsdask.train(list(stores), model=model, run=run, **settings)
    found = loaded(str(made))
    if tried := found.scores.get("search"):
        print_search(tried)
    warn(found.warnings)
    print_left_out(found.scores, found.settings)
    click.echo(f"{made}: done. Next: qsdask predict OTHER.zarr --model {made}")


@cli.command(context_settings=CONTEXT)
@click.argument("store")
@click.option("--model", required=True, help="Model folder.")
@settings_options(PredictSettings)
@which_frames
@running
def predict(store, model, step, strain, run, **settings) -> None:
    """Give every atom its quench-in softness, or the softness that its structure has at a strain.

    \b
    qsdask predict glass7.zarr --model cuzr.qs
    qsdask predict glass7.zarr --model cuzr.qs --frame 32
    """
    from qsdask.views.info import warnings_of

    steps = steps_of(store, step, strain)
    made = qsdask.predict(store, model=model, step=steps, **settings, run=run)
    for k in steps:
        warn(warnings_of(made, f"softness/{name_of_model(model)}", k))
    done(made, steps, model)
