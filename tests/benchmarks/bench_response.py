"""Time and peak memory of the learner ``response`` on synthetic rows, beside scikit-learn's Ridge on the same table.

    python tests/benchmarks/bench_response.py                          # 10^6 rows of 134 columns, two glasses
    python tests/benchmarks/bench_response.py --rows 10_000_000 --no-peer

What workers do to a chunk is done to one chunk after the other in one process with one thread: statistics, products,
scores; then the solving. Chunks are made anew from their number for every pass, which is not counted. scikit-learn gets
the columns in standard deviations as one table in double precision, which is not counted either.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import time
from collections.abc import Iterator

import numpy as np

from qsdask.learn.fitting import added, fit, part_of, scored
from qsdask.learn.ridge import Products, whole_target
from qsdask.learn.standard import Moments, Standard

CHUNK = 65_536
NAMES = ("Cu", "Zr")


def chunks(rows: int, width: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, int]]:
    """Correlated columns, species and target of chunk after chunk, and the glass that each belongs to."""
    weight = np.random.default_rng(0).normal(size=width) / width
    n_chunk = -(-rows // CHUNK)
    for k in range(n_chunk):
        rng = np.random.default_rng(k + 1)
        n = min(CHUNK, rows - k * CHUNK)
        value = rng.standard_normal((n, width), dtype=np.float32) + rng.standard_normal((n, 1), dtype=np.float32)
        yield value, rng.integers(0, 2, n), value @ weight + rng.standard_normal(n), k % 2


def ours(rows: int, width: int) -> tuple[dict[str, float], np.ndarray]:
    """Seconds of each pass, and the coefficients, for a penalty of 0.2."""
    seconds = dict.fromkeys(("statistics", "products", "solve", "scores"), 0.0)

    def timed(name, work, *arguments):
        start = time.perf_counter()
        found = work(*arguments)
        seconds[name] += time.perf_counter() - start
        return found

    Moments.of(np.zeros((1, width), np.float32), np.zeros(1, int), 2)  # compiled before the clock starts
    sums: dict[int, Moments] = {}
    for value, species, _, glass in chunks(rows, width):
        sums = timed("statistics", lambda *part: added(sums, {glass: Moments.of(*part, 2)}), value, species)  # noqa: B023
    measured = {glass: timed("statistics", total.standard, NAMES, {}) for glass, total in sums.items()}
    products: dict[int, Products] = {}

    def multiplied(value, species, target, standard: Standard, glass):
        part = Products.of(standard.whole(value, species, NAMES), whole_target(target))
        return added(products, {glass: part})

    for value, species, target, glass in chunks(rows, width):
        products = timed("products", multiplied, value, species, target, measured[glass], glass)
    made = timed("solve", fit, products)
    made = fit(products, 0.2)
    total = None

    def counted(value, species, target, standard: Standard, glass):
        whole = standard.whole(value, species, NAMES)
        part = scored(made, whole, target > 2.0, np.full(len(target), glass))
        return part if total is None else total + part

    for value, species, target, glass in chunks(rows, width):
        total = timed("scores", counted, value, species, target, measured[glass], glass)
    return seconds, part_of(made, total).coefficient


def peer(rows: int, width: int) -> tuple[dict[str, float], np.ndarray]:
    """Seconds of scikit-learn's Ridge, once, without leaving anything out."""
    from sklearn.linear_model import Ridge

    table, target = np.empty((rows, width)), np.empty(rows)
    species, glass = np.empty(rows, dtype=int), np.empty(rows, dtype=int)
    at = 0
    for value, kinds, t, k in chunks(rows, width):
        here = slice(at, at + len(t))
        table[here], species[here], target[here], glass[here] = value, kinds, t, k
        at += len(t)
    for kind in range(4):
        mine = (species + 2 * glass) == kind
        for column in range(width):
            x = table[mine, column]
            table[mine, column] = np.clip((x - x.mean()) / x.std(), -5, 5)
    start = time.perf_counter()
    found = Ridge(alpha=0.2 * rows, copy_X=False, solver="cholesky").fit(table, target)
    return {"fit": time.perf_counter() - start}, found.coef_


def measured(work, rows: int, width: int, answers) -> None:
    """Run in a process of its own: peak memory is that of the work alone."""
    seconds, coefficient = work(rows, width)
    answers.put((seconds, coefficient, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=134)
    parser.add_argument("--peer", action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args()
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # of the processes that do the work
    context, found = multiprocessing.get_context("spawn"), []
    for name, work in (("qsdask", ours), *([("scikit-learn", peer)] if options.peer else [])):
        answers = context.Queue()
        process = context.Process(target=measured, args=(work, options.rows, options.columns, answers))
        process.start()
        seconds, coefficient, megabytes = answers.get()
        process.join()
        found.append(coefficient)
        parts = ", ".join(f"{part} {s:.1f}" for part, s in seconds.items())
        print(f"{name:<14}{sum(seconds.values()):8.1f} s ({parts}), peak {megabytes:,.0f} MB", flush=True)
    if options.peer:
        away = np.abs(found[0] - found[1]).max() / np.abs(found[1]).max()
        print(f"largest difference of a coefficient: {away:.1e} of the largest")


if __name__ == "__main__":
    main()
