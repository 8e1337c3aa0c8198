"""Partial dependence against scikit-learn's, on a small glass, and what lies over it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.inspection import partial_dependence as theirs

import qsdask
from qsdask.analysis.dependence import Sums, counted, grid_of, motifs, partial, points_of
from qsdask.analysis.extent import extent_of
from qsdask.cli import main
from qsdask.errors import UsageError
from qsdask.learn import identity_hash, loaded, quench_in_softness
from qsdask.reporting.explanation import partial_dependence as drawn
from qsdask.store import ledger
from qsdask.store.reader import StoreReader
from tests.small_store import SPECIES

ONE, TWO = "sro__interstice_area__voro__std", "mro__interstice_distance__cutoff__max__min"


class Softness(RegressorMixin, BaseEstimator):
    """A model as scikit-learn asks for it."""

    def __init__(self, model=None):
        self.model = model
        self.fitted_ = True

    def fit(self, X, y):
        return self

    def predict(self, X):
        return quench_in_softness(self.model, X)[0]


def known(store):
    root = StoreReader(store)
    qs = root["softness/tiny/qs"][:]
    return root["features/interstice/value"][:][np.isfinite(qs)], root["atoms/id"][:][np.isfinite(qs)]


@pytest.mark.parametrize("columns", [(ONE,), (ONE, TWO)])
def test_scikit_learn_gives_the_same(tiny, few, columns):
    store, model = tiny / "tiny.zarr", loaded(str(tiny / "tiny.qs"))
    found = qsdask.partial_dependence(store, model=tiny / "tiny.qs", columns=columns, grid=7, run=few)
    X, _ = known(store)
    places = [model.columns.index(name) for name in columns]
    mine = [found[axis].values.astype(np.float32) for axis in ("first", "second")[: len(columns)]]
    wanted = theirs(
        Softness(model), X, places, method="brute", kind="average", custom_values=dict(zip(places, mine, strict=True))
    )
    np.testing.assert_allclose(found["qs"].values, wanted["average"][0], rtol=0, atol=1e-9)
    assert found["qs"].values.std() > 0


def test_a_grid_is_what_there_is_or_even():
    assert grid_of(np.array([3.0, 1.0, 1.0, 2.0]), 3).tolist() == [1.0, 2.0, 3.0]
    grid = grid_of(np.linspace(0, 100, 101), 5)
    np.testing.assert_allclose(grid, [1.0, 25.5, 50.0, 74.5, 99.0])
    assert points_of([grid[:2], grid[3:]]).tolist() == [[1.0, 74.5], [1.0, 99.0], [25.5, 74.5], [25.5, 99.0]]


def test_a_sample_is_chosen_by_identity_and_no_cut_changes_a_number(own, few, tmp_path):
    store, model = own / "tiny.zarr", own / "tiny.qs"
    qsdask.features(store, set="voronoi_index", run=few)
    other = tmp_path / "cut.zarr"
    qsdask.ingest(own / "tiny.dump", other, species=SPECIES, strain_step=0.01, chunk=16, run=few)
    qsdask.shells(other, run=few)
    qsdask.features(other, set="interstice,voronoi_index", run=few)
    qsdask.predict(other, model=model, run=few)
    found = [
        qsdask.partial_dependence(path, model=model, columns=[ONE, TWO], sample=20, grid=4, run=few).drop_attrs()
        for path in (store, other)
    ]
    assert found[0].identical(found[1])
    X, ids = known(store)
    hashes = identity_hash(0, "explain", 0, ledger.require(store, "ingest").facts["specimen"], ids)
    chosen = hashes <= np.uint64(int(20 / len(ids) * 2**53) * 2**11)
    assert 0 < chosen.sum() < len(ids)
    made = loaded(str(model))
    set_to = X[chosen].copy()
    set_to[:, [made.columns.index(name) for name in (ONE, TWO)]] = [found[0]["first"][1], found[0]["second"][2]]
    assert found[0]["qs"][1, 2].item() == pytest.approx(quench_in_softness(made, set_to)[0].mean(), abs=1e-8)


def test_sums_of_parts_are_the_sum_of_the_whole():
    rng = np.random.default_rng(2)
    value = rng.random((90, 3))
    index = np.array([[0, 0, 12, 0, 0], [0, 2, 8, 2, 0], [np.nan] * 5])[rng.integers(0, 3, 90)]
    qs, grids = rng.random(90), [np.array([0.2, 0.8]), np.array([0.1, 0.5, 0.9])]
    extent = extent_of(value[:, :2])

    def sums(rows):
        at_points = partial(lambda X: X.mean(axis=1), value[rows], [0, 1], points_of(grids))
        lying = counted(value[rows, :2], grids), motifs(index[rows], qs[rows], value[rows, :2], extent)
        return Sums(len(value[rows]), at_points, *lying)

    whole, parts = sums(slice(None)), sums(slice(60, None)) + sums(slice(0, 60))
    assert parts.n == 90
    assert (parts.qs == whole.qs).all()
    assert (parts.atoms == whole.atoms).all()
    assert whole.atoms.sum() == ((value[:, :2] >= [0.2, 0.1]) & (value[:, :2] <= [0.8, 0.9])).all(axis=1).sum()
    assert parts.motif.keys() == whole.motif.keys() == {(0, 0, 12, 0, 0), (0, 2, 8, 2, 0)}
    assert all((parts.motif[name] == whole.motif[name]).all() for name in whole.motif)


def test_motifs_have_the_mean_and_spread_of_their_atoms(own, few):
    store, model = own / "tiny.zarr", own / "tiny.qs"
    bare = qsdask.partial_dependence(store, model=model, columns=[ONE, TWO], grid=3, run=few)
    assert bare.sizes["motif"] == 0
    assert "--set voronoi_index" in bare.attrs["notes"][0]
    drawn(bare)
    qsdask.features(store, set="voronoi_index", run=few)
    found = qsdask.partial_dependence(store, model=model, columns=[ONE, TWO], grid=3, run=few)
    assert found.attrs["notes"] == []
    assert found.sizes["motif"] > 0
    root = StoreReader(store)
    qs, index = root["softness/tiny/qs"][:], root["features/voronoi_index/value"][:][:, :5]
    columns = root.names("features/interstice/feature")
    value = root["features/interstice/value"][:][:, [columns.index(ONE), columns.index(TWO)]].astype(float)
    of_kind = (2 * index[:, 1] + index[:, 2] == 12) & np.isfinite(qs)
    last = found.isel(motif=-1)
    assert last["motif"].item().startswith("Frank-Kasper")
    assert last["motif_n"].item() == of_kind.sum()
    assert last["motif_qs"].item() == pytest.approx(qs[of_kind].mean(), abs=1e-8)
    np.testing.assert_allclose(last["motif_mean"], value[of_kind].mean(axis=0), rtol=0, atol=1e-7)
    np.testing.assert_allclose(last["motif_covariance"], np.cov(value[of_kind].T, bias=True), rtol=0, atol=1e-7)
    drawn(found)
    drawn(qsdask.partial_dependence(store, model=model, columns=ONE, grid=3, run=few))


@pytest.mark.parametrize("columns", ["no_such", f"{ONE},{ONE}", f"{ONE},{TWO},{ONE}"])
def test_columns_that_cannot_be_followed_are_refused(tiny, few, columns):
    with pytest.raises(UsageError) as caught:
        qsdask.partial_dependence(tiny / "tiny.zarr", model=tiny / "tiny.qs", columns=columns.split(","), run=few)
    assert caught.value.code == "E-COLUMN"


def test_the_command_prints_draws_and_gives_json(tiny, tmp_path, capsys):
    out = tmp_path / "dependence.png"
    typed = ["explain", str(tiny / "tiny.zarr"), "--model", str(tiny / "tiny.qs"), "--cluster", "threads", "--quiet"]
    assert main([*typed, "--partial", f"{ONE},{TWO.upper()}", "--grid", "3", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "hardest" in said
    assert "--set voronoi_index" in said
    assert out.read_bytes().startswith(b"\x89PNG")
    assert main([*typed, "--partial", ONE, "--grid", "3", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["qs"]) == 3
    assert main([*typed, "--partial", "sro__interstice_area__voro_std"]) == 64
    assert ONE in capsys.readouterr().err
