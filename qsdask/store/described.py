"""What the description of an array may say, and what its chunks must be, before Zarr, Blosc or NumPy take them."""

from __future__ import annotations

import io
import struct
from math import prod
from pathlib import Path

import numpy as np

from qsdask import schema
from qsdask.store.shard import (
    ABSENT,
    intact,
    plain_description,
    read_index,
    read_parts,
    shape_in_files,
    sharded_description,
    sharding,
)
from qsdask.store.validate import damaged, metadata, unsafe

__all__ = [
    "TEXT",
    "array_metadata",
    "check_array",
    "check_group",
    "chunk_fault",
    "intact",
    "part_fault",
    "registered",
    "text_width",
]

#: Largest chunk, uncompressed; Blosc takes no more. Unit: bytes.
LARGEST_CHUNK = 2**31 - 1

#: Zarr's name of texts of one length, four bytes a letter, and their greatest length. Unit: bytes.
TEXT = "fixed_length_utf32"

LONGEST_TEXT = 2**20

#: Most chunks of one file.
MOST_PARTS = 4096

#: Most elements of an array.
MOST_ELEMENTS = 2**48

#: Compressions that Blosc, between the serializer and the checksum, may be set to.
COMPRESSIONS = {"lz4", "zstd"}

_FIELDS = {
    "shape",
    "data_type",
    "chunk_grid",
    "chunk_key_encoding",
    "fill_value",
    "codecs",
    "attributes",
    "dimension_names",
    "zarr_format",
    "node_type",
    "storage_transformers",
}

_KEYS = {"name": "default", "configuration": {"separator": "/"}}


def array_metadata(root: Path, name: str) -> dict:
    """Metadata of a stored array, checked.

    Parameters
    ----------
    root : Path
        Root of the store.
    name : str
        Path of the array, such as ``"frames/position"``.

    Returns
    -------
    dict

    Raises
    ------
    StoreIOError
        ``E-STORE-DAMAGED`` when it is missing or not what qsdask writes for this array; ``E-STORE-UNSAFE`` when it
        asks for codecs, types or sizes that qsdask never writes.
    """
    found = metadata(root, f"{name}/zarr.json")
    if found is None:
        raise damaged(root, f"{name}/zarr.json", "it is missing")
    check_array(root, name, found)
    return found


def check_array(root: Path, name: str, found: dict) -> None:
    """Refuse metadata that do not describe the array registered under this name; see `array_metadata`."""
    key = f"{name}/zarr.json"
    try:
        fault = _unregistered(name, found) or _unsafe(found)
    except (KeyError, TypeError, IndexError, AttributeError, ValueError):
        raise damaged(root, key, "it is not the description of an array") from None
    if fault:
        raise unsafe(root, key, fault)


def check_group(root: Path, name: str, found: dict) -> None:
    """Refuse metadata that do not describe a group."""
    plain = {**found, "attributes": {}} == {"attributes": {}, "zarr_format": 3, "node_type": "group"}
    if not plain or not isinstance(found["attributes"], dict):
        raise damaged(root, f"{name}/zarr.json", "it is not the description of a group")


def registered(name: str) -> tuple[str, tuple[str, ...]] | None:
    """Data type and dimensions that the array at a path must have, None for an array that nobody registered."""
    group, _, own = name.rpartition("/")
    if group.startswith("ledger/") and own == "receipt":
        return "uint64", ("part", "step", "domain", "file", "word")
    return next(((v.dtype, v.dims) for v in schema.variables_of(group) if v.name == own), None)


def _unregistered(name: str, found: dict) -> str | None:
    wanted = registered(name)
    if wanted is None:
        return "no array of this name is known"
    dtype, dims = wanted
    if found["data_type"] != dtype and not (dtype == "string" and text_width(found)):
        return f"data type {found['data_type']!r}, expected {dtype}"
    if tuple(found["dimension_names"]) != dims:
        return f"dimensions {found['dimension_names']}, expected {', '.join(dims)}"
    if found["fill_value"] != {"f": "NaN", "i": -1, "u": 0, "b": False, "s": ""}[dtype[0]]:
        return f"fill value {found['fill_value']!r}"
    return None


def _unsafe(found: dict) -> str | None:
    """What in the description of an array would be dangerous to hand on."""
    if found["zarr_format"] != 3 or found["node_type"] != "array" or found.keys() - _FIELDS:
        return "it is no plain Zarr v3 array"
    if found.get("storage_transformers") or not isinstance(found["attributes"], dict):
        return "it is no plain Zarr v3 array"
    shape, chunks = found["shape"], found["chunk_grid"]["configuration"]["chunk_shape"]
    if not all(type(n) is int for n in (*shape, *chunks)) or len(shape) != len(chunks):
        return "shape and chunks are not whole numbers"
    grid = {"name": "regular", "configuration": {"chunk_shape": chunks}}
    if found["chunk_grid"] != grid or found["chunk_key_encoding"] != _KEYS:
        return "its chunks lie elsewhere"
    if any(n < 0 or not 1 <= c <= max(1, n) for n, c in zip(shape, chunks, strict=True)):
        return f"shape {shape} in chunks of {chunks}"
    text = found["data_type"] == "string"
    width = 1 if text else item_size(found)
    if prod(shape) > MOST_ELEMENTS or prod(chunks) * width > LARGEST_CHUNK:
        return f"shape {shape} in chunks of {chunks}"
    if sharding(found) is not None:
        return _unsafe_sharding(found) or _unsafe(plain_description(found))
    first, *between, last = found["codecs"]
    serializers = (
        [{"name": "vlen-utf8"}, {"name": "vlen-utf8", "configuration": {}}]
        if text
        else [{"name": "bytes"}, {"name": "bytes", "configuration": {"endian": "little"}}]
    )
    if first not in serializers or last != {"name": "crc32c"} or len(between) > (0 if text else 1):
        return f"codecs {[codec['name'] for codec in found['codecs']]}"
    # Blosc takes no more than 255 bytes for one number.
    shuffled = width if width < 256 else 1
    return next((f"codec {codec}" for codec in between if not _is_our_blosc(codec, shuffled)), None)


