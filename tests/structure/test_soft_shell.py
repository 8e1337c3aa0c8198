"""The set ``soft_shell``: known lattices, the twin on glasses, and nothing that jumps where a facet opens."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import pytest

import qsdask
from qsdask.errors import UsageError
from qsdask.kernels.soft import soft_shell
from qsdask.quantity import coarsened, feature_sets, medium_range
from qsdask.stages.features import set_names
from qsdask.structure.coordination import Coordination
from qsdask.structure.soft_shell import SoftShell
from qsdask.testing.blocks import block_of, lattice, specimen
from tests.naive import soft as naive
from tests.stages.test_radical_shells import store_of
from tests.structure import blocks

BINARY = SoftShell(species=("Cu", "Zr"))
NAMES = [column.name for column in BINARY.columns]
#: No column changes by more than this while an atom moves by one angstrom.
STEEPEST = 5.0


def values(found, owned=None, quantity=BINARY, fraction=0.0):
    """By column; all facets are kept."""
    block = block_of(found, ("voronoi",), rings=2, fraction=fraction, owned=owned)
    return dict(zip(NAMES, quantity(block).T, strict=True))


def test_columns_are_of_the_first_shell_and_averaged_and_follow_the_species():
    assert NAMES[:5] == [
        "sro__soft_coordination__voro",
        "sro__soft_interstice_distance__voro__mean",
        "sro__soft_interstice_distance__voro__std",
        "sro__soft_share_cu__voro",
        "sro__soft_share_zr__voro",
    ]
    assert NAMES[5:] == [name.replace("sro__", "mro__average_") for name in NAMES[:5]]
    assert len(medium_range(BINARY)) == 20
    assert len(SoftShell(species=("Cu", "Zr", "Al")).columns) == 12


@pytest.mark.parametrize("name", ["sc", "fcc", "hcp", "icosahedron"])
def test_equal_facets_count_one_each(name):
    """Also where noise of rounding opens facets without area at the vertices, as in sc and fcc."""
    found = values(lattice(name), np.arange(1))
    number = 6.0 if name == "sc" else 12.0
    assert found["sro__soft_coordination__voro"][0] == pytest.approx(number, rel=1e-9)
    for statistic in ("mean", "std"):
        assert found[f"sro__soft_interstice_distance__voro__{statistic}"][0] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(("convention", "gap"), [("paper", 1 - np.sqrt(0.75)), ("amlearn", np.sqrt(4 / 3) - 1)])
def test_bcc_weighs_squares_and_hexagons_by_their_areas(convention, gap):
    """Edges are equal: squares of area 1, hexagons of 3 sqrt(3) / 2; only the squares stand off."""
    hexagon = 1.5 * np.sqrt(3.0)
    total = 6.0 + 8.0 * hexagon
    share = 6.0 / total
    found = values(lattice("bcc"), quantity=SoftShell(convention, ("Cu", "Zr")))
    expected = [total**2 / (6.0 + 8.0 * hexagon**2), gap * share, gap * np.sqrt(share * (1.0 - share)), 1.0, 0.0]
    for order in ("sro__", "mro__average_"):
        names = [name for name in NAMES if name.startswith(order)]
        for name, value in zip(names, expected, strict=True):
            np.testing.assert_allclose(found[name], value, rtol=1e-9, atol=1e-12, err_msg=name)


def test_caesium_chloride_shares_its_area_between_hexagons_and_squares():
    found = lattice("bcc")
    kind = (np.round(found.position @ np.linalg.inv(found.box.cell) * 8).astype(int)[:, 0] % 2).astype(np.int16)
    mixed = found._replace(species=kind, radius=np.repeat(found.radius[:1], 2))
    square = 1.0 / (1.0 + 2.0 * np.sqrt(3.0))
    zr = values(mixed)["sro__soft_share_zr__voro"]
    np.testing.assert_allclose(zr, np.where(kind == 1, square, 1.0 - square), rtol=1e-9)


@pytest.mark.parametrize("kind", ["bulk", "tilted", "thin", "slab"])
@pytest.mark.parametrize("convention", ["paper", "amlearn"])
def test_glass(golden, kind, convention):
    glass, cells = blocks.glass(kind, golden), blocks.twin(kind, golden, 0.0)
    contact, n = convention == "amlearn", len(glass.species)
    own = [naive.columns(cells, i, glass.species, glass.radius, 2, contact) for i in range(n)]
    block = blocks.block_of(glass, 0.0, rings=2)
    value = SoftShell(convention, ("Cu", "Zr")).compute(block)
    expected = np.concatenate([own, naive.averages(cells, own)], axis=1)
    np.testing.assert_allclose(value, expected, rtol=1e-7, atol=1e-9)
    assert np.isnan(value).any() == (kind == "slab")
    assert np.isnan(value[:, 5:]).sum() >= np.isnan(value[:, :5]).sum()


def test_equal_distances_have_no_spread_whatever_their_weights():
    point = np.concatenate([np.eye(3), -np.eye(3)]) * 2.5
    block = blocks.shell_of(point, 1.0)
    shell = block.shells["voronoi"]
    weight = np.array([[1e-18, 3.0, 0.1, 1.0, 1.0, 0.0]])
    value = soft_shell(block.position, block.radius, block.species, 1, 1, shell.neighbour, shell.count, weight)
    np.testing.assert_allclose(value, [[5.1, 0.2, 0.0, 1.0]], rtol=1e-15, atol=0)
    with pytest.raises(ValueError, match="species indices"):
        soft_shell(block.position, block.radius, block.species + 1, 1, 1, shell.neighbour, shell.count, weight)
    with pytest.raises(ValueError, match="must have shapes"):
        soft_shell(block.position, block.radius, block.species, 1, 1, shell.neighbour, shell.count, weight[:, 1:])


def moved(length):
    """The glass with one atom moved along a line."""
    glass = specimen("glass")
    position = glass.position.copy()
    position[0] += length * np.array([0.6, 0.64, 0.48])
    return glass._replace(position=position)


def hard(length, fraction):
    """Number of facets of every atom."""
    return Coordination().compute(block_of(moved(length), ("voronoi", "cutoff"), fraction=fraction))[:, 0]


@cache
def events(fraction):
    """Lengths just before and just after facets open or close somewhere, 2e-6 angstrom apart."""
    found = []
    coarse = np.linspace(0.0, 1.0, 21)
    for low, high in pairwise(coarse):
        if (hard(low, fraction) == hard(high, fraction)).all():
            continue
        while high - low > 2e-6:
            middle = (low + high) / 2
            changed = (hard(low, fraction) != hard(middle, fraction)).any()
            low, high = (low, middle) if changed else (middle, high)
        found.append((low, high))
    return found


@pytest.mark.parametrize("fraction", [0.0, 0.05])
def test_no_column_jumps_where_the_hard_coordination_number_does(fraction):
    assert len(events(fraction)) >= 4
    for low, high in events(fraction):
        jump = hard(high, fraction) - hard(low, fraction)
        assert np.abs(jump).max() == 1
        before, after = values(moved(low)), values(moved(high))
        for name in NAMES:
            assert np.abs(after[name] - before[name]).max() < STEEPEST * (high - low), name
    # It does see the atom move.
    before, after = values(moved(0.0)), values(moved(1.0))
    assert all(np.abs(after[name] - before[name]).max() > 0.01 for name in NAMES)


def test_with_the_facet_filter_the_same_columns_would_jump():
    low, high = events(0.05)[0]
    before, after = values(moved(low), fraction=0.05), values(moved(high), fraction=0.05)
    assert np.abs(after[NAMES[0]] - before[NAMES[0]]).max() > 1e3 * STEEPEST * (high - low)


def test_statistics_over_the_neighbours_jump_where_the_average_does_not():
    """They count a neighbour behind a vanishing facet as any other."""
    low, high = events(0.0)[0]
    found = []
    for length in (low, high):
        block = block_of(moved(length), ("voronoi",), rings=2, fraction=0.0)
        own = BINARY(block)[:, :5]
        found.append(coarsened(BINARY, own[block.row], block.n_owned, block.shells))
    assert np.abs(found[1] - found[0]).max() > 1e3 * STEEPEST * (high - low)


def test_shells_without_their_small_facets_are_refused_and_left_out_of_all(tmp_path, few, caplog, monkeypatch):
    store = store_of(specimen("glass"), tmp_path, few)
    with pytest.raises(UsageError) as error:
        qsdask.features(store, set="soft_shell", run=few)
    assert error.value.code == "E-SOFT-FACETS"
    assert "--facet-fraction 0" in error.value.hint
    caplog.clear()
    assert set_names("all", {"facet_fraction": 0.05}) == [name for name in feature_sets() if name != "soft_shell"]
    [said] = [record.getMessage() for record in caplog.records if record.name.startswith("qsdask")]
    caplog.clear()
    assert said.startswith("all is without soft_shell: soft facets need all facets")
    assert "--facet-fraction 0" in said
    assert set_names("all", {"facet_fraction": 0.0}) == list(feature_sets())
    assert not caplog.records
    # What is asked for by a setting is refused, not left out.
    with pytest.raises(UsageError) as error:
        qsdask.features(store, set="all", facet_weighting="area", run=few)
    assert error.value.code == "E-SOFT-FACETS"
    made = []
    monkeypatch.setattr("qsdask.stages.features._compute_set", lambda path, frame, name, *rest: made.append(name))
    qsdask.features(store, set="all", run=few)
    assert made == [name for name in feature_sets() if name != "soft_shell"]


def test_a_store_holds_the_columns_of_the_block_whatever_its_domains(tmp_path, few):
    found = []
    for domains in (1, 3):
        store = store_of(specimen("glass"), tmp_path, few, domains=domains, facet_fraction=0.0)
        qsdask.features(store, set="soft_shell", run=few)
        tree = qsdask.open_store(store)
        stored = tree["features/soft_shell"].ds["value"].load()
        assert stored.shape[1] == 30
        order = np.argsort(tree["atoms"].ds["id"].values)
        found.append(stored.isel(atom=order).sel(feature=NAMES).values)
    np.testing.assert_array_equal(*found)
    whole = np.array(list(values(specimen("glass")).values())).T[np.argsort(specimen("glass").id)]
    np.testing.assert_allclose(found[0], whole, rtol=1e-6, atol=1e-7)
