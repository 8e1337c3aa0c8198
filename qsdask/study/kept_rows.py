"""Rows that trees learn from, written by the tasks that gather them: nothing of an atom passes through this process but a sample."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from qsdask import learn
from qsdask.engine.tasks import run_tasks
from qsdask.learn import Specimen, Table
from qsdask.learn.filed_table import Dealt, FiledTable
from qsdask.learn.growing import Taught
from qsdask.learn.own_label import Judge
from qsdask.learn.working import refuse_unseen
from qsdask.settings import TrainSettings
from qsdask.store.identity import StoreAt
from qsdask.study.columns import columns_of
from qsdask.study.gathered import gather, share_of
from qsdask.study.training_rows import Lesson, joined_samples

__all__ = ["Kept", "keep"]

#: Parts of a table, about, at most: what reads some rows looks into all of them.
PARTS = 256


class Kept(NamedTuple):
    """Rows in files, and what must be known of them.

    Attributes
    ----------
    lesson : Lesson
        What is learned.
    filed : FiledTable
        The files.
    glasses : tuple of Specimen
        Glass of every part.
    taught : Taught
        The rows counted.
    samples : dict of str to float32 array, shape (n, n_column)
        By species columns of a sample of all usable atoms.
    """

    lesson: Lesson
    filed: FiledTable
    glasses: tuple[Specimen, ...]
    taught: Taught
    samples: dict[str, np.ndarray]

    def dealt(self) -> Dealt:
        """The rows, undersampled and dealt into folds."""
        return self.filed.deal(self.glasses, self.lesson.chosen)


def keep(lesson: Lesson, specimens: Mapping[str, Specimen], how: str) -> Kept:
    """Gather the rows into files, those that are not there already.

    Parameters
    ----------
    lesson : Lesson
        Stores and settings.
    specimens : mapping of str to Specimen
        Their glasses, by path.
    how : str
        How the learning is filed.

    Raises
    ------
    BadDataError
        ``E-FEATURES-DIFFER`` for stores of other columns.
    NoInputError
        ``E-WORKER-PATH`` when a worker does not see the files.
    """
    chosen, working = lesson.chosen, lesson.working
    assert working is not None
    columns = _same_columns(lesson, specimens)
    decides = {
        "settings": chosen.stored() | {"parallel": how},
        "columns": columns,
        "label": lesson.label,
        "definition": lesson.definition,
        "specimens": sorted(s.key for s in specimens.values()),
        "stages": lesson.rests_on,
        "versions": learn.versions(),
    }
    folder = working.folder(decides)
    parts = _parts(lesson)
    asked = partial(
        _part,
        folder=str(folder),
        columns=columns,
        chosen=chosen,
        label=lesson.label,
        share=share_of(specimens.values(), chosen),
        specimens=specimens,
    )
    tasks = [(number, store, domains, lesson.steps[store.path]) for number, (store, domains) in enumerate(parts)]
    with lesson.run.connected() as client:
        done = run_tasks(client, asked, tasks, label="gather", progress=lesson.run.progress, describe=_described)
        found = {number: (counts, sample) for number, counts, sample in done}
    glasses = tuple(specimens[store.path] for store, _ in parts)
    samples = joined_samples(found[number][1] for number in range(len(parts)))
    working.check()
    taught = _taught(glasses, columns, [found[number][0] for number in range(len(parts))])
    return Kept(lesson, FiledTable(folder, len(parts)), glasses, taught, samples)


def _taught(glasses: Sequence[Specimen], columns: tuple[str, ...], counts: Sequence[tuple[int, int]]) -> Taught:
    """Rows of all parts counted; of each part its glass, its rows and the plastic ones among them."""
    plastic: dict[str, int] = defaultdict(int)
    for glass, (_, n) in zip(glasses, counts, strict=True):
        plastic[glass.key] += n
    ordered = sorted({one.key: one for one in glasses}.values(), key=lambda one: one.key)
    return Taught(tuple(ordered), columns, sum(n for n, _ in counts), tuple(plastic[one.key] for one in ordered))


def _same_columns(lesson: Lesson, specimens: Mapping[str, Specimen]) -> tuple[str, ...]:
    """Columns of all stores."""
    none = np.empty(0, dtype=np.int64)
    empty = []
    for store in lesson.stores:
        columns = columns_of(store.reader(), lesson.chosen)
        value = np.empty((0, len(columns)), dtype=np.float32)
        empty.append(Table((specimens[store.path],), none, none, value, np.empty(0, dtype=bool), columns))
    return learn.concatenate(empty).columns


def _parts(lesson: Lesson) -> list[tuple[StoreAt, list[int]]]:
    """Which domains stand in which part; it does not depend on the workers."""
    number = {store: store.reader().n_domain for store in lesson.stores}
    size = -(-sum(number.values()) // PARTS)
    return [
        (store, list(range(first, min(first + size, n)))) for store, n in number.items() for first in range(0, n, size)
    ]


def _described(number: int, store: StoreAt, domains: Sequence[int], step: Any) -> str:
    return f"{store.path}, domains {domains[0]} to {domains[-1]}"


def _part(
    number: int,
    store: StoreAt,
    domains: Sequence[int],
    step: int | Judge,
    *,
    folder: str,
    columns: tuple[str, ...],
    chosen: TrainSettings,
    label: dict,
    share: float,
    specimens: Mapping[str, Specimen],
) -> tuple[int, tuple[int, int], dict[str, Table]]:
    """Gather the rows of some domains into a file; how many they are, and a sample of the usable atoms, is the answer."""
    refuse_unseen(Path(folder))
    part = FiledTable(Path(folder), 0).part(number)
    if not part.sample.is_file():
        found = [
            gather(store, domain, step, chosen=chosen, label=label, share=share, specimens=specimens)
            for domain in domains
        ]
        sample = {name: learn.concatenate([some[name] for _, some in found]) for name in found[0][1]}
        part.write(learn.concatenate([table for table, _ in found]), sample)
    return number, part.counts(), part.read_sample(specimens[store.path], columns)
