"""Explanations of both learners, of two feature sets side by side, with gaps, and of labels of one's own."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.inspection import partial_dependence as theirs
from sklearn.metrics import roc_auc_score

import qsdask
from qsdask.analysis import attribution
from qsdask.analysis.extent import extent_of, placed_within
from qsdask.learn import identity_hash, loaded, quench_in_softness
from qsdask.reporting.explanation import importances
from qsdask.reporting.explanation_words import in_words
from qsdask.stages.columns import columns_there, feature_rows
from qsdask.stages.predict import standard_of
from qsdask.store import ledger
from qsdask.store.reader import StoreReader
from tests.small_store import SPECIES
from tests.study.test_response_learner import dump_of

SETS = "interstice,voronoi_index"
MODELS = {
    "ridge": {"learner": "response", "block": 5.0, "folds": 3},
    "trees": {"trees": 12, "folds": 2, "draws": 1, "depth": 3},
}
ONE, TWO = "sro__interstice_distance__cutoff__mean", "sro__voronoi_index_n5__voro"


def store_of(dump, store, run, chunk=65536, **settings):
    qsdask.ingest(dump, store, species=SPECIES, strain_step=0.02, chunk=chunk, run=run, **settings)
    qsdask.shells(store, run=run)
    qsdask.features(store, set=SETS, run=run)
    return qsdask.respond(store, run=run)


@pytest.fixture(scope="module")
def home(tmp_path_factory, golden, few):
    """A glass to learn from, a held-out one in two cuts, and a film of it; explained by a model of each learner."""
    folder = tmp_path_factory.mktemp("explained")
    learned = store_of(dump_of(golden, folder / "a.dump", 0), folder / "a.zarr", few)
    other, film = dump_of(golden, folder / "c.dump", 2), dump_of(golden, folder / "f.dump", 3, boundary="pp pp ss")
    stores = [store_of(other, folder / "c.zarr", few), store_of(other, folder / "cut.zarr", few, chunk=64)]
    film = store_of(film, folder / "film.zarr", few, boundary="pps")
    for name, settings in MODELS.items():
        model = folder / f"{name}.qs"
        qsdask.train(
            learned, model=model, set=SETS, strain=0.04, threshold=9.0, surface_margin=0.0, run=few, **settings
        )
        for store in (*stores, film):
            qsdask.predict(store, model=model, accept_outside=True, run=few)
            qsdask.explain(store, model=model, run=few)
    return folder


def rows_of(store, model):
    """Columns of all atoms in the order of a model, their species, the names of these, and their ids."""
    root = StoreReader(store)
    value = feature_rows(root, slice(0, root["atoms/id"].shape[0]), model.sets, model.columns)
    return value, root["atoms/species"][:], root.names("atoms/species_name"), root["atoms/id"][:]


def with_soft(found):
    """As if there were soft and hard atoms, which this glass does not have."""
    return found.fillna(0.5).assign_attrs(found.attrs | {"n_soft": 3, "n_hard": 4})


def explained(store, name):
    """QS, score, contributions, their sums, and what is expected."""
    root = StoreReader(store)
    places = ("score", "contribution", "summed", "expected")
    return [root[f"softness/{name}/qs"][:], *(root[f"explanation/{name}/{place}"][:] for place in places)]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("store", ["c", "film"])
def test_they_add_up_to_the_score(home, name, store):
    path, model = home / f"{store}.zarr", loaded(str(home / f"{name}.qs"))
    qs, score, added, summed, expected = explained(path, name)
    known = np.isfinite(qs)
    value, species, names, _ = rows_of(path, model)
    whole = np.isfinite(value).all(axis=1)
    assert (np.isfinite(score) == known).all()
    # Of a film atoms lack some columns: trees do not judge them, a linear model does.
    assert (~whole).any() == (store == "film")
    assert (known & ~whole).any() == (store == "film" and name == "ridge")
    np.testing.assert_allclose(expected.mean() + summed[known].sum(axis=1), score[known], rtol=0, atol=1e-9)
    np.testing.assert_allclose(expected.mean() + added[known].sum(axis=1), score[known], rtol=0, atol=1e-5)
    if name == "ridge":
        np.testing.assert_allclose(score[known], np.log(qs / (1 - qs))[known], rtol=0, atol=1e-9)
    made = model.part.contributions(model.part.seen(value, species, names, standard_of(path, f"softness/{name}")))
    np.testing.assert_allclose((made.expected.mean() + made.value.sum(axis=1) - made.score)[known], 0, atol=1e-9)
    assert set(columns_there(StoreReader(path), model.sets)) == set(model.columns)
    assert model.sets == tuple(SETS.split(","))


def test_linear_ones_are_coefficient_times_z(home):
    """With means and deviations by NumPy; numbers are rounded to 1/4096 of 5 standard deviations."""
    model = loaded(str(home / "ridge.qs"))
    value, species, _, _ = rows_of(home / "c.zarr", model)
    added = explained(home / "c.zarr", "ridge")[2]
    wanted = np.zeros(value.shape)
    for kind in np.unique(species):
        mine = value[species == kind].astype(float)
        spread = mine.std(axis=0)
        z = np.clip((mine - mine.mean(axis=0)) / np.where(spread > 0, spread, 1.0), -5, 5)
        wanted[species == kind] = z * model.linear.coefficient * model.linear.slope
    step = 5 / 4096 * np.abs(model.linear.coefficient) * model.linear.slope
    assert (np.abs(added - wanted) <= 0.51 * step + 1e-6 * np.abs(wanted)).all()
    assert np.abs(added).max() > 100 * step.max()


@pytest.mark.parametrize("name", MODELS)
def test_no_cut_changes_a_number(home, few, name):
    stores = [home / "c.zarr", home / "cut.zarr"]
    assert [StoreReader(store).n_domain for store in stores] == [1, 4]
    one, two = (explained(store, name) for store in stores)
    orders = [np.argsort(StoreReader(store)["atoms/id"][:]) for store in stores]
    for mine, cut in zip(one[:-1], two[:-1], strict=True):
        np.testing.assert_array_equal(mine[orders[0]], cut[orders[1]])
    model = home / f"{name}.qs"
    for sample in (60, 10_000):
        found = [qsdask.importance(s, model=model, sample=sample, repeats=2, run=few).drop_attrs() for s in stores]
        assert found[0].identical(found[1])
    columns = [ONE, TWO]
    found = [qsdask.partial_dependence(s, model=model, columns=columns, grid=4, run=few).drop_attrs() for s in stores]
    assert found[0].identical(found[1])


@pytest.mark.parametrize("name", MODELS)
def test_importances_are_those_of_their_definitions(home, few, name):
    store, model = home / "c.zarr", loaded(str(home / f"{name}.qs"))
    found = qsdask.importance(store, model=home / f"{name}.qs", repeats=2, run=few)
    scores = qsdask.evaluate(store, model=home / f"{name}.qs", run=few)
    assert found.attrs["auc"] == pytest.approx(scores["auc_roc"], abs=1e-4)
    assert (found.attrs["n_permuted"], found.attrs["n_plastic"]) == (scores["usable"], scores["plastic"])
    assert list(found["set"].values) == SETS.split(",")
    for dim in ("set", "part", "range", "quantity", "statistic"):
        assert found[f"{dim}_gain"].sum().item() == pytest.approx(1.0)
    if name == "ridge":
        share = np.abs(model.linear.without) / np.abs(model.linear.without).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(found["gain"], share.mean(axis=0))
    # The whole of a set is dealt out anew: of the linear model the columns as they were computed, within the species.
    value, species, names, ids = rows_of(store, model)
    plastic, standard = StoreReader(store)["response/d2min/d2min"][2] > 9.0, standard_of(store, f"softness/{name}")
    there = [column in columns_there(StoreReader(store), ("voronoi_index",)) for column in model.columns]
    fall = []
    for repeat in range(2):
        hashes = identity_hash(0, "permute", repeat, ledger.require(store, "ingest").facts["specimen"], ids)
        # Rows lie in the order of another hash.
        rows = np.argsort(identity_hash(0, "explain", 0, ledger.require(store, "ingest").facts["specimen"], ids))
        dealt, group = value.copy(), species if name == "ridge" else np.zeros_like(species)
        for kind in np.unique(group):
            mine = rows[group[rows] == kind]
            dealt[np.ix_(mine, there)] = value[np.ix_(mine[np.argsort(hashes[mine])], there)]
        qs = quench_in_softness(model, model.part.seen(dealt, species, names, standard))[0]
        fall.append(found.attrs["auc"] - roc_auc_score(plastic, qs))
    assert found["set_permutation"].values[1] == pytest.approx(np.mean(fall), abs=1e-12)
    assert found["set_permutation_std"].values[1] == pytest.approx(np.std(fall), abs=1e-12)
    importances(found)
    assert "By feature set it is" in in_words(with_soft(found))


class Softness(RegressorMixin, BaseEstimator):
    """A linear model as scikit-learn asks for it: the last column is the species."""

    def __init__(self, model=None, standard=None, names=None):
        self.model, self.standard, self.names = model, standard, names
        self.fitted_ = True

    def fit(self, X, y):
        return self

    def predict(self, X):
        seen = self.model.part.seen(X[:, :-1].astype(np.float32), X[:, -1].astype(int), self.names, self.standard)
        return quench_in_softness(self.model, seen)[0]


@pytest.mark.parametrize("columns", [(ONE,), (ONE, TWO)])
def test_dependence_of_a_linear_model_is_on_columns_as_they_were_computed(home, few, columns):
    store, model = home / "c.zarr", loaded(str(home / "ridge.qs"))
    found = qsdask.partial_dependence(store, model=home / "ridge.qs", columns=columns, grid=5, run=few)
    value, species, names, _ = rows_of(store, model)
    places = [model.columns.index(name) for name in columns]
    grids = [found[axis].values for axis in ("first", "second")[: len(columns)]]
    assert grids[0][0] >= value[:, places[0]].min()
    wanted = theirs(
        Softness(model, standard_of(store, "softness/ridge"), names),
        np.column_stack([value, species]).astype(np.float64),
        places,
        method="brute",
        kind="average",
        custom_values=dict(zip(places, grids, strict=True)),
    )
    np.testing.assert_allclose(found["qs"].values, wanted["average"][0], rtol=0, atol=1e-9)
    assert found["qs"].values.std() > 0
    assert any("compares values with those of their species" in note for note in found.attrs["notes"])


def test_atoms_that_lack_a_column_count_where_they_can(home, few):
    store, model = home / "film.zarr", loaded(str(home / "ridge.qs"))
    value, _, _, _ = rows_of(store, model)
    qs = explained(store, "ridge")[0]
    known = np.isfinite(qs)
    gaps = np.isnan(value[known])
    assert gaps.any()
    found = qsdask.importance(store, model=home / "ridge.qs", repeats=2, run=few)
    scores = qsdask.evaluate(store, model=home / "ridge.qs", run=few)
    assert found.attrs["n"] == known.sum()
    assert found.attrs["auc"] == pytest.approx(scores["auc_roc"], abs=1e-4)
    mine = value[known].astype(float)
    column = int(np.flatnonzero(gaps.any(axis=0) & (np.nanstd(mine, axis=0) > 0))[0])
    dependence = qsdask.partial_dependence(
        store, model=home / "ridge.qs", columns=model.columns[column], grid=3, run=few
    )
    assert np.isfinite(dependence["qs"]).all()
    assert dependence["motif_n"].values[:-1].max() <= (~gaps[:, column]).sum()
    low, high = dependence["first"].values[[0, -1]]
    assert dependence["count"].sum() == ((mine[:, column] >= low) & (mine[:, column] <= high)).sum()


def test_soft_and_hard_atoms_are_held_apart_by_those_that_have_a_column():
    rng = np.random.default_rng(3)
    qs, value = rng.random(900), rng.normal(size=(900, 3))
    value[:, 0] += qs
    value[rng.random(900) < 0.3, 0] = np.nan
    value[:, 2] = np.nan
    extent = extent_of(value)
    placed = placed_within(value, extent.low, extent.high)
    parts = [
        attribution.partial(qs[s], placed[s], np.zeros((len(qs[s]), 3)), {}) for s in (slice(0, 100), slice(100, None))
    ]
    found = attribution.finalise(attribution.combine(*parts))
    means = [np.nanmean(value[side, :2], axis=0) for side in (qs > 0.7, qs < 0.1)]
    np.testing.assert_allclose(found["higher"][:2], (means[0] - means[1]) / np.nanstd(value[:, :2], axis=0), rtol=1e-5)
    assert found["higher"][0] > 0.3
    assert np.isnan(found["higher"][2])


def test_ends_of_columns_are_those_of_the_values_there_are():
    value = np.array([[1.0, np.nan, np.nan], [3.0, 5.0, np.nan], [2.0, np.inf, np.nan]])
    extent = extent_of(value[:1]) + extent_of(value[1:])
    assert extent.n == 3
    assert extent.low.tolist() == [1.0, 5.0, np.inf]
    assert extent.high.tolist() == [3.0, 5.0, -np.inf]
    placed = placed_within(value, extent.low, extent.high)
    np.testing.assert_array_equal(placed, [[0.0, np.nan, np.nan], [1.0, 0.0, np.nan], [0.5, np.nan, np.nan]])


@pytest.mark.parametrize("name", MODELS)
def test_labels_of_ones_own_are_what_is_to_be_found(home, few, tmp_path, name):
    for store in ("a", "c"):
        root = StoreReader(home / f"{store}.zarr")
        values = dict(zip(root["atoms/id"][:].tolist(), root["response/d2min/d2min"][3].tolist(), strict=True))
        if "labels/barrier" not in [record.key for record in ledger.records(home / f"{store}.zarr")]:
            qsdask.label(home / f"{store}.zarr", values=values, name="barrier", unit="eV", run=few)
    model = tmp_path / f"own-{name}.qs"
    qsdask.train(
        home / "a.zarr", model=model, set=SETS, label="barrier", top=0.1, surface_margin=0.0, run=few, **MODELS[name]
    )
    store = qsdask.predict(home / "c.zarr", model=model, accept_outside=True, run=few)
    qsdask.explain(store, model=model, run=few)
    found, scores = qsdask.importance(store, model=model, run=few), qsdask.evaluate(store, model=model, run=few)
    assert found.attrs["auc"] == pytest.approx(scores["auc_roc"], abs=1e-4)
    assert found.attrs["n_plastic"] == scores["plastic"] > 0
    assert "soft atoms (largest 10 % of barrier in each glass)" in in_words(with_soft(found))
