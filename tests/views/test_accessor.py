"""The `.qs` accessor answers lazily and correctly."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import xarray as xr

import qsdask
from qsdask.errors import NoInputError, UsageError
from qsdask.store import ledger


def edges_of(tree: xr.DataTree, frame: int = 0) -> np.ndarray:
    return np.diag(tree["frames"].ds["cell"].values[frame])


def with_frames(tree: xr.DataTree, **arrays: np.ndarray) -> xr.DataTree:
    """The tree with other positions or boxes."""
    frames = tree["frames"].to_dataset().load()
    changed = frames.assign({name: (frames[name].dims, values, frames[name].attrs) for name, values in arrays.items()})
    made = tree.copy()
    made["frames"] = xr.DataTree(changed)
    return made


@pytest.mark.parametrize("centre", [0.1, 20.0, 47.9, -300.3])
def test_a_slab_goes_on_through_periodic_faces_and_is_wrapped(glass, centre):
    tree = qsdask.open_store(glass)
    slab = tree.qs.slab("y", centre, 2.0, frame=2)
    assert slab["position"].chunks is not None
    frames = tree["frames"].ds.isel(step=2).load()
    edge, origin = edges_of(tree, 2), frames["origin"].values
    away = frames["position"].values[:, 1] - centre
    inside = np.abs(away - edge[1] * np.round(away / edge[1])) < 1.0
    np.testing.assert_array_equal(slab["id"].values, tree["atoms"].ds["id"].values[inside])
    assert 200 < inside.sum() < 400
    moved = (slab["position"].values - frames["position"].values[inside]) / edge
    np.testing.assert_allclose(moved, np.round(moved), atol=1e-9)
    reduced = (slab["position"].values - origin) / edge
    assert ((reduced > -1e-6) & (reduced < 1.0 + 1e-6)).all()
    np.testing.assert_array_equal(slab["d2min"].values, tree["response/d2min"].ds["d2min"].values[2][inside])


def test_slabs_that_touch_share_no_atom_and_miss_none(glass):
    tree = qsdask.open_store(glass)
    thick = edges_of(tree)[0] / 4
    low = tree["frames"].ds["origin"].values[0, 0]
    found = [tree.qs.slab("x", low + (k + 0.5) * thick, thick)["id"].values for k in range(4)]
    np.testing.assert_array_equal(np.sort(np.concatenate(found)), np.sort(tree["atoms"].ds["id"].values))
    assert tree.qs.slab("x", thickness=2.0).equals(tree.qs.slab("x", low + 2 * thick, 2.0))


def test_a_slab_is_the_same_unwrapped_moved_and_cut_into_other_chunks(glass):
    tree = qsdask.open_store(glass)
    expected = tree.qs.slab("z", 3.0, 2.5)["id"].values
    frames = tree["frames"].ds.load()
    image = np.random.default_rng(1).integers(-2, 3, frames["position"].shape[1:])
    far = frames["position"].values + image * edges_of(tree)
    np.testing.assert_array_equal(with_frames(tree, position=far).qs.slab("z", 3.0, 2.5)["id"], expected)
    np.testing.assert_array_equal(tree.chunk(atom=1000).qs.slab("z", 3.0, 2.5)["id"], expected)
    shift = np.array([5.0, -7.0, -64.0])
    moved = with_frames(
        tree, position=frames["position"].values + shift, origin=frames["origin"].values + shift
    ).qs.slab("z", -61.0, 2.5)
    np.testing.assert_array_equal(moved["id"], expected)


def test_a_slab_of_a_sheared_box_lies_parallel_to_its_faces(tiny):
    tree = qsdask.open_store(tiny / "tiny.zarr")
    cell = tree["frames"].ds["cell"].values.copy()
    cell[:, 1, 0], cell[:, 2, 0] = 3.0, -2.0
    sheared = with_frames(tree, cell=cell)
    position, origin = sheared["frames"].ds["position"].values[0], sheared["frames"].ds["origin"].values[0]
    normal = np.cross(cell[0, 1], cell[0, 2])
    normal /= np.linalg.norm(normal)
    height = cell[0, 0] @ normal
    away = position @ normal - (origin @ normal + 1.0)
    inside = np.abs(away - height * np.round(away / height)) < 1.5
    found = sheared.qs.slab("x", float(origin @ normal + 1.0), 3.0)
    assert 0 < inside.sum() < 48
    np.testing.assert_array_equal(found["id"], tree["atoms"].ds["id"].values[inside])


def test_plastic(glass):
    tree = qsdask.open_store(glass)
    d2 = tree["response/d2min"].ds["d2min"].values
    plastic = tree.qs.plastic(0.04, 5.0)
    assert plastic.sizes["atom"] == (d2[-1] > 5.0).sum() > 100
    assert plastic["d2min"].chunks is not None


def test_unknown_axis_and_missing_softness(glass):
    tree = qsdask.open_store(glass)
    with pytest.raises(UsageError, match="E-AXIS"):
        tree.qs.slab("w", 0.0, 1.0)
    with pytest.raises(UsageError, match="E-THICKNESS"):
        tree.qs.slab("x", 0.0, 0.0)
    for ask in (tree.qs.soft, tree.qs.plot.slab, tree.qs.plot.spectrum):
        with pytest.raises(NoInputError, match="qsdask predict"):
            ask()


def test_a_frame_that_is_not_there_and_a_missing_response_are_refused(glass):
    tree = qsdask.open_store(glass)
    last = tree.qs.atoms(step=-1)["position"].values
    np.testing.assert_array_equal(last, tree["frames"].ds["position"].values[3])
    for step in (4, -5):
        with pytest.raises(UsageError, match="E-STEP"):
            tree.qs.atoms(step=step)
    del tree["response"]
    with pytest.raises(NoInputError, match="qsdask respond"):
        tree.qs.plastic()


def test_what_is_called_qs_is_reached_by_its_name_and_the_questions_too(tiny):
    tree = qsdask.open_store(tiny / "tiny.zarr")
    array = tree.softness.tiny.qs
    assert isinstance(array, xr.DataArray)
    xr.testing.assert_identical(array, tree["softness/tiny/qs"])
    n_soft = int((array.values > 0.5).sum())
    assert tree.qs.soft(0.5).sizes["atom"] == tree.features.interstice.qs.soft(0.5).sizes["atom"] == n_soft > 0
    both = xr.DataTree.from_dict({"a": tree, "b": tree})
    assert both.a.qs.slab("x", thickness=1e3).sizes["atom"] == 48
    assert both["b/frames"].qs.to_dataframe(["qs"]).equals(tree.qs.to_dataframe(["qs"]))
    node = tree.softness.tiny
    node["qs"] = 2.0 * array
    xr.testing.assert_equal(node.qs, 2.0 * array)
    tree["softness/qs"] = xr.DataTree(node.to_dataset())
    assert isinstance(tree.softness.qs.qs, xr.DataArray)


def test_id_and_element_are_lazy_coordinates_of_whatever_has_atoms(tiny):
    tree = qsdask.open_store(tiny / "tiny.zarr")
    identity = tree["atoms"].ds["id"].values
    element = np.array(["Cu", "Zr"])[tree["atoms"].ds["species"].values]
    seen = 0
    for node in tree.subtree:
        held = {"id", "element"} <= set(node.coords)
        assert held == ("atom" in node.dims)
        if held:
            assert node.coords["id"].chunks == node.coords["element"].chunks == ((24, 24),)
            np.testing.assert_array_equal(node.coords["id"], identity)
            np.testing.assert_array_equal(node.coords["element"], element)
            assert node.coords["element"].attrs["long_name"]
            seen += 1
    assert seen >= 6
    qs = tree.softness.tiny.qs
    assert qs.set_xindex("id").sel(id=9) == qs[identity == 9]
    mean = qs.groupby(tree["atoms"].ds["element"].compute()).mean()
    assert float(mean.sel(element="Zr")) == pytest.approx(float(np.nanmean(qs.values[element == "Zr"])))


def test_a_table_has_what_the_store_has(tiny):
    tree = qsdask.open_store(tiny / "tiny.zarr")
    feature = str(tree["features/interstice"].ds["feature"].values[3])
    table = tree.qs.to_dataframe(["QS", "D2min", feature.upper(), "id", "Species"], frame=-1)
    assert list(table) == ["id", "element", "x", "y", "z", "qs", "d2min", feature]
    np.testing.assert_array_equal(table[["x", "y", "z"]], tree["frames"].ds["position"].values[1])
    np.testing.assert_array_equal(table["d2min"], tree["response/d2min"].ds["d2min"].values[1])
    np.testing.assert_array_equal(table["qs"], tree.softness.tiny.qs)
    np.testing.assert_array_equal(table[feature], tree["features/interstice"].ds["value"].values[:, 3])
    assert set(table["element"]) == {"Cu", "Zr"}
    with pytest.raises(UsageError, match=r"(?s)E-COLUMN.*d2min"):
        tree.qs.to_dataframe(["d2mim"])
    with pytest.raises(UsageError, match="E-MODEL-NAME"):
        tree.qs.to_dataframe(["qs"], model="other")


def test_a_frame_becomes_atoms_of_ase(tiny, monkeypatch):
    pytest.importorskip("ase")
    tree = qsdask.open_store(tiny / "tiny.zarr")
    table = tree.qs.to_dataframe(["qs", "valid"], frame=1)
    atoms = tree.qs.to_ase(1, ["qs", "valid"])
    assert atoms.get_chemical_symbols() == table["element"].tolist()
    np.testing.assert_array_equal(atoms.positions, table[["x", "y", "z"]])
    for name in ("id", "qs", "valid"):
        np.testing.assert_array_equal(atoms.arrays[name], table[name])
    np.testing.assert_array_equal(atoms.cell, tree["frames"].ds["cell"].values[1])
    np.testing.assert_array_equal(atoms.get_celldisp().ravel(), tree["frames"].ds["origin"].values[1])
    assert atoms.pbc.all()
    lost = tree["frames"].ds["position"].values.copy()
    lost[1, 5] = np.nan
    assert len(with_frames(tree, position=lost).qs.to_ase(1)) == 47
    named = tree.copy()
    named["atoms"] = xr.DataTree(tree["atoms"].to_dataset().assign(species_name=("kind", ["A", "Zr"])))
    other = named.qs.to_ase()
    assert set(other.get_chemical_symbols()) == {"X", "Zr"}
    assert other.arrays["label"].tolist() == np.where(table["element"] == "Cu", "A", "Zr").tolist()
    monkeypatch.setitem(__import__("sys").modules, "ase", None)
    with pytest.raises(UsageError, match=r"(?s)E-EXTRA.*qsdask\[ase\]"):
        tree.qs.to_ase()


def test_pictures(tiny):
    tree = qsdask.open_store(tiny / "tiny.zarr")
    slab = tree.qs.slab("z", 1.0, 3.0, frame=1)
    figure = tree.qs.plot.slab("z", 1.0, 3.0, frame=1)
    drawn = figure.axes[0].collections[0].get_array()
    np.testing.assert_array_equal(np.sort(drawn.filled(-1.0)), np.sort(slab["qs"].fillna(-1.0).values))
    assert 0 < len(drawn) < 48
    assert figure._repr_png_().startswith(b"\x89PNG")
    heights = [
        [bar.get_height() for bar in one.qs.plot.spectrum().axes[0].patches] for one in (tree, tree.chunk(atom=7))
    ]
    assert heights[0] == heights[1]
    qs = tree.softness.tiny.qs.values
    expected, _ = np.histogram(qs[np.isfinite(qs)], 50, (0.0, 1.0), density=True)
    np.testing.assert_allclose(heights[0], expected, atol=1e-9)


def test_a_store_tells_what_is_in_it_complete_or_not(tiny, own, tmp_path):
    store = own / "tiny.zarr"
    ledger.reopen(store, ledger.read(store, "softness/tiny"), [(0, 0, 0)])
    page = qsdask.open_store(store).qs._repr_html_()
    assert "48 atoms" in page
    assert "softness/tiny</th><td>1 of 2 tasks" in page
    assert "response/d2min</th><td>complete" in page
    assert "softness/tiny, state 1 of 2 tasks" in repr(qsdask.open_store(store).qs)
    few = qsdask.open_store(store).qs
    shutil.rmtree(store)
    assert "atom: 48" in few._repr_html_()
