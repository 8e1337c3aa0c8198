"""The common course of every stage that fills a store: begin or resume, run what is missing, finish."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from distributed import Client

from qsdask.engine.cluster import connect
from qsdask.engine.run import run_tasks, warm_up
from qsdask.schema import stage_of
from qsdask.store import ledger
from qsdask.store.ledger import Record, Task

__all__ = ["Course", "Run", "run_stage"]


@dataclass(frozen=True)
class Run:
    """Where and how a stage runs; none of it changes a number.

    Attributes
    ----------
    cluster : str or distributed.Client
        See `qsdask.engine.cluster.connect`.
    workers : int, optional
        Processes or threads of a cluster started here.
    overwrite : bool
        Compute again what is there.
    progress : bool
        Show progress bars.
    """

    cluster: str | Client = "local"
    workers: int | None = None
    overwrite: bool = False
    progress: bool = True


@dataclass(frozen=True)
class Course:
    """What is particular to one stage.

    Attributes
    ----------
    record : Record
        Settings, inputs and number of tasks.
    template : callable
        Creates the empty groups.
    unit : callable
        ``unit(path, part, domain, steps)`` computes and commits the tasks (part, step, domain) of these steps; runs on a worker.
    compile_kernels : callable
        Runs the stage's kernels once on a toy.
    steps_per_unit : int
        Steps that one unit of work takes, at most.
    conclude : callable, optional
        Called when every task is done; returns the provenance to keep in the ledger.
    """

    record: Record
    template: Callable[[], None]
    unit: Callable
    compile_kernels: Callable[[], None]
    steps_per_unit: int = 1
    conclude: Callable[[], dict] | None = None


def run_stage(path: Path, course: Course, run: Run) -> list[Record]:
    """Begin or resume a stage, run its missing tasks, finish it.

    Parameters
    ----------
    path : Path
        Root of the store.
    course : Course
        The stage.
    run : Run
        Where and how.

    Returns
    -------
    list of Record
        Stages that were removed because they built on overwritten numbers.
    """
    key = course.record.key
    removed = ledger.begin(path, course.record, course.template, overwrite=run.overwrite)
    todo = ledger.pending(path, key)
    if todo:
        with connect(run.cluster, run.workers, announce=run.progress) as client:
            warm_up(client, course.compile_kernels)
            # A later part reads what an earlier one wrote, so parts follow one another.
            for part in sorted({part for part, _, _ in todo}):
                units = _units([task for task in todo if task[0] == part], course.steps_per_unit)
                arguments = [(str(path), part, domain, steps) for domain, steps in units]
                weight = [len(steps) for _, steps in units]
                for _ in run_tasks(
                    client,
                    course.unit,
                    arguments,
                    label=_label(course.record, part),
                    progress=run.progress,
                    weight=weight,
                ):
                    pass
    record = ledger.read(path, key)
    if record is None or not record.complete:
        ledger.finish(path, key, course.conclude() if course.conclude else {})
    return removed


def _units(todo: list[Task], steps_per_unit: int) -> list[tuple[int, list[int]]]:
    """Group missing tasks of one domain into units of a few steps."""
    by_domain: dict[int, list[int]] = {}
    for _, step, domain in todo:
        by_domain.setdefault(domain, []).append(step)
    return [
        (domain, [int(s) for s in part])
        for domain, steps in by_domain.items()
        for part in np.array_split(steps, -(-len(steps) // steps_per_unit))
    ]


def _label(record: Record, part: int) -> str:
    name = stage_of(record.groups[0]).name
    return name if record.shape[0] == 1 else f"{name} {part + 1}/{record.shape[0]}"
