"""Stage ``surface``: real surfaces by the command that users type, however the box is drawn and the work is cut."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

import qsdask
from qsdask.errors import BadDataError, UsageError
from qsdask.learn import load_model
from qsdask.stages.spacing import spacing_of
from qsdask.store import ledger
from qsdask.store.reader import StoreReader
from qsdask.testing.lattices import fcc
from tests.conftest import SPECIES, carved
from tests.naive.alpha_shape import alpha_shape, from_triangles, images


def parsed(frame: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Ids, types and positions in a frame, seen from the corner of the cell, and its three edges."""
    lines = frame.splitlines()
    low, high = np.array([line.split() for line in lines[5:8]], dtype=float).T
    table = np.array([line.split() for line in lines[9:]], dtype=float)
    return table[:, 0].astype(int), table[:, 1].astype(int), table[:, 2:5] - low, high - low


def text_of(ids, kind, position, low, high, boundary="pp pp pp", step=0) -> str:
    """One frame of a dump."""
    bounds = "\n".join(f"{a!r} {b!r}" for a, b in zip(map(float, low), map(float, high), strict=True))
    rows = "\n".join(f"{i} {k} {x:.6f} {y:.6f} {z:.6f}" for i, k, (x, y, z) in zip(ids, kind, position, strict=True))
    return (
        f"ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n{len(ids)}\nITEM: BOX BOUNDS {boundary}\n{bounds}\n"
        f"ITEM: ATOMS id type x y z\n{rows}\n"
    )


def found_in(store) -> dict[str, np.ndarray]:
    """Columns of the stage by atom id."""
    root = StoreReader(store)
    order = np.argsort(root["atoms/id"][:])
    return {name: root[f"surface/{name}"][:][order] for name in ("on_surface", "surface_distance")}


def surfaces(folder, name, text, few, chunk=65536, **settings):
    dump, store = folder / f"{name}.dump", folder / f"{name}.zarr"
    dump.write_text(text)
    qsdask.ingest(dump, store, species=SPECIES, chunk=chunk, run=few)
    qsdask.surface(store, run=few, **settings)
    return store


def same(one, other) -> None:
    for name, value in found_in(one).items():
        np.testing.assert_array_equal(found_in(other)[name], value, err_msg=name)


@pytest.fixture(scope="module")
def wires(tmp_path_factory, frames, few):
    """Stores of one wire: in vacuum within a periodic box, shrink-wrapped, and with an atom that flies off, along each axis."""
    folder = tmp_path_factory.mktemp("wires")
    ids, kind, x, edge = parsed(frames[0])
    x[:, :2] -= edge[:2] / 2
    keep = np.hypot(*x[:, :2].T) < 14.0
    ids, kind, x = ids[keep], kind[keep], x[keep]
    out = int(np.hypot(*x[:, :2].T).argmax())
    made = {}
    for axis in (2, 0):
        for name in ("vacuum", "shrink-wrapped", "evaporating"):
            text = ""
            for step, strain in enumerate((0.0, 0.02, 0.04)):
                y = x * [1 - 0.35 * strain, 1 - 0.35 * strain, 1 + strain]
                y[:, 2] = (y[:, 2] + strain * np.sin(ids)) % (edge[2] * (1 + strain))
                if name == "evaporating" and step:
                    y[out, :2] *= 1 + step
                low, high = y.min(axis=0) - 1e-4, y.max(axis=0) + 1e-4
                if name == "vacuum":
                    low, high = np.full(3, -27.0), np.full(3, 27.0)
                low[2], high[2] = 0.0, edge[2] * (1 + strain)
                turned = [np.roll(value, axis + 1, axis=-1) for value in (y, low, high)]
                letters = np.roll(["pp" if name == "vacuum" else "ss"] * 2 + ["pp"], axis + 1)
                text += text_of(ids, kind, *turned, boundary=" ".join(letters), step=step)
            made[name, axis] = surfaces(folder, f"{name}{axis}", text, few, chunk=700)
    return made, x, edge


@pytest.mark.parametrize("axis", [2, 0])
def test_a_wire_has_the_same_surface_in_every_box(wires, axis):
    made, x, edge = wires
    first = found_in(made["vacuum", axis])
    for name in ("shrink-wrapped", "evaporating"):
        same(made["vacuum", axis], made[name, axis])
    probe = qsdask.info(made["vacuum", axis])["specimen"]["surface"]["probe_angstrom"]
    along = np.array([False, False, True])
    touched, triangles = alpha_shape(images(x, np.diag(edge), along, 25.0), probe)
    # The atoms are written with six decimals, and by rising id in the glass.
    np.testing.assert_array_equal(first["on_surface"], touched[: len(x)])
    inside = ~first["on_surface"]
    np.testing.assert_allclose(first["surface_distance"][inside], from_triangles(x[inside], triangles), atol=1e-5)
    assert 0.1 < first["on_surface"].mean() < 0.4
    assert 8.0 < first["surface_distance"].max() < 14.0


