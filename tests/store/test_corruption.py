"""Whatever happens to a file of a store or of a model: it is found, and nothing crashes or reads wrong numbers."""

from __future__ import annotations

import warnings
from contextlib import suppress

import numpy as np
import pytest

import qsdask
from qsdask.care.verify import verify
from qsdask.errors import QSDaskError
from qsdask.learn import load_model
from qsdask.store.reader import StoreReader
from tests.store.corruption import corrupted


def numbers(store, names) -> dict[str, np.ndarray]:
    """Arrays of a store that can be read in the way of the stages."""
    root = StoreReader(store)
    found = {}
    for name in names:
        with suppress(QSDaskError):
            found[name] = root[name][:]
    return found


def check_stores(store, seeds) -> None:
    assert verify(store, progress=False) == []
    names = sorted(str(f.parent.relative_to(store)) for f in store.glob("[!l]*/**/zarr.json"))
    right = numbers(store, names)
    for seed in seeds:
        with corrupted(store, seed) as (kind, hit):
            found = [damage for damage in verify(store, progress=False) if not damage.harmless]
            # All of it is found, and nothing whole is blamed.
            assert {d.file for d in found} == set(hit), (seed, kind, hit, found)
            if kind == "swap":
                continue  # Two whole chunks of one array that changed places can be told by the receipts only.
            for name, values in numbers(store, [n for n in names if hit[0].startswith(f"{n}/")]).items():
                np.testing.assert_array_equal(values, right[name], err_msg=f"{seed} {kind} {hit}: {name}")
    assert verify(store, progress=False) == []


def check_models(model, seeds) -> None:
    digest = load_model(model).digest()
    for seed in seeds:
        with corrupted(model, seed), pytest.raises(QSDaskError):
            load_model(model)
    assert load_model(model).digest() == digest


def test_every_corruption_of_a_store_is_found_and_named(own):
    check_stores(own / "tiny.zarr", range(120))


def test_every_corruption_of_a_model_is_refused_before_it_is_used(own):
    check_models(own / "tiny.qs", range(30))


@pytest.mark.chaos
def test_a_thousand_corruptions_of_stores_and_models_are_found(own):
    check_stores(own / "tiny.zarr", range(10_000, 10_700))
    check_models(own / "tiny.qs", range(20_000, 20_300))


def test_xarray_names_the_damaged_chunk_too(own):
    store = own / "tiny.zarr"
    for seed in range(24):
        with corrupted(store, seed), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with suppress(QSDaskError):
                qsdask.open_store(store).compute()


def test_the_place_of_a_damaged_chunk_is_told(own):
    store = own / "tiny.zarr"
    ids = StoreReader(store)["atoms/id"][24:48]
    file = store / "response/d2min/d2min/c/1/1"
    file.write_bytes(file.read_bytes()[:-1])
    (damage,) = verify(store, progress=False)
    assert (damage.kind, damage.stage, damage.task) == ("length", "response/d2min", (0, 1, 1))
    assert (damage.step, damage.domain, damage.rows) == (1, 1, (24, 47))
    assert damage.ids == (ids.min(), ids.max())
    assert "array response/d2min/d2min, step 1, domain 1, rows 24 to 47, atom ids" in str(damage)
    assert verify(store, deep=False, progress=False) == [damage]
