"""All 80 interstice columns, from positions to medium range, against freud's Voronoi tessellation alone."""

from __future__ import annotations

import time

import glass_input
import numpy as np
from bench_shells import REACH, freud_voronoi

from qsdask.kernels.cells import neighbour_shell
from qsdask.kernels.interstice import distance_interstice, voronoi_interstice
from qsdask.kernels.segment import coarsen
from qsdask.kernels.tessellate import keep_facets, voronoi_shell

CUTOFF = 4.0


def ours(frame, lap=lambda part: None):
    """The (n, 80) table of every atom from wrapped positions; `lap(part)` is called after each part."""
    block = glass_input.block_of(frame, REACH)
    radius = frame.radius[block.row]
    lap("ghosts")
    full = voronoi_shell(block.position, block.order, block.n_owned, REACH)
    if full.state.any():
        raise RuntimeError("a cell is open or not certified")
    lap("Voronoi cells")
    kept = keep_facets(full)
    lap("facet filter")
    near = neighbour_shell(block.position, block.order, block.n_owned, CUTOFF)
    lap("cut-off shell")
    around, _ = voronoi_interstice(block.position, radius, block.n_owned, kept.neighbour, kept.count)
    bonds = distance_interstice(block.position, radius, block.n_owned, near.neighbour, near.count)
    lap("interstices")
    n = block.n_owned
    # The medium range reads the finished short-range columns by row, as the stored ones are read.
    table = np.empty((n, 80))
    table[:, :12], table[:, 12:16] = around, bonds
    row = block.row.astype(np.int32)
    # Mean, std, minimum and maximum; the fifth is the sum, which these columns do not store.
    table[:, 16:64] = coarsen(around, n, row[kept.neighbour], kept.count)[..., :4].reshape(n, 48)
    table[:, 64:] = coarsen(bonds, n, row[near.neighbour], near.count)[..., :4].reshape(n, 16)
    lap("medium range")
    return table


def stopwatch(parts):
    """A `lap` that adds the seconds since the last call to `parts`."""
    last = [time.perf_counter()]

    def lap(part):
        now = time.perf_counter()
        parts.setdefault(part, []).append(now - last[0])
        last[0] = now

    return lap


def main():
    """Print the table."""
    options = glass_input.options(__doc__)
    frame = glass_input.glass(options.atoms)
    parts = {}
    contestants = {"qsdask": lambda: ours(frame, stopwatch(parts))}
    try:
        contestants["freud Voronoi alone"] = freud_voronoi(frame)
    except ImportError as error:
        print(f"freud left out: {error}")
    for work in contestants.values():
        work()
    parts.clear()
    seconds = glass_input.interleaved(contestants, options.repeat)
    title = f"80 interstice columns, {len(frame.position)} atoms, one thread"
    glass_input.print_table(title, seconds, "qsdask")
    for part, times in parts.items():
        print(f"    {part:42} {np.median(times):9.3f}")


if __name__ == "__main__":
    main()
