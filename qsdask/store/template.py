"""Empty store first: create every array of a group as registered in `qsdask.schema`, then fill whole chunks only."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import zarr
from zarr.codecs import BloscCodec, Crc32cCodec

from qsdask import schema
from qsdask.store.durable import DurableStore

__all__ = ["create_group", "write_whole"]


def create_group(
    path: Path,
    group: str,
    sizes: Mapping[str, int],
    chunks: Mapping[str, int],
    attributes: Mapping[str, object],
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
    """
    root = zarr.open_group(DurableStore(path), mode="a", zarr_format=3, use_consolidated=False)
    if "/" in group:
        root.require_group(group.rsplit("/", 1)[0])
    node = root.create_group(group, overwrite=True, attributes=dict(attributes))
    variables = schema.variables_of(group)
    coordinates = [v for v in variables if v.coordinate and (v.name,) != v.dims]
    for variable in variables:
        marks = {"units": variable.units, "long_name": variable.long_name}
        beside = [c.name for c in coordinates if set(c.dims) <= set(variable.dims)]
        if beside and not variable.coordinate:
            marks["coordinates"] = " ".join(beside)
        node.create_array(
            variable.name,
            shape=tuple(sizes[d] for d in variable.dims),
            # Coordinates are read whole, so they are one chunk.
            chunks=tuple(
                max(1, sizes[d] if variable.coordinate else min(chunks.get(d, sizes[d]), sizes[d]))
                for d in variable.dims
            ),
            dtype=str if variable.dtype == "string" else variable.dtype,
            dimension_names=variable.dims,
            fill_value=variable.fill_value,
            # crc32c outermost: Zarr's own compressors do not notice a flipped bit.
            compressors=_compressors(variable.dtype),
            attributes=marks,
            # Absence must always mean "not done", also for a chunk full of fill values.
            config={"write_empty_chunks": True},
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
    node = zarr.open_group(store, path=group, mode="r+")
    for name, value in values.items():
        node[name][...] = np.asarray(value)
    store.sync_directories()


def _compressors(dtype: str) -> list:
    if dtype == "string":
        return [Crc32cCodec()]
    kind = np.dtype(dtype)
    # LZ4 takes a tenth of the time of Zstandard for a quarter more bytes, and compression would otherwise cost more
    # than the kernels. Integers shrink twice as much when shuffled bit by bit.
    shuffle = "shuffle" if kind.kind == "f" else "bitshuffle"
    return [BloscCodec(typesize=kind.itemsize, cname="lz4", clevel=5, shuffle=shuffle), Crc32cCodec()]
