"""The ledger: what makes "complete" mean complete.

Zarr reads a chunk that was never written as fill values, without complaint. So each stage keeps a ledger array,
``ledger/<stage>/receipt``, with one receipt per task: for every file the task wrote, its length and the hash of its bytes,
computed before the write, the hash of its name, and the token of the run of the stage that wrote it. The receipt is
written after its files are safely on disk. When no receipt is missing,
the driver writes the manifest and marks the ledger complete; readers refuse a stage whose ledger does not say so.

Only complete stages are listed in the store's consolidated metadata: plain xarray never shows an unfinished group.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
import zarr
from zarr.abc.store import Store
from zarr.codecs import Crc32cCodec

from qsdask import __version__
from qsdask.errors import CannotCreateError, NoInputError, ResumableError
from qsdask.files.location import located
from qsdask.schema import command_of, groups_of
from qsdask.store.beside import BESIDE, discard, remove_with_dependents, take_place, target_of, tidy
from qsdask.store.described import array_metadata
from qsdask.store.durable import DurableStore, name_word
from qsdask.store.lineage import refuse_other_inputs
from qsdask.store.manifest import FILE_WORDS, Manifest, entry_of, metadata_keys, put_folders, receipts_digest
from qsdask.store.marks import mark_in
from qsdask.store.place import Place
from qsdask.store.reader import CheckedStore, open_checked
from qsdask.store.record import Record, publish, put_record, read, read_record, records

__all__ = [
    "Begun",
    "Record",
    "Task",
    "begin",
    "create_receipts",
    "discard",
    "finish",
    "manifest_of",
    "pending",
    "read",
    "receipt_key",
    "records",
    "reopen",
    "require",
    "same",
    "seal",
    "tokens",
]

_log = logging.getLogger(__name__)

#: (part, step, domain) of one task; where it takes several steps, they are counted in `Record.stride`.
Task = tuple[int, int, int]


class Begun(NamedTuple):
    """A stage that a run has opened.

    Attributes
    ----------
    root : Path
        Where it is written: the root of the store, or the folder beside the numbers that are overwritten.
    record : Record
        As it stands in the ledger there.
    removed : list of Record
        Stages that built on the old numbers and were removed with them, in the order of computation.
    """

    root: Path
    record: Record
    removed: list[Record]


def require(path: Path, key: str) -> Record:
    """Record of a stage that must be complete.

    Raises
    ------
    NoInputError
        ``E-STAGE-MISSING`` when the stage was never started.
    ResumableError
        ``E-INCOMPLETE`` when tasks are missing; the message says how many and how to resume.
    BadDataError
        ``E-INPUTS-DIFFER`` when it was computed from other numbers than those of this store.
    """
    record = read(path, key)
    command = command_of(path, key)
    if record is None:
        raise NoInputError(
            f"{key} has not been computed in this store", code="E-STAGE-MISSING", file=path, hint=command
        )
    if not record.complete:
        done = record.n_task - len(pending(path, key))
        raise ResumableError(
            f"{key} is incomplete: {done} of {record.n_task} tasks done",
            code="E-INCOMPLETE",
            file=path,
            hint=f"resume with '{command}'",
        )
    refuse_other_inputs(path, record)
    return record


def create_receipts(store: Store, record: Record) -> zarr.Array:
    """Start the receipts of a stage: none yet."""
    words = FILE_WORDS + bool(record.runs)
    token = ", and the token of the run" if record.runs else ""
    return zarr.create_array(
        store,
        name=f"ledger/{record.key}/receipt",
        shape=(*record.grid, record.n_file, words),
        chunks=(1, 1, 1, record.n_file, words),
        dtype="uint64",
        fill_value=0,
        dimension_names=("part", "step", "domain", "file", "word"),
        compressors=[Crc32cCodec()],
        attributes={
            "units": "1",
            "long_name": "receipt of each task: for every file length in bytes, 128-bit BLAKE2b hash, and 64-bit BLAKE2b hash "
            f"of its path{token}; 0 = not done",
        },
        overwrite=True,
    )


def receipt_key(key: str, task: Task) -> str:
    """File that holds the receipt of a task."""
    return f"ledger/{key}/receipt/c/{'/'.join(map(str, task))}/0/0"


def pending(path: Path, key: str) -> list[Task]:
    """Tasks without a receipt of a run that the stage knows, in rising (part, step, domain)."""
    record, receipts = read(path, key), _receipts(path, key)
    done = receipts[..., 0, 0] > 0
    if record is not None and record.runs:
        done &= np.isin(receipts[..., 0, FILE_WORDS], tokens(record))
    return [(int(p), int(s), int(d)) for p, s, d in np.argwhere(~done)]


def tokens(record: Record) -> np.ndarray:
    """Tokens of the runs of a stage as its receipts have them; uint64, shape (run,)."""
    return np.array([int(run, 16) for run in record.runs], dtype=np.uint64)


def _receipts(path: Path, key: str) -> np.ndarray:
    """All receipts of a stage, 0 where there is none; uint64, shape (part, step, domain, file, word)."""
    return open_checked(CheckedStore(path, partial=True), f"ledger/{key}/receipt")[:]


def begin(path: Path, record: Record, template: Callable[[Path], None], *, overwrite: bool = False) -> Begun:
    """Open a stage for work: anew, or where it was left.

    Parameters
    ----------
    path : Path
        Root of the store.
    record : Record
        What the stage is about to do.
    template : callable
        ``template(root)`` makes the empty groups below the root that is written to; called only when the stage starts anew.
    overwrite : bool
        Start anew even where the stage, with these or other settings, has been computed. What is complete stays until
        the new numbers take its place; see `qsdask.store.beside`.

    Returns
    -------
    Begun

    Raises
    ------
    CannotCreateError
        ``E-SETTINGS`` when the stage was computed with other settings and `overwrite` is not given. A stage that was
        never complete binds nobody to its settings: it begins anew, with a warning in the log.
    BadDataError
        ``E-INPUTS-DIFFER`` when it was computed from other numbers than those of this store, likewise.
    """
    tidy(path)
    root = target_of(path, record)
    old = read(root, record.key) if (root / "zarr.json").is_file() else None
    removed: list[Record] = []
    if old is not None:
        same = old.digest == record.digest and old.shape == record.shape
        if same and not overwrite:
            refuse_other_inputs(path, old)
            if old.runs and not old.complete:
                # What the interrupted run has finished stands; what it still finishes does not count.
                old, was = replace(old, runs=(*old.runs, secrets.token_hex(8))), old
                put_record(root, old, None, was)
            if not old.complete:
                _sync_folders(root, old)
            return Begun(root, old, removed)
        never_whole = not old.complete and old.provenance is None
        if never_whole and not overwrite:
            _log.warning(
                "%s was begun with other settings and never finished; it begins anew: %s",
                record.key,
                _differences(old, record),
            )
        elif not overwrite:
            raise CannotCreateError(
                f"{record.key} was computed with other settings: {_differences(old, record)}",
                code="E-SETTINGS",
                file=path,
                why="numbers made with different settings must not be mixed",
                hint="add --overwrite to compute this stage and what depends on it again",
            )
        if old.complete and root == path:
            root = path / BESIDE
            if (unfinished := read_record(root, record.key)) is not None:
                discard(root, unfinished)
        else:
            removed = remove_with_dependents(root, old)
    before = {key: read_record(path, key) for key in record.inputs if groups_of(key)}
    lineage = {key: there.run for key, there in before.items() if there is not None and there.run}
    record = replace(record, runs=(secrets.token_hex(8),), lineage=lineage)
    template(root)
    put_folders(root, f"ledger/{record.key}")
    create_receipts(DurableStore(root), record)
    _sync_folders(root, record)
    # The record comes last: a ledger without its array would look like one without tasks.
    put_record(root, record, None)
    # As stored: what is written at the end is then the same for a run that resumes.
    stored = read_record(root, record.key)
    assert stored is not None
    return Begun(root, stored, removed)


def _sync_folders(root: Path, record: Record) -> None:
    """Make the folders of a stage durable: its tasks flush only what is below those of the arrays."""
    DurableStore(root).sync_arrays((*record.groups, f"ledger/{record.key}"))


def same(path: Path, record: Record) -> bool:
    """Whether a stage with these settings, inputs and tasks has been begun at a path."""
    old = read_record(path, record.key)
    return old is not None and (old.digest, old.shape) == (record.digest, record.shape)


def finish(path: Path, begun: Begun, provenance: dict) -> list[Record]:
    """Mark a stage complete, after checking that no receipt is missing, and show it.

    Parameters
    ----------
    path : Path
        Root of the store.
    begun : Begun
        The stage as this run began it.
    provenance : dict
        Facts to keep beside the numbers: versions, digests of input files, warnings. No wall-clock.

    Returns
    -------
    list of Record
        Stages that built on the old numbers and were removed with them, in the order of computation.

    Raises
    ------
    ResumableError
        ``E-INCOMPLETE`` when a task has no receipt; ``E-CHANGED-MEANWHILE`` when the ledger says something else now.
    """
    record = begun.record
    if not record.complete:
        missing = pending(begun.root, record.key)
        if missing:
            raise ResumableError(
                f"{record.key} is incomplete: {len(missing)} of {record.n_task} tasks missing",
                code="E-INCOMPLETE",
                file=path,
                hint=f"resume with '{command_of(path, record.key)}'",
            )
        done = replace(record, complete=True, provenance={"versions": _versions(), **provenance})
        seal(begun.root, done, record)
        record = done
    removed = [] if begun.root == path else take_place(path, record)
    publish(path)
    return removed


def seal(path: Path, record: Record, was: Record | None = None) -> None:
    """Write the manifest of a complete stage, then its record.

    Parameters
    ----------
    path : Path
        Root of the store, or of what takes a place in it.
    record : Record
        With `Record.complete` set; all its receipts are there.
    was : Record, optional
        What it was before; another one is not replaced.
    """
    shown = {name: getattr(record, name) for name in ("key", "settings", "inputs", "provenance")}
    mark = json.loads(json.dumps({**shown, "digest": record.digest}))
    store = DurableStore(path)
    for group in record.groups:
        attributes = zarr.open_group(store, path=group, mode="r+").attrs
        if mark_in(dict(attributes)) != mark:
            # Sorted, as records are: sealed again, it is the same text.
            attributes["qsdask"] = json.dumps(mark, sort_keys=True)
    store.sync_directories()
    manifest = manifest_of(located(path), record)
    store.put(f"ledger/{record.key}/manifest.json", manifest.text())
    put_record(path, record, manifest.checksum, was)


def manifest_of(path: Path, record: Record) -> Manifest:
    """Manifest of a stage whose files are all there."""
    receipts, place = _receipts(path, record.key), Place(path)
    covered = set(receipts[..., 3].ravel().tolist())
    files = [*metadata_keys(path, record.groups), f"ledger/{record.key}/receipt/zarr.json"]
    for file in files[:-1]:
        name = file.removesuffix("/zarr.json")
        # An array is written either by tasks or whole: its first chunk tells.
        if name not in record.groups and name_word(_first_chunk(path, name)) not in covered:
            files += sorted(place.files(f"{name}/c")[0])
    entries = {file: entry_of(place.read(file)) for file in sorted(files)}
    return Manifest(json.loads(json.dumps(record.fields())), entries, receipts_digest(receipts))


def _first_chunk(path: Path, name: str) -> str:
    return "/".join([name, "c", *["0"] * len(array_metadata(path, name)["shape"])])


def reopen(path: Path, record: Record, tasks: list[Task]) -> None:
    """Take back some tasks of a finished stage: its next run does them again, and only them."""
    put_record(path, replace(record, complete=False), None)
    publish(path)
    for task in tasks:
        Place(path).remove(receipt_key(record.key, task))


def _differences(old: Record, new: Record) -> str:
    """Settings that differ, as 'name: stored -> asked'."""
    names = sorted({*old.settings, *new.settings})
    rows = [
        f"{n}: {old.settings.get(n, 'default')} -> {new.settings.get(n, 'default')}"
        for n in names
        if old.settings.get(n) != new.settings.get(n)
    ]
    rows += [f"{n} was computed again" for n in sorted(old.inputs) if old.inputs[n] != new.inputs.get(n, old.inputs[n])]
    rows += (
        [f"{old.shape[1]} steps in {old.shape[2]} domains -> {new.shape[1]} in {new.shape[2]}"]
        if old.shape[1:] != new.shape[1:]
        else []
    )
    return "; ".join(rows)


def _versions() -> dict[str, str]:
    """Versions of what computed and wrote the numbers."""
    return {"qsdask": __version__, **{name: version(name) for name in ("numpy", "numba", "zarr", "dask")}}
