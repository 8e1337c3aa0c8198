"""Columns of single domains as they were read last, up to a number of bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock

import numpy as np

__all__ = ["MOST_BYTES", "Cache"]

#: Bytes that are kept: positions, QS, D2min and one more column of three million atoms, in one frame.
MOST_BYTES = 128 * 2**20


class Cache:
    """Arrays by a key, those used longest ago given up first; for several threads.

    Parameters
    ----------
    most : int
        Bytes that are kept at most. A larger array is handed on and not kept.
    """

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._most, self._bytes = most, 0
        self._held: OrderedDict[Hashable, np.ndarray] = OrderedDict()
        self._lock = Lock()

    @property
    def n_bytes(self) -> int:
        """Bytes of the arrays that are kept."""
        return self._bytes

    def get(self, key: Hashable, read: Callable[[], np.ndarray]) -> np.ndarray:
        """The array of a key, read if it is not kept; nobody may write into it."""
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
        # Two threads may read the same: rarer, and cheaper, than one that waits for the other's disk.
        found = np.ascontiguousarray(read())
        found.setflags(write=False)
        with self._lock:
            if key not in self._held and found.nbytes <= self._most:
                self._held[key] = found
                self._bytes += found.nbytes
                while self._bytes > self._most:
                    self._bytes -= self._held.popitem(last=False)[1].nbytes
        return found
