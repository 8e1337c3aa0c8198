"""Connected groups of atoms of a store: neighbours within the stored cut-off shell that are of one class."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from qsdask.analysis.connected import Piece, piece_of
from qsdask.engine.reading import read_box
from qsdask.store import ledger
from qsdask.store.reader import StoreReader
from qsdask.units import renamed

__all__ = ["SHELL", "piece_in", "within"]

#: Neighbours by distance: they are so from both sides, which those across small facets need not be.
SHELL = "shells/cutoff"


def piece_in(root: StoreReader, domain: int, label: np.ndarray, weight: np.ndarray) -> Piece:
    """Groups of the atoms of a domain; `label` and `weight` as of `qsdask.analysis.connected.piece_of`."""
    rows = root.rows(domain)
    reduced = read_box(root, 0).reduced(root["frames/position"][0, rows])
    neighbour, image = (root[f"{SHELL}/{name}"][rows] for name in ("neighbour", "image"))
    return piece_of(label, weight, reduced, neighbour, image, rows.start)


def within(path: Path) -> float:
    """Distance within which atoms are neighbours. Unit: that of the store."""
    settings = ledger.require(path, "shells").settings
    return float(settings[renamed("cutoff_angstrom", StoreReader(path).length)])
