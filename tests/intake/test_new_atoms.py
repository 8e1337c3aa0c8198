"""Atoms that come during a run: refused, or counted and left out, however frames are cut and whatever else they do."""

from __future__ import annotations

import numpy as np
import pytest

import qsdask
from qsdask.cli import main
from qsdask.errors import BadDataError
from qsdask.intake import scatter
from tests.conftest import SPECIES
from tests.intake.test_loading import run_of, stretched
from tests.intake.test_reference import by_id, frames_of, with_rows, written
from tests.intake.test_scatter import warned
from tests.store_files import content_of

GRADIENTS = [stretched("z", e) for e in (0, 0.01, 0.02, 0.03)]


@pytest.fixture
def run(tmp_path):
    return frames_of(run_of(GRADIENTS, tmp_path / "whole.dump", jump=0.01))


@pytest.fixture
def whole(run, tmp_path, few):
    """Store of the run without any atom that comes."""
    store = qsdask.ingest(tmp_path / "whole.dump", tmp_path / "whole.zarr", species=SPECIES, chunk=16, run=few)
    return qsdask.respond(store, run=few)


def strangers(frame: str, number: int, *, at="mixed", kind="1", seed=0) -> str:
    """The frame with so many atoms more, at the begin, the end, or between the others."""
    rng = np.random.default_rng(seed)
    new = [[str(7000 + k), kind, *(f"{v:.4f}" for v in rng.uniform(1, 8, 3))] for k in range(number)]

    def change(rows):
        if at == "first":
            return new + rows
        if at == "last":
            return rows + new
        return [(rows + new)[k] for k in rng.permutation(len(rows) + number)]

    return with_rows(frame, change)


@pytest.mark.parametrize("at", ["first", "last", "mixed"])
@pytest.mark.parametrize(("atoms", "chunk"), [(7, 16), (20, 1000), (scatter.PIECE_ATOMS, 16), (1, 60)])
def test_they_change_no_number_of_the_others(run, whole, tmp_path, few, monkeypatch, at, atoms, chunk):
    counts = [0, 30, 0, 200]
    dump = written(tmp_path / "come.dump", *(strangers(f, n, at=at, seed=n) for f, n in zip(run, counts, strict=True)))
    monkeypatch.setattr(scatter, "PIECE_ATOMS", atoms)
    store = qsdask.ingest(dump, tmp_path / "g.zarr", species=SPECIES, chunk=chunk, new_atoms="ignore", run=few)
    qsdask.respond(store, run=few)
    for name, value in by_id(whole).items():
        np.testing.assert_array_equal(by_id(store)[name], value, err_msg=name)
    assert qsdask.open_store(store)["frames/n_new"].values.tolist() == counts
    assert qsdask.verify(store, progress=False) == []


def test_pieces_and_chunks_write_the_same_bytes(run, tmp_path, few, monkeypatch):
    dump = written(tmp_path / "come.dump", *(strangers(f, 40 * k, seed=k) for k, f in enumerate(run)))
    stores = [tmp_path / f"{n}.zarr" for n in (1, 7, 61, 10**6)]
    for store, atoms in zip(stores, (1, 7, 61, 10**6), strict=True):
        monkeypatch.setattr(scatter, "PIECE_ATOMS", atoms)
        qsdask.ingest(dump, store, species=SPECIES, chunk=16, name="g", new_atoms="ignore", run=few)
    assert all(content_of(store) == content_of(stores[0]) for store in stores[1:])


def test_they_are_refused_until_the_user_says_so_and_counted_then(run, tmp_path, few, capsys):
    dump = written(tmp_path / "come.dump", *(strangers(f, 4 * k, at="last") for k, f in enumerate(run)))
    store = tmp_path / "g.zarr"
    typed = [str(dump), str(store), "--species", "1=Cu,2=Zr", "--cluster", "threads", "--quiet"]
    assert main(["ingest", *typed]) == 65
    assert "--new-atoms ignore" in capsys.readouterr().err
    found = qsdask.check(dump, species=SPECIES)
    assert [error.code for error in found.errors] == ["E-LOST-ATOMS"] * 3
    # What the hint says works on the same store, with other settings too.
    assert main(["ingest", *typed, "--new-atoms", "ignore", "--chunk", "16"]) == 0
    told = "W-NEW-ATOMS: up to 12 atoms are not in the first frame; they are left out; first in frame 1"
    assert told in capsys.readouterr().err
    assert main(["info", str(store)]) == 0
    assert "W-NEW-ATOMS" in capsys.readouterr().out
    found = qsdask.check(dump, species=SPECIES, new_atoms="ignore")
    assert found.errors == []
    kept = qsdask.info(store)["stages"][0]["provenance"]["warnings"]
    assert kept == [warning._asdict() for warning in found.warnings]
    (store / "frames/n_new/c/2").write_bytes(b"no")
    assert qsdask.repair(store, source=dump, run=few)
    assert qsdask.open_store(store)["frames/n_new"].values.tolist() == [0, 4, 8, 12]


def test_stores_of_runs_without_them_are_as_they_were(run, whole):
    assert "n_new" not in qsdask.open_store(whole)["frames"].data_vars
    assert "new_atoms" not in qsdask.info(whole)["stages"][0]["settings"]


