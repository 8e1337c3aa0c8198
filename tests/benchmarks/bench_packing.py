"""Pairs of hard, soft and all atoms in a large glass: time, processor time and peak memory, and a part of it by brute force.

    python -m tests.benchmarks.bench_packing big.zarr small.zarr --model cuzr-fast

``big.zarr`` needs no more than ingest: it is one that `whole_chain.write_dump` tiled from the undeformed frame of
``small.zarr``, whose softness its atoms take over by their ids. Pairs are counted as `qsdask.packing` counts them, which is
nearly all that it does. Then everything around a few of the centres is counted again by every distance to every atom, without
cells, domains or halos: the counts must be the same.
"""

from __future__ import annotations

import argparse
import time
from functools import lru_cache
from pathlib import Path

import numpy as np
import psutil

from qsdask.analysis.distance import add
from qsdask.analysis.packing import KINDS, flat, kinds_of, unflat
from qsdask.engine.cluster import connect
from qsdask.engine.halo_block import halo_block
from qsdask.engine.reading import read_box, read_rows
from qsdask.engine.reduce import reduced
from qsdask.engine.where import Run
from qsdask.kernels.pairs import class_pairs
from qsdask.learn.table import identity_hash
from qsdask.store.reader import StoreReader
from tests.benchmarks.peak import Peak

REACH, N_BIN = 20.0, 200


@lru_cache(maxsize=1)
def kinds_by_id(small: str, softness: str) -> np.ndarray:
    """Class of every atom of the small glass, by id from 1 on."""
    root = StoreReader(small)
    qs = root[f"softness/{softness}/qs"][:]
    return kinds_of(qs[np.argsort(root["atoms/id"][:])], 0.1, 0.7)


def chosen(ids: np.ndarray, share: float) -> np.ndarray:
    """Some of the atoms, by a hash of their ids."""
    return identity_hash(0, "bench", 0, "big", ids) <= np.uint64(int(share * (2**64 - 1)))


def part(root: StoreReader, domain: int, *, small: str, softness: str, share: float) -> dict[int, np.ndarray]:
    """Pairs of the centres of one domain."""
    block = halo_block(root, domain, REACH)
    ids = read_rows(root["atoms/id"], block.row)
    table = kinds_by_id(small, softness)
    kind = table[(ids - 1) % len(table)]
    centre = np.flatnonzero(chosen(ids[: block.n_owned], share)) if share < 1 else np.arange(block.n_owned)
    border = np.full(len(centre), np.inf)
    counts = class_pairs(block.position, kind, len(KINDS), centre, 0 * centre, 1, border, REACH / N_BIN, N_BIN)
    return {0: flat(*counts)[0]}


def by_brute_force(big: str, small: str, softness: str, share: float) -> np.ndarray:
    """The same counts of chosen centres, from all distances."""
    root, table = StoreReader(big), kinds_by_id(small, softness)
    box, ids = read_box(root, 0), root["atoms/id"][:]
    place = box.reduced(root["frames/position"][0])
    kind = table[(ids - 1) % len(table)]
    pairs = np.zeros((len(KINDS), len(KINDS), N_BIN), dtype=np.int64)
    for centre in np.flatnonzero(chosen(ids, share)):
        apart = place - place[centre]
        apart -= np.rint(apart) * box.periodic
        distance = np.sqrt(((apart @ box.cell) ** 2).sum(axis=1))
        distance[centre] = np.inf
        near = np.flatnonzero(distance < REACH)
        bins = (distance[near] / (REACH / N_BIN)).astype(np.int64)
        np.add.at(pairs[kind[centre]], (kind[near], bins), 1)
    return pairs


def processor_seconds() -> float:
    """Of this process and its children."""
    me = psutil.Process()
    return sum(sum(process.cpu_times()[:2]) for process in (me, *me.children(recursive=True)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("big")
    parser.add_argument("small")
    parser.add_argument("--model", required=True, help="name of the softness in the small store")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--centres", type=int, default=40, help="that are counted again")
    options = parser.parse_args()
    n_atom = StoreReader(options.big)["atoms/id"].shape[0]
    peak = Peak()
    peak.start()
    fixed = {"small": options.small, "softness": options.model}
    with connect("local", options.workers) as client:
        run = Run(client, options.workers, False, False)
        for share in (options.centres / n_atom, 1.0):
            peak.reset()
            start, used = time.perf_counter(), processor_seconds()
            total = reduced(Path(options.big), ("ingest",), part, add, run, "pairs", **fixed, share=share)
            seconds, used = time.perf_counter() - start, processor_seconds() - used
            pairs, centres = unflat(total[0])
            print(
                f"{centres[:, 0].sum():,} centres of {n_atom:,} atoms, {pairs.sum():,} pairs: {seconds:.0f} s, {used:.0f} s of "
                f"processor time, {options.workers} workers of {peak.worker / 1e6:.0f} MB, driver {peak.driver / 1e6:.0f} MB",
                flush=True,
            )
            if share < 1:
                same = np.array_equal(pairs, by_brute_force(options.big, **fixed, share=share))
                print(f"by brute force: {'the same counts' if same else 'OTHER COUNTS'}", flush=True)


if __name__ == "__main__":
    main()
