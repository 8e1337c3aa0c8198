"""A Zarr store, in a folder or a bucket, whose writes survive a power cut, and that remembers what it wrote."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from zarr.abc.store import Store
from zarr.core.buffer import Buffer, default_buffer_prototype
from zarr.storage import WrapperStore

from qsdask.files.location import located
from qsdask.files.lock import refuse_lost
from qsdask.store.shard import ABSENT, Part, index_text
from qsdask.store.verbs import Grows, verbs_of

__all__ = ["DurableStore", "content_words", "name_word", "sweep"]


class DurableStore(WrapperStore[Store]):
    """`zarr.storage.LocalStore` that syncs every file before it gets its name; in a bucket `zarr.storage.ObjectStore`.

    Zarr's own local store renames atomically but never syncs: after a power cut a renamed chunk can be empty while a
    marker written later survives. Here each file is written under a temporary name, synced, then renamed; the
    directories are synced by `sync_directories`, before the marker that relies on them is written.

    Parameters
    ----------
    root : Path or str
        Root of the store.
    read_only : bool
        Refuse to write.
    check : callable
        Called before anything is written or removed, and again immediately before a file gets its name; what it raises
        leaves the store as it was. Where this process has lost the lock of the store, that is refused likewise.

    Attributes
    ----------
    written : dict of str to tuple of (int, int, int, int)
        For every key written through this object: length in bytes and the two halves of its 128-bit BLAKE2b hash,
        computed in memory before the write, and the hash of the key itself.
    """

    def __init__(self, root: Path | str, *, read_only: bool = False, check: Callable[[], None] | None = None) -> None:
        self.root = located(root)
        self._verbs = verbs_of(self.root)
        super().__init__(self._verbs.zarr(read_only))
        self._own_check = check
        self.written: dict[str, tuple[int, int, int, int]] = {}
        self._unsynced: set[str] = set()
        self._growing: dict[str, _Shard] = {}
        #: Checked metadata of arrays that were opened: Zarr gets these, not what may stand there a moment later.
        self.described: dict[str, dict] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Travel between processes as a place: each opens it itself, with credentials of its own."""
        return {**self.__dict__, "_store": self.read_only, "_verbs": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._verbs = verbs_of(self.root)
        self._store = self._verbs.zarr(state["_store"])

    def with_read_only(self, read_only: bool = False) -> DurableStore:
        """The same store, writable or not."""
        return DurableStore(self.root, read_only=read_only, check=self._own_check)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.root == other.root

    def __str__(self) -> str:
        return str(self.root)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.root)!r})"

    def _check(self) -> None:
        # Whoever slept while the empty groups were made must not make them again over what the next has filled.
        refuse_lost(self.root)
        if self._own_check is not None:
            self._own_check()

    async def delete(self, key: str) -> None:
        """Remove one file; see `check`."""
        self._check()
        await super().delete(key)

    async def delete_dir(self, prefix: str) -> None:
        """Remove all below a prefix; see `check`."""
        self._check()
        await asyncio.to_thread(self._verbs.remove_all, prefix)

    async def get(self, key: str, prototype: Any = None, byte_range: Any = None) -> Buffer | None:
        """Bytes of a file, None when it is absent."""
        prototype = prototype or default_buffer_prototype()
        checked = self._checked_metadata(key)
        return (
            await super().get(key, prototype, byte_range) if checked is None else prototype.buffer.from_bytes(checked)
        )

    def _checked_metadata(self, key: str) -> bytes | None:
        """Metadata of an array that was opened and is only written to."""
        name, _, file = key.rpartition("/")
        found = self.described.get(name) if file == "zarr.json" else None
        return None if found is None else json.dumps(found).encode()

    async def set(self, key: str, value: Buffer) -> None:
        """Write one file."""
        self._check_writable()
        await asyncio.to_thread(self._put, key, value.to_bytes(), False)

    async def set_if_not_exists(self, key: str, value: Buffer) -> None:
        """Write one file if there is none."""
        self._check_writable()
        with suppress(FileExistsError):
            await asyncio.to_thread(self._put, key, value.to_bytes(), True)

    def set_sync(self, key: str, value: Buffer) -> None:
        """Write without an event loop; same guarantees."""
        self.write(key, value.to_bytes())

    def write(self, key: str, data: bytes, part: Part | None = None) -> None:
        """Write one file, or a part of one; `sync_directories` makes its name durable."""
        if part is None:
            self._check_writable()
            self._put(key, data, False)
        elif self.grow(key, data, part):
            self.finish(key)

    def grow(self, key: str, data: bytes, part: Part) -> bool:
        """Add a chunk to a file of several; whether it has all that it is to have, and may be finished."""
        self._check_writable()
        if key not in self._growing:
            self._growing[key] = _Shard(self._verbs.growing(key), part)
        return self._growing[key].add(data, part.number)

    def finish(self, key: str) -> None:
        """Give a file of several chunks its index and its name."""
        shard = self._growing[key]
        words = shard.finish(self._check)
        del self._growing[key]
        self.written[key] = (*words, name_word(key))
        self._unsynced.add(key)

    def unfinished(self) -> list[str]:
        """Files that lack some of their chunks."""
        return sorted(self._growing)

    def discard_unfinished(self) -> None:
        """Remove what has been written of them."""
        for shard in self._growing.values():
            shard.file.discard()
        self._growing.clear()

    def put(self, key: str, data: bytes) -> None:
        """Write one file that says what the store is, and make its name durable too."""
        self._check_writable()
        self._verbs.put_record(key, data, self._check)
        self._remember(key, data)

    def replace(self, key: str, data: bytes, was: bytes) -> None:
        """Replace one file if it is still what it was; see `qsdask.store.verbs`."""
        self._check_writable()
        self._verbs.replace(key, data, was, self._check)

    def _put(self, key: str, data: bytes, exclusive: bool) -> None:
        self._verbs.put(key, data, self._check, exclusive=exclusive)
        self._unsynced.add(key)
        self._remember(key, data)

    def _remember(self, key: str, data: bytes) -> None:
        self.written[key] = (*content_words(data), name_word(key))
        self.described.pop(key.removesuffix("/zarr.json"), None)

    def sync_directories(self, *, inside: bool = False) -> None:
        """Make the names of all files written since the last call durable.

        Parameters
        ----------
        inside : bool
            The files are chunks of arrays whose own folders are known to last, see `sync_arrays`: only what is below these is
            flushed.
        """
        self._verbs.settle(self._unsynced, inside=inside)
        self._unsynced.clear()

    def sync_arrays(self, groups: Iterable[str]) -> None:
        """Make the folders of groups and of their arrays durable, and all above them."""
        self._verbs.settle_arrays(groups)


