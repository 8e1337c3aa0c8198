"""What a recipe will cost, explained before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from qsdask.engine.cost import Size, StagePlan
from qsdask.engine.rates import CORES, StageCost, cost_of
from qsdask.formats.reference import open_run
from qsdask.intake.making import completed, making_of
from qsdask.intake.specimen import species_of
from qsdask.intake.undeformed import survey_of
from qsdask.jobs.applied import applying
from qsdask.jobs.ensemble import atoms_of
from qsdask.jobs.places import home_of, places_of
from qsdask.jobs.recipe import load_recipe, refuse_no_defaults
from qsdask.jobs.recipe_sets import sets_of
from qsdask.jobs.storage import reached
from qsdask.jobs.trajectories import glasses_of, planned_of, reading_of, sources
from qsdask.quantity import medium_range
from qsdask.radii import radius_of
from qsdask.settings import Recipe, SpecimenSettings, TrainSettings
from qsdask.settings.base import AUTO
from qsdask.simulation.crystal import counts, sites
from qsdask.stages import features, ingest, predict, respond, shells, surface
from qsdask.stages.features import named_facts, quantity_of, set_names
from qsdask.stages.shells import facts_of_shells
from qsdask.units import ANGSTROM, stored_length

__all__ = ["costs", "plan", "written"]


def plan(
    recipe: str | Path | Recipe,
    *,
    changes: Sequence[str] = (),
    folder: str | Path | None = None,
    n_atom: int | None = None,
    n_frame: int | None = None,
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
    n_atom, n_frame : int, optional
        As if every specimen had so many, at its density.

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
        return {name: stages for name, (_, stages) in _planned(job, base, folder, n_atom, n_frame).items()}


def costs(
    recipe: str | Path | Recipe,
    *,
    changes: Sequence[str] = (),
    folder: str | Path | None = None,
    n_atom: int | None = None,
    n_frame: int | None = None,
    cores: Sequence[int] = CORES,
) -> dict[str, list[StageCost | None]]:
    """Time, bytes, files and memory of every stage of a recipe, from what the stages were measured to take.

    Parameters
    ----------
    recipe, changes, folder, n_atom, n_frame
        As of `plan`.
    cores : sequence of int
        For which the time is wanted.

    Returns
    -------
    dict of str to list of StageCost or None
        By specimen, in the order of `plan`, and then ``learning``; None for stages that nobody has measured. As many atoms
        are taken to be plastic as were where learning was measured, one of twelve.

    Raises
    ------
    QSDaskError
        As `plan`.
    """
    job, base = (recipe, Path.cwd()) if isinstance(recipe, Recipe) else load_recipe(recipe, changes)
    with reached(job.storage):
        found = _planned(job, base, folder, n_atom, n_frame)
    costly = {name: [cost_of(each, size, cores) for each in stages] for name, (size, stages) in found.items()}
    training = [found[specimen.name][0] for specimen in job.specimen if specimen.role == "train"]
    if training:
        size = training[0].scaled(sum(each.n_atom for each in training))
        costly["learning"] = [cost_of(_learning(job.train), size, cores)]
    return costly


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


def _planned(
    job: Recipe, base: Path, folder: str | Path | None, n_atom: int | None, n_frame: int | None
) -> dict[str, tuple[Size, list[StagePlan]]]:
    """Size of every specimen of a recipe, and its stages."""
    job = applying(job, base)
    made: dict[str, tuple[Size, list[StagePlan]]] = {}
    places = places_of(job, home_of(folder, job.folder))
    glasses = glasses_of(job, base, places.home)[1]
    names = sets_of(job)
    for specimen in job.specimen:
        found, facts, length, reader = _known(job, specimen, base, glasses)
        size = found.scaled(n_atom, n_frame)
        cutoff, measured = (_expected(each.cutoff_angstrom, size) for each in (job.shells, job.respond))
        learned = [quantity_of(name, job.features, facts) for name in set_names(job.train.set, facts)]
        stages = [
            ingest.plan_of(size, reader),
            surface.plan_of(size, job.surface.probe_angstrom, job.surface.reach_angstrom),
            shells.plan_of(size, cutoff, length=length),
            *([respond.plan_of(size, measured)] if size.n_step > 1 else []),
            *(features.plan_of(size, quantity_of(name, job.features, facts), cutoff, length) for name in names),
            predict.plan_of(size, sum(len(each.columns) + len(medium_range(each)) for each in learned)),
        ]
        made[specimen.name] = size, stages
    return made


def _learning(settings: TrainSettings) -> StagePlan:
    """Fold models of trees, each a task; another learner is another stage."""
    trees = settings.learner == "gbdt"
    return StagePlan(
        "train",
        settings.draws * settings.folds if trees else 1,
        ghosts=0,
        bytes_written=0,
        bytes_memory=0,
        part="" if trees else settings.learner,
    )


def _expected(cutoff: float, size: Size) -> float:
    """A cut-off as given; that of the first minimum of g(r) is about one and a half distances between atoms."""
    return 1.5 * float(np.prod(size.height) / size.n_atom) ** (1 / 3) if cutoff == AUTO else cutoff


def _known(job: Recipe, specimen: SpecimenSettings, base: Path, glasses: Path) -> tuple[Size, dict, str, str]:
    """Size of a specimen, what the feature sets will know of it, its unit of length, and who reads its frames: from its files,
    or its plan before it is made.
    """
    files = sources(job, specimen, base, glasses)
    if not files[0].exists() and (plan := planned_of(job, specimen, base)):
        length = sites(plan)[1].tolist()
        count = dict(sorted(zip(plan.composition, counts(plan.composition, atoms_of(plan)), strict=True)))
        size = Size(atoms_of(plan), plan.deform.steps // plan.deform.every + 1, job.ingest.chunk, tuple(length))
        return size, _facts(job, list(count), np.array(list(count.values())), ANGSTROM), ANGSTROM, "lammps"
    told = job.ingest
    trajectory = open_run(files, boundary=told.boundary, units=told.units, **reading_of(job, specimen, base))
    length = stored_length(trajectory.units)
    refuse_no_defaults(job, length)
    timesteps = [frame.timestep for frame in trajectory.frames]
    settings = completed(told, making_of(files), timesteps)
    seen = survey_of(trajectory, settings.species)
    size = Size(seen.header.natoms, len(trajectory.frames), job.ingest.chunk, tuple(seen.box.height.tolist()))
    index, names = species_of(seen.examples, settings.species, trajectory.frames[0].path)
    facts = _facts(job, names, np.bincount(index, seen.count, len(names)).astype(int), length)
    return size, facts, length, trajectory.frames[0].reader


def _facts(job: Recipe, names: list[str], count: np.ndarray, length: str) -> dict[str, object]:
    """What the feature sets will know of the specimen and its shells; see `qsdask.stages.features.facts_of`."""
    known = named_facts(names, count, radius_of(names, job.ingest.radius_angstrom, length), length)
    return {**known, **facts_of_shells(job.shells.stored())}
