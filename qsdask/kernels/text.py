"""Columns of numbers in text, read from bytes: the ATOMS section of a dump, strictly and bitwise right.

Every float equals what Python's ``float`` makes of the same characters. Three ways lead there, the first that
is provably exact is taken: Clinger's (a mantissa and a power of ten that are both exact doubles), Eisel and
Lemire's (128-bit product with a tabulated power of five), and a list of tokens that the caller hands to
``float`` itself. Nothing is repaired: a token that is not a plain decimal number ends the reading with its place.

References
----------
W. D. Clinger, PLDI 1990, doi:10.1145/93542.93557; D. Lemire, Softw. Pract. Exper. 51, 1700 (2021),
doi:10.1002/spe.2984.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from qsdask.kernels.jit import kernel

__all__ = [
    "BAD_FLOAT",
    "BAD_INT",
    "BAD_TOKEN",
    "DONE",
    "FEW_LINES",
    "FEW_TOKENS",
    "FLOAT",
    "INT",
    "INT_RANGE",
    "LONG_LINE",
    "MANY_NAMES",
    "MANY_TOKENS",
    "NAME",
    "PADDING",
    "SKIP",
    "Rows",
    "parse_rows",
    "repeated_id",
    "skip_lines",
]

#: What to do with a column.
SKIP, INT, FLOAT, NAME = 0, 1, 2, 3

#: How the reading ended. ``SLOW_FULL`` never leaves this file.
DONE, SLOW_FULL, FEW_LINES, FEW_TOKENS, MANY_TOKENS = 0, 1, 2, 3, 4
BAD_INT, INT_RANGE, BAD_FLOAT, BAD_TOKEN, MANY_NAMES, LONG_LINE = 5, 6, 7, 8, 9, 10

#: Bytes that must follow the text in its buffer, because digits are loaded eight at a time.
PADDING = 8

_BLOCK = 1 << 14  # bytes whose token ends are found at a time; also the longest line
_NAME_ROOM = 128  # different names in one column
_NAME_BYTES = 8  # a name travels as one 64-bit word

_POWER = np.array([10.0**k for k in range(23)])
_TEN = np.array([10**k for k in range(20)], np.uint64)
_MIN_EXP10, _MAX_EXP10 = -342, 308


def _powers_of_five():
    """Top 128 bits of 5**q, rounded down for q >= 0 and up for q < 0, as the proof of Lemire needs them."""
    rows = np.empty((_MAX_EXP10 - _MIN_EXP10 + 1, 2), np.uint64)
    for q in range(_MIN_EXP10, _MAX_EXP10 + 1):
        five = 5 ** abs(q)
        bits = five.bit_length()
        if q >= 0:
            top = five << (128 - bits) if bits <= 128 else five >> (bits - 128)
        else:
            top = (1 << (bits + 127)) // five + 1
            top >>= max(0, top.bit_length() - 128)
        rows[q - _MIN_EXP10] = top >> 64, top & 0xFFFFFFFFFFFFFFFF
    return rows


_FIVE = _powers_of_five()

_0, _1, _3, _7, _8, _9, _10, _16, _32, _56, _63 = (
    np.uint64(k) for k in (0, 1, 3, 7, 8, 9, 10, 16, 32, 56, 63)
)
_ZEROS = np.uint64(0x3030303030303030)
_ABOVE_NINE = np.uint64(0x7676767676767676)
_HIGH_BITS = np.uint64(0x8080808080808080)
_ABOVE_SPACE = np.uint64(0x2121212121212121)
_WHICH_BYTE = np.uint64(0x0001020304050607)
_QUADS = np.uint64(0x000000FF000000FF)
_QUAD_HIGH = np.uint64(0x000F424000000064)
_QUAD_LOW = np.uint64(0x0000271000000001)
_LOW32 = np.uint64(0xFFFFFFFF)
_ALL64 = np.uint64(0xFFFFFFFFFFFFFFFF)
_GUARD = np.uint64(0x1FF)  # bits of a product that do not decide the rounding
_TWO53 = np.uint64(1 << 53)
_INT_MAX = np.uint64(2**63 - 1)

_TAB, _NEWLINE, _RETURN, _SPACE = 9, 10, 13, 32
_PLUS, _MINUS, _POINT, _DIGIT0, _DIGIT9 = 43, 45, 46, 48, 57


@kernel
def _digits8(word):
    """Number of digits (0-8) a little-endian word of eight characters begins with, and their value."""
    v = word ^ _ZEROS
    # A byte above nine gets its high bit; carries only travel upwards, so that the lowest mark is right.
    mark = ((v + _ABOVE_NINE) | v) & _HIGH_BITS
    if mark == _0:
        count = _8
    else:
        count = (((mark & (~mark + _1)) >> _7) * _WHICH_BYTE) >> _56
        v = (v << _8) << (_56 - _8 * count)
    v = v * _10 + (v >> _8)
    v = ((v & _QUADS) * _QUAD_HIGH + ((v >> _16) & _QUADS) * _QUAD_LOW) >> _32
    return count, v


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
    """Any decimal number at ``at`` (behind its sign): value, end, 0 read / 1 for Python's float / 2 not a number."""
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
def _fill_blanks(word, start, stop, blank):
    """Positions of all bytes <= 0x20 in [start, stop), ascending, into ``blank``; returns their number."""
    n = 0
    at = start
    while at < stop:
        w = word[at]
        # The high bit of each byte keeps the subtraction from borrowing: all marks are right, not only the lowest.
        mark = ~(((w | _HIGH_BITS) - _ABOVE_SPACE) | w) & _HIGH_BITS
        while mark != _0:
            blank[n] = at + np.int64((((mark & (~mark + _1)) >> _7) * _WHICH_BYTE) >> _56)
            n += 1
            mark &= mark - _1
        at += 8
    while n > 0 and blank[n - 1] >= stop:
        n -= 1
    return n


