"""Peak memory of every stage against its budget, for specimens of growing size cut into chunks of one size.

    python tests/benchmarks/memory.py                                    # 3 10^5 and 3 10^6 atoms, workers of 1.5 GB
    python tests/benchmarks/memory.py --tiles 12 11 11 --frames 2        # 10^7 atoms, once

A shipped frame is tiled with noise (see `tiled_dump.py`) and taken through ingest, shells, features and respond, each on
fresh workers with a memory limit. Printed: seconds, peak resident memory of a worker and of the driver, the budget
that `qsdask.engine.cost` gave a worker before the start, and how much the worker's peak grew from the first size to
the last.
"""

from __future__ import annotations

import argparse
import multiprocessing
import shutil
import tempfile
import time
from pathlib import Path

from peak import Peak
from tiled_dump import write_dump

import qsdask
from qsdask.engine.cost import size_of
from qsdask.engine.where import Run
from qsdask.quantity import feature_sets
from qsdask.stages import features, ingest, respond, shells
from qsdask.store.reader import StoreReader

PLANS = {
    "ingest": ingest.plan_of,
    "shells": lambda size: shells.plan_of(size, 4.0),
    "features": lambda size: features.plan_of(size, feature_sets()["interstice"]()),
    "respond": lambda size: respond.plan_of(size, 4.0),
}


def measured(folder: Path, tiles: tuple[int, int, int], options: argparse.Namespace) -> dict[str, int]:
    """Peak memory of a worker in every stage, in bytes; prints a table."""
    dump, store = folder / "big.dump", folder / "big.zarr"
    shutil.rmtree(store, ignore_errors=True)
    # In a process of its own: what writing the dump takes is not the driver's.
    writer = multiprocessing.get_context("spawn").Process(target=write_dump, args=(dump, tiles, options.frames))
    writer.start()
    writer.join()
    run = Run("local", options.workers, False, False, options.memory_limit)
    stages = {
        "ingest": lambda: qsdask.ingest(dump, store, species={1: "Cu", 2: "Zr"}, chunk=options.chunk, run=run),
        "shells": lambda: qsdask.shells(store, run=run),
        "features": lambda: qsdask.features(store, run=run),
        "respond": lambda: qsdask.respond(store, run=run),
    }
    peak, found, rows = Peak(), {}, []
    peak.start()
    for name, work in stages.items():
        peak.reset()
        start = time.perf_counter()
        work()
        rows.append((name, time.perf_counter() - start, peak.worker, peak.driver))
        found[name] = peak.worker
    size = size_of(StoreReader(store))
    print(
        f"\n{size.n_atom:,} atoms, {size.n_step} frames, {dump.stat().st_size / 1e6:,.0f} MB of text, {size.n_domain} domains, "
        f"{options.workers} workers of {options.memory_limit}"
    )
    print(f"{'stage':<10}{'seconds':>9}{'worker, MB':>12}{'budget, MB':>12}{'driver, MB':>12}")
    for name, seconds, worker, driver in rows:
        budget = PLANS[name](size).bytes_memory
        print(f"{name:<10}{seconds:>9.1f}{worker / 1e6:>12.0f}{budget / 1e6:>12.0f}{driver / 1e6:>12.0f}", flush=True)
    return found


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--tiles", type=int, nargs=3, action="append", help="copies of the 6,912-atom frame; may be given again"
    )
    parser.add_argument("--frames", type=int, default=3)
    parser.add_argument("--chunk", type=int, default=65536)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--memory-limit", default="1.5GB")
    parser.add_argument("--folder", type=Path, help="default: a temporary folder, removed afterwards")
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="qsdask-memory-"))
    folder.mkdir(parents=True, exist_ok=True)
    peaks = [measured(folder, tuple(t), options) for t in options.tiles or ((11, 2, 2), (8, 9, 6))]
    if len(peaks) > 1:
        print("\nworker's peak, last size over first:")
        for name, first in peaks[0].items():
            print(f"{name:<10}{peaks[-1][name] / first:>6.2f}")
    if options.folder is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
