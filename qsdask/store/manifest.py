"""What a store says about itself: folders, the table of contents at its root, and the manifest of every stage.

All of it is rendered here and nowhere else, from facts that are the same on every machine, so that it can be rendered
again and compared byte by byte.

A stage's manifest, ``ledger/<stage>/manifest.json``, covers what no receipt covers: metadata of groups and arrays,
arrays written whole, all receipts together, and the stage's record.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qsdask import schema
from qsdask.errors import StoreIOError
from qsdask.store.described import text_width
from qsdask.store.durable import DurableStore, content_words
from qsdask.store.flat import flat
from qsdask.store.shard import sharding
from qsdask.store.validate import damaged, metadata, plain_path

__all__ = [
    "FILE_WORDS",
    "Manifest",
    "as_it_stands",
    "checksum",
    "entry_of",
    "folder_text",
    "folders_of",
    "metadata_keys",
    "put_folders",
    "read_manifest",
    "receipts_digest",
    "root_text",
    "sound_text",
]


def checksum(value: object) -> str:
    """128-bit BLAKE2b hash of a JSON value, the same for every order of its keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def folder_text(attributes: Mapping[str, object] | None = None) -> bytes:
    """Metadata file of a group."""
    content = {"attributes": dict(attributes or {}), "zarr_format": 3, "node_type": "group"}
    return json.dumps(content, indent=2).encode()


def folders_of(path: str) -> list[str]:
    """Groups above a node, outermost first, without the root: ``features`` for ``features/interstice``."""
    return [str(folder) for folder in reversed(Path(path).parents) if str(folder) != "."]


def put_folders(root: Path, path: str) -> None:
    """Make the groups above a node, as far as they are not there."""
    store = DurableStore(root)
    if not (root / "zarr.json").is_file():
        store.put("zarr.json", root_text({}))
    for folder in folders_of(path):
        key, text = f"{folder}/zarr.json", folder_text()
        if not (root / key).is_file() or (root / key).read_bytes() != text:
            store.put(key, text)


def metadata_keys(root: Path, groups: Iterable[str]) -> list[str]:
    """Metadata files of groups: their own and those of their arrays."""
    found = []
    for group in groups:
        found.append(f"{group}/zarr.json")
        found += sorted(_arrays_of(root, group))
    return found


def _arrays_of(root: Path, group: str) -> list[str]:
    """Metadata files of the arrays of a group."""
    packed = flat(root)
    if packed is None:
        return [str(file.relative_to(root)) for file in (root / group).glob("*/zarr.json")]
    return [file for name in packed.names(group) if packed.member(file := f"{group}/{name}/zarr.json")]


def root_text(shown: Mapping[str, Any], requires: Iterable[str] = (), *, nested: bool = False) -> bytes:
    """Metadata file of the store: format, needed features, and the consolidated metadata.

    Parameters
    ----------
    shown : mapping of str to mapping
        Metadata by path of the node, parents first.
    requires : iterable of str
        What a version of qsdask must know of to read the store.
    nested : bool
        As earlier versions wrote it: the attribute is a mapping, which netCDF cannot hold.

    Returns
    -------
    bytes
    """
    # Zarr loses the first of two children of one group that do not stand together.
    needed = set(requires)
    arrays = [node for node in shown.values() if node and "data_type" in node]
    if any(text_width(node) for node in arrays):
        needed.add("text")
    if any(sharding(node) is not None for node in arrays):
        needed.add("shards")
    mark = {"format": schema.FORMAT_VERSION, "requires": sorted(needed)}
    shown = dict(sorted(shown.items(), key=lambda item: _beside_siblings(item[0])))
    content = {
        "attributes": {"qsdask": mark if nested else json.dumps(mark)},
        "zarr_format": 3,
        "node_type": "group",
        "consolidated_metadata": {"kind": "inline", "must_understand": False, "metadata": shown},
    }
    return json.dumps(content, indent=1).encode()


def _beside_siblings(node: str) -> list[str]:
    """Order of nodes in the root: as computed, then the deformed frames by their path."""
    top, *rest = node.split("/")
    return [top, *rest] if top == "steps" else []


def receipts_digest(receipts: np.ndarray) -> str:
    """128-bit BLAKE2b hash of all receipts of a stage, whichever run wrote them.

    Parameters
    ----------
    receipts : uint64 array, shape (part, step, domain, file, word)
    """
    return hashlib.blake2b(
        np.ascontiguousarray(receipts[..., :FILE_WORDS], dtype="<u8").tobytes(), digest_size=16
    ).hexdigest()


#: Words of a receipt that tell of a file: its length, the two halves of its hash, the hash of its name. In the receipts
#: of a stage that knows its runs the token of the run follows.
FILE_WORDS = 4


@dataclass(frozen=True)
class Manifest:
    """What a finished stage consists of, beside the files that its receipts cover.

    Attributes
    ----------
    record : dict
        The stage's record as it stands in the ledger.
    files : dict of str to list of (int, str)
        Length in bytes and 128-bit BLAKE2b hash of every file, by path inside the store.
    receipts : str
        See `receipts_digest`.
    """

    record: dict[str, Any]
    files: dict[str, list]
    receipts: str

    def _content(self) -> dict:
        return {"record": self.record, "files": self.files, "receipts": self.receipts}

    @property
    def checksum(self) -> str:
        """Hash of the manifest, kept in the manifest and in the ledger."""
        # As it will be read again: tuples become lists.
        return checksum(json.loads(json.dumps(self._content())))

    def text(self) -> bytes:
        """The file."""
        content = {**self._content(), "checksum": self.checksum}
        return json.dumps(content, sort_keys=True, indent=1).encode()


def read_manifest(root: Path, stage: str) -> Manifest | None:
    """Manifest of a stage, None when there is none.

    Raises
    ------
    StoreIOError
        ``E-STORE-DAMAGED`` when it is not what was written.
    """
    key = f"ledger/{stage}/manifest.json"
    found = metadata(root, key)
    if found is None:
        return None
    try:
        made = Manifest(found["record"], found["files"], found["receipts"])
        intact = made.checksum == found["checksum"] and made.text() == as_it_stands(root, key)
        if intact and made.record["key"] == stage:
            return made
    except (KeyError, TypeError):
        pass
    raise damaged(root, key, "its checksum differs")


def sound_text(root: Path, manifest: Manifest, key: str) -> bytes | None:
    """A metadata file as it was written: as it stands, or as the root's table of contents remembers it.

    Parameters
    ----------
    root : Path
        Root of the store.
    manifest : Manifest
        Of the stage that the file belongs to.
    key : str
        Path of the file inside the store.

    Returns
    -------
    bytes or None
        None when neither is what the manifest names.
    """
    for candidate in (as_it_stands, _as_remembered):
        text = candidate(root, key)
        if text is not None and key in manifest.files and entry_of(text) == manifest.files[key]:
            return text
    return None


def entry_of(data: bytes) -> list:
    """Length and hash of a file as a manifest lists them."""
    length, high, low = content_words(data)
    return [length, f"{high:016x}{low:016x}"]


def as_it_stands(root: Path, key: str) -> bytes | None:
    """Bytes of a file of a store; None when it is not there, or no plain file."""
    try:
        path = plain_path(root, key)
    except StoreIOError:
        return None
    return None if path is None else path.read_bytes()


def _as_remembered(root: Path, key: str) -> bytes | None:
    try:
        found = metadata(root, "zarr.json") or {}
        node = found["consolidated_metadata"]["metadata"][key.removesuffix("/zarr.json")]
    except (StoreIOError, KeyError, TypeError):
        return None
    return json.dumps(node, indent=2).encode()
