"""Slow twins of exact sums, of standardised columns and of linear scores: fractions, and one number after the other."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np


def sums(value, group, n_group):
    """Count, sum and sum of squares of the finite numbers of every column, as fractions."""
    n_column = value.shape[1]
    known = np.zeros((n_group, n_column), dtype=int)
    first, second = (np.full((n_group, n_column), Fraction(0), dtype=object) for _ in range(2))
    for g, row in zip(group, value, strict=True):
        for column, x in enumerate(row.tolist()):
            if math.isfinite(x):
                known[g, column] += 1
                first[g, column] += Fraction(x)
                second[g, column] += Fraction(x) ** 2
    return known, first, second


def measured(value, species, n_species):
    """Median, mean and standard deviation of every column, gaps counted as the median; from fractions."""
    out = np.zeros((3, n_species, value.shape[1]))
    for g in range(n_species):
        rows = value[species == g]
        rows = rows[np.isfinite(rows).any(axis=1)]
        for column in range(value.shape[1]):
            found = [x for x in rows[:, column].tolist() if math.isfinite(x)]
            if not found:
                continue
            absent = len(rows) - len(found)
            middle = float(np.median(found)) if absent else 0.0
            whole = [Fraction(x) for x in found + [middle] * absent]
            mean = sum(whole) / len(whole)
            out[:, g, column] = middle, mean, math.sqrt(sum((x - mean) ** 2 for x in whole) / len(whole))
    return out


def standardised(value, group, fill, mean, scale):
    """Whole numbers of 13 bits, row by row."""
    out = np.full(value.shape, np.nan)
    for row, (g, numbers) in enumerate(zip(group, value.tolist(), strict=True)):
        if not any(math.isfinite(x) for x in numbers):
            continue
        for column, x in enumerate(numbers):
            x = x if math.isfinite(x) else fill[g, column]
            z = (x - mean[g, column]) / scale[g, column] if scale[g, column] > 0 else 0.0
            out[row, column] = round(min(max(z, -5.0), 5.0) * 819.2)
    return out


def scores(whole, coefficient):
    """Sums of columns times coefficients, in the order of the columns."""
    out = np.zeros((len(whole), coefficient.shape[1]))
    for row in range(len(whole)):
        for k in range(coefficient.shape[1]):
            total = 0.0
            for column in range(whole.shape[1]):
                total += float(whole[row, column]) * (5.0 / 4096) * coefficient[column, k]
            out[row, k] = total
    return out