@kernel
def _block_end(buffer, at, stop, size):
    """End of the last line that ends within ``size`` bytes from ``at``; ``at`` itself if the first line is longer."""
    if stop - at <= size:
        return stop
    end = at + size
    while end > at and buffer[end - 1] != _NEWLINE:
        end -= 1
    return end


@kernel
def _fill_tokens(buffer, blank, at, n_line, n_column, begin, end):
    """Cut whole lines into tokens; see `_fill_blanks` for ``blank``, of which the last is the end of a line.

    ``begin`` and ``end``, counted from ``at``, are filled line by line.

    Returns
    -------
    n_row, at, column, kind
        Lines cut, the byte behind them, and, unless ``kind`` is DONE, the place of the fault in the line that follows.
    """
    origin = at
    k = 0
    row = 0
    token = 0
    while row < n_line and k < blank.shape[0]:
        for column in range(n_column):
            stop = blank[k]
            while stop == at:
                byte = buffer[at]
                if byte != _SPACE and byte != _TAB:
                    ends = byte == _NEWLINE or (byte == _RETURN and buffer[at + 1] == _NEWLINE)
                    return row, at, column, FEW_TOKENS if ends else BAD_TOKEN
                at += 1
                k += 1
                stop = blank[k]
            begin[token] = at - origin
            end[token] = stop - origin
            token += 1
            at = stop
            # Behind a token stands a blank, which is passed here, or the end of the line, which is looked at below.
            if buffer[at] == _SPACE or buffer[at] == _TAB:
                at += 1
                k += 1
            elif column + 1 < n_column and buffer[at] == _NEWLINE:
                return row, at, column + 1, FEW_TOKENS
        while buffer[at] == _SPACE or buffer[at] == _TAB:
            at += 1
            k += 1
        if buffer[at] == _RETURN and buffer[at + 1] == _NEWLINE:
            at += 1
            k += 1
        if buffer[at] != _NEWLINE:
            return row, at, n_column, BAD_TOKEN if buffer[at] < _SPACE else MANY_TOKENS
        at += 1
        k += 1
        row += 1
    return row, at, 0, DONE


@kernel
def _fill_floats(buffer, word, origin, begin, end, value, slow):
    """Convert one column; tokens for Python's ``float`` go into ``slow``. Returns rows done (all = no fault), n_slow."""
    n_slow = 0
    for row in range(begin.shape[0]):
        at = origin + np.uint64(begin[row])
        stop = origin + np.uint64(end[row])
        first = buffer[at]
        negative = first == _MINUS
        digit = at + _1 if negative or first == _PLUS else at
        count, whole = _digits8(word[digit])
        point = digit + count
        part, fraction = _digits8(word[point + _1])
        if point + _1 + part == stop and part < _8 and count - _1 < _7 and buffer[point] == _POINT:
            # At most 14 digits: an exact double over an exact power of ten.
            x = np.float64(np.int64(whole * _TEN[part] + fraction)) / _POWER[part]
            value[row] = -x if negative else x
        else:
            x, last, status = _float_token(buffer, digit)
            if status == 2 or last != stop:
                return row, n_slow
            if status == 1:
                slow[n_slow] = row
                n_slow += 1
            value[row] = -x if negative else x
    return begin.shape[0], n_slow


