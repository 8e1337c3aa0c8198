"""Commands of the learning study: what predicts best, where it still predicts, and from how little."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import click

import qsdask
from qsdask.cli.generated import settings_options
from qsdask.cli.group import CONTEXT, cli
from qsdask.cli.options import running
from qsdask.cli.output import as_json_text
from qsdask.cli.several import SeveralWords
from qsdask.files.taken import refuse_taken
from qsdask.settings import SelectionSettings, TrainSettings

_WITHOUT = ("set", "columns", "parallel")


@cli.command(context_settings=CONTEXT, cls=SeveralWords)
@click.option("--train", "learn_from", multiple=True, required=True, help="Stores to learn from, one or several.")
@click.option("--test", "judge_on", multiple=True, required=True, help="Stores of held-out glasses, one or several.")
@click.option("--sets", default="all", help="Feature sets joined by commas; all: those that all stores have.")
@click.option("--with", "beside", default="interstice", help="Set to which each other one is added, too; or none.")
@settings_options(TrainSettings, without=_WITHOUT)
@click.option("--out", help="Picture: boxes of all fold models, .png.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@running
def benchmark(learn_from, judge_on, sets, beside, out, as_json, run, **settings) -> None:
    """Set feature sets against each other: the same atoms, draws and folds for all.

    Each is learned from alone, in short range and with medium range, and added to the set of --with. Atoms count that have
    a value in all columns of all sets. Nothing is stored; what is interrupted begins again.

    \b
    qsdask benchmark --train a.zarr b.zarr --test c.zarr --out sets.png
    qsdask benchmark --train a.zarr --test b.zarr c.zarr --sets interstice,motif --with none --json
    """
    from qsdask.cli.learning_tables import print_benchmark
    from qsdask.views.learning import write_benchmark

    if out:
        refuse_taken(Path(out), overwrite=run.overwrite)
    found = qsdask.benchmark(
        learn_from, judge_on, sets=sets, beside=None if beside == "none" else beside, run=run, **settings
    )
    written = [write_benchmark(found, out, overwrite=run.overwrite)] if out else []
    _answer(found, print_benchmark, written, as_json)


@cli.command(context_settings=CONTEXT)
@click.argument("stores", nargs=-1, required=True)
@click.option("--sets", default="interstice", help="Feature sets to compare, joined by commas; a+b for two together.")
@click.option("--conditions", help="CSV: store or name, and any of composition, rate (K/s), system, loading.")
@settings_options(TrainSettings, without=_WITHOUT)
@click.option("--out", help="Picture: violins of the losses, and the AUC of all pairs, .png.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@running
def transfer(stores, sets, conditions, out, as_json, run, **settings) -> None:
    """Apply models to glasses of other compositions, quench rates and systems, for all pairs of conditions.

    Glasses of one composition, quench rate and loading are replicas; what the stores do not tell comes from --conditions.
    Models learn from all replicas of a condition but one, so that no glass is both sides. Nothing is stored; what is
    interrupted begins again.

    \b
    qsdask transfer cu*.zarr fe*.zarr --sets interstice,symmetry_function --out transfer.png
    qsdask transfer a.zarr b.zarr c.zarr d.zarr --conditions glasses.csv --json
    """
    from qsdask.cli.learning_tables import print_transfer
    from qsdask.views.learning import write_transfer

    if out:
        refuse_taken(Path(out), overwrite=run.overwrite)
    found = qsdask.transfer(stores, sets=sets, conditions=conditions, run=run, **settings)
    written = [write_transfer(found, out, overwrite=run.overwrite)] if out else []
    _answer(found, print_transfer, written, as_json)


@cli.command(context_settings=CONTEXT, cls=SeveralWords)
@click.option("--train", "learn_from", multiple=True, required=True, help="Stores to learn from, one or several.")
@click.option("--test", "judge_on", multiple=True, help="Stores of held-out glasses, to judge the choice on.")
@settings_options(SelectionSettings)
@settings_options(TrainSettings, without=("learner", "penalty", "parallel"))
@click.option("--out", help="Text file of the columns chosen, for train --columns.")
@click.option("--png", help="Picture: score against number of columns, and the columns chosen.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@running
def select(learn_from, judge_on, out, png, as_json, run, **settings) -> None:
    """Choose few columns that predict as well as all of them.

    Of columns that repeat each other one stays; then those that the fold models use least go, step by step. No atom of a
    held-out glass takes part. Nothing is stored; what is interrupted begins again.

    \b
    qsdask select --train a.zarr b.zarr --keep 15 --out columns.txt --png course.png
    qsdask select --train a.zarr --test b.zarr --set interstice,bond_order --correlation 0.9
    qsdask train a.zarr b.zarr --columns columns.txt --model few.qs
    """
    from qsdask.cli.learning_tables import print_selection
    from qsdask.views.learning import write_columns, write_selection

    for place in filter(None, (out, png)):
        refuse_taken(Path(place), overwrite=run.overwrite)
    given = {name: value for name, value in settings.items() if value is not None}
    found = qsdask.select(learn_from, test=judge_on, run=run, **given)
    written = [write_columns(found, out, overwrite=run.overwrite)] if out else []
    written += [write_selection(found, png, overwrite=run.overwrite)] if png else []
    _answer(found, print_selection, written, as_json)


def _answer(found: dict, show: Callable[[dict], None], written: Iterable[Path], as_json: bool) -> None:
    """Print what was found, as JSON or as tables with the files that were written."""
    if as_json:
        click.echo(as_json_text(found))
        return
    show(found)
    for path in written:
        click.echo(f"{path}: written.")
