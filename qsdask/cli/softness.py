"""The command from a dump to its soft atoms."""

from __future__ import annotations

import json

import click

from qsdask.cli.generated import settings_options
from qsdask.cli.group import CONTEXT, cli
from qsdask.cli.options import reading, running, source_files
from qsdask.errors import UsageError
from qsdask.settings import IngestSettings, ReadingSettings, validated
from qsdask.settings.describe import short_name

#: What may be said of the files; chunks and lost atoms are of trajectories that are kept.
_ASKED = ("species", "boundary", "units", "radius", "strain_step", "strain_file", "loading")


@cli.command(context_settings=CONTEXT)
@click.argument("files", nargs=-1, required=True)
@click.option("--model", default="cuzr", help="Model folder, or the name of a shipped model.")
@settings_options(IngestSettings, only=_ASKED)
@reading
@click.option("--frame", type=int, help="Frame (default: the first); negative numbers count from the end.")
@click.option("--strain", type=float, help="Frame in which this strain is first passed.")
@click.option("--accept-outside", is_flag=True, help="Take numbers also for glasses that the model does not know.")
@click.option("--out", help="Atoms with qs, qs_std and outside: .extxyz, .dump, .csv, also .gz or .zst; .parquet.")
@click.option("--png", help="Picture of a slice, coloured by softness.")
@click.option("--html", help="Page about the glass.")
@click.option("--store", help="Keep the store of the glass here.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@running
def softness(files, model, frame, strain, accept_outside, out, png, html, store, as_json, run, **settings) -> None:
    """Give every atom of a glass its quench-in softness, and tell where it is soft.

    \b
    qsdask softness run7.dump.gz --species 1=Cu,2=Zr --png slice.png --out run7-qs.extxyz
    qsdask softness POSCAR --model mine.qs --json
    """
    from qsdask.cli.tables import print_soft_spots
    from qsdask.jobs.soft_spots import softness_of_files

    if frame is not None and strain is not None:
        raise UsageError("give --frame or --strain, not both", code="E-SETTING")
    names = {short_name(ReadingSettings, name) for name in ReadingSettings.model_fields}
    found = softness_of_files(
        source_files(files),
        model=model,
        ingesting=validated(IngestSettings, **{name: value for name, value in settings.items() if name not in names}),
        reading=validated(ReadingSettings, **{name: value for name, value in settings.items() if name in names}),
        frame=frame,
        strain=strain,
        accept_outside=accept_outside,
        out=out,
        png=png,
        html=html,
        store=store,
        run=run,
    )
    for text in found["warnings"]:
        click.echo(f"qsdask: warning {text}", err=True)
    if as_json:
        click.echo(json.dumps(found, indent=1))
    else:
        print_soft_spots(found)
