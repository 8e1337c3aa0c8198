"""Import of a LAMMPS text dump, plain, gzip and zstd, all frames found and read, against MDAnalysis and OVITO."""

from __future__ import annotations

import statistics
import tempfile
import warnings
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import glass_input
import MDAnalysis
import numpy as np
import zstandard
from isal import igzip

from qsdask.formats import open_trajectory

FRAMES = 3


def write_dump(path: Path, n_atom: int) -> int:
    """Write frames of one tiled glass as LAMMPS does, with five decimals; returns the number of atoms."""
    with open(path, "w", encoding="ascii") as file:
        for step in range(FRAMES):
            frame = glass_input.glass(n_atom, seed=step)
            n = len(frame.position)
            box = "".join(f"0.0 {edge:.16e}\n" for edge in np.diag(frame.cell))
            file.write(f"ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n{n}\nITEM: BOX BOUNDS pp pp pp\n{box}")
            file.write("ITEM: ATOMS id type x y z\n")
            columns = [range(1, n + 1), frame.type.tolist(), *frame.position.T.tolist()]
            file.writelines(f"{i} {t} {x:.5f} {y:.5f} {z:.5f}\n" for i, t, x, y, z in zip(*columns, strict=True))
    return n


def ours(path, digest=True):
    """Positions of the last frame."""
    for frame in open_trajectory(path).read(digest=digest):
        position = frame.position
    return position


def mdanalysis(path):
    """Positions of the last frame."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for step in MDAnalysis.Universe(str(path), format="LAMMPSDUMP").trajectory:
            position = step.positions
    return position


def ovito(path):
    """Positions of the last frame."""
    from ovito.io import import_file

    source = import_file(str(path)).source
    for k in range(source.num_frames):
        data = source.compute(k)
    return np.array(data.particles.positions)


def main():
    """Print the tables."""
    options = glass_input.options(__doc__)
    contestants = {"qsdask": ours, "qsdask without digests": partial(ours, digest=False), "MDAnalysis": mdanalysis}
    if find_spec("ovito"):
        contestants["OVITO"] = ovito
    else:
        print("ovito is not installed")
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "glass.dump"
        n = write_dump(plain, options.atoms)
        size = plain.stat().st_size / 1e6
        paths = [plain]
        for ending, compress in {"gz": igzip.compress, "zst": zstandard.compress}.items():
            paths.append(Path(folder) / f"glass.dump.{ending}")
            paths[-1].write_bytes(compress(plain.read_bytes()))
        for path in paths:
            works = {
                name: (lambda work=work, path=path: work(path))
                for name, work in contestants.items()
                if path.suffix != ".zst" or name != "MDAnalysis"  # which does not read it
            }
            first = {name: work() for name, work in works.items()}
            for name, position in first.items():
                difference = np.abs(position - first["qsdask"]).max()
                print(f"{name}: largest difference from qsdask {difference:.1e}")
            seconds = glass_input.interleaved(works, options.repeat)
            title = f"{path.name}: {FRAMES} frames of {n} atoms, {size:.1f} MB of text, one thread"
            glass_input.print_table(title, seconds, "qsdask")
            for name, times in seconds.items():
                print(f"  {name}: {size / statistics.median(times):.0f} MB/s of text")


if __name__ == "__main__":
    main()