@kernel
def _fill_ints(buffer, word, origin, begin, end, value):
    """Convert one column of integers. Returns rows done (all = no fault) and the kind of fault."""
    for row in range(begin.shape[0]):
        at = origin + np.uint64(begin[row])
        stop = origin + np.uint64(end[row])
        first = buffer[at]
        negative = first == _MINUS
        digit = at + _1 if negative or first == _PLUS else at
        count, magnitude = _digits8(word[digit])
        if digit + count != stop or count - _1 >= _7:
            magnitude, last = _int_token(buffer, digit)
            if last == digit or last != stop:
                return row, BAD_INT
            if magnitude > _INT_MAX:  # -2**63 is refused too
                return row, INT_RANGE
        value[row] = -np.int64(magnitude) if negative else np.int64(magnitude)
    return begin.shape[0], DONE


@kernel
def _fill_names(buffer, origin, begin, end, code, names):
    """Number the names of one column by first appearance. Returns rows done (all = no fault) and the kind of fault."""
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


@kernel
def _fill_rows(buffer, word, at, stop, line, action, slot, integer, floating, code, names, slow, blank, begin, end):
    """Read lines ``line``... of the table from ``at`` on, block by block; see `parse_rows`.

    The tokens of a block are found before any is converted, and converted column by column: knowing where each
    ends, the processor works on several at once. ``slow`` receives line, column of ``floating``, first byte, byte
    behind and column of the tokens left to Python.

    Returns
    -------
    at, line, column, kind, n_slow
        Where the reading stands; on a fault ``at`` is the first byte of the token at fault.
    """
    n_column = action.shape[0]
    n_slow = 0
    put_aside = np.empty(blank.shape[0], np.int64)
    while line < code.shape[0]:
        if at >= stop:
            return at, line, 0, FEW_LINES, n_slow
        if n_slow + blank.shape[0] > slow.shape[0]:
            return at, line, 0, SLOW_FULL, n_slow
        block = _block_end(buffer, at, stop, blank.shape[0] - 8)
        if block == at:
            return at, line, 0, LONG_LINE, n_slow
        n_blank = _fill_blanks(word, at, block, blank)
        left = code.shape[0] - line
        n_row, after, bad_column, kind = _fill_tokens(buffer, blank[:n_blank], at, left, n_column, begin, end)
        bad_at = after
        origin = np.uint64(at)
        n_good = n_row
        for column in range(n_column):
            # A fault found earlier in this block limits what is still of interest; ties go to the first column.
            last = n_good * n_column
            first, behind = begin[column:last:n_column], end[column:last:n_column]
            done, fault = n_good, DONE
            if action[column] == FLOAT:
                out = floating[line : line + n_good, slot[column]]
                done, n_aside = _fill_floats(buffer, word, origin, first, behind, out, put_aside)
                fault = BAD_FLOAT
                for row in put_aside[:n_aside]:
                    slow[n_slow, 0] = line + row
                    slow[n_slow, 1] = slot[column]
                    slow[n_slow, 2] = at + first[row]
                    slow[n_slow, 3] = at + behind[row]
                    slow[n_slow, 4] = column
                    n_slow += 1
            elif action[column] == INT:
                out_int = integer[slot[column], line : line + n_good]
                done, fault = _fill_ints(buffer, word, origin, first, behind, out_int)
            elif action[column] == NAME:
                done, fault = _fill_names(buffer, origin, first, behind, code[line : line + n_good], names)
            if done < n_good:
                n_good, bad_column, kind, bad_at = done, column, fault, at + first[done]
        line += n_good
        if kind != DONE:
            return bad_at, line, bad_column, kind, n_slow
        at = after
    return at, line, 0, DONE, n_slow


class Rows(NamedTuple):
    """What `parse_rows` read, and how it ended.

    Attributes
    ----------
    integer : int64 array, shape (n_int_column, n_line)
    floating : float64 array, shape (n_line, n_float_column)
    code : int32 array, shape (n_line,)
        Index into ``names`` of the NAME column; -1 without one.
    names : tuple of bytes
        Different names, sorted.
    end : int
        Byte after the last line read; on a fault the first byte of the token at fault.
    line, column : int
        On a fault its line (0 is the first one of the table) and column.
    kind : int
        DONE, or what is wrong.
    """

    integer: np.ndarray
    floating: np.ndarray
    code: np.ndarray
    names: tuple[bytes, ...]
    end: int
    line: int
    column: int
    kind: int


