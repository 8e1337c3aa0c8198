"""A mended store has the bytes of one that was never damaged; only what was damaged is computed."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

import qsdask
from qsdask.care.repair import repair
from qsdask.care.verify import verify
from qsdask.errors import BadDataError, NoInputError, ResumableError, StoreIOError
from qsdask.files.lock import LOCK
from qsdask.store import ledger
from qsdask.store.record import publish
from qsdask.store.template import write_whole
from tests.intake.test_loading import run_of, sheared
from tests.small_store import SPECIES
from tests.store.corruption import apply
from tests.store_files import content_of, files_of

CASES = [
    ("flip", "response/d2min/d2min/c/1/0", "response/d2min: 1 of 4 tasks computed again"),
    ("cut", "shells/voronoi/neighbour/c/1/0", "shells: 1 of 2 tasks computed again"),
    ("delete", "features/interstice/value/c/0/0", "features/interstice: 1 of 4 tasks computed again"),
    ("delete", "features/interstice/value/c/1/3", "features/interstice: 1 of 4 tasks computed again"),
    ("empty", "frames/position/c/1/1/0", "ingest: 1 of 2 tasks computed again"),
    ("flip", "ledger/ingest/receipt/c/0/1/0/0/0", "ingest: 1 of 2 tasks computed again"),
    ("zero", "softness/tiny/qs/c/0", "softness/tiny: 1 of 2 tasks computed again"),
    ("delete", "softness/tiny/zarr.json", "softness/tiny/zarr.json: written anew"),
    ("grow", "shells/cutoff/distance/zarr.json", "shells/cutoff/distance/zarr.json: written anew"),
    ("empty", "zarr.json", "zarr.json: written anew"),
    ("delete", "zarr.json", "zarr.json: written anew"),
    ("cut", "ledger/shells/zarr.json", "ledger/shells/zarr.json: written anew"),
    ("delete", "ledger/shells/manifest.json", "ledger/shells/manifest.json: written anew"),
    ("flip", "ledger/shells/receipt/zarr.json", "ledger/shells/receipt/zarr.json: written anew"),
    ("delete", "ledger/features/zarr.json", "ledger/features/zarr.json: written anew"),
    ("stranger", "frames/position/c/9", "frames/position/c/9: removed"),
    (
        "flip",
        "response/d2min/strain/c/0",
        "response/d2min: all of it computed again, because of response/d2min/strain/c/0",
    ),
    ("cut", "atoms/id/c/0", "ingest: all of it computed again, because of atoms/id/c/0"),
]


@pytest.mark.parametrize(("kind", "file", "line"), CASES, ids=lambda v: str(v)[:40])
def test_one_damage_is_mended_to_the_same_bytes(own, few, kind, file, line):
    store = own / "tiny.zarr"
    before = content_of(store)
    apply(kind, [store / file], np.random.default_rng(1))
    assert repair(store, source=own / "tiny.dump", run=few) == [line]
    assert content_of(store) == before
    assert repair(store, run=few) == []


def test_many_damages_at_once_are_mended_in_the_order_of_computation(own, few):
    store = own / "tiny.zarr"
    before = content_of(store)
    rng = np.random.default_rng(3)
    for kind, file, _ in CASES:
        if "ledger" not in file and "atoms" not in file and (store / file).exists() != (kind == "stranger"):
            apply(kind, [store / file], rng)
    done = repair(store, source=own / "tiny.dump", run=few)
    computed = [line.split(":")[0] for line in done if "computed again" in line]
    assert computed == ["ingest", "shells", "features/interstice", "response/d2min", "softness/tiny"]
    assert content_of(store) == before


def test_a_stage_whose_ledger_and_manifest_are_both_gone_is_computed_anew(own, few):
    store = own / "tiny.zarr"
    before = content_of(store)
    for name in ("zarr.json", "manifest.json"):
        (store / "ledger/shells" / name).write_text("")
    # Nothing says any more that the features were computed from these shells.
    assert [line.split(",")[0] for line in repair(store, run=few)] == [
        "shells: all of it computed again",
        "features/interstice: all of it computed again",
    ]
    assert content_of(store) == before


def test_damage_of_ingested_numbers_needs_the_trajectory(own, few):
    store = own / "tiny.zarr"
    apply("flip", [store / "frames/position/c/1/0/0"], np.random.default_rng(0))
    before = content_of(store)
    with pytest.raises(NoInputError, match=r"(?s)E-NO-SOURCE.*--source DUMP"):
        repair(store, run=few)
    assert content_of(store) == before


@pytest.mark.parametrize("file", ["frames/position/c/1/0/0", "atoms/radius/c/0"])
@pytest.mark.parametrize("frame", [0, 1])
def test_another_trajectory_is_refused_and_nothing_wrong_is_shown(own, few, file, frame):
    store = own / "tiny.zarr"
    before = content_of(store)
    apply("flip", [store / file], np.random.default_rng(0))
    text = (own / "tiny.dump").read_text().splitlines()
    at = 9 + frame * 57
    text[at] = text[at][:-1] + ("1" if text[at][-1] != "1" else "2")
    (own / "other.dump").write_text("\n".join(text) + "\n")
    with pytest.raises(BadDataError, match="E-OTHER-INPUT"):
        repair(store, source=own / "other.dump", run=few)
    state = ledger.read(store, "ingest")
    assert not state.complete or verify(store, progress=False)
    repair(store, source=own / "tiny.dump", run=few)
    if not ledger.read(store, "ingest").complete:
        import qsdask

        qsdask.ingest(own / "tiny.dump", store, species={1: "Cu", 2: "Zr"}, strain_step=0.01, chunk=24, run=few)
    assert content_of(store) == before


def test_a_link_is_replaced_without_writing_through_it(own, few):
    store = own / "tiny.zarr"
    before = content_of(store)
    shutil.move(store / "response/d2min/valid/c/1", own / "outside")
    (store / "response/d2min/valid/c/1").symlink_to(own / "outside")
    outside = files_of(own / "outside")
    repair(store, run=few)
    assert content_of(store) == before
    assert files_of(own / "outside") == outside


def test_a_softness_whose_model_is_gone_is_taken_back_and_the_user_told(own, few):
    store = own / "tiny.zarr"
    (own / "tiny.qs").rename(own / "moved")
    apply("flip", [store / "softness/tiny/qs/c/1"], np.random.default_rng(0))
    assert repair(store, run=few) == [
        f"softness/tiny: run 'qsdask predict {store} --model tiny.qs' to compute what was damaged"
    ]
    with pytest.raises(ResumableError, match="E-INCOMPLETE"):
        ledger.require(store, "softness/tiny")


def test_what_cannot_be_mended_is_said(own, few):
    store = own / "tiny.zarr"
    shutil.rmtree(store / "ledger/softness")
    with pytest.raises(StoreIOError, match="E-STORE-DAMAGED"):
        repair(store, run=few)


def test_repair_is_a_writer(own, few):
    import json

    from qsdask.files import lock

    store = own / "tiny.zarr"
    (store / LOCK).write_text(json.dumps({**lock.myself(), "host": "elsewhere", "token": "x"}))
    with pytest.raises(ResumableError, match="E-LOCKED"):
        repair(store, run=few)


@pytest.fixture
def of_older_rules(tmp_path, few):
    """Dump and store of a sheared glass as a version before the gradient made it: the length of a tilted vector is its strain."""
    dump = run_of([sheared("xy", gamma) for gamma in (0, 0.05, 0.1)], tmp_path / "shear.dump", jump=0.01)
    store = qsdask.ingest(dump, tmp_path / "shear.zarr", species=SPECIES, chunk=16, run=few)
    record = ledger.require(store, "ingest")
    shutil.rmtree(store / "frames/deformation")
    write_whole(store, "frames", {"strain": OLD_STRAIN})
    facts = {name: value for name, value in record.facts.items() if name != "loading"}
    ledger.seal(store, replace(record, provenance=facts))
    publish(store)
    return dump, qsdask.respond(store, run=few)


OLD_STRAIN = np.array([0.0, 0.0012, 0.0049])


@pytest.mark.parametrize(
    "file", ["frames/position/c/1/0/0", "frames/cell/c/1/0/0", "atoms/id/c/0", "frames/strain/c/0"]
)
def test_a_store_of_older_rules_keeps_the_strain_that_it_recorded(of_older_rules, few, file):
    dump, store = of_older_rules
    d2min = qsdask.open_store(store)["response/d2min/d2min"].values
    (store / file).write_bytes(b"damage")
    said = qsdask.repair(store, source=dump, run=few)
    assert not any("measured again" in line for line in said)
    tree = qsdask.open_store(store)
    np.testing.assert_array_equal(tree["frames/strain"], OLD_STRAIN)
    np.testing.assert_array_equal(tree["response/d2min/strain"], OLD_STRAIN)
    np.testing.assert_array_equal(tree["response/d2min/d2min"], d2min)
    assert qsdask.verify(store, progress=False) == []
    qsdask.migrate(store, progress=False)
    tree = qsdask.open_store(store)
    np.testing.assert_array_equal(tree["frames/strain"], OLD_STRAIN)
    np.testing.assert_allclose(tree["frames/deformation"].values[2, 0, 1], 0.1, atol=1e-6)


def test_a_strain_of_which_nothing_is_left_is_measured_again_and_that_is_said(of_older_rules, few):
    dump, store = of_older_rules
    for file in ("frames/strain/c/0", "response/d2min/strain/c/0"):
        (store / file).write_bytes(b"damage")
    said = qsdask.repair(store, source=dump, run=few)
    assert any("frames/strain: measured again, from 0 to 0.1" in line for line in said)
    np.testing.assert_allclose(qsdask.open_store(store)["frames/strain"], [0, 0.05, 0.1], atol=1e-6)
    assert qsdask.verify(store, progress=False) == []
