"""Empty store first: create every array of a group as registered in `qsdask.schema`, then fill whole chunks only."""

from __future__ import annotations

import json
import warnings
from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import zarr
from zarr.codecs import BloscCodec, Crc32cCodec
from zarr.errors import UnstableSpecificationWarning

from qsdask import schema
from qsdask.files.location import located
from qsdask.store.described import array_metadata, text_width
from qsdask.store.durable import DurableStore
from qsdask.store.manifest import put_folders
from qsdask.store.reader import open_checked
from qsdask.units import ANGSTROM, told_in

__all__ = ["create_array", "create_group", "write_rows", "write_whole"]


def create_group(
    path: Path,
    group: str,
    sizes: Mapping[str, int],
    chunks: Mapping[str, int],
    attributes: Mapping[str, object],
    length: str = ANGSTROM,
    without: Collection[str] = (),
    together: Mapping[str, int] = MappingProxyType({}),
) -> None:
    """Create a group and the complete template of its arrays, replacing what was there.

    Parameters
    ----------
    path : Path
        Root of the store.
    group : str
        Path of the group inside the store, for example ``"shells/voronoi"``.
    sizes, chunks : mapping of str to int
        Length and chunk length of every dimension; a dimension without a chunk length is one chunk.
    attributes : mapping
        Attributes of the group.
    length : str
        Unit of the lengths of the store.
    without : collection of str
        Arrays that this store does not need.
    together : mapping of str to int
        Chunks along a dimension that lie in one file; 1 where nothing is said.
    """
    put_folders(located(path), group)
    zarr.create_group(DurableStore(path), path=group, zarr_format=3, overwrite=True, attributes=dict(attributes))
    for variable in (v for v in schema.variables_of(group) if v.name not in without):
        create_array(path, group, variable, sizes, chunks, length, together)


def create_array(
    path: Path,
    group: str,
    variable: schema.Variable,
    sizes: Mapping[str, int],
    chunks: Mapping[str, int],
    length: str = ANGSTROM,
    together: Mapping[str, int] = MappingProxyType({}),
) -> None:
    """Create one registered array; see `create_group`."""
    marks: dict[str, Any] = {"units": told_in(variable.units, length), "long_name": variable.long_name}
    coordinates = [v for v in schema.variables_of(group) if v.coordinate and (v.name,) != v.dims]
    beside = [c.name for c in coordinates if set(c.dims) <= set(variable.dims)]
    if beside and not variable.coordinate:
        marks["coordinates"] = " ".join(beside)
    with warnings.catch_warnings():
        # Zarr v3 has not laid down yet how texts of one length are called; every Zarr-Python 3 reads them.
        warnings.filterwarnings("ignore", category=UnstableSpecificationWarning)
        _create(path, group, variable, sizes, chunks, marks, together)


def _create(path, group, variable, sizes, chunks, marks, together):
    # Coordinates are read whole, so they are one chunk.
    at_once = variable.coordinate or variable.whole
    shape = tuple(sizes[d] for d in variable.dims)
    chunk = tuple(max(1, n if at_once else min(chunks.get(d, n), n)) for d, n in zip(variable.dims, shape, strict=True))
    file = tuple(
        c * max(1, min(1 if at_once else together.get(d, 1), -(-n // c)))
        for d, n, c in zip(variable.dims, shape, chunk, strict=True)
    )
    zarr.create_array(
        DurableStore(path),
        name=f"{group}/{variable.name}",
        shape=shape,
        chunks=chunk,
        shards=None if file == chunk else file,
        dtype="<U1" if variable.dtype == "string" else variable.dtype,
        dimension_names=variable.dims,
        fill_value=variable.fill_value,
        # crc32c outermost: Zarr's own compressors do not notice a flipped bit.
        compressors=_compressors(variable.dtype),
        attributes=marks,
    )


def write_whole(path: Path, group: str, values: Mapping[str, np.ndarray | list]) -> None:
    """Fill small arrays of a group completely.

    Parameters
    ----------
    path : Path
        Root of the store.
    group : str
        Path of the group.
    values : mapping of str to array
        Complete content by array name.
    """
    store = DurableStore(path)
    for name, value in values.items():
        _make_room(store, f"{group}/{name}", np.asarray(value))
        open_checked(store, f"{group}/{name}")[...] = np.asarray(value)
    store.sync_directories()


def write_rows(path: Path, group: str, rows: slice, values: Mapping[str, np.ndarray]) -> None:
    """Fill whole chunks of arrays along the atoms, before there are tasks with receipts.

    Parameters
    ----------
    path : Path
        Root of the store.
    group : str
        Path of the group.
    rows : slice
        Which atoms: those of a domain.
    values : mapping of str to array
        Their part of each array, by its name.
    """
    store = DurableStore(path)
    for name, value in values.items():
        open_checked(store, f"{group}/{name}")[rows] = value
    store.sync_directories()


def _make_room(store: DurableStore, name: str, value: np.ndarray) -> None:
    """Make the texts of an array as long as the longest that it is to hold."""
    found = array_metadata(store.root, name)
    if text_width(found):
        found["data_type"]["configuration"]["length_bytes"] = max(4, np.asarray(value, dtype=np.str_).itemsize)
        store.put(f"{name}/zarr.json", json.dumps(found, indent=2).encode())


def _compressors(dtype: str) -> list:
    if dtype == "string":
        return [Crc32cCodec()]
    kind = np.dtype(dtype)
    # LZ4 takes a tenth of the time of Zstandard for a quarter more bytes, and compression would otherwise cost more
    # than the kernels. Integers shrink twice as much when shuffled bit by bit.
    shuffle: Literal["shuffle", "bitshuffle"] = "shuffle" if kind.kind == "f" else "bitshuffle"
    return [BloscCodec(typesize=kind.itemsize, cname="lz4", clevel=5, shuffle=shuffle), Crc32cCodec()]
