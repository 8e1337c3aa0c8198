"""Objects of a bucket read as files: by ranges of bytes, a little ahead of what is asked for."""

from __future__ import annotations

import io
from typing import Any

from qsdask.files.bucket import BucketPath

__all__ = ["RangedFile"]

#: Bytes of one request; a request costs some 20 ms on the way, whatever it brings.
AHEAD = 8 * 2**20


class RangedFile(io.RawIOBase):
    """A file that is read only, can be sought in, and stays the object that it was when it was opened.

    Parameters
    ----------
    path : BucketPath
        The object.

    Raises
    ------
    FileNotFoundError
        When it is not there.
    BadDataError
        ``E-CHANGED``, while it is read.
    """

    def __init__(self, path: BucketPath) -> None:
        super().__init__()
        self._path = path
        version = path.version()
        if version is None:
            raise FileNotFoundError(2, "No such object", str(path))
        self._version, self._size = version, path.stat().st_size
        self._at, self._first, self._held = 0, 0, b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer, as far as what was fetched goes."""
        view = memoryview(buffer).cast("B")
        if not len(view) or self._at >= self._size:
            return 0
        if not self._first <= self._at < self._first + len(self._held):
            length = min(max(AHEAD, len(view)), self._size - self._at)
            self._first, self._held = self._at, self._path.part(self._at, length, self._version)
        offset = self._at - self._first
        piece = self._held[offset : offset + len(view)]
        view[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)
