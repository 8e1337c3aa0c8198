"""Reading a store from a task: each array is opened once, each domain is a slice of rows."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from zarr.abc.store import ByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.core.buffer import Buffer, default_buffer_prototype

from qsdask import schema
from qsdask.files.location import located, stamp_of
from qsdask.store.chunked import ChunkedArray, Write
from qsdask.store.described import array_metadata, chunk_fault, part_fault
from qsdask.store.durable import DurableStore
from qsdask.store.flat import FlatFile, flat
from qsdask.store.keys import chunk_of
from qsdask.store.shard import plain_description, read_index, read_parts, sharding
from qsdask.store.validate import damaged, plain_path

__all__ = ["Arrays", "CheckedStore", "StoreReader", "StoredArray", "open_checked"]


class StoredArray(Protocol):
    """What is used of a `zarr.Array`; Zarr itself says that an index may give anything."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def chunks(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype: ...
    @property
    def ndim(self) -> int: ...
    @property
    def fill_value(self) -> Any: ...
    @property
    def attrs(self) -> Mapping[str, Any]: ...
    def __getitem__(self, index: Any) -> np.ndarray: ...
    def __setitem__(self, index: Any, value: Any) -> None: ...


class Arrays(Protocol):
    """Arrays by their path, such as ``"frames/position"``: of a store on disk, or of one in memory."""

    def __getitem__(self, name: str) -> StoredArray: ...
    def group(self, group: str) -> Mapping[str, StoredArray]: ...
    def names(self, name: str) -> list[str]: ...
    @property
    def length(self) -> str: ...
    @property
    def n_domain(self) -> int: ...
    def rows(self, domain: int) -> slice: ...


class CheckedStore(DurableStore):
    """A store that hands on no chunk that is absent, cut, changed, or a link.

    Zarr reads an absent chunk as fill values and names no file when a checksum differs. Here both end in
    ``E-STORE-DAMAGED`` with the chunk's name.

    Parameters
    ----------
    root : Path or str
        Root of the store.
    read_only : bool
        Refuse to write.
    partial : bool
        Let absent chunks pass: they have not been written yet.
    """

    def __init__(self, root: Path | str, *, read_only: bool = True, partial: bool = False) -> None:
        super().__init__(root, read_only=read_only)
        self._partial = partial

    def with_read_only(self, read_only: bool = False) -> CheckedStore:
        """The same store, writable or not."""
        made = CheckedStore(self.root, read_only=read_only, partial=self._partial)
        made.described = self.described
        return made

    def __dask_tokenize__(self) -> tuple[str | int, ...]:
        """Name and state: every finished stage changes the root's metadata."""
        tells = self.root if self.root.is_file() else self.root / "zarr.json"
        return str(self.root), *stamp_of(tells)

    async def exists(self, key: str) -> bool:
        """Whether there is a file of this name."""
        packed = flat(self.root)
        return await super().exists(key) if packed is None else packed.member(key) is not None

    async def get(self, key, prototype=None, byte_range=None) -> Buffer | None:
        """Bytes of a file, None when it is absent and may be."""
        return await asyncio.to_thread(self._checked, key, prototype, byte_range)

    def get_sync(self, key, *, prototype=None, byte_range=None) -> Buffer | None:
        """Like `get`, without an event loop."""
        return self._checked(key, prototype, byte_range)

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Names in a folder, without those that are not Zarr's: manifests, locks, leftovers of a crash."""
        packed = flat(self.root)
        if packed is None:
            names = [name async for name in super().list_dir(prefix)]
        else:
            names = list(packed.names(prefix.strip("/")))
        for name in names:
            if name != "manifest.json" and not name.startswith("."):
                yield name

    def chunks(self, key: str, numbers: Sequence[int]) -> Sequence[bytes | None]:
        """Bytes of chunks of an array whose metadata are known, by their places in a file; None when it is absent and may be."""
        path = self._file(key)
        if path is None:
            return [None] * len(numbers)
        found = self.described[key.rpartition("/c/")[0]]
        try:
            with path.open("rb") as file:
                if sharding(found) is None:
                    parts = [file.read()]
                else:
                    parts = read_parts(file, read_index(file, found), numbers)
        except ValueError as error:
            raise damaged(self.root, key, str(error)) from None
        plain = plain_description(found)
        for part in parts:
            if fault := part_fault(plain, part):
                raise damaged(self.root, key, fault)
        return parts

    def _file(self, key: str) -> Path | FlatFile | None:
        path = plain_path(self.root, key)
        if path is None and chunk_of(key) and not self._partial:
            raise damaged(self.root, key, "the chunk is missing")
        return path

    def _checked(self, key, prototype, byte_range) -> Buffer | None:
        if (checked := self._checked_metadata(key)) is not None:
            return (prototype or default_buffer_prototype()).buffer.from_bytes(checked)
        path, chunk = self._file(key), chunk_of(key)
        if path is None:
            return None
        found = self.described[chunk[0]] if chunk else None
        try:
            data = path.read_bytes() if found is None or byte_range is None else _stretch(path, found, byte_range)
        except ValueError as error:
            raise damaged(self.root, key, str(error)) from None
        if found and byte_range is None and (fault := chunk_fault(found, data)):
            raise damaged(self.root, key, fault)
        return (prototype or default_buffer_prototype()).buffer.from_bytes(data)


