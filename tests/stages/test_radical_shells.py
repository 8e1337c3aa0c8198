"""Radical shells in a store: the kernel's cells, whatever the domains, and refused where plain ones were learned from."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

import qsdask
from qsdask.errors import BadDataError, QSDaskError, UsageError
from qsdask.kernels.tessellate import EMPTY, OPEN, voronoi_shell
from qsdask.settings import ShellSettings
from qsdask.testing.blocks import Specimen, specimen
from qsdask.testing.lattices import open_block
from tests.conftest import SPECIES


def dump_of(glass: Specimen) -> str:
    """A LAMMPS dump of one frame with all digits."""
    cell, origin = glass.box.cell, glass.box.origin
    xy, xz, yz = cell[1, 0], cell[2, 0], cell[2, 1]
    low = origin + [min(0, xy, xz, xy + xz), min(0, yz), 0]
    high = origin + np.diag(cell) + [max(0, xy, xz, xy + xz), max(0, yz), 0]
    sides = " ".join("pp" if periodic else "ff" for periodic in glass.box.periodic)
    bounds = [" ".join(map(repr, map(float, row))) for row in zip(low, high, (xy, xz, yz), strict=True)]
    rows = [
        f"{i} {s + 1} " + " ".join(map(repr, map(float, x)))
        for i, s, x in zip(glass.id, glass.species, glass.box.wrap(glass.position), strict=True)
    ]
    head = ["ITEM: TIMESTEP", "0", "ITEM: NUMBER OF ATOMS", str(len(rows))]
    head += [f"ITEM: BOX BOUNDS xy xz yz {sides}", *bounds, "ITEM: ATOMS id type x y z"]
    return "\n".join([*head, *rows]) + "\n"


def store_of(glass: Specimen, folder, few, *, domains=1, radius=None, **settings):
    """A store with shells."""
    dump, store = folder / "a.dump", folder / f"{domains}.zarr"
    dump.write_text(dump_of(glass))
    chunk = max(16, -(-len(glass.id) // domains))
    qsdask.ingest(dump, store, species=SPECIES, chunk=chunk, radius=radius, run=few)
    qsdask.shells(store, run=few, **settings)
    return store


def shells_of(store):
    """Voronoi shell by atom id."""
    tree = qsdask.open_store(store)
    ids = tree["atoms"].ds["id"].values
    found = tree["shells/voronoi"].ds.load().isel(atom=np.argsort(ids))
    neighbour = np.where(found["neighbour"] >= 0, ids[found["neighbour"].values], -1)
    return {**{name: found[name].values for name in found}, "neighbour": neighbour}


@pytest.mark.parametrize("name", ["glass", "tilted", "thin", "slab"])
def test_the_store_holds_the_cells_of_the_kernel(name, tmp_path, few):
    glass = specimen(name)
    found = shells_of(store_of(glass, tmp_path, few, tessellation="radical", facet_fraction=0.0))
    box = glass.box
    block = open_block(box.wrap(glass.position), box.cell, box.origin, box.periodic, 30.0, id=glass.id)
    radius = glass.radius[glass.species[block.row]]
    cells = voronoi_shell(block.position, block.order, block.n_owned, 30.0, radius=radius)
    order = np.argsort(glass.id)
    for mine, theirs in (("cell_volume", cells.volume), ("flag", cells.state)):
        np.testing.assert_allclose(found[mine], theirs[order], rtol=1e-9)
    n = cells.neighbour.shape[1]
    for mine, theirs in (("distance", cells.distance), ("facet_area", cells.area)):
        np.testing.assert_allclose(found[mine][:, :n], theirs[order], rtol=1e-7, atol=1e-9)
    assert (found["flag"] == OPEN).any() == (name == "slab")
    if name != "slab":
        assert found["cell_volume"].sum() == pytest.approx(box.volume, rel=1e-9)


@pytest.mark.parametrize("name", ["glass", "thin", "slab"])
def test_the_number_of_domains_changes_nothing(name, tmp_path, few):
    glass = specimen(name)
    made = [
        shells_of(store_of(glass, tmp_path, few, domains=n, tessellation="radical", open_radius=6.0))
        for n in (1, 3, 17)
    ]
    for other in made[1:]:
        for key in ("neighbour", "distance", "edges", "flag"):
            np.testing.assert_array_equal(other[key], made[0][key], err_msg=key)
        for key in ("facet_area", "cell_volume"):
            np.testing.assert_allclose(other[key], made[0][key], rtol=1e-9, err_msg=key)


def test_equal_radii_give_the_plain_shells(tmp_path, few):
    glass = specimen("tilted")
    equal = {"Cu": 1.4, "Zr": 1.4}
    store = store_of(glass, tmp_path, few, radius=equal)
    plain = shells_of(store)
    qsdask.shells(store, tessellation="radical", run=type(few)("threads", 2, True, False))
    radical = shells_of(store)
    for key, value in plain.items():
        np.testing.assert_array_equal(radical[key], value, err_msg=key)


def test_unlike_radii_find_the_empty_cells_and_their_columns_are_nan(tmp_path, few):
    """Radii so unlike that small atoms lose their cells; features have NaN there, and nowhere else."""
    glass = specimen("glass")
    store = store_of(glass, tmp_path, few, domains=3, radius={"Cu": 0.5, "Zr": 3.4}, tessellation="radical")
    found = shells_of(store)
    empty = found["flag"] == EMPTY
    assert 0 < empty.sum() < len(empty)
    assert not (found["flag"] & ~np.uint8(EMPTY)).any()
    assert (found["neighbour"][empty] == -1).all()
    assert np.isnan(found["cell_volume"][empty]).all()
    assert np.nansum(found["cell_volume"]) == pytest.approx(glass.box.volume, rel=1e-9)
    qsdask.features(store, set="coordination,volume,voronoi_index,bond_order,interstice", run=few)
    tree = qsdask.open_store(store)
    order = np.argsort(tree["atoms"].ds["id"].values)
    for name, column in (
        ("coordination", "sro__coordination__voro"),
        ("volume", "sro__atomic_volume_share__voro"),
        ("voronoi_index", "sro__voronoi_index_n5__voro"),
        ("bond_order", "sro__bond_order_q6__voro"),
        ("interstice", "sro__interstice_distance__voro__mean"),
    ):
        value = tree[f"features/{name}"].ds["value"].sel(feature=column).values[order]
        np.testing.assert_array_equal(np.isnan(value), empty, err_msg=column)
        assert not np.isinf(value).any()


def test_a_model_of_plain_shells_refuses_radical_ones(glass, tmp_path, few):
    model = tmp_path / "plain.qs"
    qsdask.train([glass], model=model, trees=5, draws=1, folds=2, run=few)
    other = tmp_path / "other.zarr"
    shutil.copytree(glass, other)
    with pytest.raises(QSDaskError, match="tessellation: default -> radical"):
        qsdask.shells(other, tessellation="radical", run=few)
    qsdask.shells(other, tessellation="radical", run=type(few)("threads", 2, True, False))
    qsdask.features(other, run=few)
    with pytest.raises(BadDataError, match="tessellation") as error:
        qsdask.predict(other, model=model, run=few)
    assert error.value.code == "E-FEATURES-DIFFER"


def test_plain_shells_are_stored_as_before():
    assert "tessellation" not in ShellSettings().stored()
    assert ShellSettings(tessellation="radical").stored()["tessellation"] == "radical"


def test_an_unknown_tessellation_is_refused(tmp_path):
    with pytest.raises(UsageError, match="tessellation"):
        qsdask.shells(tmp_path / "none.zarr", tessellation="laguerre")
