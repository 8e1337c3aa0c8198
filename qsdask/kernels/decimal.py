"""Decimal text to numbers, bitwise as Python's ``float`` has it: one column of tokens at a time.

Three ways lead there, and the first that is provably exact is taken: Clinger's (mantissa and power of ten
are exact doubles), Eisel and Lemire's (128-bit product with a tabulated power of five), and a list of
tokens that the caller hands to ``float`` itself. Digits are taken eight at a time out of one word; there is
no branch on their number.

References
----------
W. D. Clinger, PLDI 1990, doi:10.1145/93542.93557; D. Lemire, Softw. Pract. Exper. 51, 1700 (2021),
doi:10.1002/spe.2984.
"""

from __future__ import annotations

import math

import numpy as np

from qsdask.kernels.jit import kernel

__all__ = [
    "BAD_FLOAT",
    "BAD_INT",
    "BAD_TOKEN",
    "DONE",
    "INT_RANGE",
    "MANY_NAMES",
    "fill_floats",
    "fill_ints",
    "fill_names",
]

#: What can be wrong with a token.
DONE, BAD_INT, INT_RANGE, BAD_FLOAT, BAD_TOKEN, MANY_NAMES = 0, 1, 2, 3, 4, 5

_NAME_BYTES = 8  # a name travels as one 64-bit word

_POWER = np.array([10.0**k for k in range(23)])
# Divisor for a point in byte p of the last eight characters; the second half is for negative numbers.
_DIVISOR = np.array([sign * 10.0 ** (7 - p) for sign in (1, -1) for p in range(8)])
_MIN_EXP10, _MAX_EXP10 = -342, 308


def _powers_of_five():
    """Top 128 bits of 5**q, rounded as the proof of Lemire needs them: up for -27 <= q < 0, else down."""
    rows = np.empty((_MAX_EXP10 - _MIN_EXP10 + 1, 2), np.uint64)
    for q in range(_MIN_EXP10, _MAX_EXP10 + 1):
        five = 5 ** abs(q)
        bits = five.bit_length()
        if q >= 0:
            top = five << (128 - bits) if bits <= 128 else five >> (bits - 128)
        else:
            top = (1 << (bits + 127)) // five + (q >= -27)
        rows[q - _MIN_EXP10] = top >> 64, top & 0xFFFFFFFFFFFFFFFF
    return rows


_FIVE = _powers_of_five()

_0, _1, _2, _3, _7, _8, _9, _10, _16, _32, _56, _63 = (np.uint64(k) for k in (0, 1, 2, 3, 7, 8, 9, 10, 16, 32, 56, 63))
_ZEROS = np.uint64(0x3030303030303030)
_ONES = np.uint64(0x0101010101010101)
_POINTS = np.uint64(0x1E1E1E1E1E1E1E1E)  # "." after the exclusive or with "0"
_DIGIT = np.uint64(0x30)
_ABOVE_NINE = np.uint64(0x7676767676767676)
_HIGH_BITS = np.uint64(0x8080808080808080)
_WHICH_BYTE = np.uint64(0x0001020304050607)  # times 256**k: k in the highest byte
_QUADS = np.uint64(0x000000FF000000FF)
_QUAD_HIGH = np.uint64(0x000F424000000064)
_QUAD_LOW = np.uint64(0x0000271000000001)
_LOW32 = np.uint64(0xFFFFFFFF)
_ALL64 = np.uint64(0xFFFFFFFFFFFFFFFF)
_GUARD = np.uint64(0x1FF)  # bits of a product that do not decide the rounding
_TWO53 = np.uint64(1 << 53)
_INT_MAX = np.uint64(2**63 - 1)
_PLUS, _MINUS, _POINT, _DIGIT0, _DIGIT9 = 43, 45, 46, 48, 57


@kernel
def _value8(v):
    """The number that eight digits make, the first one in the lowest byte, and whether all are digits."""
    good = ((v + _ABOVE_NINE) | v) & _HIGH_BITS == _0
    v = v * _10 + (v >> _8)
    return ((v & _QUADS) * _QUAD_HIGH + ((v >> _16) & _QUADS) * _QUAD_LOW) >> _32, good


