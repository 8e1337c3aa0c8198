"""Labels, usable atoms, undersampling and folds: what is chosen depends on identities alone."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qsdask.errors import BadDataError, UsageError
from qsdask.learn import (
    Specimen,
    Table,
    blocks,
    concatenate,
    identity_hash,
    plastic,
    spatial_block,
    stratified,
    undersample,
    usable,
)
from qsdask.learn.table import _mix


def make_table(key="0a", n=200, seed=0, n_feature=3, block=None):
    rng = np.random.default_rng(seed)
    y = rng.random(n) < 0.2
    X = rng.normal(size=(n, n_feature)).astype(np.float32)
    columns = tuple(f"c{k}" for k in range(n_feature))
    return Table((Specimen(key, f"glass {key}", n),), np.zeros(n, int), rng.permutation(n) + 1, X, y, columns, block)


def test_plastic_is_above_the_threshold_and_needs_a_value():
    label, valid = plastic(np.array([0.0, 5.0, 5.1, np.nan, np.inf, -1.0]), 5.0)
    assert label.tolist() == [False, False, True, False, False, False]
    assert valid.tolist() == [True, True, True, False, False, False]


@pytest.mark.parametrize("threshold", [0.0, -1.0, np.nan, np.inf])
def test_plastic_refuses_thresholds_without_meaning(threshold):
    with pytest.raises(UsageError, match="E-THRESHOLD"):
        plastic(np.zeros(2), threshold)


def test_usable_counts_every_excluded_atom_once():
    value = np.zeros((6, 2))
    value[0, 1] = value[1, 0] = np.nan
    valid = np.array([False, True, True, True, True, True])
    distance = np.array([0.0, 99.0, 5.0, 10.0, np.nan, np.inf])
    mask, counts = usable(
        value, valid, surface_distance=distance, margin=10.0, species=np.array([0, 0, 0, 0, 0, 1]), host=0
    )
    assert mask.tolist() == [False, False, False, True, False, False]
    assert counts == {"response": 1, "surface": 2, "species": 1, "features": 1}


def test_usable_without_optional_rules():
    mask, counts = usable(np.zeros((3, 2)), np.ones(3, bool))
    assert mask.all()
    assert counts == {"response": 0, "surface": 0, "species": 0, "features": 0}


@pytest.mark.parametrize(("gaps", "told"), [(False, [True, False, False, False]), (True, [True, True, False, False])])
def test_other_features_count_gaps_or_not(gaps, told):
    value = np.array([[0, 0], [np.nan, 0], [np.nan, np.nan], [0, 0]])
    mask, counts = usable(value, np.ones(4, bool), gaps=gaps, others=np.array([True, True, True, False]))
    assert mask.tolist() == told
    assert counts["features"] == 4 - sum(told)


def test_usable_refuses_rules_without_their_data():
    with pytest.raises(UsageError, match="E-MARGIN"):
        usable(np.zeros((1, 1)), np.ones(1, bool), margin=1.0)
    with pytest.raises(UsageError, match="E-MARGIN"):
        usable(np.zeros((1, 1)), np.ones(1, bool), margin=np.nan, surface_distance=np.ones(1))
    with pytest.raises(UsageError, match="E-HOST"):
        usable(np.zeros((1, 1)), np.ones(1, bool), host=0)


#: Computed with `slow_hash`: change the hash and every stored model changes.
GOLDEN = [13813673425593748060, 2635301295679349077, 14866839008956649248, 15249812358124287079, 2072991922031731517]


def slow_hash(seed, purpose, draw, key, number):
    """The written formula, in Python integers."""
    full = 2**64 - 1

    def words(text):
        raw = text.encode()
        return [len(raw)] + [int.from_bytes(raw[i : i + 8].ljust(8, b"\0"), "little") for i in range(0, len(raw), 8)]

    state = 0
    for word in [*words(purpose), seed, draw, *words(key), number]:
        z = ((state ^ (word & full)) + 0x9E3779B97F4A7C15) & full
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & full
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & full
        state = z ^ (z >> 31)
    return state


def test_identity_hash_golden():
    # The first output of splitmix64 for seed 0, as published: absorbing a zero into the state 0.
    assert int(_mix(np.zeros(1, np.uint64), np.uint64(0))[0]) == 0xE220A8397B1DCDAF
    got = identity_hash(1, "fold", 2, "0123456789abcdef0", np.array([0, 1, 4711, -1, 2**62]))
    assert got.tolist() == GOLDEN


@given(st.integers(-(2**70), 2**70), st.text(max_size=20), st.integers(0, 9), st.integers(-(2**63), 2**63 - 1))
@settings(max_examples=50, deadline=None)
def test_identity_hash_equals_its_formula(seed, text, draw, number):
    assert int(identity_hash(seed, text, draw, "ab", np.array([number]))[0]) == slow_hash(
        seed, text, draw, "ab", number
    )


def test_identity_hash_is_uniform_and_without_collisions():
    value = identity_hash(0, "x", 0, "k", np.arange(100_000))
    assert len(np.unique(value)) == len(value)
    count = np.bincount((value >> np.uint64(60)).astype(int), minlength=16)
    assert abs(count - 6250).max() < 5 * 6250**0.5
    assert abs(np.corrcoef(value[:-1].astype(float), value[1:].astype(float))[0, 1]) < 0.02
    other = identity_hash(0, "x", 1, "k", np.arange(100_000))
    assert abs(np.corrcoef(value.astype(float), other.astype(float))[0, 1]) < 0.02


def test_table_is_canonical_whatever_the_order_of_its_parts():
    a, b = make_table("0a", seed=1), make_table("0b", seed=2)
    whole = concatenate([a, b])
    # Chunks carry the counts of the whole specimen: `take` keeps them.
    parts = [
        b.take(np.arange(50, 200)),
        a.take(np.arange(1, 200, 2)),
        b.take(np.arange(50)),
        a.take(np.arange(0, 200, 2)),
    ]
    again = concatenate(parts)
    assert again.specimens == whole.specimens
    for name in ("specimen", "id", "X", "y"):
        np.testing.assert_array_equal(getattr(again, name), getattr(whole, name))
    assert whole.prior == (a.y.sum() + b.y.sum()) / 400
    assert np.all(np.diff(whole.id[:200]) > 0)


def test_table_refuses_what_is_no_table():
    good = make_table(n=4)
    parts = {f.name: getattr(good, f.name) for f in fields(good)}
    nan = good.X.copy()
    nan[1, 1] = np.nan
    for change in (
        {"X": nan},
        {"X": good.X[:3]},
        {"y": good.y.astype(int)},
        {"columns": ("a", "a", "b")},
        {"specimen": good.specimen + 1},
        {"X": good.X.astype(np.float16)},
    ):
        with pytest.raises(BadDataError, match="E-TABLE"):
            Table(**{**parts, **change})
    with pytest.raises(BadDataError, match="E-DUP-ROW"):
        Table(**{**parts, "id": np.array([1, 2, 2, 3])})
    with pytest.raises(BadDataError, match="E-DUP-ROW"):
        concatenate([good, good])
    with pytest.raises(BadDataError, match="E-SPECIMEN-KEY"):
        concatenate([good, make_table(n=5)])
    with pytest.raises(BadDataError, match="E-FEATURES-DIFFER"):
        concatenate([good, make_table("0b", n_feature=2)])
    with pytest.raises(UsageError, match="E-NO-TABLE"):
        concatenate([])


@given(st.integers(0, 2**32), st.integers(0, 3))
@settings(max_examples=25, deadline=None)
def test_undersampling_and_folds_follow_identities(seed, draw):
    table = concatenate([make_table("0a", seed=1), make_table("0b", n=90, seed=2)])
    order = np.random.default_rng(seed).permutation(len(table))
    rank = table.hashes(seed, "undersample", draw)
    rows = undersample(table.y, rank, tie=table.specimen)
    shuffled = undersample(table.y[order], rank[order], tie=table.specimen[order])
    assert set(order[shuffled]) == set(rows)
    assert table.y[rows].sum() == table.y.sum() == len(rows) // 2
    fold = stratified(table.y, table.specimen, rank)
    np.testing.assert_array_equal(stratified(table.y[order], table.specimen[order], rank[order]), fold[order])


def test_undersampling_of_rows_once_chosen_chooses_them_again():
    table = make_table(n=500)
    ranks = [table.hashes(3, "undersample", draw) for draw in range(3)]
    chosen = [undersample(table.y, rank) for rank in ranks]
    union = np.unique(np.concatenate(chosen))
    assert len(union) < len(table)
    for rank, rows in zip(ranks, chosen, strict=True):
        np.testing.assert_array_equal(union[undersample(table.y[union], rank[union])], rows)


def test_undersampling_ratio_and_majority():
    y = np.arange(100) < 10
    rank = identity_hash(0, "x", 0, "k", np.arange(100))
    assert len(undersample(y, rank, ratio=2.5)) == 35
    assert len(undersample(y, rank, ratio=99)) == 100
    rows = undersample(~y, rank)
    assert set(range(10)) <= set(rows)
    assert len(rows) == 20
    with pytest.raises(UsageError, match="E-RATIO"):
        undersample(y, rank, ratio=0.5)
    for label in (np.zeros(4, bool), np.ones(4, bool)):
        with pytest.raises(BadDataError, match="E-ONE-CLASS"):
            undersample(label, rank[:4])


def test_stratified_folds_are_even():
    table = concatenate([make_table("0a", seed=1), make_table("0b", n=91, seed=2)])
    fold = stratified(table.y, table.specimen, table.hashes(0, "fold"))
    assert np.ptp(np.bincount(fold, minlength=5)) <= 1
    for k in range(2):
        for label in (False, True):
            assert np.ptp(np.bincount(fold[(table.specimen == k) & (table.y == label)], minlength=5)) <= 1
    with pytest.raises(UsageError, match="E-FOLDS"):
        stratified(table.y, table.specimen, table.hashes(0, "fold"), 1)


def test_blocks_tile_a_tilted_cell():
    rng = np.random.default_rng(0)
    cell = np.array([[30.0, 0, 0], [7, 25, 0], [-3, 4, 41]])
    position = rng.random((2000, 3)) @ cell + 2.5
    origin = np.full(3, 2.5)
    block = blocks(position, cell, np.ones(3, bool), 10.0, origin=origin)
    height = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    assert set(block) == set(range(int(np.prod(np.floor(height / 10)))))
    image = rng.integers(-2, 3, (2000, 3)) @ cell
    np.testing.assert_array_equal(blocks(position + image, cell, np.ones(3, bool), 10.0, origin=origin), block)
    np.testing.assert_array_equal(blocks(position[7:8], cell, np.ones(3, bool), 10.0, origin=origin), block[7:8])


def test_blocks_keep_atoms_outside_a_free_side_in_the_outer_blocks():
    cell = np.diag([20.0, 20, 20])
    got = blocks(np.array([[-1.0, 0, 0], [21.0, 0, 0]]), cell, np.array([False, True, True]), 10.0)
    assert got.tolist() == [0, 4]
    assert blocks(np.array([[-1.0, 0, 0]]), cell, np.ones(3, bool), 10.0).tolist() == [4]
    with pytest.raises(UsageError, match="E-BLOCK"):
        blocks(np.zeros((1, 3)), cell, np.ones(3, bool), 0.0)


def test_spatial_block_folds_hold_blocks_together_and_balance_plastic_atoms():
    rng = np.random.default_rng(5)
    table = concatenate(
        [
            make_table("0a", n=2000, seed=1, block=rng.integers(0, 40, 2000)),
            make_table("0b", n=1500, seed=2, block=rng.integers(0, 30, 1500)),
        ]
    )
    keys = ("0a", "0b")
    fold = spatial_block(table.y, table.specimen, keys, table.block, seed=1)
    for k in range(2):
        inside = table.specimen == k
        for b in np.unique(table.block[inside]):
            assert len(np.unique(fold[inside & (table.block == b)])) == 1
        count = np.bincount(fold[inside & table.y], minlength=5)
        assert np.ptp(count) <= 0.15 * count.mean()
    order = rng.permutation(len(table))
    np.testing.assert_array_equal(
        spatial_block(table.y[order], table.specimen[order], keys, table.block[order], seed=1), fold[order]
    )
    assert np.any(spatial_block(table.y, table.specimen, keys, table.block, seed=2) != fold)
    with pytest.raises(UsageError, match="E-BLOCK"):
        spatial_block(table.y, table.specimen, keys, table.block % 3)
