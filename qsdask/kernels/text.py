"""Columns of text, read from bytes: the ATOMS section of a dump, strictly.

The ends of all tokens of a block are found first, then each column is converted in a loop of its own: knowing
where each token ends, the processor works on several at once. Nothing is repaired: a token that is not what
its column needs ends the reading with its place.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from qsdask.kernels.decimal import (
    BAD_FLOAT,
    BAD_INT,
    BAD_TOKEN,
    DONE,
    INT_RANGE,
    MANY_NAMES,
    fill_floats,
    fill_ints,
    fill_names,
)
from qsdask.kernels.jit import kernel
from qsdask.kernels.words import ABOVE_SPACE, EIGHT, FIFTY_SIX, HIGH_BITS, ONE, SEVEN, WHICH_BYTE, ZERO, as_words

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
    "SKIP",
    "RowReader",
    "Rows",
    "parse_rows",
]

#: What to do with a column.
SKIP, INT, FLOAT, NAME = 0, 1, 2, 3

#: How the reading can end besides the kinds of `qsdask.kernels.decimal`. ``SLOW_FULL`` stays in this file.
FEW_LINES, FEW_TOKENS, MANY_TOKENS, LONG_LINE, SLOW_FULL = 11, 12, 13, 14, 15


_BLOCK = 1 << 14  # bytes whose token ends are found at a time; also the longest line
_NAME_ROOM = 128  # different names in one column

_TAB, _NEWLINE, _RETURN, _SPACE = 9, 10, 13, 32


@kernel
def _fill_blanks(word, start, stop, blank):
    """Distances from ``start`` of all bytes <= 0x20 before ``stop``, ascending; returns their number."""
    n = ZERO
    size = np.uint64(stop - start)
    at = ZERO
    while at < size:
        w = word[np.uint64(start) + at]
        # The high bit of each byte keeps the subtraction from borrowing: all marks are right, not only one.
        mark = ~(((w | HIGH_BITS) - ABOVE_SPACE) | w) & HIGH_BITS
        while mark != ZERO:
            blank[n] = at + ((((mark & (~mark + ONE)) >> SEVEN) * WHICH_BYTE) >> FIFTY_SIX)
            n += ONE
            mark &= mark - ONE
        at += EIGHT
    while n > ZERO and blank[n - ONE] >= size:
        n -= ONE
    return np.int64(n)


@kernel
def _block_end(buffer, at, stop, size):
    """End of the last line that ends within ``size`` bytes from ``at``; ``at`` if none does."""
    if stop - at <= size:
        return stop
    end = at + size
    while end > at and buffer[end - 1] != _NEWLINE:
        end -= 1
    return end


@kernel
def _fill_tokens(text, blank, n_line, n_column, begin, end):
    """Cut the whole lines of a block into tokens; see `_fill_blanks` for ``blank``.

    ``begin`` and ``end`` are filled line by line, ``n_column`` tokens each.

    Returns
    -------
    n_row, at, column, kind
        Lines cut, the byte behind them, and, unless ``kind`` is DONE, the place of the fault in the line
        that follows.
    """
    at, k, token = ZERO, ZERO, ZERO
    for row in range(n_line):
        if k >= blank.shape[0]:
            return row, np.int64(at), 0, DONE
        for column in range(n_column):
            stop = np.uint64(blank[k])
            while stop == at:
                byte = text[at]
                if byte not in (_SPACE, _TAB):
                    ends = byte == _NEWLINE or (byte == _RETURN and text[at + ONE] == _NEWLINE)
                    return row, np.int64(at), column, FEW_TOKENS if ends else BAD_TOKEN
                at += ONE
                k += ONE
                stop = np.uint64(blank[k])
            begin[token] = at
            end[token] = stop
            token += ONE
            at = stop
            # Behind a token stands a blank, which is passed here, or the end of the line: see below.
            byte = text[at]
            if byte in (_SPACE, _TAB):
                at += ONE
                k += ONE
            elif byte == _NEWLINE and column + 1 < n_column:
                return row, np.int64(at), column + 1, FEW_TOKENS
        while text[at] == _SPACE or text[at] == _TAB:
            at += ONE
            k += ONE
        if text[at] == _RETURN and text[at + ONE] == _NEWLINE:
            at += ONE
            k += ONE
        if text[at] != _NEWLINE:
            return row, np.int64(at), n_column, BAD_TOKEN if text[at] < _SPACE else MANY_TOKENS
        at += ONE
        k += ONE
    return n_line, np.int64(at), 0, DONE


@kernel
def _fill_rows(buffer, word, at, stop, line, action, slot, integer, floating, code, names, slow, blank, begin, end):
    """Read lines ``line``... of the table from ``at`` on, block by block; see `parse_rows`.

    The tokens of a block are found before any is converted, and converted column by column: knowing where
    each ends, the processor works on several at once. ``slow`` receives line, column of ``floating``, first
    byte, byte behind and column of the tokens left to Python.

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
        n_row, after, bad_column, kind = _fill_tokens(buffer[at:], blank[:n_blank], left, n_column, begin, end)
        after += at
        bad_at = after
        origin = np.uint64(at)
        n_good = n_row
        for column in range(n_column):
            # A fault found so far limits the rows still of interest; ties go to the first column.
            last = n_good * n_column
            first, behind = begin[column:last:n_column], end[column:last:n_column]
            done, fault = n_good, DONE
            if action[column] == FLOAT:
                out = floating[line : line + n_good, slot[column]]
                done, n_aside = fill_floats(buffer, word, origin, first, behind, out, put_aside)
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
                done, fault = fill_ints(buffer, word, origin, first, behind, out_int)
            elif action[column] == NAME:
                done, fault = fill_names(buffer, origin, first, behind, code[line : line + n_good], names)
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


