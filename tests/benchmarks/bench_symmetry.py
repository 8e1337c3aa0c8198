"""Symmetry functions against dscribe's ACSF, per value of an atom and a column; dscribe takes fewer atoms."""

from __future__ import annotations

import statistics

import glass_input
import numpy as np

from qsdask.kernels.angular_sets import angular_sets
from qsdask.kernels.symmetry import symmetry_functions
from qsdask.space.block import Block
from qsdask.space.box import Box
from qsdask.structure.symmetry_function import SymmetryFunction

QUANTITY = SymmetryFunction("paper", ("Cu", "Zr"), (0.65, 0.35), (1.26, 1.58))
SIGMA, REACH, N_GRID = QUANTITY.sigma, QUANTITY.reach, 50
#: Atoms that dscribe takes at a time, out of a glass as shipped.
THEIRS = 2000


def radial(frame):
    """The 100 radial functions of every atom from wrapped positions, ghosts included."""
    block = glass_input.block_of(frame, REACH)
    return symmetry_functions(
        block.position,
        block.order,
        frame.type[block.row] - 1,
        block.n_owned,
        2,
        step=0.1 * SIGMA,
        n_grid=N_GRID,
        radial_cutoff=REACH,
        angular_cutoff=0.5 * REACH,
        sets=angular_sets([], [], []),
    )


def everything(frame):
    """All 166 of every atom."""
    local = glass_input.block_of(frame, REACH)
    species = (frame.type[local.row] - 1).astype(np.int16)
    box = Box(frame.cell, np.zeros(3), np.ones(3, dtype=bool))
    block = Block(
        local.n_owned, local.row, local.image, local.position, local.order, species, frame.radius[local.row], box, REACH
    )
    return QUANTITY.compute(block)


def dscribe_radial(frame):
    """Callable that runs dscribe's G2 with the same centres, widths and cut-off."""
    from ase import Atoms
    from dscribe.descriptors import ACSF

    eta = 1 / (2 * (0.1 * SIGMA) ** 2)
    acsf = ACSF(
        species=["Cu", "Zr"], r_cut=REACH, g2_params=[[eta, 0.1 * SIGMA * k] for k in range(N_GRID)], periodic=True
    )
    atoms = Atoms(np.where(frame.type == 1, "Cu", "Zr"), positions=frame.position, cell=frame.cell, pbc=True)
    return lambda: acsf.create(atoms, centers=list(range(THEIRS)), n_jobs=1)


def main():
    """Print the table."""
    options = glass_input.options(__doc__)
    frame = glass_input.glass(options.atoms)
    contestants = {"qsdask, radial": lambda: radial(frame), "qsdask, all 166": lambda: everything(frame)}
    try:
        contestants["dscribe ACSF, G2"] = dscribe_radial(glass_input.glass(1))
    except ImportError as error:
        print(f"dscribe left out: {error}")
    n_value = {name: work().size for name, work in contestants.items()}
    seconds = glass_input.interleaved(contestants, options.repeat)
    each = {name: [1e9 * t / n_value[name] for t in times] for name, times in seconds.items()}
    print(f"Symmetry functions, {len(frame.position)} atoms (dscribe {THEIRS}), one thread")
    for name, times in each.items():
        ratio = statistics.median(t / own for t, own in zip(times, each["qsdask, radial"], strict=True))
        print(f"  {name:20} {statistics.median(times):10.1f} ns a value, ratio to qsdask, radial {ratio:8.2f}")


if __name__ == "__main__":
    main()
