"""Opening a store for reading: lazily, and only what is complete."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import xarray as xr

from qsdask.files.location import located
from qsdask.store.described import check_array, check_group, registered
from qsdask.store.lineage import refuse_other_inputs
from qsdask.store.manifest import metadata_keys
from qsdask.store.marks import check_root
from qsdask.store.reader import CheckedStore
from qsdask.store.record import records
from qsdask.store.validate import damaged, metadata

__all__ = ["open_store"]


def open_store(path: str | Path, *, partial: bool = False) -> xr.DataTree:
    """Open a specimen's store as a lazy tree of datasets.

    Parameters
    ----------
    path : str or Path
        Root of the store: its folder, or one zip file of it, which is read where it is.
    partial : bool
        Show unfinished stages too; their missing chunks read as fill values.

    Returns
    -------
    xarray.DataTree
        Groups ``/atoms``, ``/frames``, ``/domains``, ``/shells/*``, ``/features/*``, ``/response/*``,
        ``/softness/*``, ``/explanation/*``, and of deformed frames ``/steps/<step>/shells/*``, ``/steps/<step>/features/*``,
        ``/steps/<step>/softness/*``, ``/steps/<step>/explanation/*``, as far as they are complete, chunked as stored (Dask arrays).
        Closing the tree closes the files.
        Whatever has the dimension ``atom`` has the coordinates ``id`` and ``element``; ``set_xindex("id")`` makes ``sel(id=9)`` work.
        ``tree.qs`` answers what people ask first (`qsdask.views.accessor`). ``to_netcdf``, ``to_zarr``, ``isel``,
        ``xarray.concat`` and pickling work: texts have one length, and attributes are numbers, texts or lists; ``qsdask``, how a
        stage was computed, is JSON.

    Raises
    ------
    NoInputError
        ``E-NO-STORE`` when there is no store at `path`.
    BadDataError
        ``E-INPUTS-DIFFER`` when a stage was computed from other numbers than those of this store.

    Examples
    --------
    >>> tree = qsdask.open_store("glass7.zarr")  # doctest: +SKIP
    >>> tree["features/interstice"].ds["value"].mean("atom").compute()  # doctest: +SKIP
    """
    root = located(path)
    known = records(root)
    for record in known:
        refuse_other_inputs(root, record)
    if partial:
        files = [file for record in known for file in metadata_keys(root, record.groups)]
        shown = {
            file.removesuffix("/zarr.json"): found for file in files if (found := metadata(root, file)) is not None
        }
    else:
        shown = _contents(root)
    store = CheckedStore(root, partial=partial)
    for name, found in shown.items():
        if registered(name) is not None or found.get("node_type") != "group":
            check_array(root, name, found)
            store.described[name] = found
        else:
            check_group(root, name, found)
    # xarray takes Zarr's stores too; its types do not say so. Not `open_groups`: it gives arrays of one name in two groups one
    # name in Dask's graphs, and what is computed together is then that of either.
    tree = xr.open_datatree(store, engine="zarr", chunks={}, consolidated=not partial)  # type: ignore[arg-type]
    groups = {node.path: _plain(node.to_dataset(inherit=False)) for node in tree.subtree}
    open_groups = {name: group for name, group in groups.items() if not name.startswith("/ledger")}
    whose = _identity(open_groups.get("/atoms", xr.Dataset()))
    made = {
        name: group.assign_coords({k: v for k, v in whose.items() if "atom" in group.dims})
        for name, group in open_groups.items()
    }
    made["/"].encoding["source"] = str(root)
    return xr.DataTree.from_dict(made)


def _identity(atoms: xr.Dataset) -> dict[str, xr.Variable]:
    """Coordinates that say which atom a row is, as far as they are stored; lazy."""
    found = {}
    if "id" in atoms:
        found["id"] = atoms["id"].variable
    if "species" in atoms and "species_name" in atoms:
        names, species = atoms["species_name"].values, atoms["species"].variable
        code = species.data
        element = code.map_blocks(_named, names=names, dtype=names.dtype) if species.chunks else _named(code, names)
        found["element"] = xr.Variable("atom", element, {"units": "1", "long_name": "chemical symbol of the atom"})
    return found


def _named(code: np.ndarray, names: np.ndarray) -> np.ndarray:
    return names[code]


def _plain(group: xr.Dataset) -> xr.Dataset:
    """A group as stores are written now: texts of one length, and attributes that are numbers, texts or lists of them.

    Earlier versions wrote texts of any length, which Dask does not cut by itself, and a mapping, which netCDF does not hold.
    How many chunks lie in one file is forgotten: xarray would not save chunks of one step into files of several.
    """
    for array in group.variables.values():
        array.encoding.pop("shards", None)
    texts = {name: _of_one_length(array) for name, array in group.variables.items() if array.dtype.kind in "OT"}
    coordinates = {name: array for name, array in texts.items() if name in group.coords}
    plain = group.assign({name: array for name, array in texts.items() if name not in coordinates})
    plain = plain.assign_coords(coordinates)
    marks = {name: json.dumps(mark) if isinstance(mark, dict) else mark for name, mark in group.attrs.items()}
    return plain.assign_attrs(marks)


def _contents(root: Path) -> dict[str, dict]:
    """Metadata of complete stages, as the root lists them."""
    try:
        shown = check_root(root)["consolidated_metadata"]["metadata"]
        if all(isinstance(found, dict) for found in shown.values()):
            return shown
    except (KeyError, TypeError, AttributeError):
        pass
    raise damaged(root, "zarr.json", "it does not list what is in the store")


def _of_one_length(texts: xr.Variable) -> xr.Variable:
    """A small array of texts, which are read for that."""
    return xr.Variable(texts.dims, np.array(texts.values.tolist(), np.str_).reshape(texts.shape), texts.attrs)
