"""Elastic network and its Chebyshev steps against dense matrices, their spectrum, and the polynomial in closed form."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sparse
from numpy.polynomial.chebyshev import Chebyshev

from qsdask.kernels.cells import neighbour_shell
from qsdask.kernels.elastic_network import chebyshev, largest_eigenvalue, network, network_step
from qsdask.testing.blocks import block_of, specimen
from tests.naive import elastic_network as naive

CUTOFF = 5.0


def made(name, a):
    """The network of a specimen by the kernel, and by the twin."""
    found = specimen(name)
    block = block_of(found, reach=CUTOFF)
    shell = neighbour_shell(block.position, block.order, block.n_owned, CUTOFF)
    strain = np.array([np.diag(e) for e in naive.strains(2)])
    atoms = block.position, block.radius, shell.neighbour, shell.count
    springs = network(*atoms, stiffness=a, cutoff=CUTOFF, strain=strain)
    position = found.box.wrap(found.position)
    twin = naive.springs(position, found.box.cell, found.box.periodic, found.radius[found.species], a)
    return block, shell, springs, twin


def hessian(found, k, n, block):
    """Sparse Hessian of the twin's springs, 3 rows an atom."""
    size = len(block)
    pairs = -k[:, None, None] * n[:, :, None] * n[:, None, :]
    rows = np.concatenate([found.i, np.arange(size)])
    columns = np.concatenate([found.j, np.arange(size)])
    blocks = np.concatenate([pairs, block])
    a, b = np.mgrid[:3, :3]
    at = (3 * rows[:, None, None] + a).ravel(), (3 * columns[:, None, None] + b).ravel()
    return sparse.csr_matrix((blocks.ravel(), at), shape=(3 * size, 3 * size))


@pytest.mark.parametrize("a", [2.0, 6.0])
@pytest.mark.parametrize("name", ["glass", "tilted", "thin", "slab"])
def test_springs_forces_and_compliance(name, a):
    _, _, (_, force, compliance), (found, k, n, block) = made(name, a)
    inverse = np.linalg.inv(block)
    full = inverse[:, [0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]]
    np.testing.assert_allclose(compliance, full, rtol=1e-8, atol=1e-10 * np.abs(full).max())
    for e, strain in enumerate(naive.strains(2)):
        pull = naive.force(found, k, n, strain, len(block))
        np.testing.assert_allclose(force[:, :, e], pull, rtol=0, atol=1e-12)
    np.testing.assert_allclose(largest_eigenvalue(compliance), np.linalg.eigvalsh(inverse)[:, -1], rtol=1e-9)


def test_the_spectrum_is_that_of_the_definition():
    *_, (found, k, n, block) = made("glass", 6.0)
    matrix = hessian(found, k, n, block).toarray()
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-12)
    scaled = np.linalg.solve(np.kron(np.eye(len(block)), np.ones((3, 3))) * matrix, matrix)
    spectrum = np.linalg.eigvals(scaled)
    assert np.abs(spectrum.imag).max() < 1e-6
    assert spectrum.real.min() > -1e-9
    assert 1.5 < spectrum.real.max() < 2.0


@pytest.mark.parametrize("n_step", [1, 2, 5, 8])
@pytest.mark.parametrize("name", ["glass", "thin"])
def test_steps_are_the_chebyshev_polynomial_of_the_sparse_hessian(name, n_step):
    block, shell, springs, (found, k, n, diagonal) = made(name, 4.0)
    keep, gain = chebyshev(n_step, 0.8 / n_step, 2.0)
    state = np.zeros((len(block.row), 24))
    atoms = block.position, shell.neighbour, shell.count
    for s in range(n_step):
        new = state.copy()
        network_step(new[: block.n_owned], state, 0, *atoms, springs, keep[s], gain[s])
        state = new[block.row]
    # In the basis in which D^-1/2 H D^-1/2 is diagonal: what is left of each part is T_m there over T_m at 0.
    size = len(diagonal)
    root = np.zeros((3 * size, 3 * size))
    for i, (value, vector) in enumerate(zip(*np.linalg.eigh(diagonal), strict=True)):
        root[3 * i : 3 * i + 3, 3 * i : 3 * i + 3] = vector / np.sqrt(value) @ vector.T
    value, vector = np.linalg.eigh(root @ hessian(found, k, n, diagonal).toarray() @ root)
    low = 0.8 / n_step
    polynomial = Chebyshev.basis(n_step, domain=[low, 2.0])
    left = polynomial / polynomial(0.0)
    value = np.where(np.abs(value) < 1e-7, 1e-7, value)
    for e, strain in enumerate(naive.strains(2)):
        pull = root @ naive.force(found, k, n, strain, size).ravel()
        expected = root @ (vector @ ((1.0 - left(value)) / value * (vector.T @ pull)))
        answer = state[: block.n_owned, :12].reshape(-1, 3, 4)[:, :, e]
        np.testing.assert_allclose(answer, expected.reshape(-1, 3), rtol=0, atol=1e-6)


def test_atoms_that_are_held_in_a_plane_only_do_not_move():
    angle = 2 * np.pi * np.arange(6) / 6
    ring = 2.6 * np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)
    for tilt, held in ((0.0, False), (1e-9, False), (0.3, True)):
        position = np.concatenate([np.zeros((1, 3)), ring + tilt * np.array([0, 0, 1]) * (-1) ** np.arange(6)[:, None]])
        shell = neighbour_shell(position, np.arange(7), 1, CUTOFF)
        atoms = position, np.full(7, 1.3), shell.neighbour, shell.count
        *_, compliance = network(*atoms, stiffness=6.0, cutoff=CUTOFF, strain=np.ones((4, 3)))
        assert compliance.any() == held, tilt


def test_the_largest_eigenvalue_of_equal_ones_and_of_none():
    matrix = np.array([[2.0, 2.0, 2.0, 0, 0, 0], [1.0, 5.0, 3.0, 0, 0, 0], [np.nan] * 6])
    np.testing.assert_allclose(largest_eigenvalue(matrix), [2.0, 5.0, np.nan], rtol=1e-14)
