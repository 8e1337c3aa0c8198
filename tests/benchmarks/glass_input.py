"""Input and clock of the benchmarks: a shipped glass tiled to the wanted size, and interleaved medians."""

from __future__ import annotations

import argparse
import gzip
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from itertools import product
from pathlib import Path
from typing import NamedTuple

# Everybody gets one thread. These must stand in the environment before the packages are loaded.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "OVITO_THREAD_COUNT")
os.environ.update(dict.fromkeys(THREADS, "1"))

import numpy as np  # noqa: E402

import qsdask  # noqa: E402
from qsdask.engine.environment import KEPT_MEMORY  # noqa: E402
from qsdask.testing.lattices import open_block, tile  # noqa: E402

FRAME = Path(qsdask.__file__).parent / "data" / "cu65_a.dump.gz"


class Glass(NamedTuple):
    """One periodic frame: positions (n, 3), cell (rows), radii (n,) in angstrom; type (n,) 1 Cu, 2 Zr."""

    position: np.ndarray
    cell: np.ndarray
    radius: np.ndarray
    type: np.ndarray


def glass(n_atom: int, noise: float = 0.02, seed: int = 0) -> Glass:
    """First frame of the shipped Cu65Zr35 glass, tiled as compactly as possible to about `n_atom` atoms.

    Each atom is moved by normal noise of `noise` angstrom and wrapped, so that no two copies are alike.
    """
    with gzip.open(FRAME, "rt") as file:
        lines = [file.readline() for _ in range(9)]
        n = int(lines[3])
        box = np.array([line.split() for line in lines[5:8]], dtype=float)
        table = np.loadtxt(StringIO("".join(file.readline() for _ in range(n))))
    table = table[np.argsort(table[:, 0])]
    copies = max(1, round(n_atom / n))
    repeat = min(
        (r for r in product(range(1, copies + 1), repeat=3) if np.prod(r) <= 1.03 * copies),
        key=lambda r: (abs(np.prod(r) - copies) > 0.03 * copies, max(r) - min(r), abs(np.prod(r) - copies)),
    )
    position, cell = tile(table[:, 2:5] - box[:, 0], np.diag(box[:, 1] - box[:, 0]), repeat)
    position = position + np.random.default_rng(seed).normal(0.0, noise, position.shape)
    length = np.diag(cell)
    position = position - np.floor(position / length) * length
    kind = np.tile(table[:, 1].astype(np.int64), int(np.prod(repeat)))
    return Glass(position, cell, np.array([np.nan, 1.26, 1.58])[kind], kind)


def block_of(frame: Glass, reach: float):
    """All atoms owned, with explicit ghosts: our share of what peers do inside."""
    return open_block(frame.position, frame.cell, np.zeros(3), np.ones(3, dtype=bool), reach)


def freud_box(freud, cell):
    """The same cell for freud, which centres it on the origin."""
    freud.parallel.set_num_threads(1)
    return freud.box.Box.from_matrix(cell.T)


def ovito_data(frame: Glass, position=None, cell=None):
    """The frame as OVITO's DataCollection."""
    from ovito.data import DataCollection

    data = DataCollection()
    matrix = np.zeros((3, 4))
    matrix[:, :3] = (frame.cell if cell is None else cell).T
    data.create_cell(matrix, (True, True, True))
    particles = data.create_particles(count=len(frame.position))
    particles.create_property("Position", data=frame.position if position is None else position)
    particles.create_property("Particle Identifier", data=np.arange(1, len(frame.position) + 1))
    return data


def _keep_memory() -> None:
    """Begin again with the memory settings of qsdask's workers, for all contestants: no one pays for fresh pages each time."""
    if os.environ.keys() >= KEPT_MEMORY.keys():
        return
    os.environ.update({name: str(value) for name, value in KEPT_MEMORY.items()})
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def options(description: str) -> argparse.Namespace:
    """The options every benchmark has."""
    _keep_memory()
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--atoms", type=int, default=340_000, help="about how many atoms (default 340000)")
    parser.add_argument("--repeat", type=int, default=5, help="timings of each, interleaved (default 5)")
    return parser.parse_args()


def interleaved(contestants: Mapping[str, Callable[[], object]], repeat: int) -> dict[str, list[float]]:
    """Seconds of each contestant, who take turns, so that a busy spell of the machine hits all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(repeat):
        for name, work in contestants.items():
            start = time.perf_counter()
            work()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def print_table(title: str, seconds: Mapping[str, Sequence[float]], first: str) -> None:
    """Medians, and the ratio of each to `first`, the median of the ratios of each round."""
    print(title)
    print(f"  {'':44} {'median s':>9} {'min s':>8} {'ratio to ' + first:>20}")
    for name, times in seconds.items():
        ratio = statistics.median(t / own for t, own in zip(times, seconds[first], strict=True))
        print(f"  {name:44} {statistics.median(times):9.3f} {min(times):8.3f} {ratio:20.2f}")