class _Shard:
    """A file of several chunks that is being written, in the order in which they come."""

    def __init__(self, file: Grows, part: Part) -> None:
        self.file = file
        self._missing, self._length = part.wanted, 0
        self._places = [(ABSENT, ABSENT)] * part.total
        self._hash = hashlib.blake2b(digest_size=16)

    def add(self, data: bytes, number: int) -> bool:
        """Add a chunk; whether it is the last one."""
        if self._places[number] != (ABSENT, ABSENT):
            raise AssertionError(f"chunk {number} of a file is written twice")
        self._places[number] = (self._length, len(data))
        self._append(data)
        self._missing -= 1
        return not self._missing

    def finish(self, check: Callable[[], None]) -> tuple[int, int, int]:
        """Write the index and give the file its name; see `content_words`."""
        self._append(index_text(self._places))
        self.file.finish(check)
        return _words(self._length, self._hash.digest())

    def _append(self, data: bytes) -> None:
        self.file.append(data)
        self._hash.update(data)
        self._length += len(data)


def content_words(data: bytes) -> tuple[int, int, int]:
    """Length and 128-bit BLAKE2b hash of a file's bytes, as three unsigned integers."""
    return _words(len(data), hashlib.blake2b(data, digest_size=16).digest())


def _words(length: int, digest: bytes) -> tuple[int, int, int]:
    return length, int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:], "big")


def name_word(key: str) -> int:
    """64-bit BLAKE2b hash of a file's path inside the store, as an unsigned integer."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big")


def sweep(root: Path, below: Iterable[str] = ("",)) -> None:
    """Remove what killed writers left half written below some keys; for the one who holds the lock of the store."""
    for key in below:
        verbs_of(root).sweep(key)
