"""Import of a LAMMPS text dump, plain and gzip: find all frames and read them, against MDAnalysis and OVITO."""

from __future__ import annotations

import statistics
import tempfile
import warnings
from pathlib import Path

import glass_input
import MDAnalysis
import numpy as np
from isal import igzip

from qsdask.formats import open_trajectory

FRAMES = 3


def write_dump(path: Path, n_atom: int) -> int:
    """Frames of one tiled glass as LAMMPS writes them, `id type x y z` with five decimals; the number of atoms."""
    with open(path, "w", encoding="ascii") as file:
        for step in range(FRAMES):
            frame = glass_input.glass(n_atom, seed=step)
            n = len(frame.position)
            box = "".join(f"0.0 {edge:.16e}\n" for edge in np.diag(frame.cell))
            file.write(
                f"ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n{n}\nITEM: BOX BOUNDS pp pp pp\n{box}"
            )
            file.write("ITEM: ATOMS id type x y z\n")
            table = np.column_stack([np.arange(1, n + 1), frame.type, frame.position])
            file.write("".join(["%d %d %.5f %.5f %.5f\n" % tuple(row) for row in table.tolist()]))
    return n


def ours(path):
    """Positions of the last frame."""
    for frame in open_trajectory(path).read():
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
    contestants = {"qsdask": ours, "MDAnalysis": mdanalysis}
    try:
        import ovito.io  # noqa: F401
    except ImportError:
        print("ovito is not installed")
    else:
        contestants["OVITO"] = ovito
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "glass.dump"
        n = write_dump(plain, options.atoms)
        size = plain.stat().st_size / 1e6
        packed = Path(folder) / "glass.dump.gz"
        packed.write_bytes(igzip.compress(plain.read_bytes()))
        for path in (plain, packed):
            works = {name: (lambda work=work, path=path: work(path)) for name, work in contestants.items()}
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
