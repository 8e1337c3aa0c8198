"""What a store must look like before its bytes reach Zarr, Blosc or NumPy: plain files, and metadata that we write.

A store may come from anywhere. Its metadata decide which codec runs and how much memory is taken, so they are read here
first, as plain JSON, and compared with what `qsdask.schema` registers.
"""

from __future__ import annotations

import json
import os
import stat
import struct
from collections.abc import Callable
from functools import partial
from math import prod
from pathlib import Path

import google_crc32c
import numpy as np

from qsdask import __version__, schema
from qsdask.errors import BadDataError, StoreIOError
from qsdask.store.zipped import Member, zipped

__all__ = [
    "LONGEST_TEXT",
    "TEXT",
    "array_metadata",
    "check_array",
    "check_format",
    "check_group",
    "check_requires",
    "check_root",
    "chunk_fault",
    "damaged",
    "intact",
    "mark_in",
    "mark_of",
    "metadata",
    "plain_path",
    "registered",
    "text_width",
    "unsafe",
]

#: Largest metadata file. Unit: bytes.
LARGEST_JSON = 64 * 2**20

#: Largest chunk, uncompressed; Blosc takes no more. Unit: bytes.
LARGEST_CHUNK = 2**31 - 1

#: Zarr's name of texts of one length, four bytes a letter, and their greatest length. Unit: bytes.
TEXT = "fixed_length_utf32"
LONGEST_TEXT = 2**20

#: Most elements of an array.
MOST_ELEMENTS = 2**48

#: Compressions that Blosc, between the serializer and the checksum, may be set to.
COMPRESSIONS = {"lz4", "zstd"}

#: Feature flags in the root's ``requires`` that this version understands.
KNOWN_FEATURES: frozenset[str] = frozenset({"runs", "text"})


def _refusal(code: str, why: str, file: Path, key: str, text: str) -> StoreIOError:
    return StoreIOError(
        f"{key}: {text}",
        code=code,
        file=file,
        why=why,
        hint=f"'qsdask verify {file}' tells all that is wrong, 'qsdask repair {file}' mends it",
    )


#: ``damaged(store, key, text)``: the refusal of a file that is not what was written.
damaged: Callable[[Path, str, str], StoreIOError] = partial(
    _refusal, "E-STORE-DAMAGED", "the file was cut, changed or removed after it was written"
)

#: ``unsafe(store, key, text)``: the refusal of what qsdask never writes.
unsafe: Callable[[Path, str, str], StoreIOError] = partial(
    _refusal, "E-STORE-UNSAFE", "qsdask never writes this; it is not handed to code that trusts it"
)


def plain_path(root: Path, key: str) -> Path | Member | None:
    """Path of a file of the store that is no link and lies behind none.

    Parameters
    ----------
    root : Path
        Root of the store; it may itself be a link.
    key : str
        Path inside the store.

    Returns
    -------
    Path, Member or None
        Of a zipped store what stands for a path in it. None when there is no such file.

    Raises
    ------
    StoreIOError
        ``E-STORE-UNSAFE`` for a link, a pipe or a device.
    """
    packed = zipped(root)
    if packed is not None:
        return packed.member(key)
    path, mode = str(root), stat.S_IFDIR
    for part in key.split("/"):
        path = f"{path}/{part}"
        try:
            mode = os.lstat(path).st_mode
        except (FileNotFoundError, NotADirectoryError):
            return None
        if part == ".." or stat.S_ISLNK(mode):
            raise unsafe(root, key, "a link stands inside the store")
    if not stat.S_ISREG(mode):
        raise unsafe(root, key, "it is no plain file")
    return Path(path)


