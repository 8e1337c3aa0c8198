"""Stage ``run``: a whole job from one recipe; run again, it goes on where it was."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from qsdask.engine.where import Run
from qsdask.errors import QSDaskError, UsageError
from qsdask.jobs.recipe import SHIPPED, load_recipe
from qsdask.jobs.recipe_sets import sets_of
from qsdask.jobs.simulate import estimate, planned, simulate
from qsdask.settings import Recipe, SpecimenSettings
from qsdask.simulation.schedule import track_name
from qsdask.simulation.specimen import SpecimenPlan
from qsdask.stages.features import features
from qsdask.stages.ingest import ingest
from qsdask.stages.predict import predict
from qsdask.stages.respond import respond
from qsdask.stages.shells import shells
from qsdask.stages.steps import step_near
from qsdask.study.evaluate import evaluate
from qsdask.study.train import train
from qsdask.views.report import report

__all__ = ["glasses_of", "planned_of", "run", "simulation", "sources"]

T = TypeVar("T")

#: Codes of stages that find something made from other input or with other settings.
_MADE_OTHERWISE = {"E-SETTINGS", "E-OTHER-INPUT", "E-EXISTS", "E-CHANGED"}

#: Begins the name of what the recipe's own simulation makes.
SIMULATED = "simulated:"


def run(
    recipe: str | Path | Recipe,
    *,
    changes: Sequence[str] = (),
    folder: str | Path | None = None,
    run: Run | None = None,
) -> dict:
    """Do all of a job: ingest, shells, features and response of every glass, then learn, predict, evaluate, report.

    Parameters
    ----------
    recipe : str, Path or Recipe
        TOML file, see ``pipelines/``.
    changes : sequence of str
        Settings that replace those of the recipe, such as ``"train.threshold=4.5"``.
    folder : str or Path, optional
        Where everything goes, instead of the recipe's folder.
    run : Run, optional
        Cluster, workers, overwriting, progress.

    Returns
    -------
    dict
        ``folder``, ``model``, ``stores`` (name to path), ``scores`` (test specimen to the result of `qsdask.evaluate`),
        ``reports`` and ``stages`` (name and seconds, in the order of work).

    Raises
    ------
    QSDaskError
        Whatever stops a stage; what is done stays done.
    """
    where = run or Run()
    plan, base = (recipe, Path.cwd()) if isinstance(recipe, Recipe) else load_recipe(recipe, changes)
    sets_of(plan)  # now, not after hours of other stages
    home = Path(folder or plan.folder)
    home.mkdir(parents=True, exist_ok=True)
    model = home / plan.model
    stores = {specimen.name: home / f"{specimen.name}.zarr" for specimen in plan.specimen}
    roles = {role: [stores[s.name] for s in plan.specimen if s.role == role] for role in ("train", "test")}
    if not roles["train"]:
        raise UsageError("the recipe has no specimen with role = 'train'", code="E-SETTING")
    scores, reports = {}, {}
    names, glasses = glasses_of(plan, base, home)
    with where.shared() as here:
        job = _Job(here)
        if names:
            job.do("simulate", lambda r: simulate(plan.simulate, base=base, folder=glasses, only=names, run=r))
        chosen = plan.features.arguments()
        if "convention" not in plan.features.model_fields_set:
            del chosen["convention"]  # that of the shells
        for specimen in plan.specimen:
            store = stores[specimen.name]
            job.do("ingest", lambda r, s=specimen, p=store: _ingest(plan, s, base, glasses, p, r))
            job.do("shells", lambda r, p=store: shells(p, **plan.shells.arguments(), run=r))
            job.do("features", lambda r, p=store: features(p, **chosen, run=r))
            job.do("respond", lambda r, p=store: respond(p, **plan.respond.arguments(), run=r))
            _other_runs(plan, specimen, base, glasses, store, job)
        # Whether the model is another one is known when it was trained, and that need not be done twice.
        job.do("train", lambda _: train(roles["train"], model=model, run=here, **plan.train.arguments()))
        for store in roles["test"]:
            name = store.stem
            steps = _deformed(plan, chosen, store, job)
            job.do("predict", lambda r, p=store, k=steps: predict(p, model=model, step=[0, *k], run=r))
            scores[name] = job.do("evaluate", lambda r, p=store: evaluate(p, model=model, run=r))
            out = home / (plan.report.out if len(roles["test"]) == 1 else f"{name}-{plan.report.out}")
            reports[name] = job.do(
                "report",
                lambda r, p=store, o=out, s=scores[name]: report(
                    p,
                    model=model,
                    out=o,
                    slice_axis=plan.report.slice_axis,
                    slice_thickness=plan.report.slice_thickness_angstrom,
                    stages=job.rows(),
                    scores=s,
                    run=r,
                ),
            )
    return {
        "folder": home,
        "model": model,
        "stores": stores,
        "scores": scores,
        "reports": reports,
        "stages": job.rows(),
    }


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
    names, glasses = glasses_of(plan, base, Path(folder or plan.folder))
    return estimate(plan.simulate, base=base, folder=glasses, only=names, run=run) if names else None


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
        Where they are made: in the folder of the job unless the simulation's own folder is an absolute one.

    Raises
    ------
    UsageError
        ``E-SETTING`` when a trajectory names a specimen, and the recipe does not make it.
    """
    named = [track[0] for specimen in plan.specimen for one in (specimen, *_runs(specimen)) if (track := _track(one))]
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
    return named, home / plan.simulate.folder


