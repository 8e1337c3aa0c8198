"""Shells, features and softness of deformed frames: those of a glass that has only this frame, with all the care of step 0."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import xarray as xr

import qsdask
from qsdask.care.repair import repair
from qsdask.care.verify import verify
from qsdask.cli import main
from qsdask.errors import BadDataError, NoInputError, UsageError
from qsdask.store import ledger
from tests.conftest import SPECIES
from tests.store.corruption import apply
from tests.store_files import content_of

SETS = "interstice,bond_order,chemistry,symmetry_function"


def command(*arguments) -> int:
    return main([str(a) for a in (*arguments, "--cluster", "threads", "--quiet")])


def thin_glass() -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Cells and reduced positions of 120 atoms in a tilted box of 9 x 11 x 13 angstrom: at rest, sheared and moved."""
    rng = np.random.default_rng(7)
    grid = np.stack(np.meshgrid(np.arange(4), np.arange(5), np.arange(6), indexing="ij"), axis=-1)
    rest = (grid.reshape(-1, 3) + rng.uniform(-0.2, 0.2, (120, 3))) / (4, 5, 6)
    cells = [
        np.array([[9.2, 0, 0], [1.1, 11.4, 0], [-0.8, 0.6, 13.6]]),
        np.array([[9.0, 0, 0], [1.9, 11.1, 0], [-0.5, 0.9, 14.3]]),
    ]
    return cells, [rest, rest + rng.normal(0.0, 0.02, rest.shape) + (0.37, -0.21, 0.45)]


def dump_of(frames, keep=lambda step, number: True) -> str:
    """LAMMPS dump of tilted cells; wrapped positions."""
    text = []
    for step, (cell, reduced) in enumerate(frames):
        (lx, _, _), (xy, ly, _), (xz, yz, lz) = cell
        x = (reduced % 1.0) @ cell
        low = min(0, xy, xz, xy + xz), min(0, yz), 0
        high = lx + max(0, xy, xz, xy + xz), ly + max(0, yz), lz
        rows = [
            f"{3 * i + 1} {1 + i % 3 // 2} " + " ".join(f"{v:.5f}" for v in x[i])
            for i in range(len(x))
            if keep(step, i)
        ]
        text += [f"ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n{len(rows)}"]
        text += ["ITEM: BOX BOUNDS xy xz yz pp pp pp"]
        text += [f"{a!r} {b!r} {t!r}" for a, b, t in zip(low, high, (xy, xz, yz), strict=True)]
        text += ["ITEM: ATOMS id type x y z", *rows]
    return "\n".join(text).replace("np.float64(", "").replace(")", "") + "\n"


def structure(store, step: int) -> dict[str, np.ndarray]:
    """Every stored number of a frame's shells and features, in the order of the atom ids."""
    tree = qsdask.open_store(store)
    tree = tree if step == 0 else tree[f"steps/{step}"]
    ids = qsdask.open_store(store)["atoms/id"].values
    order = np.argsort(ids)
    found = {}
    for place in ("shells/voronoi", "shells/cutoff", *(f"features/{name}" for name in SETS.split(","))):
        for name, array in tree[place].ds.data_vars.items():
            value = array.values[order]
            if name == "neighbour":
                value = np.where(value < 0, -1, ids[value])
            found[f"{place}/{name}"] = value
    return found


def computed(text: str, place, few, *, chunk: int, step: int = 0, **more):
    place.with_suffix(".dump").write_text(text)
    qsdask.ingest(place.with_suffix(".dump"), place, species=SPECIES, chunk=chunk, strain_step=0.01, run=few, **more)
    qsdask.shells(place, step=step, run=few)
    qsdask.features(place, set=SETS, reach_kind="amlearn", step=step, run=few)
    return place


@pytest.fixture(scope="module")
def alone(tmp_path_factory, few):
    """Structure of the deformed thin glass in a store of its own."""
    cells, reduced = thin_glass()
    text = dump_of([(cells[1], reduced[1])])
    return structure(computed(text, tmp_path_factory.mktemp("alone") / "one.zarr", few, chunk=4096), 0)


