"""Slow twin of the trees: one row after the other down one tree after the other. Also trees of any shape to try."""

from __future__ import annotations

import math

import numpy as np

#: Numbers at which trees turn: zeros, what LightGBM takes for zero and just not, and the ends of both precisions.
CORNERS = (
    *(0.0, 5e-324, 1e-45, 1e-38, 9.999999e-36, 1e-35, float(np.float32(1e-35)), 1.0000001e-35, 2e-35, 1e-9),
    *(0.1, float(np.float32(0.1)), 1.0, 1.0000000000000002, 16777217.0, 3.4028234663852886e38, 3.5e38, 1e300),
)


def random_tree(rng, n_leaf, n_feature, deepest):
    """Feature, threshold, left, right, value of a tree that grows at leaves drawn at random, numbered as by LightGBM."""
    left, right, depth, above = [], [], [0], [None]
    while len(depth) < n_leaf and min(depth) < deepest:
        leaf = int(rng.choice([k for k, d in enumerate(depth) if d < deepest]))
        split = len(left)
        if above[leaf] is not None:
            side, node = above[leaf]
            side[node] = split
        left.append(-1 - leaf)
        right.append(-1 - len(depth))
        depth[leaf] += 1
        depth.append(depth[leaf])
        above[leaf] = (left, split)
        above.append((right, split))
    threshold = rng.choice(CORNERS, len(left)) * rng.choice([1.0, -1.0], len(left))
    return (
        rng.integers(0, n_feature, len(left)),
        threshold,
        np.array(left, int),
        np.array(right, int),
        leaves(rng, len(depth)),
    )


def leaves(rng, n):
    """What leaves add: numbers of all sizes, so that the order of a sum shows."""
    return rng.normal(size=n) * 10.0 ** rng.integers(-17, 1, n)


def random_rows(rng, n, n_feature, dtype):
    """Rows of numbers at which trees turn, and of their next neighbours."""
    with np.errstate(over="ignore"):
        row = (rng.choice(CORNERS, (n, n_feature)) * rng.choice([1.0, -1.0], (n, n_feature))).astype(dtype)
        step = np.nextafter(row, (rng.choice([-np.inf, np.inf], row.shape)).astype(dtype))
    row = np.where(rng.random(row.shape) < 0.5, row, step)
    return np.clip(row, np.finfo(dtype).min, np.finfo(dtype).max)


def probability(trees, row):
    """Probability of one row by the trees of one model."""
    if not all(math.isfinite(x) for x in row):
        return math.nan
    total = 0.0
    for feature, threshold, left, right, leaf in trees:
        node = 0 if len(left) else -1
        while node >= 0:
            x = float(row[feature[node]])
            x = 0.0 if abs(x) <= float(np.float32(1e-35)) else x
            node = (left if x <= threshold[node] else right)[node]
        total += float(leaf[-1 - node])
    return 1.0 / (1.0 + math.exp(-total))
