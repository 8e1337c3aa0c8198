"""Our own reading and writing of chunks beside Zarr's: the same numbers, the same bytes."""

from __future__ import annotations

import numpy as np
import pytest
import zarr

from qsdask.errors import StoreIOError
from qsdask.schema import variables_of
from qsdask.store.durable import DurableStore
from qsdask.store.reader import CheckedStore, open_checked
from qsdask.store.template import create_group

SIZES = {"atom": 11, "slot": 3, "vector": 3, "feature": 5, "step": 3, "xyz": 3, "kind": 2}
GROUPS = {"shells/voronoi": {"atom": 4}, "features/one": {"atom": 4}, "response/d2min": {"step": 1, "atom": 4}}
INDICES = [
    np.s_[:],
    np.s_[...],
    np.s_[4:8],
    np.s_[2:9],
    np.s_[-3:],
    np.s_[5:5],
    np.s_[9],
    np.s_[-1],
    np.s_[1:7, ...],
    np.s_[..., 1:2],
    np.s_[3:10, 0],
]


def values(shape: tuple[int, ...], dtype: str, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if dtype == "string":
        return np.array([f"column {i}" for i in range(shape[0])])
    return (rng.normal(size=shape) * 50).astype(dtype)


@pytest.fixture
def empty(tmp_path):
    for group, chunks in GROUPS.items():
        create_group(tmp_path, group, SIZES, chunks, {})
    return tmp_path


@pytest.mark.parametrize("group", GROUPS)
def test_bytes_and_numbers_are_those_of_zarr(empty, tmp_path_factory, group):
    beside = tmp_path_factory.mktemp("beside")
    create_group(beside, group, SIZES, GROUPS[group], {})
    for variable in variables_of(group):
        name = f"{group}/{variable.name}"
        ours = open_checked(DurableStore(empty), name)
        given = values(ours.shape, variable.dtype)
        if variable.dtype == "string":
            given = given.astype(ours.dtype)
        ours[...] = given
        theirs = zarr.open_array(beside, path=name, mode="r+").with_config({"write_empty_chunks": True})
        theirs[...] = given
        files = sorted(file.relative_to(empty) for file in (empty / name / "c").rglob("*") if file.is_file())
        assert files
        assert files == sorted(file.relative_to(beside) for file in (beside / name / "c").rglob("*") if file.is_file())
        assert all((empty / file).read_bytes() == (beside / file).read_bytes() for file in files)
        assert (ours.dtype, ours.chunks) == (theirs.dtype, theirs.chunks)
        assert dict(ours.attrs) == dict(theirs.attrs)
        for index in INDICES:
            try:
                expected = np.asarray(theirs[index])
            except (IndexError, zarr.errors.BoundsCheckError):
                with pytest.raises(IndexError):
                    ours[index]
                continue
            np.testing.assert_array_equal(ours[index], expected)
            assert (ours[index].shape, ours[index].dtype) == (expected.shape, expected.dtype)


def test_what_is_read_may_be_changed(empty):
    array = open_checked(DurableStore(empty), "features/one/value")
    array[...] = 1.0
    found = array[0:4]
    found += 1
    assert (array[0:4] == 1.0).all()


def test_a_region_that_cuts_a_chunk_is_refused_and_writes_nothing(empty):
    array = open_checked(DurableStore(empty), "features/one/value")
    for index in (np.s_[0:3], np.s_[1:4], np.s_[4:10], np.s_[0:4, 0:2]):
        with pytest.raises(AssertionError, match="cuts a chunk"):
            array[index] = 0.0
    assert not (empty / "features/one/value/c").exists()


def test_gaps_and_lists_are_no_indices(empty):
    array = open_checked(CheckedStore(empty, partial=True), "features/one/value")
    with pytest.raises(IndexError, match="without gaps"):
        array[::2]
    for index in ([0, 1], np.array([True] * 11)):
        with pytest.raises((IndexError, TypeError)):
            array[index]


def test_absent_chunks_are_fill_values_only_where_they_may_be_absent(empty):
    partial = open_checked(CheckedStore(empty, partial=True), "shells/voronoi/neighbour")
    assert (partial[:] == -1).all()
    with pytest.raises(StoreIOError, match="the chunk is missing"):
        open_checked(CheckedStore(empty), "shells/voronoi/neighbour")[:]


def test_an_error_of_one_of_several_chunks_is_raised(empty):
    array = open_checked(DurableStore(empty), "features/one/value")
    array[...] = values(array.shape, "float32")
    file = empty / "features/one/value/c/1/0"
    data = bytearray(file.read_bytes())
    data[7] ^= 1
    file.write_bytes(data)
    with pytest.raises(StoreIOError, match="features/one/value/c/1/0: the checksum of the chunk differs"):
        open_checked(CheckedStore(empty), "features/one/value")[:]
    assert open_checked(CheckedStore(empty), "features/one/value")[0:4].shape == (4, 5)
