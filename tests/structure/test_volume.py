"""Volume metrics: golden numbers of touching spheres, the twin on glasses, every NaN rule."""

from __future__ import annotations

import numpy as np
import pytest

from qsdask.quantity import medium_range
from qsdask.structure.volume import Volume
from qsdask.testing import lattices
from tests.naive import packing
from tests.structure.blocks import block_of, glass, of_lattice, shell_of, twin

BCC = np.array(list(np.ndindex(2, 2, 2)), dtype=float) * 2 - 1
FCC = np.array([p for p in np.ndindex(3, 3, 3) if sum(k == 1 for k in p) == 1], dtype=float) - 1


@pytest.mark.parametrize(
    ("point", "cluster", "atomic"), [(BCC, 0.680174762, 0.383483), (FCC, 0.744396, 0.097887)], ids=["bcc", "fcc"]
)
@pytest.mark.parametrize("seed", [None, 1, 2])
def test_touching_spheres(point, cluster, atomic, seed):
    turned = point if seed is None else point @ lattices.random_rotation(seed).T
    value = Volume().compute(shell_of(turned, np.linalg.norm(point[0]) / 2))
    np.testing.assert_allclose(value[0, :2], [cluster, atomic], rtol=0, atol=6e-7)
    if point is BCC:
        assert value[0, 0] == pytest.approx(3**0.5 * np.pi / 8, rel=1e-12)


@pytest.mark.parametrize("made", [lattices.bcc(3.0), lattices.fcc(4.0)], ids=["bcc", "fcc"])
def test_share_of_the_cell_is_the_packing_of_the_lattice(made):
    n = len(made.position)
    radius = (3.0 * 3**0.5 / 4) if n == 128 else 4.0 / 8**0.5
    specimen = of_lattice(made, radius=radius)
    packed = 3**0.5 * np.pi / 8 if n == 128 else np.pi / 18**0.5
    np.testing.assert_allclose(Volume().compute(block_of(specimen))[:, 2], packed, rtol=1e-9)


@pytest.mark.parametrize("kind", ["bulk", "tilted", "thin", "slab"])
def test_glass(golden, kind):
    specimen = glass(kind, golden)
    value = Volume().compute(block_of(specimen))
    expected = [
        [np.nan] * 3 if a is None else packing.volume_columns(a.bond, r, specimen.radius[a.row], a.volume)
        for a, r in zip(twin(kind, golden), specimen.radius, strict=True)
    ]
    np.testing.assert_allclose(value, expected, rtol=1e-9)
    assert np.isfinite(value).all(axis=1).sum() > len(value) / 4


@pytest.mark.parametrize("n", range(2, 27))
def test_coordination_beyond_the_table_has_no_ideal_ratio(n):
    point = np.random.default_rng(n).normal(size=(n, 3))
    point *= 2.8 / np.linalg.norm(point, axis=1)[:, None]
    radius = np.linspace(1.0, 1.6, n + 1)
    expected = packing.volume_columns(point, radius[0], radius[1:], np.nan)
    np.testing.assert_allclose(Volume().compute(shell_of(point, radius)), [expected], rtol=1e-9)
    assert np.isnan(expected[1]) == (n not in range(3, 25))


@pytest.mark.parametrize(
    "point", [BCC[:3], BCC[BCC[:, 0] > 0] - [1.0, 0.0, 0.0], BCC + [1.4, 0.1, 0.0]], ids=["few", "flat", "outside"]
)
def test_without_a_hull_the_cluster_has_no_packing(point):
    value = Volume().compute(shell_of(point, 1.0))[0]
    assert np.isnan(value[[0, 2]]).all()
    assert np.isfinite(value[1])


def test_columns():
    assert len(Volume().columns) == 3
    assert len(medium_range(Volume())) == 12


def test_owning_fewer_atoms_changes_no_bit(golden):
    specimen = glass("tilted", golden)
    owned = np.array([200, 3, 17, 90])
    whole = Volume().compute(block_of(specimen))
    np.testing.assert_array_equal(Volume().compute(block_of(specimen, owned=owned)), whole[owned])
