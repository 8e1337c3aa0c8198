"""``repair``: compute the damaged parts of a store again, and only those."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from zarr.core.buffer import default_buffer_prototype
from zarr.storage import MemoryStore

from qsdask import schema
from qsdask.care.damage import Damage
from qsdask.care.verify import verify
from qsdask.engine.recompute import again
from qsdask.engine.where import Run
from qsdask.errors import BadDataError, CannotCreateError, NoInputError, QSDaskError, StoreIOError
from qsdask.files.location import located
from qsdask.files.lock import writing
from qsdask.intake.loading import recorded_strain
from qsdask.intake.specimen import other_input
from qsdask.store import ledger
from qsdask.store.durable import DurableStore
from qsdask.store.ledger import Record, Task
from qsdask.store.manifest import entry_of, folder_text, sound_text
from qsdask.store.marks import mark_of
from qsdask.store.place import Place
from qsdask.store.reader import StoreReader
from qsdask.store.record import keys, publish, record_text
from qsdask.store.state import StageState, state_of
from qsdask.store.template import write_whole

__all__ = ["repair"]


@dataclass
class _Work:
    """What must be computed again of one stage.

    Attributes
    ----------
    record : Record
        The stage as it was.
    receipts : str or None
        Digest of its receipts as they were; None when it was unfinished, or cannot be known.
    tasks : set of Task
        Damaged tasks.
    whole : str
        Why the whole stage must be computed again; empty when the tasks suffice.
    """

    record: Record
    receipts: str | None
    tasks: set[Task] = field(default_factory=set)
    whole: str = ""


def repair(
    store: str | Path, *, source: str | Path | Sequence[str | Path] | None = None, run: Run | None = None
) -> list[str]:
    """Mend a damaged store: derive what can be derived, compute the rest again.

    Parameters
    ----------
    store : str or Path
        A specimen's store.
    source : path or sequence of paths, optional
        The trajectory it was made from; needed when the ingested numbers themselves are damaged.
    run : Run, optional
        Cluster, workers, progress.

    Returns
    -------
    list of str
        What was done, a line each; empty for a whole store.

    Raises
    ------
    NoInputError
        ``E-NO-SOURCE`` when the trajectory is needed and not given.
    BadDataError
        ``E-OTHER-INPUT`` when the trajectory given is another one.
    StoreIOError
        ``E-STORE-DAMAGED`` when something is left that cannot be mended.
    ResumableError
        ``E-LOCKED`` when somebody writes into the store.

    Notes
    -----
    A chunk computed again has the bytes that it had, so stages that build on it stay as they are.
    """
    root, run = located(store), run or Run()
    files = [source] if isinstance(source, str | Path) else source
    with writing(root):
        found = verify(root, progress=run.progress)
        if not found:
            return []
        done = _remove_strangers(root, found)
        done += _mend_metadata(root, found)
        if done:
            # More can be judged now than before.
            found = verify(root, progress=run.progress)
        seen: set[str] = set()
        # What was built on numbers that came out otherwise is found when these are there.
        while work := {key: one for key, one in _work(root, found).items() if key not in seen}:
            seen |= work.keys()
            if "ingest" in work and files is None:
                raise NoInputError(
                    "the ingested numbers are damaged; only the trajectory can bring them back",
                    code="E-NO-SOURCE",
                    file=root,
                    hint=f"qsdask repair {root} --source DUMP",
                )
            _discard_whole(root, [w for key, w in work.items() if w.whole and key != "ingest"])
            for one in work.values():
                done += _compute(root, one, run, files)
            publish(root)
            found = verify(root, progress=run.progress)
        left = [item for item in found if not item.harmless]
    if left:
        raise StoreIOError(
            f"{len(left)} damaged files are left, among them {left[0]}; done so far: {'; '.join(done) or 'nothing'}",
            code="E-STORE-DAMAGED",
            file=root,
            hint=_advice(root, left[0]),
        )
    return done


def _mend_metadata(root: Path, found: list[Damage]) -> list[str]:
    """Write anew what follows from what is still whole."""
    states = {key: state_of(root, key) for key in keys(root)}
    store, done = DurableStore(root), []
    for file in dict.fromkeys(d.file for d in found if d.kind in ("missing", "length", "content", "unsafe")):
        text = _derived(root, file, states)
        if text is not None:
            store.put(file, text)
            done.append(f"{file}: written anew")
    for key, state in states.items():
        if f"ledger/{key}/manifest.json" in state.faults and _mend_manifest(root, key):
            done.append(f"ledger/{key}/manifest.json: written anew")
    try:
        publish(root)
    except QSDaskError:
        return done  # A ledger that cannot be read goes with its stage; the root follows then.
    if any(d.file == "zarr.json" for d in found):
        done.append("zarr.json: written anew")
    return done


def _derived(root: Path, file: str, states: dict[str, StageState]) -> bytes | None:
    """Content of a metadata file as it must be, None when it cannot be told."""
    folder = file.removesuffix("/zarr.json")
    if folder == file or file == "zarr.json":
        return None
    if all(folder not in (f"ledger/{key}", *schema.groups_of(key)) for key in states) and any(
        node.startswith(f"{folder}/") for key in states for node in (f"ledger/{key}", *schema.groups_of(key))
    ):
        return folder_text()
    for key, state in states.items():
        if state.manifest is None or state.record is None:
            continue
        if folder == f"ledger/{key}":
            return record_text(state.record, state.manifest.checksum)
        if folder == f"ledger/{key}/receipt":
            text = _receipt_metadata(state.record)
            return text if entry_of(text) == state.manifest.files[file] else None
        if file in state.manifest.files:
            return sound_text(root, state.manifest, file)
    return None


def _receipt_metadata(record: Record) -> bytes:
    """Metadata of a stage's receipts, as they are first written."""
    memory = MemoryStore()
    array = ledger.create_receipts(memory, record)
    return array.metadata.to_buffer_dict(default_buffer_prototype())["zarr.json"].to_bytes()


