"""The whole chain on one large specimen: time of each stage and peak memory of each process.

    python tests/benchmarks/whole_chain.py --repeat 5 5 2 --frames 33

A shipped frame is tiled with noise to about 345,600 atoms and compressed affinely with growing noise, written as a
dump, and taken through ingest, shells, features, respond, train, predict and activation. Training and test on one
tiled specimen say nothing about scores; only time and memory are of interest here.
"""

from __future__ import annotations

import argparse
import gzip
import shutil
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil

import qsdask
from qsdask.engine.cluster import connect
from qsdask.engine.where import Run

DATA = Path(qsdask.__file__).parent / "data" / "cu65_a.dump.gz"


def first_frame() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Types, positions and bounds of the first shipped frame."""
    with gzip.open(DATA, "rt") as file:
        lines = [next(file) for _ in range(9 + 6912)]
    bounds = np.array([line.split() for line in lines[5:8]], dtype=float)
    table = np.array([line.split() for line in lines[9:]], dtype=float)
    return table[:, 1].astype(int), table[:, 2:], bounds


def write_dump(path: Path, repeat: tuple[int, int, int], n_frame: int) -> int:
    """Tile, disturb and compress; write all frames. Returns the number of atoms."""
    kind, x, bounds = first_frame()
    edge = bounds[:, 1] - bounds[:, 0]
    shifts = np.stack(np.meshgrid(*[np.arange(r) for r in repeat], indexing="ij"), axis=-1).reshape(-1, 3)
    types = np.tile(kind, len(shifts))
    reference = np.concatenate([x + shift * edge for shift in shifts])
    rng = np.random.default_rng(0)
    reference += rng.normal(scale=0.05, size=reference.shape)
    unit = rng.normal(size=reference.shape) * rng.lognormal(sigma=1.0, size=(len(reference), 1))
    size = edge * repeat
    with path.open("w") as file:
        for frame in range(n_frame):
            strain = 0.00125 * frame
            scale = np.array([1 + 0.4 * strain, 1 + 0.4 * strain, 1 - strain])
            now = (reference - bounds[:, 0]) * scale + bounds[:, 0] + 0.35 * np.sqrt(strain / 0.04) * unit
            file.write(f"ITEM: TIMESTEP\n{frame}\nITEM: NUMBER OF ATOMS\n{len(now)}\nITEM: BOX BOUNDS pp pp pp\n")
            for axis in range(3):
                file.write(
                    f"{bounds[axis, 0]!r} {bounds[axis, 0] + size[axis] * scale[axis]!r}\n".replace(
                        "np.float64(", ""
                    ).replace(")", "")
                )
            file.write("ITEM: ATOMS id type x y z\n")
            rows = zip(range(1, len(now) + 1), types.tolist(), *now.T.tolist(), strict=True)
            file.writelines(f"{i} {t} {a:.5f} {b:.5f} {c:.5f}\n" for i, t, a, b, c in rows)
    return len(reference)


class Peak(threading.Thread):
    """Largest resident memory of this process and of each worker since the last reset."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.driver = self.worker = 0

    def run(self) -> None:
        me = psutil.Process()
        while True:
            self.driver = max(self.driver, me.memory_info().rss)
            for child in me.children(recursive=True):
                try:
                    self.worker = max(self.worker, child.memory_info().rss)
                except psutil.NoSuchProcess:
                    continue
            time.sleep(0.05)

    def reset(self) -> None:
        self.driver = self.worker = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, nargs=3, default=(5, 5, 2))
    parser.add_argument("--frames", type=int, default=33)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--chunk", type=int, default=32768)
    parser.add_argument(
        "--folder", type=Path, help="where the files go (default: a temporary folder, removed afterwards)"
    )
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="qsdask-chain-"))
    folder.mkdir(parents=True, exist_ok=True)
    dump, store, model = folder / "big.dump", folder / "big.zarr", folder / "big.qs"
    for old in (store, model):
        shutil.rmtree(old, ignore_errors=True)
    n_atom = write_dump(dump, tuple(options.repeat), options.frames)
    print(
        f"{n_atom:,} atoms, {options.frames} frames, {dump.stat().st_size / 1e6:.0f} MB of text, {options.workers} workers"
    )
    peak = Peak()
    peak.start()
    with connect("local", options.workers) as client:
        run = Run(client, options.workers, False, False)
        stages = {
            "ingest": lambda: qsdask.ingest(
                dump, store, species={1: "Cu", 2: "Zr"}, strain_step=0.00125, chunk=options.chunk, run=run
            ),
            "shells": lambda: qsdask.shells(store, run=run),
            "features": lambda: qsdask.features(store, run=run),
            "respond": lambda: qsdask.respond(store, run=run),
            "train": lambda: qsdask.train(store, model=model, run=run),
            "predict": lambda: qsdask.predict(store, model=model, run=run),
            "activation": lambda: qsdask.activation(store, model=model, run=run),
        }
        print(f"{'stage':<12}{'seconds':>9}{'worker peak, MB':>18}{'driver peak, MB':>18}")
        for name, work in stages.items():
            peak.reset()
            start = time.perf_counter()
            work()
            print(
                f"{name:<12}{time.perf_counter() - start:>9.1f}{peak.worker / 1e6:>18.0f}{peak.driver / 1e6:>18.0f}",
                flush=True,
            )
    if options.folder is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