@kernel
def _product128(a, b):
    """High and low half of a * b."""
    a0, a1, b0, b1 = a & _LOW32, a >> _32, b & _LOW32, b >> _32
    low = a0 * b0
    mid = a1 * b0 + (low >> _32)
    mid2 = a0 * b1 + (mid & _LOW32)
    return a1 * b1 + (mid >> _32) + (mid2 >> _32), (mid2 << _32) | (low & _LOW32)


@kernel
def _scaled(mantissa, exp10):
    """mantissa * 10**exp10 rounded to nearest even, and whether that is proven (mantissa below 10**19)."""
    if mantissa == _0:
        return 0.0, True
    if mantissa < _TWO53 and -22 <= exp10 <= 22:
        if exp10 < 0:
            return np.float64(mantissa) / _POWER[-exp10], True
        return np.float64(mantissa) * _POWER[exp10], True
    if exp10 < _MIN_EXP10 or exp10 > _MAX_EXP10:
        return 0.0, False
    w, lead = mantissa, 0
    while w >> _63 == _0:
        w <<= _1
        lead += 1
    upper, lower = _product128(w, _FIVE[exp10 - _MIN_EXP10, 0])
    if upper & _GUARD == _GUARD:
        second, _ = _product128(w, _FIVE[exp10 - _MIN_EXP10, 1])
        lower += second
        if lower < second:
            upper += _1
    if lower == _ALL64 and (exp10 < -27 or exp10 > 55):
        return 0.0, False
    top = upper >> _63
    shift = top + _9
    m = upper >> shift
    exp2 = ((217706 * exp10) >> 16) + 63 + np.int64(top) - lead + 1023
    if exp2 <= 0:
        return 0.0, False  # subnormal
    # Exactly half way between two doubles: the even one.
    if lower <= _1 and -4 <= exp10 <= 23 and m & _3 == _1 and m << shift == upper:
        m -= _1
    m = (m + (m & _1)) >> _1
    if m >= _TWO53:
        m >>= _1
        exp2 += 1
    if exp2 >= 2047:
        return 0.0, False
    return math.ldexp(np.float64(m), exp2 - 1075), True


@kernel
def _float_token(buffer, at):
    """A decimal number behind its sign: value, end, and 0 read, 1 for Python's ``float``, 2 not a number."""
    mantissa = _0
    significant = 0
    digits = 0
    exp10 = 0
    while _DIGIT0 <= buffer[at] <= _DIGIT9:
        digits += 1
        if significant > 0 or buffer[at] != _DIGIT0:
            significant += 1
            if significant <= 19:
                mantissa = mantissa * _10 + np.uint64(buffer[at] - _DIGIT0)
        at += _1
    if buffer[at] == _POINT:
        at += _1
        while _DIGIT0 <= buffer[at] <= _DIGIT9:
            digits += 1
            exp10 -= 1
            if significant > 0 or buffer[at] != _DIGIT0:
                significant += 1
                if significant <= 19:
                    mantissa = mantissa * _10 + np.uint64(buffer[at] - _DIGIT0)
            at += _1
    if digits == 0:
        return 0.0, at, 2
    if buffer[at] == 101 or buffer[at] == 69:  # e, E
        at += _1
        negative = buffer[at] == _MINUS
        if negative or buffer[at] == _PLUS:
            at += _1
        if not _DIGIT0 <= buffer[at] <= _DIGIT9:
            return 0.0, at, 2
        power = 0
        while _DIGIT0 <= buffer[at] <= _DIGIT9:
            power = min(power * 10 + np.int64(buffer[at] - _DIGIT0), 100000)
            at += _1
        exp10 += -power if negative else power
    if significant > 19:
        return 0.0, at, 1
    value, proven = _scaled(mantissa, exp10)
    return value, at, 0 if proven else 1


@kernel
def _int_token(buffer, at):
    """Digits at ``at``: magnitude (saturating above int64) and end."""
    magnitude = _0
    significant = 0
    while _DIGIT0 <= buffer[at] <= _DIGIT9:
        if significant > 0 or buffer[at] != _DIGIT0:
            significant += 1
            if significant <= 19:
                magnitude = magnitude * _10 + np.uint64(buffer[at] - _DIGIT0)
        at += _1
    if significant > 19:
        magnitude = _ALL64
    return magnitude, at


