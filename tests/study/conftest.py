"""Five small glasses: two kinds of Cu-Zr with two replicas each, and one of Fe-P."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import qsdask
from tests.study.several_glasses import glass_of


@pytest.fixture(scope="session")
def glasses_of_kinds(tmp_path_factory, golden, few) -> dict[str, Path]:
    home = tmp_path_factory.mktemp("kinds")
    made = {name: glass_of(golden, home, name, 48 * k, few) for k, name in enumerate(("a1", "b1", "a2", "b2"))}
    made["fe"] = glass_of(golden, home, "fe", 200, few, species="Fe,P")
    table = "store,composition,rate\na1,A,1e13\na2,A,1e13\nb1,B,2e13\nb2,B,2e13\nfe,F,1e13\n"
    made["table"] = home / "conditions.csv"
    made["table"].write_text(table)
    return made


@pytest.fixture(scope="session")
def shaken(tmp_path_factory, golden, few) -> dict[str, Path]:
    """256 golden atoms, shaken more and more over five frames, with their softness: in one domain, in eight, and undeformed."""
    home = tmp_path_factory.mktemp("shaken")
    lines = (golden / "cuzr256.dump").read_text().splitlines()
    first = np.array([line.split() for line in lines[9:]], dtype=float)
    pull = np.random.default_rng(3).normal(size=(256, 3)) * np.random.default_rng(4).lognormal(size=(256, 1))
    text = []
    for frame in range(5):
        moved = first[:, 2:5] + 0.12 * frame * pull
        text += [lines[0], str(frame), *lines[2:9]]
        rows = zip(first[:, :2].astype(int).tolist(), moved.tolist(), strict=True)
        text += [f"{number} {kind} {x:.4f} {y:.4f} {z:.4f}" for (number, kind), (x, y, z) in rows]
    dump = home / "shaken.dump"
    dump.write_text("\n".join(text) + "\n")
    (home / "first.dump").write_text("\n".join(text[:265]) + "\n")
    made = {}
    for name, file, chunk in (("whole", dump, 256), ("cut", dump, 32), ("first", home / "first.dump", 256)):
        store = made[name] = home / f"{name}.zarr"
        qsdask.ingest(file, store, species={1: "Cu", 2: "Zr"}, strain_step=0.02, chunk=chunk, name="shaken", run=few)
        qsdask.shells(store, run=few)
        qsdask.features(store, run=few)
        if name != "first":
            qsdask.respond(store, run=few)
        qsdask.predict(store, model="cuzr-fast", accept_outside=True, run=few)
    return made
