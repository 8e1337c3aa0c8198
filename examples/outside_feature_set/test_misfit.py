"""The tests that every feature set must pass are inherited; known numbers are ours."""

from typing import ClassVar

import numpy as np
import pytest
from qsdask_misfit import Misfit

from qsdask.testing import FeatureSetTests
from qsdask.testing.blocks import block_of, lattice


class TestMisfit(FeatureSetTests):
    quantity = Misfit()
    golden: ClassVar = {
        ("sc", "sro__number_density__voro"): 1.0 / 2.5**3,
        ("bcc", "sro__number_density__voro"): 2.0 / 3.0**3,
        ("fcc", "sro__number_density__voro"): 4.0 / 4.0**3,
        ("fcc", "sro__size_misfit__voro"): 0.0,
        ("hcp", "sro__off_centre__cutoff"): 0.0,
    }


def test_larger_neighbours_and_a_missing_one():
    whole = lattice("icosahedron")
    kind = np.repeat([0, 1], [1, 12]).astype(np.int16)
    unlike = whole._replace(species=kind, radius=np.array([1.25, 1.5]))
    assert Misfit().compute(block_of(unlike, Misfit.shells))[0, 1] == pytest.approx(0.2)

    # Twelve bonds of 2.5 angstrom add up to zero; without one of them to 2.5.
    without = unlike._replace(position=unlike.position[:-1], species=kind[:-1], id=unlike.id[:-1])
    assert Misfit().compute(block_of(without, Misfit.shells))[0, 2] == pytest.approx(2.5 / 11)
