"""The learner ``gbdt`` on stores: all plastic atoms and as many others, gathered; boosted trees."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import psutil

from qsdask import learn
from qsdask.engine.tasks import progress_bar, run_tasks
from qsdask.learn import Model, Specimen, Table
from qsdask.learn.own_label import Judge
from qsdask.settings import TrainSettings
from qsdask.store.identity import StoreAt
from qsdask.store.reader import StoreReader
from qsdask.study.blocks import block_of
from qsdask.study.columns import columns_of, sets_of
from qsdask.study.rows import LabelledRows, labelled_rows
from qsdask.study.search import searched
from qsdask.study.training_rows import Lesson, joined_samples, sample_of, table_of

__all__ = ["gathered", "grown", "rows_with_all_columns"]


def rows_with_all_columns(
    root: StoreReader, domain: int, step: int | Judge, *, chosen: TrainSettings, label: dict
) -> LabelledRows:
    """Rows of a domain that trees can learn from."""
    return labelled_rows(root, domain, sets_of(chosen), columns_of(root, chosen), step, label)


def grown(lesson: Lesson, specimens: Mapping[str, Specimen], d2_quantiles: Sequence[float]) -> Model:
    """Learn trees; see `qsdask.learn.train`. Only rows that a draw can choose leave the workers, and a sample.

    Parameters
    ----------
    lesson : Lesson
        Stores and settings.
    specimens : mapping of str to Specimen
        Their glasses, by path.
    d2_quantiles : sequence of float
        Quantiles of D2min, for messages. Unit: angstrom^2.
    """
    chosen, run = lesson.chosen, lesson.run
    table, samples = gathered(lesson, specimens)
    chosen, tried = searched(table, chosen, run) if chosen.search else (chosen, None)
    with progress_bar("train", chosen.draws * chosen.folds, show=run.progress) as advance:
        made = learn.train(
            table,
            definition=lesson.definition,
            label=lesson.label,
            settings=chosen,
            threads=run.workers or len(psutil.Process().cpu_affinity()),
            d2_quantiles=d2_quantiles,
            progress=lambda done, total: advance(1),
        )
    made = learn.with_experience(made, samples)
    return made if tried is None else replace(made, scores={**made.scores, "search": tried})


def gathered(lesson: Lesson, specimens: Mapping[str, Specimen]) -> tuple[Table, dict[str, np.ndarray]]:
    """Rows that some draw can choose, and columns of a sample of all usable atoms by species; arguments as of `grown`."""
    chosen, run = lesson.chosen, lesson.run
    gather = partial(
        _gather, chosen=chosen, label=lesson.label, share=_share(specimens.values(), chosen), specimens=specimens
    )
    tasks = [(s, domain, lesson.steps[s.path]) for s in lesson.stores for domain in range(s.reader().n_domain)]
    with run.connected() as client:
        parts = list(run_tasks(client, gather, tasks, label="gather", progress=run.progress))
    return learn.concatenate([table for table, _ in parts]), joined_samples(sampled for _, sampled in parts)


def _share(specimens: Collection[Specimen], chosen: TrainSettings) -> float:
    """Share of the majority, by hash, that certainly holds what every draw can choose."""
    plastic = sum(s.n_plastic for s in specimens)
    other = sum(s.n_usable for s in specimens) - plastic
    few, many = sorted((plastic, other))
    wanted = few * max(chosen.ratio, 1.0)
    # Ten standard deviations above the expectation: the chance to miss a row is nil.
    return min(1.0, (wanted + 10.0 * np.sqrt(wanted) + 100.0) / max(many, 1))


def _gather(
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
