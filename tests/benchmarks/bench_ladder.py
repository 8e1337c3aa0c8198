"""Rungs of the ladder of learning side by side: rows a second, and memory a row, of one fold model.

    python -m tests.benchmarks.bench_ladder [--rows 200000 600000] [--trees 50] [--repeat 3]

A made-up table of 80 columns. *Here* is the learner of one process with all rows in memory; *as a task* the same on rows in
files, as a worker has it; *together* two ranks with half of the rows each. They take turns. Memory is what a process holds
beside files that it looks into, at its peak; a row's share is the growth from the smallest table to the largest. Seconds of ranks
begin before their processes do. The AUC on the rows left out stands beside, with the standard deviation over seeds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import lightgbm  # noqa: F401  before the clock runs
import numpy as np
import psutil

from qsdask.engine.environment import WORKER_ENVIRONMENT
from qsdask.kernels.trees import forest_probabilities
from qsdask.learn.filed_table import FiledTable
from qsdask.learn.forest import forest_of
from qsdask.learn.gbdt import parameters_of, train_one
from qsdask.learn.score import auc_roc
from qsdask.learn.tally import Tally
from qsdask.learn.tree_text import read_trees
from qsdask.settings import TrainSettings
from tests.learn.table_in_files import Lesson, by_several, in_files, made_up

COLUMNS = tuple(f"c{k:02d}" for k in range(80))
RUNGS = ("here", "as a task", "together, 2 ranks")


def learned(rung: str, folder: Path, trees: int, seed: int) -> tuple[str, float]:
    """Text of a fold model, and the seconds that it took."""
    told = json.loads((folder / "told.json").read_text())
    lesson = lesson_of(folder, told, seed, trees)
    some = lesson.filed.chosen(0, 0, of_fold=False)
    rows, y = lesson.filed.values(some.place), some.plastic
    # All rows at once are what a table in memory is.
    held = rows[:].astype(np.float32) if rung == "here" else rows
    start = time.perf_counter()
    if rung.startswith("together"):
        text = lesson.text(by_several(lesson, 2, trees))
    else:
        text = train_one(held, y, COLUMNS, TrainSettings(trees=trees), seed=seed)
    return text, time.perf_counter() - start


def lesson_of(folder: Path, told: dict, seed: int, trees: int) -> Lesson:
    """The table that lies in a folder."""
    settings = TrainSettings(trees=trees)
    fewest = int(np.ceil(settings.leaf_fraction * told["rows"] / 2))
    parameters = {**parameters_of(settings, len(COLUMNS), seed, 1), "min_data_in_leaf": fewest}
    edges = [np.array(edge) for edge in told["edges"]]
    return Lesson(FiledTable(folder, 3), edges, parameters, made_up(10, COLUMNS), told["base"])


class Peak(threading.Thread):
    """Largest memory of a process and of those that it started, file pages left out. Unit: bytes."""

    def __init__(self, process: subprocess.Popen) -> None:
        super().__init__(daemon=True)
        self.process, self.over = psutil.Process(process.pid), threading.Event()
        self.most: dict[int, int] = {}

    def run(self) -> None:
        while not self.over.wait(0.02):
            try:
                for one in self.process.children(recursive=True) or [self.process]:
                    text = Path(f"/proc/{one.pid}/status").read_text()
                    held = int(text.partition("RssAnon:")[2].split()[0]) * 1024
                    self.most[one.pid] = max(self.most.get(one.pid, 0), held)
            except (OSError, psutil.NoSuchProcess, IndexError):
                continue


def measured(rung: str, folder: Path, trees: int, seed: int) -> tuple[float, float, str]:
    """Seconds, the peak of the largest process, and the text; in a process of its own."""
    out = folder / "out.json"
    words = [sys.executable, "-m", "tests.benchmarks.bench_ladder", "--one", rung, str(folder), str(trees), str(seed)]
    environment = {**WORKER_ENVIRONMENT, "PATH": "", "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(words, env={k: str(v) for k, v in environment.items()}) as process:
        peak = Peak(process)
        peak.start()
        status = process.wait()
        peak.over.set()
    assert status == 0
    found = json.loads(out.read_text())
    return found["seconds"], max(peak.most.values()), found["text"]


def main() -> None:
    """Print the table."""
    if sys.argv[1:2] == ["--one"]:
        one, place, trees, number = sys.argv[2:]
        text, seconds = learned(one, Path(place), int(trees), int(number))
        (Path(place) / "out.json").write_text(json.dumps({"seconds": seconds, "text": text}))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 400_000])
    parser.add_argument("--trees", type=int, default=50)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    memory: dict[str, list[float]] = {rung: [] for rung in RUNGS}
    with tempfile.TemporaryDirectory(prefix="qsdask-ladder-") as home:
        for n in options.rows:
            folder = Path(home) / str(n)
            table = made_up(n, COLUMNS)
            lesson = in_files(folder, table, TrainSettings(draws=1, folds=2, ratio=1e9))
            share = lesson.table.y.mean()
            base = float(np.log(share / (1 - share)))
            told = {"rows": n, "base": base, "edges": [edge.tolist() for edge in lesson.edges]}
            (folder / "told.json").write_text(json.dumps(told))
            out = lesson.filed.chosen(0, 0, of_fold=True)
            left, y = lesson.filed.values(out.place[:100_000])[:].astype(np.float32), out.plastic[:100_000]
            learn_from = len(lesson.filed.chosen(0, 0, of_fold=False).place)
            del table, lesson
            print(f"{n:,} rows of 80 columns, {learn_from:,} learned from, {options.trees} trees")
            print(f"  {'':20}{'s':>8}{'row-trees/s':>14}{'peak MB':>10}{'AUC':>18}")
            found: dict[str, list[tuple[float, float, str]]] = {rung: [] for rung in RUNGS}
            for seed in range(options.repeat):
                for rung in RUNGS:
                    found[rung].append(measured(rung, folder, options.trees, seed))
            same = all(a[2] == b[2] for a, b in zip(found["here"], found["as a task"], strict=True))
            for rung in RUNGS:
                seconds = statistics.median(one[0] for one in found[rung])
                peak = statistics.median(one[1] for one in found[rung])
                memory[rung].append(peak / learn_from)
                auc = [
                    auc_roc(Tally.of(y, forest_probabilities(forest_of([read_trees(t, COLUMNS)]), left)[0]))
                    for _, _, t in found[rung]
                ]
                rate = learn_from * options.trees / seconds
                told_auc = f"{np.mean(auc):.4f} ± {np.std(auc):.4f}"
                print(f"  {rung:20}{seconds:>8.1f}{rate:>14.2e}{peak / 1e6:>10.0f}{told_auc:>18}", flush=True)
            print(f"  texts of the first two: {'the same' if same else 'DIFFERENT'}")
    few, many = options.rows[0] / 2, options.rows[-1] / 2
    if many > few:
        print(
            "bytes a row that a process needs more for a larger table; of ranks for each row of the table, two of them"
        )
        for rung in RUNGS:
            print(f"  {rung:20}{(memory[rung][-1] * many - memory[rung][0] * few) / (many - few):8.0f}")


if __name__ == "__main__":
    main()