def _stretch(path: Path | FlatFile, found: dict, byte_range: ByteRequest) -> bytes:
    """What Zarr asks of a file of chunks: its index, or some of the chunks; these are looked at."""
    with path.open("rb") as file:
        index = read_index(file, found)
        size = file.seek(0, os.SEEK_END)
        if isinstance(byte_range, SuffixByteRequest):
            start, stop = size - byte_range.suffix, size
        elif isinstance(byte_range, RangeByteRequest):
            start, stop = byte_range.start, byte_range.end
        else:
            start, stop = byte_range.offset, size
        file.seek(start)
        data = file.read(stop - start)
    plain = plain_description(found)
    for first, length in index.tolist():
        if start <= first and first + length <= stop:
            fault = part_fault(plain, data[first - start : first + length - start])
            if fault:
                raise ValueError(fault)
    return data


def open_checked(store: DurableStore, name: str, *, write: Write | None = None) -> ChunkedArray:
    """Array of a store, its metadata checked, as are the chunks that are read of it.

    Parameters
    ----------
    store : DurableStore
        The store.
    name : str
        Path of the array.
    write : callable, optional
        Takes the chunks that are written, see `ChunkedArray`; the store by default.
    """
    found = store.described.get(name) or array_metadata(store.root, name)
    checked = store if isinstance(store, CheckedStore) else CheckedStore(store.root)
    checked.described[name] = found
    return ChunkedArray(name, found, checked.chunks, write or store.write)


class StoreReader:
    """Arrays of a store by their path, opened on first use and kept.

    Parameters
    ----------
    path : str or Path
        Root of the store.

    Attributes
    ----------
    path : Path
        Root of the store.

    Raises
    ------
    StoreIOError
        ``E-STORE-DAMAGED`` and ``E-STORE-UNSAFE``, when an array is opened or read, naming the file.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = located(path)
        self._store = CheckedStore(path)
        self._open: dict[str, StoredArray] = {}

    def __getitem__(self, name: str) -> StoredArray:
        """Array at a path such as ``"frames/position"``."""
        if name not in self._open:
            self._open[name] = open_checked(self._store, name)
        return self._open[name]

    def group(self, group: str) -> dict[str, StoredArray]:
        """All registered arrays of a group, by name."""
        return {variable.name: self[f"{group}/{variable.name}"] for variable in schema.variables_of(group)}

    def names(self, name: str) -> list[str]:
        """Content of an array of strings."""
        return [str(text) for text in self[name][:].tolist()]

    @property
    def length(self) -> str:
        """Unit of all lengths of the store, ``"angstrom"`` or ``"sigma"``; see `qsdask.units`."""
        return str(self["frames/position"].attrs["units"])

    @cached_property
    def domain_rows(self) -> np.ndarray:
        """First row of every domain and the row after its last, int64, shape (n_domain, 2)."""
        return self["domains/row"][:]

    @property
    def n_domain(self) -> int:
        """Number of domains."""
        return len(self.domain_rows)

    def rows(self, domain: int) -> slice:
        """Rows of one domain."""
        first, stop = self.domain_rows[domain].tolist()
        return slice(first, stop)
