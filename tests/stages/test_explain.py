"""Contributions of columns to the softness of atoms, from the command to the files: sums, cuts, resuming, mending."""

from __future__ import annotations

import numpy as np
import pytest

import qsdask
from qsdask.cli import main
from qsdask.errors import BadDataError, NoInputError
from qsdask.learn import loaded, probabilities
from qsdask.stages.parts import members, part_of, quantity_of, range_of, statistic_of, sums
from qsdask.store import ledger
from qsdask.store.reader import StoreReader
from tests.small_store import SPECIES

KEY = "explanation/tiny"


@pytest.fixture
def explained(own, few):
    """A copy of the small store, explained."""
    return qsdask.explain(own / "tiny.zarr", model=own / "tiny.qs", run=few)


def by_id(store, *names):
    root = StoreReader(store)
    order = np.argsort(root["atoms/id"][:])
    return [root[f"{KEY}/{name}"][:][order] for name in names]


def test_contributions_add_up_to_the_score(explained, own):
    root, model = StoreReader(explained), loaded(str(own / "tiny.qs"))
    score, added, summed, expected = (
        root[f"{KEY}/{name}"][:] for name in ("score", "contribution", "summed", "expected")
    )
    known = np.isfinite(root["softness/tiny/qs"][:])
    assert known.any()
    assert (np.isfinite(score) == known).all()
    assert (np.isfinite(added) == known[:, None]).all()
    each = probabilities(model, root["features/interstice/value"][:])[:, known]
    np.testing.assert_allclose(score[known], np.log(each / (1 - each)).mean(axis=0), rtol=0, atol=1e-9)
    np.testing.assert_allclose(expected.mean() + summed[known].sum(axis=1), score[known], rtol=0, atol=1e-9)
    np.testing.assert_allclose(expected.mean() + added[known].sum(axis=1), score[known], rtol=0, atol=1e-5)
    assert added[known].any()
    assert root.names(f"{KEY}/feature") == list(model.columns)
    of = members(model.columns)
    assert root.names(f"{KEY}/part") == list(of)
    np.testing.assert_allclose(summed[known], sums(added[known].astype(float), of), rtol=0, atol=1e-5)
    for variable in qsdask.open_store(explained)[KEY].ds.data_vars.values():
        assert variable.attrs["units"] == "1"
        assert variable.attrs["long_name"]


@pytest.mark.parametrize("chunk", [16, 48])
def test_no_cut_changes_a_bit(explained, own, few, tmp_path, chunk):
    store = tmp_path / "cut.zarr"
    qsdask.ingest(own / "tiny.dump", store, species=SPECIES, strain_step=0.01, chunk=chunk, run=few)
    qsdask.shells(store, run=few)
    qsdask.features(store, run=few)
    qsdask.predict(store, model=own / "tiny.qs", run=few)
    qsdask.explain(store, model=own / "tiny.qs", run=few)
    assert len(StoreReader(store)["domains/row"][:]) == 48 // chunk
    names = ("score", "contribution", "summed")
    for mine, cut in zip(by_id(explained, *names), by_id(store, *names), strict=True):
        np.testing.assert_array_equal(mine, cut)


def test_what_is_missing_is_made_and_what_is_damaged_is_made_anew(explained, own, few):
    whole = by_id(explained, "score", "contribution", "summed")
    ledger.reopen(explained, ledger.read(explained, KEY), [(0, 0, 0)])
    with pytest.raises(Exception, match="incomplete: 1 of 2 tasks"):
        ledger.require(explained, KEY)
    qsdask.explain(explained, model=own / "tiny.qs", run=few)
    ledger.require(explained, KEY)
    (explained / KEY / "contribution/c/1/0").write_bytes(b"no chunk")
    assert [damage.stage for damage in qsdask.verify(explained, progress=False)] == [KEY]
    assert qsdask.repair(explained, run=few) == [f"{KEY}: 1 of 2 tasks computed again"]
    for before, after in zip(whole, by_id(explained, "score", "contribution", "summed"), strict=True):
        np.testing.assert_array_equal(before, after)