def parse_rows(buffer, start, stop, n_line, action, slot) -> Rows:
    """Read ``n_line`` lines of blank-separated columns, strictly.

    Parameters
    ----------
    buffer : uint8 array, shape (>= stop + PADDING,)
        The text. ``buffer[stop - 1]`` must be a newline.
    start, stop : int
        First byte of the first line, and the byte after the last one that may be read.
    n_line : int
        Number of lines to read. The arrays returned have this length: it is for the caller to see that it can be true.
    action : int64 array, shape (n_column,)
        SKIP, INT, FLOAT or NAME (at most one) for every column. Every line must have exactly these columns.
    slot : int64 array, shape (n_column,)
        Row of ``integer`` or column of ``floating`` that takes the value.

    Returns
    -------
    Rows

    Notes
    -----
    Floats are bitwise those of Python's ``float``, and finite; what overflows is BAD_FLOAT, as are ``nan``, ``inf``,
    Fortran exponents and decimal commas. Blanks are spaces and tabs; lines end with LF or CR LF. Other control
    bytes are BAD_TOKEN. Names have at most 8 bytes.
    """
    if stop > start and buffer[stop - 1] != _NEWLINE:
        raise ValueError("the text must end with a newline")
    if buffer.shape[0] < stop + PADDING:
        raise ValueError(f"{PADDING} bytes must follow the text")
    word = np.ndarray((buffer.shape[0] - 7,), "<u8", buffer=buffer, strides=(1,))
    integer = np.zeros((int(slot[action == INT].max(initial=-1)) + 1, n_line), np.int64)
    floating = np.zeros((n_line, int(slot[action == FLOAT].max(initial=-1)) + 1))
    code = np.full(n_line, -1, np.int32)
    names = np.zeros(_NAME_ROOM, np.uint64)
    slow = np.empty((4 * _BLOCK, 5), np.int64)
    blank = np.empty(_BLOCK + 8, np.int64)
    begin, end = np.empty((2, _BLOCK + 8), np.uint32)
    at, line = start, 0
    while True:
        at, line, column, kind, n_slow = _fill_rows(
            buffer, word, at, stop, line, action, slot, integer, floating, code, names, slow, blank, begin, end
        )
        for slow_line, where, first, behind, slow_column in slow[:n_slow].tolist():
            value = float(buffer[first:behind].tobytes())
            if not math.isfinite(value):
                return Rows(integer, floating, code, (), first, slow_line, slow_column, BAD_FLOAT)
            floating[slow_line, where] = value
        if kind != SLOW_FULL:
            break
    texts = [int(v).to_bytes(_NAME_BYTES, "big").lstrip(b"\0") for v in names[names > 0]]
    order = sorted(range(len(texts)), key=texts.__getitem__)
    if texts:
        rank = np.empty(len(texts), np.int32)
        rank[order] = np.arange(len(texts), dtype=np.int32)
        code = rank[code] if kind == DONE else code
    return Rows(integer, floating, code, tuple(texts[k] for k in order), at, line, column, kind)


@kernel
def skip_lines(buffer, start, stop, n_line):
    """Pass over at most ``n_line`` lines between ``start`` and ``stop``, but never over one that begins ``ITEM:``.

    Parameters
    ----------
    buffer : uint8 array, shape (>= stop,)
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
    at = start
    passed = 0
    while passed < n_line and at < stop:
        if buffer[at] == 73 and stop - at > 5 and buffer[at + 1] == 84:  # I, T
            if buffer[at + 2] == 69 and buffer[at + 3] == 77 and buffer[at + 4] == 58:  # E, M, colon
                return at, passed, True
        while buffer[at] != _NEWLINE:
            at += 1
        at += 1
        passed += 1
    return at, passed, False


@kernel
def _first_repeat(identity, low, first):
    """Row of the first id met before and the row of that meeting, (-1, -1) if none; ``first`` is filled with -1."""
    for row in range(identity.shape[0]):
        seen = first[identity[row] - low]
        if seen >= 0:
            return seen, row
        first[identity[row] - low] = row
    return -1, -1


def repeated_id(identity) -> tuple[int, int] | None:
    """Rows of the first id that stands twice.

    Parameters
    ----------
    identity : int64 array, shape (n,)

    Returns
    -------
    tuple of int or None
        The earlier row and the later one; None when all differ. Ascending ids cost one comparison each.
    """
    if identity.shape[0] < 2 or np.all(identity[1:] > identity[:-1]):
        return None
    low, high = int(identity.min()), int(identity.max())
    if high - low < 8 * identity.shape[0]:
        earlier, later = _first_repeat(identity, low, np.full(high - low + 1, -1, np.int64))
        return None if later < 0 else (int(earlier), int(later))
    order = np.argsort(identity, kind="stable")
    same = np.flatnonzero(identity[order[1:]] == identity[order[:-1]])
    if not same.size:
        return None
    k = same[np.argmin(order[same + 1])]
    return int(order[k]), int(order[k + 1])
