"""i-fold symmetry, weighted or not, and its average over an atom and its neighbours."""

from __future__ import annotations

import numpy as np
import pytest

from qsdask.quantity import medium_range
from qsdask.structure.ifold import IFold
from qsdask.structure.weighted_ifold import WeightedIFold
from qsdask.testing import lattices
from tests.naive import census as naive
from tests.structure.blocks import block_of, cell_of, glass, of_lattice, twin

KINDS = ["bulk", "tilted", "thin", "slab"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("convention", ["paper", "amlearn"])
def test_glass(golden, kind, convention):
    specimen = glass(kind, golden)
    beyond = convention == "amlearn"
    cells = twin(kind, golden)
    value = IFold(convention).compute(block_of(specimen, rings=2))
    own = [naive.ifold(naive.index(cell, beyond)) for cell in cells]
    average = [naive.average_ifold(cells, i, beyond) for i in range(len(cells))]
    np.testing.assert_allclose(value, np.concatenate([own, average], axis=1), rtol=1e-14)
    # Only neighbours at the surface make the difference between the two kinds of NaN.
    missing = np.isnan(value[:, [0, 5]]).sum(axis=0)
    assert 0 < missing[0] < missing[1] if kind == "slab" else not missing.any()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("convention", ["paper", "amlearn"])
@pytest.mark.parametrize("weight", ["area", "volume"])
def test_weighted_glass(golden, kind, convention, weight):
    specimen = glass(kind, golden)
    value = WeightedIFold(convention, weight).compute(block_of(specimen))
    expected = [naive.weighted_ifold(cell, convention == "amlearn", weight) for cell in twin(kind, golden)]
    np.testing.assert_allclose(value, expected, rtol=1e-8, atol=1e-10)
    closed = ~np.isnan(value[:, 0])
    np.testing.assert_allclose(value[closed].sum(axis=1), 1.0, rtol=1e-14)


def test_bcc():
    """The cell is a truncated octahedron: six squares, eight hexagons, all edges a / 8**0.5."""
    made = lattices.bcc(3.2)
    n = len(made.position)
    specimen = of_lattice(made)
    value = IFold().compute(block_of(specimen, rings=2))
    np.testing.assert_allclose(value, np.tile([0, 6 / 14, 0, 8 / 14, 0], (n, 2)), rtol=1e-15)
    squares = 6 / (6 + 12 * 3**0.5)
    area = WeightedIFold().compute(block_of(specimen))
    np.testing.assert_allclose(area, np.tile([0, squares, 0, 1 - squares, 0], (n, 1)), rtol=1e-9)
    # The pyramids over the squares hold 6 * (a**2 / 8) * (a / 2) / 3 of a**3 / 2.
    volume = WeightedIFold(facet_weight="volume").compute(block_of(specimen))
    np.testing.assert_allclose(volume, np.tile([0, 0.25, 0, 0.75, 0], (n, 1)), rtol=1e-9)


def test_facets_with_more_than_seven_edges_are_in_no_sum_or_taken_as_seven():
    block = cell_of([4, 7, 8, 9], [1.0, 2.0, 3.0, 4.0])
    np.testing.assert_allclose(WeightedIFold().compute(block), [[0, 1 / 3, 0, 0, 2 / 3]])
    np.testing.assert_allclose(WeightedIFold("amlearn").compute(block), [[0, 0.1, 0, 0, 0.9]])


def test_only_facets_with_more_than_seven_edges_leave_no_index():
    block = cell_of([8, 8, 9, 9], np.ones(4))
    assert np.isnan(WeightedIFold().compute(block)).all()
    np.testing.assert_array_equal(WeightedIFold("amlearn").compute(block), [[0, 0, 0, 0, 1]])


def test_averages_need_the_neighbours_shells(golden):
    """With the shells of a part of the atoms only, it is refused rather than averaged over what is there."""
    specimen = glass("bulk", golden)
    with pytest.raises(ValueError, match="two rings"):
        IFold().compute(block_of(specimen, owned=np.arange(9)))


def test_columns():
    quantity = IFold()
    assert quantity.rings == 2
    assert [c.name for c in quantity.columns if not c.medium] == [f"mro__average_ifold_{i}__voro" for i in range(3, 8)]
    assert len(quantity.columns) == 10
    assert len(medium_range(quantity)) == len(medium_range(WeightedIFold())) == 20


@pytest.mark.parametrize(
    ("quantity", "rings"), [(IFold(), 2), (WeightedIFold(), 1), (WeightedIFold(facet_weight="volume"), 1)]
)
def test_owning_fewer_atoms_changes_no_bit(golden, quantity, rings):
    specimen = glass("tilted", golden)
    owned = np.array([200, 3, 17, 90])
    whole = quantity.compute(block_of(specimen, rings=rings))
    part = quantity.compute(block_of(specimen, rings=rings, owned=owned))
    np.testing.assert_array_equal(part, whole[owned])
