"""Rows that are dealt stretch by stretch, in memory and in files: as all at once, and few of them are held."""

from __future__ import annotations

import tracemalloc
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qsdask.errors import BadDataError
from qsdask.learn import Specimen, Table, concatenate, deal, filed_table, undersample
from qsdask.learn.draws import drawn
from qsdask.learn.filed_table import FiledTable
from qsdask.settings import TrainSettings
from tests.naive import dealing


def glass(key: str, n: int, seed: int, share: float = 0.1, *, blocks: int = 0, ranked: bool = False) -> Table:
    rng = np.random.default_rng(seed)
    y = rng.random(n) < share
    block = rng.integers(0, blocks, n) if blocks else None
    ids = rng.choice(9 * n, n, replace=False) - 3 * n
    value = np.stack([ids, y], axis=1).astype(np.float32)
    me, first = Specimen(key, key, n, n, int(y.sum())), np.zeros(n, dtype=np.int64)
    return Table((me,), first, ids, value, y, ("a", "b"), block, rng.random(n) if ranked else None)


def in_parts(folder, glasses: list[Table], n_part: int = 3) -> tuple[FiledTable, list[Specimen]]:
    """Some parts of each glass, those of one after those of the other in turn."""
    filed, of = FiledTable(folder, n_part * len(glasses)), []
    for k in range(filed.n_part):
        table = glasses[k % len(glasses)]
        filed.part(k).write(table.take(np.arange(len(table)) % n_part == k // len(glasses)), {})
        of.append(table.specimens[0])
    return filed, of


def fold_of(filed: FiledTable) -> np.ndarray:
    return np.load(filed.folder / "fold.npy")


@given(st.integers(0, 2**32), st.integers(1, 60), st.sampled_from([1.0, 2.5, 30.0]))
@settings(max_examples=100, deadline=None)
def test_undersampling_is_exact_where_ranks_crowd_and_tie(seed, n_rank, ratio):
    rng = np.random.default_rng(seed)
    tie, rank = (one.ravel() for one in np.meshgrid(np.arange(3), rng.integers(0, 2**64, n_rank, dtype=np.uint64)))
    if seed % 2:
        rank = rank >> np.uint64(50)  # all in the first group, many alike
        _, one = np.unique(np.stack([tie.astype(np.uint64), rank]), axis=1, return_index=True)
        tie, rank = tie[one], rank[one]
    y = rng.random(len(rank)) < rng.choice([0.1, 0.5, 0.9])
    y[:2] = True, False
    np.testing.assert_array_equal(undersample(y, rank, ratio=ratio, tie=tie), dealing.undersampled(y, rank, tie, ratio))


@pytest.mark.parametrize("most", [60, 1 << 20])
@pytest.mark.parametrize("kind", ["stratified", "spatial_block"])
@pytest.mark.parametrize("share", [0.1, 0.8])
def test_rows_in_files_are_dealt_as_rows_in_memory_and_as_by_hand(tmp_path, monkeypatch, most, kind, share):
    monkeypatch.setattr(filed_table, "MOST", most)
    monkeypatch.setattr(deal, "MOST", most)
    glasses = [glass("b", 500, 1, share, blocks=20, ranked=True), glass("a", 300, 2, share, blocks=20, ranked=True)]
    chosen = TrainSettings(draws=2, folds=3, ratio=1.5, fold_kind=kind, seed=5)
    filed, of = in_parts(tmp_path, glasses)
    stretches = list(filed.deal(of, chosen).stretches())
    assert len(stretches) > 800 // most
    assert max(len(some.id) for some in stretches) <= max(most, 3 * 2)
    whole = concatenate(glasses)
    np.testing.assert_array_equal(np.concatenate([some.id for some in stretches]), whole.id)
    for k in range(2):
        draw = drawn(whole, chosen, k)
        fold = np.full(len(whole), -1)
        fold[draw.rows] = draw.fold
        np.testing.assert_array_equal(fold_of(filed)[k], fold)
        by_hand = dealing.undersampled(whole.y, whole.hashes(5, "undersample", k), whole.specimen, 1.5)
        np.testing.assert_array_equal(draw.rows, by_hand)
        if kind == "stratified":
            rank = draw.table.hashes(5, "fold", k)
            np.testing.assert_array_equal(draw.fold, dealing.dealt(draw.table.y, draw.table.specimen, rank, 3))
        sums = filed.sums(k, 3)
        for j in range(3):
            for of_fold in (True, False):
                rows = filed.chosen(k, j, of_fold=of_fold)
                there = draw.rows[(draw.fold == j) == of_fold]
                np.testing.assert_array_equal(rows.plastic, whole.y[there])
                np.testing.assert_array_equal(rows.target, whole.target[there].astype(np.float32))
                np.testing.assert_array_equal(filed.values(rows.place)[:], whole.X[there])
                if of_fold:
                    target = np.rint(whole.target[there].astype(np.float32).astype(float) * 2**30).sum()
                    assert sums[j].tolist() == [len(there), whole.y[there].sum(), target]
    np.testing.assert_array_equal(filed.is_drawn(slice(10, 400)), (fold_of(filed) >= 0).any(axis=0)[10:400])
    np.testing.assert_array_equal(filed.held(np.array([3, 700, 5])), whole.X[[3, 700, 5]])


def test_what_is_held_does_not_grow_with_the_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(filed_table, "MOST", 1 << 13)
    monkeypatch.setattr(deal, "MOST", 1 << 13)
    peaks = []
    for n in (50_000, 250_000):
        (folder := tmp_path / str(n)).mkdir()
        filed, of = in_parts(folder, [glass("a", n, 1)], 8)
        tracemalloc.start()
        list(map(partial(len), filed.deal(of, TrainSettings(draws=1)).stretches()))
        filed.sums(0, 5)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # A number for each row would be 1.6 MB more.
    assert peaks[1] < peaks[0] + 400_000, peaks


def test_parts_and_glasses_without_a_row_are_passed_over(tmp_path):
    table, empty = glass("b", 200, 1, blocks=20), glass("a", 0, 1, blocks=20)
    for kind in ("stratified", "spatial_block"):
        (folder := tmp_path / kind).mkdir()
        filed, of = in_parts(folder, [empty, table], 2)
        chosen = TrainSettings(draws=1, folds=2, fold_kind=kind)
        assert [len(some.id) for some in filed.deal(of, chosen).stretches()] == [0, 200]
        rows = drawn(table, chosen, 0).rows
        np.testing.assert_array_equal(np.flatnonzero(fold_of(filed)[0] >= 0), rows)
        assert len(filed.chosen(0, 0, of_fold=True).place) + len(filed.chosen(0, 0, of_fold=False).place) == len(rows)


def test_an_atom_in_two_parts_is_refused(tmp_path):
    filed, of = in_parts(tmp_path, [glass("a", 50, 1)], 2)
    filed.part(1).write(glass("a", 50, 1), {})
    with pytest.raises(BadDataError, match="stands twice") as told:
        filed.deal(of, TrainSettings())
    assert told.value.code == "E-DUP-ROW"
    assert not (tmp_path / "order.npy").exists(), "half of an array must not have its name"
