"""From a dump of 6,912 atoms to the softness of each: processor seconds of one command, beside what peers take for Voronoi cells.

    python tests/benchmarks/bench_softness.py --rounds 3

Every row is a process of its own, imports included. No peer gives softness; OVITO and freud make the cells that it begins
with, matminer (where it is installed; a few atoms, scaled up) the interstices of the paper.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import qsdask

DUMP = Path(qsdask.__file__).parent / "data" / "cu65_b.dump.gz"
SPECIES = {1: "Cu", 2: "Zr"}

OVITO = """
import sys
from ovito.io import import_file
from ovito.modifiers import VoronoiAnalysisModifier
pipeline = import_file(sys.argv[1])
pipeline.modifiers.append(VoronoiAnalysisModifier(compute_indices=True, generate_bonds=True))
pipeline.compute(0)
"""

FREUD = """
import sys
import freud
from qsdask.formats.opening import open_trajectory
frame = next(iter(open_trajectory(sys.argv[1]).read(0, 1)))
lengths = frame.cell.diagonal()
freud.locality.Voronoi().compute((freud.box.Box(*lengths), frame.position - frame.origin - lengths / 2))
"""

MATMINER = """
import sys
from matminer.featurizers.site import IntersticeDistribution
from pymatgen.core import Lattice, Structure
from qsdask.formats.opening import open_trajectory
frame = next(iter(open_trajectory(sys.argv[1]).read(0, 1)))
symbols = [{1: "Cu", 2: "Zr"}[kind] for kind in frame.type.tolist()]
glass = Structure(Lattice(frame.cell), symbols, frame.position - frame.origin, coords_are_cartesian=True)
for atom in range(3):
    IntersticeDistribution().featurize(glass, atom)
"""


def seconds(command: list[str], folder: str) -> tuple[float, float] | None:
    """Wall and processor seconds of a process; None when it fails."""
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return None if status else (time.perf_counter() - start, used.ru_utime + used.ru_stime)


def warm() -> float:
    """Seconds of `qsdask.softness` in a process that has called it before."""
    for _ in range(3):
        start = time.perf_counter()
        qsdask.softness(DUMP, species=SPECIES)
        last = time.perf_counter() - start
    return last


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    words = ["softness", str(DUMP), "--species", "1=Cu,2=Zr", "--out", "qs.extxyz", "--overwrite"]
    commands = {
        "qsdask softness, a file written": [sys.executable, "-m", "qsdask", *words],
        "the same, with a picture": [sys.executable, "-m", "qsdask", *words, "--png", "slice.png"],
        "OVITO, Voronoi cells alone": [sys.executable, "-c", OVITO, str(DUMP)],
        "freud, Voronoi cells alone": [sys.executable, "-c", FREUD, str(DUMP)],
        "matminer, interstices of 3 atoms": [sys.executable, "-c", MATMINER, str(DUMP)],
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(options.rounds):
            for name, command in commands.items():
                if (took := seconds(command, folder)) is not None:
                    found[name].append(took)
    print(f"{'6,912 atoms; medians':<36}{'wall, s':>10}{'processor, s':>14}")
    for name, rows in found.items():
        wall, used = (statistics.median(column) for column in zip(*rows, strict=True)) if rows else (None, None)
        print(f"{name:<36}" + (f"{wall:>10.2f}{used:>14.2f}" if rows else "   not installed, or it failed"))
    print(f"{'qsdask.softness in a warm process':<36}{warm():>10.2f}")


if __name__ == "__main__":
    main()
