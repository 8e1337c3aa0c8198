"""Trees that several processes grow together: a function of the rows alone, however these are dealt out."""

from __future__ import annotations

import math
import socket
from concurrent.futures import ThreadPoolExecutor

import lightgbm
import numpy as np
import psutil
import pytest

from qsdask.engine.keys import new_keys
from qsdask.kernels.gradient import GRID, gradients
from qsdask.kernels.trees import forest_probabilities
from qsdask.learn import rank_tasks
from qsdask.learn.bins import coded, edges_of
from qsdask.learn.forest import forest_of
from qsdask.learn.gbdt import train_one
from qsdask.learn.rows_in_files import Selection
from qsdask.learn.tree_text import read_trees
from qsdask.learn.wire import Keys, Wire
from qsdask.settings import TrainSettings
from tests.learn.table_in_files import BASE, COLUMNS, by_one, by_several, in_files, made_up

ALL = TrainSettings(draws=1, folds=2, feature_fraction=1.0, leaf_fraction=0.0)
SOME = TrainSettings(draws=1, folds=2, leaf_fraction=0.0)


@pytest.fixture(scope="module")
def table():
    return made_up()


def test_ranks_are_the_serial_learner_where_theory_says_so(table, tmp_path):
    # All columns at each split, no least number of rows a leaf: nothing is left in which the learners differ.
    lesson = in_files(tmp_path / "t", table, ALL)
    first = by_one(lesson, 15)
    assert lesson.text(by_several(lesson, 2, 15)) == lesson.text(first)
    assert lesson.text(by_several(lesson, 3, 15, before=first)) == lesson.text(by_one(lesson, 15, before=first))


def test_ranks_and_order_of_the_rows_change_nothing(table, tmp_path):
    lesson = in_files(tmp_path / "t", table, SOME)
    other = in_files(tmp_path / "o", table, SOME, np.random.default_rng(1).permutation(len(table)))
    two = lesson.text(by_several(lesson, 2, 15))
    assert lesson.text(by_several(other, 4, 15)) == two
    # A rank draws columns once more a tree than the serial learner: this is what makes it another one.
    assert lesson.text(by_one(lesson, 15)) != two


def test_a_text_of_blocks_is_one_that_lightgbm_reads_with_true_counts(table, tmp_path):
    lesson = in_files(tmp_path / "t", table, SOME)
    trees = by_one(lesson, 10)
    text = lesson.text(trees)
    read = read_trees(text, COLUMNS)
    place = lesson.filed.chosen(0, 0, of_fold=False).place
    rows = lesson.filed.values(place)[:].astype(np.float32)
    ours = forest_probabilities(forest_of([read]), rows)[0]
    booster = lightgbm.Booster(model_str=text)
    np.testing.assert_array_equal(ours, booster.predict(rows))
    leaf = booster.predict(rows, pred_leaf=True)[:, 0].astype(int)
    np.testing.assert_array_equal(read.n_row[: read.n_leaf[0]], np.bincount(leaf))
    # As whole numbers the rows come to the same leaves.
    codes = lesson.filed.codes(place)[:]
    np.testing.assert_array_equal(codes, coded(rows, lesson.edges))
    assert text.count("Tree=") == 10
    assert lesson.text([]).count("num_leaves=1\n") == 1
    alone = forest_probabilities(forest_of([read_trees(lesson.text([]), COLUMNS)]), rows)[0]
    np.testing.assert_array_equal(alone, 1 / (1 + np.exp(-BASE)))


def test_blocks_are_one_straight_run_where_no_column_is_drawn(table, tmp_path):
    lesson = in_files(tmp_path / "t", table, ALL)
    first = by_one(lesson, 7)
    assert lesson.text([*first, *by_one(lesson, 8, before=first)]) == lesson.text(by_one(lesson, 15))


def test_gradients_lie_on_the_grid_and_their_sums_are_exact():
    rng = np.random.default_rng(0)
    score, target = rng.normal(scale=4, size=10_000), (rng.random(10_000) < 0.5).astype(np.float32)
    score[:2] = -2000, 2000
    first, second = gradients(score, target)
    p = 1 / (1 + np.exp(-np.clip(score, -700, 700)))
    np.testing.assert_allclose(first, p - target, atol=0.6 / GRID)
    np.testing.assert_allclose(second, np.maximum(p * (1 - p), 1 / GRID), atol=0.6 / GRID)
    for one in (first.astype(np.float64), second.astype(np.float64)):
        np.testing.assert_array_equal(one * GRID, np.rint(one * GRID))
        assert one.sum() == one[rng.permutation(len(one))].sum() == math.fsum(one)


