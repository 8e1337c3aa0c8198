"""What the process that starts `train` holds while it deals rows in files into folds: it must not grow with them.

    python -m tests.benchmarks.bench_dealing [--rows 300000 3000000 30000000] [--parts 256]

Parts are made up as tasks write them, of one column; every twelfth row is plastic and a third of the others is what three draws
can choose, so that a row stands for about three atoms. Each size is dealt by a process of its own. Memory is what it holds beside
pages of files, at its peak, less what it held before.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from qsdask.learn import Specimen, Table
from qsdask.learn.filed_table import FiledTable
from qsdask.settings import TrainSettings

GLASS = Specimen("0a", "made up")


def write_parts(folder: Path, n: int, n_part: int) -> None:
    """Rows whose ids are dealt out over the parts, a quarter of them plastic."""
    filed = FiledTable(folder, n_part)
    for k in range(n_part):
        ids = np.arange(k, n, n_part)
        y = np.random.default_rng(k).random(len(ids)) < 0.25
        value = np.zeros((len(ids), 1), dtype=np.float32)
        filed.part(k).write(Table((GLASS,), np.zeros(len(ids), dtype=np.int64), ids, value, y, ("a",)), {})


def held() -> int:
    """Memory of this process beside pages of files. Unit: bytes."""
    return int(Path("/proc/self/status").read_text().partition("RssAnon:")[2].split()[0]) * 1024


def dealt(folder: Path, n_part: int) -> tuple[float, int]:
    """Seconds, and the peak of what is held."""
    before, most, over = held(), [0], threading.Event()

    def watch() -> None:
        while not over.wait(0.01):
            most[0] = max(most[0], held())

    watching = threading.Thread(target=watch)
    watching.start()
    start = time.perf_counter()
    filed = FiledTable(folder, n_part)
    filed.deal([GLASS] * n_part, TrainSettings())
    filed.sums(0, 5)
    seconds = time.perf_counter() - start
    over.set()
    watching.join()
    return seconds, most[0] - before


def main() -> None:
    """Print a line for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[300_000, 3_000_000, 30_000_000])
    parser.add_argument("--parts", type=int, default=256)
    options = parser.parse_args()
    print(f"{'rows':>12}{'seconds':>10}{'MB':>8}{'bytes a row':>13}")
    for n in options.rows:
        with (
            tempfile.TemporaryDirectory(prefix="qsdask-dealing-") as home,
            ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool,
        ):
            write_parts(Path(home), n, options.parts)
            seconds, peak = pool.submit(dealt, Path(home), options.parts).result()
        print(f"{n:>12,}{seconds:>10.1f}{peak / 1e6:>8.0f}{peak / n:>13.1f}", flush=True)


if __name__ == "__main__":
    main()