@pytest.mark.parametrize("chunk", [4096, 50, 16])
def test_a_frame_of_a_thin_tilted_box_has_the_bits_of_a_store_of_its_own(tmp_path, few, alone, chunk):
    both = dump_of(zip(*thin_glass(), strict=True))
    found = structure(computed(both, tmp_path / "two.zarr", few, chunk=chunk, step=1), 1)
    assert found["shells/voronoi/neighbour"].max() == 3 * 119 + 1
    for name, value in alone.items():
        narrow = min(value.shape[1:2], found[name].shape[1:2])
        np.testing.assert_array_equal(found[name][:, : narrow[0]] if narrow else found[name], value, err_msg=name)


def test_lost_atoms_are_nan_and_nobodys_neighbours(tmp_path, few):
    cells, reduced = thin_glass()
    lost = {5, 17, 60}
    both = dump_of(zip(cells, reduced, strict=True), lambda step, i: step == 0 or i not in lost)
    found = structure(computed(both, tmp_path / "two.zarr", few, chunk=16, step=1, lost_atoms="mask"), 1)
    rest = dump_of([(cells[1], reduced[1])], lambda step, i: i not in lost)
    alone = structure(computed(rest, tmp_path / "one.zarr", few, chunk=4096), 0)
    held = [i for i in range(120) if i not in lost]
    for name, value in alone.items():
        if "chemistry" in name:  # It depends on the composition, which is that of the first frame.
            continue
        np.testing.assert_array_equal(found[name][held], value, err_msg=name)
    gone = {name: value[sorted(lost)] for name, value in found.items()}
    assert all(np.isnan(value).all() for name, value in gone.items() if name.endswith("value"))
    assert (gone["shells/voronoi/neighbour"] == -1).all()


@pytest.fixture(scope="module")
def strained(glass, tmp_path_factory, few):
    """The shipped glass with a quick model and the softness of steps 0 and 3."""
    home = tmp_path_factory.mktemp("strained")
    store = shutil.copytree(glass, home / "glass.zarr")
    model = qsdask.train([store], model=home / "quick.qs", draws=1, trees=20, run=few)
    for step in (0, 3):
        if step:
            qsdask.shells(store, step=step, run=few)
            qsdask.features(store, step=step, run=few)
        qsdask.predict(store, model=model, step=step, run=few)
    return store, model


def test_features_of_a_real_frame_are_those_of_its_own_store(strained, tmp_path, frames, few):
    store, _ = strained
    (tmp_path / "one.dump").write_text(frames[3])
    one = tmp_path / "one.zarr"
    qsdask.ingest(tmp_path / "one.dump", one, species=SPECIES, chunk=1000, run=few)
    qsdask.shells(one, run=few)
    qsdask.features(one, run=few)
    two, alone = qsdask.open_store(store), qsdask.open_store(one)
    value, wanted = two["steps/3/features/interstice/value"].values, alone["features/interstice/value"].values
    order, other = np.argsort(two["atoms/id"].values), np.argsort(alone["atoms/id"].values)
    np.testing.assert_array_equal(value[order], wanted[other])
    assert np.isfinite(value).all()


def test_softness_of_a_deformed_frame_is_another_one_and_complete(strained):
    tree = xr.open_datatree(strained[0], engine="zarr", chunks={})
    before, now = tree["softness/quick/qs"].values, tree["steps/3/softness/quick/qs"].values
    assert np.isfinite(now).all()
    assert ((now >= 0) & (now <= 1)).all()
    assert 0.05 < np.abs(now - before).mean() < 0.5
    np.testing.assert_array_equal(qsdask.open_store(strained[0]).qs.atoms(step=3)["qs"].values, now)


def test_a_model_refuses_shells_of_a_step_that_were_defined_otherwise(strained, few):
    store, model = strained
    qsdask.shells(store, step=1, cutoff=3.8, run=few)
    qsdask.features(store, step=1, run=few)
    with pytest.raises(BadDataError, match=r"(?s)E-FEATURES-DIFFER.*cutoff"):
        qsdask.predict(store, model=model, step=1, run=few)


@pytest.fixture
def pair(own, few):
    """A copy of the tiny store with everything of step 1, and its bytes."""
    store = own / "tiny.zarr"
    assert command("shells", store, "--step", "1") == 0
    assert command("features", store, "--step", "-1") == 0
    assert command("predict", store, "--model", own / "tiny.qs", "--strain", "0.012") == 0
    return store, content_of(store)


