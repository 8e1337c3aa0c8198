"""Rows that trees can learn from: all plastic atoms and as many others as any undersampling can choose, gathered."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial

import numpy as np

from qsdask import learn
from qsdask.engine.tasks import run_tasks
from qsdask.learn import Specimen, Table
from qsdask.learn.own_label import Judge
from qsdask.settings import TrainSettings
from qsdask.store.identity import StoreAt
from qsdask.store.reader import StoreReader
from qsdask.study.blocks import block_of
from qsdask.study.columns import columns_of, sets_of
from qsdask.study.rows import LabelledRows, labelled_rows
from qsdask.study.training_rows import Lesson, joined_samples, sample_of, table_of

__all__ = ["gather", "gathered", "rows_with_all_columns", "share_of"]


def rows_with_all_columns(
    root: StoreReader, domain: int, step: int | Judge, *, chosen: TrainSettings, label: dict
) -> LabelledRows:
    """Rows of a domain that trees can learn from."""
    return labelled_rows(root, domain, sets_of(chosen), columns_of(root, chosen), step, label)


def gathered(lesson: Lesson, specimens: Mapping[str, Specimen]) -> tuple[Table, dict[str, np.ndarray]]:
    """Rows that some draw can choose, and columns of a sample of all usable atoms by species; arguments as of
    `qsdask.study.grown.grown`.
    """
    chosen, run = lesson.chosen, lesson.run
    asked = partial(
        gather, chosen=chosen, label=lesson.label, share=share_of(specimens.values(), chosen), specimens=specimens
    )
    tasks = [(s, domain, lesson.steps[s.path]) for s in lesson.stores for domain in range(s.reader().n_domain)]
    with run.connected() as client:
        parts = list(run_tasks(client, asked, tasks, label="gather", progress=run.progress))
    return learn.concatenate([table for table, _ in parts]), joined_samples(sampled for _, sampled in parts)


def share_of(specimens: Collection[Specimen], chosen: TrainSettings) -> float:
    """Share of the majority, by hash, that certainly holds what every draw can choose."""
    plastic = sum(s.n_plastic for s in specimens)
    other = sum(s.n_usable for s in specimens) - plastic
    few, many = sorted((plastic, other))
    wanted = few * max(chosen.ratio, 1.0)
    # Ten standard deviations above the expectation: the chance to miss a row is nil.
    return min(1.0, (wanted + 10.0 * np.sqrt(wanted) + 100.0) / max(many, 1))


def gather(
    store: StoreAt,
    domain: int,
    step: int | Judge,
    *,
    chosen: TrainSettings,
    label: dict,
    share: float,
    specimens: Mapping[str, Specimen],
) -> tuple[Table, dict[str, Table]]:
    """The rows of a domain that some draw can choose: the minority, and the majority with the smallest hashes.

    Then a sample of all usable rows, by species.
    """
    root = store.reader()
    columns = columns_of(root, chosen)
    found = rows_with_all_columns(root, domain, step, chosen=chosen, label=label)
    rows = root.rows(domain)
    ids = root["atoms/id"][rows]
    me = specimens[store.path]
    plastic = sum(s.n_plastic for s in specimens.values())
    rare = plastic * 2 <= sum(s.n_usable for s in specimens.values())
    minority = found.y if rare else ~found.y
    lowest = np.min(
        [learn.identity_hash(chosen.seed, "undersample", draw, me.key, ids) for draw in range(chosen.draws)], axis=0
    )
    keep = found.mask & (minority | (share >= 1.0) | (lowest.astype(np.float64) < share * 2.0**64))
    block = None
    if chosen.search or chosen.fold_kind == "spatial_block":
        block = block_of(root, rows, chosen.block_angstrom)[keep]
    sampled = sample_of(root, domain, found, columns, me, specimens.values(), chosen.seed)
    return table_of(found, ids, columns, me, keep, block), sampled
