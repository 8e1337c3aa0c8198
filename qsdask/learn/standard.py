"""What the columns of a glass are measured by: median, mean and spread of every column, species by species; exact.

No label is looked at, so the same is done to the glasses that a model learns from and to those that it judges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import sqrt
from typing import Any

import numpy as np

from qsdask.kernels.exact_sums import SQUARE_UNIT, UNIT, exact_sums
from qsdask.kernels.linear import standardised

__all__ = ["Census", "Moments", "Standard", "high_words", "low_words", "medians", "words_of_medians"]


@dataclass(frozen=True, eq=False)
class Standard:
    """What stands for a missing value, and what a value is measured by.

    Attributes
    ----------
    fill, mean, scale : dict of str to float64 array, shape (n_column,)
        For every species the median, mean and standard deviation of each column, missing values counted as the median;
        0 throughout where no atom of the species has the column.
    """

    fill: dict[str, np.ndarray]
    mean: dict[str, np.ndarray]
    scale: dict[str, np.ndarray]

    def whole(self, value: np.ndarray, species: np.ndarray, names: Sequence[str]) -> np.ndarray:
        """Columns of atoms in standard deviations, as whole numbers; see `qsdask.kernels.linear.standardised`.

        Parameters
        ----------
        value : float array, shape (n, n_column)
            Columns as they were computed.
        species : int array, shape (n,)
            Index into `names`.
        names : sequence of str
            Chemical symbols, all of which the standard has.

        Returns
        -------
        float32 array, shape (n, n_column)
        """
        tables = (np.array([part[name] for name in names]) for part in (self.fill, self.mean, self.scale))
        return standardised(np.ascontiguousarray(value), np.asarray(species, dtype=np.int64), *tables)

    def record(self) -> dict[str, Any]:
        """JSON values, which `read` takes back."""
        return {
            name: {
                "fill": self.fill[name].tolist(),
                "mean": self.mean[name].tolist(),
                "scale": self.scale[name].tolist(),
            }
            for name in self.fill
        }

    @classmethod
    def read(cls, record: Mapping[str, Mapping[str, Sequence[float]]]) -> Standard:
        """Standard from what `record` gave."""
        parts = ({name: np.array(one[part]) for name, one in record.items()} for part in ("fill", "mean", "scale"))
        return cls(*parts)


@dataclass(frozen=True, eq=False)
class Moments:
    """Counts and exact sums of the columns of some atoms; those of two chunks add up.

    Attributes
    ----------
    atoms : int64 array, shape (n_species,)
        Atoms that have some column.
    known : int64 array, shape (n_species, n_column)
        Values.
    first, second : object arrays of int, shape (n_species, n_column)
        See `qsdask.kernels.exact_sums.exact_sums`.
    """

    atoms: np.ndarray
    known: np.ndarray
    first: np.ndarray
    second: np.ndarray

    @classmethod
    def of(cls, value: np.ndarray, species: np.ndarray, n_species: int) -> Moments:
        """Moments of float32 columns, shape (n, n_column), of atoms of these species."""
        there = np.isfinite(value).any(axis=1)
        return cls(np.bincount(species[there], minlength=n_species), *exact_sums(value, species, n_species))

    def __add__(self, other: Moments) -> Moments:
        """Of the atoms of both; exact, in any order."""
        return Moments(
            self.atoms + other.atoms, self.known + other.known, self.first + other.first, self.second + other.second
        )

    def gaps(self) -> np.ndarray:
        """Columns that some atom has and another lacks, species by species: bool array, shape (n_species, n_column)."""
        return (self.known > 0) & (self.known < self.atoms[:, None])

    def standard(self, names: Sequence[str], median: Mapping[tuple[int, int], float]) -> Standard:
        """What the columns are measured by.

        Parameters
        ----------
        names : sequence of str
            Chemical symbols of the species.
        median : mapping of (int, int) to float
            Median of each pair of species and column of `gaps`.

        Returns
        -------
        Standard
            Rounded to double precision once, from exact fractions.
        """
        shape = self.known.shape
        fill, mean, scale = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        for g, column in zip(*(part.tolist() for part in np.nonzero(self.known)), strict=True):
            n, absent = int(self.atoms[g]), int(self.atoms[g] - self.known[g, column])
            stands = Fraction(median[g, column]) if absent else Fraction(0)
            average = (Fraction(self.first[g, column]) * _power(UNIT) + absent * stands) / n
            square = (Fraction(self.second[g, column]) * _power(SQUARE_UNIT) + absent * stands**2) / n
            fill[g, column], mean[g, column] = float(stands), float(average)
            scale[g, column] = sqrt(square - average**2)
        return Standard(*({name: part[g] for g, name in enumerate(names)} for part in (fill, mean, scale)))


def _power(exponent: int) -> Fraction:
    return Fraction(1, 2**-exponent)


@dataclass(frozen=True, eq=False)
class Census:
    """How often whole numbers occur.

    Attributes
    ----------
    key : int64 array, shape (n,)
        Different numbers, rising.
    count : int64 array, shape (n,)
        How often each occurs.
    """

    key: np.ndarray
    count: np.ndarray

    @classmethod
    def summed(cls, key: Sequence[np.ndarray], count: Sequence[np.ndarray]) -> Census:
        """Census of parts, in which a number may stand again."""
        different, place = np.unique(np.concatenate([np.empty(0, np.int64), *key]), return_inverse=True)
        # Counts are whole numbers below 2^53: adding them as weights is exact.
        total = np.bincount(place, np.concatenate([np.empty(0, np.int64), *count]), minlength=len(different))
        return cls(different, total.astype(np.int64))

    def __add__(self, other: Census) -> Census:
        """Of both; exact, in any order."""
        return self.summed([self.key, other.key], [self.count, other.count])


def high_words(value: np.ndarray, species: np.ndarray, gaps: np.ndarray) -> Census:
    """First pass of `medians`: upper halves of the values of the columns that have gaps.

    Parameters
    ----------
    value : float32 array, shape (n, n_column)
    species : int array, shape (n,)
    gaps : bool array, shape (n_species, n_column)
        Of `Moments.gaps`.

    Returns
    -------
    Census
        Of ``(species * n_column + column) * 2**16 + upper half``.
    """
    keys, counts = [], []
    for g, column in zip(*np.nonzero(gaps), strict=True):
        count = np.bincount(_ordered(value, species, g, column) >> 16)
        there = np.flatnonzero(count)
        keys.append(_place(gaps, g, column) << 16 | there)
        counts.append(count[there])
    return Census.summed(keys, counts)


def words_of_medians(upper: Census, gaps: np.ndarray) -> dict[tuple[int, int], tuple[list[int], int, list[int]]]:
    """Upper halves of the two middle values of every column that has gaps.

    Returns
    -------
    dict of (int, int) to (list of int, int, list of int)
        By species and column: the two upper halves, how many values lie below the first of them, and the ranks of the two
        middle values, counted from 0.
    """
    found = {}
    for g, column in zip(*(part.tolist() for part in np.nonzero(gaps)), strict=True):
        here = slice(*np.searchsorted(upper.key >> 16, [(k := _place(gaps, g, column)), k + 1]))
        until = np.cumsum(upper.count[here])
        ranks = [int(until[-1] - 1) // 2, int(until[-1]) // 2]
        first, second = np.searchsorted(until, ranks, side="right")
        words = [int(upper.key[here][at]) & 0xFFFF for at in (first, second)]
        found[g, column] = (words, int(until[first] - upper.count[here][first]), ranks)
    return found


def low_words(
    value: np.ndarray, species: np.ndarray, gaps: np.ndarray, words: Mapping[tuple[int, int], tuple]
) -> Census:
    """Second pass of `medians`: all of the values whose upper halves are those of the middle ones.

    Returns
    -------
    Census
        Of ``(species * n_column + column) * 2**32 + ordered bits``.
    """
    keys = []
    for (g, column), (upper, _, _) in words.items():
        ordered = _ordered(value, species, g, column)
        keys.append(_place(gaps, g, column) << 32 | ordered[np.isin(ordered >> 16, upper)])
    return Census.summed(keys, [np.ones(len(k), dtype=np.int64) for k in keys])


def medians(
    whole: Census, gaps: np.ndarray, words: Mapping[tuple[int, int], tuple[list[int], int, list[int]]]
) -> dict[tuple[int, int], float]:
    """Median of every column that has gaps: the mean of the two middle values, by species and column."""
    found = {}
    for (g, column), (_, below, ranks) in words.items():
        here = slice(*np.searchsorted(whole.key >> 32, [(k := _place(gaps, g, column)), k + 1]))
        at = np.searchsorted(np.cumsum(whole.count[here]), np.array(ranks) - below, side="right")
        first, second = (_value(int(key) & 0xFFFFFFFF) for key in whole.key[here][at])
        found[g, column] = (first + second) / 2
    return found


def _place(gaps: np.ndarray, g: int, column: int) -> int:
    return int(g) * gaps.shape[1] + int(column)


def _ordered(value: np.ndarray, species: np.ndarray, g: int, column: int) -> np.ndarray:
    """Bits of the finite values of a column, int64, such that they rise with the values."""
    chosen = np.asarray(value[species == g, column], dtype=np.float32)
    bits = chosen[np.isfinite(chosen)].view(np.uint32).astype(np.int64)
    return np.where(bits >> 31, 0xFFFFFFFF - bits, bits | 0x80000000)


def _value(ordered: int) -> float:
    bits = ordered & 0x7FFFFFFF if ordered >> 31 else 0xFFFFFFFF - ordered
    return float(np.array(bits, dtype=np.uint32).view(np.float32))
