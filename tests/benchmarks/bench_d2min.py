"""D2min against OVITO's AtomicStrainModifier with a reference, on one frame and on a series of frames.

On one frame everything counts: ghosts, neighbour search, fit. In a series, which is what trajectories are, `respond`
finds the neighbours of the reference once for every eight frames (`STEPS_PER_UNIT`); OVITO finds them for each. Both
are run on both.
"""

from __future__ import annotations

import glass_input
import numpy as np

from qsdask.kernels.affine import d2min
from qsdask.kernels.cells import neighbour_shell
from qsdask.stages.respond import STEPS_PER_UNIT

CUTOFF = 4.0
STRAIN = np.diag([1.04, 0.987, 0.99])


def strained(frame, seed=1):
    """A stretched frame with random displacements: a few square angstrom of D2min."""
    cell = frame.cell @ STRAIN
    position = frame.position @ STRAIN + np.random.default_rng(seed).normal(0.0, 0.15, frame.position.shape)
    length = np.diag(cell)
    return position - np.floor(position / length) * length, cell


def reference_shell(frame):
    """Block and cut-off shell of the reference frame."""
    block = glass_input.block_of(frame, CUTOFF)
    return block, neighbour_shell(block.position, block.order, block.n_owned, CUTOFF, measured=False)


def response(frame, block, shell, current, cell_current):
    """D2min of every atom, the reference shell being known."""
    return d2min(
        block.position,
        current[block.row],
        block.n_owned,
        shell.neighbour,
        shell.count,
        cell_reference=frame.cell,
        cell_current=cell_current,
        periodic=np.ones(3, dtype=bool),
    )[0]


def series(frame, current, cell_current):
    """D2min of as many frames as one unit of `respond` takes."""
    block, shell = reference_shell(frame)
    for _ in range(STEPS_PER_UNIT):
        value = response(frame, block, shell, current, cell_current)
    return value


def ovito_strain(frame, current, cell_current, times=1):
    """Callable that runs OVITO's modifier on the same two frames, so many times, and returns D2min."""
    from ovito.modifiers import AtomicStrainModifier
    from ovito.pipeline import StaticSource

    reference = glass_input.ovito_data(frame)
    data = glass_input.ovito_data(frame, current, cell_current)

    def work():
        modifier = AtomicStrainModifier(cutoff=CUTOFF, output_nonaffine_squared_displacements=True)
        modifier.reference = StaticSource(data=reference)
        for _ in range(times):
            copy = data.clone()
            copy.apply(modifier)
        return np.array(copy.particles["Nonaffine Squared Displacement"])

    return work


def main():
    """Print the table."""
    options = glass_input.options(__doc__)
    frame = glass_input.glass(options.atoms)
    current, cell_current = strained(frame)
    contestants = {
        "qsdask": lambda: response(frame, *reference_shell(frame), current, cell_current),
        f"qsdask, {STEPS_PER_UNIT} frames": lambda: series(frame, current, cell_current),
    }
    try:
        contestants["OVITO AtomicStrain"] = ovito_strain(frame, current, cell_current)
        contestants[f"OVITO AtomicStrain, {STEPS_PER_UNIT} frames"] = ovito_strain(
            frame, current, cell_current, STEPS_PER_UNIT
        )
    except ImportError:
        print("ovito is not installed")
    results = {name: work() for name, work in contestants.items()}
    for name, value in results.items():
        difference = np.abs(value - results["qsdask"]).max()
        print(f"{name}: mean D2min {value.mean():.6f} A^2, largest difference from qsdask {difference:.2e}")
    seconds = glass_input.interleaved(contestants, options.repeat)
    series_of = {name: name.endswith("frames") for name in seconds}
    for many, title in ((False, "one frame"), (True, f"a series of {STEPS_PER_UNIT} frames")):
        chosen = {name: times for name, times in seconds.items() if series_of[name] is many}
        glass_input.print_table(f"D2min, {len(frame.position)} atoms, one thread, {title}", chosen, next(iter(chosen)))


if __name__ == "__main__":
    main()
