"""Time of every feature set, medium range included, on one large frame, and what of it is the kernels.

    python tests/benchmarks/bench_sets.py --workers 2

The shells are computed first, with all facets if ``--facet-fraction 0``, which `soft_shell` wants; every set then runs
once on a warm cluster. ``kernel`` is `compute` alone, after the steps of the sets that take some, on the blocks of some
domains, one after the other in this process, in microseconds an atom: `AtomQuantity.cost` holds what it was. ``share`` is
its part of the workers' time: the rest is reading, the medium range, compression and writing; of sets that take steps, the
halos too. ``memory`` is the peak of a worker, beside the budget of `qsdask.engine.cost`.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from peak import Peak
from tiled_dump import write_dump

import qsdask
from qsdask.engine.cluster import connect
from qsdask.engine.cost import size_of
from qsdask.engine.halo_block import halo_block
from qsdask.engine.neighbourhood import shell_block
from qsdask.engine.where import Run
from qsdask.quantity import IteratedQuantity, medium_range
from qsdask.settings import FeatureSettings
from qsdask.space.block import Block
from qsdask.stages.features import facts_of, plan_of, quantity_of, set_names
from qsdask.store.reader import StoreReader


def kernel_seconds(root: StoreReader, quantity, domains: int = 3) -> float:
    """Seconds of `compute` on all atoms, from a few domains."""
    spent, atoms = 0.0, 0
    for domain in range(min(domains, root.n_domain)):
        if quantity.shells:
            block = shell_block(root, domain, quantity.shells, quantity.rings)
        else:
            block = halo_block(root, domain, quantity.reach)
        # Time of this thread and the fastest of three: other programs on the machine count little.
        tried = []
        for _ in range(3):
            start = time.thread_time()
            quantity.compute(stepped(quantity, block) if isinstance(quantity, IteratedQuantity) else block)
            tried.append(time.thread_time() - start)
        spent += min(tried)
        atoms += block.n_owned
    return spent / atoms * root["atoms/id"].shape[0]


def stepped(quantity: IteratedQuantity, block: Block) -> Block:
    """All steps of the owned atoms while those around them rest: the work of the kernels, without that for a halo."""
    prepared = quantity.prepared(block, block.n_owned)
    old, new = np.zeros((2, len(block.row), quantity.n_state))
    for number in range(quantity.n_step):
        quantity.step(prepared, number, old, new, block.n_owned)
        old, new = new, old
    return replace(block, state=old)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiles", type=int, nargs=3, default=(5, 5, 2))
    parser.add_argument("--chunk", type=int, default=28800)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--facet-fraction", type=float, default=0.05)
    parser.add_argument("--set", default="all")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="qsdask-sets-"))
    n_atom = write_dump(folder / "big.dump", tuple(options.tiles), 1)
    store = folder / "big.zarr"
    run = Run("local", options.workers, progress=False)
    qsdask.ingest(folder / "big.dump", store, species={1: "Cu", 2: "Zr"}, chunk=options.chunk, run=run)
    qsdask.shells(store, facet_fraction=options.facet_fraction, run=run)
    root = StoreReader(store)
    facts = facts_of(root)
    print(f"{n_atom:,} atoms, {root.n_domain} domains, {options.workers} workers")
    print(f"{'set':<22}{'columns':>8}{'seconds':>9}{'kernel, us':>12}{'share':>7}{'memory, MB':>12}{'budget, MB':>12}")
    peak = Peak()
    peak.start()
    for name in set_names(options.set, {"facet_fraction": options.facet_fraction}):
        quantity = quantity_of(name, FeatureSettings(), facts)
        with connect("local", options.workers) as client:
            warm = Run(client, progress=False)
            qsdask.features(store, set=name, run=warm)
            # Again: the first run loaded the compiled kernels.
            peak.reset()
            start = time.perf_counter()
            qsdask.features(store, set=name, run=Run(client, overwrite=True, progress=False))
            seconds, worker = time.perf_counter() - start, peak.worker
        kernel = kernel_seconds(root, quantity)
        columns = len(quantity.columns) + len(medium_range(quantity))
        budget = plan_of(size_of(root), quantity).bytes_memory
        print(
            f"{name:<22}{columns:>8}{seconds:>9.1f}{kernel / n_atom * 1e6:>12.2f}"
            f"{kernel / seconds / options.workers:>7.0%}{worker / 1e6:>12.0f}{budget / 1e6:>12.0f}",
            flush=True,
        )
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