def test_it_follows_its_softness(explained, own, few):
    """Features that are computed again bring it back; the softness of another model of the same name takes it away."""
    before = by_id(explained, "score")[0]
    again = qsdask.Run(cluster="threads", workers=2, progress=False, overwrite=True)
    qsdask.features(explained, run=again)
    np.testing.assert_array_equal(by_id(explained, "score")[0], before)
    qsdask.train(
        [own / "tiny.zarr"],
        model=own / "tiny.qs",
        **{"strain": 0.01, "threshold": 0.3, "folds": 2, "draws": 1, "trees": 7, "surface_margin": 0.0},
        run=again,
    )
    with pytest.raises(BadDataError) as caught:
        qsdask.explain(explained, model=own / "tiny.qs", run=few)
    assert caught.value.code == "E-MODEL-CHANGED"
    qsdask.predict(explained, model=own / "tiny.qs", run=again)
    assert ledger.read(explained, KEY) is None
    qsdask.explain(explained, model=own / "tiny.qs", run=few)
    assert (by_id(explained, "score")[0] != before).any()


def test_a_glass_without_softness_is_sent_to_predict(own, few, tmp_path):
    with pytest.raises(NoInputError) as caught:
        qsdask.explain(own / "tiny.zarr", model="cuzr", run=few)
    assert caught.value.code == "E-STAGE-MISSING"
    assert "qsdask predict" in caught.value.hint


def test_deformed_frames_have_explanations_of_their_own(own, few):
    store, model = own / "tiny.zarr", own / "tiny.qs"
    qsdask.shells(store, step=1, run=few)
    qsdask.features(store, step=1, run=few)
    qsdask.predict(store, model=model, step=1, accept_outside=True, run=few)
    assert main(["explain", str(store), "--model", str(model), "--frame", "1", "--cluster", "threads", "--quiet"]) == 0
    root = StoreReader(store)
    score = root[f"steps/1/{KEY}/score"][:]
    each = probabilities(loaded(str(model)), root["steps/1/features/interstice/value"][:])
    known = np.isfinite(score)
    np.testing.assert_allclose(score[known], np.log(each / (1 - each)).mean(axis=0)[known], rtol=0, atol=1e-9)


def test_its_columns_are_exported(explained, tmp_path, capsys):
    assert main(["export", str(explained), "--list"]) == 0
    listed = capsys.readouterr().out.split()
    wanted = ["score", "contribution__sro__interstice_area__voro__std", "summed__mro__interstice_area"]
    assert set(wanted) <= set(listed)
    out = qsdask.export(explained, tmp_path / "why.extxyz", columns=wanted)
    text = out.read_text().splitlines()
    assert all(name in text[1] for name in wanted)
    rows = [line.split() for line in text[2:]]
    root = StoreReader(explained)
    at = root.names(f"{KEY}/part").index("mro__interstice_area")
    np.testing.assert_allclose([float(row[-1]) for row in rows], root[f"{KEY}/summed"][:][:, at], rtol=1e-12)
    table = qsdask.open_store(explained).qs.to_dataframe(columns=wanted)
    np.testing.assert_array_equal(table[wanted[0]].values, root[f"{KEY}/score"][:])


def test_a_contribution_that_is_not_there_names_the_command(own, tmp_path, capsys):
    assert main(["export", str(own / "tiny.zarr"), "--columns", "summed__x__y", "--out", str(tmp_path / "a.csv")]) != 0
    assert "qsdask explain" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("column", "reach", "quantity", "statistic"),
    [
        ("sro__interstice_area__voro__std", "sro", "interstice_area", "std"),
        ("mro__interstice_distance__cutoff__min__max", "mro", "interstice_distance", "min_max"),
        ("mro_r5p5__ifold_5__voro__mean", "mro_r5p5", "ifold", "mean"),
        ("sro__symmetry_radial_a_r12__cutoff", "sro", "symmetry_radial_a", "value"),
        ("sro__voronoi_index_n4__voro", "sro", "voronoi_index", "value"),
        ("sro__coordination__voro", "sro", "coordination", "value"),
    ],
)
def test_names_of_columns_tell_what_they_share(column, reach, quantity, statistic):
    assert (range_of(column), quantity_of(column), statistic_of(column)) == (reach, quantity, statistic)
    assert part_of(column) == f"{reach}__{quantity}"
