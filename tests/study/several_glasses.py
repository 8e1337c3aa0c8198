"""Small glasses of the golden one, cut at other places: replicas, other compositions, another system."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import qsdask

#: Of glasses this small nothing is learned; that the numbers are the right ones is seen all the same.
LEARNING = {"strain": 0.01, "threshold": 0.3, "folds": 2, "draws": 2, "trees": 5, "surface_margin": 0.0}
SETS = "interstice,coordination,symmetry_function"


def glass_of(golden: Path, home: Path, name: str, first: int, few, *, chunk: int = 24, species: str = "Cu,Zr") -> Path:
    """Store of 48 atoms of the golden glass from the given row on, at rest and displaced, with some sets."""
    lines = (golden / "cuzr256.dump").read_text().splitlines()
    text = []
    for step in range(2):
        head = [*lines[:9]]
        head[1], head[3] = str(100 * step), "48"
        text += head
        for k, line in enumerate(lines[9 + first : 57 + first]):
            _, kind, *position = line.split()
            moved = np.array(position, dtype=float) + 0.3 * step * np.sin((k + first) * np.arange(1, 4))
            text.append(f"{k + 1} {kind} " + " ".join(f"{x:.3f}" for x in moved))
    dump, store = home / f"{name}.dump", home / f"{name}.zarr"
    dump.write_text("\n".join(text) + "\n")
    names = species.split(",")
    qsdask.ingest(dump, store, species={1: names[0], 2: names[1]}, strain_step=0.01, chunk=chunk, name=name, run=few)
    qsdask.shells(store, run=few)
    qsdask.features(store, set=SETS, run=few)
    qsdask.respond(store, run=few)
    return store
