"""Numbers that do not belong together are not put together: scores, responses, what is computed again."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import qsdask
import qsdask.stages.predict
import qsdask.study.evaluate
from qsdask.cli import main
from qsdask.engine.recompute import again
from qsdask.errors import BadDataError
from qsdask.learn import load_model
from qsdask.stages.definition import definition_of
from qsdask.store import ledger
from qsdask.testing.lattices import sc
from tests.conftest import SPECIES

QUICK = {"trees": 5, "draws": 1, "folds": 2}


@pytest.fixture(scope="module")
def learned(tmp_path_factory, glass, shipped, few) -> tuple[Path, Path, Path]:
    """A store to learn from, a model, and another store with its softness."""
    home = tmp_path_factory.mktemp("learned")
    other = home / "b.zarr"
    qsdask.ingest(shipped / "cu65_b.dump.gz", other, species=SPECIES, chunk=2304, run=few)
    for stage in (qsdask.shells, qsdask.features, qsdask.respond):
        stage(other, run=few)
    model = qsdask.train(glass, model=home / "m.qs", run=few, **QUICK)
    qsdask.predict(other, model=model, run=few)
    return glass, model, other


def test_softness_of_a_model_that_was_trained_again_is_not_scored(learned, tmp_path, few):
    glass, model, other = learned
    again = tmp_path / model.name
    qsdask.train(glass, model=again, run=few, **QUICK, seed=1)
    for look in (qsdask.evaluate, qsdask.activation):
        look(other, model=model, run=few)
        with pytest.raises(BadDataError, match=r"E-MODEL-CHANGED(.|\n)*predict"):
            look(other, model=again, run=few)


def test_a_response_measured_otherwise_is_not_scored(learned, tmp_path, few):
    _, model, other = learned
    copy = shutil.copytree(other, tmp_path / "b.zarr")
    qsdask.respond(copy, cutoff=5.0, run=replace(few, overwrite=True))
    for look in (qsdask.evaluate, qsdask.activation):
        with pytest.raises(BadDataError, match=r"E-RESPONSE-DIFFERS(.|\n)*cutoff_angstrom: 4(.0)? -> 5.0"):
            look(copy, model=model, run=few)
    # A threshold of the user's own is the user's own choice.
    assert qsdask.activation(copy, model=model, threshold=12.0, run=few)


def test_symmetry_functions_with_another_reference_element_are_defined_otherwise(tmp_path, golden, few):
    from tests.small_store import small_dump

    dump = small_dump(golden, tmp_path / "a.dump", 0.3)
    told = []
    for name, species in (("cu", SPECIES), ("zr", {1: "Zr", 2: "Cu"})):
        store = qsdask.ingest(dump, tmp_path / f"{name}.zarr", species=species, strain_step=0.01, chunk=24, run=few)
        qsdask.features(store, set="symmetry_function", run=few)
        told.append(definition_of(store, ["symmetry_function"])["features"]["reference"])
    assert told == ["Cu", "Zr"]


def test_shells_of_a_deformed_frame_are_made_like_those_of_the_undeformed_glass(crystal, few):
    qsdask.shells(crystal, cutoff=3.7, tessellation="radical", run=few)
    qsdask.shells(crystal, step=1, run=few)
    still, strained = (ledger.require(crystal, key).settings for key in ("shells", "steps/1/shells"))
    assert still == strained
    # Each keeps its own settings when it is computed again with what it came from.
    qsdask.shells(crystal, step=1, tessellation="voronoi", run=replace(few, overwrite=True))
    again(crystal, ledger.require(crystal, "steps/1/shells"), few)
    assert "tessellation" not in ledger.require(crystal, "steps/1/shells").settings


def test_a_strain_that_was_not_stored_is_refused(crystal, capsys):
    assert main(["shells", str(crystal), "--strain", "0.5", "--quiet"]) == 65
    assert "E-STRAIN" in capsys.readouterr().err


def predicted(store, copy, model, step, run):
    """Copy of a store, with the softness of a deformed frame."""
    shutil.copytree(store, copy)
    for stage in (qsdask.shells, qsdask.features):
        stage(copy, step=step, run=run)
    return qsdask.predict(copy, model=model, step=step, run=run)


def test_export_tells_the_softness_of_the_frame_from_that_of_the_undeformed_glass(learned, tmp_path, few):
    _, model, other = learned
    copy = predicted(other, tmp_path / "b.zarr", model, 8, few)
    out = qsdask.export(copy, tmp_path / "b.dump", step=8, columns=["qs", "step_qs"])
    names = out.read_text().splitlines()[8].split()[2:]
    tree = qsdask.open_store(copy)
    for name, group in (("qs", "softness/m"), ("step_qs", "steps/8/softness/m")):
        column = np.loadtxt(out, skiprows=9, usecols=names.index(name))
        np.testing.assert_allclose(column, tree[group].ds["qs"].values, atol=1e-5)


def test_softness_of_a_deformed_frame_alone_is_exported(learned, tmp_path, few):
    glass, model, _ = learned
    copy = predicted(glass, tmp_path / "a.zarr", model, 1, few)
    assert "step_qs" in qsdask.export(copy, tmp_path / "a.dump", step=1, columns=["step_qs"]).read_text()


@pytest.mark.parametrize("interrupted", [False, True])
def test_another_run_of_one_glass_is_not_taken_for_the_one_in_the_store(tmp_path, golden, few, interrupted):
    from tests.small_store import small_dump

    first, second = (small_dump(golden, tmp_path / f"{k}.dump", 0.1 * k) for k in (1, 2))
    how = {"species": SPECIES, "strain_step": 0.01, "chunk": 24}
    store = qsdask.ingest(first, tmp_path / "a.zarr", **how, run=few)
    if interrupted:
        ledger.reopen(store, ledger.read(store, "ingest"), [(0, 0, 0)])
    with pytest.raises(BadDataError, match=r"E-OTHER-INPUT(.|\n)*--overwrite"):
        qsdask.ingest(second, store, **how, run=few)
    qsdask.ingest(first, store, **how, run=few)
    kept = qsdask.open_store(store)["frames/position"].values
    qsdask.ingest(second, store, **how, run=replace(few, overwrite=True))
    assert not np.array_equal(qsdask.open_store(store)["frames/position"].values[1], kept[1])


def test_glasses_of_the_same_ids_and_species_are_told_apart(tmp_path, golden, few):
    from tests.small_store import small_dump

    first = small_dump(golden, tmp_path / "1.dump")
    lines = first.read_text().splitlines()
    for start in (9, 66):
        atoms = [line.split() for line in lines[start : start + 48]]
        lines[start : start + 48] = [" ".join([*atom[:2], *atoms[(k + 17) % 48][2:]]) for k, atom in enumerate(atoms)]
    second = tmp_path / "2.dump"
    second.write_text("\n".join(lines) + "\n")
    stores = []
    for dump in (first, second):
        store = qsdask.ingest(dump, dump.with_suffix(".zarr"), species={1: "Cu", 2: "Cu"}, strain_step=0.01, run=few)
        for stage in (qsdask.shells, qsdask.features, qsdask.respond):
            stage(store, run=few)
        stores.append(store)
    how = {"strain": 0.01, "threshold": 0.3, "surface_margin": 0.0, **QUICK}
    both = load_model(qsdask.train(stores, model=tmp_path / "both.qs", run=few, **how))
    turned = load_model(qsdask.train(stores[::-1], model=tmp_path / "turned.qs", run=few, **how))
    assert both.digest() == turned.digest()
    assert len({s.key for s in both.specimens}) == 2
    alone = qsdask.train(stores[0], model=tmp_path / "alone.qs", run=few, **how)
    for store in stores:
        qsdask.predict(store, model=alone, run=few)
    assert qsdask.evaluate(stores[1], model=alone, run=few)["plastic"] > 0
    with pytest.raises(BadDataError, match="E-SPECIMEN-BOTH-SIDES"):
        qsdask.evaluate(stores[0], model=alone, run=few)


def crystal_dump(path: Path, boundary: str, *, kept: float = 1.0) -> Path:
    """A distorted crystal; in its second frame only the atoms below a part of the box are left."""
    position, cell = sc(2.9, 6)
    position = position + np.random.default_rng(1).uniform(0.0, 0.3, position.shape) + 0.5
    length = cell[0, 0] + 1.0
    text = ""
    for step, there in enumerate((position[:, 0] > 0, position[:, 0] <= kept * length)):
        rows = [f"{i + 1} 1 {x:.5f} {y:.5f} {z:.5f}" for i, (x, y, z) in enumerate(position) if there[i]]
        head = [f"ITEM: TIMESTEP\n{step}", f"ITEM: NUMBER OF ATOMS\n{len(rows)}", f"ITEM: BOX BOUNDS {boundary}"]
        text += "\n".join([*head, *[f"0 {length}"] * 3, "ITEM: ATOMS id type x y z", *rows]) + "\n"
    path.write_text(text)
    return path


@pytest.fixture
def crystal(tmp_path, few) -> Path:
    dump = crystal_dump(tmp_path / "c.dump", "pp pp pp")
    return qsdask.ingest(dump, tmp_path / "c.zarr", species={1: "Cu"}, strain_step=0.01, chunk=64, run=few)


def keys(store: Path) -> set[str]:
    return {record.key for record in ledger.records(store) if record.complete}


def test_shells_that_need_more_slots_still_compute_again_what_was_built_on_them(crystal, few):
    qsdask.shells(crystal, run=few)
    qsdask.features(crystal, set="coordination,chemistry", run=few)
    before = keys(crystal)
    qsdask.shells(crystal, cutoff=6.5, run=replace(few, overwrite=True))
    assert keys(crystal) == before


def test_one_stage_that_is_refused_does_not_cost_the_others(crystal, few, caplog):
    qsdask.shells(crystal, facet_fraction=0.0, run=few)
    qsdask.features(crystal, set="bond_order,coordination", facet_weighting="area", run=few)
    before = keys(crystal)
    qsdask.shells(crystal, run=replace(few, overwrite=True))
    assert keys(crystal) == before - {"features/bond_order"}
    assert "features/bond_order was removed" in caplog.text


def test_a_cluster_in_one_domain_has_no_ghosts_and_every_feature(tmp_path, few):
    dump = crystal_dump(tmp_path / "free.dump", "ff ff ff")
    store = qsdask.ingest(dump, tmp_path / "free.zarr", species={1: "Cu"}, strain_step=0.01, chunk=4096, run=few)
    qsdask.shells(store, run=few)
    qsdask.features(store, set="bond_order", run=few)
    value = qsdask.open_store(store)["features/bond_order"].ds["value"].values
    assert np.isfinite(value).any(axis=1).sum() > 50


def test_a_domain_that_has_lost_all_its_atoms_holds_no_numbers(tmp_path, few):
    dump = crystal_dump(tmp_path / "lost.dump", "pp pp pp", kept=0.2)
    store = qsdask.ingest(
        dump, tmp_path / "lost.zarr", species={1: "Cu"}, strain_step=0.01, chunk=36, lost_atoms="mask", run=few
    )
    qsdask.shells(store, step=1, run=few)
    qsdask.features(store, set="coordination", step=1, coarsen_radius=[4.5], run=few)
    tree = qsdask.open_store(store)
    lost = np.isnan(tree["frames"].ds["position"].values[1]).any(axis=1)
    value = tree["steps/1/features/coordination"].ds["value"].values
    assert lost.reshape(-1, 36).all(axis=1).any(), "every domain has an atom left"
    assert np.isnan(value[lost]).all()
    assert np.isfinite(value[~lost]).any()


@pytest.mark.parametrize("what", ["predict", "evaluate"])
def test_a_model_that_is_trained_again_while_it_is_used_gives_no_mixture(learned, tmp_path, few, monkeypatch, what):
    glass, model, other = learned
    own, store = shutil.copytree(model, tmp_path / "m.qs"), shutil.copytree(other, tmp_path / "b.zarr")
    module, name = {
        "predict": ("qsdask.stages.predict", "softness_of_atoms"),
        "evaluate": ("qsdask.study.evaluate", "probabilities"),
    }[what]
    module = sys.modules[module]
    original, seen = getattr(module, name), []

    def retrained(*arguments, **further):
        if not seen:
            qsdask.train(glass, model=own, run=replace(few, overwrite=True), **{**QUICK, "trees": 3})
        seen.append(1)
        return original(*arguments, **further)

    monkeypatch.setattr(module, name, retrained)
    alone = replace(few, workers=1, overwrite=True)
    with pytest.raises(BadDataError, match=r"(?s)E-MODEL-CHANGED.*trained again while it was used"):
        getattr(qsdask, what)(store, model=own, run=alone)
    assert len(seen) == 1
