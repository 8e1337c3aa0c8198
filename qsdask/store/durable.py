"""A local Zarr store whose writes survive a power cut, and that remembers what it wrote."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

from zarr.core.buffer import Buffer
from zarr.storage import LocalStore

from qsdask.files.durable import Growing, being_written, replace_unchanged, sync
from qsdask.files.lock import refuse_lost
from qsdask.files.several import each
from qsdask.store.place import chunk_of
from qsdask.store.shard import ABSENT, Part, index_text
from qsdask.store.validate import plain_path

__all__ = ["DurableStore", "content_words", "name_word", "sweep"]


class DurableStore(LocalStore):
    """`zarr.storage.LocalStore` that syncs every file before it gets its name.

    Zarr's own store renames atomically but never syncs: after a power cut a renamed chunk can be empty while a
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
        super().__init__(root, read_only=read_only)
        self._own_check = check
        self.written: dict[str, tuple[int, int, int, int]] = {}
        self._unsynced: set[str] = set()
        self._growing: dict[str, _Shard] = {}

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
        await super().delete_dir(prefix)

    async def _set(self, key: str, value: Buffer, exclusive: bool = False) -> None:
        self._check_writable()
        await asyncio.to_thread(self._put, key, value.to_bytes(), exclusive)

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
            self._growing[key] = _Shard(Growing(self._place(key)), part)
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
        """Write one file, and make its name durable too."""
        self.write(key, data)
        self._sync_above(key)

    def replace(self, key: str, data: bytes, was: bytes) -> None:
        """Replace one file if it is still what it was; see `qsdask.files.durable.replace_unchanged`."""
        self._check_writable()
        plain_path(self.root, key)
        replace_unchanged(self.root / key, data, was)
        self._sync_above(key)

    def _sync_above(self, key: str) -> None:
        for directory in (self.root / key).parents:
            sync(directory)
            if directory == self.root:
                return

    def _place(self, key: str) -> Path:
        """Where a file is to be made; its folder is."""
        self._check()
        # Not through a link out of the store, nor onto a device.
        plain_path(self.root, key)
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _put(self, key: str, data: bytes, exclusive: bool) -> None:
        with being_written(self._place(key), exclusive=exclusive, check=self._check) as file:
            file.write(data)
        self.written[key] = (*content_words(data), name_word(key))
        self._unsynced.add(key)

    def sync_directories(self, *, inside: bool = False) -> None:
        """Make the names of all files written since the last call durable.

        Parameters
        ----------
        inside : bool
            The files are chunks of arrays whose own folders are known to last, see `sync_arrays`: only what is below these is
            flushed.
        """
        directories: set[str] = set()
        for key in self._unsynced:
            chunk = chunk_of(key) if inside else None
            above = key.split("/")[:-1]
            first = chunk[0].count("/") + 1 if chunk else 0
            directories |= {"/".join(above[:n]) for n in range(first, len(above) + 1)}
        self._unsynced.clear()
        each(sync, [self.root / directory for directory in sorted(directories)])

    def sync_arrays(self, groups: Iterable[str]) -> None:
        """Make the folders of groups and of their arrays durable, and all above them."""
        arrays = (folder for group in groups for folder in (self.root / group).glob("*/zarr.json"))
        each(
            sync,
            sorted({parent for file in arrays for parent in file.parents if self.root in (parent, *parent.parents)}),
        )


class _Shard:
    """A file of several chunks that is being written, in the order in which they come."""

    def __init__(self, file: Growing, part: Part) -> None:
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
        for litter in (Path(root) / key).rglob(".*.partial"):
            litter.unlink(missing_ok=True)
