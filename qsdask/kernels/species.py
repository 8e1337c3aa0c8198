"""Rows of atoms whose species stands in lines of its own above them, each put in front of its rows."""

from __future__ import annotations

from qsdask.kernels.jit import kernel

__all__ = ["BAD_MASS", "BAD_SYMBOL", "DONE", "LONGEST_SYMBOL", "LOST_SPECIES", "NO_SYMBOL", "ROW_GROWTH", "put_species"]

#: How `put_species` ends: all read; a mass that is no number; a symbol that is none; a row where the symbol belongs; a row
#: above all species.
DONE, BAD_MASS, BAD_SYMBOL, NO_SYMBOL, LOST_SPECIES = 0, 1, 2, 3, 4

#: Bytes of a symbol.
LONGEST_SYMBOL = 8

#: A row, "0 0" and its newline at least, grows by a symbol and a blank: times this in length at most.
ROW_GROWTH = 4

#: What comes next, kept from one stretch of text to the next.
_ANY, _SYMBOL = 0, 1
_NEWLINE, _SPACE = 10, 32


@kernel
def put_species(buffer, start, stop, state, symbol, out, line_of):
    """Write every row behind the symbol of its species; lines of masses and symbols are left out, and blank ones.

    Parameters
    ----------
    buffer : uint8 array
        Whole lines from ``start`` up to ``stop``. A line of one token is a mass, the next one a symbol; lines of more are
        rows of this species.
    start, stop : int
    state : int64 array, shape (2,)
        What comes next, and the length of the symbol: zeros at first, and as it was left after that.
    symbol : uint8 array, shape (LONGEST_SYMBOL,)
        The symbol.
    out : uint8 array, shape (>= ROW_GROWTH * (stop - start),)
        Filled with the rows.
    line_of : int64 array, shape (>= (stop - start) / 4,)
        Filled with the line of every row, from 0 for the first one of this text.

    Returns
    -------
    end, n_row, n_line, kind
        Bytes and rows written, lines passed, and DONE or what is wrong with the line after those.
    """
    end = n_row = n_line = 0
    at = start
    while at < stop:
        close = at
        while buffer[close] != _NEWLINE:
            close += 1
        first, last = at, close
        while first < last and buffer[first] <= _SPACE:
            first += 1
        while last > first and buffer[last - 1] <= _SPACE:
            last -= 1
        inner = first
        while inner < last and buffer[inner] > _SPACE:
            inner += 1
        if first < last and inner == last:
            if state[0] == _SYMBOL:
                if last - first > LONGEST_SYMBOL or not _begins_name(buffer[first]):
                    return end, n_row, n_line, BAD_SYMBOL
                state[0], state[1] = _ANY, last - first
                for k in range(last - first):
                    symbol[k] = buffer[first + k]
            else:
                for k in range(first, last):
                    if not _in_number(buffer[k]):
                        return end, n_row, n_line, BAD_MASS
                state[0] = _SYMBOL
        elif first < last:
            if state[0] == _SYMBOL:
                return end, n_row, n_line, NO_SYMBOL
            if state[1] == 0:
                return end, n_row, n_line, LOST_SPECIES
            for k in range(state[1]):
                out[end + k] = symbol[k]
            end += state[1]
            out[end] = _SPACE
            end += 1
            for k in range(first, close + 1):
                out[end + k - first] = buffer[k]
            end += close + 1 - first
            line_of[n_row] = n_line
            n_row += 1
        n_line += 1
        at = close + 1
    return end, n_row, n_line, DONE


@kernel
def _begins_name(byte):
    """Whether a byte is a letter."""
    return 65 <= byte <= 90 or 97 <= byte <= 122


@kernel
def _in_number(byte):
    """Whether a byte may stand in a decimal number."""
    return 48 <= byte <= 57 or byte in (43, 45, 46, 69, 101)
