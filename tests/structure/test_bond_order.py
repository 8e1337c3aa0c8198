"""Bond-orientational order of whole blocks: the twin, crystals, rotations, the second ring, the columns."""

from __future__ import annotations

import numpy as np
import pytest

from qsdask.quantity import feature_sets, medium_range
from qsdask.space.box import Box
from qsdask.testing.blocks import block_of, gas, lattice, specimen
from qsdask.testing.lattices import random_rotation
from tests.naive import bond_order as naive

BondOrder = feature_sets()["bond_order"]
SHELLS = ("voronoi", "cutoff")
FCC = [0.190941, 0.574524, 0.403915, 0.012857, -0.159317, -0.013161, 0.058455, -0.090130]


def two_rings(found, **changes):
    return block_of(found, SHELLS, rings=2, **changes)


def twin(block, shell):
    """Invariants of the owned atoms, and the coarse-grained ones."""
    around = [row[:n] for row, n in zip(shell.neighbour, shell.count, strict=True)]
    own = [naive.harmonics(block.position[row] - block.position[i]) for i, row in enumerate(around)]
    average = [naive.averaged(own[i], [own[j] for j in around[i]]) for i in range(block.n_owned)]
    return [naive.invariants(q) for q in own[: block.n_owned]], [naive.invariants(q) for q in average]


@pytest.mark.parametrize("name", ["tilted", "thin", "slab"])
def test_twin(name):
    by_height = np.argsort(specimen(name).position[:, 2])
    block = two_rings(specimen(name), owned=by_height[:: len(by_height) // 12])
    (voro, voro_average), (near, near_average) = (twin(block, block.shells[shell]) for shell in SHELLS)
    expected = np.concatenate([voro, near, voro_average, near_average], axis=1)
    value = BondOrder().compute(block)
    np.testing.assert_allclose(value, expected, rtol=0, atol=1e-10)
    assert np.isnan(value[:, :8]).any() == (name == "slab")


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_fcc(seed):
    """Both shells and the mean over equal atoms; neighbours at 2.83 angstrom, the next ones at 4."""
    found = lattice("fcc")
    rotation = np.eye(3) if seed is None else random_rotation(seed)
    box = Box(found.box.cell @ rotation.T, found.box.origin, found.box.periodic)
    turned = found._replace(position=found.position @ rotation.T, box=box)
    value = BondOrder().compute(two_rings(turned, owned=np.arange(3), cutoff=3.4))
    np.testing.assert_allclose(value, np.tile(FCC, (3, 4)), rtol=0, atol=6e-7)


@pytest.mark.parametrize("name", ["glass", "tilted"])
def test_rotation_changes_less_than_1e_10(name):
    found = specimen(name)
    expected = BondOrder().compute(two_rings(found))
    for seed in range(3):
        rotation = random_rotation(seed)
        box = Box(found.box.cell @ rotation.T, found.box.origin @ rotation.T, found.box.periodic)
        turned = found._replace(position=found.position @ rotation.T, box=box)
        np.testing.assert_allclose(BondOrder().compute(two_rings(turned)), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", ["tilted", "thin"])
def test_ghosts_give_to_the_average_what_owned_atoms_give(name):
    found = specimen(name)
    whole = BondOrder().compute(two_rings(found))
    owned = np.array([40, 3, 17])
    np.testing.assert_array_equal(BondOrder().compute(two_rings(found, owned=owned)), whole[owned])


def test_pairs_and_atoms_alone():
    """A pair has q_l = 1 along its bond, within the cut-off; all Voronoi cells are open."""
    value = BondOrder().compute(two_rings(gas()))
    assert np.isnan(value[0]).all()
    assert np.isnan(value[:, :8]).all()
    np.testing.assert_allclose(value[1:3, 8:12], 1.0, rtol=1e-14)
    np.testing.assert_allclose(value[1:3, 24:32], value[1:3, 8:16], rtol=1e-14)


def test_columns():
    quantity = BondOrder()
    names = [c.name for c in quantity.columns]
    assert names[:8] == [f"sro__bond_order_{k}{d}__voro" for k in "qw" for d in (4, 6, 8, 10)]
    assert names[24:] == [f"mro__average_bond_order_{k}{d}__cutoff" for k in "qw" for d in (4, 6, 8, 10)]
    assert [c.shell for c in quantity.columns] == (["voronoi"] * 8 + ["cutoff"] * 8) * 2
    assert len(medium_range(quantity)) == 64
