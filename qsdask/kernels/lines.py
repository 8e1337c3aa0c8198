"""Lines of text without a look at what stands in them."""

from __future__ import annotations

import numpy as np

from qsdask.kernels.jit import kernel
from qsdask.kernels.words import FIFTY_SIX, HIGH_BITS, NEWLINES, ONE, SEVEN, WHICH_BYTE, ZERO, as_words

__all__ = ["skip_lines"]


@kernel
def _begins_item(buffer, at):
    """Whether ``ITEM:`` stands at ``at``."""
    return (
        buffer[at] == 73
        and buffer[at + 1] == 84
        and buffer[at + 2] == 69
        and buffer[at + 3] == 77
        and buffer[at + 4] == 58
    )


@kernel
def _skip_lines(buffer, word, start, stop, n_line):
    """See `skip_lines`."""
    if n_line < 1 or start >= stop:
        return start, 0, False
    if _begins_item(buffer, start):
        return start, 0, True
    passed = 0
    for base in range(start, stop, 8):
        w = word[base] ^ NEWLINES
        mark = ~(((w & ~HIGH_BITS) + ~HIGH_BITS) | w) & HIGH_BITS
        while mark != ZERO:
            at = base + np.int64((((mark & (~mark + ONE)) >> SEVEN) * WHICH_BYTE) >> FIFTY_SIX) + 1
            if at > stop:
                break
            passed += 1
            if passed == n_line or at == stop:
                return at, passed, False
            if buffer[at] == 73 and _begins_item(buffer, at):
                return at, passed, True
            mark &= mark - ONE
    return stop, passed, False


def skip_lines(buffer, start, stop, n_line) -> tuple[int, int, bool]:
    """Pass over at most ``n_line`` lines, but never over one that begins ``ITEM:``.

    Parameters
    ----------
    buffer : uint8 array, shape (>= stop + PADDING,)
        ``buffer[start]`` begins a line and ``buffer[stop - 1]`` is a newline.
    start, stop, n_line : int

    Returns
    -------
    position : int
        First byte not passed over.
    n_passed : int
        Number of lines passed over.
    item : bool
        True when a line beginning ``ITEM:`` ended it.
    """
    return _skip_lines(buffer, as_words(buffer, stop), start, stop, n_line)
