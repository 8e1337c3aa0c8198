"""A store in the hands of xarray: opened plainly, cut by Dask, saved, pickled, selected, concatenated."""

from __future__ import annotations

import json
import pickle
import tarfile
import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import qsdask
from qsdask.store.described import check_array, text_width
from qsdask.store.validate import metadata

OLD = Path(__file__).parent / "data" / "before-rooms.tar.xz"


@pytest.fixture(scope="module")
def old(tmp_path_factory) -> Path:
    """A store of earlier code: texts of any length, attributes that are mappings."""
    home = tmp_path_factory.mktemp("old")
    with tarfile.open(OLD) as archive:
        archive.extractall(home, filter="data")
    return home / "before-rooms" / "glass.zarr"


def plain(store):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # also of Zarr, that a type is not laid down
        return xr.open_datatree(store, engine="zarr", chunks="auto")


@pytest.fixture(params=["plain", "open_store", "old"])
def tree(request, tiny):
    if request.param == "plain":
        return plain(tiny / "tiny.zarr")
    return qsdask.open_store(request.getfixturevalue("old") if request.param == "old" else tiny / "tiny.zarr")


def test_attributes_are_plain_and_texts_have_one_length(tree):
    seen = 0
    for group in tree.groups:
        for attrs in (tree[group].attrs, *(array.attrs for array in tree[group].variables.values())):
            for value in attrs.values():
                assert isinstance(value, str | int | float | list)
        for array in tree[group].variables.values():
            assert array.dtype.kind in "fiubU"
            seen += array.dtype.kind == "U"
        if "qsdask" in tree[group].attrs:
            assert isinstance(json.loads(tree[group].attrs["qsdask"]), dict)
    assert seen >= 5
    assert tree["atoms"].ds["species_name"].values.tolist() == ["Cu", "Zr"]
    assert "angstrom" in set(tree["features/interstice"].ds["unit"].values.tolist()) | {"angstrom"}


def test_to_netcdf_and_back(tree, tmp_path):
    pytest.importorskip("netCDF4")
    tree.to_netcdf(tmp_path / "glass.nc")
    with xr.open_datatree(tmp_path / "glass.nc") as back:
        xr.testing.assert_equal(back.load(), tree.load())
        assert back["atoms"].attrs == tree["atoms"].attrs
    one = tree["features/interstice"].to_dataset()
    one.to_netcdf(tmp_path / "features.nc")
    xr.testing.assert_equal(xr.open_dataset(tmp_path / "features.nc").load(), one.load())


@pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning", "ignore:Consolidated metadata")
def test_to_zarr_and_back(tree, tmp_path):
    tree.to_zarr(tmp_path / "copy.zarr")
    xr.testing.assert_equal(xr.open_datatree(tmp_path / "copy.zarr", engine="zarr").load(), tree.load())


def test_pickle_isel_and_chunk(tree):
    again = pickle.loads(pickle.dumps(tree))
    xr.testing.assert_identical(again.load(), tree.copy().load())
    few = tree.isel(atom=slice(3, 9), missing_dims="ignore")
    assert few["atoms"].sizes["atom"] == 6
    np.testing.assert_array_equal(few["frames"].ds["position"], tree["frames"].ds["position"][:, 3:9])
    cut = tree.chunk(atom=7)
    np.testing.assert_array_equal(cut["atoms"].ds["species_name"], tree["atoms"].ds["species_name"])


def test_arrays_of_one_name_in_two_groups_are_not_mixed_up(tree):
    """Dask computes together what has one name in its graph."""
    alone = {}
    for node in tree.subtree:
        for name in node.data_vars:
            alone[f"{node.path}/{name}"] = node[name].values
    assert {"/shells/cutoff/neighbour", "/shells/voronoi/neighbour"} <= alone.keys()
    together = tree.load()
    for path, values in alone.items():
        np.testing.assert_array_equal(together[path].values, values)


def test_specimens_are_concatenated(tree, tiny):
    names = xr.Variable("specimen", ["a", "b"])
    for group in ("features/interstice", "atoms", "frames", "response/d2min"):
        one = tree[group].to_dataset()
        both = xr.concat([one, one.copy()], names)
        assert both.sizes["specimen"] == 2
        for name, array in one.data_vars.items():
            found = both[name].isel(specimen=1) if "specimen" in both[name].dims else both[name]
            np.testing.assert_array_equal(found, array)
    atoms = [qsdask.open_store(tiny / "tiny.zarr").qs.atoms(), qsdask.open_store(tiny / "tiny.zarr").qs.atoms()]
    assert xr.concat(atoms, "atom", data_vars="minimal").sizes["atom"] == 96


def test_what_earlier_code_cannot_read_is_said_in_the_root(tiny, old):
    for store, needed in ((tiny / "tiny.zarr", ["runs", "text"]), (old, [])):
        mark = json.loads((store / "zarr.json").read_text())["attributes"]["qsdask"]
        assert (json.loads(mark) if isinstance(mark, str) else mark)["requires"] == needed


@pytest.mark.parametrize("width", [0, 3, 2, -4, 2**24, "8", 8.0, True, None])
def test_a_width_that_is_none_is_refused(tiny, width):
    name = "atoms/species_name"
    found = metadata(tiny / "tiny.zarr", f"{name}/zarr.json")
    assert text_width(found) == 8
    check_array(tiny / "tiny.zarr", name, found)
    found["data_type"]["configuration"]["length_bytes"] = width
    with pytest.raises(qsdask.QSDaskError, match="E-STORE-UNSAFE"):
        check_array(tiny / "tiny.zarr", name, found)
