"""Feature columns of one or several sets, side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qsdask.schema import group_at
from qsdask.store.reader import Arrays

__all__ = ["columns_there", "feature_rows", "meaning_of", "set_of"]


def columns_there(root: Arrays, sets: Sequence[str], frame: int = 0) -> tuple[str, ...]:
    """Names of the columns of feature sets of a frame, set by set; no two sets share a name."""
    return tuple(name for one in sets for name in root.names(f"{group_at(frame, f'features/{one}')}/feature"))


def meaning_of(root: Arrays, sets: Sequence[str], frame: int = 0) -> dict[str, str]:
    """What the columns of feature sets mean, by their names."""
    meanings = [name for one in sets for name in root.names(f"{group_at(frame, f'features/{one}')}/meaning")]
    return dict(zip(columns_there(root, sets, frame), meanings, strict=True))


def set_of(root: Arrays, sets: Sequence[str], frame: int = 0) -> dict[str, str]:
    """Which of the feature sets has a column, by the names of the columns."""
    return {name: one for one in sets for name in columns_there(root, (one,), frame)}


def feature_rows(root: Arrays, rows: slice, sets: Sequence[str], columns: Sequence[str], frame: int = 0) -> np.ndarray:
    """Columns of feature sets of a frame.

    Parameters
    ----------
    root : Arrays
        Store with these sets.
    rows : slice
        Rows to read.
    sets : sequence of str
        Where the columns are, in any order.
    columns : sequence of str
        Names of the columns wanted.

    Returns
    -------
    float32 array, shape (n_row, n_column)
        In the order of `columns`.
    """
    place = {name: k for k, name in enumerate(columns)}
    value = np.full((rows.stop - rows.start, len(columns)), np.nan, dtype=np.float32)
    for one in sets:
        group = group_at(frame, f"features/{one}")
        pairs = [(place[name], k) for k, name in enumerate(root.names(f"{group}/feature")) if name in place]
        if pairs:
            to, source = (list(part) for part in zip(*pairs, strict=True))
            value[:, to] = root[f"{group}/value"][rows][:, source]
    return value
