"""D2min against OVITO's atomic strain analysis."""

from __future__ import annotations

import numpy as np
import pytest

from qsdask.kernels.affine import SINGULAR, d2min
from qsdask.kernels.cells import neighbour_shell
from qsdask.testing import lattices

pytestmark = pytest.mark.peers
CUTOFF = 4.0


def ovito_frame(position, cell, periodic):
    """One frame as OVITO's DataCollection."""
    from ovito.data import DataCollection

    data = DataCollection()
    data.create_cell(np.hstack([cell.T, np.zeros((3, 1))]), tuple(bool(p) for p in periodic))
    particles = data.create_particles(count=len(position))
    particles.create_property("Position", data=position)
    particles.create_property("Particle Identifier", data=np.arange(1, len(position) + 1))
    return data


def ovito_d2min(reference, current, cell, cell_current, periodic):
    """Non-affine squared displacement and validity of every atom."""
    pytest.importorskip("ovito")
    from ovito.modifiers import AtomicStrainModifier
    from ovito.pipeline import StaticSource

    data = ovito_frame(current, cell_current, periodic)
    modifier = AtomicStrainModifier(
        cutoff=CUTOFF, output_nonaffine_squared_displacements=True, select_invalid_particles=True
    )
    modifier.reference = StaticSource(data=ovito_frame(reference, cell, periodic))
    data.apply(modifier)
    invalid = np.array(data.particles["Selection"], dtype=bool)
    return np.array(data.particles["Nonaffine Squared Displacement"]), ~invalid


def ours(reference, current, cell, cell_current, periodic):
    """D2min and state of every atom."""
    block = lattices.open_block(reference, cell, np.zeros(3), periodic, CUTOFF)
    shell = neighbour_shell(block.position, block.order, block.n_owned, CUTOFF)
    return d2min(
        block.position,
        current[block.row],
        block.n_owned,
        shell.neighbour,
        shell.count,
        cell_reference=cell,
        cell_current=cell_current,
        periodic=np.asarray(periodic, dtype=bool),
    )


@pytest.mark.parametrize("periodic", [(1, 1, 1), (1, 0, 1)])
@pytest.mark.parametrize("tilted", [False, True])
def test_atomic_strain(tilted, periodic):
    crystal = lattices.fcc(3.9, 5)
    shear = np.array([[1.0, 0.0, 0.0], [0.3, 1.0, 0.0], [-0.2, 0.25, 1.0]]) if tilted else np.eye(3)
    cell = crystal.cell @ shear
    reference = lattices.perturbed(crystal.position, 0.3, seed=1) @ shear
    strain = np.array([[1.04, 0.0, 0.0], [0.02, 0.98, 0.0], [0.0, 0.01, 0.99]])
    cell_current = cell @ strain
    current = lattices.perturbed(reference @ strain, 0.25, seed=2)
    turns = np.where(periodic, np.floor(current @ np.linalg.inv(cell_current)), 0.0)
    current = current - turns @ cell_current
    theirs, valid = ovito_d2min(reference, current, cell, cell_current, periodic)
    d2, state = ours(reference, current, cell, cell_current, periodic)
    assert valid.all()
    assert not state.any()
    np.testing.assert_allclose(d2, theirs, rtol=1e-9)


def test_atoms_without_a_fit_are_the_same():
    cell = 40.0 * np.eye(3)
    plane = lattices.random_gas(12, np.diag([6.0, 6.0, 0.0]), seed=3, origin=(5.0, 5.0, 5.0))
    body = lattices.random_gas(12, 5.0 * np.eye(3), seed=4, origin=(25.0, 25.0, 25.0))
    reference = np.concatenate([plane, body, [[35.0, 5.0, 5.0]]])
    current = lattices.perturbed(reference, 0.1)
    periodic = (0, 0, 0)
    _, valid = ovito_d2min(reference, current, cell, cell, periodic)
    d2, state = ours(reference, current, cell, cell, periodic)
    np.testing.assert_array_equal(state == SINGULAR, ~valid)
    np.testing.assert_array_equal(np.isnan(d2), ~valid)
    assert 0 < valid.sum() < len(valid)
