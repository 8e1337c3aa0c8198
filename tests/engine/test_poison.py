"""A chunk that brings down every worker ends the stage soon, and the message names it."""

from __future__ import annotations

import os
import shutil
import time

import pytest

from qsdask.engine.cost import StagePlan
from qsdask.engine.course import Course, run_stage
from qsdask.engine.where import Run
from qsdask.errors import ResumableError
from qsdask.store import ledger
from qsdask.store.ledger import Record
from qsdask.store.reader import StoreReader
from qsdask.store.task_writer import StageRun
from qsdask.store.template import create_group


def poison(work: StageRun, part: int, domain: int, steps: list[int]) -> None:
    if domain == 1:
        os._exit(1)
    rows = work.reader().rows(domain)
    with work.committing(part, steps[0], domain) as writer:
        writer.write("features/poison", "value", (rows, slice(None)), [[0.0]] * (rows.stop - rows.start))


def nothing() -> None:
    """Compile nothing."""


def test_a_poison_chunk_is_named_and_the_others_are_kept(glass, tmp_path):
    store = shutil.copytree(glass, tmp_path / "glass.zarr")
    atoms = StoreReader(store)["atoms/id"]
    shells = ledger.require(store, "shells")
    record = Record("features/poison", ("features/poison",), {}, {"shells": shells.digest}, (1, 1, 3), 1)

    def template(root) -> None:
        create_group(root, "features/poison", {"atom": atoms.shape[0], "feature": 1}, {"atom": atoms.chunks[0]}, {})

    course = Course(record, StagePlan("features", 3, 0, 0, 0), template, poison, nothing)
    start = time.monotonic()
    ids = atoms[atoms.chunks[0] : 2 * atoms.chunks[0]]
    with pytest.raises(ResumableError, match="E-WORKER-LOST") as refusal:
        run_stage(store, course, Run("local", 2, False, False))
    assert time.monotonic() - start < 60
    assert f"step 0, domain 1 (2304 atoms with ids {ids.min()} to {ids.max()})" in refusal.value.message
    assert ledger.pending(store, "features/poison") == [(0, 0, 1)]
    with pytest.raises(ResumableError, match="E-INCOMPLETE"):
        ledger.require(store, "features/poison")
