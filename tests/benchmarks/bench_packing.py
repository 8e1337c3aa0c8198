"""How hard and soft atoms pack in a large glass: time and peak memory, and a part of it by brute force.

    python -m tests.benchmarks.bench_packing BIG.zarr --model cuzr-fast

The store is one after predict, such as whole_chain.py leaves in its --folder. Of a sample of centres all atoms are counted
again, by every distance to every atom, without cells, domains or halos: the counts must be the same.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

import qsdask
from qsdask.analysis.extent import Extent
from qsdask.engine.cluster import connect
from qsdask.engine.reading import read_box
from qsdask.engine.where import Run
from qsdask.learn.table import identity_hash
from qsdask.store import ledger
from qsdask.store.reader import StoreReader
from tests.benchmarks.whole_chain import Peak


def by_brute_force(store: str, sample: int, edges: np.ndarray) -> tuple[np.ndarray, int]:
    """Mean number of atoms within each edge of the same sample of centres, and how many these are."""
    root = StoreReader(store)
    box, ids = read_box(root, 0), root["atoms/id"][:]
    position = box.wrap(root["frames/position"][0])
    key = ledger.require(root.path, "ingest").facts["specimen"]
    limit = Extent(len(ids), *np.empty((2, 0))).limit(sample)
    centres = np.flatnonzero(identity_hash(0, "packing", 0, key, ids) <= limit)
    reduced = box.reduced(position)
    count = np.zeros(len(edges), dtype=np.int64)
    for centre in centres:
        apart = reduced - reduced[centre]
        apart -= np.rint(apart) * box.periodic
        distance = np.sqrt(((apart @ box.cell) ** 2).sum(axis=1))
        count += np.searchsorted(np.sort(distance), edges) - 1
    return count / len(centres), len(centres)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store")
    parser.add_argument("--model", required=True)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--centres", type=int, default=60)
    options = parser.parse_args()
    peak = Peak()
    peak.start()
    with connect("local", options.workers) as client:
        run = Run(client, options.workers, False, False)
        for sample in (options.centres, 100_000, None):
            peak.reset()
            start = time.perf_counter()
            found = qsdask.packing(options.store, model=options.model, sample=sample, run=run)
            seconds = time.perf_counter() - start
            n = int(found["centres"].sel({"class": "all"})[0])
            print(
                f"{n:>10,} centres: {seconds:.1f} s, worker peak {peak.worker / 1e6:.0f} MB, driver peak {peak.driver / 1e6:.0f} MB; "
                f"D {np.round(found['dimension'].values, 3).tolist()}",
                flush=True,
            )
            if sample == options.centres:
                mass, n_brute = by_brute_force(options.store, sample, found["r"].values)
                same = np.array_equal(np.rint(mass * n_brute), np.rint(found["mass"].sel({"class": "all"}).values * n))
                print(
                    f"{n_brute:>10,} centres by brute force: {'the same counts' if same else 'OTHER COUNTS'}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