@pytest.mark.parametrize("atoms", [5, scatter.PIECE_ATOMS])
def test_atoms_may_come_and_go_at_once(run, whole, tmp_path, few, monkeypatch, atoms):
    fewer = [with_rows(f, lambda rows, k=k: rows[4 * k :]) for k, f in enumerate(run)]
    dump = written(tmp_path / "both.dump", *(strangers(f, 4 * k, seed=k) for k, f in enumerate(fewer)))
    monkeypatch.setattr(scatter, "PIECE_ATOMS", atoms)
    how = {"lost_atoms": "mask", "new_atoms": "ignore"}
    for one in how:  # neither alone suffices
        with pytest.raises(BadDataError, match="E-LOST-ATOMS"):
            qsdask.ingest(dump, tmp_path / "g.zarr", species=SPECIES, **{one: how[one]}, run=few)
    store = qsdask.ingest(dump, tmp_path / "g.zarr", species=SPECIES, chunk=16, **how, run=few)
    qsdask.respond(store, run=few)
    tree = qsdask.open_store(store)
    assert tree["frames/n_lost"].values.tolist() == tree["frames/n_new"].values.tolist() == [0, 4, 8, 12]
    assert {"W-LOST-ATOMS", "W-NEW-ATOMS"} <= warned(store)
    there = np.isfinite(by_id(store)["position"]).all(axis=2)
    assert (~there).sum(axis=1).tolist() == [0, 4, 8, 12]
    np.testing.assert_array_equal(by_id(store)["position"][there], by_id(whole)["position"][there])
    assert qsdask.check(dump, species=SPECIES, **how).errors == []


def test_a_domain_may_lose_all_of_its_atoms(run, tmp_path, few):
    first = qsdask.ingest(tmp_path / "whole.dump", tmp_path / "w.zarr", species=SPECIES, chunk=16, run=few)
    gone = {str(i) for i in qsdask.open_store(first)["atoms/id"].values[16:32]}
    late = [with_rows(f, lambda rows: [r for r in rows if r[0] not in gone]) for f in run[2:]]
    dump = written(tmp_path / "hole.dump", *run[:2], *late)
    found = {}
    for chunk in (16, 1000):
        store = tmp_path / f"{chunk}.zarr"
        qsdask.ingest(dump, store, species=SPECIES, chunk=chunk, lost_atoms="mask", run=few)
        found[chunk] = by_id(qsdask.respond(store, run=few))["d2min"]
    np.testing.assert_array_equal(found[16], found[1000])
    assert np.isfinite(found[16]).any(axis=1).all()


def test_an_id_that_is_used_again_is_told(run, tmp_path, few):
    """An atom leaves; later a new one has its id. Of another species it is refused, of the same it is said."""

    def again(kind):
        def change(rows):
            mine = rows[5]
            return [*rows[:5], *rows[6:], [mine[0], kind or mine[1], "4.0", "4.0", "4.0"]]

        return change

    gone = with_rows(run[1], lambda rows: [*rows[:5], *rows[6:]])
    kind = run[0].splitlines()[9 + 5].split()[1]
    dump = written(tmp_path / "same.dump", run[0], gone, with_rows(run[2], again(None)))
    store = qsdask.ingest(dump, tmp_path / "g.zarr", species=SPECIES, lost_atoms="mask", run=few)
    assert {"W-LOST-ATOMS", "W-ATOMS-BACK"} <= warned(store)
    assert "W-ATOMS-BACK" in {w.code for w in qsdask.check(dump, species=SPECIES, lost_atoms="mask").warnings}
    other = written(tmp_path / "other.dump", run[0], gone, with_rows(run[2], again(str(3 - int(kind)))))
    with pytest.raises(BadDataError, match="E-TYPE-CHANGE"):
        qsdask.ingest(other, tmp_path / "h.zarr", species=SPECIES, lost_atoms="mask", new_atoms="ignore", run=few)


@pytest.mark.parametrize("kind", ["3", "99"])
def test_the_species_of_what_comes_is_nobodys_business(run, whole, tmp_path, few, kind):
    dump = written(tmp_path / "gas.dump", run[0], *(strangers(f, 9, kind=kind) for f in run[1:]))
    store = qsdask.ingest(dump, tmp_path / "g.zarr", species=SPECIES, new_atoms="ignore", run=few)
    assert qsdask.open_store(store)["atoms/species_name"].values.tolist() == ["Cu", "Zr"]
    assert qsdask.check(dump, species=SPECIES, new_atoms="ignore").errors == []
    # The type of an atom that was there must not change, and its own line is named.
    wrong = with_rows(
        strangers(run[1], 9, at="first"), lambda rows: [*rows[:20], [rows[20][0], kind, *rows[20][2:]], *rows[21:]]
    )
    dump = written(tmp_path / "wrong.dump", run[0], wrong)
    with pytest.raises(BadDataError, match="E-TYPE-CHANGE") as refusal:
        qsdask.ingest(dump, tmp_path / "h.zarr", species=SPECIES, new_atoms="ignore", run=few)
    assert refusal.value.line == run[0].count("\n") + 10 + 20


def test_behind_a_reference(run, whole, tmp_path, few):
    alone = written(tmp_path / "relaxed.dump", run[0])
    rest = written(tmp_path / "run.dump", *(strangers(f, 5 + k, at="first") for k, f in enumerate(run[1:])))
    store = qsdask.ingest(rest, tmp_path / "g.zarr", species=SPECIES, reference=alone, new_atoms="ignore", run=few)
    qsdask.respond(store, run=few)
    assert qsdask.open_store(store)["frames/n_new"].values.tolist() == [0, 5, 6, 7]
    np.testing.assert_array_equal(by_id(store)["d2min"], by_id(whole)["d2min"])
