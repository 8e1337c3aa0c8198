"""Commands that fill a store or make a model."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

import qsdask
from qsdask.cli.group import CONTEXT, cli
from qsdask.cli.options import done, pairs, radii, reading, running, source_files, where_to_run
from qsdask.errors import UsageError


def _which_frames(command):
    """Options of a stage that describes one frame; the command gets `step` and `strain`."""
    for option in (
        click.option("--strain", type=float, help="Instead of --step: the stored frame nearest to this strain."),
        click.option(
            "--step",
            default="0",
            help="Frames, joined by commas; negative numbers count from the end (default 0, the undeformed glass).",
        ),
    ):
        command = option(command)
    return command


def _steps(store: str, step: str, strain: float | None) -> list[int]:
    """Steps that `_which_frames` names, counted from the first; says which one a strain stands for."""
    from qsdask.stages.steps import chosen_steps, step_near

    if strain is not None:
        if step != "0":
            raise UsageError("give --step or --strain, not both", code="E-SETTING")
        near, there = step_near(store, strain)
        click.echo(f"step {near}, at strain {there:g}")
        return [near]
    try:
        asked = [int(text) for text in step.split(",")]
    except ValueError:
        raise UsageError(f"expected steps such as '32,40', got {step!r}", code="E-STEP") from None
    return chosen_steps(Path(store), asked)


def _warn(texts: Iterable[str]) -> None:
    """Say on standard error what was accepted, each once."""
    for text in dict.fromkeys(texts):
        click.echo(f"qsdask: warning {text}", err=True)


@cli.command(context_settings=CONTEXT)
@click.argument("files", nargs=-1, required=True)
@click.argument("store")
@reading
@click.option(
    "--strain-step", type=float, help="Strain between frames, a fraction; measured from the cell when not given."
)
@click.option("--chunk", type=int, help="Atoms per domain and task (default 65536).")
@click.option("--radius", help="Radii in angstrom that replace Miracle's, such as Cu=1.28.")
@click.option("--name", help="Name of the specimen.")
@running
def ingest(
    files,
    store,
    species,
    boundary,
    topology,
    columns,
    strict,
    skip_bad_frames,
    assume_order,
    restart_overlap,
    lost_atoms,
    strain_step,
    chunk,
    radius,
    name,
    **where,
) -> None:
    """Turn a trajectory into a store.

    \b
    qsdask ingest run7.dump.gz glass7.zarr --species 1=Cu,2=Zr --strain-step 0.00125
    qsdask ingest 'dump.*.gz' glass7.zarr --species 1=Cu,2=Zr      # one file per frame
    """
    from qsdask.views.info import warnings_of

    made = qsdask.ingest(
        source_files(files),
        store,
        species=pairs(species, int),
        strain_step=strain_step,
        chunk=chunk,
        boundary=boundary,
        radius=radii(radius),
        name=name,
        topology=topology,
        columns=columns,
        strict=strict,
        skip_bad_frames=skip_bad_frames,
        assume_order=assume_order,
        restart_overlap=restart_overlap,
        lost_atoms=lost_atoms,
        run=where_to_run(**where),
    )
    _warn(warnings_of(made, "ingest"))
    done(made)


@cli.command(context_settings=CONTEXT)
@click.argument("store")
@click.option("--cutoff", type=float, help="Radius of the cut-off shell in angstrom (default 4.0).")
@click.option("--convention", type=click.Choice(["paper", "amlearn"]), help="Rule for small facets (default paper).")
@click.option("--facet-fraction", type=float, help="Drop facets below this share of the mean (default 0.05).")
@click.option("--open-radius", type=float, help="A cell that reaches farther is open, in angstrom (default 8.0).")
@click.option(
    "--tessellation",
    type=click.Choice(["voronoi", "radical"]),
    help="Facets half-way between atoms, or by their radii (default voronoi).",
)
@_which_frames
@running
def shells(store, cutoff, convention, facet_fraction, open_radius, tessellation, step, strain, **where) -> None:
    """Find the Voronoi and the cut-off neighbours of every atom.

    \b
    qsdask shells glass7.zarr --cutoff 4.0
    qsdask shells glass7.zarr --step 32,40
    """
    steps = _steps(store, step, strain)
    made = qsdask.shells(
        store,
        step=steps,
        cutoff=cutoff,
        convention=convention,
        facet_fraction=facet_fraction,
        open_radius=open_radius,
        tessellation=tessellation,
        run=where_to_run(**where),
    )
    done(made, steps)


def _split(context: click.Context, parameter: click.Parameter, value: str | None) -> list[str] | None:
    """Parts of an option that commas join."""
    return value.split(",") if value else None


@cli.command(context_settings=CONTEXT)
@click.argument("store", required=False)
@click.option("--set", "name", help="Feature sets, joined by commas, or all (default interstice).")
@click.option(
    "--list",
    "listed",
    is_flag=True,
    help="Print all sets with their measured cost, or with --set (or --set all) every column, its unit and meaning.",
)
@click.option(
    "--convention",
    type=click.Choice(["paper", "amlearn"]),
    help="Definitions of the paper or of the authors' code (default: as the shells).",
)
@click.option(
    "--motif",
    type=click.Choice(["amlearn", "strict"]),
    help="Frank-Kasper type: 2 n4 + n5 = 12, or Z12, Z14, Z15, Z16 (default amlearn).",
)
@click.option("--facet-weight", type=click.Choice(["area", "volume"]), help="Weights of weighted_ifold (default area).")
@click.option(
    "--facets",
    type=click.Choice(["hard", "soft"]),
    help="Voronoi neighbours of bond_order: each counts once, or by its facet area (default hard).",
)
@click.option(
    "--deviation",
    type=click.Choice(["difference", "warren_cowley"]),
    help="Chemical order: share minus composition, or 1 - share / composition (default difference).",
)
@click.option(
    "--reach-kind",
    type=click.Choice(["paper", "amlearn"]),
    help="Cut-off of symmetry_function: all of the grid, or amlearn's (default paper).",
)
@click.option("--smearing", type=float, help="Gaussian smearing of interstice_histogram (default 0, none).")
@click.option("--axis", type=click.Choice(["x", "y", "z"]), help="Loading axis of interstice_direction (default z).")
@click.option(
    "--reference", help="Element whose diameter is the unit of length of symmetry_function (default the most frequent)."
)
@click.option(
    "--coarsen", type=int, help="How often the medium range is taken: 2 adds that of the neighbours' means (default 1)."
)
@click.option(
    "--coarsen-radius",
    "coarsen_radius_angstrom",
    callback=_split,
    help="Take the medium range within these distances too, such as 5.0,7.0, in angstrom.",
)
@_which_frames
@running
def features(store, name, listed, step, strain, cluster, workers, memory_limit, overwrite, quiet, **settings) -> None:
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

    refuse_unused("all" if listed and not name else name, settings)
    if listed:
        print_feature_sets(name, settings)
        return
    if store is None:
        raise click.MissingParameter(param_type="argument", param_hint="'STORE'")
    steps = _steps(store, step, strain)
    where = where_to_run(cluster, workers, memory_limit, overwrite, quiet)
    made = qsdask.features(store, set=name, step=steps, run=where, **settings)
    done(made, steps)


@cli.command(context_settings=CONTEXT)
@click.argument("store")
@click.option("--cutoff", type=float, help="Reference neighbours within this distance, angstrom (default 4.0).")
@click.option("--normalise", type=click.Choice(["sum", "mean"]), help="Sum over the neighbours, or mean (default sum).")
@click.option("--runs", help="Stores of other runs of this glass, joined by commas: average their response too.")
@click.option("--threshold", type=float, help="With --runs: plastic in a run above this D2min, angstrom^2 (default 5).")
@running
def respond(store, cutoff, normalise, runs, threshold, **where) -> None:
    """Measure D2min of every atom at every stored strain.

    \b
    qsdask respond glass7.zarr --cutoff 4.0
    qsdask respond glass7.zarr --runs glass7-run2.zarr,glass7-run3.zarr
    """
    if threshold is not None and not runs:
        raise UsageError("--threshold of respond is that of --runs", code="E-SETTING")
    made = qsdask.respond(
        store,
        cutoff=cutoff,
        normalise=normalise,
        runs=[name.strip() for name in runs.split(",")] if runs else (),
        threshold=threshold,
        run=where_to_run(**where),
    )
    done(made)


@cli.command(context_settings=CONTEXT)
@click.argument("stores", nargs=-1, required=True)
@click.option("--model", required=True, help="Model folder to write, such as cuzr.qs.")
@click.option("--set", "name", help="Feature set (default interstice).")
@click.option(
    "--columns",
    type=click.Choice(["all", "short_range"]),
    help="All columns of the set, or those without medium range (default all).",
)
@click.option("--strain", type=float, help="Strain of the label (default 0.04).")
@click.option(
    "--label",
    type=click.Choice(["d2min", "propensity"]),
    help="Learn which atoms are plastic, or which ones are so in many runs (default d2min).",
)
@click.option(
    "--threshold",
    type=float,
    help="Plastic above this D2min, angstrom^2 (default 5); of propensity, above this share of the runs (default 0.5).",
)
@click.option("--folds", type=int, help="Folds of the cross-validation (default 5).")
@click.option(
    "--fold-kind",
    type=click.Choice(["stratified", "spatial_block"]),
    help="How atoms are set aside (default stratified).",
)
@click.option("--block", type=float, help="Edge of a block of spatial_block folds, angstrom (default 15).")
@click.option("--draws", type=int, help="Undersamplings (default 3).")
@click.option("--ratio", type=float, help="Other atoms per plastic atom, at least 1 (default 1).")
@click.option("--surface-margin", type=float, help="Leave out atoms nearer to a free surface, angstrom (default 10).")
@click.option("--host", help="Learn from this species only.")
@click.option("--trees", type=int, help="Boosting rounds (default 300).")
@click.option("--depth", type=int, help="Depth of a tree (default 2).")
@click.option("--learning-rate", type=float, help="Shrinkage of each tree (default 0.1).")
@click.option("--seed", type=int, help="Seed of undersampling, folds and boosting (default 0).")
@running
def train(stores, model, name, cluster, workers, memory_limit, overwrite, quiet, **settings) -> None:
    """Learn softness from deformed glasses.

    \b
    qsdask train glass1.zarr glass2.zarr --model cuzr.qs --strain 0.04 --threshold 5
    qsdask train glass1.zarr glass2.zarr --model often.qs --label propensity --threshold 0.5
    """
    from qsdask.learn import loaded

    made = qsdask.train(
        list(stores),
        model=model,
        set=name,
        run=where_to_run(cluster, workers, memory_limit, overwrite, quiet),
        **settings,
    )
    _warn(loaded(str(made)).warnings)
    click.echo(f"{made}: done. Next: qsdask predict OTHER.zarr --model {made}")


@cli.command(context_settings=CONTEXT)
@click.argument("store")
@click.option("--model", required=True, help="Model folder.")
@_which_frames
@running
def predict(store, model, step, strain, **where) -> None:
    """Give every atom its quench-in softness, or the softness that its structure has at a strain.

    \b
    qsdask predict glass7.zarr --model cuzr.qs
    qsdask predict glass7.zarr --model cuzr.qs --step 32
    """
    from qsdask.views.info import warnings_of

    steps = _steps(store, step, strain)
    made = qsdask.predict(store, model=model, step=steps, run=where_to_run(**where))
    for k in steps:
        _warn(warnings_of(made, f"softness/{Path(model).stem}", k))
    done(made, steps, model)
