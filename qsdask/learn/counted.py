"""Values counted: their distribution in a glass, from which classes, ranks and correlations follow, however it was cut."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import NamedTuple

import numpy as np

__all__ = ["LEVELS", "Counted", "Levels", "Sums", "key_of", "value_of"]

#: Groups of about equal population into which values are put for their ranks; in each they share the middle rank. Glasses of no
#: more different values have exact ranks; else a correlation of ranks is off by LEVELS^-2 at most, 4e-9.
LEVELS = 1 << 14

#: Atoms whose products are added as machine numbers: of factors below 2^33 and 2^17 no more than this many stay below 2^63.
_BLOCK = 1 << 12


def key_of(value: np.ndarray) -> np.ndarray:
    """Numbers that stand in the order of some values: the first 32 bits of these.

    Parameters
    ----------
    value : float64 array, shape (n,)
        Finite.

    Returns
    -------
    uint32 array, shape (n,)
        Values that agree in 20 binary digits, that is to within a millionth, have one key.
    """
    bits = (np.asarray(value, dtype=np.float64) + 0.0).view(np.uint64)  # minus zero is zero
    turned = np.where(bits >> np.uint64(63), ~bits, bits | np.uint64(1 << 63))
    return (turned >> np.uint64(32)).astype(np.uint32)


def value_of(key: int) -> float:
    """Value nearest to zero, of either sign, with this key."""
    turned = int(key) << 32
    bits = turned & ~(1 << 63) if turned >> 63 else ~turned & 0xFFFFFFFF_00000000
    return float(np.array([bits], dtype=np.uint64).view(np.float64)[0])


class Levels(NamedTuple):
    """Ranks of values among all that were counted.

    Attributes
    ----------
    first : uint32 array, shape (n_level,)
        Smallest key of each level, rising.
    twice : int64 array, shape (n_level,)
        Twice the middle rank of its atoms, from 1; whole numbers.
    n : int
        Atoms.
    """

    first: np.ndarray
    twice: np.ndarray
    n: int

    def twice_rank(self, value: np.ndarray) -> np.ndarray:
        """Twice the rank of values, int64, shape (n,)."""
        level = np.searchsorted(self.first, key_of(value), side="right") - 1
        return self.twice[np.maximum(level, 0)]  # what was not counted has the rank of its neighbour

    def share_below(self, value: np.ndarray) -> np.ndarray:
        """Share of the atoms whose values are smaller, equal ones half; float64, shape (n,), between 0 and 1."""
        return (self.twice_rank(value) - 1) / (2 * self.n)


@dataclass(frozen=True, eq=False)
class Counted:
    """How many atoms have each value.

    Attributes
    ----------
    key : uint32 array, shape (n,)
        Of `key_of`; different, rising.
    atoms : int64 array, shape (n,)
        How many have it. A factor of two in value holds 2^20 keys at most, so that memory does not grow with the glass.
    """

    key: np.ndarray
    atoms: np.ndarray

    @classmethod
    def of(cls, value: np.ndarray) -> Counted:
        """Count finite values; any shape of one dimension."""
        return cls(*np.unique(key_of(value), return_counts=True))

    def __add__(self, other: Counted) -> Counted:
        """Atoms of both; exact, in any order."""
        key, place = np.unique(np.concatenate([self.key, other.key]), return_inverse=True)
        atoms = np.zeros(len(key), dtype=np.int64)
        # Each side has a key once.
        atoms[place[: len(self.key)]] += self.atoms
        atoms[place[len(self.key) :]] += other.atoms
        return Counted(key, atoms)

    @property
    def n(self) -> int:
        """All atoms."""
        return int(self.atoms.sum())

    def span(self) -> tuple[float, float]:
        """Two numbers between which all values lie, good to a millionth."""
        return value_of(int(self.key[0]) - 1), value_of(int(self.key[-1]) + 1)

    def first_of_top(self, share: float) -> int:
        """Smallest key of the largest values that make up a share of the atoms, at least one; all that share it belong to them."""
        wanted = max(1, round(share * self.n))
        above = np.cumsum(self.atoms[::-1])
        return int(self.key[::-1][np.searchsorted(above, wanted)])

    def last_of_bottom(self, share: float) -> int:
        """Largest key of the smallest values, likewise."""
        wanted = max(1, round(share * self.n))
        return int(self.key[np.searchsorted(np.cumsum(self.atoms), wanted)])

    def levels(self) -> Levels:
        """Ranks, in `LEVELS` groups at most."""
        below = np.cumsum(self.atoms) - self.atoms
        if len(self.key) <= LEVELS:
            start = np.arange(len(self.key))
        else:
            group = below * LEVELS // self.n  # below 2^63 for 2^49 atoms
            start = np.flatnonzero(np.diff(group, prepend=-1))
        size = np.add.reduceat(self.atoms, start)
        return Levels(self.key[start], 2 * below[start] + size + 1, self.n)


class Sums(NamedTuple):
    """Sums over atoms of two whole numbers each, and of their products: Python's own numbers, so that no order changes them."""

    n: int
    a: int
    b: int
    aa: int
    bb: int
    ab: int

    @classmethod
    def of(cls, a: np.ndarray, b: np.ndarray) -> Sums:
        """Of two int64 arrays, shape (n,), of numbers from 0 to 2^33."""
        return cls(len(a), int(a.sum()), int(b.sum()), _dot(a, a), _dot(b, b), _dot(a, b))

    def __add__(self, other: Sums) -> Sums:  # type: ignore[override]  # sums add up, tuples would join
        return Sums(*(mine + its for mine, its in zip(self, other, strict=True)))

    def correlation(self) -> float:
        """Pearson's coefficient; NaN where one of the two does not vary."""
        above = self.n * self.ab - self.a * self.b
        square = (self.n * self.aa - self.a**2) * (self.n * self.bb - self.b**2)
        # The root of a whole number of hundreds of bits, to 60 of them beyond what a float holds.
        return above / (isqrt(square << 120) / 2**60) if square else float("nan")


def _dot(a: np.ndarray, b: np.ndarray) -> int:
    """Sum of products, exact."""
    high, low = b >> 16, b & 0xFFFF
    total = 0
    for start in range(0, len(a), _BLOCK):
        part = slice(start, start + _BLOCK)
        total += (int((a[part] * high[part]).sum()) << 16) + int((a[part] * low[part]).sum())
    return total
