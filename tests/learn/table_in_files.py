"""A made-up table in files, as the tasks of a training write it, and processes that learn from it together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from qsdask.engine.keys import new_keys
from qsdask.learn import Specimen, Table, rank_tasks
from qsdask.learn.bins import edges_of
from qsdask.learn.blocks_of_trees import Grown, text_of, with_counts
from qsdask.learn.filed_table import FiledTable
from qsdask.learn.gbdt import parameters_of
from qsdask.learn.gbdt_blocks import grow_block
from qsdask.settings import TrainSettings

BASE = 0.25
COLUMNS = tuple(f"c{k}" for k in range(20))


class Lesson(NamedTuple):
    """A table in files, its intervals, what LightGBM is told, and the score that it begins from."""

    filed: FiledTable
    edges: list[np.ndarray]
    parameters: dict
    table: Table
    base: float = BASE

    @property
    def n_code(self) -> list[int]:
        return [len(edge) + 1 for edge in self.edges]

    def text(self, trees: Sequence[Grown]) -> str:
        """A model of these trees."""
        columns = self.table.columns
        return text_of(trees, columns, self.base, ranges=[(-9.0, 9.0)] * len(columns), edges=self.edges)


def made_up(n: int = 6000, columns: tuple[str, ...] = COLUMNS) -> Table:
    """Rows of one glass: some columns tell of the class, one has few values, one has one."""
    rng = np.random.default_rng(0)
    value = rng.standard_normal(size=(n, len(columns)), dtype=np.float32)
    value[:, 3], value[:, 4] = np.round(value[:, 3]), 2.0
    y = value[:, :5].sum(axis=1) + 2 * rng.normal(size=n) > 3
    me = Specimen("glass", "glass", n, n, int(y.sum()))
    return Table((me,), np.zeros(n, dtype=np.int64), rng.permutation(n), value, y, columns)


def in_files(folder: Path, table: Table, settings: TrainSettings, order: np.ndarray | None = None) -> Lesson:
    """The table in three parts of unequal size, its rows dealt out in this order."""
    folder.mkdir()
    filed, me = FiledTable(folder, 3), table.specimens[0]
    order = np.arange(len(table)) if order is None else order
    for k, rows in enumerate(np.split(order, [len(table) // 5, len(table) // 2])):
        some = table.take(rows)
        filed.part(k).write(some, {"Cu": some.take(np.arange(3))})
    filed.deal([me] * 3, settings)
    edges = edges_of(table.X[:200_000], settings.max_bin)
    for k in range(3):
        filed.part(k).write_codes(edges)
    told = {**parameters_of(settings, len(table.columns), 7, 1), "min_data_in_leaf": 0, "min_sum_hessian_in_leaf": 1.0}
    return Lesson(filed, edges, told, table)


def by_one(lesson: Lesson, n_tree: int, before: Sequence[Grown] = ()) -> list[Grown]:
    """Trees of LightGBM's serial learner."""
    some = lesson.filed.chosen(0, 0, of_fold=False)
    rows = lesson.filed.codes(some.place)
    trees, counts = grow_block(rows, some.target, lesson.n_code, before, lesson.base, lesson.parameters, n_tree)
    return [with_counts(tree, count) for tree, count in zip(trees, counts, strict=True)]


def by_several(lesson: Lesson, n_rank: int, n_tree: int, before: Sequence[Grown] = ()) -> list[Grown]:
    """Trees of so many ranks."""
    told = {
        "folder": str(lesson.filed.folder),
        "n_part": lesson.filed.n_part,
        "draw": 0,
        "fold": 0,
        "n_code": lesson.n_code,
        "before": list(before),
        "base": lesson.base,
        "parameters": lesson.parameters,
        "n_tree": n_tree,
    }
    addresses = rank_tasks.begin("test", n_rank, "127.0.0.1", new_keys())
    found = rank_tasks.follow("test", [{**told, "rank": k, "addresses": addresses} for k in range(n_rank)])
    counts = [np.sum([one["counts"][k] for one in found], axis=0) for k in range(len(found[0]["trees"]))]
    return [with_counts(tree, count.tolist()) for tree, count in zip(found[0]["trees"], counts, strict=True)]
