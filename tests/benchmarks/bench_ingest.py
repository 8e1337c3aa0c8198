"""Ingest of specimens of growing size: time, text per second, and peak memory of the driver and of the largest worker.

    python tests/benchmarks/bench_ingest.py                             # 3 10^5, 3 10^6 and 10^7 atoms, two frames each
    python tests/benchmarks/bench_ingest.py --tiles 5 5 2 --frames 12   # 345,600 atoms: text per second

A shipped frame is tiled with noise; every size is ingested by a process of its own, so that what one leaves does not count for
the next. The last line says how much the driver's peak grew from the first size to the last.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
from peak import Peak
from tiled_dump import write_tiled

import qsdask
from qsdask.engine.where import Run


def ingested(dump: Path, store: Path, options: argparse.Namespace, told: multiprocessing.SimpleQueue) -> None:
    """Ingest once, in this process and its workers; seconds, and peaks of driver and worker in bytes."""
    peak = Peak()
    peak.start()
    began, spent = time.perf_counter(), time.process_time()
    qsdask.ingest(
        dump,
        store,
        species={1: "Cu", 2: "Zr"},
        chunk=options.chunk,
        run=Run("local", options.workers, False, False, options.memory_limit),
    )
    told.put((time.perf_counter() - began, time.process_time() - spent, peak.driver, peak.worker))


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--tiles", type=int, nargs=3, action="append", help="copies of the 6,912-atom frame; may be given again"
    )
    parser.add_argument("--frames", type=int, default=2)
    parser.add_argument("--chunk", type=int, default=65536)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--memory-limit", default="1.5GB")
    parser.add_argument("--folder", type=Path, help="default: a temporary folder, removed afterwards")
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="qsdask-ingest-"))
    folder.mkdir(parents=True, exist_ok=True)
    spawn = multiprocessing.get_context("spawn")
    print(
        f"{options.frames} frames, {options.workers} workers of {options.memory_limit}, load {os.getloadavg()[0]:.1f}"
    )
    print(
        f"{'atoms':>12}{'text, MB':>10}{'seconds':>9}{'MB/s':>7}{'driver CPU, s':>15}{'driver, MB':>12}{'worker, MB':>12}"
    )
    peaks = []
    for tiles in options.tiles or ((11, 2, 2), (8, 9, 6), (12, 11, 11)):
        dump, store = folder / "big.dump", folder / "big.zarr"
        shutil.rmtree(store, ignore_errors=True)
        write_tiled(dump, tuple(tiles), options.frames)
        told = spawn.SimpleQueue()
        process = spawn.Process(target=ingested, args=(dump, store, options, told))
        process.start()
        process.join()
        seconds, spent, driver, worker = told.get()
        text = dump.stat().st_size / 1e6
        row = f"{int(np.prod(tiles)) * 6912:>12,}{text:>10,.0f}{seconds:>9.1f}{text / seconds:>7.0f}{spent:>15.1f}"
        print(f"{row}{driver / 1e6:>12.0f}{worker / 1e6:>12.0f}", flush=True)
        peaks.append(driver)
    if len(peaks) > 1:
        print(f"peak of the driver, last size over first: {peaks[-1] / peaks[0]:.2f}")
    if options.folder is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