def test_intervals_hold_equally_many_rows_and_single_values_where_there_are_few():
    rng = np.random.default_rng(0)
    value = np.stack([rng.normal(size=5000), rng.integers(0, 7, 5000), np.ones(5000)], axis=1).astype(np.float32)
    edges = edges_of(value, 50)
    assert [len(edge) for edge in edges] == [49, 6, 0]
    codes = coded(value, edges)
    assert codes.dtype == np.uint8
    np.testing.assert_array_equal(np.bincount(codes[:, 0]), 100)
    np.testing.assert_array_equal(codes[:, 1], value[:, 1])
    order = rng.permutation(len(value))
    for one, two in zip(edges, edges_of(value[order], 50), strict=True):
        np.testing.assert_array_equal(one, two)
    # A value on an edge belongs below, as trees compare.
    assert coded(np.float32([[1.5, 0, 0]]), [np.array([1.5]), np.array([]), np.array([])])[0, 0] == 0


@pytest.mark.parametrize(("n", "seed"), [(50, 3), (410_000, 3), (410_000, 2**31 - 1)])
def test_rows_in_files_give_the_text_that_rows_in_memory_give(tmp_path, n, seed):
    # Of more than 200,000 rows LightGBM looks at a sample.
    table = made_up(n, COLUMNS[:5])
    settings = TrainSettings(draws=1, folds=2, ratio=1e9, trees=3)
    lesson = in_files(tmp_path / "t", table, settings, np.arange(n)[::-1])
    some = lesson.filed.chosen(0, 0, of_fold=False)
    rows, y = lesson.filed.values(some.place), some.plastic
    assert isinstance(rows, Selection)
    held = rows[:].astype(np.float32)
    text = train_one(held, y, table.columns, settings, seed=seed)
    assert train_one(rows, y, table.columns, settings, seed=seed) == text
    if n > 400_000 and seed == 3:
        assert train_one(held, y, table.columns, settings, seed=4) != text


def test_connections_are_of_those_who_have_the_key():
    keys = Keys(*new_keys())
    wires = [Wire("127.0.0.1", keys) for _ in range(3)]
    addresses = [wire.address for wire in wires]
    assert {host for host, _ in addresses} == {"127.0.0.1"}
    # Whoever says nothing, or nonsense, or has a key of his own is not let in, and holds nobody up.
    nonsense = socket.create_connection(addresses[0])
    nonsense.sendall(b"let me in, please: it is only a test" * 10)
    thief = Wire("127.0.0.1", Keys(*new_keys()))
    thief.rank = 1
    with ThreadPoolExecutor(4) as pool:
        stolen = pool.submit(thief._call, [addresses[0], thief.address])
        connected = [pool.submit(wire.connect, k, addresses) for k, wire in enumerate(wires)]
        for done in connected:
            done.result(timeout=60)
        sent = {k: {other: bytes([10 * k + other]) * 100_000 for other in range(3) if other != k} for k in range(3)}
        swaps = [pool.submit(w.swap, sent[k], dict.fromkeys(sent[k], 100_000)) for k, w in enumerate(wires)]
        for k, swap in enumerate(swaps):
            assert swap.result(timeout=60) == {other: sent[other][k] for other in sorted(sent[k])}
        assert stolen.exception(timeout=60) is None or isinstance(stolen.exception(), OSError)
    nonsense.close()
    with pytest.raises(OSError):
        socket.create_connection(addresses[0], timeout=1)


def test_what_is_left_of_ranks_is_killed():
    rank_tasks.begin("token", 2, "127.0.0.1", new_keys())
    mine = [rank.pid for rank in rank_tasks._RUNNING["token"]]
    assert all(psutil.pid_exists(pid) for pid in mine)
    places = {c.laddr.ip for pid in mine for c in psutil.Process(pid).net_connections() if c.status == "LISTEN"}
    assert places == {"127.0.0.1"}
    rank_tasks.stop("token")
    assert not any(psutil.pid_exists(pid) for pid in mine)
    rank_tasks.stop("token")
    with pytest.raises(KeyError):
        rank_tasks.follow("token", [])
