"""``run``: a whole job from one recipe; run again, it goes on where it was."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from qsdask.engine.where import Run
from qsdask.errors import QSDaskError
from qsdask.files.taken import refuse_taken
from qsdask.jobs.answers import Answers, content_of, is_answers, numbers_of
from qsdask.jobs.applied import applying
from qsdask.jobs.places import Places, home_of, places_of
from qsdask.jobs.recipe import load_recipe, refuse_no_defaults
from qsdask.jobs.recipe_sets import sets_of
from qsdask.jobs.simulate import simulate
from qsdask.jobs.storage import reached
from qsdask.jobs.trajectories import clusters_of, glasses_of, ingest_of, made_by, runs_of, sources
from qsdask.learn import loaded
from qsdask.settings import Recipe, SpecimenSettings
from qsdask.settings.base import AUTO
from qsdask.stages.cutoffs import first_minimum
from qsdask.stages.features import features
from qsdask.stages.ingest import ingest
from qsdask.stages.predict import predict
from qsdask.stages.respond import respond
from qsdask.stages.shells import shells
from qsdask.stages.steps import chosen_steps, label_note, step_near
from qsdask.stages.surface import surface
from qsdask.store.reader import StoreReader
from qsdask.study.columns import with_columns
from qsdask.study.evaluate import evaluate
from qsdask.study.own_label import can_be_scored
from qsdask.study.response import is_deformed
from qsdask.study.train import train
from qsdask.views.report import report

__all__ = ["run"]

T = TypeVar("T")

#: Codes of stages that find something made from other input or with different settings.
_MADE_OTHERWISE = {"E-SETTINGS", "E-OTHER-INPUT", "E-EXISTS", "E-CHANGED"}


def run(
    recipe: str | Path | Recipe,
    *,
    changes: Sequence[str] = (),
    folder: str | Path | None = None,
    run: Run | None = None,
) -> dict:
    """Do all of a job: ingest, surfaces, shells, features and response of every glass, then learn, predict, evaluate, report.

    A recipe with ``use_model`` learns nothing; glasses that were not deformed get a report of their softness.

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
        ``reports``, ``stages`` (name and seconds, in the order of work) and ``notes`` (what must be said of
        ``softness_strain``).

    Raises
    ------
    UsageError
        ``E-OUTSIDE`` when the recipe would write elsewhere than below its folder.
    QSDaskError
        Whatever stops a stage; finished stages are kept.
    """
    plan, base = (recipe, Path.cwd()) if isinstance(recipe, Recipe) else load_recipe(recipe, changes)
    where = (run or Run()).otherwise(*clusters_of(plan))
    plan = applying(plan, base)
    plan = plan.model_copy(update={"train": with_columns(plan.train, base)})
    sets_of(plan)  # now, not after hours of other stages
    roles = {role: [s for s in plan.specimen if s.role == role] for role in ("train", "test")}
    places = places_of(plan, home_of(folder, plan.folder))
    with reached(plan.storage), where.shared() as here:
        refuse_taken(places.answers, overwrite=where.overwrite, ours=is_answers)
        places.home.mkdir(parents=True, exist_ok=True)
        job = _Job(plan, base, places, here)
        job.simulate()
        for specimen in plan.specimen:
            job.fill(specimen)
        if places.learned:
            job.train(roles["train"])
        for specimen in roles["test"]:
            job.test(specimen)
    return {
        "folder": places.home,
        "model": places.model,
        "stores": {specimen.name: places.stores[specimen.name] for specimen in plan.specimen},
        "scores": job.scores,
        "reports": job.reports,
        "stages": job.rows(),
        "notes": job.notes,
    }


def _response(store: Path, measured: dict[str, Any], run: Run) -> Path:
    return respond(store, **measured, run=run)


class _Job:
    """The stages of a job one after the other, with the seconds spent in each, all specimens together.

    Parameters
    ----------
    plan : Recipe
        The recipe.
    base : Path
        Folder that its file names start from.
    places : Places
        Where everything goes.
    run : Run
        On a cluster for all stages. If it overwrites, a stage is made anew where it was made with different settings, and
        only there: nobody wants to simulate a glass again because a threshold was changed.
    """

    def __init__(self, plan: Recipe, base: Path, places: Places, run: Run) -> None:
        self.plan, self.base, self.places, self.model = plan, base, places, places.model
        self.scores: dict[str, Any] = {}
        self.reports: dict[str, Path] = {}
        self.notes: list[str] = []
        self._run = run
        self._seconds: dict[str, float] = {}
        self._answers = Answers(places.answers)
        self._simulated, self._glasses = glasses_of(plan, base, places.home)
        self._minimum: float | None = None
        self._features = plan.features.arguments()
        if "convention" not in plan.features.model_fields_set:
            del self._features["convention"]  # that of the shells

    def store(self, specimen: SpecimenSettings) -> Path:
        """Store of a specimen."""
        return self.places.stores[specimen.name]

    def rows(self) -> list[dict]:
        """Stages and the seconds spent in them."""
        return [{"stage": name, "seconds": round(seconds, 2)} for name, seconds in self._seconds.items()]

    def simulate(self) -> None:
        """The glasses that the recipe makes itself."""
        if names := self._simulated:
            recipe, place = made_by(self.plan), self._glasses
            self._do("simulate", lambda run: simulate(recipe, base=self.base, folder=place, only=names, run=run))

    def fill(self, specimen: SpecimenSettings) -> None:
        """Everything of a specimen that needs no model."""
        store = self.store(specimen)
        self._ingest(specimen, store)
        refuse_no_defaults(self.plan, StoreReader(store).length)
        # Only what is given: not every store has the defaults, which are in angstrom.
        near = self._with_cutoff(store, self.plan.shells.arguments(given_only=True))
        measured = self._with_cutoff(store, self.plan.respond.arguments(given_only=True))
        self._do("surface", lambda run: surface(store, **self.plan.surface.arguments(), run=run))
        self._do("shells", lambda run: shells(store, **near, run=run))
        self._do("features", lambda run: features(store, **self._features, run=run))
        if not is_deformed(store):
            return
        self._do("respond", lambda run: respond(store, **measured, run=run))
        others = [self.places.stores[name] for name in specimen.run_names]
        for one, path in zip(runs_of(specimen), others, strict=True):
            self._ingest(one, path)
            self._do("respond", partial(_response, path, measured))
        if others:
            above = self.plan.run_threshold if "run_threshold" in self.plan.model_fields_set else None
            self._do("respond", lambda run: respond(store, runs=others, threshold=above, **measured, run=run))

    def _with_cutoff(self, store: Path, settings: dict) -> dict:
        """Settings whose cut-off is a number: one for all glasses, the first one's, else no two could be learned from."""
        if settings.get("cutoff") != AUTO:
            return settings
        if self._minimum is None:
            self._minimum = self._do("shells", lambda run: first_minimum(store, run))
        return {**settings, "cutoff": self._minimum}

    def _ingest(self, specimen: SpecimenSettings, store: Path) -> None:
        files = sources(self.plan, specimen, self.base, self._glasses)
        settings = ingest_of(self.plan, specimen, self.base)
        self._do("ingest", lambda run: ingest(files, store, **settings, run=run))

    def train(self, specimens: Sequence[SpecimenSettings]) -> None:
        """The model, unless it is there and was learned from these numbers with these settings."""
        stores = [self.store(specimen) for specimen in specimens]
        basis = [self.plan.train.stored(), [numbers_of(store) for store in stores]]
        # Whether the model is another one is known when it was trained, and that need not be done twice.
        settings = {"model": self.model, **self.plan.train.arguments(given_only=True), "run": self._run}
        with self._timed("train"):
            if not self._answers.made("train", basis, self.model):
                train(stores, **settings)
                self._answers.keep("train", basis, content_of(self.model))

    def test(self, specimen: SpecimenSettings) -> None:
        """Softness, scores and report of a held-out glass; what rests on the same numbers as before is kept.

        There are no scores of a glass that was not deformed, or does not have the label that the model learned.
        """
        store, name = self.store(specimen), specimen.name
        frames = [0, *self._deformed(store)]
        self._do(
            "predict",
            lambda run: predict(store, model=self.model, step=frames, **self.plan.predict.arguments(), run=run),
        )
        frame = self.plan.report.frame
        basis = [content_of(self.model), numbers_of(store), *([] if frame is None else [frame])]
        scores = None
        if can_be_scored(store, loaded(str(self.model)).label):
            scores = self.scores[name] = self._scores(name, store, basis)
        settings, given = self.plan.report.arguments(), self.plan.report.arguments(given_only=True)
        self.reports[name] = out = self.places.reports[name]
        for each in (settings, given):
            each.pop("out", None)
        basis = [*basis, settings]
        if not self._answers.made(f"report {name}", basis, out):
            more: dict[str, Any] = {"model": self.model, "out": out, "stages": self.rows(), "scores": scores}
            out.parent.mkdir(parents=True, exist_ok=True)
            self._do("report", lambda run: report(store, **more, **given, run=run))
            self._answers.keep(f"report {name}", basis, content_of(out))

    def _scores(self, name: str, store: Path, basis: object) -> dict:
        known = self._answers.known(f"evaluate {name}", basis)
        if known is not None:
            return known
        frame = self.plan.report.frame
        scores = self._do("evaluate", lambda run: evaluate(store, model=self.model, frame=frame, run=run))
        return self._answers.keep(f"evaluate {name}", basis, scores)

    def _deformed(self, store: Path) -> list[int]:
        """Deformed frames whose softness is asked for, now with shells and the features that the model knows."""
        strains = self.plan.softness_strain
        found = [*(step_near(store, strain)[0] for strain in strains), *chosen_steps(store, self.plan.softness_frame)]
        self.notes += [f"{note} ({store.stem})" for strain in strains for note in label_note(store, {"strain": strain})]
        steps = [step for step in dict.fromkeys(found) if step]
        if steps:
            self._do("shells", lambda run: shells(store, step=steps, run=run))
            learned = {**self._features, "set": self.plan.train.set}
            self._do("features", lambda run: features(store, **learned, step=steps, run=run))
        return steps

    def _do(self, stage: str, work: Callable[[Run], T]) -> T:
        with self._timed(stage):
            try:
                return work(replace(self._run, overwrite=False))
            except QSDaskError as error:
                if not (self._run.overwrite and error.code in _MADE_OTHERWISE):
                    raise
                return work(self._run)

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self._seconds[stage] = self._seconds.get(stage, 0.0) + time.perf_counter() - start
