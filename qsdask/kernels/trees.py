"""Probabilities from sums of decision trees, for many rows at once.

Rows are taken in blocks that stay in the cache, turned so that the values of one feature lie side by side; every tree
walks over a block before the next block comes. The two uppermost levels of a tree compare with constants, the same for
all rows, which become vector instructions; what lies deeper is looked up node by node, all rows of the block together.

Results are those of LightGBM's own prediction, to the last bit: a value of at most 1e-35 counts as 0,
``value <= threshold`` goes left, leaves are added tree by tree in double precision from 0 on, and the sum s becomes
``1 / (1 + exp(-s))``. NaN and infinite values are not followed: they give NaN.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from qsdask.kernels.jit import kernel
from qsdask.kernels.sorting import U

__all__ = ["Forest", "forest_probabilities", "forest_scores", "plant"]

#: Rows that are followed together: with 80 columns of single precision they take 80 kB.
ROWS = 256

#: What LightGBM takes for 0: it compares with this number in single precision.
NOTHING = float(np.float32(1e-35))

#: Nodes of the two uppermost levels and of the one below; that one begins with the fourth.
TOP, BELOW = 7, 3


class Forest(NamedTuple):
    """Trees of several models as the kernel reads them, made by `plant`.

    Attributes
    ----------
    model : int64 array, shape (n_model + 1,)
        First tree of each model; all trees, at the end.
    tree : int64 array, shape (n_tree + 1,)
        First node of each tree; all nodes, at the end.
    deeper : int64 array, shape (n_tree,)
        Levels of splits below the two uppermost.
    feature : uint32 array, shape (n_node,)
        Column that a node looks at.
    threshold : float64 array, shape (n_node,)
        Up to this value it leads to the first of its two children; +inf at leaves.
    rounded : float32 array, shape (n_node,)
        Largest number of single precision that is not above the threshold: no value of single precision lies between.
    child : uint32 array, shape (n_node,)
        First of its children, which lie side by side, counted from the first node of the tree; a leaf is its own.
    leaf : float64 array, shape (n_node,)
        What a leaf adds.
    """

    model: np.ndarray
    tree: np.ndarray
    deeper: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    rounded: np.ndarray
    child: np.ndarray
    leaf: np.ndarray


def plant(model, n_leaf, feature, threshold, left, right, value):
    """Lay out trees for `forest_probabilities`.

    Parameters
    ----------
    model : int array, shape (n_model,)
        Trees of each model.
    n_leaf : int array, shape (n_tree,)
        Leaves of each tree, at least 1; trees of one model after those of the other.
    feature : int array, shape (n_split,)
        Column of each split; splits of one tree after those of the other, the root first. A tree of n leaves has
        n - 1 splits.
    threshold : float64 array, shape (n_split,)
        Values up to it go left.
    left, right : int array, shape (n_split,)
        Split within the tree, or ``-1 - leaf`` for a leaf.
    value : float64 array, shape (n_value,)
        What each leaf adds; leaves of one tree after those of the other.

    Returns
    -------
    Forest

    Raises
    ------
    ValueError
        If the numbers of trees, splits and leaves do not fit. That children lead from the root to every leaf once is
        taken on trust.
    """
    model, n_leaf = np.asarray(model, dtype=np.int64), np.asarray(n_leaf, dtype=np.int64)
    if (n_leaf < 1).any() or model.sum() != len(n_leaf) or n_leaf.sum() != len(value):
        raise ValueError(
            f"{model.sum()} trees with {n_leaf.sum()} leaves, but {len(n_leaf)} and {len(value)} are given"
        )
    if any(len(a) != len(value) - len(n_leaf) for a in (feature, threshold, left, right)):
        raise ValueError(f"{len(value) - len(n_leaf)} splits are needed")
    # Beside its splits and leaves a tree gets what its two uppermost levels lack.
    tree = _edges(TOP + 2 * n_leaf)
    forest = Forest(
        _edges(model),
        tree,
        np.empty(len(n_leaf), dtype=np.int64),
        np.zeros(tree[-1], dtype=np.uint32),
        np.full(tree[-1], np.inf),
        np.empty(tree[-1], dtype=np.float32),
        np.zeros(tree[-1], dtype=np.uint32),
        np.zeros(tree[-1]),
    )
    fill_nodes(
        n_leaf,
        np.asarray(feature, dtype=np.uint32),
        np.asarray(threshold, dtype=np.float64),
        np.asarray(left, dtype=np.int64),
        np.asarray(right, dtype=np.int64),
        np.asarray(value, dtype=np.float64),
        forest,
    )
    forest.rounded[:] = rounded_down(forest.threshold)
    return forest


def rounded_down(threshold):
    """Largest numbers of single precision that are not above thresholds, float32: none of it lies between."""
    with np.errstate(over="ignore"):  # beyond the range of single precision is the last number, or none, of it
        near = threshold.astype(np.float32)
        return np.where(near > threshold, np.nextafter(near, np.float32(-np.inf)), near)


def as_rows(row, feature):
    """Rows as kernels follow them, in single or double precision; ValueError when trees look at a column beyond."""
    row = np.asarray(row)
    row = np.ascontiguousarray(row, dtype=np.float32 if row.dtype == np.float32 else np.float64)
    if feature.max(initial=0) >= row.shape[1]:
        raise ValueError(f"trees look at column {feature.max()}, rows have {row.shape[1]}")
    return row


def _edges(count):
    """Where each of the parts begins that are so long, and where the last ends."""
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(count)])


@kernel
def fill_nodes(n_leaf, feature, threshold, left, right, value, forest):
    """Number the nodes of every tree level by level, so that the two children of one lie side by side."""
    split = leaf = 0
    source = np.empty(TOP + 2 * n_leaf.max() if len(n_leaf) else 0, dtype=np.int64)
    level = np.empty_like(source)
    for k in range(len(n_leaf)):
        first = forest.tree[k]
        source[0], level[0] = 0 if n_leaf[k] > 1 else -1, 0
        deepest, end, node = 0, 1, 0
        while node < end:
            at, below = source[node], level[node] + 1
            if at >= 0:
                forest.feature[first + node] = feature[split + at]
                forest.threshold[first + node] = threshold[split + at]
                source[end], source[end + 1] = left[split + at], right[split + at]
                deepest = max(deepest, below)
            else:
                forest.leaf[first + node] = value[leaf - 1 - at]
                source[end] = source[end + 1] = at
            # A leaf in the two uppermost levels becomes a split with the same leaf on both sides.
            if at >= 0 or node < BELOW:
                forest.child[first + node] = end
                level[end] = level[end + 1] = below
                end += 2
            else:
                forest.child[first + node] = node
            node += 1
        forest.deeper[k] = max(0, deepest - 2)
        split += n_leaf[k] - 1
        leaf += n_leaf[k]


@kernel
def fill_block(row, start, column, complete):
    """Turn rows from `start` on into columns; say which have a value in every one."""
    complete[:] = True
    for i in range(U(min(len(complete), len(row) - start))):
        for f in range(U(row.shape[1])):
            x = row[U(start) + i, f]
            column[f, i] = x if abs(x) > NOTHING else 0
            complete[i] &= np.isfinite(x)


@kernel
def add_trees(first, last, forest, threshold, column, node, total):
    """Add to every row of a block the leaves that it comes to, tree by tree."""
    # Arrays whole and places in them: a slice for every tree and block would cost more than the tree.
    tree, deeper, feature, child, leaf = forest.tree, forest.deeper, forest.feature, forest.child, forest.leaf
    for k in range(U(first), U(last)):
        n = U(tree[k])
        x, y, z = U(feature[n]), U(feature[n + U(1)]), U(feature[n + U(2)])
        middle, low, high = threshold[n], threshold[n + U(1)], threshold[n + U(2)]
        if deeper[k] == 0:
            a, b, c, d = leaf[n + U(3)], leaf[n + U(4)], leaf[n + U(5)], leaf[n + U(6)]
            for i in range(U(ROWS)):
                left, right = a if column[y, i] <= low else b, c if column[z, i] <= high else d
                total[i] += left if column[x, i] <= middle else right
            continue
        for i in range(U(ROWS)):
            left, right = 3 if column[y, i] <= low else 4, 5 if column[z, i] <= high else 6
            node[i] = left if column[x, i] <= middle else right
        for _ in range(deeper[k]):
            for i in range(U(ROWS)):
                at = n + U(node[i])
                node[i] = child[at] + np.uint32(column[U(feature[at]), i] > threshold[at])
        for i in range(U(ROWS)):
            total[i] += leaf[n + U(node[i])]


@kernel
def fill_scores(row, forest, threshold, result):
    """Sum of the leaves that every row comes to in each model, shape (n_model, n_row); NaN for rows without a value."""
    column = np.zeros((row.shape[1], ROWS), dtype=row.dtype)
    complete = np.empty(ROWS, dtype=np.bool_)
    node, total = np.empty(ROWS, dtype=np.uint32), np.empty(ROWS)
    for start in range(0, len(row), ROWS):
        fill_block(row, start, column, complete)
        for m in range(len(forest.model) - 1):
            total[:] = 0.0
            add_trees(forest.model[m], forest.model[m + 1], forest, threshold, column, node, total)
            for i in range(min(ROWS, len(row) - start)):
                result[m, start + i] = total[i] if complete[i] else np.nan


@kernel
def turn_to_probabilities(result):
    """Put the probability in the place of each score; NaN stays."""
    for m in range(result.shape[0]):
        for i in range(result.shape[1]):
            result[m, i] = 1.0 / (1.0 + math.exp(-result[m, i]))


def forest_scores(forest, row):
    """Sum of the leaves of each model of a forest: the logarithm of the odds.

    Parameters
    ----------
    forest, row
        As of `forest_probabilities`.

    Returns
    -------
    float64 array, shape (n_model, n)
        NaN for rows with a value that is not finite. The same for a row whatever stands in the others. Unit: 1.

    Raises
    ------
    ValueError
        If a tree looks at a column that the rows do not have.
    """
    row = as_rows(row, forest.feature)
    result = np.empty((len(forest.model) - 1, len(row)))
    fill_scores(row, forest, forest.rounded if row.dtype == np.float32 else forest.threshold, result)
    return result


def forest_probabilities(forest, row):
    """Probability by each model of a forest.

    Parameters
    ----------
    forest : Forest
        From `plant`.
    row : float32 or float64 array, shape (n, n_feature)
        A row for each atom.

    Returns
    -------
    float64 array, shape (n_model, n)
        NaN for rows with a value that is not finite. The same for a row whatever stands in the others. Unit: 1.

    Raises
    ------
    ValueError
        If a tree looks at a column that the rows do not have.
    """
    result = forest_scores(forest, row)
    turn_to_probabilities(result)
    return result
