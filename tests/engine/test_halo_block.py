"""Halos of cells so thin that they repeat themselves without measure."""

from __future__ import annotations

import pytest

import qsdask
from qsdask.errors import BadDataError

ROWS = "1 1 0.1 0.2 3.0\n2 1 0.3 0.1 7.5\n3 1 0.2 0.4 12.0\n4 1 0.4 0.3 17.0\n"


def test_more_copies_of_a_cell_than_can_be_looked_at_are_refused(tmp_path, few):
    dump, store = tmp_path / "a.dump", tmp_path / "a.zarr"
    dump.write_text(
        "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n4\nITEM: BOX BOUNDS pp pp pp\n0 0.5\n0 0.5\n0 20\n"
        f"ITEM: ATOMS id type x y z\n{ROWS}"
    )
    qsdask.ingest(dump, store, species={1: "Cu"}, run=few)
    with pytest.raises(BadDataError, match=r"E-COPIES: the cell is 0.5 angstrom thick.* within 30 angstrom"):
        qsdask.shells(store, cutoff=30.0, run=few)