def _mend_manifest(root: Path, key: str) -> bool:
    """Make the manifest again from the files; right when it is the one that the ledger names."""
    record = state_of(root, key).record
    if record is None:
        return False
    try:
        named = mark_of(root, f"ledger/{key}")["manifest"]
        made = ledger.manifest_of(root, record)
    except (QSDaskError, OSError, KeyError, TypeError, AttributeError):
        return False
    if made.checksum != named:
        return False
    DurableStore(root).put(f"ledger/{key}/manifest.json", made.text())
    return True


def _work(root: Path, found: list[Damage]) -> dict[str, _Work]:
    """What must be computed, by stage in the order of computation."""
    states = {key: state_of(root, key) for key in keys(root)}
    work: dict[str, _Work] = {}
    for item in found:
        if item.stage is None or item.stage not in states:
            continue
        state = states[item.stage]
        record = state.record or _remembered(root, state.key)
        if record is None:
            continue
        receipts = state.manifest.receipts if state.manifest else None
        one = work.setdefault(state.key, _Work(record, receipts))
        if item.task is not None:
            one.tasks.add(item.task)
        elif item.file == f"ledger/{state.key}/receipt":
            one.tasks |= set(_all_tasks(record))
        else:
            one.whole = item.file
    return {key: work[key] for key in states if key in work}


def _all_tasks(record: Record) -> list[Task]:
    return list(np.ndindex(*record.grid))


def _remembered(root: Path, key: str) -> Record | None:
    """Record of a stage whose ledger is lost, as far as its groups tell; enough to run it again."""
    for group in schema.groups_of(key):
        try:
            mark = mark_of(root, group)
            facts = (mark["settings"], mark["inputs"], (0, 0, 0), 0, False, mark["provenance"])
            record = Record(key, schema.groups_of(key), *facts)
            if record.digest == mark["digest"]:
                return record
        except (StoreIOError, KeyError, TypeError):
            continue
    return None


def _remove_strangers(root: Path, found: list[Damage]) -> list[str]:
    """Take away what a crash left, and, inside the store's own folders only, what qsdask did not write."""
    strange = [d for d in found if d.kind == "leftover" or (d.kind in ("extra", "unsafe") and _ours(d.file))]
    return [f"{item.file}: removed" for item in strange if Place(root).remove(item.file)]


def _ours(file: str) -> bool:
    """Whether a file lies in a folder that qsdask made."""
    tops = {group.split("/")[0] for stage in schema.STAGES for group in stage.groups}
    return file.split("/")[0] in tops | {"ledger", "steps"} or file == "zarr.json"


