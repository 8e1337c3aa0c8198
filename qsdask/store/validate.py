"""What a store must look like before its bytes reach Zarr, Blosc or NumPy: plain files, and metadata that we write.

A store may come from anywhere. Its metadata decide which codec runs and how much memory is taken, so they are read here
first, as plain JSON, and compared with what `qsdask.schema` registers.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path

from qsdask import __version__, schema
from qsdask.errors import BadDataError, StoreIOError
from qsdask.store.zipped import Member, zipped

__all__ = [
    "check_format",
    "check_requires",
    "check_root",
    "damaged",
    "mark_in",
    "mark_of",
    "metadata",
    "plain_path",
    "unsafe",
]

#: Largest metadata file. Unit: bytes.
LARGEST_JSON = 64 * 2**20


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
