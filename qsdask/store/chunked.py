"""Arrays of a store, chunk by chunk: files in, numbers out, and back.

Zarr describes the arrays and reads them for everybody else. It sends each request of a task through an event loop in another
thread, which takes longer than most chunks; what is read and written here has the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod
from operator import index as index_of
from typing import Any

import google_crc32c
import numpy as np
from numcodecs.blosc import Blosc
from numcodecs.vlen import VLenUTF8

from qsdask.files.several import each
from qsdask.store.described import item_size
from qsdask.store.shard import Part, plain_description, shape_in_files, sharding

__all__ = ["ChunkedArray"]

Read = Callable[[str, Sequence[int]], Sequence[bytes | None]]
Write = Callable[[str, bytes, Part | None], None]

_SHUFFLE = {"noshuffle": 0, "shuffle": 1, "bitshuffle": 2}


@dataclass(frozen=True)
class _Codec:
    """How the elements of a chunk become bytes.

    Attributes
    ----------
    dtype : numpy dtype
        Of the elements; object for texts of any length.
    shape : tuple of int
        Of a chunk.
    packed : dict or None
        Settings of Blosc, None for bytes as they are.
    """

    dtype: np.dtype
    shape: tuple[int, ...]
    packed: Mapping[str, Any] | None

    @classmethod
    def of(cls, found: dict) -> _Codec:
        """That of an array, from its checked metadata, as they would be were every chunk a file."""
        between = found["codecs"][1:-1]
        shape = tuple(found["chunk_grid"]["configuration"]["chunk_shape"])
        return cls(_dtype(found), shape, between[0]["configuration"] if between else None)

    @cached_property
    def _blosc(self) -> Blosc | None:
        if self.packed is None:
            return None
        given = {**self.packed, "shuffle": _SHUFFLE[self.packed["shuffle"]]}
        return Blosc(**given)

    def decode(self, data: bytes) -> np.ndarray:
        """Elements of a chunk whose bytes have been checked."""
        body: Any = memoryview(data)[:-4]
        if self.dtype.hasobject:
            return VLenUTF8().decode(body).reshape(self.shape)
        if self._blosc is not None:
            body = self._blosc.decode(body)
        return np.frombuffer(body, self.dtype).reshape(self.shape)

    def encode(self, value: np.ndarray) -> bytes:
        """Bytes of a chunk; they end in their checksum."""
        if self.dtype.hasobject:
            body = bytes(VLenUTF8().encode(value.ravel()))
        else:
            whole = np.ascontiguousarray(value, self.dtype)
            body = whole.tobytes() if self._blosc is None else bytes(self._blosc.encode(whole))
        return body + google_crc32c.value(body).to_bytes(4, "little")


class ChunkedArray:
    """One array of a store; answers as a `zarr.Array` to whole numbers and stretches as indices.

    Parameters
    ----------
    name : str
        Its path, such as ``"frames/position"``.
    found : dict
        Its metadata, checked.
    read : callable
        ``read(key, numbers)``: bytes of the chunks with these places in a file, checked; None for those of a file that is
        absent and may be.
    write : callable
        ``write(key, data, part)`` makes the file of a chunk, or makes the chunk a part of a file.
    """

    def __init__(self, name: str, found: dict, read: Read, write: Write) -> None:
        self._name, self._found, self._read, self._write = name, found, read, write
        self._codec = _Codec.of(plain_description(found))
        self._in_file = shape_in_files(found)
        self._sharded = sharding(found) is not None

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self._found["shape"])

    @property
    def chunks(self) -> tuple[int, ...]:
        return self._codec.shape

    @property
    def dtype(self) -> np.dtype:
        return self._codec.dtype

    @property
    def ndim(self) -> int:
        return len(self._found["shape"])

    @property
    def fill_value(self) -> Any:
        return {"f": np.nan, "i": -1, "u": 0, "b": False}.get(self.dtype.kind, "")

    @property
    def attrs(self) -> Mapping[str, Any]:
        attributes: dict[str, Any] = self._found["attributes"]
        return attributes

    def __getitem__(self, index: Any) -> np.ndarray:
        """Elements; chunks that have not been written are full of fill values where the store lets them pass."""
        region, kept = self._region(index)
        out = np.empty(tuple(part.stop - part.start for part in region), self.dtype)

        def read(file: tuple[int, ...]) -> None:
            places = list(self._chunks_of(file, region))
            parts = self._read(self._key(file), [self._number(at) for at in places])
            for at, data in zip(places, parts, strict=True):
                inside, outside = self._overlap(at, region)
                out[outside] = self.fill_value if data is None else self._codec.decode(data)[inside]

        each(read, list(self._files_of(region)))
        return out.reshape(tuple(n for n, keep in zip(out.shape, kept, strict=True) if keep))

    def __setitem__(self, index: Any, value: Any) -> None:
        """Write whole chunks.

        Two tasks that write into one chunk lose data silently, so a region that cuts a chunk is refused.
        """
        region, kept = self._region(index)
        for part, size, chunk in zip(region, self.shape, self.chunks, strict=True):
            if part.start % chunk or (part.stop % chunk and part.stop != size):
                raise AssertionError(
                    f"{self._name}: {part.start}:{part.stop} cuts a chunk of {chunk}; write whole chunks, such as the rows of "
                    "one domain: two tasks that share a chunk lose one another's data"
                )
        shape = tuple(part.stop - part.start for part in region)
        given = np.broadcast_to(value, tuple(n for n, keep in zip(shape, kept, strict=True) if keep)).reshape(shape)

        def write(file: tuple[int, ...]) -> None:
            for at in self._chunks_of(file, region):
                inside, outside = self._overlap(at, region)
                part = given[outside]
                if part.shape != self.chunks:
                    part, some = np.full(self.chunks, self.fill_value, self.dtype), part
                    part[inside] = some
                self._write(self._key(file), self._codec.encode(part), self._part(at))

        each(write, list(self._files_of(region)))

    def _region(self, index: Any) -> tuple[list[slice], list[bool]]:
        """Stretch of every dimension, and whether the dimension is kept."""
        parts = index if isinstance(index, tuple) else (index,)
        at = next((i for i, part in enumerate(parts) if part is Ellipsis), len(parts))
        given = len(parts) - (at < len(parts))
        if given > self.ndim:
            raise IndexError(f"{self._name}: {given} indices for {self.ndim} dimensions")
        parts = (*parts[:at], *[slice(None)] * (self.ndim - given), *parts[at + 1 :])
        region, kept = [], []
        for part, size in zip(parts, self.shape, strict=True):
            kept.append(isinstance(part, slice))
            if isinstance(part, slice):
                start, stop, step = part.indices(size)
                if step != 1:
                    raise IndexError(f"{self._name}: only stretches without gaps are read, not {part}")
                region.append(slice(start, max(start, stop)))
            else:
                number = index_of(part)
                number += size * (number < 0)
                if not 0 <= number < size:
                    raise IndexError(f"{self._name}: {part} of {size}")
                region.append(slice(number, number + 1))
        return region, kept

    def _files_of(self, region: Sequence[slice]) -> Iterator[tuple[int, ...]]:
        """Indices of the files that hold a part of a region."""
        if any(part.start == part.stop for part in region):
            return iter(())
        sizes = (n * c for n, c in zip(self._in_file, self.chunks, strict=True))
        return product(*(range(part.start // n, -(-part.stop // n)) for part, n in zip(region, sizes, strict=True)))

    def _chunks_of(self, file: tuple[int, ...], region: Sequence[slice]) -> Iterator[tuple[int, ...]]:
        """Indices of the chunks of a file that hold a part of a region."""
        return product(
            *(
                range(max(part.start // c, i * n), min(-(-part.stop // c), (i + 1) * n))
                for i, part, c, n in zip(file, region, self.chunks, self._in_file, strict=True)
            )
        )

    def _number(self, at: tuple[int, ...]) -> int:
        """Place of a chunk in the index of its file."""
        number = 0
        for i, n in zip(at, self._in_file, strict=True):
            number = number * n + i % n
        return number

    def _part(self, at: tuple[int, ...]) -> Part | None:
        """A chunk as part of its file; None where it is one."""
        if not self._sharded:
            return None
        there = (
            min(n, -(-size // c) - i // n * n)
            for i, n, size, c in zip(at, self._in_file, self.shape, self.chunks, strict=True)
        )
        return Part(self._number(at), prod(there), prod(self._in_file))

    def _overlap(self, at: tuple[int, ...], region: Sequence[slice]) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
        """What of a chunk lies in a region, as counted in the chunk and in the region."""
        inside, outside = [], []
        for i, part, chunk in zip(at, region, self.chunks, strict=True):
            start, stop = max(part.start, i * chunk), min(part.stop, (i + 1) * chunk)
            inside.append(slice(start - i * chunk, stop - i * chunk))
            outside.append(slice(start - part.start, stop - part.start))
        return tuple(inside), tuple(outside)

    def _key(self, file: tuple[int, ...]) -> str:
        return "/".join([self._name, "c", *map(str, file)])


def _dtype(found: dict) -> np.dtype:
    kind = found["data_type"]
    if kind == "string":
        return np.dtype(object)
    return np.dtype(f"<U{item_size(found) // 4}") if isinstance(kind, dict) else np.dtype(kind).newbyteorder("<")
