"""Importances of columns against numbers worked out by hand, whatever the cut, and what is said of them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

import qsdask
from qsdask.analysis import attribution
from qsdask.analysis.extent import extent_of, placed_within
from qsdask.cli import main
from qsdask.errors import NoInputError
from qsdask.learn import identity_hash, loaded, quench_in_softness
from qsdask.reporting.explanation import importances
from qsdask.reporting.explanation_words import in_words
from qsdask.stages.parts import members
from qsdask.store import ledger
from qsdask.store.reader import StoreReader
from tests.small_store import SPECIES, small_dump


@pytest.fixture(scope="module")
def held_out(tiny, golden, few, tmp_path_factory):
    """Other atoms of the golden glass, in three cuts; the model has not seen them."""
    home, made = tmp_path_factory.mktemp("held-out"), {}
    for chunk in (48, 24, 16):
        store = home / f"{chunk}.zarr"
        dump = small_dump(golden, home / "other.dump", first=60)
        qsdask.ingest(dump, store, species=SPECIES, strain_step=0.01, chunk=chunk, run=few)
        qsdask.shells(store, run=few)
        qsdask.features(store, run=few)
        qsdask.respond(store, run=few)
        qsdask.predict(store, model=tiny / "tiny.qs", accept_outside=True, run=few)
        made[chunk] = qsdask.explain(store, model=tiny / "tiny.qs", run=few)
    return made


def arrays(store):
    root = StoreReader(store)
    names = ("softness/tiny/qs", "explanation/tiny/contribution", "features/interstice/value", "atoms/id")
    qs, *others = (root[name][:] for name in names)
    known = np.isfinite(qs)
    plastic, valid = root["response/d2min/d2min"][1] > 0.3, root["response/d2min/valid"][1]
    return [array[known] for array in (qs, *others, plastic, valid)]


def test_numbers_are_those_of_their_definitions(held_out, tiny, few):
    qs, added, value, ids, plastic, valid = arrays(held_out[24])
    added = added.astype(float)
    found = qsdask.importance(held_out[24], model=tiny / "tiny.qs", repeats=3, run=few)
    np.testing.assert_allclose(found["size"], np.abs(added).mean(axis=0), rtol=0, atol=1e-8)
    assert found.attrs["n"] == len(qs)
    assert found.attrs["n_soft"] == (qs > 0.7).sum()
    model = loaded(str(tiny / "tiny.qs"))
    gain = model.part.gain()
    np.testing.assert_allclose(found["gain"], (gain / gain.sum(axis=1, keepdims=True)).mean(axis=0))
    for dim in ("part", "range", "quantity", "statistic"):
        assert found[f"{dim}_gain"].sum().item() == pytest.approx(1.0)
    of = members(model.columns)
    for name, places in of.items():
        size = np.abs(added[:, places].sum(axis=1)).mean()
        assert found["part_size"].sel(part=name).item() == pytest.approx(size, abs=1e-6)
    # Permutation, with another AUC and in the order of the ids.
    assert found.attrs["n_permuted"] == valid.sum()
    assert found.attrs["auc"] == pytest.approx(roc_auc_score(plastic[valid], qs[valid]))
    asked = np.argsort(identity_hash(0, "explain", 0, specimen(held_out[24]), ids))
    asked = asked[valid[asked]]
    drop = []
    for repeat in range(3):
        order = np.argsort(identity_hash(0, "permute", repeat, specimen(held_out[24]), ids[asked]))
        dealt = value[asked].copy()
        dealt[:, of["sro__interstice_area"]] = value[asked][order][:, of["sro__interstice_area"]]
        drop.append(found.attrs["auc"] - roc_auc_score(plastic[asked], quench_in_softness(model, dealt)[0]))
    mine = found.sel(part="sro__interstice_area")
    assert mine["part_permutation"].item() == pytest.approx(np.mean(drop), abs=1e-12)
    assert mine["part_permutation_std"].item() == pytest.approx(np.std(drop), abs=1e-12)


def specimen(store):
    return ledger.require(store, "ingest").facts["specimen"]


@pytest.mark.parametrize("sample", [10_000, 20])
def test_no_cut_changes_a_number(held_out, tiny, few, sample):
    found = [
        qsdask.importance(store, model=tiny / "tiny.qs", sample=sample, repeats=2, run=few).drop_attrs()
        for store in held_out.values()
    ]
    assert found[0].identical(found[1])
    assert found[0].identical(found[2])


def test_soft_and_hard_atoms_are_held_apart():
    """Two columns made by hand: the first is higher in soft atoms by a known number of standard deviations."""
    rng = np.random.default_rng(1)
    qs = rng.random(4000)
    value = np.stack([np.where(qs > 0.7, 3.0, 1.0), rng.normal(size=4000), np.full(4000, 2.0)], axis=1)
    added = np.stack([np.where(qs > 0.7, 0.5, -0.25), np.full(4000, -0.125), np.zeros(4000)], axis=1)
    extent = extent_of(value) + extent_of(np.empty((0, 3)))
    placed = placed_within(value, extent.low, extent.high)
    parts = [
        attribution.partial(qs[s], placed[s], added[s], {"part": added[s].sum(axis=1, keepdims=True)})
        for s in (slice(0, 1000), slice(1000, None))
    ]
    found = attribution.finalise(attribution.combine(*parts))
    assert found["apart_column"].tolist() == [0.75, 0.0, 0.0]
    assert found["apart_part"].tolist() == [0.75]
    assert found["higher"][0] == pytest.approx(2.0 / value[:, 0].std(), rel=1e-6)
    assert found["higher"][1] == pytest.approx(value[qs > 0.7, 1].mean() - value[qs < 0.1, 1].mean(), abs=0.05)
    assert np.isnan(found["higher"][2])


def test_a_glass_that_it_was_trained_on_gives_no_permutation(own, few):
    store, model = own / "tiny.zarr", own / "tiny.qs"
    with pytest.raises(NoInputError, match="explanation/tiny has not been computed"):
        qsdask.importance(store, model=model, run=few)
    qsdask.explain(store, model=model, run=few)
    found = qsdask.importance(store, model=model, run=few)
    assert np.isnan(found["permutation"]).all()
    assert "E-SPECIMEN-BOTH-SIDES" in found.attrs["notes"][0]
    importances(found)
    assert "AUC" not in in_words(found)


def test_the_command_prints_draws_and_gives_json(held_out, tiny, tmp_path, capsys):
    store, out = str(held_out[24]), tmp_path / "importance.png"
    typed = ["explain", store, "--model", str(tiny / "tiny.qs"), "--cluster", "threads", "--quiet"]
    assert main([*typed, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "mro__interstice_area" in said
    assert "differ by" in said or "nothing to hold apart" in said
    assert out.read_bytes().startswith(b"\x89PNG")
    assert main([*typed, "--out", str(out)]) == 73
    assert "E-EXISTS" in capsys.readouterr().err
    assert main([*typed, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["column"]) == len(found["size"]) == 80
    assert found["words"] in said
    assert main([*typed, "--out", "importance.pdf"]) == 64


def test_words_follow_from_the_numbers(held_out, tiny, few):
    found = qsdask.importance(held_out[24], model=tiny / "tiny.qs", run=few).assign_attrs(n_soft=5, n_hard=7)
    made_up = {
        "part_apart": [0.1, 0.6, 0.1, 0.1, 0.05, 0.05],
        "range_apart": [0.8, 0.2],
        "apart": np.eye(80)[5],
        "higher": np.where(np.eye(80)[5] == 1, -1.25, 0.1),
    }
    found = found.assign({name: found[name].copy(data=np.array(values)) for name, values in made_up.items()})
    said = in_words(found)
    assert "interstice area in the short range 60%" in said
    assert "80% in the short range and 20% in the medium range" in said
    assert f"{found['column'].values[5]} ({found['meaning'].values[5]}) is 1.2 standard deviations lower" in said
    assert "no different on average" in said
