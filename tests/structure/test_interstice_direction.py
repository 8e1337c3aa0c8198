"""The set ``interstice_direction``: its axis, its columns, and what a turned or stretched glass does to it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from qsdask.quantity import medium_range
from qsdask.space.box import Box
from qsdask.structure.interstice import Interstice
from qsdask.structure.interstice_direction import IntersticeDirection
from qsdask.testing.blocks import block_of, lattice, specimen

NAMES = [column.name for column in IntersticeDirection.columns]


def values(found, axis="z", **settings):
    quantity = IntersticeDirection(axis=axis, **settings)
    return dict(zip(NAMES, quantity.compute(block_of(found, quantity.shells)).T, strict=True))


def turned(found, rotation):
    """Atoms and cell turned together."""
    box = Box(found.box.cell @ rotation.T, found.box.origin @ rotation.T, found.box.periodic)
    return found._replace(position=found.position @ rotation.T, box=box)


def test_it_has_axial_lateral_and_difference_of_four_interstices():
    assert len(NAMES) == 12
    assert NAMES[:3] == [f"sro__interstice_distance__voro__{side}" for side in ("axial", "lateral", "difference")]
    assert len(medium_range(IntersticeDirection())) == 48


@pytest.mark.parametrize("name", ["sc", "bcc", "fcc"])
def test_a_cubic_crystal_has_the_plain_mean_on_every_side(name):
    found = lattice(name)
    plain = Interstice().compute(block_of(found, Interstice.shells))[0]
    mean = dict(zip([c.name for c in Interstice.columns], plain, strict=True))
    for column, value in values(found).items():
        expected = 0.0 if column.endswith("difference") else mean[column.rpartition("__")[0] + "__mean"]
        assert value[0] == pytest.approx(expected, abs=1e-9), column


def test_turning_the_glass_turns_the_axis():
    """x becomes y, y becomes z, z becomes x."""
    found, cycle = specimen("tilted"), np.roll(np.eye(3), 1, axis=0)
    after = turned(found, cycle)
    for old, new in (("x", "y"), ("y", "z"), ("z", "x")):
        before, there = values(found, old), values(after, new)
        for name in NAMES:
            np.testing.assert_allclose(there[name], before[name], rtol=0, atol=1e-9, err_msg=name)
    assert np.abs(values(after, "z")[NAMES[2]] - values(found, "z")[NAMES[2]]).max() > 0.01


def test_a_stretched_glass_has_longer_bonds_along_and_larger_triangles_beside_the_stretch():
    """A triangle that faces along the axis lies across it, and is not stretched."""
    found, stretch = specimen("glass"), np.diag([1.0, 1.0, 1.1])
    box = Box(found.box.cell @ stretch, found.box.origin @ stretch, found.box.periodic)
    long = found._replace(position=found.position @ stretch, box=box)
    before, after = values(found), values(long)
    rise = {name: (after[name] - before[name]).mean() for name in NAMES if name.endswith("difference")}
    assert rise["sro__interstice_distance__voro__difference"] > 0.01
    assert rise["sro__interstice_area__voro__difference"] < -0.01


def test_conventions_differ_in_the_bonds_only():
    paper, contact = values(specimen("glass")), values(specimen("glass"), convention="amlearn")
    for name in NAMES:
        assert np.array_equal(paper[name], contact[name]) == ("distance" not in name), name
    assert replace(IntersticeDirection(), axis="x") != IntersticeDirection()
