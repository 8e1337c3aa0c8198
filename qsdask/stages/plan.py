"""What a recipe will cost, explained before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from qsdask.engine.plan import Size, StagePlan, plan_features, plan_stage
from qsdask.formats.frame import Frame
from qsdask.formats.trajectory import open_trajectory
from qsdask.quantity import medium_range
from qsdask.radii import radius_of
from qsdask.settings import Recipe
from qsdask.space.box import Box
from qsdask.stages.features import named_facts, quantity_of, set_names
from qsdask.stages.run import load_recipe, sources
from qsdask.stages.shells import first_reach
from qsdask.stages.specimen import species_of

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
    particular = {
        "ingest": {},
        "shells": {"reach": first_reach(job.shells.cutoff_angstrom)},
        "respond": {"reach": job.respond.cutoff_angstrom},
    }
    made = {}
    for specimen in job.specimen:
        trajectory = open_trajectory(sources(specimen, base), boundary=job.ingest.boundary)
        first = next(iter(trajectory.read(0, 1)))
        height = Box(first.cell, first.origin, np.ones(3, dtype=bool)).height
        size = Size(first.natoms, len(trajectory.frames), job.ingest.chunk, tuple(height.tolist()))
        made[specimen.name] = [plan_stage(stage, size, **more) for stage, more in particular.items()]
        facts = _facts(first, job, str(sources(specimen, base)[0]))
        for name in set_names(job.features.set):
            made[specimen.name].append(plan_features(size, quantity_of(name, job.features, facts)))
        learned = quantity_of(job.train.set, job.features, facts)
        n_column = len(learned.columns) + len(medium_range(learned))
        made[specimen.name].append(plan_stage("predict", size, n_column=n_column))
    return made


def _facts(first: Frame, job: Recipe, path: str) -> dict[str, tuple]:
    """What the feature sets will know of the specimen; see `qsdask.stages.features.facts_of`."""
    index, names = species_of(first, job.ingest.species, path)
    count = np.bincount(index, minlength=len(names))
    return named_facts(names, count, radius_of(names, job.ingest.radius_angstrom))
