"""Command that tells why atoms are soft: contributions, importances, partial dependence."""

from __future__ import annotations

from pathlib import Path

import click

import qsdask
from qsdask.cli.generated import settings_options
from qsdask.cli.group import CONTEXT, cli
from qsdask.cli.options import done, running, steps_of, which_frames
from qsdask.cli.output import as_json_text
from qsdask.errors import UsageError
from qsdask.files.location import located
from qsdask.files.taken import refuse_taken
from qsdask.settings import ExplainSettings


@cli.command(context_settings=CONTEXT)
@click.argument("store")
@click.option("--model", required=True, help="Model folder, after 'qsdask predict' with it.")
@click.option("--partial", help="One or two columns, joined by a comma: how QS depends on them, and where motifs lie.")
@click.option("--out", help="Picture (.png) of the importances, or with --partial of the partial dependence.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: all columns, and groups of them.")
@settings_options(ExplainSettings)
@which_frames
@running
def explain(store, model, partial, out, as_json, step, strain, run, **settings) -> None:
    """Tell why atoms are soft: what each column adds to the softness of each atom, and on the whole.

    \b
    qsdask explain glass7.zarr --model cuzr.qs --out importance.png
    qsdask explain glass7.zarr --model cuzr.qs --partial sro__interstice_area__voro__std --out dependence.png
    qsdask explain glass7.zarr --model cuzr.qs --partial sro__interstice_area__voro__std,mro__interstice_area__voro__std__mean
    qsdask export glass7.zarr --columns qs,score,summed__mro__interstice_area --out why.extxyz

    Contributions are Shapley values of the score, the logarithm of the odds (of trees its mean over the fold models): with the
    score of an atom of which nothing is known they add up to it. They are stored, and 'qsdask export --list' shows their
    columns. Printed are three importances side by side: share in training (of the gain of splits; of the absolute coefficients
    of a linear model), fall of the AUC on this glass when a column is permuted (if the model was not trained on it; of a linear
    model within the species), and mean size of the contributions. Motifs need 'qsdask features STORE --set voronoi_index'.
    """
    from qsdask.cli.explained import print_dependence, print_importance
    from qsdask.views import explanation

    if out:
        if Path(out).suffix.lower() != ".png":
            raise UsageError(f"--out {out}: pictures are .png", code="E-FORMAT")
        refuse_taken(Path(out), overwrite=run.overwrite)
    steps = steps_of(store, step, strain)
    if partial:
        if steps != [0]:
            raise UsageError("--partial is of the undeformed glass, frame 0", code="E-STEP")
        found = qsdask.partial_dependence(store, model=model, columns=partial.split(","), run=run, **settings)
        show, draw = print_dependence, explanation.write_dependence
    else:
        qsdask.explain(store, model=model, step=steps, run=run)
        if 0 not in steps:
            done(located(store), steps, model)
            return
        found = qsdask.importance(store, model=model, run=run, **settings)
        show, draw = print_importance, explanation.write_importances
    if out:
        draw(found, out, overwrite=run.overwrite)
    if as_json:
        click.echo(as_json_text(explanation.plain(found)))
        return
    show(found)
    if out:
        click.echo(f"{out}: written.")
