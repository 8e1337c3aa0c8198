"""What the tests of the elastic network and of the soft spheres share."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import qsdask
from tests.conftest import SPECIES

#: Atoms of which there are golden numbers.
GOLDEN_ATOMS = 400


def first_frame_of(frames, folder: Path, run, chunk: int = 65536) -> Path:
    """Store of the first frame of the shipped glass."""
    dump = folder / "one.dump"
    dump.write_text(frames[0])
    return qsdask.ingest(dump, folder / f"{chunk}.zarr", species=SPECIES, chunk=chunk, run=run)


def by_id(store: Path, name: str, ids=None) -> tuple[list[str], np.ndarray]:
    """Columns of a set, and its values in the order of these atom ids, or of all."""
    tree = qsdask.open_store(store)
    order = np.argsort(tree["atoms"].ds["id"].values)
    found = tree[f"features/{name}"].ds
    value = found["value"].values[order]
    if ids is not None:
        value = value[np.searchsorted(tree["atoms"].ds["id"].values[order], ids)]
    return found["feature"].values.tolist(), value
