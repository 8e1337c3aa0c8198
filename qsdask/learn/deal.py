"""Rows of one undersampling dealt into folds, stretch by stretch: however many rows there are, few of them are held."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np

from qsdask.learn.folds import RowsOfBlocks, dealt_blocks, stratified
from qsdask.learn.table import Table, identity_hash
from qsdask.learn.undersample import Ranked, kept
from qsdask.settings import TrainSettings

__all__ = ["NOT_DRAWN", "Stretch", "deal", "seeds_of", "stretches_of"]

#: Fold of a row that a draw does not have.
NOT_DRAWN = -1

#: Rows that are ordered at a time, about.
MOST = 1 << 21

#: First bits of a rank by which rows are counted before they are ordered.
_BITS = 12


class Stretch(NamedTuple):
    """Rows of one glass that follow each other in the order of identities, without their columns.

    Attributes
    ----------
    start : int
        Rows before them, those of other glasses too.
    specimen : int
        Glass, by ascending key.
    key : str
        Its key.
    id : int64 array, shape (n,)
        Atoms, rising.
    y : bool array, shape (n,)
        Plastic.
    block : int64 array, shape (n,), optional
        Block of space of each.
    """

    start: int
    specimen: int
    key: str
    id: np.ndarray
    y: np.ndarray
    block: np.ndarray | None = None

    @property
    def rows(self) -> slice:
        """Their numbers in the order of identities."""
        return slice(self.start, self.start + len(self.id))

    def hashes(self, settings: TrainSettings, purpose: str, draw: int = 0) -> np.ndarray:
        """Random number of every row; see `qsdask.learn.identity_hash`."""
        return identity_hash(settings.seed, purpose, draw, self.key, self.id)


Stretches = Callable[[], Iterable[Stretch]]


def stretches_of(table: Table) -> Iterator[Stretch]:
    """A table in memory: a stretch for every glass."""
    ends = np.searchsorted(table.specimen, np.arange(len(table.specimens) + 1))
    for k, specimen in enumerate(table.specimens):
        rows = slice(int(ends[k]), int(ends[k + 1]))
        block = None if table.block is None else table.block[rows]
        yield Stretch(rows.start, k, specimen.key, table.id[rows], table.y[rows], block)


def seeds_of(settings: TrainSettings, draw: int) -> tuple[int, ...]:
    """Seed of the trees of every fold of a draw."""
    seeds = identity_hash(settings.seed, "trees", draw, "", np.arange(settings.folds)) >> np.uint64(33)
    return tuple(int(seed) for seed in seeds)


def deal(stretches: Stretches, fold: np.ndarray, settings: TrainSettings, draw: int) -> None:
    """Undersample and deal into folds, by the identity of the rows.

    Parameters
    ----------
    stretches : callable
        Gives all rows in the order of identities, each time that it is called; with `block` for ``spatial_block`` folds.
    fold : int array, shape (n,)
        Filled with the fold that leaves each row out, or `NOT_DRAWN`; may lie in a file.
    settings : TrainSettings
        Ratio, folds and seed.
    draw : int
        Which draw.

    Raises
    ------
    BadDataError
        ``E-ONE-CLASS``: all rows have one label.
    UsageError
        ``E-RATIO``; ``E-BLOCK``: fewer blocks than folds.
    """

    def ranked() -> Iterator[Ranked]:
        for some in stretches():
            yield some.y, some.hashes(settings, "undersample", draw), np.full(len(some.id), some.specimen)

    chosen = kept(ranked, settings.ratio)
    for some, rows in zip(stretches(), ranked(), strict=True):
        fold[some.rows] = np.where(chosen.of(*rows), 0, NOT_DRAWN)
    in_folds = _by_blocks if settings.fold_kind == "spatial_block" else _by_labels
    in_folds(partial(_drawn, stretches, fold), fold, settings, draw)


def _drawn(stretches: Stretches, fold: np.ndarray) -> Iterator[tuple[Stretch, np.ndarray]]:
    """The rows of a draw, and their numbers in the order of identities."""
    for some in stretches():
        there = np.flatnonzero(fold[some.rows] != NOT_DRAWN)
        block = None if some.block is None else some.block[there]
        yield some._replace(id=some.id[there], y=some.y[there], block=block), some.start + there


Drawn = Callable[[], Iterator[tuple[Stretch, np.ndarray]]]


def _by_labels(drawn: Drawn, fold: np.ndarray, settings: TrainSettings, draw: int) -> None:
    """Folds as of `qsdask.learn.stratified`: rows are ordered group by group, whose sizes tell how many come before."""
    size = _added(np.bincount(_group(some, _ranks(some, settings, draw))) for some, _ in drawn())
    before = np.concatenate([[0], np.cumsum(size)])
    for first, last in _together(before):
        numbers, specimen, label, rank = [], [], [], []
        for some, number in drawn():
            ranks = _ranks(some, settings, draw)
            group = _group(some, ranks)
            there = (group >= first) & (group < last)
            numbers.append(number[there])
            specimen.append(np.full(np.count_nonzero(there), some.specimen, dtype=np.int16))
            label.append(some.y[there])
            rank.append(ranks[there])
        y, glass, ranks = (np.concatenate(one) for one in (label, specimen, rank))
        fold[np.concatenate(numbers)] = stratified(y, glass, ranks, settings.folds, first=int(before[first]))


def _ranks(some: Stretch, settings: TrainSettings, draw: int) -> np.ndarray:
    return some.hashes(settings, "fold", draw)


def _group(some: Stretch, rank: np.ndarray) -> np.ndarray:
    """Groups that follow each other in the order of glass, label and rank."""
    stratum = 2 * some.specimen + some.y.astype(np.int64)
    return (stratum << _BITS) + (rank >> np.uint64(64 - _BITS)).astype(np.int64)


def _added(counts: Iterable[np.ndarray]) -> np.ndarray:
    """Sum of counts, of which some end before others."""
    total = np.zeros(0, dtype=np.int64)
    for count in counts:
        longer, shorter = (count, total) if len(count) > len(total) else (total, count)
        longer[: len(shorter)] += shorter
        total = longer
    return total


def _together(before: np.ndarray) -> Iterator[tuple[int, int]]:
    """Groups of no more rows than are ordered at a time, or single ones."""
    first, n = 0, len(before) - 1
    while first < n:
        last = max(first + 1, int(np.searchsorted(before, before[first] + MOST, side="right")) - 1)
        yield first, last
        first = last


def _by_blocks(drawn: Drawn, fold: np.ndarray, settings: TrainSettings, draw: int) -> None:
    """Folds as of `qsdask.learn.spatial_block`."""
    there: dict[str, RowsOfBlocks] = {}
    for some, _ in drawn():
        found = RowsOfBlocks.of(some.y, _blocks(some))
        there[some.key] = there[some.key] + found if some.key in there else found
    dealt = {
        key: dealt_blocks(key, *found, seed=settings.seed, draw=draw, n_folds=settings.folds)
        for key, found in there.items()
    }
    for some, number in drawn():
        fold[number] = dealt[some.key][np.searchsorted(there[some.key].name, _blocks(some))]


def _blocks(some: Stretch) -> np.ndarray:
    assert some.block is not None
    return some.block
