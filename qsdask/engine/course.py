"""The common course of every stage that fills a store: begin or resume, run what is missing, finish."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from distributed import Client

from qsdask.engine.capacity import threads_of
from qsdask.engine.cost import StagePlan
from qsdask.engine.guard import refuse_again
from qsdask.engine.passes import Passes
from qsdask.engine.preflight import check_disk, check_memory
from qsdask.engine.recompute import recompute
from qsdask.engine.tasks import cluster_errors, run_tasks, warm_up
from qsdask.engine.where import Run
from qsdask.errors import storage_errors
from qsdask.files.lock import refuse_lost, writing
from qsdask.schema import stage_of
from qsdask.store import ledger
from qsdask.store.beside import clear_scratch
from qsdask.store.durable import sweep
from qsdask.store.ledger import Begun, Record, Task
from qsdask.store.record import is_shown
from qsdask.store.task_writer import StageRun

__all__ = ["Course", "run_stage"]

#: Units of work for every thread, at least, before they are made longer: all end at about the same time.
_UNITS = 4


@dataclass(frozen=True)
class Course:
    """What is particular to one stage.

    Attributes
    ----------
    record : Record
        Settings, inputs and number of tasks.
    plan : StagePlan
        What it will cost.
    template : callable
        ``template(root)`` creates the empty groups below the root that the stage is written to.
    unit : callable
        ``unit(work, part, domain, steps)`` computes and commits the tasks (part, step, domain) of these steps for the
        `StageRun`; runs on a worker.
    passes : Passes, optional
        What is done before the tasks of the first part; these find its result in the argument ``states`` of the unit.
    given : callable, optional
        ``given(steps)``: further arguments of the unit for these steps, such as where their frames are.
    compile_kernels : callable, optional
        Runs the stage's kernels once on a toy.
    ahead : callable, optional
        ``ahead(begun, todo)``, called in this process before the first unit: does some of the missing tasks in a way of its
        own, with their receipts. Those that it leaves are done as units.
    steps_per_unit : int
        Steps that one unit of work takes, at most, or those of one task when these are more.
    most_per_unit : int
        The same where there is work enough for all workers.
    conclude : callable, optional
        ``conclude(root)``, called when every task is done; returns the provenance to keep in the ledger.
    """

    record: Record
    plan: StagePlan
    template: Callable[[Path], None]
    unit: Callable
    compile_kernels: Callable[[], None] | None = None
    steps_per_unit: int = 1
    most_per_unit: int = 0
    ahead: Callable[[Begun, list[Task]], None] | None = None
    conclude: Callable[[Path], dict] = lambda root: {}
    given: Callable[[list[int]], tuple] = lambda steps: ()
    passes: Passes | None = None


def run_stage(path: Path, course: Course, run: Run, removed: list[Record] | None = None) -> None:
    """Begin or resume a stage, run its missing tasks, finish it; then compute again what was removed with its old numbers.

    Parameters
    ----------
    path : Path
        Root of the store.
    course : Course
        The stage.
    run : Run
        Where and how.
    removed : list of Record, optional
        Stages that an earlier try removed because they built on overwritten numbers; this one adds its own, also when
        it then fails.
    """
    refuse_again()
    removed = [] if removed is None else removed
    with storage_errors(path), writing(path):
        begun = ledger.begin(path, course.record, course.template, overwrite=run.overwrite)
        removed += begun.removed
        if not begun.record.complete:
            sweep(path)
            _run_missing(path, course, begun, run)
            refuse_lost(path)
            # A worker that was killed amid a file of several steps leaves it; its task was done again by another.
            sweep(begun.root, course.record.groups)
            removed += ledger.finish(path, begun, course.conclude(begun.root))
            if course.passes:
                clear_scratch(path, course.record.key)
        elif begun.root != path or not is_shown(path, begun.record):
            removed += ledger.finish(path, begun, {})  # whole, but not yet in its place, or not yet in the contents
    recompute(path, removed, run)


def _run_missing(path: Path, course: Course, begun: Begun, run: Run) -> None:
    """Run the tasks that have no receipt, where there is room for them."""
    todo = ledger.pending(begun.root, course.record.key)
    if not todo:
        return
    check_disk(path, course.plan, len(todo) / begun.record.n_task, len(todo) * course.record.n_file)
    if course.ahead:
        course.ahead(begun, todo)
        todo = ledger.pending(begun.root, course.record.key)
        if not todo:
            return
    with run.connected() as client, cluster_errors():
        check_memory(client, course.plan)
        if course.compile_kernels:
            warm_up(client, course.compile_kernels)
        unit = course.unit
        if course.passes and any(part == 0 for part, _, _ in todo):
            n_domain = course.record.shape[2]
            unit = partial(unit, states=course.passes.run(path, begun, n_domain, client, run.progress))
        # What was begun by an earlier version goes on in files of one step.
        course = replace(course, unit=unit, record=begun.record)
        _run_parts(client, course, StageRun.of(path, begun), todo, run.progress)


def _run_parts(client: Client, course: Course, work: StageRun, todo: list[Task], progress: bool) -> None:
    """Run missing tasks; a later part reads what an earlier one wrote, so parts follow one another."""
    for part in sorted({part for part, _, _ in todo}):
        mine = [task for task in todo if task[0] == part]
        shared = len(mine) * course.record.stride // (_UNITS * max(1, threads_of(client)))
        units = _units(mine, max(course.steps_per_unit, min(course.most_per_unit, shared)), course.record)
        results = run_tasks(
            client,
            course.unit,
            [(work, part, domain, steps, *course.given(steps)) for domain, steps in units],
            label=_label(course.record, part),
            progress=progress,
            weight=[len(steps) for _, steps in units],
            describe=_described,
        )
        # Closed here, while the cluster is still there: what has not started yet is cancelled.
        with closing(results):
            for _ in results:
                refuse_lost(work.root)


def _described(work: StageRun, part: int, domain: int, steps: list[int], *given: object) -> str:
    """Step, domain and atoms of a unit of work, for the user whose machine it brings down."""
    root = work.reader()
    rows = root.rows(domain)
    ids = root["atoms/id"][rows]
    shown = f"{steps[0]}" if len(steps) == 1 else f"{steps[0]} to {steps[-1]}"
    return f"step {shown}, domain {domain} ({len(ids)} atoms with ids {ids.min()} to {ids.max()})"


def _units(todo: list[Task], steps_per_unit: int, record: Record) -> list[tuple[int, list[int]]]:
    """Group missing tasks of one domain into units of a few steps."""
    by_domain: dict[int, list[int]] = {}
    for _, number, domain in todo:
        by_domain.setdefault(domain, []).append(number)
    tasks_per_unit = -(-steps_per_unit // record.stride)
    return [
        (domain, [step for number in part for step in record.steps_of(int(number))])
        for domain, numbers in by_domain.items()
        for part in np.array_split(numbers, -(-len(numbers) // tasks_per_unit))
    ]


def _label(record: Record, part: int) -> str:
    name = stage_of(record.key).name
    return name if record.shape[0] == 1 else f"{name} {part + 1}/{record.shape[0]}"