def planned_of(plan: Recipe, specimen: SpecimenSettings, base: Path) -> SpecimenPlan | None:
    """Plan of a specimen that the recipe's own simulation makes; None when its trajectory comes from elsewhere."""
    track = _track(specimen)
    return next(each for each in planned(plan.simulate, base) if each.name == track[0]) if track else None


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
        first = (plan.simulate.ensemble.loading or [plan.simulate.deform.loading])[0]
        return [glasses / name / f"{deformation or track_name(first, 1)}.dump.zst"]
    files = [specimen.trajectory] if isinstance(specimen.trajectory, str) else specimen.trajectory
    data = Path(__file__).parents[1] / "data"
    return [data / f.removeprefix(SHIPPED) if f.startswith(SHIPPED) else base / f for f in files]


def _track(specimen: SpecimenSettings) -> tuple[str, str] | None:
    """Name and deformation of ``simulated:NAME`` or ``simulated:NAME/tension``; None for other trajectories."""
    trajectory = specimen.trajectory
    if not isinstance(trajectory, str) or not trajectory.startswith(SIMULATED):
        return None
    name, _, deformation = trajectory.removeprefix(SIMULATED).partition("/")
    return name, deformation


def _ingest(plan: Recipe, specimen: SpecimenSettings, base: Path, glasses: Path, store: Path, here: Run) -> Path:
    settings = {**plan.reading.arguments(), **plan.ingest.arguments(), "name": specimen.name}
    return ingest(sources(plan, specimen, base, glasses), store, **settings, run=here)


def _runs(specimen: SpecimenSettings) -> list[SpecimenSettings]:
    """The other runs of a glass; they are of the same specimen, and have its name."""
    return [specimen.model_copy(update={"trajectory": file, "runs": []}) for file in specimen.runs]


def _other_runs(plan: Recipe, specimen: SpecimenSettings, base: Path, glasses: Path, store: Path, job: _Job) -> None:
    """Response of the other runs of a glass, each in a store of its own, and the average of all."""
    if not specimen.runs:
        return
    measured = plan.respond.arguments()
    stores = [store.with_name(f"{name}.zarr") for name in specimen.run_names]
    for one, path in zip(_runs(specimen), stores, strict=True):
        job.do("ingest", lambda r, s=one, p=path: _ingest(plan, s, base, glasses, p, r))
        job.do("respond", lambda r, p=path: respond(p, **measured, run=r))
    job.do("respond", lambda r: respond(store, runs=stores, threshold=plan.run_threshold, **measured, run=r))


def _deformed(plan: Recipe, chosen: Mapping, store: Path, job: _Job) -> list[int]:
    """Deformed frames whose softness is asked for, now with shells and the features that the model knows."""
    found = [step_near(store, strain)[0] for strain in plan.softness_strain]
    steps = [step for step in dict.fromkeys(found) if step]
    if steps:
        job.do("shells", lambda r: shells(store, step=steps, run=r))
        learned = {**chosen, "set": plan.train.set}
        job.do("features", lambda r: features(store, **learned, step=steps, run=r))
    return steps


class _Job:
    """Does stages one after the other, and notes the seconds spent in each, all specimens together.

    Parameters
    ----------
    run : Run
        On a cluster that is there. If it overwrites, a stage is made anew where it was made otherwise, and only there:
        nobody wants to simulate a glass again because a threshold was changed.
    """

    def __init__(self, run: Run) -> None:
        self._seconds: dict[str, float] = {}
        self._run = run

    def do(self, stage: str, work: Callable[[Run], T]) -> T:
        start = time.perf_counter()
        try:
            result = work(replace(self._run, overwrite=False))
        except QSDaskError as error:
            if not (self._run.overwrite and error.code in _MADE_OTHERWISE):
                raise
            result = work(self._run)
        self._seconds[stage] = self._seconds.get(stage, 0.0) + time.perf_counter() - start
        return result

    def rows(self) -> list[dict]:
        return [{"stage": name, "seconds": round(seconds, 2)} for name, seconds in self._seconds.items()]
