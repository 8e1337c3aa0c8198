"""What a recipe will cost, explained before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from qsdask.engine.plan import Size, StagePlan, plan_stage
from qsdask.formats.trajectory import open_trajectory
from qsdask.settings import Recipe
from qsdask.space.box import Box
from qsdask.stages.features import quantity_of
from qsdask.stages.run import load_recipe, sources
from qsdask.stages.shells import first_reach

__all__ = ["plan"]


def plan(recipe: str | Path | Recipe, *, changes: Sequence[str] = ()) -> dict[str, list[StagePlan]]:
    """Tasks, ghosts, bytes and memory of every stage of a recipe, for each specimen.

    Parameters
    ----------
    recipe : str, Path or Recipe
        TOML file, see ``pipelines/``.
    changes : sequence of str
        Settings that replace those of the recipe.

    Returns
    -------
    dict of str to list of StagePlan
        By specimen. Reads the headers of the trajectories and their first frames, and writes nothing.

    Raises
    ------
    QSDaskError
        When the recipe or a trajectory cannot be read.
    """
    job, base = (recipe, Path.cwd()) if isinstance(recipe, Recipe) else load_recipe(recipe, changes)
    n_short = len(quantity_of(job.features).columns)
    particular = {
        "ingest": {},
        "shells": {"reach": first_reach(job.shells.cutoff_angstrom)},
        "features": {"n_short": n_short},
        "respond": {"reach": job.respond.cutoff_angstrom},
        "predict": {"n_short": n_short},
    }
    made = {}
    for specimen in job.specimen:
        trajectory = open_trajectory(sources(specimen, base), boundary=job.ingest.boundary)
        first = next(iter(trajectory.read(0, 1)))
        height = Box(first.cell, first.origin, np.ones(3, dtype=bool)).height
        size = Size(first.natoms, len(trajectory.frames), job.ingest.chunk, tuple(height.tolist()))
        made[specimen.name] = [plan_stage(stage, size, **more) for stage, more in particular.items()]
    return made
