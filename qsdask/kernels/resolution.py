"""How finely numbers were written: the place of their digits, read from the text."""

from __future__ import annotations

from qsdask.kernels.jit import kernel

__all__ = ["NO_DIGIT", "written_digits"]

#: Power of ten returned when no number but zero was seen.
NO_DIGIT = -1_000_000

_MINUS, _POINT, _DIGIT0, _DIGIT9 = 45, 46, 48, 57


@kernel
def _places(buffer, at, stop):
    """Powers of ten of the first digit that is not zero and of the last digit written, of the number at ``at``."""
    digits = after = power = 0
    point = False
    while at < stop and buffer[at] > 32:
        byte = buffer[at]
        if _DIGIT0 <= byte <= _DIGIT9:
            digits += digits > 0 or byte != _DIGIT0
            after += point
        elif byte == _POINT:
            point = True
        elif byte in (101, 69):  # e, E
            at += 1
            negative = buffer[at] == _MINUS
            at += not _DIGIT0 <= buffer[at] <= _DIGIT9
            while _DIGIT0 <= buffer[at] <= _DIGIT9:
                power = min(power * 10 + buffer[at] - _DIGIT0, 10000)
                at += 1
            power = -power if negative else power
            break
        at += 1
    last = power - after
    return (last + digits - 1 if digits else NO_DIGIT), last


@kernel
def written_digits(buffer, start, stop, wanted, n_place, n_line):
    """How the numbers in a table are written, from samples of its lines.

    Parameters
    ----------
    buffer : uint8 array
        Whole lines, checked before.
    start, stop : int
        First byte of the first line, and the byte after the last one.
    wanted : bool array, shape (n_column,)
        Columns to look at.
    n_place, n_line : int
        Number of places, evenly spaced, and of lines to look at from each on.

    Returns
    -------
    first : int
        Power of ten of the first digit of the largest number; NO_DIGIT when all are zero.
    most : int
        Largest number of significant digits; ``first - most + 1`` is the power of ten of the last digit.

    Notes
    -----
    That power is right for numbers of fixed decimals, where the largest has most digits, and for numbers of a
    fixed count of digits (``%g``), even where trailing zeros were dropped from most of them.
    """
    first, most = NO_DIGIT, 0
    behind = start
    for place in range(n_place):
        at = start + (stop - start) // n_place * place
        while at > start and at < stop and buffer[at - 1] != 10:
            at += 1
        at = max(at, behind)
        for _ in range(n_line):
            column = 0
            while at < stop and buffer[at] != 10:
                if buffer[at] <= 32:
                    at += 1
                    continue
                if wanted[column]:
                    high, low = _places(buffer, at, stop)
                    if high > NO_DIGIT:
                        first = max(first, high)
                        most = max(most, high - low + 1)
                while buffer[at] > 32:
                    at += 1
                column += 1
            at += 1
        behind = at
    return first, most
