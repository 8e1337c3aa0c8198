"""The `qsdask` command: thin sub-commands over the public functions of the same names."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import click

from qsdask import __version__
from qsdask.errors import QSDaskError, UsageError

__all__ = ["main"]

_CONTEXT = {"help_option_names": ["-h", "--help"], "show_default": True}


@click.group(context_settings=_CONTEXT)
@click.version_option(__version__, prog_name="qsdask")
def cli() -> None:
    """Quench-in softness of metallic glasses, from trajectories to activation.

    \b
    qsdask quickstart                              # the main job on shipped data, in minutes
    qsdask ingest run7.dump.gz glass7.zarr --species 1=Cu,2=Zr --strain-step 0.00125
    qsdask shells glass7.zarr && qsdask features glass7.zarr && qsdask respond glass7.zarr
    qsdask train glass1.zarr glass2.zarr --model cuzr.qs
    qsdask predict glass7.zarr --model cuzr.qs && qsdask report glass7.zarr --model cuzr.qs
    """


def running(command: Callable) -> Callable:
    """Options of every command that computes: where it runs, and whether it may replace numbers."""
    for option in (
        click.option("--quiet", is_flag=True, help="No progress bars."),
        click.option(
            "--overwrite", is_flag=True, help="Compute again what is there, and what depends on it."
        ),
        click.option(
            "--workers", type=click.IntRange(1), help="Processes or threads to start; all cores by default."
        ),
        click.option(
            "--cluster", default="local", help="local, threads, tcp://HOST:PORT, or a scheduler file."
        ),
    ):
        command = option(command)
    return command


def _run(cluster: str, workers: int | None, overwrite: bool, quiet: bool):
    return import_module("qsdask.engine.stage").Run(cluster, workers, overwrite, not quiet)


def _stage(name: str, package: str = "qsdask.stages"):
    """Module of a stage, imported only when its command runs: `--help` stays quick."""
    return import_module(f"{package}.{name}")


def _pairs(text: str | None, kind: type = str) -> dict | None:
    """Read 'a=1,b=2'."""
    if text is None:
        return None
    try:
        parts = [part.split("=") for part in text.split(",") if part.strip()]
        return {kind(key.strip()): value.strip() for key, value in parts}
    except ValueError:
        raise UsageError(f"expected pairs such as '1=Cu,2=Zr', got {text!r}", code="E-SETTING") from None


def _radii(text: str | None) -> dict[str, float] | None:
    pairs = _pairs(text)
    try:
        return None if pairs is None else {name: float(value) for name, value in pairs.items()}
    except ValueError:
        raise UsageError(
            f"expected pairs such as 'Cu=1.28,Zr=1.60', got {text!r}", code="E-SETTING"
        ) from None


@cli.command(context_settings=_CONTEXT)
@click.argument("files", nargs=-1, required=True)
@click.argument("store")
@click.option("--species", help="Element of each atom type, such as 1=Cu,2=Zr.")
@click.option(
    "--strain-step",
    type=float,
    help="Strain between frames, a fraction; measured from the cell when not given.",
)
@click.option("--chunk", type=int, help="Atoms per domain and task (default 65536).")
@click.option("--boundary", help="ppp, spp, ...; for dumps that do not tell.")
@click.option("--radius", help="Radii in angstrom that replace Miracle's, such as Cu=1.28.")
@click.option("--name", help="Name of the specimen.")
@running
def ingest(files, store, species, strain_step, chunk, boundary, radius, name, **where) -> None:
    """Turn a trajectory into a store.

    \b
    qsdask ingest run7.dump.gz glass7.zarr --species 1=Cu,2=Zr --strain-step 0.00125
    qsdask ingest 'dump.*.gz' glass7.zarr --species 1=Cu,2=Zr      # one file per frame
    """
    source = [str(p) for pattern in files for p in _expanded(pattern)]
    made = _stage("ingest").ingest(
        source, store, species=_pairs(species, int), strain_step=strain_step, chunk=chunk, boundary=boundary,
        radius=_radii(radius), name=name, run=_run(**where),
    )  # fmt: skip
    _done(made, f"qsdask shells {made}")


def _expanded(pattern: str) -> list[Path]:
    """A file name, or the files that a quoted pattern stands for."""
    path = Path(pattern)
    if path.exists() or not any(c in path.name for c in "*?["):
        return [path]
    return sorted(path.parent.glob(path.name)) or [path]


@cli.command(context_settings=_CONTEXT)
@click.argument("store")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def info(store, as_json) -> None:
    """Tell what is in a store: stages, complete or not, sizes, provenance.

    \b
    qsdask info glass7.zarr
    """
    found = _stage("info").info(store)
    if as_json:
        click.echo(json.dumps(found, indent=1))
    else:
        _stage("tables").print_info(found)


@cli.command(context_settings=_CONTEXT)
@click.argument("store")
@click.option("--cutoff", type=float, help="Radius of the cut-off shell in angstrom (default 4.0).")
@click.option(
    "--convention", type=click.Choice(["paper", "amlearn"]), help="Rule for small facets (default paper)."
)
@click.option("--facet-fraction", type=float, help="Drop facets below this share of the mean (default 0.05).")
@click.option(
    "--open-radius", type=float, help="A cell that reaches farther is open, in angstrom (default 8.0)."
)
@running
def shells(store, cutoff, convention, facet_fraction, open_radius, **where) -> None:
    """Find the Voronoi and the cut-off neighbours of every atom.

    \b
    qsdask shells glass7.zarr --cutoff 4.0
    """
    made = _stage("shells").shells(
        store,
        cutoff=cutoff,
        convention=convention,
        facet_fraction=facet_fraction,
        open_radius=open_radius,
        run=_run(**where),
    )
    _done(made, f"qsdask features {made}")


@cli.command(context_settings=_CONTEXT)
@click.argument("store")
@click.option("--set", "name", help="Feature set (default interstice).")
@click.option(
    "--convention",
    type=click.Choice(["paper", "amlearn"]),
    help="Distance interstice (default: as the shells).",
)
@running
def features(store, name, convention, **where) -> None:
    """Compute what every atom of the undeformed glass looks like.

    \b
    qsdask features glass7.zarr --set interstice
    """
    made = _stage("features").features(store, set=name, convention=convention, run=_run(**where))
    _done(made, f"qsdask respond {made}")


@cli.command(context_settings=_CONTEXT)
@click.argument("store")
@click.option(
    "--cutoff", type=float, help="Reference neighbours within this distance, angstrom (default 4.0)."
)
@click.option(
    "--normalise", type=click.Choice(["sum", "mean"]), help="Sum over the neighbours, or mean (default sum)."
)
@running
def respond(store, cutoff, normalise, **where) -> None:
    """Measure D2min of every atom at every stored strain.

    \b
    qsdask respond glass7.zarr --cutoff 4.0
    """
    made = _stage("respond").respond(store, cutoff=cutoff, normalise=normalise, run=_run(**where))
    _done(made, f"qsdask train {made} ... --model my.qs")


@cli.command(context_settings=_CONTEXT)
@click.argument("stores", nargs=-1, required=True)
@click.option("--model", required=True, help="Model folder to write, such as cuzr.qs.")
@click.option("--set", "name", help="Feature set (default interstice).")
@click.option("--strain", type=float, help="Strain of the label (default 0.04).")
@click.option("--threshold", type=float, help="Plastic above this D2min, angstrom^2 (default 5).")
@click.option("--folds", type=int, help="Folds of the cross-validation (default 5).")
@click.option(
    "--fold-kind",
    type=click.Choice(["stratified", "spatial_block"]),
    help="How atoms are set aside (default stratified).",
)
@click.option("--draws", type=int, help="Undersamplings (default 3).")
@click.option("--ratio", type=float, help="Other atoms per plastic atom (default 1).")
@click.option(
    "--surface-margin", type=float, help="Leave out atoms nearer to a free surface, angstrom (default 10)."
)
@click.option("--host", help="Learn from this species only.")
@click.option("--trees", type=int, help="Boosting rounds (default 300).")
@click.option("--depth", type=int, help="Depth of a tree (default 2).")
@click.option("--seed", type=int, help="Seed of undersampling, folds and boosting (default 0).")
@running
def train(stores, model, name, cluster, workers, overwrite, quiet, **settings) -> None:
    """Learn softness from deformed glasses.

    \b
    qsdask train glass1.zarr glass2.zarr --model cuzr.qs --strain 0.04 --threshold 5
    """
    made = _stage("train").train(
        list(stores), model=model, set=name, run=_run(cluster, workers, overwrite, quiet), **settings
    )
    _done(made, f"qsdask predict OTHER.zarr --model {made}")


@cli.command(context_settings=_CONTEXT)
@click.argument("store")
@click.option("--model", required=True, help="Model folder.")
@running
def predict(store, model, **where) -> None:
    """Give every atom its quench-in softness.

    \b
    qsdask predict glass7.zarr --model cuzr.qs
    """
    made = _stage("predict").predict(store, model=model, run=_run(**where))
    _done(made, f"qsdask evaluate {made} --model {model}")


@cli.command(context_settings=_CONTEXT)
@click.argument("store")
@click.option("--model", required=True, help="Model folder.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@running
def evaluate(store, model, as_json, **where) -> None:
    """Test a model on a glass it has never seen.

    \b
    qsdask evaluate glass7.zarr --model cuzr.qs --json
    """
    scores = _stage("evaluate").evaluate(store, model=model, run=_run(**where))
    if as_json:
        click.echo(_json(scores))
    else:
        _stage("tables").print_scores(scores)


@cli.command(context_settings=_CONTEXT)
@click.argument("store")
@click.option("--model", required=True, help="Model folder, or the name of its softness in the store.")
@click.option("--threshold", type=float, help="Plastic above this D2min, angstrom^2 (default: the model's).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--out", help="Write the whole result as a Zarr store that xarray opens.")
@running
def activation(store, model, threshold, as_json, out, **where) -> None:
    """Follow which softness is activated, strain by strain.

    \b
    qsdask activation glass7.zarr --model cuzr.qs
    """
    found = _stage("activation").activation(store, model=model, threshold=threshold, run=_run(**where))
    if out:
        found.to_zarr(out, mode="w", consolidated=False)
    if as_json:
        click.echo(_json({name: found[name].values.tolist() for name in ("strain", *found.data_vars)}))
    else:
        _stage("tables").print_activation(found)


@cli.command(context_settings=_CONTEXT)
@click.argument("store")
@click.option("--model", required=True, help="Model folder.")
@click.option("--out", default="report.html", help="HTML file.")
@click.option(
    "--slice-axis", type=click.Choice(["x", "y", "z"]), default="y", help="Normal of the pictured slice."
)
@click.option("--slice-thickness", type=float, default=2.0, help="Thickness of the pictured slice, angstrom.")
@running
def report(store, model, out, slice_axis, slice_thickness, **where) -> None:
    """Write a self-contained HTML report.

    \b
    qsdask report glass7.zarr --model cuzr.qs --out report.html
    """
    made = _stage("report").report(
        store, model=model, out=out, slice_axis=slice_axis, slice_thickness=slice_thickness, run=_run(**where)
    )
    click.echo(f"{made}: written. Open it in a browser; it needs no network.")


@cli.command(context_settings=_CONTEXT)
@click.argument("store")
@click.option("--out", required=True, help=".extxyz, .xyz, .dump or .lammpstrj.")
@click.option("--step", type=int, default=0, help="Frame; negative numbers count from the end.")
@click.option(
    "--columns",
    default="",
    help="Comma-separated: qs, qs_std, d2min, valid, cell_volume, or feature columns.",
)
@click.option("--model", help="Name of the softness, when there are several.")
def export(store, out, step, columns, model) -> None:
    """Write one frame with chosen columns for OVITO and others.

    \b
    qsdask export glass7.zarr --step 32 --columns qs,d2min --out glass7.extxyz
    """
    names = [c.strip() for c in columns.split(",") if c.strip()]
    made = _stage("export").export(
        store, out, step=step, columns=names, model=None if model is None else Path(model).stem
    )
    click.echo(f"{made}: written.")


@cli.command(context_settings=_CONTEXT)
@click.argument("recipe")
@click.option("--set", "changes", multiple=True, help="Replace a setting: --set train.threshold=4.5")
@click.option("--folder", help="Where everything goes, instead of the recipe's folder.")
@click.option("--dry-run", is_flag=True, help="Print tasks, bytes and memory; run nothing.")
@running
def run(recipe, changes, folder, dry_run, **where) -> None:
    """Do all of a job from one recipe; run again, it goes on where it was.

    \b
    qsdask run pipelines/quickstart.toml --set train.threshold=4.5
    qsdask run pipelines/quickstart.toml --dry-run
    """
    if dry_run:
        _stage("tables").print_plan(_stage("plan").plan(recipe, changes=changes))
        return
    _stage("tables").print_run(_stage("run").run(recipe, changes=changes, folder=folder, run=_run(**where)))


@cli.command(context_settings=_CONTEXT)
@click.option("--folder", default="qsdask-quickstart", help="Where stores, model and report go.")
@running
def quickstart(folder, **where) -> None:
    """Learn softness from one shipped Cu-Zr glass and test it on another.

    \b
    qsdask quickstart
    """
    _stage("tables").print_run(_stage("quickstart").quickstart(folder, run=_run(**where)))


def _json(values: dict) -> str:
    """JSON without NaN: what is not defined is null."""
    plain = json.loads(json.dumps(values, default=lambda v: v.tolist()), parse_constant=lambda _: None)
    return json.dumps(plain, indent=1, allow_nan=False)


def _done(store: Path, following: str) -> None:
    click.echo(f"{store}: done. Next: {following}")


def main(arguments: list[str] | None = None) -> int:
    """Run the command; every refusal becomes one message and an exit status.

    Parameters
    ----------
    arguments : list of str, optional
        Command line without the program's name.

    Returns
    -------
    int
        Exit status: 0, or one of `qsdask.errors`; 130 when interrupted.
    """
    try:
        cli.main(arguments, prog_name="qsdask", standalone_mode=False)
    except QSDaskError as error:
        click.echo(f"qsdask: {error.render()}", err=True)
        return error.exit_status
    except click.ClickException as error:
        error.show()
        return UsageError.exit_status
    except (KeyboardInterrupt, click.Abort):
        click.echo("qsdask: stopped; run the same command again to go on from here", err=True)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
