"""How the files of a store are written, moved and removed: in a folder by temporary names and renames, in a bucket by conditions.

Who writes here holds the lock of the store. A folder cannot compare and replace in one step, a bucket can: there a record that somebody
else has written since it was read is never replaced.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from zarr.abc.store import Store
from zarr.storage import LocalStore

from qsdask.files.bucket import BucketPath
from qsdask.files.durable import Growing, being_written, changed_meanwhile, replace_unchanged, sync
from qsdask.files.growing_object import GrowingObject
from qsdask.files.location import in_bucket, located
from qsdask.files.lock import refuse_lost
from qsdask.files.several import each
from qsdask.store.keys import chunk_of
from qsdask.store.objects import Objects
from qsdask.store.validate import plain_path

__all__ = ["Verbs", "verbs_of"]

Check = Callable[[], None]


class Verbs(Protocol):
    """What can be done to the files of a store, each named by its key."""

    def zarr(self, read_only: bool) -> Store:
        """Zarr's own store of this place."""

    def put(self, key: str, data: bytes, check: Check, *, exclusive: bool = False) -> None:
        """Write a file; `check` is called immediately before it gets its name, and what it raises leaves all as it was."""

    def put_record(self, key: str, data: bytes, check: Check) -> None:
        """Write a file that says what the store is, durably with its name."""

    def replace(self, key: str, data: bytes, was: bytes, check: Check) -> None:
        """Replace such a file if it is still what it was; ``E-CHANGED-MEANWHILE`` otherwise."""

    def growing(self, key: str) -> Grows:
        """A file that is written piece by piece, and is there when it is finished."""

    def settle(self, keys: Iterable[str], *, inside: bool) -> None:
        """Make the names of files durable; `inside` as of `DurableStore.sync_directories`."""

    def settle_arrays(self, groups: Iterable[str]) -> None:
        """Make the folders of groups and of their arrays durable, and all above them."""

    def sweep(self, below: str) -> None:
        """Remove what killed writers left half written below a key."""

    def remove_all(self, below: str) -> None:
        """Remove everything below a key, the folder itself too, as far as the system lets us."""

    def move(self, below: str, to: Path) -> None:
        """Give everything below a key another place. In a bucket it is copied: the caller removes what is left."""


class Grows(Protocol):
    """A file that is written piece by piece; see `qsdask.files.durable.Growing`."""

    def append(self, data: bytes) -> None: ...
    def finish(self, check: Check) -> None: ...
    def discard(self) -> None: ...


class InFolder:
    """Files of a store in a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def zarr(self, read_only: bool) -> Store:
        return LocalStore(self._root, read_only=read_only)

    def put(self, key: str, data: bytes, check: Check, *, exclusive: bool = False) -> None:
        check()
        with being_written(self._place(key), exclusive=exclusive, check=check) as file:
            file.write(data)

    def growing(self, key: str) -> Growing:
        return Growing(self._place(key))

    def _place(self, key: str) -> Path:
        """Where a file is to be made; its folder is."""
        # Not through a link out of the store, nor onto a device.
        plain_path(self._root, key)
        path = self._root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def put_record(self, key: str, data: bytes, check: Check) -> None:
        self.put(key, data, check)
        self._sync_above(key)

    def replace(self, key: str, data: bytes, was: bytes, check: Check) -> None:
        plain_path(self._root, key)
        replace_unchanged(self._root / key, data, was)
        self._sync_above(key)

    def _sync_above(self, key: str) -> None:
        for directory in (self._root / key).parents:
            sync(directory)
            if directory == self._root:
                return

    def settle(self, keys: Iterable[str], *, inside: bool) -> None:
        directories: set[str] = set()
        for key in keys:
            chunk = chunk_of(key) if inside else None
            above = key.split("/")[:-1]
            first = chunk[0].count("/") + 1 if chunk else 0
            directories |= {"/".join(above[:n]) for n in range(first, len(above) + 1)}
        each(sync, [self._root / directory for directory in sorted(directories)])

    def settle_arrays(self, groups: Iterable[str]) -> None:
        arrays = (folder for group in groups for folder in (self._root / group).glob("*/zarr.json"))
        above = {parent for file in arrays for parent in file.parents if self._root in (parent, *parent.parents)}
        each(sync, sorted(above))

    def sweep(self, below: str) -> None:
        for litter in (self._root / below).rglob(".*.partial"):
            litter.unlink(missing_ok=True)

    def remove_all(self, below: str) -> None:
        top = self._root / below
        if top.is_symlink():
            return
        for folder, inside, files in os.walk(top, topdown=False):
            refuse_lost(folder)
            links = [name for name in inside if os.path.islink(os.path.join(folder, name))]
            for name in [*files, *links]:
                with suppress(OSError):
                    os.unlink(os.path.join(folder, name))
            with suppress(OSError):
                os.rmdir(folder)

    def move(self, below: str, to: Path) -> None:
        refuse_lost(to)
        to.parent.mkdir(parents=True, exist_ok=True)
        (self._root / below).rename(to)
        sync(to.parent)


class InBucket:
    """Files of a store below a prefix of a bucket."""

    def __init__(self, root: BucketPath) -> None:
        self._root = root

    def zarr(self, read_only: bool) -> Store:
        return Objects(self._root, read_only=read_only)

    def put(self, key: str, data: bytes, check: Check, *, exclusive: bool = False) -> None:
        check()
        if not exclusive:
            (self._root / key).put(data)
        elif (self._root / key).create(data) is None:
            raise FileExistsError(17, "There is an object", str(self._root / key))

    def put_record(self, key: str, data: bytes, check: Check) -> None:
        path = self._root / key
        # Looked at before the lock: who writes it after the look at the lock is noticed.
        before = path.version()
        check()
        if (path.create(data) if before is None else path.replace(data, before)) is None:
            raise changed_meanwhile(path)

    def replace(self, key: str, data: bytes, was: bytes, check: Check) -> None:
        path = self._root / key
        found = path.got()
        check()
        if found is None or found[0] != was or path.replace(data, found[1]) is None:
            raise changed_meanwhile(path)

    def growing(self, key: str) -> GrowingObject:
        return GrowingObject(self._root / key)

    def settle(self, keys: Iterable[str], *, inside: bool) -> None:
        pass  # an object whose writing was answered is durable

    def settle_arrays(self, groups: Iterable[str]) -> None:
        pass

    def sweep(self, below: str) -> None:
        pass  # objects never are

    def remove_all(self, below: str) -> None:
        self._root_of(below).remove_all(lambda: refuse_lost(self._root))

    def move(self, below: str, to: Path) -> None:
        target = in_bucket(to)
        assert target is not None
        self._root_of(below).copy_all(target, lambda: refuse_lost(target))

    def _root_of(self, below: str) -> BucketPath:
        return self._root / below if below else self._root


def verbs_of(root: Path | str) -> Verbs:
    """The verbs of the place where a store is."""
    bucket = in_bucket(root)
    return InFolder(located(root)) if bucket is None else InBucket(bucket)
