"""Rows of one undersampling, and the folds that they are dealt into."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from qsdask.kernels.trees import forest_probabilities
from qsdask.learn import gbdt
from qsdask.learn.deal import NOT_DRAWN, deal, seeds_of, stretches_of
from qsdask.learn.forest import forest_of
from qsdask.learn.rows_in_files import Selection
from qsdask.learn.table import Table
from qsdask.learn.tree_text import Trees, read_trees
from qsdask.settings import TrainSettings

__all__ = ["Draw", "FoldModel", "drawn", "fold_model", "judged_by"]


class Draw(NamedTuple):
    """One undersampling.

    Attributes
    ----------
    table : Table
        Its rows.
    fold : int64 array, shape (n,)
        Fold that leaves each row out.
    seeds : tuple of int
        Seed of the trees of every fold.
    rows : int64 array, shape (n,)
        Which rows of the whole table they are.
    """

    table: Table
    fold: np.ndarray
    seeds: tuple[int, ...]
    rows: np.ndarray


class FoldModel(NamedTuple):
    """A model of one fold.

    Attributes
    ----------
    text : str
        Trees, as LightGBM writes them.
    y : bool array, shape (n,)
        Labels of the rows left out.
    q : float64 array, shape (n,)
        Their probability of being plastic.
    trees : Trees
        What the text says.
    """

    text: str
    y: np.ndarray
    q: np.ndarray
    trees: Trees


def drawn(table: Table, settings: TrainSettings, draw: int) -> Draw:
    """Undersample and deal into folds, by the identity of the rows.

    Parameters
    ----------
    table : Table
        Usable atoms; with `block` for ``spatial_block`` folds.
    settings : TrainSettings
        Ratio, folds and seed.
    draw : int
        Which one.

    Returns
    -------
    Draw

    Raises
    ------
    BadDataError
        ``E-ONE-CLASS``: all rows have one label.
    """
    fold = np.full(len(table), NOT_DRAWN)
    deal(partial(stretches_of, table), fold, settings, draw)
    rows = np.flatnonzero(fold != NOT_DRAWN)
    return Draw(table.take(rows), fold[rows], seeds_of(settings, draw), rows)


def fold_model(draw: Draw, k: int, settings: TrainSettings, d2_quantiles: Sequence[float] | None = None) -> FoldModel:
    """Learn from all rows of a draw but those of a fold, and say what comes out for these.

    Parameters
    ----------
    draw : Draw
        See `drawn`.
    k : int
        Fold that is left out.
    settings : TrainSettings
        Of the trees.
    d2_quantiles : sequence of float, optional
        For the message when there is only one class. Unit: angstrom^2.

    Returns
    -------
    FoldModel

    Raises
    ------
    BadDataError
        ``E-ONE-CLASS``.
    """
    table, inside = draw.table, draw.fold != k
    text = gbdt.train_one(
        table.X[inside],
        table.y[inside],
        table.columns,
        settings,
        seed=draw.seeds[k],
        d2_quantiles=d2_quantiles,
        target=None if table.target is None else table.target[inside],
    )
    return judged_by(text, table.columns, table.y[~inside], table.X[~inside])


def judged_by(text: str, columns: tuple[str, ...], y: np.ndarray, rows: np.ndarray | Selection) -> FoldModel:
    """A fold model, and what comes out for the rows left out.

    Parameters
    ----------
    text : str
        Trees, as LightGBM writes them.
    columns : tuple of str
        Names of the features.
    y : bool array, shape (n,)
        Labels of the rows left out.
    rows : float32 array, shape (n, n_feature), or Selection
        Their features.
    """
    trees = read_trees(text, columns)
    forest = forest_of([trees])
    parts = map(rows.__getitem__, rows.batches()) if isinstance(rows, Selection) else [rows]
    return FoldModel(text, y, np.concatenate([forest_probabilities(forest, part)[0] for part in parts]), trees)
