"""Slow twin of the contributions of columns: the definition, over all sets of columns, one row and one tree at a time."""

from __future__ import annotations

from itertools import combinations
from math import factorial

import numpy as np


def cover(tree, count, node):
    """Training atoms below a node: a split, or -1 - leaf."""
    _, _, left, right, _ = tree
    return count[-1 - node] if node < 0 else cover(tree, count, left[node]) + cover(tree, count, right[node])


def known(tree, count, row, columns, node):
    """What a tree says below a node on average when only these columns of a row are known."""
    feature, threshold, left, right, leaf = tree
    if node < 0:
        return float(leaf[-1 - node])
    sides = (left[node], right[node])
    if feature[node] in columns:
        x = float(row[feature[node]])
        x = 0.0 if abs(x) <= float(np.float32(1e-35)) else x
        return known(tree, count, row, columns, sides[int(x > threshold[node])])
    share = [cover(tree, count, side) for side in sides]
    return sum(n * known(tree, count, row, columns, side) for n, side in zip(share, sides, strict=True)) / sum(share)


def contributions(tree, count, row):
    """Shapley values of all columns of a row."""
    n, root = len(row), 0 if len(tree[0]) else -1
    value = {
        chosen: known(tree, count, row, chosen, root)
        for size in range(n + 1)
        for chosen in combinations(range(n), size)
    }
    found = np.zeros(n)
    for chosen in value:
        for j in set(range(n)) - set(chosen):
            weight = factorial(len(chosen)) * factorial(n - len(chosen) - 1) / factorial(n)
            found[j] += weight * (value[tuple(sorted({*chosen, j}))] - value[chosen])
    return found
