"""Sums and sums of squares of single-precision numbers that are exact, so that their order cannot matter.

A number of single precision is a whole number of 24 bits times a power of two. Whole numbers are added up for every
power by itself: 64 bits hold 2^39 of them. What comes of it is as exact for a chunk as for a specimen, and may be added.
"""

from __future__ import annotations

import numpy as np

from qsdask.kernels.jit import kernel

__all__ = ["SQUARE_UNIT", "UNIT", "exact_sums"]

#: Powers of two in which sums, and sums of squares, are counted.
UNIT, SQUARE_UNIT = -150, -300

_N_EXPONENT = 255
_HALF = 24


@kernel
def fill_by_exponent(bits, group, known, first, low, high):
    """Add whole numbers to the place of their power of two.

    Parameters
    ----------
    bits : int32 array, shape (n, n_column)
        Numbers of single precision as they lie in memory.
    group : int64 array, shape (n,)
        Group of each row.
    known : int64 array, shape (n_group, n_column)
        Counts the finite ones.
    first : int64 array, shape (n_group, n_column, 255)
        Sums, by exponent.
    low, high : int64 arrays, shape (n_group, n_column, 255)
        Lower 24 bits of the squares, and what is above them.
    """
    for row in range(bits.shape[0]):
        g = group[row]
        for column in range(bits.shape[1]):
            word = np.int64(bits[row, column])
            exponent = (word >> 23) & 0xFF
            if exponent == 0xFF:  # NaN or infinite
                continue
            whole = word & 0x7FFFFF
            if exponent > 0:
                whole |= 0x800000
            else:
                exponent = 1
            square = whole * whole
            known[g, column] += 1
            first[g, column, exponent] += -whole if word < 0 else whole
            low[g, column, exponent] += square & 0xFFFFFF
            high[g, column, exponent] += square >> 24


def exact_sums(value: np.ndarray, group: np.ndarray, n_group: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count, sum and sum of squares of the finite numbers of every column, group by group.

    Parameters
    ----------
    value : float32 array, shape (n, n_column)
        NaN and infinite numbers do not count.
    group : int array, shape (n,)
        Group of each row, from 0.
    n_group : int
        Groups.

    Returns
    -------
    known : int64 array, shape (n_group, n_column)
        Finite numbers.
    first, second : object arrays of int, shape (n_group, n_column)
        Sum in units of 2^-150, and sum of squares in units of 2^-300: whole numbers of any size, exact.
    """
    value = np.ascontiguousarray(value, dtype=np.float32)
    shape = (n_group, value.shape[1])
    known = np.zeros(shape, dtype=np.int64)
    place = [np.zeros((*shape, _N_EXPONENT), dtype=np.int64) for _ in range(3)]
    fill_by_exponent(value.view(np.int32), np.asarray(group, dtype=np.int64), known, *place)
    first, low, high = place
    return known, _joined(first, 1), _joined(low, 2) + _joined(high, 2) * 2**_HALF


def _joined(place: np.ndarray, power: int) -> np.ndarray:
    """Whole numbers from their parts by exponent."""
    total = np.zeros(place.shape[:2], dtype=object)
    for g, column, exponent in zip(*(part.tolist() for part in np.nonzero(place)), strict=True):
        total[g, column] += int(place[g, column, exponent]) << (power * exponent)
    return total
