"""Two workers against one on shells and features of one large frame.

    python tests/benchmarks/bench_workers.py --repeat 5

The runs take turns. Each has a cluster of its own, started and warmed up by a first run before the clock starts: an
idle cluster beside it would take its share of the two cores.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from distributed import Client
from tiled_dump import write_dump

import qsdask
from qsdask.engine.cluster import connect
from qsdask.engine.where import Run


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiles", type=int, nargs=3, default=(5, 5, 2))
    parser.add_argument("--chunk", type=int, default=28800)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="qsdask-workers-"))
    n_atom = write_dump(folder / "big.dump", tuple(options.tiles), 1)
    store = folder / "big.zarr"
    seconds: dict[tuple[str, int], list[float]] = {}
    qsdask.ingest(
        folder / "big.dump", store, species={1: "Cu", 2: "Zr"}, chunk=options.chunk, run=Run("local", 2, progress=False)
    )
    for _ in range(options.repeat):
        for workers in (1, 2):
            with connect("local", workers) as client:
                stages_in_seconds(store, client)
                for name, taken in stages_in_seconds(store, client).items():
                    seconds.setdefault((name, workers), []).append(taken)
    print(f"{n_atom:,} atoms, {-(-n_atom // options.chunk)} domains, medians of {options.repeat}")
    for name in ("shells", "features"):
        single, double = (statistics.median(seconds[name, workers]) for workers in (1, 2))
        print(f"{name:<10} 1 worker {single:6.2f} s   2 workers {double:6.2f} s   ratio {single / double:.2f}")
    shutil.rmtree(folder)


def stages_in_seconds(store: Path, client: Client) -> dict[str, float]:
    """Wall-clock time of shells and features, both computed anew."""
    for group in ("ledger/features", "ledger/shells", "features", "shells"):
        shutil.rmtree(store / group, ignore_errors=True)
    seconds = {}
    for name, stage in (("shells", qsdask.shells), ("features", qsdask.features)):
        start = time.perf_counter()
        stage(store, run=Run(client, progress=False))
        seconds[name] = time.perf_counter() - start
    return seconds


if __name__ == "__main__":
    main()
