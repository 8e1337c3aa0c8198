"""Arrays of a store, chunk by chunk: files in, numbers out, and back.

Zarr describes the arrays and reads them for everybody else. It sends each request of a task through an event loop in another
thread, which takes longer than most chunks; what is read and written here has the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from operator import index as index_of
from typing import Any

import google_crc32c
import numpy as np
from numcodecs.blosc import Blosc
from numcodecs.vlen import VLenUTF8

from qsdask.files.several import each
from qsdask.store.described import item_size

__all__ = ["ChunkedArray"]

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
        """That of an array, from its checked metadata."""
        between = found["codecs"][1:-1]
        return cls(_dtype(found), _chunks(found), between[0]["configuration"] if between else None)

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
        ``read(key)``: bytes of a chunk, checked; None for one that is absent and may be.
    write : callable
        ``write(key, data)`` makes the file of a chunk.
    """

    def __init__(
        self, name: str, found: dict, read: Callable[[str], bytes | None], write: Callable[[str, bytes], None]
    ) -> None:
        self._name, self._found, self._read, self._write = name, found, read, write
        self._codec = _Codec.of(found)

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

        def read(at: tuple[int, ...]) -> None:
            data = self._read(self._key(at))
            inside, outside = self._overlap(at, region)
            out[outside] = self.fill_value if data is None else self._codec.decode(data)[inside]

        each(read, list(self._touched(region)))
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

        def write(at: tuple[int, ...]) -> None:
            inside, outside = self._overlap(at, region)
            part = given[outside]
            if part.shape != self.chunks:
                part, some = np.full(self.chunks, self.fill_value, self.dtype), part
                part[inside] = some
            self._write(self._key(at), self._codec.encode(part))

        each(write, list(self._touched(region)))

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

    def _touched(self, region: Sequence[slice]) -> Iterator[tuple[int, ...]]:
        """Indices of the chunks that hold a part of a region."""
        if any(part.start == part.stop for part in region):
            return iter(())
        return product(
            *(range(part.start // c, -(-part.stop // c)) for part, c in zip(region, self.chunks, strict=True))
        )

    def _overlap(self, at: tuple[int, ...], region: Sequence[slice]) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
        """What of a chunk lies in a region, as counted in the chunk and in the region."""
        inside, outside = [], []
        for i, part, chunk in zip(at, region, self.chunks, strict=True):
            start, stop = max(part.start, i * chunk), min(part.stop, (i + 1) * chunk)
            inside.append(slice(start - i * chunk, stop - i * chunk))
            outside.append(slice(start - part.start, stop - part.start))
        return tuple(inside), tuple(outside)

    def _key(self, at: tuple[int, ...]) -> str:
        return "/".join([self._name, "c", *map(str, at)])


def _dtype(found: dict) -> np.dtype:
    kind = found["data_type"]
    if kind == "string":
        return np.dtype(object)
    return np.dtype(f"<U{item_size(found) // 4}") if isinstance(kind, dict) else np.dtype(kind).newbyteorder("<")


def _chunks(found: dict) -> tuple[int, ...]:
    return tuple(found["chunk_grid"]["configuration"]["chunk_shape"])
