"""Voronoi shells (neighbours, areas, edges, volumes), ghosts included, against OVITO and freud."""

from __future__ import annotations

import glass_input
import numpy as np

from qsdask.kernels.tessellate import voronoi_shell

REACH = 6.0


def ours(frame):
    """Voronoi shells of every atom from wrapped positions."""
    block = glass_input.block_of(frame, REACH)
    shell = voronoi_shell(block.position, block.order, block.n_owned, REACH)
    if shell.state.any():
        raise RuntimeError("a cell is open or not certified: the comparison would not be fair")
    return shell.volume


def ovito_voronoi(frame):
    """Callable that runs OVITO's analysis with indices and bonds and returns the cell volumes."""
    from ovito.modifiers import VoronoiAnalysisModifier

    data = glass_input.ovito_data(frame)

    def work():
        copy = data.clone()
        copy.apply(VoronoiAnalysisModifier(compute_indices=True, generate_bonds=True))
        # Reading the results makes sure that they were computed.
        np.array(copy.particles["Voronoi Index"])
        np.array(copy.particles.bonds["Topology"])
        return np.array(copy.particles["Atomic Volume"])

    return work


def freud_voronoi(frame):
    """Callable that runs freud's tessellation and returns the cell volumes."""
    import freud

    box = glass_input.freud_box(freud, frame.cell)
    points = frame.position - 0.5 * np.diag(frame.cell)

    def work():
        voronoi = freud.locality.Voronoi().compute((box, points))
        np.array(voronoi.nlist.point_indices), np.array(voronoi.nlist.weights)
        return np.array(voronoi.volumes)

    return work


def peers(frame):
    """The peers that are installed, by name."""
    found = {}
    for name, build in {"OVITO VoronoiAnalysis": ovito_voronoi, "freud Voronoi": freud_voronoi}.items():
        try:
            found[name] = build(frame)
        except ImportError as error:
            print(f"{name} left out: {error}")
    return found


def main():
    """Print the table."""
    options = glass_input.options(__doc__)
    frame = glass_input.glass(options.atoms)
    contestants = {"qsdask": lambda: ours(frame), **peers(frame)}
    box = np.linalg.det(frame.cell)
    for name, work in contestants.items():
        print(f"{name}: sum of the volumes / box - 1 = {work().sum(dtype=np.float64) / box - 1:.1e}")
    seconds = glass_input.interleaved(contestants, options.repeat)
    glass_input.print_table(f"Voronoi shells, {len(frame.position)} atoms, one thread", seconds, "qsdask")


if __name__ == "__main__":
    main()
