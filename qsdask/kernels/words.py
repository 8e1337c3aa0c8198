"""Text eight bytes at a time: what the bits of a word say of its bytes."""

from __future__ import annotations

import numpy as np

__all__ = [
    "ABOVE_SPACE",
    "EIGHT",
    "FIFTY_SIX",
    "HIGH_BITS",
    "NEWLINES",
    "ONE",
    "PADDING",
    "SEVEN",
    "WHICH_BYTE",
    "ZERO",
    "as_words",
]

#: Bytes that must follow the text in its buffer, because digits are loaded eight at a time.
PADDING = 8
ZERO, ONE, SEVEN, EIGHT, FIFTY_SIX = (np.uint64(k) for k in (0, 1, 7, 8, 56))
HIGH_BITS = np.uint64(0x8080808080808080)
NEWLINES = np.uint64(0x0A0A0A0A0A0A0A0A)
ABOVE_SPACE = np.uint64(0x2121212121212121)
WHICH_BYTE = np.uint64(0x0001020304050607)  # times 256**k: k in the highest byte


def as_words(buffer, stop):
    """The eight bytes at every position, as little-endian words."""
    if buffer.shape[0] < stop + PADDING:
        raise ValueError(f"{PADDING} bytes must follow the text")
    return np.ndarray((buffer.shape[0] - 7,), "<u8", buffer=buffer, strides=(1,))
