"""Interstice histograms: the contract, and the same interstices as those of the four statistics."""

from __future__ import annotations

from math import erf, sqrt
from typing import ClassVar

import numpy as np
import pytest

from qsdask.kernels.histogram import voronoi_histogram
from qsdask.structure.interstice import Interstice
from qsdask.structure.interstice_histogram import IntersticeHistogram
from qsdask.testing import FeatureSetTests
from qsdask.testing.blocks import Specimen, block_of, specimen
from tests.structure.test_interstice import frame


class TestPaper(FeatureSetTests):
    quantity = IntersticeHistogram()
    #: Touching spheres: 8 triangles with 1 - pi / sqrt 12 = 0.093, and 12, halves of squares, with 1 - pi / 4 = 0.215.
    golden: ClassVar = {
        ("fcc", "sro__interstice_distance__voro__bin06"): 1.0,
        ("fcc", "sro__interstice_area__voro__bin03"): 0.4,
        ("fcc", "sro__interstice_area__voro__bin07"): 0.6,
    }


class TestAmlearnSmeared(FeatureSetTests):
    quantity = IntersticeHistogram("amlearn", smearing=0.03)
    #: Touching spheres have 0, in the middle of a bin of 4/3 standard deviations: erf(2/3 / sqrt 2).
    golden: ClassVar = {("fcc", "sro__interstice_distance__voro__bin05"): erf(2 / 3 / sqrt(2))}


def test_columns_are_four_histograms_of_twenty_bins():
    columns = IntersticeHistogram().columns
    assert len(columns) == 80
    assert columns[0].name == "sro__interstice_distance__voro__bin00"
    assert columns[0].meaning.endswith("with an interstice below -0.17")
    assert columns[21].meaning.endswith("hull with an interstice from 0.03 to 0.06")
    assert columns[79].name == "sro__interstice_distance__cutoff__bin19"
    assert columns[79].meaning.endswith("from 0.37 on")
    assert not any(column.medium for column in columns)


@pytest.mark.parametrize("convention", ["paper", "amlearn"])
def test_bins_hold_the_interstices_of_the_statistics(convention):
    """Mean over the bins against the mean of the values; and no value below the minimum or above the maximum."""
    quantity = IntersticeHistogram(convention)
    block = block_of(specimen("glass"), quantity.shells)
    share = quantity.compute(block).reshape(block.n_owned, 4, 20)
    statistics = Interstice(convention).compute(block).reshape(block.n_owned, 4, 4)
    np.testing.assert_allclose(share.sum(axis=2), 1, rtol=1e-14)
    for h, kind in enumerate(("distance", "area", "volume", "distance")):
        low, high = quantity.bounds(kind)
        width = (high - low) / 20
        inside = (statistics[:, h, 2] >= low) & (statistics[:, h, 3] < high)
        assert inside.mean() > 0.5
        centre = low + width * (np.arange(20) + 0.5)
        assert (np.abs(share[inside, h] @ centre - statistics[inside, h, 0]) <= width / 2).all()
        for edge, end in ((2, 0), (3, 19)):
            place = np.clip(np.floor((statistics[:, h, edge] - low) / width), 0, 19).astype(int)
            beyond = np.arange(20) < place[:, None] if end == 0 else np.arange(20) > place[:, None]
            assert (share[:, h][beyond] == 0).all()
            assert (share[np.arange(block.n_owned), h, place] > 0).all()


@pytest.mark.parametrize("convention", ["paper", "amlearn"])
def test_less_than_one_in_a_hundred_lies_outside_in_a_real_glass(golden, convention):
    """One bin more on either side."""
    ids, kind, position, box = frame(golden)
    found = Specimen(position, box, (kind - 1).astype(np.int16), np.array([1.26, 1.58]), ids)
    block, quantity = block_of(found, ("voronoi",)), IntersticeHistogram(convention)
    bounds = np.array([quantity.bounds(kind) for kind in ("distance", "area", "volume")])
    width = (bounds[:, 1] - bounds[:, 0]) / 20
    bounds += np.stack([-width, width], axis=1)
    shell = block.shells["voronoi"]
    contact = convention == "amlearn"
    wider = voronoi_histogram(
        block.position, block.radius, block.n_owned, shell.neighbour, shell.count, bounds, 22, contact=contact
    )
    assert wider.reshape(-1, 3, 22)[:, :, [0, 21]].sum(axis=2).mean(axis=0).max() < 0.01
    np.testing.assert_allclose(
        wider.reshape(-1, 3, 22)[:, :, 2:20],
        quantity.compute(block_of(found, quantity.shells)).reshape(-1, 4, 20)[:, :3, 1:19],
    )
