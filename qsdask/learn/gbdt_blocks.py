"""A block of trees, grown by several processes that each hold a part of the rows: the other file that knows LightGBM.

Its data-parallel learner, with what makes the trees a function of the rows alone, however they are dealt out: intervals of
the columns that all ranks are given, gradients on a grid, and a seed of the block.
"""

from __future__ import annotations

import ctypes
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any

import numpy as np

from qsdask.kernels.gradient import gradients
from qsdask.kernels.trees import forest_scores
from qsdask.learn.blocks_of_trees import Grown, read_grown, trees_of
from qsdask.learn.forest import forest_of
from qsdask.learn.gbdt import OF_DATA, as_sequence
from qsdask.learn.rows_in_files import Selection
from qsdask.learn.wire import Wire

__all__ = ["grow_block"]

_SIZE = ctypes.c_int32
_SIZES = ctypes.POINTER(_SIZE)
#: ``output += input``, as LightGBM adds up what two ranks have.
_ADD = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, _SIZE)
_SCATTER = ctypes.CFUNCTYPE(
    None,
    ctypes.c_void_p,
    _SIZE,
    ctypes.c_int,
    _SIZES,
    _SIZES,
    ctypes.c_int,
    ctypes.c_void_p,
    _SIZE,
    ctypes.POINTER(_ADD),
)
_GATHER = ctypes.CFUNCTYPE(None, ctypes.c_void_p, _SIZE, _SIZES, _SIZES, ctypes.c_int, ctypes.c_void_p, _SIZE)


def grow_block(
    rows: Selection,
    target: np.ndarray,
    n_code: Sequence[int],
    before: Sequence[Grown],
    base: float,
    parameters: Mapping[str, Any],
    n_tree: int,
    wire: Wire | None = None,
    n_rank: int = 1,
) -> tuple[list[Grown], list[list[int]]]:
    """Grow some trees, together with the other ranks.

    Parameters
    ----------
    rows : Selection
        Rows of this rank: columns as whole numbers, see `qsdask.learn.bins`.
    target : float32 array, shape (n,)
        What they are to learn, from 0 to 1.
    n_code : sequence of int
        Whole numbers of every column.
    before : sequence
        Trees that there are.
    base : float
        Logarithm of the odds that the first of them began from.
    parameters : mapping
        Of LightGBM.
    n_tree : int
        Trees to grow.
    wire : Wire, optional
        Connected with the others; without it there are none, and the learner is LightGBM's serial one.
    n_rank : int
        Ranks, this one too.

    Returns
    -------
    trees : list
        The new trees; the same on all ranks but for their counts.
    counts : list of list of int
        How many rows of this rank come to each leaf of each tree.
    """
    import lightgbm

    shape = {"max_bin": max(n_code) + 1, "num_threads": parameters["num_threads"], **OF_DATA}
    # Row k holds k in every column, or the last number of a column that has fewer.
    every = np.minimum(np.arange(max(n_code))[:, None], np.asarray(n_code) - 1).astype(np.float64)
    reference = lightgbm.Dataset(every, np.zeros(len(every)), params=shape).construct()
    score = _scores(rows, before, base)
    data = lightgbm.Dataset(as_sequence(rows), target, reference=reference, init_score=score, params=shape).construct()
    together = {}
    if wire is not None:
        kept = _functions(wire)  # they must outlive the booster
        lightgbm.basic._safe_call(lightgbm.basic._LIB.LGBM_NetworkInitWithFunctions(n_rank, wire.rank, *kept))
        together = {"tree_learner": "data", "num_machines": n_rank}
    booster = lightgbm.Booster({**shape, **parameters, "objective": "none", **together}, data)
    for _ in range(n_tree):
        booster.update(fobj=lambda now, _: gradients(now, target))
    grown = read_grown(booster.model_to_string()) if booster.num_trees() else []
    return grown, _counts(booster, rows, grown)


def _scores(rows: Selection, before: Sequence[Grown], base: float) -> np.ndarray:
    """Logarithm of the odds by the trees that there are."""
    if not before:
        return np.full(len(rows), base)
    forest = forest_of([trees_of(before, rows.n_column, base)])
    return np.concatenate([forest_scores(forest, rows[part].astype(np.float32))[0] for part in rows.batches()])


def _counts(booster: Any, rows: Selection, grown: Sequence[Grown]) -> list[list[int]]:
    """How many rows come to each leaf of each tree."""
    n_leaf = [int(tree["num_leaves"]) for tree in grown]
    counts = [np.zeros(n, dtype=np.int64) for n in n_leaf]
    for part in rows.batches() if grown else ():
        leaf = booster.predict(rows[part], pred_leaf=True).reshape(-1, len(grown)).astype(np.int64)
        for k, n in enumerate(n_leaf):
            counts[k] += np.bincount(leaf[:, k], minlength=n)
    return [count.tolist() for count in counts]


def _functions(wire: Wire) -> tuple[Any, Any]:
    """How LightGBM reaches the other ranks."""

    @_or_end
    def scatter(mine, _, size, start, length, n, out, __, add) -> None:
        """Every rank gets the sum of one stretch."""
        me = wire.rank
        parts = {k: ctypes.string_at(mine + start[k], length[k]) for k in range(n) if k != me}
        found = wire.swap(parts, dict.fromkeys(parts, length[me]))
        ctypes.memmove(out, mine + start[me], length[me])
        for data in found.values():
            add[0](ctypes.addressof(ctypes.c_char.from_buffer(data)), out, size, length[me])

    @_or_end
    def gather(mine, size, start, length, n, out, _) -> None:
        """Every rank gets what every other has."""
        data = ctypes.string_at(mine, size)
        others = [k for k in range(n) if k != wire.rank]
        found = wire.swap(dict.fromkeys(others, data), {k: length[k] for k in others})
        for k, part in {**found, wire.rank: data}.items():
            ctypes.memmove(out + start[k], bytes(part), length[k])

    return _SCATTER(scatter), _GATHER(gather)


def _or_end(function: Callable[..., None]) -> Callable[..., None]:
    """An error cannot travel through LightGBM: it ends the process, and so the others that wait for it."""

    @wraps(function)
    def guarded(*arguments: Any) -> None:
        try:
            function(*arguments)
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(75)

    return guarded
