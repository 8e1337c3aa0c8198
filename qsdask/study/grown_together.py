"""One fold model after the other, grown by all workers together, where the rows are too many for one of them.

Trees are grown in blocks. Before each the rows are cut anew over the workers that live; when one is lost the block is done
again by those that are left. See `qsdask.learn.gbdt_blocks` for why none of this changes the trees.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import ceil, log
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from qsdask.engine.tasks import progress_bar, run_tasks
from qsdask.engine.together import together
from qsdask.learn import identity_hash, rank_tasks
from qsdask.learn.bins import edges_of
from qsdask.learn.blocks_of_trees import Grown, text_of, with_counts
from qsdask.learn.filed_table import Dealt, FiledTable
from qsdask.learn.gbdt import parameters_of, refuse_untrainable
from qsdask.learn.growing import Made
from qsdask.learn.own_label import is_own
from qsdask.learn.working import refuse_unseen
from qsdask.study.kept_rows import Kept

__all__ = ["grown_together"]

#: Trees of a block: what is lost with a worker, at most.
BLOCK = 50

#: Rows by which intervals are found, at most: those of the smallest hash.
SAMPLED = 200_000

#: Rows of a rank, at least.
FEWEST = 100


def grown_together(kept: Kept, d2_quantiles: Sequence[float]) -> list[Made]:
    """Learn the fold models one after the other; arguments as of `qsdask.study.grown_apart.grown_apart`.

    Returns
    -------
    list of Made
        By draw, then fold.

    Raises
    ------
    ResumableError
        ``E-WORKER-LOST``.
    QSDaskError
        Those of `qsdask.learn.gbdt.train_one`.
    """
    lesson, filed, columns = kept.lesson, kept.filed, kept.taught.columns
    chosen, run = lesson.chosen, lesson.run
    dealt = kept.dealt()
    sample = _sample(kept, dealt)
    edges = edges_of(sample, chosen.max_bin)
    ranges = list(zip(sample.min(axis=0).tolist(), sample.max(axis=0).tolist(), strict=True))
    del sample
    quantiles = None if is_own(lesson.label) else d2_quantiles
    write = partial(_coded, folder=str(filed.folder), edges=edges)
    made: list[tuple[int, int, str]] = []
    with run.connected() as client:
        list(run_tasks(client, write, [(k,) for k in range(filed.n_part)], label="code", progress=run.progress))
        grow = partial(together, client, rank_tasks.begin, rank_tasks.follow, rank_tasks.stop)
        n_block = ceil(chosen.trees / BLOCK)
        with progress_bar("train", chosen.draws * chosen.folds * n_block, show=run.progress) as advance:
            for draw in range(chosen.draws):
                sums = filed.sums(draw, chosen.folds)
                for fold in range(chosen.folds):
                    n, n_plastic, target = (sums.sum(axis=0) - sums[fold]).tolist()
                    refuse_untrainable(n, n_plastic, columns, chosen, quantiles)
                    one = _FoldModel(kept, draw, fold, dealt.seeds[draw][fold], _base(target, n), n, edges)
                    trees = [tree for block in one.blocks(grow, n_block, advance) for tree in block]
                    text = text_of(trees, columns, one.base, ranges=ranges, edges=edges, ranked=filed.ranked)
                    made.append((draw, fold, text))
        judge = partial(_judged, folder=str(filed.folder), n_part=filed.n_part, columns=columns)
        told = run_tasks(
            client,
            judge,
            made,
            label="judge",
            progress=run.progress,
            describe=lambda draw, fold, _: f"draw {draw}, fold {fold}",
        )
        found = {(draw, fold): one for draw, fold, one in told}
    return [found[draw, fold] for draw, fold, _ in made]


class _FoldModel(NamedTuple):
    """A model that is grown: seed of its trees, score that they begin from, number of its rows, intervals of the columns."""

    kept: Kept
    draw: int
    fold: int
    seed: int
    base: float
    n_row: int
    edges: list[np.ndarray]

    def blocks(
        self, grow: Callable[..., list[dict[str, Any]]], n: int, advance: Callable[[int], None]
    ) -> list[list[Grown]]:
        """Blocks of trees, so many; those that there are not are grown."""
        filed = self.kept.filed
        blocks = filed.grown(self.draw, self.fold)
        advance(len(blocks))
        while len(blocks) < n:
            found = grow(
                partial(_of_ranks, self._told(blocks)),
                label=f"train, draw {self.draw}, without fold {self.fold}, trees from {len(blocks) * BLOCK} on",
                most=max(2, self.n_row // FEWEST),
            )
            blocks.append(_joined(found))
            filed.keep_grown(self.draw, self.fold, blocks)
            advance(1)
        return blocks

    def _told(self, blocks: list[list[Grown]]) -> dict[str, Any]:
        """What every rank is told of the block that follows."""
        return {
            "folder": str(self.kept.filed.folder),
            "n_part": self.kept.filed.n_part,
            "draw": self.draw,
            "fold": self.fold,
            "n_code": [len(edge) + 1 for edge in self.edges],
            "before": [tree for block in blocks for tree in block],
            "base": self.base,
            "parameters": self._parameters(len(blocks)),
            "n_tree": min(BLOCK, self.kept.lesson.chosen.trees - len(blocks) * BLOCK),
        }

    def _parameters(self, block: int) -> dict[str, Any]:
        """What LightGBM is told of a block."""
        chosen = self.kept.lesson.chosen
        own = int(identity_hash(self.seed, "block of trees", 0, "", np.array([block]))[0] >> np.uint64(33))
        fewest = ceil(chosen.leaf_fraction * self.n_row)
        # Ranks know how many rows a leaf has from sums of second derivatives alone; where no number of them is asked for,
        # such a sum must keep it from 0.
        return {
            **parameters_of(chosen, len(self.kept.taught.columns), own, 1),
            "min_data_in_leaf": fewest,
            **({} if fewest else {"min_sum_hessian_in_leaf": 1.0}),
        }


def _sample(kept: Kept, dealt: Dealt) -> np.ndarray:
    """Columns of the rows by which intervals are found: no class is looked at, and no cut."""
    rank, number = np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.int64)
    for some in dealt.stretches():
        there = np.flatnonzero(kept.filed.is_drawn(some.rows))
        rank = np.concatenate([rank, some.hashes(kept.lesson.chosen, "intervals")[there]])
        number = np.concatenate([number, some.start + there])
        first = np.argsort(rank, kind="stable")[:SAMPLED]
        rank, number = rank[first], number[first]
    return kept.filed.held(np.sort(number))


def _base(target: int, n: int) -> float:
    """Logarithm of the odds of the mean of n rows, of their exact sum in steps of 2^-30."""
    mean = target / 2.0**30 / n
    return log(mean / (1.0 - mean))


def _of_ranks(told: dict[str, Any], addresses: Sequence[tuple[str, int]]) -> list[dict[str, Any]]:
    return [{**told, "rank": k, "addresses": list(addresses)} for k in range(len(addresses))]


def _joined(found: Sequence[dict[str, Any]]) -> list[Grown]:
    """Trees of the first rank, with the rows that all of them counted."""
    trees = found[0]["trees"]
    counts = [np.sum([one["counts"][k] for one in found], axis=0).tolist() for k in range(len(trees))]
    return [with_counts(tree, count) for tree, count in zip(trees, counts, strict=True)]


def _coded(number: int, *, folder: str, edges: Sequence[np.ndarray]) -> None:
    refuse_unseen(Path(folder))
    FiledTable(Path(folder), 0).part(number).write_codes(edges)


def _judged(
    draw: int, fold: int, text: str, *, folder: str, n_part: int, columns: tuple[str, ...]
) -> tuple[int, int, Made]:
    refuse_unseen(Path(folder))
    return draw, fold, FiledTable(Path(folder), n_part).made(text, columns, draw, fold)
