"""Two drivers, late workers, readers and restored backups on one store, in random order.

Everything happens in one process, step by step, so that every order can be had: a task that sleeps wakes between any two
operations on files; a driver whose lock was taken goes on as if it had it. What may be seen is known: the response of
the store's own frames, measured as its record says, or a refusal.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

import qsdask
from qsdask.engine.course import Course
from qsdask.engine.where import Run
from qsdask.errors import QSDaskError
from qsdask.files import lock
from qsdask.stages import respond as stage
from qsdask.store import ledger
from qsdask.store.ledger import Begun
from qsdask.store.reader import StoreReader
from qsdask.store.record import Record
from qsdask.store.task_writer import StageRun
from qsdask.store.unchanged import unchanged
from tests.small_store import SPECIES, small_dump

__all__ = ["interleave"]

KEY = "response/d2min"
PARTS = ("response", "ledger/response")
CUTOFFS = (3.4, 3.6, 4.0)
TASKS = [(domain, step) for domain in range(2) for step in range(2)]
GOLDEN = Path(__file__).resolve().parents[1] / "golden"
RUN = Run("threads", 2, overwrite=True, progress=False)


class World:
    """A store that was only ingested, what each measure of it gives, and parts of another store of the same settings.

    Parameters
    ----------
    folder : Path
        Where the stores are made.
    """

    def __init__(self, folder: Path) -> None:
        self.store, other = folder / "glass.zarr", folder / "other.zarr"
        for shift, store in ((0.3, self.store), (0.4, other)):
            dump = small_dump(GOLDEN, folder / f"{store.stem}.dump", shift)
            qsdask.ingest(dump, store, species=SPECIES, strain_step=0.01, chunk=24, run=RUN)
        self.expected: dict[float, np.ndarray] = {}
        measured = shutil.copytree(self.store, folder / "measured.zarr")
        for cutoff in CUTOFFS:
            qsdask.respond(measured, cutoff=cutoff, run=RUN)
            self.expected[cutoff] = StoreReader(measured)[f"{KEY}/d2min"][:]
        qsdask.respond(other, run=RUN)
        self.foreign = backup_of(other)
        assert not np.array_equal(StoreReader(other)[f"{KEY}/d2min"][:], self.expected[4.0])
        #: What happened, over all interleavings.
        self.seen: Counter[str] = Counter()


def backup_of(store: Path) -> dict[str, bytes]:
    """All files of the response."""
    files = [file for part in PARTS for file in (store / part).rglob("*") if file.is_file()]
    return {str(file.relative_to(store)): file.read_bytes() for file in files}


def restore(store: Path, backup: dict[str, bytes]) -> None:
    """Put a backup of the response in the place of what is there."""
    for part in PARTS:
        shutil.rmtree(store / part, ignore_errors=True)
    for name, data in backup.items():
        (store / name).parent.mkdir(parents=True, exist_ok=True)
        (store / name).write_bytes(data)


@dataclass
class Driver:
    """Somebody who has begun to measure the response."""

    token: str
    course: Course
    begun: Begun
    work: StageRun


class Interleaving(RuleBasedStateMachine):
    """One random order of what drivers, tasks, readers and backups do."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="qsdask-strangers-"))
        self.store = shutil.copytree(self.world.store, self.folder / "glass.zarr")
        self.drivers: list[Driver] = []
        self.backups: list[dict[str, bytes]] = [self.world.foreign]
        self.world.seen["interleavings"] += 1

    @rule(cutoff=st.sampled_from(CUTOFFS), overwrite=st.booleans())
    def begins(self, cutoff: float, overwrite: bool) -> None:
        """A driver takes the lock, whoever has it, and begins or resumes."""
        token = f"driver {len(self.drivers)}"
        (self.store / lock.LOCK).write_text(json.dumps({"token": token}))
        asked: list[Course] = []
        with patch.object(stage, "run_stage", lambda path, course, run: asked.append(course)), self._tried():
            qsdask.respond(self.store, cutoff=cutoff, run=RUN)
        with self._as(token), self._tried():
            for course in asked:
                begun = ledger.begin(self.store, course.record, course.template, overwrite=overwrite)
                if not begun.record.complete:
                    self.drivers.append(Driver(token, course, begun, StageRun.of(self.store, begun)))

    @rule(who=st.integers(0, 9), task=st.integers(0, len(TASKS) - 1))
    def task(self, who: int, task: int) -> None:
        """A task of some run, perhaps long ended, is done."""
        for driver in self._some(who):
            domain, step = TASKS[task]
            with self._tried():
                driver.course.unit(driver.work, 0, domain, [step])

    @rule(who=st.integers(0, 9), task=st.integers(0, len(TASKS) - 1), at=st.integers(0, 11), then=st.integers(0, 3))
    def slow_task(self, who: int, task: int, at: int, then: int) -> None:
        """A task sleeps before it flushes a file, or before it gives one its name; meanwhile others go on."""
        others = self._meanwhile(then)
        name, original = [("fsync", os.fsync), ("replace", Path.replace)][at % 2]
        calls = [0]

        def slow(*arguments):
            calls[0] += 1
            if calls[0] == 1 + at // 2:
                others()
            return original(*arguments)

        with patch.object(os if name == "fsync" else Path, name, slow), suppress(OSError):
            self.task(who, task)

    @rule(who=st.integers(0, 9))
    def finishes(self, who: int) -> None:
        """A driver thinks that all its tasks are done."""
        for driver in self._some(who):
            with self._as(driver.token), self._tried():
                ledger.finish(self.store, driver.begun, {})
                self.world.seen["stages finished"] += 1

    @rule(who=st.integers(0, 9))
    def goes_to_the_end(self, who: int) -> None:
        """A driver does all tasks that are missing, and finishes."""
        for driver in self._some(who):
            for task in range(len(TASKS)):
                self.task(self.drivers.index(driver), task)
            self.finishes(self.drivers.index(driver))

    @rule(then=st.integers(0, 3))
    def reads(self, then: int) -> None:
        """A reader takes one domain, others go on, it takes the next."""
        others = self._meanwhile(then)
        with self._tried():
            with unchanged(self.store, (KEY,)):
                record = ledger.require(self.store, KEY)
                root = StoreReader(self.store)
                first = root[f"{KEY}/d2min"][:, root.rows(0)]
                others()
                second = root[f"{KEY}/d2min"][:, root.rows(1)]
            self._judge(np.concatenate([first, second], axis=1), record)

    @rule()
    def backs_up(self) -> None:
        """Somebody copies the response."""
        self.backups.append(backup_of(self.store))

    @rule(which=st.integers(0, 9))
    def restores(self, which: int) -> None:
        """Somebody brings a copy back: of this store, or of another one."""
        restore(self.store, self.backups[which % len(self.backups)])

    @invariant()
    def nothing_wrong_is_shown(self) -> None:
        """What the store gives is right, or it gives nothing."""
        with self._tried():
            record = ledger.require(self.store, KEY)
            self._judge(StoreReader(self.store)[f"{KEY}/d2min"][:], record)

    def teardown(self) -> None:
        """Whatever was done to it, the next run mends it."""
        (self.store / lock.LOCK).unlink(missing_ok=True)
        qsdask.respond(self.store, cutoff=3.6, run=RUN)
        self._judge(StoreReader(self.store)[f"{KEY}/d2min"][:], ledger.require(self.store, KEY))
        assert [damage for damage in qsdask.verify(self.store, progress=False) if not damage.harmless] == []
        shutil.rmtree(self.folder)

    def _some(self, who: int) -> list[Driver]:
        return [self.drivers[who % len(self.drivers)]] if self.drivers else []

    def _meanwhile(self, then: int) -> Callable[[], None]:
        """What others do while somebody sleeps."""
        cutoff = CUTOFFS[then % len(CUTOFFS)]

        def others() -> None:
            if then == 3:
                self.restores(then)
                return
            self.begins(cutoff, overwrite=True)
            if then:
                self.goes_to_the_end(len(self.drivers) - 1)

        return others

    @contextmanager
    def _as(self, token: str) -> Iterator[None]:
        """Act as the process that once took the lock with this token."""
        home = os.path.realpath(self.store)
        lock._tokens[home] = token
        try:
            yield
        finally:
            lock._tokens.pop(home, None)

    @contextmanager
    def _tried(self) -> Iterator[None]:
        """Refusals are counted; anything else is a fault."""
        try:
            yield
        except QSDaskError as error:
            self.world.seen[f"refused {error.code}"] += 1

    def _judge(self, values: np.ndarray, record: Record) -> None:
        self.world.seen["answers"] += 1
        np.testing.assert_array_equal(values, self.world.expected[record.settings["cutoff_angstrom"]])


def interleave(folder: Path, number: int, *, fresh: bool = False) -> Counter[str]:
    """Try so many random orders, other ones every time when they are to be fresh; what happened, counted.

    Raises
    ------
    AssertionError
        With the shortest order that gives a wrong number.
    """
    world = World(folder)
    made = type("Interleaving", (Interleaving,), {"world": world})
    chosen = settings(
        max_examples=number,
        stateful_step_count=16,
        deadline=None,
        derandomize=not fresh,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(made, settings=chosen)
    return world.seen
