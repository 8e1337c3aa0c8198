"""What the engine gives a feature set: the shells of the atoms around, every atom within a reach, the specimen's facts."""

from __future__ import annotations

import numpy as np
import pytest

from qsdask.engine.halo_block import halo_block
from qsdask.engine.neighbourhood import shell_block
from qsdask.errors import UsageError
from qsdask.quantity import feature_sets
from qsdask.stages.features import facts_of, set_names
from qsdask.store.reader import StoreReader


@pytest.mark.parametrize("shell", ["voronoi", "cutoff"])
def test_second_ring_holds_the_stored_shells_of_the_first(glass, shell):
    root = StoreReader(glass)
    block = shell_block(root, 1, (shell,), rings=2)
    found = block.shells[shell]
    stored = {key: root[f"shells/{shell}/{key}"][:] for key in ("neighbour", "image", "distance")}
    assert len(found.count) > block.n_owned
    for entry in range(0, len(found.count), 97):
        n = found.count[entry]
        neighbour = found.neighbour[entry, :n]
        row = block.row[entry]
        np.testing.assert_array_equal(block.row[neighbour], stored["neighbour"][row, :n])
        np.testing.assert_array_equal(block.image[neighbour] - block.image[entry], stored["image"][row, :n])
        bond = np.linalg.norm(block.position[neighbour] - block.position[entry], axis=1)
        np.testing.assert_allclose(bond, stored["distance"][row, :n], rtol=1e-12)


def test_first_ring_is_the_same_with_and_without_the_second(glass):
    root = StoreReader(glass)
    one, two = (shell_block(root, 0, ("voronoi", "cutoff"), rings) for rings in (1, 2))
    n_ring = len(one.row)
    for name in ("row", "image", "position", "species"):
        np.testing.assert_array_equal(getattr(two, name)[:n_ring], getattr(one, name))
    for name in ("voronoi", "cutoff"):
        assert len(two.shells[name].count) == n_ring
        np.testing.assert_array_equal(two.shells[name].neighbour[: one.n_owned], one.shells[name].neighbour)


def test_block_of_a_reach_holds_every_atom_within_it(glass):
    root = StoreReader(glass)
    block = halo_block(root, 2, 7.0)
    x = root["frames/position"][0]
    cell, owned = root["frames/cell"][0], block.position[:5]
    turns = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    every = (block.box.wrap(x)[:, None] + turns @ cell).reshape(-1, 3)
    for centre in owned:
        expected = (np.linalg.norm(every - centre, axis=1) < 7.0).sum()
        assert (np.linalg.norm(block.position - centre, axis=1) < 7.0).sum() == expected


def test_facts_are_those_of_the_whole_specimen(glass):
    root = StoreReader(glass)
    facts = facts_of(root)
    assert facts["species"] == ("Cu", "Zr")
    np.testing.assert_allclose(facts["composition"], np.bincount(root["atoms/species"][:]) / 6912)
    assert facts["radius"] == (1.26, 1.58)


def test_sets_are_named_one_by_one_or_all():
    assert set_names("interstice") == ["interstice"]
    assert set_names("interstice, coordination") == ["interstice", "coordination"]
    assert set_names("all") == list(feature_sets())
    with pytest.raises(UsageError) as refusal:
        set_names("interstice,nothing")
    assert refusal.value.code == "E-FEATURE-SET"
