"""A store so small that a test may damage it a hundred times: 48 atoms, two strains, two domains, every stage."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

SPECIES = {1: "Cu", 2: "Zr"}


def small_dump(golden: Path, file: Path, shift: float = 0.3, first: int = 0) -> Path:
    """48 atoms of the golden glass from the `first` on, at rest and displaced."""
    lines = (golden / "cuzr256.dump").read_text().splitlines()
    text = []
    for step in range(2):
        head = [*lines[:9]]
        head[1], head[3] = str(100 * step), "48"
        text += head
        for line in lines[9 + first : 57 + first]:
            number, kind, *position = line.split()
            moved = np.array(position, dtype=float) + shift * step * np.sin(int(number) * np.arange(1, 4))
            text.append(f"{number} {kind} " + " ".join(f"{x:.3f}" for x in moved))
    file.write_text("\n".join(text) + "\n")
    return file


@pytest.fixture(scope="session")
def tiny(tmp_path_factory, golden, few) -> Path:
    """Folder with ``tiny.dump``, the finished store ``tiny.zarr`` and the model ``tiny.qs``; not to be changed."""
    import qsdask

    home = tmp_path_factory.mktemp("tiny")
    dump, store = small_dump(golden, home / "tiny.dump"), home / "tiny.zarr"
    qsdask.ingest(dump, store, species=SPECIES, strain_step=0.01, chunk=24, run=few)
    qsdask.shells(store, run=few)
    qsdask.features(store, run=few)
    qsdask.respond(store, run=few)
    model = qsdask.train(
        [store],
        model=home / "tiny.qs",
        strain=0.01,
        threshold=0.3,
        folds=2,
        draws=1,
        trees=5,
        surface_margin=0.0,
        run=few,
    )
    qsdask.predict(store, model=model, run=few)
    return home


@pytest.fixture
def own(tiny, tmp_path) -> Path:
    """A copy of the folder that a test may damage."""
    return shutil.copytree(tiny, tmp_path / "own")