class RowReader:
    """Lines of blank-separated columns, strictly, from one stretch of text after the other.

    Parameters
    ----------
    n_line : int
        Number of lines to read. The arrays have this length: it is for the caller to see that it can be true.
    action : int64 array, shape (n_column,)
        SKIP, INT, FLOAT or NAME (at most one) for every column. Every line must have exactly these columns.
    slot : int64 array, shape (n_column,)
        Row of ``integer`` or column of ``floating`` that takes the value.

    Attributes
    ----------
    line : int
        Lines read so far; on a fault that of the fault.
    integer, floating, code
        As in `Rows`; the part behind ``line`` is not filled, and ``code`` numbers names by first appearance.

    Notes
    -----
    Floats are bitwise those of Python's ``float``, and finite; what overflows is BAD_FLOAT, as are ``nan``,
    ``inf``, Fortran exponents and decimal commas. Blanks are spaces and tabs; lines end with LF or CR LF. Other
    control bytes are BAD_TOKEN. Names have at most 8 bytes.
    """

    def __init__(self, n_line: int, action: np.ndarray, slot: np.ndarray) -> None:
        self.line = 0
        self.integer = np.zeros((int(slot[action == INT].max(initial=-1)) + 1, n_line), np.int64)
        self.floating = np.zeros((n_line, int(slot[action == FLOAT].max(initial=-1)) + 1))
        self.code = np.full(n_line, -1, np.int32)
        self._action, self._slot = action, slot
        self._names = np.zeros(_NAME_ROOM, np.uint64)
        self._scratch = np.empty((3, _BLOCK + 8), np.uint32)
        self._slow = np.empty((2 * self._scratch.shape[1], 5), np.int64)  # room for one block more

    @property
    def full(self) -> bool:
        """Whether all lines are read."""
        return self.line == self.code.shape[0]

    def read(self, buffer: np.ndarray, start: int, stop: int) -> tuple[int, int, int]:
        """Read on, to the end of this text or until all lines are there.

        Parameters
        ----------
        buffer : uint8 array, shape (>= stop + PADDING,)
            The text. ``buffer[stop - 1]`` must be a newline.
        start, stop : int
            First byte of a line, and the byte after the last one that may be read.

        Returns
        -------
        end : int
            Byte after the last line read; on a fault the first byte of the token at fault.
        column : int
            On a fault its column.
        kind : int
            DONE, or what is wrong.
        """
        if stop > start and buffer[stop - 1] != _NEWLINE:
            raise ValueError("the text must end with a newline")
        word = as_words(buffer, stop)
        at, kind = start, SLOW_FULL
        while kind == SLOW_FULL:
            at, self.line, column, kind, n_slow = _fill_rows(
                buffer,
                word,
                at,
                stop,
                self.line,
                self._action,
                self._slot,
                self.integer,
                self.floating,
                self.code,
                self._names,
                self._slow,
                *self._scratch,
            )
            overflowed = []
            for line, where, first, behind, slow_column in self._slow[:n_slow].tolist():
                value = float(buffer[first:behind].tobytes())
                if not math.isfinite(value):
                    overflowed.append((line, slow_column, first))
                self.floating[line, where] = value
            # Tokens are put aside column by column: those of lines behind a fault are among them.
            if overflowed and min(overflowed) < (self.line, column):
                self.line, column, first = min(overflowed)
                return first, column, BAD_FLOAT
        return at, column, DONE if kind == FEW_LINES else kind

    def names(self) -> tuple[tuple[bytes, ...], np.ndarray]:
        """Different names, sorted, and the index into them for every line; when all are read."""
        texts = [int(v).to_bytes(8, "big").lstrip(b"\0") for v in self._names[self._names > 0]]
        order = sorted(range(len(texts)), key=texts.__getitem__)
        rank = np.empty(len(texts), np.int32)
        rank[order] = np.arange(len(texts), dtype=np.int32)
        return tuple(texts[k] for k in order), rank[self.code] if texts else self.code


def parse_rows(buffer, start, stop, n_line, action, slot) -> Rows:
    """Read ``n_line`` lines from one stretch of text; see `RowReader` for the arguments.

    Returns
    -------
    Rows
    """
    reader = RowReader(n_line, action, slot)
    end, column, kind = reader.read(buffer, start, stop)
    if kind == DONE and not reader.full:
        kind = FEW_LINES
    names, code = reader.names() if kind == DONE else ((), reader.code)
    return Rows(reader.integer, reader.floating, code, names, end, reader.line, column, kind)
