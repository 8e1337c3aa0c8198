"""``qsdask packing``: the same for every cut, by brute force on the atoms of the store, at free surfaces, from the command."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

import qsdask
from qsdask.analysis.connected import Groups
from qsdask.analysis.packing import kinds_of
from qsdask.cli import main
from qsdask.engine.reading import read_box
from qsdask.errors import UsageError
from qsdask.learn.table import identity_hash
from qsdask.reporting.published import packing_rows
from qsdask.store import ledger
from qsdask.store.reader import StoreReader
from qsdask.study.clusters import _spans
from qsdask.study.surface import known_depth, margin_of
from tests.naive import pairs as naive

MODEL = {"model": "cuzr-fast"}
TYPED = ("--model", "cuzr-fast", "--cluster", "threads", "--quiet")


@pytest.fixture(scope="module")
def open_slab(shaken, tmp_path_factory, few):
    """The golden glass, three times as long along z, where it has free surfaces, and sheared in a tilted cell."""
    home = tmp_path_factory.mktemp("slab")
    root = StoreReader(shaken["first"])
    box, place = read_box(root, 0), root["frames/position"][0]
    edge = box.cell.diagonal()
    every = np.concatenate([place + [0.0, 0.0, k * edge[2]] for k in range(3)])
    lines = ["ITEM: TIMESTEP", "0", "ITEM: NUMBER OF ATOMS", str(len(every)), "ITEM: BOX BOUNDS xy xz yz pp pp ff"]
    low = box.origin
    tilt = 3.0
    lines += [
        f"{low[0]} {low[0] + edge[0] + tilt} {tilt}",
        f"{low[1]} {low[1] + edge[1]} 0",
        f"{low[2] - 1.0} {low[2] + 3 * edge[2] + 1.0} 0",
        "ITEM: ATOMS id type x y z",
    ]
    kind = np.tile(root["atoms/species"][:], 3) + 1
    every[:, 0] += tilt * (every[:, 1] - low[1]) / edge[1]
    lines += [f"{k + 1} {kind[k]} {x:.5f} {y:.5f} {z:.5f}" for k, (x, y, z) in enumerate(every)]
    (home / "slab.dump").write_text("\n".join(lines) + "\n")
    made = {}
    for name, chunk in (("whole", 768), ("cut", 96)):
        store = made[name] = home / f"{name}.zarr"
        qsdask.ingest(home / "slab.dump", store, species={1: "Cu", 2: "Zr"}, chunk=chunk, name="slab", run=few)
        qsdask.surface(store, run=few)
        qsdask.shells(store, run=few)
        qsdask.features(store, run=few)
        qsdask.predict(store, accept_outside=True, run=few, **MODEL)
    return made


def test_the_cut_into_domains_changes_no_number(shaken, few):
    one, other = (qsdask.packing(shaken[name], block=5.2, run=few, **MODEL) for name in ("whole", "cut"))
    xr.testing.assert_identical(one.drop_attrs(), other.drop_attrs())
    assert np.isfinite(one["dimension_interval"].sel({"class": "all"})).all()


def test_pairs_are_those_of_brute_force(shaken, few):
    found = qsdask.packing(shaken["cut"], reach=6.0, run=few, **MODEL)
    root = StoreReader(shaken["cut"])
    qs, box = root["softness/cuzr-fast/qs"][:], read_box(root, 0)
    kind = kinds_of(qs, 0.1, 0.7)
    border = np.full(len(qs), np.inf)
    position = box.wrap(root["frames/position"][0])
    pairs, centres = naive.class_pairs(position, box.cell, box.periodic, kind, 4, border, 6.0 / 200, 200)
    np.testing.assert_allclose(found["mass"].sel({"class": "all"}), np.cumsum(pairs.sum(axis=(0, 1))) / len(qs))
    for k, name in ((1, "hard"), (2, "soft")):
        if centres[k, 0]:
            np.testing.assert_allclose(found["mass"].sel({"class": name}), np.cumsum(pairs[k, k]) / centres[k])
    shell = 4 / 3 * np.pi * np.diff((np.arange(201) * 0.03) ** 3)
    g = pairs.sum(axis=(0, 1)) / len(qs) / (len(qs) / box.volume * shell)
    np.testing.assert_allclose(found["g"].sel(pair="all-all"), g)


def test_free_surfaces_of_a_tilted_cell_leave_the_density_as_it_is(open_slab, few):
    """Atoms near the surface are no centres for what they cannot see: g(r) is that of the glass, and goes to 1."""
    one, other = (qsdask.packing(open_slab[name], block=8.0, run=few, **MODEL) for name in ("whole", "cut"))
    xr.testing.assert_identical(one.drop_attrs(), other.drop_attrs())
    root = StoreReader(open_slab["whole"])
    label = ledger.require(open_slab["whole"], "softness/cuzr-fast").settings["label"]
    away = np.minimum(root["surface/surface_distance"][:], known_depth(open_slab["whole"], margin_of(label)))
    inside = away - margin_of(label)
    centres = one["centres"].sel({"class": "all"}).values
    np.testing.assert_array_equal(centres, [(inside >= edge).sum() for edge in one["r"].values])
    assert 0 < centres[-1] < centres[0] < len(away)
    volume = root["shells/voronoi/cell_volume"][:][inside >= 0].mean()
    assert one.attrs["spacing"] == pytest.approx(np.cbrt(volume), rel=1e-6)
    far = one["shell_r"].values > 5.0
    assert np.nanmean(one["g"].sel(pair="all-all").values[far]) == pytest.approx(1.0, abs=0.1)


def test_a_sample_of_centres_tells_about_the_same(shaken, few):
    whole, some = (qsdask.packing(shaken["cut"], sample=n, run=few, **MODEL) for n in (None, 120))
    n = int(some["centres"].sel({"class": "all"})[0])
    assert 80 < n < 160 < int(whole["centres"].sel({"class": "all"})[0]) == 256
    few_centres = qsdask.packing(shaken["cut"], sample=2, run=few, **MODEL)
    assert 0 < int(few_centres["centres"].sel({"class": "all"})[0]) < 8, "fewer centres than domains"
    near = whole["mass"].sel({"class": "all"}).values[-1]
    assert some["mass"].sel({"class": "all"}).values[-1] == pytest.approx(near, rel=0.02)


def test_what_cannot_be_is_refused(shaken, few):
    for wrong in (
        {"reach": -1.0},
        {"ranges": [(4.0, 3.0)]},
        {"ranges": [(4.0, 99.0)]},
        {"sample": 0},
        {"around": "some"},
    ):
        with pytest.raises(UsageError) as refused:
            qsdask.packing(shaken["whole"], run=few, **MODEL, **wrong)
        assert refused.value.code == "E-SETTING"


def test_the_command_prints_draws_and_writes(shaken, tmp_path, capsys):
    png, whole = tmp_path / "a.png", tmp_path / "a.zarr"
    asked = ["packing", str(shaken["whole"]), *TYPED, "--range", "3", "7.9", "--around", "all", "--with-centre"]
    assert main([*asked, "--out", str(png), "--out", str(whole)]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert all(word in printed for word in ("D of hard atoms, 3 to 7.9", "of any class", "as many by chance"))
    assert "goes through: along a cell vector" in printed
    assert png.read_bytes()[:4] == b"\x89PNG"
    assert xr.open_zarr(whole, consolidated=False)["r"].attrs["units"] == "angstrom"
    assert main([*asked, "--json", "--sample", "100"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["class"] == ["hard", "soft", "all"]
    assert np.shape(found["dimension_interval"]) == (3, 1, 2)


def test_exactly_as_many_atoms_are_drawn_by_chance(open_slab, few):
    """Those whose hashes are the least and the greatest of the usable atoms; their clusters are those of a graph of the whole glass."""
    root = StoreReader(open_slab["cut"])
    label = ledger.require(open_slab["cut"], "softness/cuzr-fast").settings["label"]
    away = root["surface/surface_distance"][:]
    qs = np.where(away < margin_of(label), np.nan, root["softness/cuzr-fast/qs"][:])
    low, high = np.nanquantile(qs, [0.3, 0.6])
    limits = {"hard_below": low, "soft_above": high}
    one, other = (qsdask.packing(open_slab[name], block=8.0, run=few, **MODEL, **limits) for name in ("whole", "cut"))
    xr.testing.assert_identical(one.drop_attrs(), other.drop_attrs())
    key = ledger.require(open_slab["cut"], "ingest").facts["specimen"]
    usable = np.flatnonzero(np.isfinite(qs))
    order = usable[np.argsort(identity_hash(0, "clusters", 0, key, root["atoms/id"][:])[usable])]
    hard, soft = np.flatnonzero(qs < low), np.flatnonzero(qs > high)
    assert len(hard) > 20
    assert len(soft) > 20
    drawn = {"hard": (hard, order[: len(hard)]), "soft": (soft, order[len(order) - len(soft) :])}
    neighbour = root["shells/cutoff/neighbour"][:]
    for part, members in drawn.items():
        found = one.sel(part=part)
        assert set(found["n_clustered"].values.tolist()) == {len(members[0])}
        for labels, rows in zip(("glass", "chance"), members, strict=True):
            there = np.isin(neighbour[rows], rows) & (neighbour[rows] >= 0)
            line, slot = np.nonzero(there)
            pair = rows[line], neighbour[rows][line, slot]
            graph = coo_array((np.ones(len(line)), pair), shape=(len(qs), len(qs)))
            sizes = np.bincount(connected_components(graph, directed=False)[1][rows])
            sizes = sizes[sizes > 0]
            assert found["n_cluster"].sel(labels=labels) == len(sizes)
            assert found["cluster_largest"].sel(labels=labels) == sizes.max()


def test_limits_of_hard_and_soft_are_those_asked_for(shaken, few, capsys):
    found = qsdask.packing(shaken["cut"], run=few, hard_below=0.4, soft_above=0.5, **MODEL)
    qs = StoreReader(shaken["cut"])["softness/cuzr-fast/qs"][:]
    assert found["n_atom"].values.tolist() == [(qs < 0.4).sum(), (qs > 0.5).sum(), len(qs)]
    assert found["n_clustered"].sel(labels="glass").values.tolist() == [(qs < 0.4).sum(), (qs > 0.5).sum()]
    # What is published is of other classes.
    assert not any(row.published or row.word for row in packing_rows(found))
    with pytest.raises(UsageError, match="no atom may be hard and soft") as refused:
        qsdask.packing(shaken["cut"], run=few, hard_below=0.6, soft_above=0.5, **MODEL)
    assert refused.value.code == "E-SETTING"
    assert main(["packing", str(shaken["cut"]), *TYPED, "--hard-below", "0.4", "--soft-above", "0.5"]) == 0
    assert "hard: QS < 0.4; soft: QS > 0.5" in " ".join(capsys.readouterr().out.split())


def test_clusters_go_through_where_they_wind_or_reach_both_ends():
    """Along c, without a period, from end to end; along a by winding; along b neither."""
    label = np.ones(2, dtype=np.int64)
    winding = np.array([[True, False, False], [False, True, False]])
    low = np.array([[0.1, 0.0, 0.05], [0.4, 0.4, 0.5]])
    high = np.array([[0.2, 1.0, 0.93], [0.5, 0.5, 0.9]])
    groups = Groups(label, label, label, winding, low, high)
    periodic, tolerance = np.array([True, True, False]), np.full(3, 0.1)
    ends = np.zeros(3), np.ones(3)
    assert _spans(groups, *ends, tolerance, periodic).tolist() == [True, True, True]
    assert _spans(groups, *ends, tolerance / 2, periodic).tolist() == [True, True, False]
    one = Groups(*(part[:1] for part in groups))
    assert _spans(one, *ends, tolerance, periodic).tolist() == [True, False, True]
    assert not _spans(groups.of(2), *ends, tolerance, periodic).any()
