"""The group that all commands belong to."""

from __future__ import annotations

import click

from qsdask import __version__

__all__ = ["CONTEXT", "cli"]

CONTEXT = {"help_option_names": ["-h", "--help"], "show_default": True}


@click.group(context_settings=CONTEXT)
@click.version_option(__version__, prog_name="qsdask")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """Quench-in softness of metallic glasses, from trajectories to activation.

    \b
    qsdask quickstart                              # the main job on shipped data, in minutes
    qsdask check run7.dump.gz --species 1=Cu,2=Zr  # is the trajectory whole and right?
    qsdask ingest run7.dump.gz glass7.zarr --species 1=Cu,2=Zr --strain-step 0.00125
    qsdask shells glass7.zarr && qsdask features glass7.zarr && qsdask respond glass7.zarr
    qsdask train glass1.zarr glass2.zarr --model cuzr.qs
    qsdask predict glass7.zarr --model cuzr.qs && qsdask report glass7.zarr --model cuzr.qs
    qsdask verify glass7.zarr                      # is every byte still there?
    """
