"""A large dump: a shipped frame tiled with noise, compressed frame by frame."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

import qsdask

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


def write_tiled(path: Path, tiles: tuple[int, int, int], n_frame: int) -> None:
    """As `write_dump`, tile by tile and with plain noise: the whole is not held, however many atoms there are."""
    kind, x, bounds = first_frame()
    edge = bounds[:, 1] - bounds[:, 0]
    shifts = np.stack(np.meshgrid(*[np.arange(n) for n in tiles], indexing="ij"), axis=-1).reshape(-1, 3)
    high = bounds[:, 0] + edge * tiles
    with path.open("w") as file:
        for frame in range(n_frame):
            scale = np.array([1.0, 1.0, 1.0 - 0.00125 * frame])
            file.write(f"ITEM: TIMESTEP\n{frame}\nITEM: NUMBER OF ATOMS\n{len(kind) * len(shifts)}\n")
            file.write("ITEM: BOX BOUNDS pp pp pp\n")
            for low, top, factor in zip(bounds[:, 0].tolist(), high.tolist(), scale.tolist(), strict=True):
                file.write(f"{low!r} {low + (top - low) * factor!r}\n")
            file.write("ITEM: ATOMS id type x y z\n")
            for number, shift in enumerate(shifts):
                noise = np.random.default_rng(number).normal(scale=0.05 * (1.0 + frame), size=x.shape)
                now = (x + shift * edge + noise - bounds[:, 0]) * scale + bounds[:, 0]
                first = number * len(kind) + 1
                rows = zip(range(first, first + len(kind)), kind.tolist(), *now.T.tolist(), strict=True)
                file.writelines(f"{i} {t} {a:.5f} {b:.5f} {c:.5f}\n" for i, t, a, b, c in rows)
