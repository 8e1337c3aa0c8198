"""Files of one step, as earlier versions wrote them, put together into files of several."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np

from qsdask.care.receipts import old_words, put_receipts
from qsdask.files.durable import sync
from qsdask.schema import steps_in_file, variables_of
from qsdask.store import ledger
from qsdask.store.described import array_metadata
from qsdask.store.durable import DurableStore, content_words, name_word
from qsdask.store.keys import chunk_of
from qsdask.store.ledger import Task
from qsdask.store.manifest import FILE_WORDS, entry_of, put_folders, read_manifest
from qsdask.store.marks import MIGRATION
from qsdask.store.place import Place
from qsdask.store.record import Record, keys, publish, read_record
from qsdask.store.shard import Part, sharded_description
from qsdask.store.validate import damaged

__all__ = ["put_in_place", "put_together", "wanted_stride"]

#: Folder of the store in which the new files are made.
ASIDE = ".together"

#: Name of the receipts, as `qsdask.care.receipts.old_words` wants it.
SINGLE = "receipt"


def wanted_stride(record: Record) -> int:
    """Steps that the files of a stage should hold; 1 where there is nothing to do."""
    stepped = any(_by_step(group, name) for group in record.groups for name in _names(group))
    return steps_in_file(record.shape[1]) if stepped and record.complete and record.stride == 1 else 1


def put_together(root: Path, record: Record) -> None:
    """Make the files of a complete stage anew beside it, with several steps in each, and give them their place.

    Chunks are taken over as they are, after a look at what receipts and manifest say of them.

    Parameters
    ----------
    root : Path
        Root of the store.
    record : Record
        Of the stage.

    Raises
    ------
    StoreIOError
        ``E-STORE-DAMAGED`` when a file is not what was written.
    """
    aside = root / ASIDE
    Place(aside).remove_all()
    for node in (*record.groups, f"ledger/{record.key}"):
        put_folders(aside, node)
    new = replace(record, stride=wanted_stride(record))
    words = _copied(root, aside, new, _known(root, record))
    put_receipts(aside, new, words)
    DurableStore(aside).sync_arrays((*record.groups, f"ledger/{record.key}"))
    ledger.seal(aside, new)
    put_in_place(root, interrupted=False)


def put_in_place(root: Path, *, interrupted: bool) -> None:
    """Give what was made beside a store its place; when this is interrupted, the next call goes on.

    Parameters
    ----------
    root : Path
        Root of the store.
    interrupted : bool
        Whether the store says that a call was cut short: then a stage without a ledger is one whose files were being moved.
    """
    aside, place = Place(root / ASIDE), Place(root)
    for key in keys(root / ASIDE):
        record, old = read_record(root / ASIDE, key), read_record(root, key)
        moving = interrupted if old is None else record == replace(old, stride=record.stride if record else 1)
        # What was computed again since is not replaced.
        if record is None or not record.complete or not moving:
            continue
        # A stage whose files are moved has no ledger meanwhile: nobody is to read the store.
        publish(root, requires=[MIGRATION])
        place.remove_all(f"ledger/{key}")
        # The ledger comes last: without it nobody takes for complete what has been moved so far.
        for node in (*record.groups, f"ledger/{key}"):
            if aside.exists(node):
                aside.move(node, node, place)
                sync((root / node).parent)
        publish(root)
    aside.remove_all()


def _names(group: str) -> list[str]:
    return [variable.name for variable in variables_of(group)]


def _by_step(group: str, name: str) -> bool:
    """Whether tasks write an array step by step."""
    (variable,) = (v for v in variables_of(group) if v.name == name)
    return "step" in variable.dims and not (variable.coordinate or variable.whole)


def _known(root: Path, record: Record) -> dict[str | int, tuple[int, ...]]:
    """Length and hash of every file of a stage: by its key where the manifest tells, else by the hash of the key."""
    manifest = read_manifest(root, record.key)
    if manifest is None:
        raise damaged(root, f"ledger/{record.key}/manifest.json", "it is missing; 'qsdask repair' comes first")
    words = old_words(root, record, SINGLE, FILE_WORDS + bool(record.runs))
    known: dict[str | int, tuple[int, ...]] = {file: tuple(entry) for file, entry in manifest.files.items()}
    for length, high, low, name in words[..., :FILE_WORDS].reshape(-1, FILE_WORDS).tolist():
        if length:
            known[name] = (length, high, low)
    return known


def _copied(root: Path, aside: Path, new: Record, known: dict) -> dict[Task, np.ndarray]:
    """Copy all files of the groups; what the new receipts say, by task."""
    words: dict[Task, list] = {}
    for group in new.groups:
        for key in (key for key in known if isinstance(key, str) and key.startswith(f"{group}/")):
            chunk = chunk_of(key)
            name = (chunk[0] if chunk else key.removesuffix("/zarr.json")).removeprefix(f"{group}/")
            if name not in _names(group) or not _by_step(group, name):
                DurableStore(aside).put(key, _checked(root, key, known))
        for name in (name for name in _names(group) if _by_step(group, name)):
            if Place(root).exists(f"{group}/{name}/zarr.json"):
                for task, written in _array(root, aside, f"{group}/{name}", new, known):
                    words.setdefault(task, []).extend(written.items())
    return {task: np.array([word for _, word in sorted(files)], dtype=np.uint64) for task, files in words.items()}


def _array(root: Path, aside: Path, name: str, new: Record, known: dict) -> Iterator[tuple[Task, dict]]:
    """Copy an array step by step into files of several; what was written, by task."""
    found = array_metadata(root, name)
    _checked(root, f"{name}/zarr.json", known)
    step = found["dimension_names"].index("step")
    at_atom = found["dimension_names"].index("atom") if "atom" in found["dimension_names"] else None
    described = sharded_description(found, step, new.stride)
    DurableStore(aside).put(f"{name}/zarr.json", json.dumps(described, indent=2).encode())
    chunks = found["chunk_grid"]["configuration"]["chunk_shape"]
    others = [
        range(1 if i == step else -(-n // c)) for i, (n, c) in enumerate(zip(found["shape"], chunks, strict=True))
    ]
    for number in range(new.grid[1]):
        steps = new.steps_of(number)
        for at in product(*others):
            store = DurableStore(aside)
            for k in steps:
                data = _checked(root, _key(name, at, step, k), known)
                store.write(_key(name, at, step, number), data, Part(k - steps.start, len(steps), new.stride))
            store.sync_directories()
            domain = 0 if new.shape[2] == 1 or at_atom is None else at[at_atom]
            yield (0, number, domain), store.written


def _key(name: str, at: tuple[int, ...], step: int, number: int) -> str:
    return "/".join([name, "c", *map(str, (*at[:step], number, *at[step + 1 :]))])


def _checked(root: Path, key: str, known: dict) -> bytes:
    """Bytes of a file that are those that were written."""
    place = Place(root)
    if not place.exists(key):
        raise damaged(root, key, "it is missing; 'qsdask repair' comes first")
    data = place.read(key)
    if key in known:
        if tuple(entry_of(data)) == known[key]:
            return data
    elif content_words(data) == known.get(name_word(key)):
        return data
    raise damaged(root, key, "it is not what was written; 'qsdask repair' comes first")
