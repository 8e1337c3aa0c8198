"""The ledger: what makes "complete" mean complete.

Zarr reads a chunk that was never written as fill values, without complaint. So each stage keeps a ledger array,
``ledger/<stage>/receipt``, with one receipt per task: for every file the task wrote, its length and the hash of its bytes,
computed before the write. The receipt is written after its files are safely on disk. When no receipt is missing,
the driver marks the ledger complete; readers refuse a stage whose ledger does not say so.

Only complete stages are listed in the store's consolidated metadata: plain xarray never shows an unfinished group.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import zarr
from zarr.codecs import Crc32cCodec
from zarr.core.buffer import cpu

from qsdask import __version__, schema
from qsdask.errors import BadDataError, CannotCreateError, NoInputError, ResumableError
from qsdask.store.durable import DurableStore

__all__ = [
    "Record",
    "Task",
    "TaskWriter",
    "begin",
    "committing",
    "discard",
    "finish",
    "pending",
    "read",
    "records",
    "require",
]

#: (part, step, domain) of one task.
Task = tuple[int, int, int]


@dataclass(frozen=True)
class Record:
    """What a stage is about to do, or did.

    Attributes
    ----------
    key : str
        Name of the ledger: ``"ingest"``, ``"shells"``, ``"features/interstice"``, ...
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
    """

    key: str
    groups: tuple[str, ...]
    settings: dict
    inputs: dict
    shape: tuple[int, int, int]
    n_file: int
    complete: bool = False
    provenance: dict | None = None

    @property
    def digest(self) -> str:
        """Identity of the stage's numbers: settings, and the digests of what it builds on."""
        text = json.dumps([self.key, self.settings, self.inputs, schema.FORMAT_VERSION], sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def read(path: Path, key: str) -> Record | None:
    """Record of a stage, None when it was never started.

    Raises
    ------
    NoInputError
        ``E-NO-STORE`` when there is no store at `path`.
    BadDataError
        ``E-FORMAT-VERSION`` when a newer qsdask wrote it.
    """
    path = Path(path)
    _require_store(path)
    file = path / "ledger" / key / "zarr.json"
    if not file.is_file():
        return None
    found = json.loads(file.read_text())["attributes"].get("qsdask")
    if found is None:
        return None  # a folder of ledgers
    if found["format"] > schema.FORMAT_VERSION:
        raise BadDataError(
            f"the store has format {found['format']}, this is qsdask {__version__} and knows <= {schema.FORMAT_VERSION}",
            code="E-FORMAT-VERSION", file=path, hint="use a newer qsdask",
        )  # fmt: skip
    fields = dict(found["record"])
    return Record(**{**fields, "groups": tuple(fields["groups"]), "shape": tuple(fields["shape"])})


def records(path: Path) -> list[Record]:
    """Records of all stages ever started in a store, in the order of `qsdask.schema.STAGES`."""
    _require_store(Path(path))
    root = Path(path) / "ledger"
    keys = [str(f.parent.relative_to(root)) for f in root.rglob("zarr.json")] if root.is_dir() else []
    found = [record for key in keys if (record := read(path, key)) is not None]
    rank = {stage.name: i for i, stage in enumerate(schema.STAGES)}
    return sorted(found, key=lambda r: (rank[schema.stage_of(r.groups[0]).name], r.key))


def require(path: Path, key: str) -> Record:
    """Record of a stage that must be complete.

    Raises
    ------
    NoInputError
        ``E-STAGE-MISSING`` when the stage was never started.
    ResumableError
        ``E-INCOMPLETE`` when tasks are missing; the message says how many and how to resume.
    """
    record = read(path, key)
    command = f"qsdask {_command(key)} {path}"
    if record is None:
        raise NoInputError(
            f"{key} has not been computed in this store", code="E-STAGE-MISSING", file=path, hint=command
        )
    if not record.complete:
        total = int(np.prod(record.shape))
        done = total - len(pending(path, key))
        raise ResumableError(
            f"{key} is incomplete: {done} of {total} tasks done",
            code="E-INCOMPLETE",
            file=path,
            hint=f"resume with '{command}'",
        )
    return record


def _create(path: Path, record: Record) -> None:
    """Start a ledger: no receipts yet."""
    node = zarr.open_group(DurableStore(path), mode="a", zarr_format=3, use_consolidated=False)
    for folder in ("ledger", *record.key.split("/")):
        node = node.require_group(folder)
    node.create_array(
        "receipt",
        shape=(*record.shape, record.n_file, 3),
        chunks=(1, 1, 1, record.n_file, 3),
        dtype="uint64",
        fill_value=0,
        dimension_names=("part", "step", "domain", "file", "word"),
        compressors=[Crc32cCodec()],
        attributes={
            "units": "1",
            "long_name": "receipt of each task: for every file length in bytes and 128-bit BLAKE2b hash; 0 = not done",
        },
        overwrite=True,
    )
    # The record comes last: a ledger without its array would look like one without tasks.
    node.attrs["qsdask"] = _attributes(record)


def pending(path: Path, key: str) -> list[Task]:
    """Tasks without a receipt, in rising (part, step, domain)."""
    length = zarr.open_array(DurableStore(path), path=f"ledger/{key}/receipt", mode="r")[..., 0, 0]
    return [(int(p), int(s), int(d)) for p, s, d in np.argwhere(length == 0)]


class TaskWriter:
    """Writes the whole chunks of one task; made by `committing`."""

    def __init__(self, path: Path) -> None:
        self.store = DurableStore(path)
        self._root = zarr.open_group(self.store, mode="r+", use_consolidated=False)

    def write(self, group: str, name: str, region: tuple[slice | int, ...], value: np.ndarray) -> None:
        """Write one region of an array, which must be made of whole chunks.

        Two tasks that write into one chunk lose data silently, so a region that cuts a chunk is refused.
        """
        array = self._root[f"{group}/{name}"]
        region = tuple(slice(part, part + 1) if isinstance(part, int) else part for part in region)
        for part, size, chunk in zip(region, array.shape, array.chunks, strict=False):
            start, stop, _ = part.indices(size)
            if start % chunk or (stop % chunk and stop != size):
                raise AssertionError(f"{group}/{name}: rows {start}:{stop} cut a chunk of {chunk}")
        array[region] = value


@contextmanager
def committing(path: Path, key: str, task: Task) -> Iterator[TaskWriter]:
    """Write the files of one task, sync them, then write its receipt.

    Parameters
    ----------
    path : Path
        Root of the store.
    key : str
        Ledger of the stage.
    task : (part, step, domain)
        The task whose files are written inside the ``with``.

    Yields
    ------
    TaskWriter
        Takes the regions to write.
    """
    writer = TaskWriter(path)
    yield writer
    writer.store.sync_directories()
    words = [word for _, word in sorted(writer.store.written.items())]
    store = DurableStore(path)
    receipts = zarr.open_array(store, path=f"ledger/{key}/receipt", mode="r+")
    receipt = np.zeros(receipts.shape[3:], dtype=np.uint64)
    receipt[: len(words)] = np.array(words, dtype=np.uint64)
    receipts[task] = receipt
    store.sync_directories()


def begin(
    path: Path, record: Record, template: Callable[[], None], *, overwrite: bool = False
) -> list[Record]:
    """Open a stage for work: anew, or where it was left.

    Parameters
    ----------
    path : Path
        Root of the store.
    record : Record
        What the stage is about to do.
    template : callable
        Makes the empty groups; called only when the stage starts anew.
    overwrite : bool
        Start anew even where the stage, with these or other settings, has been computed.

    Returns
    -------
    list of Record
        Stages that built on the old numbers and were removed with them, in the order of computation.

    Raises
    ------
    CannotCreateError
        ``E-SETTINGS`` when the stage was computed with other settings and `overwrite` is not given.
    """
    old = read(path, record.key) if (Path(path) / "zarr.json").is_file() else None
    removed: list[Record] = []
    if old is not None:
        same = old.digest == record.digest and old.shape == record.shape
        if same and not overwrite:
            return removed
        if not overwrite:
            raise CannotCreateError(
                f"{record.key} was computed with other settings: {_differences(old, record)}",
                code="E-SETTINGS",
                file=path,
                why="numbers made with different settings must not be mixed",
                hint="add --overwrite to compute this stage and what depends on it again",
            )
        removed = _dependents(path, record.key)
        for dependent in [*reversed(removed), old]:
            discard(path, dependent)
    template()
    _create(path, record)
    return removed


def finish(path: Path, key: str, provenance: dict) -> Record:
    """Mark a stage complete, after checking that no receipt is missing.

    Parameters
    ----------
    path : Path
        Root of the store.
    key : str
        Ledger of the stage.
    provenance : dict
        Facts to keep beside the numbers: versions, digests of input files, warnings. No wall-clock.

    Raises
    ------
    ResumableError
        ``E-INCOMPLETE`` when a task has no receipt.
    """
    missing = pending(path, key)
    old = read(path, key)
    assert old is not None
    if missing:
        raise ResumableError(
            f"{key} is incomplete: {len(missing)} of {int(np.prod(old.shape))} tasks missing",
            code="E-INCOMPLETE", file=path, hint=f"resume with 'qsdask {_command(key)} {path}'",
        )  # fmt: skip
    done = replace(old, complete=True, provenance={"versions": _versions(), **provenance})
    store = DurableStore(path)
    shown = {
        k: v
        for k, v in _attributes(done)["record"].items()
        if k in ("key", "settings", "inputs", "provenance")
    }
    for group in done.groups:
        zarr.open_group(store, path=group, mode="r+").attrs["qsdask"] = {**shown, "digest": done.digest}
    store.sync_directories()
    zarr.open_group(store, path=f"ledger/{key}", mode="r+").attrs["qsdask"] = _attributes(done)
    _publish(path)
    return done


def discard(path: Path, record: Record) -> None:
    """Remove a stage: first its ledger, so that it never looks complete, then its numbers."""
    root = Path(path)
    shutil.rmtree(root / "ledger" / record.key, ignore_errors=True)
    _publish(path)
    for group in record.groups:
        shutil.rmtree(root / group, ignore_errors=True)


def _publish(path: Path) -> None:
    """Write the store's consolidated metadata: the groups of complete stages, and no others."""
    root = Path(path)
    shown: dict[str, dict] = {}
    for record in records(path):
        for group in record.groups if record.complete else ():
            node = Path(group)
            for folder in [*reversed(node.parents), node]:
                if str(folder) != ".":
                    shown[str(folder)] = json.loads((root / folder / "zarr.json").read_text())
            for file in sorted((root / group).glob("*/zarr.json")):
                shown[str(file.parent.relative_to(root))] = json.loads(file.read_text())
    metadata = json.loads((root / "zarr.json").read_text())
    metadata["consolidated_metadata"] = {"kind": "inline", "must_understand": False, "metadata": shown}
    store = DurableStore(path)
    store.set_sync("zarr.json", cpu.Buffer.from_bytes(json.dumps(metadata, indent=1).encode()))
    store.sync_directories()


def _dependents(path: Path, key: str) -> list[Record]:
    """Stages that build on `key`, directly or through others, in the order of computation."""
    found: list[Record] = []
    affected = {key}
    for record in records(path):
        if affected & set(record.inputs):
            affected.add(record.key)
            found.append(record)
    return found


def _differences(old: Record, new: Record) -> str:
    """Settings that differ, as 'name: stored -> asked'."""
    names = sorted({*old.settings, *new.settings})
    rows = [
        f"{n}: {old.settings.get(n)} -> {new.settings.get(n)}"
        for n in names
        if old.settings.get(n) != new.settings.get(n)
    ]
    rows += [f"{n} was computed again" for n in sorted(old.inputs) if old.inputs[n] != new.inputs.get(n)]
    rows += (
        [f"{old.shape[1]} steps in {old.shape[2]} domains -> {new.shape[1]} in {new.shape[2]}"]
        if old.shape != new.shape
        else []
    )
    return "; ".join(rows)


def _attributes(record: Record) -> dict:
    return {"format": schema.FORMAT_VERSION, "digest": record.digest, "record": asdict(record)}


def _versions() -> dict[str, str]:
    """Versions of what computed and wrote the numbers."""
    return {"qsdask": __version__, **{name: version(name) for name in ("numpy", "numba", "zarr", "dask")}}


def _require_store(path: Path) -> None:
    if not (path / "zarr.json").is_file():
        raise NoInputError(
            "no store here", code="E-NO-STORE", file=path, hint="make one with 'qsdask ingest DUMP STORE'"
        )


def _command(key: str) -> str:
    """Sub-command that computes a ledger's stage."""
    return {"response": "respond", "softness": "predict"}.get(key.split("/")[0], key.split("/")[0])
