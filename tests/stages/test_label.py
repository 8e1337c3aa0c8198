"""Labels of the user's own in a store: kept by id whatever the order, refused with their place, mended, exported."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import qsdask
from qsdask.errors import BadDataError, CannotCreateError, NoInputError, UsageError
from qsdask.store import ledger
from qsdask.store.reader import StoreReader
from qsdask.views.export import exportable
from tests.small_store import SPECIES, small_dump


@pytest.fixture(scope="module")
def made(tmp_path_factory, golden, few) -> Path:
    """Two stores of 48 atoms, cut into 2 and 3 domains; not to be changed."""
    home = tmp_path_factory.mktemp("label")
    dump = small_dump(golden, home / "tiny.dump")
    for name, chunk in (("two.zarr", 24), ("three.zarr", 16)):
        qsdask.ingest(dump, home / name, species=SPECIES, strain_step=0.01, chunk=chunk, run=few)
    return home


@pytest.fixture
def home(made, tmp_path) -> Path:
    return shutil.copytree(made, tmp_path / "home")


@pytest.fixture
def table(home) -> Path:
    return written(home / "barriers.csv", wanted())


def wanted() -> dict[int, float]:
    value = {k: 0.1 + 0.01 * k for k in range(1, 49)}
    return {**value, 5: np.nan, 17: np.nan}


def written(file: Path, value: dict, seed: int = 0) -> Path:
    order = np.random.default_rng(seed).permutation([*value])
    file.write_text(
        "id,barrier\n" + "".join(f"{k},{'' if value[k] != value[k] else value[k]}\n" for k in order.tolist())
    )
    return file


def by_id(store: Path, name: str = "barrier") -> dict[int, float]:
    root = StoreReader(store)
    return dict(zip(root["atoms/id"][:].tolist(), root[f"labels/{name}/value"][:].tolist(), strict=True))


def same(one: dict, two: dict) -> bool:
    return one.keys() == two.keys() and np.array_equal([*one.values()], [two[k] for k in one], equal_nan=True)


def test_values_stand_by_their_atoms_whatever_the_order_the_cut_and_the_way_they_come(home, table, few):
    digests = set()
    for store, values in (("two.zarr", table), ("three.zarr", written(home / "other.csv", wanted(), seed=3))):
        qsdask.label(home / store, values=values, name="barrier", unit="eV", run=few)
        assert same(by_id(home / store), wanted())
        record = ledger.require(home / store, "labels/barrier")
        digests.add(record.settings["values"])
        assert (record.facts["n_value"], record.facts["n_without"]) == (46, 2)
        assert qsdask.verify(home / store, progress=False) == []
        assert not (home / store / ".label").exists()
    assert len(digests) == 1
    # From memory they are the same label: nothing is computed again and nothing refused.
    before = ledger.require(home / "two.zarr", "labels/barrier")
    qsdask.label(home / "two.zarr", values=wanted(), name="barrier", unit="eV", run=few)
    assert ledger.require(home / "two.zarr", "labels/barrier") == before


def test_a_store_shows_the_label_with_its_unit_and_meaning(home, table, few):
    store = qsdask.label(
        home / "two.zarr", values=table, name="barrier", unit="eV", meaning="lowest of 50 searches", run=few
    )
    found = qsdask.open_store(store)["labels/barrier"].to_dataset()["value"]
    assert found.dims == ("atom",)
    assert (found.attrs["units"], found.attrs["long_name"]) == ("eV", "lowest of 50 searches")
    assert StoreReader(store)["labels/barrier/value"].chunks == StoreReader(store)["atoms/id"].chunks
    assert "labels/barrier" in [stage["stage"] for stage in qsdask.info(store)["stages"]]
    assert "barrier" in exportable(store)
    out = qsdask.export(store, home / "out.csv", columns=["Barrier"])
    again = np.genfromtxt(out, delimiter=",", names=True, usecols=("id", "barrier"))
    assert same(dict(zip(again["id"].astype(int).tolist(), again["barrier"].tolist(), strict=True)), wanted())
    frame = qsdask.open_store(store).qs.to_dataframe(["barrier"])
    assert same(dict(zip(frame["id"], frame["barrier"], strict=True)), wanted())


def test_two_labels_stand_beside_each_other_and_other_values_need_overwrite(home, table, few):
    store = home / "two.zarr"
    qsdask.label(store, values=table, name="barrier", run=few)
    qsdask.label(store, values={k: k for k in range(1, 49)}, name="p_hop", run=few)
    other = {**wanted(), 7: 9.0}
    with pytest.raises(CannotCreateError) as caught:
        qsdask.label(store, values=other, name="barrier", run=few)
    assert caught.value.code == "E-SETTINGS"
    with pytest.raises(CannotCreateError, match="unit: 1 -> eV"):
        qsdask.label(store, values=table, name="barrier", unit="eV", run=few)
    qsdask.label(store, values=other, name="barrier", run=replace(few, overwrite=True))
    assert same(by_id(store), other)
    assert by_id(store, "p_hop")[48] == 48.0
    assert qsdask.verify(store, progress=False) == []


@pytest.mark.parametrize(
    ("change", "code", "atom_id", "said"),
    [
        (lambda v: {k: x for k, x in v.items() if k not in (9, 11)}, "E-LABEL-MISSING", 9, "2 of the 48.*ids 9, 11"),
        (lambda v: {**v, 4711: 0.5}, "E-LABEL-ID", 4711, "no atom of id 4711"),
        (lambda v: dict.fromkeys(v, np.nan), "E-NO-VALUE", None, "no atom has a value"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_and_the_store_stays_as_it_was(home, few, change, code, atom_id, said):
    file = written(home / "wrong.csv", change(wanted()))
    with pytest.raises(BadDataError, match=said) as caught:
        qsdask.label(home / "two.zarr", values=file, name="barrier", run=few)
    assert (caught.value.code, caught.value.atom_id, caught.value.file) == (code, atom_id, str(file))
    assert ledger.read(home / "two.zarr", "labels/barrier") is None
    assert not (home / "two.zarr" / "labels").exists()
    assert qsdask.verify(home / "two.zarr", progress=False) == []


@pytest.mark.parametrize("rows", [1, 7, 1 << 18])
def test_an_id_that_stands_twice_is_refused_with_its_line_in_one_piece_or_two(home, table, few, rows, monkeypatch):
    monkeypatch.setattr("qsdask.formats.values._ROWS", rows)
    lines = table.read_text().splitlines()
    twice = lines[10].split(",")[0]
    table.write_text("\n".join([*lines[:30], f"{twice},0.5", *lines[30:]]) + "\n")
    with pytest.raises(BadDataError, match=f"atom id {twice} stands twice") as caught:
        qsdask.label(home / "two.zarr", values=table, name="barrier", run=few)
    assert (caught.value.code, caught.value.line, caught.value.atom_id) == ("E-DUP-ID", 31, int(twice))


def test_a_partial_table_leaves_the_others_without_a_value(home, few):
    file = written(home / "few.csv", {3: 0.5, 40: 0.0})
    qsdask.label(home / "two.zarr", values=file, name="barrier", partial=True, run=few)
    found = by_id(home / "two.zarr")
    assert {k: x for k, x in found.items() if x == x} == {3: 0.5, 40: 0.0}
    assert ledger.require(home / "two.zarr", "labels/barrier").facts["n_without"] == 46


@pytest.mark.parametrize(
    "name", ["d2min", "propensity", "D2MIN", "qs", "id", "value", "a/b", ".hidden", "", "zarr.json"]
)
def test_names_that_something_else_has_are_refused(home, table, few, name):
    with pytest.raises(UsageError) as caught:
        qsdask.label(home / "two.zarr", values=table, name=name, run=few)
    assert caught.value.code == "E-NAMING"


def test_a_label_needs_a_store_and_its_file(home, table, few):
    with pytest.raises(NoInputError):
        qsdask.label(home / "nowhere.zarr", values=table, name="barrier", run=few)
    with pytest.raises(NoInputError):
        qsdask.label(home / "two.zarr", values=home / "nowhere.csv", name="barrier", run=few)
    with pytest.raises(UsageError, match="unit"):
        qsdask.label(home / "two.zarr", values=table, name="barrier", unit="e\nV", run=few)


def test_a_damaged_label_is_mended_from_its_file_to_the_same_bytes(home, table, few):
    store = qsdask.label(home / "two.zarr", values=table, name="barrier", run=few)
    chunk = store / "labels/barrier/value/c/1"
    before = chunk.read_bytes()
    chunk.write_bytes(before[:-3] + bytes(3))
    assert [item.stage for item in qsdask.verify(store, progress=False)] == ["labels/barrier"]
    # The folder with both may move.
    moved = home.rename(home.parent / "moved")
    done = qsdask.repair(moved / "two.zarr", run=few)
    assert any("1 of 2 tasks computed again" in line for line in done)
    assert (moved / "two.zarr/labels/barrier/value/c/1").read_bytes() == before
    assert qsdask.verify(moved / "two.zarr", progress=False) == []


def test_values_that_are_gone_are_not_replaced_by_others(home, table, few):
    store = qsdask.label(home / "two.zarr", values=table, name="barrier", run=few)
    (store / "labels/barrier/value/c/1").unlink()
    written(table, {**wanted(), 7: 9.0})
    [said] = qsdask.repair(store, run=few)
    assert f"run 'qsdask label {store} --from FILE --name barrier'" in said
    with pytest.raises(qsdask.QSDaskError) as caught:
        ledger.require(store, "labels/barrier")
    assert caught.value.code == "E-INCOMPLETE"
    written(table, wanted(), seed=9)
    qsdask.label(store, values=table, name="barrier", run=few)
    assert same(by_id(store), wanted())
    assert qsdask.verify(store, progress=False) == []


def test_an_interrupted_label_goes_on_where_it_was(home, table, few, monkeypatch):
    from qsdask.stages import label as stage

    store, work = home / "two.zarr", stage._label_domain

    def fails(run, part, domain, steps, **how):
        if domain == 1:
            raise BadDataError("stopped", code="E-TEST")
        work(run, part, domain, steps, **how)

    monkeypatch.setattr(stage, "_label_domain", fails)
    with pytest.raises(BadDataError, match="stopped"):
        qsdask.label(store, values=table, name="barrier", run=few)
    monkeypatch.undo()
    [left] = [r for r in ledger.records(store) if r.key == "labels/barrier"]
    assert not left.complete
    assert not (store / ".label").exists()
    qsdask.label(store, values=table, name="barrier", run=few)
    assert same(by_id(store), wanted())
    assert qsdask.verify(store, progress=False) == []


def test_a_new_trajectory_brings_the_label_again_from_its_file(home, table, golden, few):
    store = qsdask.label(home / "two.zarr", values=table, name="barrier", run=few)
    other = small_dump(golden, home / "other.dump", 0.1)
    qsdask.ingest(other, store, species=SPECIES, strain_step=0.01, chunk=20, run=replace(few, overwrite=True))
    assert same(by_id(store), wanted())
    assert qsdask.verify(store, progress=False) == []
