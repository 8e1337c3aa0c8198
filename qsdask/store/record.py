"""The record of a stage: what it is about to do, or did; and the store's table of contents made from all records."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from math import prod
from pathlib import Path

from qsdask import schema
from qsdask.errors import NoInputError
from qsdask.files.location import located
from qsdask.files.lock import refuse_lost
from qsdask.store.durable import DurableStore
from qsdask.store.manifest import checksum, folder_text, folders_of, metadata_keys, root_text
from qsdask.store.marks import check_format, check_root
from qsdask.store.place import Place
from qsdask.store.validate import damaged, metadata

__all__ = [
    "Record",
    "is_shown",
    "keys",
    "publish",
    "put_record",
    "read",
    "read_record",
    "record_from",
    "record_text",
    "records",
    "require_store",
    "required_by",
]

#: Part of the identity of all numbers; it rises when the same settings would give numbers that differ by more than rounding.
NUMBERS = 1


@dataclass(frozen=True)
class Record:
    """What a stage is about to do, or did.

    Attributes
    ----------
    key : str
        Name of the ledger: ``"ingest"``, ``"shells"``, ``"features/interstice"``, ``"steps/32/shells"``, ...
    groups : tuple of str
        Groups of the store that the stage fills.
    settings : dict
        Settings that decide its numbers.
    inputs : dict of str to str
        Digest of every ledger it builds on.
    shape : tuple of int
        Number of (parts, steps, domains).
    n_file : int
        Most files that one task writes.
    complete : bool
        Whether every task has its receipt.
    provenance : dict
        Versions, digests of input files, warnings: facts that do not decide numbers.
    runs : tuple of str
        Random tokens of the runs that computed it, the present one last; receipts of others do not count. Empty for
        stages begun before there were any.
    lineage : dict of str to str
        For every ledger of this store that it builds on the token of the run that had finished it.
    stride : int
        Steps that one task takes, and that lie in one file; 1 in stores of earlier versions.
    """

    key: str
    groups: tuple[str, ...]
    settings: dict
    inputs: dict
    shape: tuple[int, int, int]
    n_file: int
    complete: bool = False
    provenance: dict | None = None
    runs: tuple[str, ...] = ()
    lineage: dict = field(default_factory=dict)
    stride: int = 1

    @property
    def grid(self) -> tuple[int, int, int]:
        """Number of tasks along (part, step, domain)."""
        part, step, domain = self.shape
        return part, -(-step // self.stride), domain

    @property
    def n_task(self) -> int:
        """Number of tasks."""
        return prod(self.grid)

    def steps_of(self, number: int) -> range:
        """Steps of the tasks with this number along the steps."""
        return range(number * self.stride, min((number + 1) * self.stride, self.shape[1]))

    @property
    def run(self) -> str:
        """Token of the present run, or of the last one; empty where there are none."""
        return self.runs[-1] if self.runs else ""

    def fields(self) -> dict:
        """As stored: without what stages begun before there were runs, or files of several steps, do not have."""
        without = {"runs": (), "lineage": {}, "stride": 1}
        return {name: value for name, value in asdict(self).items() if name not in without or value != without[name]}

    @property
    def facts(self) -> dict:
        """`provenance`, empty while the stage is unfinished."""
        return self.provenance or {}

    @property
    def digest(self) -> str:
        """Identity of the stage's numbers: settings, and the digests of what it builds on."""
        text = json.dumps([self.key, self.settings, self.inputs, NUMBERS], sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def record_from(fields: dict) -> Record:
    """Record of its stored fields."""
    sequences = {name: tuple(fields[name]) for name in ("groups", "shape", "runs") if name in fields}
    return Record(**{**fields, **sequences})


def record_text(record: Record, manifest: str | None) -> bytes:
    """Metadata file of a ledger; `manifest` is the checksum of the manifest, None while the stage is unfinished."""
    content = {
        "format": schema.FORMAT_VERSION,
        "digest": record.digest,
        "record": record.fields(),
        "manifest": manifest,
    }
    # Sorted, so that the record gives the same bytes when it comes from the manifest.
    content = json.loads(json.dumps(content, sort_keys=True))
    return folder_text({"qsdask": {**content, "checksum": checksum(content)}})


def put_record(path: Path, record: Record, manifest: str | None, was: Record | None = None) -> None:
    """Write the metadata file of a ledger, if the lock of the store is still that of this process.

    Parameters
    ----------
    path : Path
        Root of the store.
    record : Record
        What to write.
    manifest : str or None
        Checksum of the manifest, None while the stage is unfinished.
    was : Record, optional
        The unfinished stage that is to be replaced; nothing else is. Without it whatever is there.

    Raises
    ------
    ResumableError
        ``E-LOCKED``, ``E-CHANGED-MEANWHILE``.
    """
    refuse_lost(path)
    store, key, text = DurableStore(path), f"ledger/{record.key}/zarr.json", record_text(record, manifest)
    if was is None:
        store.put(key, text)
    else:
        store.replace(key, text, record_text(was, None))


def read(path: Path, key: str) -> Record | None:
    """Record of a stage, None when it was never started.

    Raises
    ------
    NoInputError
        ``E-NO-STORE`` when there is no store at `path`.
    BadDataError
        ``E-FORMAT-VERSION`` when a newer or an older qsdask wrote it.
    StoreIOError
        ``E-STORE-DAMAGED`` when it is not what was written.
    """
    path = located(path)
    require_store(path)
    check_root(path)
    return read_record(path, key)


def read_record(path: Path, key: str) -> Record | None:
    """Like `read`, without a look at the root."""
    file = f"ledger/{key}/zarr.json"
    found = metadata(path, file)
    if found is None:
        return None
    if found.get("attributes") == {}:
        # Zarr made the group when the receipts were put into it; the run ended before the record was written.
        return None
    try:
        content = dict(found["attributes"]["qsdask"])
        check_format(path, content["format"])
        given = content.pop("checksum")
        record = record_from(content["record"])
        if given == checksum(content) and record.key == key:
            return record
    except (KeyError, TypeError, ValueError, AttributeError):
        pass
    raise damaged(path, file, "its checksum differs")


def keys(path: Path) -> list[str]:
    """Names of all ledgers of a store, damaged or not."""
    found, waiting, place = set(), ["ledger"], Place(path)
    while waiting:
        above = waiting.pop()
        for name in place.folders(above):
            key = f"{above}/{name}".removeprefix("ledger/")
            if schema.groups_of(key):
                found.add(key)
            else:
                waiting.append(f"ledger/{key}")
    rank = {stage.name: i for i, stage in enumerate(schema.STAGES)}
    return sorted(found, key=lambda key: (rank[schema.stage_of(key).name], *schema.frame_of(key)))


def records(path: Path) -> list[Record]:
    """Records of all stages ever started in a store, in the order of `qsdask.schema.STAGES`."""
    path = located(path)
    require_store(path)
    check_root(path)
    return [record for key in keys(path) if (record := read_record(path, key)) is not None]


def publish(path: Path, requires: Iterable[str] = ()) -> None:
    """Write the store's consolidated metadata: the groups of complete stages, and no others.

    Parameters
    ----------
    path : Path
        Root of the store.
    requires : iterable of str
        What a version of qsdask must know of to read it, beside what its stages say.
    """
    root = located(path)
    refuse_lost(root)
    shown: dict[str, dict | None] = {}
    needed = set(requires)
    for key in keys(root):
        record = read_record(root, key)
        needed |= required_by(record)
        for group in record.groups if record is not None and record.complete else ():
            for file in [*(f"{f}/zarr.json" for f in folders_of(group)), *metadata_keys(root, [group])]:
                shown[file.removesuffix("/zarr.json")] = metadata(root, file)
    DurableStore(root).put("zarr.json", root_text(shown, needed))


def is_shown(path: Path, record: Record) -> bool:
    """Whether the store's consolidated metadata have the groups of a stage; a run that was killed just before has not put them there."""
    shown = check_root(path).get("consolidated_metadata", {}).get("metadata", {})
    return all(group in shown for group in record.groups)


def required_by(record: Record | None) -> set[str]:
    """What a version of qsdask must know of to read a stage; see `qsdask.store.marks.KNOWN_FEATURES`."""
    if record is None:
        return set()
    return {flag for flag, needed in (("runs", record.runs), ("shards", record.stride > 1)) if needed}


def require_store(path: Path) -> None:
    if not Place(path).exists("zarr.json") and not Place(path).exists("ledger"):
        raise NoInputError(
            "no store here", code="E-NO-STORE", file=path, hint="make one with 'qsdask ingest DUMP STORE'"
        )