def metadata(root: Path, key: str) -> dict | None:
    """Content of a metadata file.

    Parameters
    ----------
    root : Path
        Root of the store.
    key : str
        Path of the JSON file inside the store.

    Returns
    -------
    dict or None
        None when there is no such file.

    Raises
    ------
    StoreIOError
        ``E-STORE-DAMAGED`` when it is no JSON object.
    """
    path = plain_path(root, key)
    if path is None:
        return None
    if path.stat().st_size > LARGEST_JSON:
        raise damaged(root, key, f"more than {LARGEST_JSON} bytes of metadata")
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise damaged(root, key, "it is not the JSON that was written") from None
    if not isinstance(found, dict):
        raise damaged(root, key, "it is not the JSON that was written")
    return found


def mark_of(root: Path, node: str) -> dict:
    """What qsdask keeps in the metadata of a group or a ledger.

    Raises
    ------
    StoreIOError
        ``E-STORE-DAMAGED`` when it is not there.
    """
    file = f"{node}/zarr.json"
    found = metadata(root, file)
    try:
        mark = mark_in((found or {})["attributes"])
    except (KeyError, TypeError):
        mark = None
    if mark is None:
        raise damaged(root, file, "it does not say what the stage did")
    return mark


def mark_in(attributes: dict) -> dict | None:
    """What qsdask keeps among the attributes of a node; None when it is not there, or not as it was written.

    It is JSON in a string, for attributes that netCDF can hold too; in ledgers, and in what earlier versions wrote, a mapping.
    """
    mark = attributes.get("qsdask")
    if isinstance(mark, str):
        try:
            mark = json.loads(mark)
        except (ValueError, RecursionError):
            return None
    return mark if isinstance(mark, dict) else None


def check_root(root: Path) -> dict:
    """Metadata of the store itself, after a look at format and needed features.

    Parameters
    ----------
    root : Path
        Root of the store.

    Returns
    -------
    dict

    Raises
    ------
    BadDataError
        ``E-FORMAT-VERSION`` when a newer or older qsdask wrote the store, or one with features unknown here.
    StoreIOError
        ``E-STORE-DAMAGED``, ``E-STORE-UNSAFE``.
    """
    found = metadata(root, "zarr.json")
    if found is None:
        raise damaged(root, "zarr.json", "it is missing")
    marks = found.get("attributes")
    if found.get("zarr_format") != 3 or found.get("node_type") != "group" or not isinstance(marks, dict):
        raise damaged(root, "zarr.json", "it is not the root of a Zarr v3 store")
    # Format 1 had no mark at the root.
    mark = mark_in({"qsdask": {"format": 1}, **marks})
    if mark is None:
        raise damaged(root, "zarr.json", "the mark of qsdask is not what was written")
    check_format(root, mark.get("format"))
    check_requires(root, mark)
    return found


def check_requires(root: Path, mark: dict) -> None:
    """Refuse a store that needs features unknown here; see `check_root`."""
    requires = mark.get("requires", [])
    if not isinstance(requires, list) or not set(map(str, requires)) <= KNOWN_FEATURES:
        raise BadDataError(
            f"the store needs {requires}, which qsdask {__version__} does not know",
            code="E-FORMAT-VERSION",
            file=root,
            hint="use a newer qsdask",
        )


def check_format(root: Path, number: object) -> None:
    """Refuse a store of another format; see `check_root`."""
    if type(number) is not int or number < 1:
        raise damaged(root, "zarr.json", f"format {number!r}")
    if number != schema.FORMAT_VERSION:
        newer = number > schema.FORMAT_VERSION
        raise BadDataError(
            f"the store has format {number}, this is qsdask {__version__} and "
            f"{'knows <=' if newer else 'writes'} {schema.FORMAT_VERSION}",
            code="E-FORMAT-VERSION",
            file=root,
            hint="use a newer qsdask" if newer else f"qsdask migrate {root}",
        )


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


def intact(chunk: bytes) -> bool:
    """Whether the bytes of a chunk end with their CRC-32C."""
    return len(chunk) >= 4 and google_crc32c.value(chunk[:-4]) == int.from_bytes(chunk[-4:], "little")


def chunk_fault(found: dict, data: bytes) -> str | None:
    """What is wrong with a chunk before it is decompressed; None when it is one of its array.

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
