"""``verify``: does a store still hold, byte for byte, what was written into it?"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path

import numpy as np

from qsdask import schema
from qsdask.care.damage import Damage
from qsdask.engine.tasks import progress_bar
from qsdask.errors import QSDaskError, StoreIOError
from qsdask.files.location import located
from qsdask.files.lock import is_lock_file
from qsdask.store import ledger
from qsdask.store.beside import BESIDE, SCRATCH
from qsdask.store.described import array_metadata, chunk_fault, intact, registered
from qsdask.store.durable import name_word
from qsdask.store.keys import chunk_of
from qsdask.store.ledger import Record, Task, receipt_key
from qsdask.store.lineage import other_input_of
from qsdask.store.manifest import FILE_WORDS, Manifest, folder_text, folders_of, receipts_digest, root_text, sound_text
from qsdask.store.marks import check_format, check_requires, mark_in
from qsdask.store.place import Place
from qsdask.store.reader import StoreReader
from qsdask.store.record import keys, require_store, required_by
from qsdask.store.state import StageState, state_of
from qsdask.store.validate import metadata

__all__ = ["Damage", "verify"]

#: What a crash in the middle of a write leaves.
_LEFTOVER = re.compile(r"\..*\.partial")

#: Threads that hash files; the disk is the limit beyond.
THREADS = min(8, os.cpu_count() or 1)

#: Files that a thread takes at once.
BATCH = 64


@dataclass(frozen=True)
class _Expected:
    """A file as a manifest or a receipt names it."""

    length: int
    digest: str
    stage: str
    task: Task | None


def verify(store: str | Path, *, deep: bool = True, progress: bool = True) -> list[Damage]:
    """Find every changed, cut, missing and strange file of a store.

    Parameters
    ----------
    store : str or Path
        A specimen's store, finished or not.
    deep : bool
        Hash every file; otherwise lengths and metadata only.
    progress : bool
        Show a progress bar.

    Returns
    -------
    list of Damage
        Empty for a whole store. Of an unfinished stage only files with a receipt can be judged.

    Raises
    ------
    NoInputError
        ``E-NO-STORE`` when there is no store.
    BadDataError
        ``E-FORMAT-VERSION`` when the store has another format.
    """
    root = located(store)
    require_store(root)
    _refuse_other_format(root)
    return _Survey(root, deep, progress).damage()


class _Survey:
    """One walk through a store."""

    def __init__(self, root: Path, deep: bool, progress: bool) -> None:
        self.root, self.deep, self.progress = root, deep, progress
        self.place = Place(root)
        self.found: list[Damage] = []
        self.sizes = self._files()
        #: Files that somebody wrote, whether or not their content can be judged.
        self.claimed: set[str] = {"zarr.json"}
        self.states = [state_of(root, key) for key in keys(root)]

    @cached_property
    def reader(self) -> StoreReader:
        return StoreReader(self.root)

    @cached_property
    def _records(self) -> dict[str, Record]:
        return {state.key: state.record for state in self.states if state.record is not None}

    def damage(self) -> list[Damage]:
        expected: dict[str, _Expected] = {}
        for state in self.states:
            expected |= self._stage(state)
        self._compare(expected)
        self._folders_and_root()
        self._strangers()
        return sorted(self.found, key=lambda d: (d.file, d.kind))

    def _files(self) -> dict[str, int]:
        """Size of every plain file by its path inside the store."""
        sizes, strange = self.place.files()
        sizes = {key: size for key, size in sizes.items() if not key.startswith((f"{BESIDE}/", f"{SCRATCH}/"))}
        if self.place.exists(BESIDE):
            self._add(
                "unfinished", BESIDE, "what an interrupted overwrite has made so far; the same command goes on with it"
            )
        if self.place.exists(SCRATCH):
            self._add("unfinished", SCRATCH, "what an interrupted set needs to go on; the same command goes on with it")
        for key in strange:
            self._add("unsafe", key, "a link, pipe or device; qsdask makes none")
        return {key: size for key, size in sizes.items() if not is_lock_file(key)}

    def _stage(self, state: StageState) -> dict[str, _Expected]:
        """Judge a stage's own records; return the files that they name."""
        key, record, manifest = state.key, state.record, state.manifest
        for file, text in state.faults.items():
            self._add("content" if file in self.sizes else "missing", file, text, stage=key)
        self.claimed |= {f"ledger/{key}/zarr.json", f"ledger/{key}/manifest.json"}
        if record is None or not record.complete or manifest is None:
            # What no manifest lists cannot be judged.
            places = tuple(f"{g}/" for g in (*schema.groups_of(key), f"ledger/{key}/receipt"))
            self.claimed |= {file for file in self.sizes if file.startswith(places)}
        expected: dict[str, _Expected] = {}
        if manifest is not None:
            expected |= {f: _Expected(n, digest, key, None) for f, (n, digest) in manifest.files.items()}
        if record is not None:
            odd = other_input_of(record, self._records.get)
            if odd:
                text = f"it was computed from another '{odd}' than the one in this store"
                self._add("lineage", f"ledger/{key}/zarr.json", text, stage=key)
            receipted, lost = self._receipted(record, manifest)
            expected |= receipted
            if lost:
                self._without_receipt(record, lost, expected)
        return expected

    def _receipted(self, record: Record, manifest: Manifest | None) -> tuple[dict[str, _Expected], list[Task]]:
        """Files that a stage's receipts name, and tasks whose receipt is damaged."""
        key = record.key
        lost: list[Task] = []
        words = np.zeros((*record.grid, record.n_file, FILE_WORDS + bool(record.runs)), dtype="<u8")
        for task in np.ndindex(*record.grid):
            file = receipt_key(key, task)
            self.claimed.add(file)
            if file not in self.sizes:
                if record.complete:
                    self._add("missing", file, "the receipt of a task", stage=key, task=task)
                    lost.append(task)
                continue
            data = self.place.read(file)
            if len(data) == words[task].nbytes + 4 and intact(data):
                words[task] = np.frombuffer(data[:-4], dtype="<u8").reshape(words[task].shape)
            else:
                self._add("content", file, "the receipt of a task", stage=key, task=task)
                lost.append(task)
            if record.runs and not np.isin(words[task][0, FILE_WORDS], (0, *ledger.tokens(record))):
                self._add("content", file, "the receipt of a run that the stage does not know", stage=key, task=task)
        wrong = not lost and manifest is not None and receipts_digest(words) != manifest.receipts
        name_of = self._names(record, words[words[..., 0] > 0][:, 3])
        expected: dict[str, _Expected] = {}
        misplaced = False
        for task in np.ndindex(*record.grid):
            for length, high, low, name in words[task][:, :FILE_WORDS].tolist():
                if not length:
                    continue
                named = name_of.get(name)
                if named is None:
                    self._add("missing", receipt_key(key, task), "it names a file that cannot be", stage=key, task=task)
                    continue
                expected[named] = _Expected(length, f"{high:016x}{low:016x}", key, task)
                if wrong and not self._fits(named, record, task):
                    misplaced = True
                    self._add("content", receipt_key(key, task), "the receipt of another task", stage=key, task=task)
        if wrong and not misplaced:
            self._add("content", f"ledger/{key}/receipt", "the receipts together are not those written", stage=key)
        return expected, lost

    def _without_receipt(self, record: Record, lost: list[Task], expected: dict[str, _Expected]) -> None:
        """Chunks whose receipt is damaged are no strangers; their own checksum tells whether they are whole."""
        for name in (f"{group}/{v.name}" for group in record.groups for v in schema.variables_of(group)):
            for file in self.sizes.keys() & set(self._chunks(name)) - expected.keys() - self.claimed:
                self.claimed.add(file)
                fault = chunk_fault(array_metadata(self.root, name), self.place.read(file))
                if fault:
                    task = next((t for t in lost if self._fits(file, record, t)), lost[0])
                    self._add("content", file, fault, stage=record.key, task=task)

    def _names(self, record: Record, wanted: np.ndarray) -> dict[int, str]:
        """Files by the hash of their path: those that are there, and, when some are not, all that can be."""
        places = tuple(f"{group}/" for group in record.groups)
        found = {name_word(file): file for file in self.sizes if file.startswith(places)}
        if not set(wanted.tolist()) <= found.keys():
            for group in record.groups:
                for variable in schema.variables_of(group):
                    for file in self._chunks(f"{group}/{variable.name}"):
                        found[name_word(file)] = file
        return found

    def _chunks(self, name: str) -> Iterator[str]:
        """All chunk files of an array."""
        try:
            shape, chunks = self._grid(name)
        except StoreIOError:
            return
        for index in product(*(range(-(-n // c)) for n, c in zip(shape, chunks, strict=True))):
            yield "/".join([name, "c", *map(str, index)])

    def _grid(self, name: str) -> tuple[list[int], list[int]]:
        found = array_metadata(self.root, name)
        return found["shape"], found["chunk_grid"]["configuration"]["chunk_shape"]

    def _compare(self, expected: dict[str, _Expected]) -> None:
        """Lengths and hashes of all files that something names."""
        self.claimed |= expected.keys()
        same = []
        for file, want in expected.items():
            if file not in self.sizes:
                self._add("missing", file, "it was removed", stage=want.stage, task=want.task)
            elif self.sizes[file] != want.length:
                text = f"{self.sizes[file]} bytes, {want.length} were written"
                self._add("length", file, text, stage=want.stage, task=want.task)
            else:
                same.append(file)
        if not self.deep:
            return
        batches = [same[i : i + BATCH] for i in range(0, len(same), BATCH)]
        with progress_bar("verify", len(same), show=self.progress) as advance, ThreadPoolExecutor(THREADS) as pool:
            for batch, digests in zip(batches, pool.map(self._digests, batches), strict=True):
                for file, digest in zip(batch, digests, strict=True):
                    if digest != expected[file].digest:
                        text = "its content is not what was written"
                        self._add("content", file, text, expected[file].stage, expected[file].task)
                advance(len(batch))

    def _digests(self, files: list[str]) -> list[str]:
        return [self._digest(file) for file in files]

    def _digest(self, file: str) -> str:
        try:
            return hashlib.blake2b(self.place.read(file), digest_size=16).hexdigest()
        except OSError as error:
            return f"unreadable: {error.strerror}"

    def _folders_and_root(self) -> None:
        """What can be rendered anew is compared with what is there."""
        wanted: dict[str, bytes] = {}
        for state in self.states:
            for node in (f"ledger/{state.key}", *schema.groups_of(state.key)):
                wanted |= {f"{folder}/zarr.json": folder_text() for folder in folders_of(node)}
        root = self._root_texts()
        allowed = {file: (text,) for file, text in wanted.items()} | ({"zarr.json": root} if root else {})
        for file, texts in allowed.items():
            self.claimed.add(file)
            if file not in self.sizes:
                self._add("missing", file, "it was removed")
            elif self.place.read(file) not in texts:
                self._add("content", file, "it is not what was written")
        if not root and "zarr.json" not in self.sizes:
            self._add("missing", "zarr.json", "it was removed")

    def _root_texts(self) -> tuple[bytes, ...]:
        """The root's metadata as they must be, now and as earlier versions wrote them; none when damage elsewhere leaves that open."""
        shown: dict[str, dict] = {}
        requires: set[str] = set()
        for state in self.states:
            requires |= required_by(state.record)
            if state.record is None or (state.record.complete and state.manifest is None):
                return ()
            if state.manifest is None:
                continue
            listed = [f for f in state.manifest.files if f.endswith("/zarr.json")]
            for group in state.record.groups:
                shown |= {folder: json.loads(folder_text()) for folder in folders_of(group)}
                inside = sorted(f for f in listed if f.startswith(f"{group}/") and f != f"{group}/zarr.json")
                for file in (f"{group}/zarr.json", *inside):
                    text = sound_text(self.root, state.manifest, file)
                    if text is None:
                        if "zarr.json" in self.sizes:
                            self._add("content", "zarr.json", f"it does not remember {file} as it was written")
                        return ()
                    shown[file.removesuffix("/zarr.json")] = json.loads(text)
        return root_text(shown, requires), root_text(shown, requires, nested=True)

    def _strangers(self) -> None:
        """Files that nobody claims."""
        own = [g for state in self.states for g in (*schema.groups_of(state.key), f"ledger/{state.key}")]
        places = tuple(f"{place}/" for place in own)
        between = {folder for place in own for folder in folders_of(place)}
        for file in self.sizes.keys() - self.claimed:
            if _LEFTOVER.fullmatch(Path(file).name) or file.startswith("."):
                self._add("leftover", file, "of a write that a crash cut short")
            elif file.startswith(places) or str(Path(file).parent) in between:
                self._add("extra", file, "qsdask did not write it")
            elif file.startswith("ledger/") or _is_stage_group(file):
                self._add("orphan", file, "its stage has no ledger")
            else:
                self._add("foreign", file, "it belongs to no stage")

    def _fits(self, file: str, record: Record, task: Task) -> bool:
        """Whether a task of this step and domain can have written the file."""
        place = self._place(file)
        steps, domain = place.get("steps"), place.get("domain")
        return (record.shape[1] == 1 or steps is None or steps[0] // record.stride == task[1]) and (
            record.shape[2] == 1 or domain in (None, task[2])
        )

    def _add(self, kind: str, file: str, text: str, stage: str | None = None, task: Task | None = None) -> None:
        self.found.append(Damage(kind, file, text, stage, task, **self._place(file, ids=True)))

    def _place(self, file: str, ids: bool = False) -> dict:
        """Array, step, domain and rows of a chunk, as far as they can be told."""
        name, index = chunk_of(file) or ("", "")
        known = registered(name)
        if known is None or name.startswith("ledger/"):
            return {}
        step, _ = schema.frame_of(name)
        place: dict = {"array": name, **({"step": step} if step else {})}
        try:
            shape, chunks = self._grid(name)
            at = dict(zip(known[1], zip(map(int, index.split("/")), shape, chunks, strict=True), strict=True))
        except (StoreIOError, ValueError):
            return place
        if "step" in at:
            number, n_step, stride = at["step"]
            first, last = number * stride, min((number + 1) * stride, n_step) - 1
            place["steps"] = (first, last)
            if first == last:
                place["step"] = first
        if "atom" in at:
            number, n_atom, chunk = at["atom"]
            place |= {"domain": number, "rows": (number * chunk, min((number + 1) * chunk, n_atom) - 1)}
            if ids:
                place["ids"] = self._ids(slice(place["rows"][0], place["rows"][1] + 1))
        return place

    def _ids(self, rows: slice) -> tuple[int, int] | None:
        try:
            found = self.reader["atoms/id"][rows]
            return int(found.min()), int(found.max())
        except (QSDaskError, OSError, ValueError):
            return None


def _is_stage_group(file: str) -> bool:
    """Whether a file lies in a group that some stage fills."""
    top, *_ = parts = schema.frame_of(file)[1].split("/")
    try:
        schema.stage_of("/".join(parts[:2]))
    except KeyError:
        return top == "steps" or any(top in stage.groups for stage in schema.STAGES)
    return True


def _refuse_other_format(root: Path) -> None:
    """Refuse a store of another format; a single changed digit is damage, and found as such."""
    formats = set()
    for file, lost in (("zarr.json", {"format": 1}), *((f"ledger/{key}/zarr.json", {}) for key in keys(root))):
        try:
            mark = mark_in({"qsdask": lost, **(metadata(root, file) or {})["attributes"]})
        except (StoreIOError, KeyError, TypeError):
            continue
        if mark is None:
            continue
        formats.add(mark.get("format"))
        if not lost:
            continue
        check_requires(root, mark)
    if formats and schema.FORMAT_VERSION not in formats:
        check_format(root, max(n for n in formats if type(n) is int))
