"""A store of nineteen frames of 48 atoms: two steps a file, two domains."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.small_store import SPECIES, small_dump

N_STEP = 19


def long_dump(golden: Path, file: Path) -> Path:
    """48 atoms of the golden glass, nineteen frames, in each a little farther."""
    lines = small_dump(golden, file, shift=0.0).read_text().splitlines()
    frame = lines[: len(lines) // 2]
    text = []
    for step in range(N_STEP):
        text += [frame[0], str(100 * step), *frame[2:9]]
        for line in frame[9:]:
            number, kind, *position = line.split()
            moved = np.array(position, dtype=float) + 0.05 * step * np.sin(int(number) * np.arange(1, 4))
            text.append(f"{number} {kind} " + " ".join(f"{x:.3f}" for x in moved))
    file.write_text("\n".join(text) + "\n")
    return file


def made(dump: Path, store: Path, run, chunk: int = 24) -> Path:
    """The store of a dump, with shells, features and response."""
    import qsdask

    qsdask.ingest(dump, store, species=SPECIES, strain_step=0.01, chunk=chunk, run=run)
    qsdask.shells(store, run=run)
    qsdask.features(store, run=run)
    return qsdask.respond(store, run=run)


@pytest.fixture(scope="session")
def run_of_many(tmp_path_factory, golden, few) -> Path:
    """Folder with ``long.dump``, ``long.zarr``, and ``single.zarr``, which has a file for each step; not to be changed."""
    from qsdask import schema

    home = tmp_path_factory.mktemp("long")
    dump = long_dump(golden, home / "long.dump")
    made(dump, home / "long.zarr", few)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "MOST_IN_FILE", 1)
        made(dump, home / "single.zarr", few)
    return home


@pytest.fixture
def own_run(run_of_many, tmp_path) -> Path:
    """A copy of the folder that a test may damage."""
    return shutil.copytree(run_of_many, tmp_path / "own")
