"""What feature sets learn of the shells they build on, and how many slots shells get."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import qsdask
from qsdask.engine.cost import SLOTS
from qsdask.errors import UsageError
from qsdask.stages.shells import enough_slots
from qsdask.testing.blocks import specimen
from tests.stages.test_radical_shells import store_of


def test_soft_facets_are_refused_on_shells_without_their_small_facets(tmp_path, few):
    store = store_of(specimen("glass"), tmp_path, few)
    with pytest.raises(UsageError) as error:
        qsdask.features(store, set="bond_order", facet_weighting="area", run=few)
    assert error.value.code == "E-SOFT-FACETS"
    again = type(few)("threads", 2, True, False)
    qsdask.shells(store, facet_fraction=0.0, run=again)
    qsdask.features(store, set="bond_order", run=few)
    column = "sro__bond_order_q6__voro"
    hard = qsdask.open_store(store)["features/bond_order"].ds["value"].sel(feature=column).values
    qsdask.features(store, set="bond_order", facet_weighting="area", run=again)
    soft = qsdask.open_store(store)["features/bond_order"].ds["value"].sel(feature=column).values
    assert np.isfinite(soft).all()
    assert np.abs(soft - hard).max() > 0.05


def test_pyramids_stand_on_the_facets_of_radical_shells(tmp_path, few):
    store = store_of(specimen("glass"), tmp_path, few, domains=3, tessellation="radical", facet_fraction=0.0)
    qsdask.features(store, set="weighted_ifold", facet_weight="volume", convention="amlearn", run=few)
    tree = qsdask.open_store(store)
    shell = tree["shells/voronoi"].ds.load()
    atoms = tree["atoms"].ds.load()
    radius = atoms["radius"].values[atoms["species"].values]
    other = radius[shell["neighbour"].values]
    distance, edges = shell["distance"].values, shell["edges"].values
    height = (distance**2 + radius[:, None] ** 2 - other**2) / (2 * distance)
    pyramid = np.where(edges > 0, shell["facet_area"].values * height / 3, 0.0)
    np.testing.assert_allclose(pyramid.sum(axis=1), shell["cell_volume"], rtol=1e-9)
    share = tree["features/weighted_ifold"].ds["value"].sel(feature="sro__weighted_ifold_5__voro").values
    np.testing.assert_allclose(share, (pyramid * (edges == 5)).sum(axis=1) / pyramid.sum(axis=1), atol=1e-6)


@pytest.mark.parametrize("counts", [(25, 33), (30, 33), (26, 41, 57), (120,)])
def test_the_number_of_slots_does_not_depend_on_the_domain_that_overflows_first(counts):
    found = set()
    for order in itertools.permutations(counts):
        slots = SLOTS["cutoff"]
        for needed in order:
            slots = enough_slots(slots, needed)
        found.add(slots)
    assert len(found) == 1
    assert found.pop() >= max(counts)
