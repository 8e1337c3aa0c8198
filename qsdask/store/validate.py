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

from qsdask.errors import StoreIOError
from qsdask.store.flat import FlatFile, flat

__all__ = ["damaged", "metadata", "plain_path", "unsafe"]

#: Largest metadata file. Unit: bytes.
LARGEST_JSON = 64 * 2**20


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


def plain_path(root: Path, key: str) -> Path | FlatFile | None:
    """Path of a file of the store that is no link and lies behind none.

    Parameters
    ----------
    root : Path
        Root of the store; it may itself be a link.
    key : str
        Path inside the store.

    Returns
    -------
    Path, Member, Fetched or None
        Of a store in a zip file or a bucket what stands for a path in it. None when there is no such file.

    Raises
    ------
    StoreIOError
        ``E-STORE-UNSAFE`` for a link, a pipe or a device.
    """
    packed = flat(root)
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
