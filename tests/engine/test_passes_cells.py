"""Steps over stores of tilted cells and open boundaries: the cut changes no bit, and atoms of a surface have values."""

from __future__ import annotations

import numpy as np
import pytest

import qsdask
from qsdask.store.reader import StoreReader
from qsdask.testing.blocks import specimen
from tests.engine.test_passes import FEW_STEPS, SETS, every
from tests.responses import by_id


def extended(name: str, file):
    """A specimen as extended XYZ."""
    found = specimen(name)
    lattice = " ".join(f"{v:.12g}" for v in found.box.cell.ravel())
    pbc = " ".join("T" if along else "F" for along in found.box.periodic)
    head = f'Lattice="{lattice}" pbc="{pbc}" Properties=species:S:1:pos:R:3:id:I:1'
    place = found.position - found.box.origin
    rows = zip(found.species, place, found.id, strict=True)
    atoms = [f"{('Cu', 'Zr')[k]} {x:.6f} {y:.6f} {z:.6f} {i}" for k, (x, y, z), i in rows]
    file.write_text("\n".join([str(len(atoms)), head, *atoms]) + "\n")
    return file


@pytest.mark.parametrize("name", ["tilted", "slab"])
def test_the_cut_changes_no_bit(name, tmp_path, few, monkeypatch):
    every(monkeypatch, 2)
    found = {}
    for chunk in (1024, 24):
        store = qsdask.ingest(
            extended(name, tmp_path / f"{name}.extxyz"), tmp_path / f"{chunk}.zarr", chunk=chunk, run=few
        )
        qsdask.features(store, set=",".join(SETS), run=few, **FEW_STEPS)
        found[chunk] = [by_id(store, one)[1] for one in SETS]
    assert StoreReader(tmp_path / "24.zarr").n_domain > 3
    for one, two in zip(*found.values(), strict=True):
        np.testing.assert_array_equal(one, two)
        assert np.isfinite(one).all()