def test_step_0_keeps_its_bytes_and_the_store_is_whole(pair, tiny):
    store, files = pair
    before = content_of(tiny / "tiny.zarr")
    assert {name: files[name] for name in before if name != "zarr.json"} == {
        name: data for name, data in before.items() if name != "zarr.json"
    }
    assert verify(store, progress=False) == []
    stages = {s["stage"]: s["step"] for s in qsdask.info(store)["stages"]}
    assert {k: v for k, v in stages.items() if v} == {
        "steps/1/shells": 1,
        "steps/1/features/interstice": 1,
        "steps/1/softness/tiny": 1,
    }
    assert list(stages)[1:4] == ["surface", "shells", "steps/1/shells"]


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("steps/1/features/interstice/value/c/1/0", "steps/1/features/interstice: 1 of 4 tasks computed again"),
        ("steps/1/shells/voronoi/neighbour/c/0/0", "steps/1/shells: 1 of 2 tasks computed again"),
        ("steps/1/softness/tiny/qs/c/1", "steps/1/softness/tiny: 1 of 2 tasks computed again"),
        ("steps/1/zarr.json", "steps/1/zarr.json: written anew"),
        ("ledger/steps/1/shells/zarr.json", "ledger/steps/1/shells/zarr.json: written anew"),
    ],
)
def test_a_flipped_bit_is_found_and_mended(pair, few, file, line):
    store, before = pair
    apply("flip", [store / file], np.random.default_rng(1))
    found = verify(store, progress=False)
    assert file in [d.file for d in found]
    if "/c/" in file:
        assert {d.step for d in found} == {1}
    assert repair(store, run=few) == [line]
    assert content_of(store) == before


def test_an_interrupted_step_goes_on_where_it_was(pair, few):
    store, before = pair
    record = ledger.require(store, "steps/1/features/interstice")
    ledger.reopen(store, record, [(1, 0, 1)])
    with pytest.raises(qsdask.QSDaskError, match=r"(?s)E-INCOMPLETE.*qsdask features \S+ --set interstice --frame 1"):
        ledger.require(store, record.key)
    (store / "steps/1/features/interstice/value/c/1/1").unlink()
    kept = (store / "steps/1/features/interstice/value/c/0/0").stat().st_mtime_ns
    qsdask.features(store, step=1, run=few)
    assert (store / "steps/1/features/interstice/value/c/0/0").stat().st_mtime_ns == kept
    assert content_of(store) == before


def test_new_shells_of_a_step_take_its_features_with_them_and_leave_other_frames(pair, few, capsys):
    store, before = pair
    old = ledger.require(store, "steps/1/features/interstice")
    assert command("shells", store, "--step", "1", "--cutoff", "3.6", "--overwrite") == 0
    assert "predict" in (shown := capsys.readouterr().err)
    assert "--frame 1" in shown
    new = ledger.require(store, "steps/1/features/interstice")
    assert new.inputs["steps/1/shells"] == ledger.require(store, "steps/1/shells").digest
    assert new.digest != old.digest
    assert not (store / "steps/1/softness").exists()
    after = content_of(store)
    assert {k: v for k, v in after.items() if "steps/" not in k and k != "zarr.json"} == {
        k: v for k, v in before.items() if "steps/" not in k and k != "zarr.json"
    }
    assert verify(store, progress=False) == []


def test_new_shells_of_step_0_leave_those_of_other_frames(pair, few):
    store, before = pair
    assert command("shells", store, "--cutoff", "3.6", "--overwrite") == 0
    after = content_of(store)
    assert {k: v for k, v in after.items() if "steps/" in k} == {k: v for k, v in before.items() if "steps/" in k}
    assert verify(store, progress=False) == []


def test_unknown_frames_are_refused_with_those_there_are(own, few, capsys):
    store = own / "tiny.zarr"
    for step in (2, -3):
        with pytest.raises(UsageError, match=r"(?s)E-STEP.*steps 0 to 1, at strains 0 to 0\.01"):
            qsdask.shells(store, step=step, run=few)
    assert command("features", store, "--step", "one") == 64
    assert command("features", store, "--step", "1", "--strain", "0.01") == 64
    with pytest.raises(NoInputError, match=r"(?s)E-STAGE-MISSING.*qsdask shells \S+ --frame 1"):
        qsdask.features(store, step=1, run=few)
    capsys.readouterr()
    assert command("shells", store, "--strain", "0.008") == 0
    assert "frame 1, at strain 0.01" in capsys.readouterr().out
