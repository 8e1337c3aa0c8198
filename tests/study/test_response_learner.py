"""The learner ``response`` on stores: what it learns, and that the cut, the workers and every order leave it as it is."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from sklearn.linear_model import Ridge

import qsdask
from qsdask.engine.where import Run
from qsdask.errors import BadDataError, UsageError
from qsdask.learn import load_model
from qsdask.learn.fitting import fit
from qsdask.learn.ridge import PENALTY_OF_ONE, TARGET_STEP, Products, whole_target
from qsdask.stages.predict import standard_of
from qsdask.stages.standard import standard_in_memory
from qsdask.views.info import warnings_of
from tests.small_store import SPECIES

LEARNING = {"learner": "response", "strain": 0.04, "threshold": 9.0, "surface_margin": 0.0}
STRAINS = 4

#: Edges of its cell. Unit: angstrom.
EDGE = np.array([15.915, 16.043, 16.671])


def dump_of(golden, file, seed, *, boundary="pp pp pp", order=None):
    """The golden glass, rattled by a seed, then displaced ever farther at the strains 0, 2, 4 and 6 %."""
    lines = (golden / "cuzr256.dump").read_text().splitlines()
    rng = np.random.default_rng(seed)
    kinds = [line.split()[1] for line in lines[9:]]
    # Other atoms bear the ids: otherwise it would be the same glass, shaken.
    ids = np.arange(1, 257)
    for kind in sorted(set(kinds)):
        mine = [k for k, other in enumerate(kinds) if other == kind]
        ids[mine] = rng.permutation(ids[mine])
    rattled = rng.normal(scale=0.08, size=(256, 3))
    # Where there is more room atoms go farther: something to learn.
    positions = np.array([line.split()[2:] for line in lines[9:]], dtype=float) + rattled
    apart = positions[:, None] - positions
    apart -= EDGE * np.rint(apart / EDGE)
    room = np.sort(np.linalg.norm(apart, axis=2), axis=1)[:, 1:9].mean(axis=1)
    eager = np.exp(0.8 * (room - room.mean()) / room.std())[:, None]
    moved = eager * rng.gamma(2.0, size=(256, 1)) * 0.4 * rng.normal(size=(256, 3))
    text = []
    for step in range(STRAINS):
        head = [*lines[:9]]
        head[1], head[4] = str(100 * step), f"ITEM: BOX BOUNDS {boundary}"
        if boundary.endswith("ss"):
            head[7] = "-30 46"
        text += head
        rows = []
        for k, line in enumerate(lines[9:]):
            _, kind, *position = line.split()
            place = np.array(position, dtype=float) + rattled[k] + 0.12 * step * moved[k]
            rows.append(f"{ids[k]} {kind} " + " ".join(f"{x:.4f}" for x in place))
        text += [rows[k] for k in (range(256) if order is None else order)]
    file.write_text("\n".join(text) + "\n")
    return file


def store_of(dump, store, run, chunk=65536, **settings):
    qsdask.ingest(dump, store, species=SPECIES, strain_step=0.02, chunk=chunk, name=store.stem, run=run, **settings)
    qsdask.shells(store, run=run)
    qsdask.features(store, run=run)
    qsdask.respond(store, run=run)
    return store


@pytest.fixture(scope="module")
def home(tmp_path_factory, golden, few):
    """Dumps and stores of the glasses a, b and c, and a model of a and b."""
    folder = tmp_path_factory.mktemp("response")
    for seed, name in enumerate("abc"):
        store_of(dump_of(golden, folder / f"{name}.dump", seed), folder / f"{name}.zarr", few)
    qsdask.train([folder / "a.zarr", folder / "b.zarr"], model=folder / "ab.qs", run=few, **LEARNING)
    qsdask.predict(folder / "c.zarr", model=folder / "ab.qs", run=few)
    return folder


def read(store, name):
    with xr.open_datatree(store, engine="zarr") as tree:
        return tree[name].values


def content(folder):
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def rows_of(store):
    """Whole numbers, species, target and class of a store, by NumPy."""
    value, species = read(store, "features/interstice/value"), read(store, "atoms/species")
    d2 = read(store, "response/d2min/d2min").astype(float)
    names = [str(n) for n in read(store, "atoms/species_name")]
    whole = standard_in_memory(value, species, names).whole(value, species, names)
    return whole, np.log(d2[1:] + 0.05).mean(axis=0), d2[2] > LEARNING["threshold"]


def test_coefficients_are_those_of_a_table(home):
    model = load_model(home / "ab.qs")
    tables = {name: rows_of(home / f"{name}.zarr") for name in "ab"}
    order = [s.name for s in model.specimens]
    groups = {k: Products.of(tables[n][0], whole_target(tables[n][1])) for k, n in enumerate(order)}
    twin = fit(groups)
    np.testing.assert_array_equal(model.linear.coefficient, twin.coefficient[:, 0])
    np.testing.assert_array_equal(model.linear.without, twin.coefficient[:, 1:].T)
    assert model.settings["penalty"] == twin.penalty
    z = np.concatenate([tables[n][0] for n in order]).astype(float) / 819.2
    target = np.concatenate([tables[n][1] for n in order])
    peer = Ridge(alpha=twin.penalty * len(z)).fit(z, target)
    np.testing.assert_allclose(model.linear.coefficient, peer.coef_, rtol=1e-3, atol=1e-3 * np.abs(peer.coef_).max())
    assert [s.n_plastic for s in model.specimens] == [tables[n][2].sum() for n in order]
    assert np.abs(target - np.rint(target / TARGET_STEP) * TARGET_STEP).max() <= TARGET_STEP / 2


def test_scores_of_glasses_left_out_are_kept(home):
    from sklearn.metrics import roc_auc_score

    model = load_model(home / "ab.qs")
    assert [one["left_out"] for one in model.scores["folds"]] == [s.name for s in model.specimens]
    for k, one in enumerate(model.scores["folds"]):
        whole, _, y = rows_of(home / f"{one['left_out']}.zarr")
        assert one["auc"] == pytest.approx(roc_auc_score(y, model.linear.scores_without(whole)[k]), abs=2e-3)
    assert model.scores["mean"]["auc"] == pytest.approx(np.mean([one["auc"] for one in model.scores["folds"]]))
    assert len(model.scores["penalties"]) > 5


@pytest.mark.parametrize(("chunk", "workers", "shuffled"), [(100, 1, False), (20, 2, True)])
def test_the_cut_the_workers_and_all_orders_leave_the_model_as_it_is(home, tmp_path, golden, chunk, workers, shuffled):
    order = np.random.default_rng(chunk).permutation(256) if shuffled else None
    with Run("threads", workers, progress=False).shared() as run:
        stores = [
            store_of(dump_of(golden, tmp_path / f"{n}.dump", seed, order=order), tmp_path / f"{n}.zarr", run, chunk)
            for seed, n in enumerate("ab")
        ]
        qsdask.train(stores[::-1], model=tmp_path / "ab.qs", run=run, **LEARNING)
    assert content(tmp_path / "ab.qs") == content(home / "ab.qs")


def test_in_memory_as_in_a_store(home):
    stored = {
        int(i): q
        for i, q in zip(read(home / "c.zarr", "atoms/id"), read(home / "c.zarr", "softness/ab/qs"), strict=True)
    }
    found = qsdask.softness(home / "c.dump", home / "ab.qs", species=SPECIES, check="ignore")
    np.testing.assert_array_equal(found["qs"].values, [stored[i] for i in found["id"].values.tolist()])


def test_softness_is_the_curve_of_the_score_and_its_spread_that_of_the_others(home):
    part = load_model(home / "ab.qs").linear
    whole, _, _ = rows_of(home / "c.zarr")
    z = whole / 819.2
    expected = 1 / (1 + np.exp(-(part.offset + part.slope * (z @ part.coefficient))))
    np.testing.assert_allclose(read(home / "c.zarr", "softness/ab/qs"), expected, rtol=1e-6)
    each = 1 / (1 + np.exp(-(part.offset + part.slope * (z @ part.without.T))))
    np.testing.assert_allclose(read(home / "c.zarr", "softness/ab/qs_std"), each.std(axis=1), rtol=1e-4, atol=1e-6)
    added, _, (base,) = part.contributions(whole)
    np.testing.assert_allclose(added.sum(axis=1) + base, np.log(expected / (1 - expected)), rtol=1e-9, atol=1e-12)


def test_what_asks_a_model_understands_it(home, few):
    scores = qsdask.evaluate(home / "c.zarr", model=home / "ab.qs", run=few)
    assert scores["usable"] == 256
    assert 0.0 < scores["auc_models_std"] < 0.2
    assert qsdask.activation(home / "c.zarr", model=home / "ab.qs", run=few).sizes["step"] == STRAINS
    page = qsdask.report(home / "c.zarr", model=home / "ab.qs", out=home / "c.html", run=few)
    text = page.read_text()
    assert "ridge regression" in text
    assert "absolute coefficients" in text


def test_one_glass_leaves_out_blocks_of_space(home, tmp_path, few):
    made = load_model(qsdask.train(home / "a.zarr", model=tmp_path / "a.qs", block=5.0, folds=3, run=few, **LEARNING))
    assert made.settings["folds"] == "spatial_block"
    assert made.settings["penalty"] == PENALTY_OF_ONE
    assert made.scores["penalties"] == []
    assert sum(one["n"] for one in made.scores["folds"]) == 256
    assert len(made.linear.without) == 3
    with pytest.raises(UsageError, match="E-BLOCK"):
        qsdask.train(home / "a.zarr", model=tmp_path / "b.qs", block=12.0, run=few, **LEARNING)


def test_atoms_that_lack_columns_take_part(tmp_path, golden, few):
    models, judged = [], []
    for chunk in (256, 40):
        folder = tmp_path / str(chunk)
        folder.mkdir()
        dump = dump_of(golden, folder / "film.dump", 3, boundary="pp pp ss")
        store = store_of(dump, folder / "film.zarr", few, chunk, boundary="pps")
        value = read(store, "features/interstice/value")
        torn, void = np.isnan(value).any(axis=1), np.isnan(value).all(axis=1)
        assert torn.sum() > void.sum()
        model = qsdask.train(store, model=folder / "film.qs", block=5.0, folds=3, run=few, **LEARNING)
        assert load_model(model).specimens[0].n_usable == 256 - void.sum()
        qsdask.predict(store, model=model, accept_outside=True, run=few)
        qs = read(store, "softness/film/qs")
        np.testing.assert_array_equal(np.isnan(qs), void)
        models.append(load_model(model).digest())
        judged.append(qs[np.argsort(read(store, "atoms/id"))])
    assert models[0] == models[1]
    np.testing.assert_array_equal(*judged)


def test_a_strained_frame_is_measured_by_the_undeformed_one_where_that_is_known(home, tmp_path, few):
    store = shutil.copytree(home / "c.zarr", tmp_path / "c.zarr")
    qsdask.shells(store, step=2, run=few)
    qsdask.features(store, step=2, run=few)
    qsdask.predict(store, model=home / "ab.qs", step=2, accept_outside=True, run=few)
    measured = standard_of(store, "steps/2/softness/ab")
    assert measured.record() == standard_of(store, "softness/ab").record()
    alone = tmp_path / "alone.zarr"
    qsdask.ingest(home / "c.dump", alone, species=SPECIES, strain_step=0.02, run=few)
    qsdask.shells(alone, step=2, run=few)
    qsdask.features(alone, step=2, run=few)
    qsdask.predict(alone, model=home / "ab.qs", step=2, accept_outside=True, run=few)
    own = standard_of(alone, "steps/2/softness/ab")
    assert any(text.startswith("W-OWN-STANDARD") for text in warnings_of(alone, "softness/ab", 2))
    assert own.record() != measured.record()
    value = read(alone, "steps/2/features/interstice/value")
    names = [str(n) for n in read(alone, "atoms/species_name")]
    assert own.record() == standard_in_memory(value, read(alone, "atoms/species"), names).record()


def test_the_folder_says_that_older_versions_do_not_know_it(home, tmp_path, few):
    record = json.loads((home / "ab.qs" / "model.json").read_text())
    assert record["format_version"] == 2
    assert [file.name for file in (home / "ab.qs").iterdir()] == ["model.json"]
    trees = qsdask.train(
        home / "a.zarr", model=tmp_path / "t.qs", run=few, **{**LEARNING, "learner": "gbdt", "trees": 5}
    )
    assert json.loads((trees / "model.json").read_text())["format_version"] == 1


def test_a_damaged_linear_part_is_refused(home, tmp_path):
    import hashlib

    from qsdask.learn.definition import canonical

    folder = shutil.copytree(home / "ab.qs", tmp_path / "ab.qs")
    record = json.loads((folder / "model.json").read_text())
    record["linear"]["coefficient"].pop()
    (folder / "model.json").write_text(json.dumps(record))
    with pytest.raises(BadDataError, match="E-MODEL-JSON"):
        load_model(folder)
    record = json.loads((home / "ab.qs" / "model.json").read_text())
    record["linear"]["coefficient"][0] += 1.0
    (folder / "model.json").write_text(json.dumps(record))
    with pytest.raises(BadDataError, match="E-MODEL-CHECKSUM"):
        load_model(folder)
    del record["linear"]
    del record["sha256"]
    record["sha256"] = hashlib.sha256(canonical(record)).hexdigest()
    (folder / "model.json").write_text(json.dumps(record))
    with pytest.raises(BadDataError, match="0 trees"):
        load_model(folder)


def test_what_the_other_learner_has_is_refused(home, tmp_path, few):
    for wrong in ({"learner": "response", "trees": 20}, {"learner": "response", "draws": 1}, {"penalty": 0.5}):
        with pytest.raises(UsageError, match="of the learner"):
            qsdask.train(home / "a.zarr", model=tmp_path / "x.qs", run=few, **wrong)


def test_training_again_leaves_the_model_and_other_numbers_are_refused(home, few):
    stores = [home / "b.zarr", home / "a.zarr"]
    before = content(home / "ab.qs")
    qsdask.train(stores, model=home / "ab.qs", run=few, **LEARNING)
    assert content(home / "ab.qs") == before
    with pytest.raises(qsdask.errors.QSDaskError, match="E-EXISTS"):
        qsdask.train(stores, model=home / "ab.qs", run=replace(few, overwrite=False), penalty=3.0, **LEARNING)


def test_glasses_that_are_equally_soft_in_the_mean_are_not_compared_in_silence(home, tmp_path, few):
    stores = [shutil.copytree(home / f"{name}.zarr", tmp_path / f"{name}.zarr") for name in "ac"]
    qsdask.predict(stores[0], model=home / "ab.qs", run=few)
    told = qsdask.compare(stores, model=home / "ab.qs", run=few).attrs["warnings"]
    assert told[0].startswith("W-OWN-STANDARD")
