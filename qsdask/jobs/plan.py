"""What a recipe will cost, explained before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from qsdask.engine.cost import Size, StagePlan
from qsdask.formats.reference import open_run, undeformed
from qsdask.intake.making import completed, making_of
from qsdask.intake.specimen import species_of
from qsdask.jobs.applied import applying
from qsdask.jobs.ensemble import atoms_of
from qsdask.jobs.places import home_of, places_of
from qsdask.jobs.recipe import load_recipe, refuse_no_defaults
from qsdask.jobs.recipe_sets import sets_of
from qsdask.jobs.storage import reached
from qsdask.jobs.trajectories import glasses_of, planned_of, reading_of, sources
from qsdask.quantity import medium_range
from qsdask.radii import radius_of
from qsdask.settings import Recipe, SpecimenSettings
from qsdask.settings.base import AUTO
from qsdask.simulation.crystal import counts, sites
from qsdask.space.box import Box
from qsdask.stages import features, ingest, predict, respond, shells, surface
from qsdask.stages.features import named_facts, quantity_of
from qsdask.stages.shells import facts_of_shells
from qsdask.units import ANGSTROM, stored_length

__all__ = ["plan", "written"]


def plan(
    recipe: str | Path | Recipe, *, changes: Sequence[str] = (), folder: str | Path | None = None
) -> dict[str, list[StagePlan]]:
    """Tasks, ghosts, bytes and memory of every stage of a recipe, for each specimen.

    Parameters
    ----------
    recipe : str, Path or Recipe
        TOML file, see ``pipelines/``.
    changes : sequence of str
        Settings that replace those of the recipe.
    folder : str or Path, optional
        Where everything would go, instead of the recipe's folder.

    Returns
    -------
    dict of str to list of StagePlan
        By specimen. Reads the headers of the trajectories and their first frames, and writes nothing. What
        `qsdask.simulate` will make is known from the recipe; `qsdask.jobs.simulate.estimate` tells its cost.

    Raises
    ------
    QSDaskError
        When the recipe would write elsewhere than below its folder (``E-OUTSIDE``), it or a trajectory cannot be read, or a
        later stage would refuse its sets; see `sets_of`.
    """
    job, base = (recipe, Path.cwd()) if isinstance(recipe, Recipe) else load_recipe(recipe, changes)
    with reached(job.storage):
        return _planned(applying(job, base), base, folder)


def _planned(job: Recipe, base: Path, folder: str | Path | None) -> dict[str, list[StagePlan]]:
    made = {}
    places = places_of(job, home_of(folder, job.folder))
    glasses = glasses_of(job, base, places.home)[1]
    names = sets_of(job)
    for specimen in job.specimen:
        size, facts, length = _known(job, specimen, base, glasses)
        cutoff, measured = (_expected(each.cutoff_angstrom, size) for each in (job.shells, job.respond))
        learned = quantity_of(job.train.set, job.features, facts)
        made[specimen.name] = [
            ingest.plan_of(size),
            surface.plan_of(size, job.surface.probe_angstrom, job.surface.reach_angstrom),
            shells.plan_of(size, cutoff, length=length),
            *([respond.plan_of(size, measured)] if size.n_step > 1 else []),
            *(features.plan_of(size, quantity_of(name, job.features, facts), cutoff, length) for name in names),
            predict.plan_of(size, len(learned.columns) + len(medium_range(learned))),
        ]
    return made


def written(
    recipe: str | Path | Recipe, *, changes: Sequence[str] = (), folder: str | Path | None = None
) -> list[tuple[str, Path, bool]]:
    """Every file and folder that a recipe writes, what it is, and whether it is there.

    Parameters
    ----------
    recipe, changes, folder
        As of `plan`.

    Returns
    -------
    list of tuple of (str, Path, bool)
        Nothing is written outside of them, but for the folders that they lie in.

    Raises
    ------
    QSDaskError
        As `plan`.
    """
    job, base = (recipe, Path.cwd()) if isinstance(recipe, Recipe) else load_recipe(recipe, changes)
    job = applying(job, base)
    places = places_of(job, home_of(folder, job.folder))
    named, glasses = glasses_of(job, base, places.home)
    found = [*([("simulated glasses", glasses)] if named else []), *places.told()]
    with reached(job.storage):
        return [(what, path, path.exists()) for what, path in found]


def _expected(cutoff: float, size: Size) -> float:
    """A cut-off as given; that of the first minimum of g(r) is about one and a half distances between atoms."""
    return 1.5 * float(np.prod(size.height) / size.n_atom) ** (1 / 3) if cutoff == AUTO else cutoff


def _known(job: Recipe, specimen: SpecimenSettings, base: Path, glasses: Path) -> tuple[Size, dict, str]:
    """Size of a specimen, what the feature sets will know of it, and its unit of length: from its files, or its plan before
    it is made.
    """
    files = sources(job, specimen, base, glasses)
    if not files[0].exists() and (plan := planned_of(job, specimen, base)):
        length = sites(plan)[1].tolist()
        count = dict(sorted(zip(plan.composition, counts(plan.composition, atoms_of(plan)), strict=True)))
        size = Size(atoms_of(plan), plan.deform.steps // plan.deform.every + 1, job.ingest.chunk, tuple(length))
        return size, _facts(job, list(count), np.array(list(count.values())), ANGSTROM), ANGSTROM
    told = job.ingest
    trajectory = open_run(files, boundary=told.boundary, units=told.units, **reading_of(job, specimen, base))
    length = stored_length(trajectory.units)
    refuse_no_defaults(job, length)
    timesteps = [frame.timestep for frame in trajectory.frames]
    settings = completed(told, making_of(files), timesteps)
    first = undeformed(trajectory, settings.species)
    height = Box(first.cell, first.origin, np.ones(3, dtype=bool)).height
    size = Size(first.natoms, len(trajectory.frames), job.ingest.chunk, tuple(height.tolist()))
    index, names = species_of(first, settings.species, trajectory.frames[0].path)
    return size, _facts(job, names, np.bincount(index, minlength=len(names)), length), length


def _facts(job: Recipe, names: list[str], count: np.ndarray, length: str) -> dict[str, object]:
    """What the feature sets will know of the specimen and its shells; see `qsdask.stages.features.facts_of`."""
    known = named_facts(names, count, radius_of(names, job.ingest.radius_angstrom, length), length)
    return {**known, **facts_of_shells(job.shells.stored())}
