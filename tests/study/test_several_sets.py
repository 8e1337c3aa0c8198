"""A model of several feature sets, and of columns that a file names."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import xarray as xr

import qsdask
from qsdask.errors import BadDataError, NoInputError, QSDaskError, UsageError
from qsdask.learn import load_model, probabilities
from tests.small_store import SPECIES, small_dump

LEARNING = {"strain": 0.01, "threshold": 0.3, "folds": 2, "draws": 1, "trees": 5, "surface_margin": 0.0}


def made(home, golden, few, chunk):
    store = home / f"glass{chunk}.zarr"
    dump = small_dump(golden, home / "glass.dump")
    qsdask.ingest(dump, store, species=SPECIES, strain_step=0.01, chunk=chunk, name="glass", run=few)
    qsdask.shells(store, run=few)
    qsdask.features(store, set="interstice,coordination", run=few)
    qsdask.respond(store, run=few)
    return store


@pytest.fixture(scope="module")
def glass(tmp_path_factory, golden, few):
    return made(tmp_path_factory.mktemp("glass"), golden, few, 24)


def test_several_sets_are_as_one_table(glass, tmp_path, few):
    model = load_model(
        qsdask.train(glass, model=tmp_path / "m.qs", set="interstice,coordination,interstice", run=few, **LEARNING)
    )
    assert model.sets == ("coordination", "interstice")
    with xr.open_datatree(glass, engine="zarr") as tree:
        parts = [tree[f"features/{name}"] for name in model.sets]
        names = [str(n) for part in parts for n in part["feature"].values]
        value = np.concatenate([part["value"].values for part in parts], axis=1)
    assert list(model.columns) == names
    qsdask.predict(glass, model=tmp_path / "m.qs", run=few)
    with xr.open_datatree(glass, engine="zarr") as tree:
        stored = tree["softness/m/qs"].values
    np.testing.assert_array_equal(stored, probabilities(model, value).mean(axis=0))


def test_the_cut_does_not_matter(glass, tmp_path, golden, few):
    other = made(tmp_path, golden, few, 16)
    texts = [
        load_model(qsdask.train(store, model=tmp_path / f"{k}.qs", set="interstice,coordination", run=few, **LEARNING))
        for k, store in enumerate((glass, other))
    ]
    assert texts[0].digest() == texts[1].digest()


def test_in_memory_as_in_a_store(glass, tmp_path, few, golden):
    model = qsdask.train(glass, model=tmp_path / "memory.qs", set="interstice,coordination", run=few, **LEARNING)
    qsdask.predict(glass, model=model, accept_outside=True, run=few)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        there = qsdask.softness(
            str(small_dump(golden, tmp_path / "glass.dump")), model, species=SPECIES, check="ignore", features=True
        )
    with xr.open_datatree(glass, engine="zarr") as tree:
        order = np.argsort(tree["atoms/id"].values)
        stored = tree["softness/memory/qs"].values[order]
    np.testing.assert_array_equal(there["qs"].values[np.argsort(there["id"].values)], stored)
    assert list(there["feature"].values) == list(load_model(model).columns)


def test_a_set_made_otherwise_is_refused(glass, tmp_path, golden, few):
    model = qsdask.train(glass, model=tmp_path / "m.qs", set="interstice,coordination", run=few, **LEARNING)
    other = made(tmp_path, golden, few, 16)
    qsdask.features(other, set="interstice", convention="amlearn", run=qsdask.Run(**{**vars(few), "overwrite": True}))
    with pytest.raises(BadDataError, match=r"sets\.interstice\.convention") as caught:
        qsdask.predict(other, model=model, run=few)
    assert caught.value.code == "E-FEATURES-DIFFER"


def test_columns_of_a_file(glass, tmp_path, few):
    with xr.open_datatree(glass, engine="zarr") as tree:
        names = [str(tree[f"features/{s}/feature"].values[-1]) for s in ("interstice", "coordination")]
    file = tmp_path / "columns.txt"
    file.write_text(f"# chosen by hand\n{names[1]}\n\n{names[0]}\n")
    model = qsdask.train(
        glass, model=tmp_path / "m.qs", set="interstice,coordination", columns=str(file), run=few, **LEARNING
    )
    assert load_model(model).columns == tuple(reversed(names))


@pytest.mark.parametrize(
    ("text", "kind", "code"),
    [
        (None, NoInputError, "E-NO-FILE"),
        ("# nothing\n", UsageError, "E-COLUMN"),
        ("sro__a__b\nsro__a__b\n", UsageError, "E-COLUMN"),
        ("sro__no__such\n", UsageError, "E-COLUMN"),
    ],
)
def test_a_file_of_columns_that_cannot_be_used(glass, tmp_path, few, text, kind: type[QSDaskError], code):
    file = tmp_path / "columns.txt"
    if text is not None:
        file.write_text(text)
    with pytest.raises(kind) as caught:
        qsdask.train(glass, model=tmp_path / "m.qs", columns=str(file), run=few, **LEARNING)
    assert caught.value.code == code
    assert not (tmp_path / "m.qs").exists()


def test_a_set_that_nobody_knows_is_told_by_name(glass, tmp_path, few):
    with pytest.raises(UsageError, match=r"(?s)'interstices'.*choose among .*interstice") as caught:
        qsdask.train(glass, model=tmp_path / "m.qs", set="interstices", run=few, **LEARNING)
    assert caught.value.code == "E-FEATURE-SET"


@pytest.mark.parametrize("share", ["5", "0", "0%", "60%", "x"])
def test_a_share_is_at_most_one_half(glass, tmp_path, few, share):
    with pytest.raises(UsageError, match=r"such as 5% or 0\.05"):
        qsdask.train(glass, model=tmp_path / "m.qs", label="barrier", bottom=share, run=few)