def _unsafe_sharding(found: dict) -> str | None:
    """What in the sharding of an array is not as qsdask writes it; its chunks may hold no shards in turn."""
    [only] = found["codecs"]
    files, chunks = found["chunk_grid"]["configuration"]["chunk_shape"], only["configuration"]["chunk_shape"]
    written = sharded_description(plain_description(found), 0, 1)["codecs"]
    if [only] != written or len(only["configuration"]["codecs"]) < 2 or sharding(plain_description(found)):
        return "its sharding"
    if not all(type(n) is int and n > 0 for n in chunks) or len(files) != len(chunks):
        return "shape and chunks are not whole numbers"
    if any(n % c for n, c in zip(files, chunks, strict=True)) or prod(shape_in_files(found)) > MOST_PARTS:
        return f"chunks of {chunks} in files of {files}"
    return None


def text_width(found: dict) -> int:
    """Bytes of a text in an array of texts of one length; 0 for every other array.

    Texts of one length are what Dask can cut by itself; those of any length, which earlier versions wrote, it cannot.
    """
    kind = found["data_type"]
    if not isinstance(kind, dict) or kind.keys() != {"name", "configuration"} or kind["name"] != TEXT:
        return 0
    width = kind["configuration"].get("length_bytes")
    right = kind["configuration"].keys() == {"length_bytes"} and type(width) is int and width % 4 == 0
    return width if right and 4 <= width <= LONGEST_TEXT else 0


def item_size(found: dict) -> int:
    """Bytes of an element of an array, not of texts of any length."""
    return text_width(found) or np.dtype(found["data_type"]).itemsize


def _is_our_blosc(codec: dict, width: int) -> bool:
    """Whether a codec is Blosc with settings that it knows."""
    settings = dict(codec["configuration"])
    return (
        codec == {"name": "blosc", "configuration": settings}
        and settings.pop("cname") in COMPRESSIONS
        and settings.pop("shuffle") in ("noshuffle", "shuffle", "bitshuffle")
        and settings.pop("typesize") == width
        and settings.pop("clevel") in range(10)
        and settings.pop("blocksize") in range(LARGEST_CHUNK)
        and not settings
    )


def chunk_fault(found: dict, data: bytes) -> str | None:
    """What is wrong with a file of chunks before they are decompressed; None when it is one of its array.

    Parameters
    ----------
    found : dict
        Checked metadata of the array.
    data : bytes
        The file.

    Returns
    -------
    str or None
    """
    if sharding(found) is None:
        return part_fault(found, data)
    file = io.BytesIO(data)
    try:
        index = read_index(file, found)
        parts = read_parts(file, index, np.flatnonzero(index[:, 0] != ABSENT).tolist())
    except ValueError as error:
        return str(error)
    plain = plain_description(found)
    return next((fault for part in parts if (fault := part_fault(plain, part))), None)


def part_fault(found: dict, data: bytes) -> str | None:
    """What is wrong with one chunk; see `chunk_fault`.

    Parameters
    ----------
    found : dict
        Checked metadata of the array, as they would be were every chunk a file.
    data : bytes
        The chunk.

    Returns
    -------
    str or None
    """
    if not intact(data):
        return "the checksum of the chunk differs"
    n_element = prod(found["chunk_grid"]["configuration"]["chunk_shape"])
    body = data[:-4]
    if found["data_type"] == "string":
        fits = _is_text(body, n_element)
    else:
        n_byte = n_element * item_size(found)
        if len(found["codecs"]) == 2:
            fits = len(body) == n_byte
        else:
            # Header of Blosc: four bytes, then bytes before compression, size of a block, bytes in all.
            plain, _, packed = struct.unpack_from("<III", body, 4) if len(body) >= 16 else (0, 0, 0)
            fits = (plain, packed) == (n_byte, len(body))
    return None if fits else "it is the chunk of another array"


def _is_text(body: bytes, n_element: int) -> bool:
    """Whether the bytes are a count of texts, then length and bytes of each."""
    if len(body) < 4 or struct.unpack_from("<I", body)[0] != n_element:
        return False
    at = 4
    for _ in range(n_element):
        if at + 4 > len(body):
            return False
        at += 4 + struct.unpack_from("<I", body, at)[0]
    return at == len(body)
