"""Slow twins of undersampling and folds: all rows at once, sorted."""

from __future__ import annotations

import numpy as np


def undersampled(y, rank, tie, ratio=1.0):
    """Numbers of the rows that are kept, rising."""
    minority = y if 2 * y.sum() <= len(y) else ~y
    few, many = np.flatnonzero(minority), np.flatnonzero(~minority)
    by_rank = sorted(many.tolist(), key=lambda k: (int(rank[k]), int(tie[k])))
    return np.sort(np.concatenate([few, by_rank[: round(ratio * len(few))]])).astype(int)


def dealt(y, specimen, rank, n_folds):
    """Fold of every row."""
    order = sorted(range(len(y)), key=lambda k: (int(specimen[k]), bool(y[k]), int(rank[k])))
    fold = np.empty(len(y), dtype=int)
    fold[order] = np.arange(len(y)) % n_folds
    return fold
