"""Removing a stage, and replacing a complete one: the new numbers are made beside the old ones and take their place whole.

While a stage is overwritten the store shows the old numbers, to readers too that began before; when that is interrupted
they are still there. The folder `BESIDE` is laid out as a store that holds the unfinished stages alone.
"""

from __future__ import annotations

from pathlib import Path

from qsdask.errors import QSDaskError
from qsdask.store.manifest import folders_of, put_folders
from qsdask.store.place import Place
from qsdask.store.record import Record, keys, publish, read_record, records

__all__ = [
    "BESIDE",
    "SCRATCH",
    "clear_scratch",
    "discard",
    "remove_with_dependents",
    "scratch_of",
    "take_place",
    "target_of",
    "tidy",
]

#: Folder of the store in which numbers are made that will take the place of others.
BESIDE = ".beside"

#: Folder of the store for what stages need until they are complete, each below its ledger's name.
SCRATCH = ".passes"


def target_of(path: Path, record: Record) -> Path:
    """Root below which a stage is written: that of the store, or `BESIDE` where it was begun with these settings."""
    begun = read_record(path / BESIDE, record.key)
    same = begun is not None and (begun.digest, begun.shape) == (record.digest, record.shape)
    return path / BESIDE if same else path


def scratch_of(path: Path, key: str) -> Path:
    """Root below which a stage keeps what it needs until it is complete."""
    return path / SCRATCH / key


def clear_scratch(path: Path, key: str, below: str = "") -> None:
    """Remove what a stage keeps there, or a part of it; folders above that are empty then, too."""
    Place(scratch_of(path, key)).remove_all(below)
    if not below:
        for folder in scratch_of(path, key).parents:
            if folder == path or not folder.is_dir() or any(folder.iterdir()):
                break
            Place(folder).remove_all()


def take_place(path: Path, record: Record) -> list[Record]:
    """Put what was made beside a stage into its place. When it is interrupted, the same call goes on.

    Parameters
    ----------
    path : Path
        Root of the store.
    record : Record
        Of the new numbers, which are complete.

    Returns
    -------
    list of Record
        Stages that built on the old numbers and were removed with them, in the order of computation.
    """
    old, beside, store = read_record(path, record.key), Place(path / BESIDE), Place(path)
    removed = [] if old is None else remove_with_dependents(path, old)
    # The ledger comes last: without it nobody takes for complete what has been moved so far.
    for node in (*record.groups, f"ledger/{record.key}"):
        put_folders(path, node)
        if beside.exists(node):
            beside.move(node, node, store)
    # Where moving leaves what was moved: nothing of it may be taken for what is still to be moved.
    for node in (f"ledger/{record.key}", *record.groups):
        beside.remove_all(node)
    tidy(path)
    return removed


def tidy(path: Path) -> None:
    """Show what has taken its place, and remove the folder that it was made in, when nothing else is in it."""
    beside = path / BESIDE
    if beside.is_dir() and not any(_is_begun(beside, key) for key in keys(beside)):
        publish(path)
        Place(beside).remove_all()


def _is_begun(root: Path, key: str) -> bool:
    """Whether a stage has a record, damaged or not; what was copied from there, and then cut short, has none."""
    try:
        return read_record(root, key) is not None
    except QSDaskError:
        return True


def remove_with_dependents(path: Path, record: Record) -> list[Record]:
    """Remove a stage and all that builds on it; those, in the order of computation."""
    affected, removed = {record.key}, []
    for other in records(path):
        if affected & set(other.inputs):
            affected.add(other.key)
            removed.append(other)
    for one in [*reversed(removed), record]:
        discard(path, one)
    return removed


def discard(path: Path, record: Record) -> None:
    """Remove a stage: first its ledger, so that it never looks complete, then its numbers."""
    place = Place(path)
    place.remove_all(f"ledger/{record.key}")
    publish(path)
    clear_scratch(path, record.key)
    for group in record.groups:
        place.remove_all(group)
    # Groups above that hold nothing but their own metadata go too.
    for node in (f"ledger/{record.key}", *record.groups):
        for folder in reversed(folders_of(node)):
            files = (
                {file.name for file in (path / folder).iterdir() if file.is_file()} if place.exists(folder) else {""}
            )
            if files <= {"zarr.json"} and not place.folders(folder):
                place.remove_all(folder)
