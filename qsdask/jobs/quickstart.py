"""Stage ``quickstart``: the main job on the shipped glasses."""

from __future__ import annotations

from pathlib import Path

from qsdask.engine.where import Run
from qsdask.jobs import run as whole
from qsdask.jobs.recipe import shipped_recipe

__all__ = ["quickstart"]


def quickstart(folder: str | Path = "qsdask-quickstart", *, run: Run | None = None) -> dict:
    """Learn softness from one shipped Cu65Zr35 glass and test it on another.

    Parameters
    ----------
    folder : str or Path
        Where stores, model and report go.
    run : Run, optional
        Cluster, workers, overwriting, progress.

    Returns
    -------
    dict
        As of `qsdask.run`.
    """
    return whole.run(shipped_recipe("quickstart"), folder=folder, run=run)
