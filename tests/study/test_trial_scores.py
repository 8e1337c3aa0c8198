"""Models that are not saved, on glasses that are not written to."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

import qsdask
from qsdask.errors import BadDataError
from qsdask.learn import load_model
from qsdask.settings import TrainSettings
from qsdask.stages.standard import standard_in_memory
from qsdask.store import ledger
from qsdask.store.reader import StoreReader
from qsdask.study.trial_scores import column_there, scored_on
from qsdask.study.trials import Trial, learned_all
from tests.study.several_glasses import LEARNING, glass_of

SAME = {"same_atoms": "coordination,symmetry_function,interstice"}


def models_of(store, run, *names):
    return learned_all({n: Trial((store,), TrainSettings(set=n, **SAME, **LEARNING)) for n in names}, run)


def test_what_is_judged_is_what_train_predict_and_evaluate_say(glasses_of_kinds, tmp_path, few):
    target = shutil.copytree(glasses_of_kinds["b1"], tmp_path / "b1.zarr")
    before = [record.key for record in ledger.records(target)]
    models = models_of(glasses_of_kinds["a1"], few, "coordination", "interstice")
    found = scored_on(target, models, few)
    assert [record.key for record in ledger.records(target)] == before
    for name, model in models.items():
        saved = qsdask.train(
            glasses_of_kinds["a1"], model=tmp_path / f"{name}.qs", set=name, run=few, **SAME, **LEARNING
        )
        assert load_model(saved).digest() == model.digest()
        qsdask.predict(target, model=saved, accept_outside=True, run=few)
        scores = qsdask.evaluate(target, model=saved, run=few)
        assert found[name].softness.n_atom == scores["usable"]
        assert found[name].auc == pytest.approx(scores["auc_roc"], abs=1e-12)
        assert np.mean(found[name].auc_models) == pytest.approx(scores["auc_models_mean"], abs=1e-3)
    assert found["coordination"].softness.n_atom == found["interstice"].softness.n_atom


#: Linear models of two glasses learn from each of them without the other.
LINEAR = {name: LEARNING[name] for name in ("strain", "threshold", "surface_margin")} | {"learner": "response"}


def test_linear_models_are_judged_as_evaluate_judges_them(glasses_of_kinds, tmp_path, few):
    stores = tuple(glasses_of_kinds[name] for name in ("a1", "a2"))
    target = shutil.copytree(glasses_of_kinds["b1"], tmp_path / "b1.zarr")
    chosen = TrainSettings(set="interstice,coordination", **SAME, **LINEAR)
    models = learned_all({"both": Trial(stores, chosen)}, few) | models_of(stores[0], few, "coordination")
    found = scored_on(target, models, few)
    saved = qsdask.train(stores, model=tmp_path / "both.qs", set=chosen.set, run=few, **SAME, **LINEAR)
    assert load_model(saved).digest() == models["both"].digest()
    qsdask.predict(target, model=saved, run=few)
    scores = qsdask.evaluate(target, model=saved, run=few)
    assert found["both"].softness.n_atom == found["coordination"].softness.n_atom == scores["usable"]
    assert found["both"].auc == pytest.approx(scores["auc_roc"], abs=1e-12)
    assert np.mean(found["both"].auc_models) == pytest.approx(scores["auc_models_mean"], abs=1e-3)


def test_linear_models_too_follow_the_elements(glasses_of_kinds, few):
    stores = tuple(glasses_of_kinds[name] for name in ("a1", "a2"))
    models = learned_all({"it": Trial(stores, TrainSettings(set="symmetry_function", **LINEAR))}, few)
    there = {"Cu": "Fe", "Zr": "P"}
    found = scored_on(glasses_of_kinds["fe"], models, few, elements=there)["it"]
    root, model = StoreReader(glasses_of_kinds["fe"]), models["it"]
    names = root.names("features/symmetry_function/feature")
    places = [names.index(column_there(column, there)) for column in model.columns]
    value, species = root["features/symmetry_function/value"][:][:, places], root["atoms/species"][:]
    kinds = root.names("atoms/species_name")
    seen = model.part.seen(value, species, kinds, standard_in_memory(value, species, kinds))
    known = root["response/d2min/valid"][1]
    y = root["response/d2min/d2min"][1][known] > LINEAR["threshold"]
    assert found.auc == pytest.approx(roc_auc_score(y, model.part.softness(seen)[0][known]), abs=1e-6)


@pytest.mark.parametrize("learner", ["gbdt", "response"])
@pytest.mark.parametrize("rule", [{"top": 0.2}, {"rank": "low"}, {"threshold": 0.5}])
def test_labels_of_ones_own_are_judged_as_evaluate_judges_them(glasses_of_kinds, tmp_path, few, learner, rule):
    stores = {name: shutil.copytree(glasses_of_kinds[name], tmp_path / f"{name}.zarr") for name in ("a1", "a2", "b1")}
    for name, store in stores.items():
        values = np.random.default_rng(len(name)).random(48)
        qsdask.label(store, values=(np.arange(1, 49), values), name="barrier", unit="eV", run=few)
    how = {"label": "barrier", "learner": learner, "surface_margin": 0.0, "set": "interstice", **SAME, **rule}
    how |= {"trees": 5, "draws": 1, "folds": 2} if learner == "gbdt" else {}
    saved = qsdask.train([stores["a1"], stores["a2"]], model=tmp_path / "it.qs", run=few, **how)
    qsdask.predict(stores["b1"], model=saved, run=few)
    scores = qsdask.evaluate(stores["b1"], model=saved, run=few)
    found = scored_on(stores["b1"], {"it": load_model(saved)}, few)["it"]
    assert (found.softness.n_atom, found.softness.n_plastic) == (scores["usable"], scores["plastic"])
    assert found.auc == pytest.approx(scores["auc_roc"], abs=1e-12)


def test_neither_the_cut_nor_the_cluster_matters(glasses_of_kinds, tmp_path, golden, few):
    cut = glass_of(golden, tmp_path, "b1", 48, few, chunk=16)
    assert StoreReader(cut).n_domain != StoreReader(glasses_of_kinds["b1"]).n_domain
    models = models_of(glasses_of_kinds["a1"], few, "interstice")
    one = qsdask.Run(cluster="threads", workers=1, progress=False)
    assert models_of(glasses_of_kinds["a1"], one, "interstice")["interstice"].digest() == models["interstice"].digest()
    first, second = (scored_on(path, models, few)["interstice"] for path in (glasses_of_kinds["b1"], cut))
    for mine, others in zip((first.softness, *first.models), (second.softness, *second.models), strict=True):
        np.testing.assert_array_equal(mine.score, others.score)
        np.testing.assert_array_equal(mine.plastic, others.plastic)


def test_a_glass_that_was_learned_from_judges_nothing(glasses_of_kinds, few):
    models = models_of(glasses_of_kinds["a1"], few, "coordination")
    with pytest.raises(BadDataError, match="E-SPECIMEN-BOTH-SIDES"):
        scored_on(glasses_of_kinds["a1"], models, few)


def test_other_elements_are_taken_by_their_frequency_alone(glasses_of_kinds, few):
    models = models_of(glasses_of_kinds["a1"], few, "symmetry_function")
    with pytest.raises(BadDataError, match="E-FEATURES-DIFFER"):
        scored_on(glasses_of_kinds["fe"], models, few)
    found = scored_on(glasses_of_kinds["fe"], models, few, elements={"Cu": "Fe", "Zr": "P"})
    assert np.isfinite(found["symmetry_function"].auc)


def test_names_of_columns_follow_the_elements():
    swapped = {"Cu": "Ni", "Zr": "Nb"}
    assert column_there("sro__symmetry_radial_cu_r03__cutoff", swapped) == "sro__symmetry_radial_ni_r03__cutoff"
    # Pairs stand in alphabetical order, whichever of them is which.
    assert column_there("sro__symmetry_angular_cu_zr_s00__cutoff", swapped) == "sro__symmetry_angular_nb_ni_s00__cutoff"
    assert column_there("mro__interstice_area__voro__std__mean", swapped) == "mro__interstice_area__voro__std__mean"
