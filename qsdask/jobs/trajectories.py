"""Where the trajectories of a recipe come from: files, glasses that ship, or its own simulation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qsdask.engine.where import Run
from qsdask.errors import UsageError
from qsdask.files.location import beside
from qsdask.jobs.places import below, home_of
from qsdask.jobs.recipe import SHIPPED, load_recipe
from qsdask.jobs.simulate import estimate, planned
from qsdask.settings import ClusterSettings, Recipe, SimulateRecipe, SpecimenSettings
from qsdask.simulation.schedule import track_name
from qsdask.simulation.specimen import SpecimenPlan

__all__ = ["glasses_of", "ingest_of", "made_by", "planned_of", "reading_of", "runs_of", "simulation", "sources"]

#: Begins the name of what the recipe's own simulation makes.
SIMULATED = "simulated:"


def simulation(
    recipe: str | Path | Recipe,
    *,
    changes: Sequence[str] = (),
    folder: str | Path | None = None,
    run: Run | None = None,
) -> dict | None:
    """Cost of the glasses that a recipe makes first.

    Parameters
    ----------
    recipe, changes, folder, run
        As of `run`.

    Returns
    -------
    dict or None
        See `qsdask.jobs.simulate.estimate`; None when the recipe makes none.
    """
    plan, base = (recipe, Path.cwd()) if isinstance(recipe, Recipe) else load_recipe(recipe, changes)
    names, glasses = glasses_of(plan, base, home_of(folder, plan.folder))
    where = (run or Run()).otherwise(*clusters_of(plan))
    return estimate(made_by(plan), base=base, folder=glasses, only=names, run=where) if names else None


def clusters_of(plan: Recipe) -> list[ClusterSettings]:
    """Tables ``[cluster]`` of a recipe, its own first, then that of the glasses that it makes."""
    return [plan.cluster, *([plan.simulate.cluster] if plan.simulate else [])]


def glasses_of(plan: Recipe, base: Path, home: Path) -> tuple[list[str], Path]:
    """Specimens that a recipe's own simulation must make.

    Parameters
    ----------
    plan : Recipe
        The recipe.
    base : Path
        Its folder.
    home : Path
        Folder of the job.

    Returns
    -------
    names : list of str
        Those that trajectories of the recipe name.
    folder : Path
        Where they are made: in the folder of the job, or below the current one when a recipe of its own tells them.

    Raises
    ------
    UsageError
        ``E-SETTING`` when a trajectory names a specimen, and the recipe does not make it; ``E-OUTSIDE``.
    """
    named = [track[0] for specimen in plan.specimen for one in (specimen, *runs_of(specimen)) if (track := _track(one))]
    named = list(dict.fromkeys(named))
    if not named:
        return [], home
    if plan.simulate is None:
        raise UsageError(f"trajectory '{SIMULATED}{named[0]}': the recipe has no section [simulate]", code="E-SETTING")
    known = [each.name for each in planned(plan.simulate, base)]
    if unknown := sorted(set(named) - set(known)):
        raise UsageError(
            f"[simulate] makes no specimen {', '.join(unknown)}",
            code="E-SETTING",
            why=f"it makes {', '.join(known)}",
            hint=f"trajectory = '{SIMULATED}{known[0]}'",
        )
    own = Path(plan.simulate.folder).is_absolute()
    return named, below(Path() if own else home, plan.simulate.folder, "simulate.folder")


def planned_of(plan: Recipe, specimen: SpecimenSettings, base: Path) -> SpecimenPlan | None:
    """Plan of a specimen that the recipe's own simulation makes; None when its trajectory comes from elsewhere."""
    track = _track(specimen)
    return next(each for each in planned(made_by(plan), base) if each.name == track[0]) if track else None


def sources(plan: Recipe, specimen: SpecimenSettings, base: Path, glasses: Path) -> list[Path]:
    """Files of a specimen's trajectory.

    Parameters
    ----------
    plan : Recipe
        The recipe.
    specimen : SpecimenSettings
        One of its specimens.
    base : Path
        Folder of the recipe.
    glasses : Path
        Folder of the simulated specimens; see `glasses_of`.

    Returns
    -------
    list of Path
    """
    if track := _track(specimen):
        name, deformation = track
        simulate = made_by(plan)
        first = (simulate.ensemble.loading or [simulate.deform.loading])[0]
        return [glasses / name / f"{deformation or track_name(first, 1)}.dump.zst"]
    files = [specimen.trajectory] if isinstance(specimen.trajectory, str) else specimen.trajectory
    return [_file(base, file) for file in files]


def _file(base: Path, name: str) -> Path:
    """A file that a recipe names: one that ships, or beside the recipe."""
    shipped = Path(__file__).parents[1] / "data"
    return shipped / name.removeprefix(SHIPPED) if name.startswith(SHIPPED) else beside(base, name)


def reading_of(plan: Recipe, specimen: SpecimenSettings, base: Path) -> dict[str, Any]:
    """How the files of a specimen are read, as `sources` finds them: fields of `qsdask.settings.ReadingSettings`."""
    beside = {"topology": plan.reading.topology, "reference": specimen.reference or plan.reading.reference}
    return {**plan.reading.arguments(), **{name: str(_file(base, file)) for name, file in beside.items() if file}}


def ingest_of(plan: Recipe, specimen: SpecimenSettings, base: Path) -> dict[str, Any]:
    """What `qsdask.ingest` is told of a specimen beside its files and its store."""
    settings = plan.ingest.arguments()
    if isinstance(settings["strain_file"], str):
        settings["strain_file"] = _file(base, settings["strain_file"])
    thermo = None if specimen.thermo is None else _file(base, specimen.thermo)
    return {**reading_of(plan, specimen, base), **settings, "name": specimen.name, "thermo": thermo}


def made_by(plan: Recipe) -> SimulateRecipe:
    """The recipe's own simulation; `glasses_of` has refused a recipe that names its specimens and has none."""
    assert plan.simulate is not None
    return plan.simulate


def _track(specimen: SpecimenSettings) -> tuple[str, str] | None:
    """Name and deformation of ``simulated:NAME`` or ``simulated:NAME/tension``; None for other trajectories."""
    trajectory = specimen.trajectory
    if not isinstance(trajectory, str) or not trajectory.startswith(SIMULATED):
        return None
    name, _, deformation = trajectory.removeprefix(SIMULATED).partition("/")
    return name, deformation


def runs_of(specimen: SpecimenSettings) -> list[SpecimenSettings]:
    """The other runs of a glass; they are of the same specimen, and have its name."""
    other: dict[str, Any] = {"runs": [], "thermo": None}
    return [specimen.model_copy(update={"trajectory": file, **other}) for file in specimen.runs]
