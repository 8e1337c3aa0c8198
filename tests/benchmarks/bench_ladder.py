"""Rungs of the ladder of learning side by side: rows a second, and memory a row, of one fold model.

    python -m tests.benchmarks.bench_ladder [--rows 100000 500000] [--trees 50] [--repeat 3]

A made-up table of 80 columns. *Here* is the learner of one process with all rows in memory; *as a task* the same on rows in
files, as a worker has it; *together* two ranks with half of the rows each. They take turns. Seconds of ranks begin before their
processes do; processor time is that of all processes, and says more on a busy machine. Memory is what a process holds beside
files that it looks into, at its peak; a row's share is the growth from the smallest table to the largest. The AUC on the rows left
out stands beside, with the standard deviation over seeds. 500,000 rows take 3 minutes of processor time a repeat.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

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


class Learned(NamedTuple):
    """Text of a fold model, the seconds and processor seconds that it took, and the memory of the largest process in bytes."""

    text: str
    seconds: float
    processor: float
    peak: float = 0.0


def processor_seconds() -> float:
    """Of this process and of those that it waited for."""
    return sum(os.times()[:4])


def learned(rung: str, folder: Path, trees: int, seed: int) -> Learned:
    """A fold model."""
    told = json.loads((folder / "told.json").read_text())
    lesson = lesson_of(folder, told, seed, trees)
    some = lesson.filed.chosen(0, 0, of_fold=False)
    rows, y = lesson.filed.values(some.place), some.plastic
    # All rows at once are what a table in memory is.
    held = rows[:].astype(np.float32) if rung == "here" else rows
    start, before = time.perf_counter(), processor_seconds()
    if rung.startswith("together"):
        text = lesson.text(by_several(lesson, 2, trees))
    else:
        text = train_one(held, y, COLUMNS, TrainSettings(trees=trees), seed=seed)
    return Learned(text, time.perf_counter() - start, processor_seconds() - before)


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
        # To look for children takes milliseconds: oftener, it would take them from what is measured.
        while not self.over.wait(0.1):
            try:
                for one in self.process.children(recursive=True) or [self.process]:
                    text = Path(f"/proc/{one.pid}/status").read_text()
                    held = int(text.partition("RssAnon:")[2].split()[0]) * 1024
                    self.most[one.pid] = max(self.most.get(one.pid, 0), held)
            except (OSError, psutil.NoSuchProcess, IndexError):
                continue


def measured(rung: str, folder: Path, trees: int, seed: int) -> Learned:
    """A fold model, learned in a process of its own."""
    out = folder / "out.json"
    words = [sys.executable, "-m", "tests.benchmarks.bench_ladder", "--one", rung, str(folder), str(trees), str(seed)]
    environment = {**WORKER_ENVIRONMENT, "PATH": "", "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(words, env={k: str(v) for k, v in environment.items()}) as process:
        peak = Peak(process)
        peak.start()
        status = process.wait()
        peak.over.set()
    assert status == 0
    return Learned(**json.loads(out.read_text()))._replace(peak=max(peak.most.values()))


def main() -> None:
    """Print the table."""
    if sys.argv[1:2] == ["--one"]:
        one, place, trees, number = sys.argv[2:]
        (Path(place) / "out.json").write_text(json.dumps(learned(one, Path(place), int(trees), int(number))._asdict()))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 500_000])
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
            print(
                f"  {'':20}{'s':>8}{'processor s':>13}{'row-trees/s':>13}{'of processor':>14}{'peak MB':>9}{'AUC':>17}"
            )
            found: dict[str, list[Learned]] = {rung: [] for rung in RUNGS}
            for seed in range(options.repeat):
                for rung in RUNGS:
                    found[rung].append(measured(rung, folder, options.trees, seed))
                    print(f"  seed {seed}, {rung}: {found[rung][-1].seconds:.0f} s", file=sys.stderr, flush=True)
            same = all(a.text == b.text for a, b in zip(found["here"], found["as a task"], strict=True))
            for rung in RUNGS:
                seconds, processor, peak = (
                    statistics.median(getattr(one, name) for one in found[rung])
                    for name in ("seconds", "processor", "peak")
                )
                memory[rung].append(peak / learn_from)
                auc = [
                    auc_roc(Tally.of(y, forest_probabilities(forest_of([read_trees(one.text, COLUMNS)]), left)[0]))
                    for one in found[rung]
                ]
                done = learn_from * options.trees
                print(
                    f"  {rung:20}{seconds:>8.1f}{processor:>13.1f}{done / seconds:>13.2e}{done / processor:>14.2e}"
                    f"{peak / 1e6:>9.0f}{np.mean(auc):>9.4f} ± {np.std(auc):.4f}",
                    flush=True,
                )
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