@pytest.mark.parametrize("axis", [2, 0])
def test_models_learn_from_the_same_atoms_of_a_wire_in_every_box(wires, axis, few, tmp_path):
    made, *_ = wires
    used = {}
    for name in ("vacuum", "shrink-wrapped", "evaporating"):
        store = made[name, axis]
        qsdask.shells(store, run=few)
        qsdask.features(store, set="coordination", run=few)
        qsdask.respond(store, run=few)
        settings = {"set": "coordination", "strain": 0.04, "threshold": 0.01, "folds": 2, "draws": 1, "trees": 2}
        with pytest.raises(BadDataError, match=r"(?s)E-NO-USABLE.*surface: 1849"):
            qsdask.train(store, model=tmp_path / "none.qs", surface_margin=14.0, run=few, **settings)
        model = load_model(qsdask.train(store, model=tmp_path / f"{name}.qs", surface_margin=5.0, run=few, **settings))
        assert not model.warnings
        assert model.label["surface_margin_angstrom"] == 5.0
        used[name] = model.specimens[0].n_usable
    deep = (found_in(made["vacuum", axis])["surface_distance"] >= 5.0).sum()
    assert set(used.values()) == {deep}


def test_a_glass_has_no_surface_and_its_atoms_are_infinitely_deep(glass):
    found = found_in(glass)
    assert not found["on_surface"].any()
    assert np.isinf(found["surface_distance"]).all()
    surface = qsdask.info(glass)["specimen"]["surface"]
    assert surface["atoms"] == 0
    assert surface["probe_angstrom"] == pytest.approx(4.2, abs=0.1)


@pytest.fixture(scope="module")
def porous(frames) -> str:
    """A frame of a glass with a pore across a face of the cell, and a crack that ends."""
    ids, _, x, edge = parsed(frames[0])
    from_pore = np.linalg.norm((x - [0.0, 20.0, 3.0] + edge / 2) % edge - edge / 2, axis=1)
    crack = (np.abs(x[:, 2] - 25.0) < 5.0) & (x[:, 0] > 12.0) & (x[:, 0] < 30.0)
    return carved(frames[0], ids[(from_pore > 8.0) & ~crack])


@pytest.mark.parametrize("chunk", [300, 1300, 65536])
def test_cutting_order_and_images_change_nothing(porous, tmp_path, few, chunk):
    whole = surfaces(tmp_path, "whole", porous, few)
    found = found_in(whole)
    assert found["on_surface"].sum() > 100
    head, rows = porous.splitlines()[:9], porous.splitlines()[9:]
    rng = np.random.default_rng(chunk)
    rng.shuffle(rows)
    edge = parsed(porous)[3]
    moved = []
    for row in rows:
        atom, kind, *x = row.split()
        x = np.array(x[:3], dtype=float) + edge * rng.integers(-1, 2, 3)
        moved.append(" ".join([atom, kind, *map(repr, x.tolist())]))
    for name, body in (("shuffled", rows), ("unwrapped", moved)):
        head[8] = "ITEM: ATOMS id type " + ("xu yu zu" if name == "unwrapped" else head[8].partition("type ")[2])
        same(whole, surfaces(tmp_path, name, "\n".join([*head, *body]) + "\n", few, chunk=chunk))


def test_moving_the_whole_glass_changes_no_surface(porous, tmp_path, few):
    ids, kind, x, edge = parsed(porous)
    whole = found_in(surfaces(tmp_path, "whole", porous, few))
    x = (x + [7.3, 11.1, -5.2]) % edge
    moved = surfaces(tmp_path, "moved", text_of(ids, kind, x, np.zeros(3), edge), few, chunk=1000)
    np.testing.assert_array_equal(found_in(moved)["on_surface"], whole["on_surface"])
    np.testing.assert_allclose(found_in(moved)["surface_distance"], whole["surface_distance"], atol=1e-5)


@pytest.mark.parametrize("boundary", ["pp pp pp", "pp pp ff"])
def test_a_thin_slab_of_a_few_unit_cells_is_as_deep_as_its_layers(tmp_path, few, boundary):
    position, cell = fcc(4.0, (1, 1, 6))
    high = cell.diagonal() + [0.0, 0.0, 20.0]
    text = text_of(np.arange(1, len(position) + 1), np.ones(len(position), int), position, np.zeros(3), high, boundary)
    found = found_in(surfaces(tmp_path, "slab", text, few, chunk=16))
    layer = np.round(position[:, 2] / 2.0)
    np.testing.assert_allclose(found["surface_distance"], 2.0 * np.minimum(layer, 11 - layer), atol=1e-9)


@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_a_few_atoms_in_a_large_box_are_all_surface(tmp_path, few, n):
    position = (
        20.0
        + 2.6 * np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 0, 1], [0, 1, 1], [1, 1, 1]])[:n]
    )
    text = text_of(np.arange(1, n + 1), np.ones(n, int), position, np.zeros(3), np.full(3, 50.0), "ff ff ff")
    found = found_in(surfaces(tmp_path, "few", text, few))
    assert found["on_surface"].all()
    assert not found["surface_distance"].any()


