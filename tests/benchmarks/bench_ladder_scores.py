"""Whether ranks score otherwise than the serial learner: AUC over many seeds, and differences with their standard errors.

    python -m tests.benchmarks.bench_ladder_scores [--rows 8000 50000] [--seeds 150] [--first 0]

The made-up table of `bench_ladder`, half of which is learned from, in 50 trees with the usual settings. *Serial* is the learner of
one process with intervals of its own; *codes* the same LightGBM on the whole numbers and gradients that ranks get; *ranks* two of
them, here as threads of this process. One of the 80 columns has a single value: the serial learner draws it, the others do not
have it, so that the columns that a seed draws are others. With `--no-constant` it is noise: then serial and codes draw alike.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from queue import Queue
from typing import Any, NamedTuple

import lightgbm
import numpy as np

from qsdask.kernels.trees import forest_probabilities
from qsdask.learn.bins import coded, edges_of
from qsdask.learn.blocks_of_trees import Grown, text_of
from qsdask.learn.forest import forest_of
from qsdask.learn.gbdt import parameters_of, train_one
from qsdask.learn.gbdt_blocks import grow_block
from qsdask.learn.score import auc_roc
from qsdask.learn.tally import Tally
from qsdask.learn.tree_text import read_trees
from qsdask.settings import TrainSettings
from tests.learn.table_in_files import made_up

COLUMNS = tuple(f"c{k:02d}" for k in range(80))
KINDS = ("serial", "codes", "ranks")
SETTINGS = TrainSettings(trees=50)


class Held:
    """Rows in memory, as `grow_block` reads them."""

    n_column = len(COLUMNS)

    def __init__(self, rows: np.ndarray) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, at: int | slice) -> np.ndarray:
        return self.rows[at].astype(np.float64)

    def batches(self) -> list[slice]:
        return [slice(0, len(self))]


class Pipe(NamedTuple):
    """What joins a rank with the only other one."""

    rank: int
    inbox: Queue
    outbox: Queue

    def swap(self, parts: dict[int, bytes], sizes: dict[int, int]) -> dict[int, bytearray]:
        [(other, data)] = parts.items()
        self.outbox.put(data)
        found = bytearray(self.inbox.get())
        assert len(found) == sizes[other]
        return {other: found}


class Lesson(NamedTuple):
    """Rows to learn from, as values and as whole numbers, and rows to judge by."""

    value: np.ndarray
    code: np.ndarray
    y: np.ndarray
    edges: list[np.ndarray]
    left: np.ndarray
    left_y: np.ndarray

    @classmethod
    def of(cls, n: int, *, constant: bool) -> Lesson:
        table, half = made_up(n, COLUMNS), n // 2
        value, y = table.X, table.y
        if not constant:
            value[:, 4] = np.random.default_rng(5).standard_normal(n)
        edges = edges_of(value[:200_000], SETTINGS.max_bin)
        return cls(value[:half], coded(value[:half], edges), y[:half], edges, value[half:], y[half:])

    def auc(self, kind: str, seed: int) -> float:
        """Of a model of this seed, on the rows left out."""
        text = (
            train_one(self.value, self.y, COLUMNS, SETTINGS, seed=seed) if kind == "serial" else self._text(kind, seed)
        )
        return auc_roc(
            Tally.of(self.left_y, forest_probabilities(forest_of([read_trees(text, COLUMNS)]), self.left)[0])
        )

    def _text(self, kind: str, seed: int) -> str:
        base = float(np.log(self.y.mean() / (1 - self.y.mean())))
        fewest = int(np.ceil(SETTINGS.leaf_fraction * len(self.y)))
        parameters = {**parameters_of(SETTINGS, len(COLUMNS), seed, 1), "min_data_in_leaf": fewest}
        n_code = [len(edge) + 1 for edge in self.edges]

        def grown(rows: np.ndarray, wire: Pipe | None = None) -> list[Grown]:
            target = self.y[rows].astype(np.float32)
            more = () if wire is None else (wire, 2)
            held: Any = Held(self.code[rows])
            trees, _ = grow_block(held, target, n_code, [], base, parameters, SETTINGS.trees, *more)
            if wire is not None:
                lightgbm.basic._LIB.LGBM_NetworkFree()
            return trees

        every = np.arange(len(self.y))
        if kind == "codes":
            trees = grown(every)
        else:
            one: Queue = Queue()
            two: Queue = Queue()
            with ThreadPoolExecutor(2) as pool:
                pipes = (Pipe(0, one, two), Pipe(1, two, one))
                trees, _ = pool.map(grown, np.array_split(every, 2), pipes)
        return text_of(trees, COLUMNS, base, ranges=[(-9.0, 9.0)] * len(COLUMNS), edges=self.edges)


def told(value: np.ndarray) -> str:
    """Mean and its standard error."""
    return f"{value.mean():+.4f} ± {value.std(ddof=1) / np.sqrt(len(value)):.4f}"


def main() -> None:
    """Print means, and differences of equal seeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[8000])
    parser.add_argument("--seeds", type=int, default=150)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--no-constant", action="store_true")
    options = parser.parse_args()
    for n in options.rows:
        lesson = Lesson.of(n, constant=not options.no_constant)
        seeds = range(options.first, options.first + options.seeds)
        found = {kind: np.array([lesson.auc(kind, seed) for seed in seeds]) for kind in KINDS}
        print(f"{n:,} rows, half of them learned from, seeds {seeds.start} to {seeds.stop - 1}")
        for kind, auc in found.items():
            print(f"  {kind:18}{told(auc)}, standard deviation {auc.std(ddof=1):.4f}")
        for one, two in combinations(KINDS, 2):
            alike = np.corrcoef(found[one], found[two])[0, 1]
            print(f"  {two} - {one:10}{told(found[two] - found[one])}, correlated {alike:.2f}", flush=True)


if __name__ == "__main__":
    main()
