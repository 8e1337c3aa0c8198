"""``migrate``: bring a store of an older format to the present one.

Format 1 had receipts without the names of their files, no manifests, and no file for a chunk full of fill values. Stores of
either format may lack arrays that came later and follow from what is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np

from qsdask import schema
from qsdask.care.verify import verify
from qsdask.engine.reading import read_box
from qsdask.engine.tasks import progress_bar
from qsdask.errors import NoInputError
from qsdask.files.lock import writing
from qsdask.intake.loading import loading_of
from qsdask.settings import IngestSettings
from qsdask.store import ledger
from qsdask.store.durable import DurableStore, content_words, name_word
from qsdask.store.ledger import Record, Task
from qsdask.store.manifest import FILE_WORDS, folder_text, folders_of
from qsdask.store.place import Place
from qsdask.store.reader import StoreReader, open_checked
from qsdask.store.record import keys, publish, put_record, read_record, record_from, require_store
from qsdask.store.template import create_array, write_whole
from qsdask.store.validate import array_metadata, check_format, check_requires, damaged, intact, mark_of, metadata

__all__ = ["migrate"]

#: Files of a task, and what a receipt says of each.
Words = dict[str, tuple[int, int, int, int]]

#: Where the old receipts wait until the new ones are safe.
WAITING = "receipt-1"

#: In place of a task, for arrays that the driver writes.
WHOLE: Task = (-1, -1, -1)

#: Arrays that format 1 did not have, and that are counted anew.
ADDED = ("n_lost", "n_outside")

#: Arrays that came later, and that a store does without.
LATER = ("deformation", "n_new")


def migrate(store: str | Path, *, progress: bool = True) -> Path:
    """Bring a store of an older qsdask to the present format, and add what came later; its numbers stay as they are.

    Parameters
    ----------
    store : str or Path
        A specimen's store.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Path
        The store. One of the present format gets the deformation gradient of its frames and the name of its loading, if
        it does not have them; its strains stay those that its labels rest on.

    Raises
    ------
    NoInputError
        ``E-NO-STORE`` when there is no store, or one of another program.
    BadDataError
        ``E-FORMAT-VERSION`` when a newer qsdask wrote it.
    StoreIOError
        ``E-STORE-DAMAGED`` when a file is not what its receipt says: then the store cannot vouch for itself.
    ResumableError
        ``E-LOCKED`` when somebody writes into it.

    Notes
    -----
    Every file is compared with the old receipts first. When it is interrupted, the same command goes on.
    """
    root = Path(store)
    require_store(root)
    if not (root / "ledger").is_dir():  # every format has one; what has none is of another program, and stays as it is
        raise NoInputError("this is no store of qsdask", code="E-NO-STORE", file=root, hint="nothing was changed here")
    with writing(root):
        old = [key for key in keys(root) if _format(root, key) == 1]
        if old or _root_format(root) != schema.FORMAT_VERSION:
            with progress_bar("migrate", len(old), show=progress) as advance:
                for key in old:
                    _migrate_stage(root, key)
                    advance(1)
            publish(root)
            for key in keys(root):
                Place(root).remove_all(f"ledger/{key}/{WAITING}")
        _add_gradient(root, progress)
    return root


def _add_gradient(root: Path, progress: bool) -> None:
    """Deformation gradient and loading of a store that was ingested before there were any."""
    record = read_record(root, "ingest")
    if record is None or not record.complete or "loading" in record.facts:
        return
    # Its manifest is made anew from the files, which must be those that it names; a gradient without a manifest is what an
    # interrupted try left.
    found = (d for d in verify(root, progress=progress) if d.stage == "ingest" and not d.harmless)
    if harm := [d for d in found if not d.file.startswith("frames/deformation/")]:
        raise damaged(root, harm[0].file, "a damaged store cannot be migrated; 'qsdask repair' comes first")
    reader = StoreReader(root)
    kept = {name: value for name, value in record.settings.items() if name in IngestSettings.model_fields}
    loading = loading_of(reader["frames/cell"][:], reader["frames/periodic"][:], IngestSettings(**kept))
    (variable,) = (v for v in schema.variables_of("frames") if v.name == "deformation")
    Place(root).remove_all("frames/deformation")
    create_array(root, "frames", variable, {"step": record.shape[1], "xyz": 3, "line": 3}, {})
    write_whole(root, "frames", {"deformation": loading.deformation})
    ledger.seal(root, replace(record, provenance={**record.facts, "loading": loading.facts}))
    publish(root)


def _root_format(root: Path) -> object:
    found = metadata(root, "zarr.json")
    if found is None:
        raise damaged(root, "zarr.json", "it is missing")
    mark = found.get("attributes", {}).get("qsdask", {"format": 1})
    check_requires(root, mark)
    return mark.get("format")


def _format(root: Path, key: str) -> int:
    """Format of one stage; a newer one is refused."""
    mark = mark_of(root, f"ledger/{key}")
    if "format" not in mark:
        raise damaged(root, f"ledger/{key}/zarr.json", "it names no format")
    number = mark["format"]
    if number != 1:
        check_format(root, number)
    return number


def _migrate_stage(root: Path, key: str) -> None:
    record = record_from(mark_of(root, f"ledger/{key}")["record"])
    words = _old_words(root, record)
    chunks = _chunks_by_task(root, record)
    named = {task: _named(root, key, task, words[task], chunks.get(task, [])) for task in _tasks(record)}
    # From here on the old receipts wait under another name, so that an interruption loses nothing.
    place, receipts, waiting = Place(root), f"ledger/{key}/receipt", f"ledger/{key}/{WAITING}"
    if not place.exists(waiting):
        place.move(receipts, waiting)
    place.remove_all(receipts)
    if record.complete:
        for task, files in named.items():
            files |= _filled(root, [f for f in chunks.get(task, []) if f not in files])
        _filled(root, [f for f in chunks.get(WHOLE, []) if not place.exists(f)])
    if key == "ingest" and record.complete:
        for (_, step, _), files in named.items():
            files |= _added(root, record, step)
    record = replace(record, n_file=max(record.n_file, *(len(files) for files in named.values())))
    store = DurableStore(root)
    for node in (f"ledger/{key}", *record.groups):
        for folder in folders_of(node):
            store.put(f"{folder}/zarr.json", folder_text())
    ledger.create_receipts(store, record)
    array = open_checked(store, f"ledger/{key}/receipt")
    for task, files in named.items():
        if files:
            receipt = np.zeros((record.n_file, FILE_WORDS), dtype=np.uint64)
            receipt[: len(files)] = [files[name] for name in sorted(files)]
            array[task] = receipt
    store.sync_directories()
    if record.complete:
        ledger.seal(root, record)
    else:
        put_record(root, record, None)


def _old_words(root: Path, record: Record) -> np.ndarray:
    """Receipts of format 1: length and hash of a task's files, by rising name; uint64, shape (..., file, 3)."""
    place, folder = Place(root), f"ledger/{record.key}/{WAITING}"
    folder = folder if place.exists(folder) else f"ledger/{record.key}/receipt"
    words = np.zeros((*record.shape, record.n_file, 3), dtype="<u8")
    for task in _tasks(record):
        file = f"{folder}/c/{'/'.join(map(str, task))}/0/0"
        if not place.exists(file):
            if record.complete:
                raise damaged(root, file, "the receipt of a task is missing")
            continue
        data = place.read(file)
        if len(data) != words[task].nbytes + 4 or not intact(data):
            raise damaged(root, file, "the receipt of a task is damaged")
        words[task] = np.frombuffer(data[:-4], dtype="<u8").reshape(words[task].shape)
    return words


def _tasks(record: Record) -> Iterator[Task]:
    return np.ndindex(*record.shape)


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
