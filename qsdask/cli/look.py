"""Commands that answer questions: tables, pictures, files for other programs."""

from __future__ import annotations

import json
from pathlib import Path

import click

import qsdask
from qsdask.cli.generated import settings_options
from qsdask.cli.group import CONTEXT, cli
from qsdask.cli.options import running, steps_of, warn, which_frames
from qsdask.cli.output import as_json_text
from qsdask.errors import UsageError
from qsdask.files.taken import refuse_taken
from qsdask.names import name_of_model
from qsdask.settings import ReportSettings, validated


@cli.command(context_settings=CONTEXT)
@click.argument("store")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def info(store, as_json) -> None:
    """Show the contents of a store: stages, complete or not, sizes, provenance.

    \b
    qsdask info glass7.zarr
    """
    from qsdask.cli.tables import print_info

    found = qsdask.info(store)
    if as_json:
        click.echo(json.dumps(found, indent=1))
    else:
        print_info(found)


@cli.command(context_settings=CONTEXT)
@click.argument("store")
@click.option("--model", required=True, help="Model folder.")
@click.option("--against", help="Folder of another model of the same label: which one is better, and how sure that is.")
@click.option("--frame", type=int, help="Frame to predict (default: where the label's strain is first passed).")
@click.option(
    "--block",
    type=float,
    help="Edge of the blocks of space that intervals are drawn from, angstrom or sigma (default: 5 spacings of the atoms, "
    "longer where that makes more than 64 blocks).",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@running
def evaluate(store, model, against, frame, block, as_json, run) -> None:
    """Test a model on a glass it has never seen; every score has its 95 % confidence.

    AUC does not see how rare plastic atoms are. Average precision (chance: their fraction), MCC, and the lift of the softest
    1, 5 and 10 % do. Intervals are drawn from blocks of space, as atoms become plastic in clusters.

    \b
    qsdask evaluate glass7.zarr --model cuzr.qs --json
    qsdask evaluate glass7.zarr --model cuzr.qs --against short.qs

    Of a model of your own label ('qsdask label') it also tells how QS ranks the values: AUC of the 5 % with the largest and
    smallest ones (1 is perfect at the end of QS where the model says they are), Spearman's correlation, and R², the squared
    Pearson correlation, that is the share of the variance which the best straight line in QS explains.
    """
    from qsdask.cli.against import print_against
    from qsdask.cli.tables import print_scores

    scores = qsdask.evaluate(store, model=model, against=against, frame=frame, block=block, run=run)
    if as_json:
        click.echo(as_json_text(scores))
        return
    print_scores(scores)
    if against:
        print_against(scores)


@cli.command(context_settings=CONTEXT)
@click.argument("store")
@click.option("--model", required=True, help="Model folder.")
@settings_options(ReportSettings)
@running
def report(store, model, out, run, **settings) -> None:
    """Write a self-contained HTML report: of an undeformed glass, or without a response, of its softness alone.

    \b
    qsdask report glass7.zarr --model cuzr.qs --out report.html
    """
    chosen = validated(ReportSettings, out=out, **settings).arguments(given_only=True)
    made = qsdask.report(store, model=model, **chosen, run=run)
    click.echo(f"{made}: written. Open it in a browser; it needs no network.")


@cli.command(context_settings=CONTEXT)
@click.argument("stores", nargs=-1, required=True)
@click.option("--model", required=True, help="Model folder, or the name of its softness in the stores.")
@click.option(
    "--out", help="Of two glasses with the same atoms: the change of each. .extxyz, .dump, or .zarr for xarray."
)
@click.option("--conditions", help="CSV: store or name, and any of composition, rate (K/s), system, loading.")
@click.option(
    "--png", help="Picture of the distributions, by composition and rate where there are replicas, and of the changes."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@running
def compare(stores, model, out, conditions, png, as_json, run) -> None:
    """Set the softness of glasses side by side: another quench rate, a vacancy, a strain, an anneal.

    All are held against the first. Where a glass has the same atoms, by id and place, the change of each is told, too. Of an
    ensemble with replicas means by composition and quench rate are told with their errors, and drawn as Figure 3f of the paper.

    \b
    qsdask compare slow.zarr fast.zarr faster.zarr --model cuzr-fast --png rates.png
    qsdask compare glass7.zarr vacancy.zarr --model cuzr-fast --out change.extxyz
    qsdask compare *.zarr --model cuzr-fast --conditions glasses.csv --png ensemble.png
    """
    from qsdask.cli.tables import print_comparison
    from qsdask.views.compare import write_change, write_picture

    if out and len(stores) != 2:
        raise UsageError("--out has the change between two glasses: name two", code="E-COMPARE")
    for place in filter(None, (out, png)):
        refuse_taken(Path(place), overwrite=run.overwrite)
    # First: it refuses glasses of other atoms.
    written = [write_change(stores[0], stores[1], out, model=model, overwrite=run.overwrite)] if out else []
    found = qsdask.compare(stores, model=model, conditions=conditions, run=run)
    if png:
        written.append(write_picture(found, png, overwrite=run.overwrite))
    if as_json:
        click.echo(as_json_text({name: found[name].values.tolist() for name in ("glass", *found.data_vars)}))
        return
    print_comparison(found)
    warn(found.attrs["warnings"])
    for path in written:
        click.echo(f"{path}: written.")


@cli.command(context_settings=CONTEXT)
@click.argument("folder")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def glasses(folder, as_json) -> None:
    """Check the physics of simulated glasses: density, g(r), energy, stress and strain.

    \b
    qsdask glasses qsdask-glasses
    """
    from qsdask.views.glasses import summary_lines

    rows = qsdask.glasses(folder)
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    for line in summary_lines(rows):
        click.echo(line)
    click.echo(f"{Path(folder) / 'glasses.html'}: written, with checks.csv and checks.json.")


@cli.command(context_settings=CONTEXT)
@click.argument("store")
@click.option(
    "--out", help=".extxyz, .xyz, .dump, .lammpstrj or .csv, with .gz, .zst or .bz2 behind it packed; .parquet."
)
@which_frames
@click.option(
    "--columns",
    default="",
    help="Comma-separated, in any case: qs, qs_std, d2min, valid, cell_volume, or feature columns.",
)
@click.option("--model", help="Name of the softness, when there are several.")
@click.option("--list", "listed", is_flag=True, help="Print the columns that there are, and stop.")
@click.option(
    "--icechunk",
    metavar="PLACE",
    help="Instead of a file: all complete stages, as a snapshot of this Icechunk repository, a folder or a bucket.",
)
@click.option("--overwrite", is_flag=True, help="Replace a file that is there; add a snapshot to a repository.")
def export(store, out, step, strain, columns, model, listed, icechunk, overwrite) -> None:
    """Write frames with chosen columns for OVITO, pandas and others; several frames are one trajectory or table.

    \b
    qsdask export glass7.zarr --frame 32 --columns qs,d2min --out glass7.extxyz
    qsdask export glass7.zarr --strain 0.04 --out glass7.dump
    qsdask export glass7.zarr --frame all --columns qs,d2min --out glass7.dump.gz
    qsdask export glass7.zarr --frame 0,32 --columns qs --out glass7.parquet
    qsdask export glass7.zarr --list
    qsdask export glass7.zarr --icechunk s3://lab/glass7
    """
    from qsdask.views.export import exportable
    from qsdask.views.icechunk_package import export_icechunk

    if icechunk is not None:
        snapshot = export_icechunk(store, icechunk, overwrite=overwrite)
        click.echo(f"{icechunk}: snapshot {snapshot} written.")
        return
    model = None if model is None else name_of_model(model)
    steps = steps_of(store, step, strain)
    if listed:
        names = [exportable(store, step=k, model=model) for k in steps]
        click.echo("\n".join(name for name in names[0] if all(name in of for of in names)))
        return
    if out is None:
        raise click.MissingParameter(param_type="option", param_hint="'--out'")
    names = [c.strip() for c in columns.split(",") if c.strip()]
    made = qsdask.export(store, out, step=steps, columns=names, model=model, overwrite=overwrite)
    click.echo(f"{made}: written.")


@cli.command(context_settings=CONTEXT)
@click.argument("stores", nargs=-1, required=True)
@click.option("--model", help="Model folder, or the name of its softness; needed where there are several.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port to listen on; 0 takes a free one.")
@click.option("--no-browser", is_flag=True, help="Print the link only.")
@click.option("--serve", metavar="HOST", help="Listen on this address, for others; needs --token-file. Not encrypted.")
@click.option("--token-file", help="File, readable by you alone, with the token of the link.")
def explore(stores, model, port, no_browser, serve, token_file) -> None:
    """Show glasses in a browser: drag the strain, move the slice, click an atom. Ctrl-C ends it.

    The page listens on this machine alone and needs no network. From a cluster: the command prints the ssh -L line that
    brings it to your own browser.

    \b
    qsdask explore glass7.zarr
    qsdask explore slow.zarr fast.zarr --model cuzr.qs --no-browser
    """
    qsdask.explore(
        stores, model=model, port=port, serve=serve, token_file=token_file, browser=not no_browser, say=click.echo
    )


@cli.command(context_settings=CONTEXT)
@click.argument("name", required=False)
def models(name) -> None:
    """List the shipped models, or print the card of one: what it was made from, what it scores, what it is not for.

    
    qsdask models
    qsdask models cuzr
    """
    from qsdask.cli.tables import print_table
    from qsdask.learn import load_model
    from qsdask.learn.shipped import ALIASES, card_of, shipped_models

    if name:
        click.echo(card_of(name))
        return
    short = {full: alias for alias, full in ALIASES.items()}
    rows = []
    for full, folder in shipped_models().items():
        made = load_model(folder)
        elements = "-".join(sorted({symbol for specimen in made.specimens for symbol in specimen.species}))
        rows.append((short.get(full, ""), full, elements, len(made.specimens), len(made.columns)))
    print_table(
        "shipped models; the names work wherever --model is asked",
        ("short", "name", "elements", "glasses", "columns"),
        rows,
    )
