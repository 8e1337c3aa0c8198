"""Format 1: receipts without the names of their files, no manifests, and no file for a chunk full of fill values."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np

from qsdask import schema
from qsdask.care.receipts import old_words, put_receipts, set_aside, tasks_of
from qsdask.engine.reading import read_box
from qsdask.store import ledger
from qsdask.store.described import array_metadata
from qsdask.store.durable import DurableStore, content_words, name_word
from qsdask.store.ledger import Record, Task
from qsdask.store.manifest import folder_text, folders_of
from qsdask.store.marks import mark_of
from qsdask.store.place import Place
from qsdask.store.reader import StoreReader, open_checked
from qsdask.store.record import put_record, record_from
from qsdask.store.template import create_array
from qsdask.store.validate import damaged

__all__ = ["LATER", "WAITING", "from_format_one"]

#: Files of a task, and what a receipt says of each.
Words = dict[str, tuple[int, int, int, int]]

#: Where the old receipts wait until the new ones are safe.
WAITING = "receipt-1"

#: In place of a task, for arrays that the driver writes.
WHOLE: Task = (-1, -1, -1)

#: Arrays that format 1 did not have, and that are counted anew.
ADDED = ("n_lost", "n_outside")

#: Arrays that came later, and that a store does without.
LATER = ("deformation", "n_new", "outside")


def from_format_one(root: Path, key: str) -> None:
    """Bring one stage from format 1 to format 2; what is left of an interrupted try goes on.

    Raises
    ------
    StoreIOError
        ``E-STORE-DAMAGED`` when a file is not what its receipt says.
    """
    record = record_from(mark_of(root, f"ledger/{key}")["record"])
    words = old_words(root, record, WAITING, 3)
    chunks = _chunks_by_task(root, record)
    named = {task: _named(root, key, task, words[task], chunks.get(task, [])) for task in tasks_of(record)}
    # From here on an interruption loses nothing.
    set_aside(root, key, WAITING)
    if record.complete:
        for task, files in named.items():
            files |= _filled(root, [f for f in chunks.get(task, []) if f not in files])
        _filled(root, [f for f in chunks.get(WHOLE, []) if not Place(root).exists(f)])
    if key == "ingest" and record.complete:
        for (_, step, _), files in named.items():
            files |= _added(root, record, step)
    record = replace(record, n_file=max(record.n_file, *(len(files) for files in named.values())))
    store = DurableStore(root)
    for node in (f"ledger/{key}", *record.groups):
        for folder in folders_of(node):
            store.put(f"{folder}/zarr.json", folder_text())
    done = {task: files for task, files in named.items() if files}
    put_receipts(root, record, {t: np.array([f[n] for n in sorted(f)], np.uint64) for t, f in done.items()})
    if record.complete:
        ledger.seal(root, record)
    else:
        put_record(root, record, None)


def _chunks_by_task(root: Path, record: Record) -> dict[Task, list[str]]:
    """Chunk files of a stage, there or not, by the task that writes them; `WHOLE` for arrays written at once."""
    found: dict[Task, list[str]] = {}
    for group in record.groups:
        for variable in (v for v in schema.variables_of(group) if v.name not in (*ADDED, *LATER)):
            name = f"{group}/{variable.name}"
            described = array_metadata(root, name)
            chunks = described["chunk_grid"]["configuration"]["chunk_shape"]
            counts = (range(-(-n // c)) for n, c in zip(described["shape"], chunks, strict=True))
            for index in product(*counts):
                task = _task_of(variable, record, index)
                found.setdefault(task, []).append("/".join([name, "c", *map(str, index)]))
    return {task: sorted(files) for task, files in found.items()}


def _task_of(variable: schema.Variable, record: Record, index: tuple[int, ...]) -> Task:
    """Task that writes a chunk."""
    if variable.coordinate or (record.key == "ingest" and "step" not in variable.dims):
        return WHOLE
    at = dict(zip(variable.dims, index, strict=True))
    # Features are the one stage of two parts: short range in the first chunk of columns, medium range behind it.
    place = (at.get("feature", 0), at.get("step", 0), at.get("atom", 0))
    part, step, domain = (min(i, n - 1) for i, n in zip(place, record.shape, strict=True))
    return part, step, domain


def _named(root: Path, key: str, task: Task, words: np.ndarray, chunks: list[str]) -> Words:
    """Files of a task with their four words; chunks full of fill values had no file, but for an earlier try."""
    named: Words = {}
    wanted = [tuple(word) for word in words.tolist() if word[0]]
    place = Place(root)
    resumed = place.exists(f"ledger/{key}/{WAITING}")
    for file in chunks if wanted else []:
        if place.exists(file):
            found = content_words(place.read(file))
            if found in wanted[len(named) : len(named) + 1] or not resumed:
                named[file] = (*found, name_word(file))
    if [word[:3] for word in named.values()] != wanted:
        at = tuple(map(int, task))
        raise damaged(root, key, f"the files of the task (part, step, domain) = {at} are not what its receipt says")
    return named


def _filled(root: Path, chunks: list[str]) -> Words:
    """Write chunks that are full of fill values."""
    store = DurableStore(root)
    for file in chunks:
        name, _, index = file.partition("/c/")
        array = open_checked(store, name)
        at = zip(map(int, index.split("/")), array.chunks, strict=True)
        array[tuple(slice(i * c, (i + 1) * c) for i, c in at)] = array.fill_value
    store.sync_directories()
    return store.written


def _added(root: Path, record: Record, step: int) -> Words:
    """Counts that format 1 did not keep: it refused lost atoms, and the others can be counted."""
    reader = StoreReader(root)
    n_step = record.shape[1]
    for variable in (v for v in schema.variables_of("frames") if v.name in ADDED):
        if not Place(root).exists(f"frames/{variable.name}/zarr.json"):
            create_array(root, "frames", variable, {"step": n_step}, {"step": 1})
    box, outside = read_box(reader, step), 0
    for domain in range(reader.n_domain):
        reduced = box.reduced(reader["frames/position"][step, reader.rows(domain)])
        outside += int((np.abs(reduced - 0.5) > 1.5)[:, box.periodic].any(axis=1).sum())
    store = DurableStore(root)
    for name, count in zip(ADDED, (0, outside), strict=True):
        open_checked(store, f"frames/{name}")[step] = count
    store.sync_directories()
    return store.written
