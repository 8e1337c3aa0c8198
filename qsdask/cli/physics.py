"""Commands about the physics of soft and hard atoms: each a table, a picture in the paper's manner, and all numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import click
import xarray as xr

import qsdask
from qsdask.cli.generated import settings_options
from qsdask.cli.group import CONTEXT, cli
from qsdask.cli.options import running, warn
from qsdask.cli.output import as_json_text
from qsdask.settings import ClassSettings

_OUT = "Picture (.png), or the whole answer as a new store that xarray opens (.zarr); may be repeated."
_BLOCK = (
    "Edge of the blocks of space that intervals are drawn from, angstrom or sigma (default: 5 spacings of the atoms, longer where "
    "that makes more than 64 blocks)."
)

asked = click.option("--model", required=True, help="Model folder, or the name of its softness in the store.")
answered = click.option("--out", multiple=True, help=_OUT)
in_json = click.option("--json", "as_json", is_flag=True, help="Print JSON: every number of the answer.")
of_classes = settings_options(ClassSettings)
in_blocks = click.option("--block", type=float, help=_BLOCK)


@cli.command(context_settings=CONTEXT)
@click.argument("store")
@asked
@click.option("--strain", type=float, help="Strain at which atoms are plastic (default: that of the model's label).")
@click.option("--frame", type=int, help="Instead of --strain: the frame; negative numbers count from the end.")
@click.option("--threshold", type=float, help="Plastic above this D2min, angstrom^2 or sigma^2 (default: the model's).")
@of_classes
@in_blocks
@answered
@in_json
@running
def spectrum(store, model, strain, frame, threshold, block, out, as_json, run, **classes) -> None:
    """Show how softness is distributed in a glass, and how often atoms of each softness are plastic.

    The picture is that of Figures 3a, 3b and 2b of the paper. Plastic atoms are rare, and models learn from equally many of both
    kinds: P(plastic | QS) is told as it is in this glass, divided by P(plastic), and carried to equal classes. Of an undeformed
    glass the distribution alone is told.

    \b
    qsdask spectrum glass7.zarr --model cuzr-fast --out spectrum.png
    qsdask spectrum glass7.zarr --model cuzr-fast --strain 0.06 --out spectrum.zarr --json
    """
    from qsdask.cli.physics_tables import print_spectrum
    from qsdask.views.physics import refuse_places, spectrum_sheet

    refuse_places(out, overwrite=run.overwrite)
    found = qsdask.spectrum(
        store, model=model, strain=strain, frame=frame, threshold=threshold, block=block, run=run, **classes
    )
    _answer(found, print_spectrum, spectrum_sheet, out, as_json, run.overwrite)


@cli.command(context_settings=CONTEXT)
@click.argument("store")
@asked
@click.option(
    "--reach",
    type=float,
    help="Count atoms up to this distance, angstrom or sigma (default: 8 spacings of the atoms, at most half of the cell).",
)
@click.option(
    "--range",
    "ranges",
    type=float,
    nargs=2,
    multiple=True,
    help="Distances between which D is told; may be repeated (default: 1.5 to 4 spacings, and from there to the reach).",
)
@click.option(
    "--around",
    type=click.Choice(["own", "all"]),
    default="own",
    help="Atoms that M(r) counts: of the own class, or all.",
)
@click.option("--with-centre", is_flag=True, help="M(r) counts the centre, too.")
@click.option("--sample", type=int, help="Take about so many atoms as centres (default: all, which is exact).")
@of_classes
@in_blocks
@answered
@in_json
@running
def packing(store, model, reach, ranges, around, with_centre, sample, block, out, as_json, run, **classes) -> None:
    """Show how hard and soft atoms pack: mass scaling and its dimension, g(r), clusters, percolation.

    The picture is that of Figure 3c of the paper. M(r) is the mean number of atoms of a class within r of one of them, without
    itself, D the slope of ln M against ln r: 3 for what fills space. Near free surfaces an atom is a centre only for distances
    up to which softness is known all around. Clusters are neighbours of one class within the stored cut-off, set beside those of
    as many atoms taken at random.

    \b
    qsdask packing glass7.zarr --model cuzr-fast --out packing.png
    qsdask packing glass7.zarr --model cuzr-fast --range 4 10 --range 10 30 --reach 30 --sample 200000
    """
    from qsdask.cli.physics_tables import print_packing
    from qsdask.views.physics import packing_sheet, refuse_places

    refuse_places(out, overwrite=run.overwrite)
    found = qsdask.packing(
        store,
        model=model,
        reach=reach,
        ranges=ranges,
        around=around,
        with_centre=with_centre,
        sample=sample,
        block=block,
        run=run,
        **classes,
    )
    _answer(found, print_packing, packing_sheet, out, as_json, run.overwrite)


@cli.command(context_settings=CONTEXT)
@click.argument("store")
@asked
@click.option(
    "--set", "sets", help="Feature sets, joined by commas, whose columns are compared (default: those of the model)."
)
@click.option("--columns", default="", help="Some of their columns, joined by commas (default: all).")
@click.option(
    "--most", type=click.IntRange(1), default=12, help="Columns to print and to draw; JSON and .zarr have all."
)
@of_classes
@in_blocks
@answered
@in_json
@running
def contrast(store, model, sets, columns, most, block, out, as_json, run, **classes) -> None:
    """Show in which columns hard and soft atoms differ, the most separating first.

    The picture is that of Figure 3d of the paper: violins of hard and of soft atoms, named by their meaning.

    \b
    qsdask contrast glass7.zarr --model cuzr-fast --out contrast.png
    qsdask contrast glass7.zarr --model cuzr-fast --set voronoi_index,bond_order --most 6
    """
    from qsdask.cli.physics_tables import print_contrast
    from qsdask.views.physics import contrast_sheet, refuse_places

    refuse_places(out, overwrite=run.overwrite)
    names = [name for name in columns.split(",") if name.strip()]
    found = qsdask.contrast(store, model=model, set=sets, columns=names, block=block, run=run, **classes)
    show, draw = partial(print_contrast, most=most), partial(contrast_sheet, most=most)
    _answer(found, show, draw, out, as_json, run.overwrite)


@cli.command(context_settings=CONTEXT)
@click.argument("store")
@asked
@click.option("--threshold", type=float, help="Plastic above this D2min, angstrom^2 or sigma^2 (default: the model's).")
@click.option("--frame", type=int, multiple=True, help="Tell of this frame only; may be repeated.")
@in_blocks
@answered
@in_json
@running
def activation(store, model, threshold, frame, block, out, as_json, run) -> None:
    """Follow which softness is activated, strain by strain, and find where shear bands begin.

    The picture is that of Figure 3e of the paper, with the crossover marked, beside localisation, deciles of softness and
    avalanches. Where strains are passed again, it is told which branch of the loading made atoms plastic.

    \b
    qsdask activation glass7.zarr --model cuzr.qs --out activation.png
    """
    from qsdask.cli.physics_tables import print_activation
    from qsdask.views.physics import activation_sheet, refuse_places

    refuse_places(out, overwrite=run.overwrite)
    found = qsdask.activation(store, model=model, threshold=threshold, frame=frame or None, block=block, run=run)
    _answer(found, print_activation, activation_sheet, out, as_json, run.overwrite)


def _answer(
    found: xr.Dataset,
    show: Callable[[xr.Dataset], None],
    draw: Callable,
    out: Sequence[str],
    as_json: bool,
    overwrite: bool,
) -> None:
    """Write what is wanted, and print the answer as JSON or as tables."""
    from qsdask.views.physics import write_answer

    written = [write_answer(found, place, draw, overwrite=overwrite) for place in out]
    warn(found.attrs.get("notes", ()))
    if as_json:
        numbers = {str(name): found[name].values for name in (*found.coords, *found.data_vars)}
        click.echo(as_json_text({**numbers, **found.attrs}))
        return
    show(found)
    for path in written:
        click.echo(f"{path}: written.")
