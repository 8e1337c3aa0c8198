"""`zarr.storage.ObjectStore` whose small requests are tried as all others are, and fail with our own messages."""

from __future__ import annotations

import asyncio
from typing import Any

from zarr.core.buffer import Buffer
from zarr.storage import ObjectStore

from qsdask.files.bucket import BucketPath

__all__ = ["Objects"]


class Objects(ObjectStore):
    """What Zarr reads of a store below a prefix of a bucket.

    Parameters
    ----------
    root : BucketPath
        The prefix.
    read_only : bool
        Refuse to write.
    """

    def __init__(self, root: BucketPath, *, read_only: bool = False) -> None:
        super().__init__(root.client(), read_only=read_only)
        self._root = root

    def with_read_only(self, read_only: bool = False) -> Objects:
        """The same store, writable or not."""
        return Objects(self._root, read_only=read_only)

    async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Buffer | None:
        """Bytes of an object, None when there is none."""
        if byte_range is not None:
            return await super().get(key, prototype, byte_range)
        found = await asyncio.to_thread((self._root / key).got)
        return None if found is None else prototype.buffer.from_bytes(found[0])

    async def exists(self, key: str) -> bool:
        """Whether there is an object of this name."""
        return await asyncio.to_thread((self._root / key).is_file)

    async def delete(self, key: str) -> None:
        """Remove an object, if it is there."""
        await asyncio.to_thread((self._root / key).unlink)
