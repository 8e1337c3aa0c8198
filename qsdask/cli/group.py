"""The group that all commands belong to."""

from __future__ import annotations

import click

from qsdask import __version__

__all__ = ["CONTEXT", "cli"]

CONTEXT = {"help_option_names": ["-h", "--help"], "show_default": True}


#: What a script may rely on; see `qsdask.errors`.
STATUSES = """\b
Exit status:
  0      done
  64     wrong call
  65     bad data
  66     no such input
  70     a fault of qsdask
  73     cannot create
  74     damaged or unreadable storage
  75     stopped and resumable: full disk, lost workers, another writer
  128+n  stopped by signal n; the same command goes on
"""


@click.group(context_settings=CONTEXT, epilog=STATUSES)
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