@kernel
def fill_floats(buffer, word, origin, begin, end, value, slow):
    """Convert one column; rows left to Python's ``float`` go into ``slow``.

    Parameters
    ----------
    buffer : uint8 array, shape (n_byte,)
    word : uint64 array, shape (n_byte - 7,)
        The eight bytes at every position, little-endian.
    origin : uint64
        Added to ``begin`` and ``end``.
    begin, end : uint32 array, shape (n,)
        First byte of each token, and the byte behind it.
    value : float64 array, shape (n,)
    slow : int64 array, shape (>= n,)

    Returns
    -------
    n_done, n_slow : int
        Rows before the first BAD_FLOAT (all when there is none), and entries of ``slow``.
    """
    n_slow = 0
    for row in range(begin.shape[0]):
        at = origin + np.uint64(begin[row])
        stop = origin + np.uint64(end[row])
        first = buffer[at]
        negative = _8 if first == _MINUS else _0
        if first in (_MINUS, _PLUS):
            at += _1
        size = stop - at
        if size - _2 < _8 and stop >= _9:  # 2 to 9 characters: at most 8 digits and a point
            # The last eight characters, what stands before the token blotted out.
            v = (word[stop - _8] ^ _ZEROS) & (_ALL64 << (_8 * (_8 - min(size, _8))))
            dot = v ^ _POINTS
            dot = (dot - _ONES) & ~dot & _HIGH_BITS
            dot &= ~dot + _1
            # The digits before the point move up by one, and make room for a ninth character.
            v = ((v & ((dot >> _7) - _1)) << _8) | (v & (~(dot << _1) + _1))
            v |= np.uint64(buffer[stop - _9]) ^ _DIGIT if size == _9 else _0
            digits, good = _value8(v)
            if good and dot != _0:
                # An exact double over an exact power of ten.
                place = ((dot >> _7) * _WHICH_BYTE) >> _56
                value[row] = np.float64(np.int64(digits)) / _DIVISOR[place + negative]
                continue
        x, last, status = _float_token(buffer, at)
        if status == 2 or last != stop:
            return row, n_slow
        if status == 1:
            slow[n_slow] = row
            n_slow += 1
        value[row] = -x if negative else x
    return begin.shape[0], n_slow


@kernel
def fill_ints(buffer, word, origin, begin, end, value):
    """Convert one column of integers; see `fill_floats`. Returns the rows before a fault, and its kind."""
    for row in range(begin.shape[0]):
        at = origin + np.uint64(begin[row])
        stop = origin + np.uint64(end[row])
        first = buffer[at]
        if first in (_MINUS, _PLUS):
            at += _1
        size = stop - at
        magnitude, good = _0, False
        if size - _1 < _8 and stop >= _8:
            magnitude, good = _value8((word[stop - _8] ^ _ZEROS) & (_ALL64 << (_8 * (_8 - size))))
        if not good:
            magnitude, last = _int_token(buffer, at)
            if size == _0 or last != stop:
                return row, BAD_INT
            if magnitude > _INT_MAX:  # -2**63 is refused too
                return row, INT_RANGE
        value[row] = -np.int64(magnitude) if first == _MINUS else np.int64(magnitude)
    return begin.shape[0], DONE


@kernel
def fill_names(buffer, origin, begin, end, code, names):
    """Number the names of one column by first appearance; returns as `fill_ints`.

    ``names`` holds those known, as big-endian words, then zeros.
    """
    n_name = 0
    while n_name < names.shape[0] and names[n_name] != _0:
        n_name += 1
    which = 0
    for row in range(begin.shape[0]):
        if end[row] - begin[row] > _NAME_BYTES:
            return row, BAD_TOKEN
        packed = _0
        for at in range(origin + np.uint64(begin[row]), origin + np.uint64(end[row])):
            packed = (packed << _8) | np.uint64(buffer[at])
        if which >= n_name or names[which] != packed:
            which = 0
            while which < n_name and names[which] != packed:
                which += 1
            if which == n_name:
                if n_name == names.shape[0]:
                    return row, MANY_NAMES
                names[n_name] = packed
                n_name += 1
        code[row] = which
    return begin.shape[0], DONE