def test_the_probe_follows_the_unit_of_length(porous, tmp_path, few):
    ids, kind, x, edge = parsed(porous)
    usual = surfaces(tmp_path, "usual", porous, few)
    small = surfaces(tmp_path, "small", text_of(ids, kind, x / 2.5, np.zeros(3), edge / 2.5), few, chunk=1000)
    lengths = [qsdask.info(store)["specimen"]["surface"] for store in (usual, small)]
    assert lengths[0]["probe_angstrom"] / lengths[1]["probe_angstrom"] == pytest.approx(2.5, rel=0.01)
    differ = found_in(usual)["on_surface"] != found_in(small)["on_surface"]
    # The radius of the probe is rounded to three digits.
    assert differ.sum() <= 3


def test_the_spacing_depends_on_the_ids_alone(glass, frames, tmp_path, few):
    whole = tmp_path / "whole.zarr"
    dump = tmp_path / "glass.dump"
    dump.write_text(frames[0])
    qsdask.ingest(dump, whole, species=SPECIES, chunk=100, run=few)
    assert spacing_of(StoreReader(whole)) == spacing_of(StoreReader(glass)) == pytest.approx(2.8, abs=0.1)


def test_settings_are_kept_and_others_refused(porous, tmp_path, few):
    store = surfaces(tmp_path, "glass", porous, few, reach=6.0)
    found = found_in(store)
    assert found["surface_distance"][np.isfinite(found["surface_distance"])].max() <= 6.0
    assert qsdask.info(store)["specimen"]["surface"]["reach_angstrom"] == 6.0
    with pytest.raises(qsdask.QSDaskError, match="E-SETTINGS"):
        qsdask.surface(store, reach=8.0, run=few)
    qsdask.surface(store, probe=9.0, run=replace(few, overwrite=True))
    wide = found_in(store)
    assert 0 < wide["on_surface"].sum() < found["on_surface"].sum() or not wide["on_surface"].any()
    with pytest.raises(UsageError, match="E-SETTING"):
        qsdask.surface(store, probe=-1.0, run=few)


@pytest.mark.parametrize("column", ["on_surface", "surface_distance"])
def test_a_damaged_column_is_mended(porous, tmp_path, few, column):
    store = surfaces(tmp_path, "glass", porous, few, chunk=2500)
    before = found_in(store)
    file = store / f"surface/{column}/c/1"
    file.write_bytes(file.read_bytes()[:-3])
    assert [damage.stage for damage in qsdask.verify(store, progress=False)] == ["surface"]
    assert qsdask.repair(store, run=few) == ["surface: 1 of 6 tasks computed again"]
    for name, value in before.items():
        np.testing.assert_array_equal(found_in(store)[name], value)


@pytest.fixture
def learned(wires, few, tmp_path):
    """A wire with features and response, and settings to learn from it."""
    made, *_ = wires
    settings = {"set": "coordination", "strain": 0.04, "threshold": 0.01, "folds": 2, "draws": 1, "trees": 2}
    store = made["shrink-wrapped", 2]
    qsdask.shells(store, run=few)
    qsdask.features(store, set="coordination", run=few)
    qsdask.respond(store, run=few)
    return store, settings


def test_a_margin_beyond_the_reach_is_refused_with_the_way_out(learned, few, tmp_path):
    store, settings = learned
    with pytest.raises(UsageError, match=r"(?s)E-MARGIN.*qsdask surface .* --reach 30 --overwrite"):
        qsdask.train(store, model=tmp_path / "m.qs", surface_margin=30.0, run=few, **settings)


def test_an_old_store_keeps_its_rule_and_says_so_until_it_is_migrated(learned, few, tmp_path):
    store, settings = learned
    old = shutil.copytree(store, tmp_path / "old.zarr")
    ledger.discard(old, ledger.read(old, "surface"))
    assert qsdask.info(old)["specimen"]["surface"] == {}
    before = load_model(qsdask.train(old, model=tmp_path / "old.qs", surface_margin=5.0, run=few, **settings))
    [told] = before.warnings
    assert "W-NO-SURFACE" in told
    root = StoreReader(old)
    x = root["frames/position"][0, :][:, :2]
    face = np.minimum(x - x.min(axis=0), x.max(axis=0) - x).min(axis=1)
    whole = np.isfinite(root["features/coordination/value"][:]).all(axis=1)
    assert before.specimens[0].n_usable == (whole & (face >= 5.0)).sum()
    for bring in (
        lambda: qsdask.migrate(old, progress=False),
        lambda: qsdask.features(old, set="coordination", run=few),
    ):
        bring()
        same(store, old)
        assert qsdask.verify(old, progress=False) == []
    after = load_model(qsdask.train(old, model=tmp_path / "new.qs", surface_margin=5.0, run=few, **settings))
    assert not after.warnings
    assert after.specimens[0].n_usable < before.specimens[0].n_usable
