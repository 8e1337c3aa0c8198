"""What the key of a file of a store says."""

from __future__ import annotations

import re

__all__ = ["chunk_of"]

#: Key of a chunk. The name of the array is greedy: a group of an older store may be called c as well.
_CHUNK = re.compile(r"(.+)/c/([0-9]+(?:/[0-9]+)*)")


def chunk_of(key: str) -> tuple[str, str] | None:
    """Array and indices of a chunk; None for a file that is none."""
    found = _CHUNK.fullmatch(key)
    return (found[1], found[2]) if found else None
