"""Frames into rows: in pieces or whole, atoms lost or strange, a box that flips."""

from __future__ import annotations

import numpy as np
import pytest

import qsdask
from qsdask.errors import BadDataError
from qsdask.intake import scatter
from tests.store_files import content_of

SPECIES = {1: "Cu", 2: "Zr"}


def written(folder, frames, name="glass"):
    path = folder / f"{name}.dump"
    path.write_text("".join(frames))
    return path


def changed(frame: str, change) -> str:
    """The frame with its atom lines replaced by what `change` makes of them, and their number."""
    lines = frame.splitlines()
    body = change(lines[9:])
    return "\n".join([*lines[:3], str(len(body)), *lines[4:9], *body]) + "\n"


def renamed(line: str, id=None, type=None) -> str:
    words = line.split()
    return " ".join([str(id or words[0]), str(type or words[1]), *words[2:]])


def warned(store) -> set[str]:
    """Codes of the warnings that the store keeps."""
    return {w["code"] for w in qsdask.info(store)["stages"][0]["provenance"]["warnings"]}


@pytest.mark.parametrize("atoms", [1000, 2304, 6911])
def test_pieces_do_not_change_a_byte(tmp_path, frames, few, monkeypatch, atoms):
    dump = written(tmp_path, frames[:2])
    stores = [tmp_path / "whole.zarr", tmp_path / "pieces.zarr"]
    qsdask.ingest(dump, stores[0], species=SPECIES, chunk=2304, name="glass", run=few)
    monkeypatch.setattr(scatter, "PIECE_ATOMS", atoms)
    qsdask.ingest(dump, stores[1], species=SPECIES, chunk=2304, name="glass", run=few)
    assert content_of(stores[0]) == content_of(stores[1])


@pytest.mark.parametrize("atoms", [1000, scatter.PIECE_ATOMS])
def test_an_id_that_stands_twice_is_named_with_both_lines(tmp_path, frames, few, monkeypatch, atoms):
    monkeypatch.setattr(scatter, "PIECE_ATOMS", atoms)
    twice = changed(frames[1], lambda body: [*body[:5000], renamed(body[5000], id=body[10].split()[0]), *body[5001:]])
    dump = written(tmp_path, [frames[0], twice])
    with pytest.raises(BadDataError, match="E-DUP-ID") as refusal:
        qsdask.ingest(dump, tmp_path / "x.zarr", species=SPECIES, run=few)
    start = frames[0].count("\n") + 10
    assert refusal.value.line == start + 5000
    assert f"line {start + 10}" in refusal.value.message


def test_a_stranger_and_a_changed_type_are_named(tmp_path, frames, few):
    start = frames[0].count("\n") + 10
    for change, code in (
        (lambda body: [*body[:7], renamed(body[7], id=99999), *body[8:]], "E-LOST-ATOMS"),
        (lambda body: [*body[:7], renamed(body[7], type=3 - int(body[7].split()[1])), *body[8:]], "E-TYPE-CHANGE"),
        (lambda body: [*body[:7], renamed(body[7], type=10**18), *body[8:]], "E-TYPE-CHANGE"),
    ):
        dump = written(tmp_path, [frames[0], changed(frames[1], change)])
        with pytest.raises(BadDataError, match=code) as refusal:
            qsdask.ingest(dump, tmp_path / "x.zarr", species=SPECIES, run=few)
        assert refusal.value.line == start + 7
        assert refusal.value.file == str(dump)


def test_lost_atoms_are_refused_or_masked_never_zero(tmp_path, frames, few):
    lost = [line.split()[0] for line in frames[2].splitlines()[9:12]]
    dump, store = written(tmp_path, [*frames[:2], changed(frames[2], lambda body: body[3:])]), tmp_path / "masked.zarr"
    with pytest.raises(BadDataError, match=f"(?s)E-LOST-ATOMS: 3 atoms.*{min(map(int, lost))}"):
        qsdask.ingest(dump, store, species=SPECIES, run=few)
    # What the hint says works on the same store: what was never complete binds nobody.
    qsdask.ingest(dump, store, species=SPECIES, chunk=2304, lost_atoms="mask", run=few)
    qsdask.respond(store, run=few)
    tree = qsdask.open_store(store)
    gone = np.isin(tree["atoms"].ds["id"].values, [int(i) for i in lost])
    position = tree["frames"].ds["position"].values
    assert np.isnan(position[2][gone]).all()
    assert np.isfinite(position[2][~gone]).all()
    d2min = tree["response/d2min"].ds
    assert np.isnan(d2min["d2min"].values[2][gone]).all()
    assert not d2min["valid"].values[2][gone].any()
    assert d2min["valid"].values[1].all()
    assert tree["frames"].ds["n_lost"].values.tolist() == [0, 0, 3]
    assert "W-LOST-ATOMS" in warned(store)


def test_a_flip_of_the_box_changes_no_d2min(tmp_path, few):
    """The same sheared crystal, its box flipped or not, in the second frame."""
    rng = np.random.default_rng(4)
    edge = 16.0
    grid = np.stack(np.meshgrid(*[np.arange(4)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    reduced = (grid + rng.normal(scale=0.06, size=grid.shape)) / 4.0
    moved = reduced + rng.normal(scale=0.004, size=grid.shape)

    def frame(step, s, xy):
        cell = np.array([[edge, 0, 0], [xy, edge, 0], [0, 0, edge]])
        x = (s - np.floor(s)) @ cell
        low, high = min(0.0, xy), edge + max(0.0, xy)
        rows = [f"{i + 1} 1 {a!r} {b!r} {c!r}" for i, (a, b, c) in enumerate(x.tolist())]
        head = [
            "ITEM: TIMESTEP",
            str(step),
            "ITEM: NUMBER OF ATOMS",
            str(len(s)),
            "ITEM: BOX BOUNDS xy xz yz pp pp pp",
            f"{low!r} {high!r} {xy!r}",
            f"0 {edge} 0",
            f"0 {edge} 0",
            "ITEM: ATOMS id type x y z",
        ]
        return "\n".join(head + rows) + "\n"

    # Tilt 0.45 -> 0.55 of the edge; flipped it is -0.45, and every atom's first coordinate gains its second.
    flipped = moved.copy()
    flipped[:, 0] += flipped[:, 1]
    found = {}
    for name, second in (("straight", frame(1, moved, 0.55 * edge)), ("flipped", frame(1, flipped, -0.45 * edge))):
        dump = written(tmp_path, [frame(0, reduced, 0.45 * edge), second], name)
        store = tmp_path / f"{name}.zarr"
        qsdask.ingest(dump, store, species={1: "Cu"}, run=few)
        qsdask.respond(store, cutoff=6.0, run=few)
        tree = qsdask.open_store(store)
        found[name] = (tree["frames"].ds["cell"].values[1], tree["response/d2min"].ds["d2min"].values[1])
        assert ("W-BOX-FLIP" in warned(store)) == (name == "flipped")
    np.testing.assert_allclose(found["flipped"][0], found["straight"][0], atol=1e-12)
    np.testing.assert_allclose(found["flipped"][1], found["straight"][1], rtol=1e-9)
    assert found["straight"][1].max() < 1.0
