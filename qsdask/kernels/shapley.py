"""What every column adds to the sum of decision trees: Shapley values of rows, weighted along the paths by training atoms.

The value of a set of columns is what a tree says on average when only these are known: at a split of a column that is not,
both sides are taken, each as often as training atoms went there. In this game every leaf can be looked at alone. Along the
path to it let column j be kept by the row (``one`` = 1) or not (0), and let ``zero`` be the share of the training atoms that
its splits on the path keep. Then the Shapley value of j is

    leaf * (one_j - zero_j) * integral over t from 0 to 1 of the product over all other k of (t one_k + (1 - t) zero_k)

because the weight of a set of s out of the other m - 1 columns, s! (m - 1 - s)! / m!, is the integral of t^s (1 - t)^(m - 1 - s).
The integrand is a polynomial of degree m - 1: Gauss and Legendre integrate it exactly with half as many nodes, and as all of
its factors are positive nothing cancels, however deep the tree.

Trees of up to three splits have eight outcomes at most: what each adds is worked out once and looked up.

References
----------
S. M. Lundberg et al., Nat. Mach. Intell. 2, 56 (2020), doi:10.1038/s42256-019-0138-9.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from qsdask.kernels.jit import kernel
from qsdask.kernels.sorting import U
from qsdask.kernels.trees import ROWS, as_rows, fill_block, rounded_down

__all__ = ["Paths", "lay_paths", "path_contributions"]

#: Trees of so many splits have a table: eight outcomes of this many columns, and of the leaf.
SPLITS = 3


class Paths(NamedTuple):
    """Trees as the kernel adds them up, made by `lay_paths`. Leaves of tree k begin at ``split[k] + k``.

    Attributes
    ----------
    split : int64 array, shape (n_tree + 1,)
        First split of each tree; all splits, at the end.
    feature : int64 array, shape (n_split,)
        Column of each split.
    threshold : float64 array, shape (n_split,)
        Values up to it go left.
    rounded : float32 array, shape (n_split,)
        Largest number of single precision that is not above the threshold.
    value : float64 array, shape (n_leaf,)
        What a leaf adds.
    step : int64 array, shape (n_leaf + 1,)
        First step of the path to each leaf; all steps, at the end.
    passed : int64 array, shape (n_step,)
        Split of the tree that a step passes.
    right : bool array, shape (n_step,)
        To which side.
    slot : int64 array, shape (n_step,)
        Which of the columns of the path it asks.
    column : int64 array, shape (n_step,)
        Columns of the path by slot, from the first step of the path on.
    zero : float64 array, shape (n_step,)
        Share of the training atoms that all splits of the column keep on the path, by slot.
    n_slot : int64 array, shape (n_leaf,)
        Columns of each path.
    node, weight : float64 arrays, shape (n_order, n_order)
        Nodes and weights between 0 and 1 of the rules of 1, 2, ... nodes.
    table : float64 array, shape (n_tree, 8, 4)
        Of trees with up to three splits: what each outcome adds to the column of each split, and the leaf.
    """

    split: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    rounded: np.ndarray
    value: np.ndarray
    step: np.ndarray
    passed: np.ndarray
    right: np.ndarray
    slot: np.ndarray
    column: np.ndarray
    zero: np.ndarray
    n_slot: np.ndarray
    node: np.ndarray
    weight: np.ndarray
    table: np.ndarray


def lay_paths(n_leaf, feature, threshold, left, right, value, n_row):
    """Lay out trees for `path_contributions`.

    Parameters
    ----------
    n_leaf, feature, threshold, left, right, value
        As of `qsdask.kernels.trees.plant`.
    n_row : int array, shape (n_value,)
        Training atoms of each leaf, at least 1.

    Returns
    -------
    paths : Paths
    expected : float64 array, shape (n_tree,)
        Mean of each tree over its training atoms.

    Raises
    ------
    ValueError
        For a leaf without training atoms.
    """
    n_leaf, n_row = np.asarray(n_leaf, dtype=np.int64), np.asarray(n_row, dtype=np.int64)
    value, threshold = np.asarray(value, dtype=np.float64), np.asarray(threshold, dtype=np.float64)
    if (n_row < 1).any() or len(n_row) != len(value):
        raise ValueError("every leaf needs training atoms")
    links = tuple(np.asarray(a, dtype=np.int64) for a in (feature, left, right))
    split = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(n_leaf - 1)])
    above, from_right, length = parents(split, links[1], links[2])
    step = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(length)])
    n_step = int(step[-1])
    order = max(1, -(-int(length.max(initial=0)) // 2))
    node, weight = np.zeros((order, order)), np.zeros((order, order))
    for n in range(1, order + 1):
        x, w = np.polynomial.legendre.leggauss(n)
        node[n - 1, :n], weight[n - 1, :n] = (x + 1.0) / 2.0, w / 2.0
    paths = Paths(
        split,
        links[0],
        threshold,
        rounded_down(threshold),
        value,
        step,
        np.empty(n_step, dtype=np.int64),
        np.empty(n_step, dtype=np.bool_),
        np.empty(n_step, dtype=np.int64),
        np.empty(n_step, dtype=np.int64),
        np.ones(n_step),
        np.zeros(len(value), dtype=np.int64),
        node,
        weight,
        np.zeros((len(n_leaf), 2**SPLITS, SPLITS + 1)),
    )
    fill_paths(paths, n_row, above, from_right)
    fill_tables(paths)
    first = split[:-1] + np.arange(len(n_leaf))
    expected = np.add.reduceat(value * n_row, first) / np.add.reduceat(n_row, first) if len(n_leaf) else np.empty(0)
    return paths, expected


@kernel
def parents(split, left, right):
    """Of every split, then of every leaf, of a tree after the other: the split above, which side, and depth of leaves."""
    n_tree, n_split = len(split) - 1, split[-1]
    above, from_right = np.full(2 * n_split + n_tree, -1), np.zeros(2 * n_split + n_tree, dtype=np.bool_)
    depth, length = np.zeros(n_split, dtype=np.int64), np.zeros(n_split + n_tree, dtype=np.int64)
    waiting = np.empty(n_split + 1, dtype=np.int64)
    for k in range(n_tree):
        first, end = split[k], 0
        if split[k + 1] > first:
            waiting[0], end = 0, 1
        while end:
            end -= 1
            at = waiting[end]
            for side in range(2):
                to = right[first + at] if side else left[first + at]
                place = first + to if to >= 0 else n_split + first + k - 1 - to
                above[place], from_right[place] = at, side == 1
                if to >= 0:
                    depth[first + to] = depth[first + at] + 1
                    waiting[end] = to
                    end += 1
                else:
                    length[first + k - 1 - to] = depth[first + at] + 1
    return above, from_right, length


@kernel
def fill_paths(paths, n_row, above, from_right):
    """Steps of the path to every leaf, from the leaf to the root, and what each of its columns keeps."""
    split, n_split = paths.split, paths.split[-1]
    cover = np.zeros((n_split, 2))
    for k in range(len(split) - 1):
        first = split[k]
        leaves = range(first + k, split[k + 1] + k + 1)
        for leaf in leaves:
            place = n_split + leaf
            while above[place] >= 0:
                cover[first + above[place], int(from_right[place])] += n_row[leaf]
                place = first + above[place]
        for leaf in leaves:
            start, place, s = paths.step[leaf], n_split + leaf, paths.step[leaf]
            while above[place] >= 0:
                at, side = above[place], from_right[place]
                slot = 0
                while slot < paths.n_slot[leaf] and paths.column[start + slot] != paths.feature[first + at]:
                    slot += 1
                if slot == paths.n_slot[leaf]:
                    paths.column[start + slot] = paths.feature[first + at]
                    paths.n_slot[leaf] += 1
                paths.passed[s], paths.right[s], paths.slot[s] = at, side, slot
                both = cover[first + at, 0] + cover[first + at, 1]
                paths.zero[start + slot] *= cover[first + at, int(side)] / both
                place = first + at
                s += 1


@kernel
def add_tree(k, paths, goes_right, one, place, total):
    """Add the contributions of a tree to `total` at `place` of their columns, and give the leaf that is reached.

    `goes_right` says where the row would go at every split; `one` is room for the columns of a path.
    """
    reached = 0.0
    first = paths.split[k]
    for leaf in range(first + k, paths.split[k + 1] + k + 1):
        m, start = paths.n_slot[leaf], paths.step[leaf]
        one[:m] = 1.0
        for s in range(start, paths.step[leaf + 1]):
            if goes_right[paths.passed[s]] != paths.right[s]:
                one[paths.slot[s]] = 0.0
        kept = True
        for j in range(m):
            kept &= one[j] == 1.0
        if kept:
            reached = paths.value[leaf]
        order = (m + 1) // 2
        for q in range(order):
            t, product = paths.node[order - 1, q], 1.0
            for j in range(m):
                product *= t * one[j] + (1.0 - t) * paths.zero[start + j]
            product *= paths.weight[order - 1, q] * paths.value[leaf]
            if product == 0.0:
                continue
            for j in range(m):
                zero = paths.zero[start + j]
                total[place[paths.column[start + j]]] += product * (one[j] - zero) / (t * one[j] + (1.0 - t) * zero)
    return reached


@kernel
def fill_tables(paths):
    """What every outcome of a small tree adds: to the column of its splits (the first that asks it), and the leaf."""
    place = np.zeros(paths.feature.max() + 1 if len(paths.feature) else 1, dtype=np.int64)
    goes_right, one = np.empty(SPLITS, dtype=np.bool_), np.empty(SPLITS)
    for k in range(len(paths.split) - 1):
        first, n = paths.split[k], paths.split[k + 1] - paths.split[k]
        if n > SPLITS:
            continue
        for s in range(n - 1, -1, -1):
            place[paths.feature[first + s]] = s
        for outcome in range(2**SPLITS):
            for s in range(SPLITS):
                goes_right[s] = (outcome >> s) & 1
            paths.table[k, outcome, SPLITS] = add_tree(k, paths, goes_right, one, place, paths.table[k, outcome])


@kernel
def fill_contributions(row, paths, threshold, scale, result, score):
    """Contributions of every column to every row, and the sum of the leaves, both times `scale`."""
    n_column = row.shape[1]
    column = np.zeros((n_column, ROWS), dtype=row.dtype)
    complete = np.empty(ROWS, dtype=np.bool_)
    total, leaves = np.empty((n_column, ROWS)), np.empty(ROWS)
    outcome = np.empty(ROWS, dtype=np.uint8)
    most = 1
    for k in range(len(paths.split) - 1):
        most = max(most, paths.split[k + 1] - paths.split[k])
    goes_right, one = np.empty(most, dtype=np.bool_), np.empty(most)
    alone, place = np.zeros(n_column), np.arange(n_column)
    for start in range(0, len(row), ROWS):
        n_row = min(ROWS, len(row) - start)
        fill_block(row, start, column, complete)
        total[:] = 0.0
        leaves[:] = 0.0
        for k in range(len(paths.split) - 1):
            first, n = paths.split[k], paths.split[k + 1] - paths.split[k]
            if n > SPLITS:
                for i in range(n_row):
                    for s in range(n):
                        goes_right[s] = column[paths.feature[first + s], i] > threshold[first + s]
                    alone[paths.feature[first : first + n]] = 0.0
                    leaves[i] += add_tree(k, paths, goes_right, one, place, alone)
                    for s in range(n):
                        f = paths.feature[first + s]
                        total[f, i] += alone[f]
                        alone[f] = 0.0
                continue
            outcome[:] = 0
            for s in range(U(n)):
                x, limit, bit = U(paths.feature[first + s]), threshold[first + s], np.uint8(1 << s)
                for i in range(U(ROWS)):
                    outcome[i] |= bit if column[x, i] > limit else np.uint8(0)
            for s in range(U(n)):
                x = U(paths.feature[first + s])
                for i in range(U(ROWS)):
                    total[x, i] += paths.table[k, U(outcome[i]), s]
            for i in range(U(ROWS)):
                leaves[i] += paths.table[k, U(outcome[i]), SPLITS]
        for i in range(n_row):
            score[start + i] = leaves[i] * scale if complete[i] else np.nan
            for f in range(n_column):
                result[start + i, f] = total[f, i] * scale if complete[i] else np.nan


def path_contributions(paths, row, n_model=1):
    """Shapley values of the columns of every row, and what the trees say of it: means over models.

    Parameters
    ----------
    paths : Paths
        From `lay_paths`, of all models together.
    row : float32 or float64 array, shape (n, n_feature)
        A row for each atom.
    n_model : int
        Models that the trees belong to: sums are divided by it.

    Returns
    -------
    contribution : float64 array, shape (n, n_feature)
        With the mean of the trees over their training atoms they add up to `score`. NaN for rows with a value that is not
        finite. The same for a row whatever stands in the others. Unit: that of the leaves.
    score : float64 array, shape (n,)
        Sum of the leaves that a row comes to.

    Raises
    ------
    ValueError
        If a tree looks at a column that the rows do not have.
    """
    row = as_rows(row, paths.feature)
    result, score = np.empty(row.shape), np.empty(len(row))
    threshold = paths.rounded if row.dtype == np.float32 else paths.threshold
    fill_contributions(row, paths, threshold, 1.0 / n_model, result, score)
    return result, score
