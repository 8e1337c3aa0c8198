"""Steps over a store: the numbers do not depend on domains, steps a pass, workers or interruptions, and nothing is left behind."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import qsdask
from qsdask.engine import passes
from qsdask.engine.cost import Size
from qsdask.engine.where import Run
from qsdask.errors import BadDataError, QSDaskError
from qsdask.settings import FeatureSettings, ShellSettings
from qsdask.stages import features as stage
from qsdask.store import ledger
from qsdask.store.beside import SCRATCH
from qsdask.store.in_memory import StoreInMemory
from qsdask.store.reader import StoreReader
from qsdask.structure.elastic_network import ElasticNetwork
from qsdask.structure.soft_sphere_response import SoftSphereResponse
from qsdask.system.computed import add_features
from qsdask.testing.blocks import specimen
from tests.conftest import SPECIES
from tests.responses import by_id
from tests.structure.test_conformance import dumped

#: Few steps, so that many ways to cut them can be tried; the golden tests take all.
FEW_STEPS = {"network_steps": 5, "relax_steps": 4, "strain_steps": 2}
SETS = ("elastic_network", "soft_sphere_response")


def stored(folder, few, name="thin", chunk=1024):
    folder.mkdir(exist_ok=True)
    store = folder / f"{chunk}.zarr"
    return qsdask.ingest(dumped(specimen(name), folder / "a.dump"), store, species=SPECIES, chunk=chunk, run=few)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, few):
    """Both sets of one domain: all steps at once."""
    store = stored(tmp_path_factory.mktemp("whole"), few)
    qsdask.features(store, set=",".join(SETS), run=few, **FEW_STEPS)
    return {name: by_id(store, name)[1] for name in SETS}


def every(monkeypatch, k: int) -> None:
    """So many steps a pass."""

    def cuts(size, quantity):
        return (*range(0, quantity.n_step, k), quantity.n_step)

    monkeypatch.setattr(stage, "cuts_of", cuts)


def test_the_columns_may_have_a_pass_of_their_own(whole, tmp_path, few, monkeypatch):
    """Without a step in it."""
    monkeypatch.setattr(stage, "cuts_of", lambda size, quantity: (0, 3, quantity.n_step, quantity.n_step))
    store = stored(tmp_path, few, chunk=28)
    qsdask.features(store, set=SETS[1], run=few, **FEW_STEPS)
    np.testing.assert_array_equal(by_id(store, SETS[1])[1], whole[SETS[1]])


@pytest.mark.parametrize("k", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("chunk", [28, 16])
def test_every_cut_and_every_number_of_steps_a_pass_gives_the_same_bits(whole, tmp_path, few, monkeypatch, chunk, k):
    every(monkeypatch, k)
    store = stored(tmp_path, few, chunk=chunk)
    assert StoreReader(store).n_domain > 2
    qsdask.features(store, set=",".join(SETS), run=few, **FEW_STEPS)
    for name in SETS:
        np.testing.assert_array_equal(by_id(store, name)[1], whole[name], err_msg=name)
    assert not (store / SCRATCH).exists()
    assert not qsdask.verify(store, progress=False)


def test_processes_give_the_same_bits(whole, tmp_path, few):
    store = stored(tmp_path, few, chunk=28)
    qsdask.features(store, set="soft_sphere_response", run=Run("local", 2, progress=False), **FEW_STEPS)
    np.testing.assert_array_equal(by_id(store, SETS[1])[1], whole[SETS[1]])


class Interruption(BadDataError):
    """Raised by a test in the middle of the work."""


def stopping(monkeypatch, after: int) -> list[int]:
    """The work ends in an error after so many blocks; their number so far."""
    done: list[int] = []

    def stepped(*arguments, **settings):
        done.append(1)
        if len(done) > after:
            raise Interruption("stopped", code="E-TEST")
        return whole_block(*arguments, **settings)

    whole_block = passes.stepped_block
    monkeypatch.setattr(passes, "stepped_block", stepped)
    monkeypatch.setattr(stage, "stepped_block", stepped)
    return done


@pytest.mark.parametrize("after", [0, 2, 5, 10])
def test_what_was_interrupted_goes_on_where_it_was(whole, tmp_path, few, monkeypatch, after):
    """In the first pass, in a later one, and among the tasks of the columns: no pass is done twice."""
    every(monkeypatch, 2)
    store = stored(tmp_path, few, chunk=28)
    n_domain, one = StoreReader(store).n_domain, Run("threads", 1, progress=False)
    with monkeypatch.context() as during:
        stopping(during, after)
        with pytest.raises(QSDaskError, match="E-TEST"):
            qsdask.features(store, set=SETS[1], run=one, **FEW_STEPS)
    assert [damage.file for damage in qsdask.verify(store, progress=False) if damage.kind == "unfinished"][:1] == [
        SCRATCH
    ]
    assert ledger.pending(store, f"features/{SETS[1]}")
    with monkeypatch.context() as during:
        done = stopping(during, 10**6)
        qsdask.features(store, set=SETS[1], run=one, **FEW_STEPS)
    # Eight steps: three passes, and the last steps with the columns.
    assert len(done) <= 4 * n_domain - after
    np.testing.assert_array_equal(by_id(store, SETS[1])[1], whole[SETS[1]])
    assert not (store / SCRATCH).exists()


def test_old_states_are_no_use_for_other_settings(whole, tmp_path, few, monkeypatch):
    """Interrupted, begun anew with other steps, and again with the first ones."""
    every(monkeypatch, 2)
    store = stored(tmp_path, few, chunk=28)
    for steps in ({**FEW_STEPS, "relax_steps": 5}, FEW_STEPS, {**FEW_STEPS, "relax_steps": 6}):
        with monkeypatch.context() as during:
            stopping(during, 8)
            with pytest.raises(QSDaskError, match="E-TEST"):
                qsdask.features(store, set=SETS[1], run=Run("threads", 1, progress=False), **steps)
    qsdask.features(store, set=SETS[1], run=few, **FEW_STEPS)
    np.testing.assert_array_equal(by_id(store, SETS[1])[1], whole[SETS[1]])


def test_states_lie_on_the_disk_for_two_passes_only(tmp_path, few, monkeypatch):
    every(monkeypatch, 1)
    store, seen = stored(tmp_path, few, chunk=28), []

    def looking(work, part, *arguments, **settings):
        seen.append(sorted(int(place.name) for place in store.glob(f"{SCRATCH}/**/state/c/*")))
        return whole_pass(work, part, *arguments, **settings)

    whole_pass = stage.pass_of_domain
    monkeypatch.setattr(stage, "pass_of_domain", looking)
    qsdask.features(store, set=SETS[1], run=Run("threads", 1, progress=False), **FEW_STEPS)
    assert max(map(len, seen)) == 2
    assert all(b - a == 1 for places in seen for a, b in pairwise(places))
    assert not (store / SCRATCH).exists()


def test_mended_columns_are_computed_again(whole, tmp_path, few, monkeypatch):
    """The states are gone by then: passes run again, of the columns only what was damaged."""
    every(monkeypatch, 3)
    store = stored(tmp_path, few, chunk=28)
    qsdask.features(store, set=SETS[0], run=few, **FEW_STEPS)
    next(file for file in (store / f"features/{SETS[0]}/value/c").rglob("*") if file.is_file()).unlink()
    assert qsdask.verify(store, progress=False)
    qsdask.repair(store, run=few)
    assert not qsdask.verify(store, progress=False)
    np.testing.assert_array_equal(by_id(store, SETS[0])[1], whole[SETS[0]])


def test_other_frames_have_their_own(tmp_path, few, frames, monkeypatch):
    """A deformed frame in domains as if it were the first of a store in one."""
    every(monkeypatch, 2)
    (tmp_path / "both.dump").write_text(frames[0] + frames[3])
    (tmp_path / "last.dump").write_text(frames[3])
    both = qsdask.ingest(tmp_path / "both.dump", tmp_path / "both.zarr", species=SPECIES, chunk=2304, run=few)
    last = qsdask.ingest(tmp_path / "last.dump", tmp_path / "last.zarr", species=SPECIES, run=few)
    qsdask.features(both, set=SETS[0], step=1, network_steps=3, run=few)
    qsdask.features(last, set=SETS[0], network_steps=3, run=few)
    tree = qsdask.open_store(both)
    value = tree[f"steps/1/features/{SETS[0]}"].ds["value"].values[np.argsort(tree["atoms"].ds["id"].values)]
    np.testing.assert_array_equal(value, by_id(last, SETS[0])[1])


def test_in_memory_the_bits_are_those_of_a_store(whole):
    found = specimen("thin")
    of_one = qsdask.describe(
        (found.box.cell, found.position - found.box.origin, ["Cu" if k == 0 else "Zr" for k in found.species]),
        SETS[1],
        **{name: value for name, value in FEW_STEPS.items() if name != "network_steps"},
    )
    # Without ids atoms are numbered in their order, and the origin is another: the same glass to rounding.
    value = of_one["value"].values[np.argsort(found.id)]
    np.testing.assert_allclose(value, whole[SETS[1]], rtol=0, atol=1e-5)


def test_in_memory_passes_are_those_of_a_store(tmp_path, few, monkeypatch):
    """The arrays of a store of several domains, held in memory."""
    store = stored(tmp_path, few, chunk=28)
    every(monkeypatch, 2)
    monkeypatch.setattr("qsdask.system.computed.cuts_of", stage.cuts_of)
    root = StoreReader(store)
    held = StoreInMemory(root.domain_rows)
    n_kind = len(root.names("atoms/species_name"))
    sizes = {"atom": held.n_atom, "kind": n_kind, "step": 1, "xyz": 3, "vector": 3, "line": 3, "word": 2}
    for group in ("atoms", "frames", "domains"):
        held.create(group, {**sizes, "side": 2, "domain": root.n_domain})
        for name in (
            "id",
            "species",
            "species_name",
            "radius",
            "position",
            "cell",
            "origin",
            "periodic",
            "n_lost",
            "bounds",
        ):
            if (store / group / name).is_dir():
                held.put(group, {name: root[f"{group}/{name}"][:]})
    settings = FeatureSettings(set=SETS[0], **FEW_STEPS)
    add_features(held, settings, ShellSettings())
    qsdask.features(store, set=SETS[0], run=few, **FEW_STEPS)
    stored_value = qsdask.open_store(store)[f"features/{SETS[0]}"].ds["value"].values
    np.testing.assert_array_equal(held[f"features/{SETS[0]}/value"][:], stored_value)
    with pytest.raises(KeyError):
        held[f"passes/{SETS[0]}/state"]


@pytest.mark.parametrize("quantity", [ElasticNetwork(), SoftSphereResponse()], ids=lambda q: q.name)
@pytest.mark.parametrize("chunk", [2048, 32768, 65536, 131072])
def test_steps_a_pass_keep_the_halo_affordable(quantity, chunk):
    for n_atom in (345_600, 10**7, 10**9):
        edge = (n_atom / 0.0625) ** (1 / 3)
        size = Size(n_atom, 1, chunk, (edge, edge, edge))
        cuts = passes.cuts_of(size, quantity)
        assert (cuts[0], cuts[-1]) == (0, quantity.n_step)
        assert all(b > a for a, b in pairwise(cuts[:-1]))
        assert cuts[-1] >= cuts[-2]
        _, ghosts = passes.owned_and_ghosts(size, passes.halo_of(size, quantity))
        assert ghosts <= max(3.0 * chunk, 100_000)
        plan = stage.plan_of(size, quantity)
        assert plan.ghosts >= ghosts
        assert plan.tasks == (len(cuts) - 1 + 2) * size.n_domain
        assert plan.bytes_scratch == 2 * n_atom * 8 * quantity.n_state
        assert 0.28e9 < plan.bytes_memory < 3e9


def test_one_domain_takes_all_steps_at_once():
    size = Size(60_000, 1, 65536, (100.0, 100.0, 96.0))
    for quantity in (ElasticNetwork(), SoftSphereResponse()):
        assert passes.cuts_of(size, quantity) == (0, quantity.n_step)
        plan = stage.plan_of(size, quantity)
        assert (plan.tasks, plan.bytes_scratch) == (3, 0)
