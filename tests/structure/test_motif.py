"""Characteristic motifs: polyhedra by their facets, both rules of the Frank-Kasper type, and real cells."""

from __future__ import annotations

import numpy as np
import pytest

from qsdask.quantity import medium_range
from qsdask.structure.motif import Motif
from qsdask.testing import lattices
from tests.naive import census as naive
from tests.structure.blocks import block_of, cell_of, cluster, glass, twin

#: Edges of the facets -> the four columns by amlearn's rule, and the last of them by the strict one.
CELLS = {
    "Z12": ([5] * 12, [1, 0, 1, 1], 1),
    "Z14": ([5] * 12 + [6] * 2, [0, 0, 0, 1], 1),
    "Z15": ([5] * 12 + [6] * 3, [0, 0, 0, 1], 1),
    "Z16": ([5] * 12 + [6] * 4, [0, 1, 1, 1], 1),
    "a <0,0,12,1,0>": ([5] * 12 + [6], [0, 0, 0, 1], 0),
    "a <0,2,8,4,0>": ([4] * 2 + [5] * 8 + [6] * 4, [0, 0, 0, 1], 0),
    "a <0,6,0,8,0>": ([4] * 6 + [6] * 8, [0, 0, 0, 1], 0),
    "a <1,3,6,1,0>": ([3] + [4] * 3 + [5] * 6 + [6], [0, 0, 0, 1], 0),
    "a <0,1,10,2,0> with a facet of 7 edges": ([4] + [5] * 10 + [6] * 2 + [7], [0, 0, 0, 1], 0),
    "Z12 and a facet of 7 edges": ([5] * 12 + [7], [0, 0, 0, 1], 0),
    "Z12 and a facet of 9 edges": ([5] * 12 + [9], [0, 0, 0, 1], 0),
    "Z16 and a triangle": ([3] + [5] * 12 + [6] * 4, [0, 0, 0, 1], 0),
    "a <0,3,6,4,0>, fcc's when its atoms move": ([4] * 3 + [5] * 6 + [6] * 4, [0, 0, 0, 1], 0),
    "a <0,4,4,6,0>": ([4] * 4 + [5] * 4 + [6] * 6, [0, 0, 0, 1], 0),
    "a <0,3,7,4,0>": ([4] * 3 + [5] * 7 + [6] * 4, [0, 0, 0, 0], 0),
    "no facet": ([], [np.nan] * 4, np.nan),
}


@pytest.mark.parametrize("name", CELLS)
def test_polyhedra(name):
    edges, amlearn, strict = CELLS[name]
    np.testing.assert_array_equal(Motif().compute(cell_of(edges)), [amlearn])
    np.testing.assert_array_equal(Motif("strict").compute(cell_of(edges)), [[*amlearn[:3], strict]])


@pytest.mark.parametrize("kind", ["bulk", "tilted", "thin", "slab"])
@pytest.mark.parametrize("rule", ["amlearn", "strict"])
def test_glass(golden, kind, rule):
    specimen = glass(kind, golden)
    value = Motif(rule).compute(block_of(specimen))
    cells = twin(kind, golden)
    np.testing.assert_array_equal(value, [naive.motif(cell, rule) for cell in cells])


def test_a_glass_has_some_of_each_motif(golden):
    """Otherwise the comparison with the twin would compare zeros."""
    specimen = glass("bulk", golden)
    found = {rule: np.nansum(Motif(rule).compute(block_of(specimen)), axis=0) for rule in ("amlearn", "strict")}
    assert (found["amlearn"] > 0).all()
    assert found["amlearn"][3] > found["strict"][3] >= found["strict"][2]


def test_perfect_icosahedron():
    position = lattices.icosahedron(2.5)
    specimen = cluster(position)
    value = Motif("strict").compute(block_of(specimen))
    np.testing.assert_array_equal(value[0], [1, 0, 1, 1])
    assert np.isnan(value[1:]).all()


def test_medium_range_has_sum_mean_and_spread():
    names = [c.name for c in medium_range(Motif())]
    assert len(names) == 12
    assert names[:3] == [f"mro__motif_z12__voro__{s}" for s in ("sum", "mean", "std")]
