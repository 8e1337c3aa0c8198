"""An object of a bucket that is written piece by piece: objects cannot grow, so its pieces wait in a file of this machine."""

from __future__ import annotations

import tempfile
from collections.abc import Callable

from qsdask.files.bucket import BucketPath

__all__ = ["GrowingObject"]

#: Pieces that need less wait in memory. Unit: bytes.
_IN_MEMORY = 1 << 20


class GrowingObject:
    """As `qsdask.files.durable.Growing`, for an object.

    Parameters
    ----------
    path : BucketPath
        Object to make, or to replace.
    """

    def __init__(self, path: BucketPath) -> None:
        self._path = path
        self._pieces = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115  finish or discard closes it

    def append(self, data: bytes) -> None:
        """Add a piece behind the others."""
        self._pieces.write(data)

    def finish(self, check: Callable[[], None]) -> None:
        """Write the object; `check` is called immediately before, what it raises leaves all as it was."""
        self._pieces.seek(0)
        data = self._pieces.read()
        check()
        self._path.put(data)
        self._pieces.close()

    def discard(self) -> None:
        """Forget the pieces."""
        self._pieces.close()
