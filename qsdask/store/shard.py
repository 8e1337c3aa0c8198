"""Several chunks in one file: Zarr's sharding codec, as far as a store uses it.

A file of chunks, a shard, holds them one behind the other; behind the last stands an index with first byte and length of each,
in the order of their places in the array, and its checksum. Each chunk keeps a checksum of its own, so that one is read without
the others.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from math import prod
from typing import BinaryIO, NamedTuple

import google_crc32c
import numpy as np

__all__ = [
    "ABSENT",
    "Part",
    "index_text",
    "intact",
    "plain_description",
    "read_index",
    "read_parts",
    "shape_in_files",
    "sharded_description",
    "sharding",
]

#: Name of the codec.
SHARDS = "sharding_indexed"

#: Both numbers of a chunk that is not there.
ABSENT = 2**64 - 1


class Part(NamedTuple):
    """A chunk as part of a file.

    Attributes
    ----------
    number : int
        Its place in the index.
    wanted : int
        How many chunks of the file lie in the array: at its end not all do.
    total : int
        How many the index has.
    """

    number: int
    wanted: int
    total: int


def sharding(found: dict) -> dict | None:
    """Settings of the sharding of an array by its metadata; None where every chunk is a file."""
    first = found["codecs"][0]
    return first["configuration"] if first["name"] == SHARDS else None


def plain_description(found: dict) -> dict:
    """Metadata as they would be were every chunk a file."""
    settings = sharding(found)
    if settings is None:
        return found
    grid = {"name": "regular", "configuration": {"chunk_shape": settings["chunk_shape"]}}
    return {**found, "chunk_grid": grid, "codecs": settings["codecs"]}


def sharded_description(found: dict, axis: int, together: int) -> dict:
    """Metadata of an array, of which every chunk is a file, with so many chunks along an axis in one file."""
    chunks = found["chunk_grid"]["configuration"]["chunk_shape"]
    files = [n * together if i == axis else n for i, n in enumerate(chunks)]
    settings = {
        "chunk_shape": chunks,
        "codecs": found["codecs"],
        "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}],
        "index_location": "end",
    }
    grid = {"name": "regular", "configuration": {"chunk_shape": files}}
    return {**found, "chunk_grid": grid, "codecs": [{"name": SHARDS, "configuration": settings}]}


def shape_in_files(found: dict) -> tuple[int, ...]:
    """Number of chunks along every dimension of a file."""
    files = found["chunk_grid"]["configuration"]["chunk_shape"]
    chunks = plain_description(found)["chunk_grid"]["configuration"]["chunk_shape"]
    return tuple(n // c for n, c in zip(files, chunks, strict=True))


def intact(data: bytes) -> bool:
    """Whether bytes end with their CRC-32C."""
    return len(data) >= 4 and google_crc32c.value(data[:-4]) == int.from_bytes(data[-4:], "little")


def index_text(places: Sequence[tuple[int, int]]) -> bytes:
    """Index of a file, from first byte and length of every chunk, `ABSENT` both where there is none."""
    body = np.array(places, dtype="<u8").tobytes()
    return body + google_crc32c.value(body).to_bytes(4, "little")


def read_index(file: BinaryIO, found: dict) -> np.ndarray:
    """First byte and length of every chunk of a file; uint64, shape (n, 2).

    Raises
    ------
    ValueError
        When it is not an index of the file.
    """
    total = prod(shape_in_files(found))
    size = file.seek(0, os.SEEK_END)
    before = size - 16 * total - 4
    if before < 0:
        raise ValueError("it is cut")
    file.seek(before)
    data = file.read()
    if not intact(data):
        raise ValueError("the checksum of its index differs")
    index = np.frombuffer(data[:-4], "<u8").reshape(total, 2)
    there = index[(index != ABSENT).any(axis=1)]
    if (there > before).any() or (there.sum(axis=1) > before).any():
        raise ValueError("its index points beyond its end")
    return index


def read_parts(file: BinaryIO, index: np.ndarray, numbers: Iterable[int]) -> list[bytes]:
    """Bytes of chunks of a file, by their places in its index.

    Raises
    ------
    ValueError
        When one is not in the file.
    """
    parts = []
    for number in numbers:
        start, length = index[number].tolist()
        if start == ABSENT:
            raise ValueError(f"its part {number} is missing")
        file.seek(start)
        parts.append(file.read(length))
    return parts
