"""Probabilities by the fold models, and contributions of columns, against LightGBM's own on the same rows.

Probabilities have the same bits.

    python -m tests.benchmarks.bench_trees [--atoms 345600] [--explained 20000] [--depth 2] [--trees 300]

Models are trained as by `train`, on a shipped glass: three draws of five folds. Rows are the interstice columns of the
other shipped glass, tiled with noise so that no two are alike.
"""

from __future__ import annotations

import argparse
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import lightgbm
import numpy as np

from qsdask.engine.cluster import connect
from qsdask.engine.where import Run
from qsdask.learn import contributions, probabilities, train
from qsdask.learn.forest import by_draw_and_fold
from qsdask.settings import TrainSettings
from tests.benchmarks.bench_learning import table_of
from tests.benchmarks.glass_input import interleaved, print_table


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--atoms", type=int, default=345_600)
    parser.add_argument("--explained", type=int, default=20_000, help="rows whose contributions are taken")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--depth", type=int, default=2)
    parser.add_argument("--trees", type=int, default=300)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="qsdask-trees-") as folder, connect("threads", 2) as client:
        run = Run(client, 2, False, False)
        source, test = (table_of(f"cu65_{name}", Path(folder), run) for name in "ab")
    settings = TrainSettings(trees=options.trees, depth=options.depth)
    model = train(source, definition={}, label={}, settings=settings, threads=2)
    few = test.X[np.isfinite(test.X).all(axis=1)]
    row = few[np.arange(options.atoms) % len(few)]
    row *= np.random.default_rng(0).normal(1.0, 0.01, row.shape).astype(np.float32)
    boosters = [lightgbm.Booster(model_str=model.trees[name]) for name in by_draw_and_fold(model.trees)]

    def theirs(threads: int) -> np.ndarray:
        return np.array([b.predict(row, num_threads=threads) for b in boosters])

    def ours_in_two() -> np.ndarray:
        with ThreadPoolExecutor(2) as pool:
            return np.concatenate([*pool.map(lambda part: probabilities(model, part), np.array_split(row, 2))], axis=1)

    few_rows = row[: options.explained]

    def their_contributions() -> np.ndarray:
        return np.mean([b.predict(few_rows, pred_contrib=True, num_threads=1) for b in boosters], axis=0)

    differ = {threads: np.count_nonzero(probabilities(model, row) != theirs(threads)) for threads in (1, 2)}
    print(f"{differ[1]} and {differ[2]} of {len(boosters) * len(row)} probabilities differ; {row.shape[1]} columns")
    contestants = {
        "qsdask": lambda: probabilities(model, row),
        "LightGBM, one thread": lambda: theirs(1),
        "qsdask, two threads": ours_in_two,
        "LightGBM, two threads": lambda: theirs(2),
    }
    seconds = interleaved(contestants, options.repeat)
    title = f"{len(boosters)} models of {options.trees} trees, depth {options.depth}, {len(row)} rows"
    print_table(f"{title}; one thread", {k: v for k, v in seconds.items() if "two" not in k}, "qsdask")
    print_table(f"{title}; two", {k: v for k, v in seconds.items() if "two" in k}, "qsdask, two threads")
    apart = np.abs(contributions(model, few_rows).value - their_contributions()[:, :-1]).max()
    print(f"contributions of {few_rows.shape[1]} columns differ by {apart:.1e} at most")
    explained = {"qsdask": lambda: contributions(model, few_rows), "LightGBM, one thread": their_contributions}
    title = (
        f"contributions, {len(boosters)} models of {options.trees} trees, depth {options.depth}, {len(few_rows)} rows"
    )
    print_table(f"{title}; one thread", interleaved(explained, min(3, options.repeat)), "qsdask")


if __name__ == "__main__":
    main()