def _discard_whole(root: Path, work: list[_Work]) -> None:
    """Remove stages that are computed anew; all ledgers first, so that none looks complete."""
    place = Place(root)
    for one in work:
        place.remove_all(f"ledger/{one.record.key}")
    publish(root)
    for group in (group for one in work for group in one.record.groups):
        place.remove_all(group)


def _compute(root: Path, one: _Work, run: Run, source: Sequence[str | Path] | None) -> list[str]:
    """Compute one stage's damaged tasks, or all of it, and compare with what was there."""
    record, key = one.record, one.record.key
    said: list[str] = []
    if one.whole and key == "ingest":
        said = _ingest_beside(root, one, run, source)
    elif not one.whole and not record.complete:
        for task in one.tasks:
            Place(root).remove(ledger.receipt_key(key, task))
        return [f"{key}: {len(one.tasks)} tasks of the unfinished stage taken back; run it again to resume"]
    else:
        if not one.whole:
            ledger.reopen(root, record, sorted(one.tasks))
        try:
            if not again(root, record, run, source):
                return [f"{key}: run '{schema.command_of(root, key)}' to compute what was damaged"]
        except CannotCreateError as refusal:
            if key == "ingest" and refusal.code == "E-SETTINGS":
                raise _other_input(root) from None
            raise
    how = (
        f"all of it computed again, because of {one.whole}"
        if one.whole
        else (f"{len(one.tasks)} of {record.n_task} tasks computed again")
    )
    return [f"{key}: {how}", *said, *_compared(root, one)]


def _ingest_beside(root: Path, one: _Work, run: Run, source: Sequence[str | Path] | None) -> list[str]:
    """Ingest into a folder beside the store, and take its place only when it is the same input; what must be said of it."""
    beside = root.with_name(f".{root.name}.mending")
    Place(beside).remove_all()
    try:
        again(beside, one.record, run, source)
        made = ledger.require(beside, "ingest")
        same = made.digest == one.record.digest
        if one.record.provenance is not None:
            same &= made.facts["input_hash"] == one.record.facts["input_hash"]
        if not same:
            raise _other_input(root)
        # Labels, responses and models rest on the strain that was recorded, also where it was measured by older rules.
        strain, measured = recorded_strain(root), StoreReader(beside)["frames/strain"][:]
        if strain is not None and not np.array_equal(strain, measured):
            write_whole(beside, "frames", {"strain": strain})
            ledger.seal(beside, made)
        place = Place(root)
        place.remove_all("ledger/ingest")
        for folder in (*one.record.groups, "ledger/ingest"):
            Place(beside).move(folder, folder, place)
        publish(root)
    finally:
        Place(beside).remove_all()
    if strain is not None:
        return []
    found = f"{measured.min():g} to {measured.max():g}"
    return [
        f"frames/strain: measured again, from {found}; it may differ where an older version of qsdask had measured it"
    ]


def _compared(root: Path, one: _Work) -> list[str]:
    """Keep the record as it was when the bytes are as they were; say so when they are not."""
    record = one.record
    now = state_of(root, record.key)
    if one.receipts is None or now.manifest is None or now.record is None:
        return []
    if now.record.stride != record.stride:
        return [f"{record.key}: several steps lie in one file now; what builds on it is computed again"]
    if now.manifest.receipts == one.receipts:
        runs = tuple(dict.fromkeys((*record.runs, *now.record.runs)))
        kept = replace(now.record, provenance=record.provenance, runs=runs)
        if now.record != kept and record.complete:
            # The provenance is that of who computed it first; what builds on it was built on these bytes.
            ledger.seal(root, kept)
            publish(root)
        return []
    if record.key == "ingest" and record.facts["input_hash"] != now.record.facts["input_hash"]:
        ledger.reopen(root, record, sorted(one.tasks))
        raise _other_input(root)
    return [
        f"{record.key}: the bytes differ from those computed with {record.facts.get('versions')}; "
        "compute what builds on it again with --overwrite"
    ]


def _other_input(root: Path) -> BadDataError:
    return other_input(root, "give the same files to --source, or ingest into a new store")


def _advice(root: Path, item: Damage) -> str:
    if item.stage and schema.frame_of(item.stage)[1].startswith(("softness/", "explanation/")):
        return schema.command_of(root, item.stage)
    return f"compute the stage again with --overwrite, or ingest into a new store; 'qsdask verify {root}' lists all"
