"""Stage ``run``: a whole job from one recipe; run again, it goes on where it was."""

from __future__ import annotations

import time
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from qsdask.engine.stage import Run
from qsdask.errors import BadDataError, NoInputError, UsageError
from qsdask.settings import Recipe, SpecimenSettings, validated
from qsdask.stages.evaluate import evaluate
from qsdask.stages.features import features
from qsdask.stages.ingest import ingest
from qsdask.stages.predict import predict
from qsdask.stages.report import report
from qsdask.stages.respond import respond
from qsdask.stages.shells import shells
from qsdask.stages.train import train

__all__ = ["load_recipe", "run", "shipped_recipe", "sources"]

SHIPPED = "shipped:"


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
    home = Path(folder or plan.folder)
    home.mkdir(parents=True, exist_ok=True)
    model = home / plan.model
    stores = {specimen.name: home / f"{specimen.name}.zarr" for specimen in plan.specimen}
    roles = {role: [stores[s.name] for s in plan.specimen if s.role == role] for role in ("train", "test")}
    if not roles["train"]:
        raise UsageError("the recipe has no specimen with role = 'train'", code="E-SETTING")
    clock = _Clock()
    scores, reports = {}, {}
    with where.connected() as client:
        here = replace(where, cluster=client)
        for specimen in plan.specimen:
            store = stores[specimen.name]
            clock.timed("ingest", lambda s=specimen, p=store: _ingest(plan, s, base, p, here))
            clock.timed("shells", lambda p=store: shells(p, **_short(plan.shells.stored()), run=here))
            clock.timed("features", lambda p=store: features(p, **plan.features.stored(), run=here))
            clock.timed("respond", lambda p=store: respond(p, **_short(plan.respond.stored()), run=here))
        clock.timed(
            "train", lambda: train(roles["train"], model=model, run=here, **_short(plan.train.stored()))
        )
        for store in roles["test"]:
            name = store.stem
            clock.timed("predict", lambda p=store: predict(p, model=model, run=here))
            scores[name] = clock.timed("evaluate", lambda p=store: evaluate(p, model=model, run=here))
            out = home / (plan.report.out if len(roles["test"]) == 1 else f"{name}-{plan.report.out}")
            reports[name] = clock.timed(
                "report",
                lambda p=store, o=out: report(
                    p, model=model, out=o, slice_axis=plan.report.slice_axis,
                    slice_thickness=plan.report.slice_thickness_angstrom, stages=clock.rows(), run=here,
                ),
            )  # fmt: skip
    return {
        "folder": home,
        "model": model,
        "stores": stores,
        "scores": scores,
        "reports": reports,
        "stages": clock.rows(),
    }


def load_recipe(path: str | Path, changes: Sequence[str] = ()) -> tuple[Recipe, Path]:
    """Read and check a recipe.

    Parameters
    ----------
    path : str or Path
        TOML file.
    changes : sequence of str
        ``"section.name=value"``, the value as in TOML; plain words need no quotes.

    Returns
    -------
    tuple of (Recipe, Path)
        The recipe, and the folder that its file names start from.

    Raises
    ------
    NoInputError
        ``E-NO-FILE`` when there is no such file.
    BadDataError
        ``E-RECIPE`` when it is not TOML.
    UsageError
        ``E-SETTING`` when a setting does not fit.
    """
    file = Path(path)
    if not file.is_file():
        raise NoInputError("no recipe here", code="E-NO-FILE", file=file)
    try:
        text = tomllib.loads(file.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadDataError(f"the recipe is not TOML: {error}", code="E-RECIPE", file=file) from None
    for change in changes:
        _apply(text, change)
    return validated(Recipe, **text), file.resolve().parent


def shipped_recipe(name: str) -> Path:
    """Recipe that comes with the package, installed or in a checkout."""
    inside = Path(__file__).parents[1] / "pipelines" / f"{name}.toml"
    return inside if inside.is_file() else Path(__file__).parents[2] / "pipelines" / f"{name}.toml"


def sources(specimen: SpecimenSettings, base: Path) -> list[Path]:
    """Files of a specimen's trajectory."""
    files = [specimen.trajectory] if isinstance(specimen.trajectory, str) else specimen.trajectory
    data = Path(__file__).parents[1] / "data"
    return [data / f.removeprefix(SHIPPED) if f.startswith(SHIPPED) else base / f for f in files]


def _ingest(plan: Recipe, specimen: SpecimenSettings, base: Path, store: Path, here: Run) -> Path:
    settings = {**_short(plan.ingest.stored()), "name": specimen.name, "species": plan.ingest.species}
    return ingest(sources(specimen, base), store, **settings, run=here)


def _short(settings: dict) -> dict:
    """Settings as arguments of a stage's function: units stay in the stored names only."""
    return {key.removesuffix("_angstrom"): value for key, value in settings.items()}


def _apply(text: dict, change: str) -> None:
    name, equals, value = change.partition("=")
    *sections, key = name.strip().split(".")
    if not equals or not key:
        raise UsageError(
            f"expected section.name=value, got {change!r}", code="E-SETTING", hint="--set train.threshold=4.5"
        )
    try:
        found = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        found = value.strip()
    for section in sections:
        text = text.setdefault(section, {})
        if not isinstance(text, dict):
            raise UsageError(f"{name} does not name a setting", code="E-SETTING")
    text[key] = found


class _Clock:
    """Seconds spent in each stage, all specimens together."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}

    def timed(self, stage: str, work: Callable):
        start = time.perf_counter()
        result = work()
        self._seconds[stage] = self._seconds.get(stage, 0.0) + time.perf_counter() - start
        return result

    def rows(self) -> list[dict]:
        return [{"stage": name, "seconds": round(seconds, 2)} for name, seconds in self._seconds.items()]
