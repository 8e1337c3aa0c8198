"""Fixtures shared by all tests: small real glasses as dumps and as stores."""

from __future__ import annotations

import gzip
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.long_run import own_run, run_of_many  # noqa: E402, F401
from tests.small_store import own, tiny  # noqa: E402, F401  fixtures of many rooms
from tests.tiny_s3 import bucket  # noqa: E402, F401

SPECIES = {1: "Cu", 2: "Zr"}


@pytest.fixture(scope="session")
def golden() -> Path:
    """Folder of the golden numbers."""
    return ROOT / "tests" / "golden"


@pytest.fixture(scope="session")
def shipped() -> Path:
    """Folder of the trajectories in the package."""
    return ROOT / "qsdask" / "data"


@pytest.fixture(scope="session")
def few():
    """Two threads of this process, no bars: the quickest cluster for small stores."""
    from qsdask.engine.where import Run

    return Run(cluster="threads", workers=2, progress=False)


@pytest.fixture(scope="session")
def freud():
    """The peer, bound to its own voro++: LAMMPS, once loaded, lends its other one to all of the process, and that crashes."""
    flags = sys.getdlopenflags()
    sys.setdlopenflags(os.RTLD_NOW | getattr(os, "RTLD_DEEPBIND", 0))
    try:
        package = pytest.importorskip("freud")
    finally:
        sys.setdlopenflags(flags)
    return package


@pytest.fixture(scope="session")
def frames(shipped) -> list[str]:
    """Text of the first frames of a shipped glass, at strains 0, 0.5 %, 1 % and 4 %."""
    with gzip.open(shipped / "cu65_a.dump.gz", "rt") as file:
        text = file.read().split("ITEM: TIMESTEP\n")[1:]
    return ["ITEM: TIMESTEP\n" + text[i] for i in (0, 1, 2, 8)]


def carved(frame: str, keep: np.ndarray) -> str:
    """A frame with only the atoms of the given ids."""
    lines = frame.splitlines()
    body = [line for line in lines[9:] if int(line.split()[0]) in set(keep.tolist())]
    lines[3] = str(len(body))
    return "\n".join(lines[:9] + body) + "\n"


@pytest.fixture(scope="session")
def glass(tmp_path_factory, frames, few) -> Iterator[Path]:
    """Store of the first shipped glass: four strains, three domains, all stages up to the response; not to be changed."""
    import qsdask

    folder = tmp_path_factory.mktemp("glass")
    dump = folder / "glass.dump"
    dump.write_text("".join(frames))
    store = folder / "glass.zarr"
    qsdask.ingest(dump, store, species=SPECIES, chunk=2304, run=few)
    qsdask.shells(store, run=few)
    qsdask.features(store, run=few)
    qsdask.respond(store, run=few)
    made = {folder.name for folder in store.iterdir()}
    yield store
    # Or a test passes or fails by what ran before it.
    assert {folder.name for folder in store.iterdir()} == made
