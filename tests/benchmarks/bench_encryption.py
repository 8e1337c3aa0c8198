"""What it costs that the processes of a local cluster speak over TLS: the same chain with and without it, turn about.

    python tests/benchmarks/bench_encryption.py --repeat 3 3 1 --frames 9 --rounds 5

Without it every user of the machine can have code run by the scheduler; the benchmark alone starts such a one.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from distributed import Client, LocalCluster

import qsdask
from qsdask.engine.cluster import connect
from qsdask.engine.where import Run
from tests.benchmarks.tiled_dump import write_dump


@contextmanager
def plain(workers: int) -> Iterator[Client]:
    """A local cluster as `connect` makes it, but for the encryption."""
    with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            host="127.0.0.1",
            protocol="tcp://",
            dashboard_address="127.0.0.1:0",
            worker_dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


def chain(client: Client, workers: int, dump: Path, folder: Path) -> float:
    """Seconds from the dump to the softness of its atoms."""
    store, model = folder / "big.zarr", folder / "big.qs"
    run = Run(client, workers, False, False)
    start = time.perf_counter()
    qsdask.ingest(dump, store, species={1: "Cu", 2: "Zr"}, strain_step=0.005, chunk=8192, run=run)
    for stage in (qsdask.shells, qsdask.features, qsdask.respond):
        stage(store, run=run)
    qsdask.train(store, model=model, folds=2, draws=1, trees=20, run=run)
    qsdask.predict(store, model=model, run=run)
    seconds = time.perf_counter() - start
    for made in (store, model):
        shutil.rmtree(made)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, nargs=3, default=(3, 3, 1))
    parser.add_argument("--frames", type=int, default=9)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="qsdask-tls-") as name:
        folder = Path(name)
        n_atom = write_dump(folder / "big.dump", tuple(options.repeat), options.frames)
        print(f"{n_atom:,} atoms, {options.frames} frames, {options.workers} workers, {options.rounds} rounds")
        clusters: dict[str, Callable] = {"tls": lambda n: connect("local", n), "tcp": plain}
        found: dict[tuple[str, str], list[float]] = {}
        for _ in range(options.rounds):
            for protocol, cluster in clusters.items():
                begin = time.perf_counter()
                with cluster(options.workers) as client:
                    client.wait_for_workers(options.workers)
                    found.setdefault((protocol, "start"), []).append(time.perf_counter() - begin)
                    found.setdefault((protocol, "chain"), []).append(
                        chain(client, options.workers, folder / "big.dump", folder)
                    )
    for part in ("start", "chain"):
        tls, tcp = (statistics.median(found[protocol, part]) for protocol in clusters)
        print(f"{part}: {tls:.2f} s with TLS, {tcp:.2f} s without, ratio {tls / tcp:.3f} (medians)")


if __name__ == "__main__":
    main()
