"""Layers around the owned atoms of a block: how far out an entry lies, in reaches of one step of an iteration.

What an atom becomes in a step is decided by the atoms within one reach of it. So a block that holds all atoms within n
reaches of its owned ones allows n steps, each of one layer less. All images of an atom become the same: it is computed
once, where it lies nearest to the owned atoms, and copied.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, NamedTuple

import numpy as np

from qsdask.space.block import Block
from qsdask.space.box import Box

__all__ = ["Layers", "exact_box", "exact_position", "layered"]

#: Bits of a coordinate, beside those that the cell itself takes, of which differences and sums are exact.
GRID_BITS = 48


class Layers(NamedTuple):
    """Which entries of a block are computed.

    Attributes
    ----------
    count : int64 array, shape (n_layer,)
        Entries to compute within 0, 1, ... reaches of the owned atoms; those of layer 0 are owned. They come first.
    source : int64 array, shape (n_local - n_first,)
        For each of the other entries that of the same atom among the first.
    """

    count: np.ndarray  # type: ignore[assignment]  # rather than tuple's own method
    source: np.ndarray

    @property
    def n_first(self) -> int:
        """Number of atoms: entries that are no copies."""
        return int(self.count[-1])

    def within(self, layer: int) -> int:
        """Entries to compute so many reaches out."""
        return int(self.count[min(layer, len(self.count) - 1)])


def layered(block: Block, layer: np.ndarray) -> tuple[Block, Layers]:
    """A block whose entries are sorted by layer, images of one atom behind all atoms.

    Parameters
    ----------
    block : Block
        Without shells.
    layer : int array, shape (n_local,)
        How many reaches out each entry lies; 0 for the owned ones, and for no others.

    Returns
    -------
    block : Block
        The owned entries stay where they are.
    layers : Layers
    """
    by_row = np.lexsort((layer, block.row))
    row = block.row[by_row]
    leads = np.concatenate([[True], row[1:] != row[:-1]]) if len(row) else np.zeros(0, dtype=bool)
    first = np.zeros(len(row), dtype=bool)
    first[by_row[leads]] = True
    moved = np.lexsort((np.arange(len(row)), layer, ~first))
    place = np.empty(len(row), dtype=np.int64)
    place[moved] = np.arange(len(row))
    lead_of = np.empty(len(row), dtype=np.int64)
    lead_of[by_row] = by_row[leads][np.cumsum(leads) - 1]
    n_first = int(first.sum())
    highest = int(layer[first].max(initial=0))
    count = np.bincount(layer[first], minlength=highest + 1).cumsum()
    arrays = {f.name: getattr(block, f.name) for f in fields(block)}
    along: dict[str, Any] = {k: v[moved] for k, v in arrays.items() if isinstance(v, np.ndarray) and len(v) == len(row)}
    return replace(block, **along), Layers(count, place[lead_of[moved[n_first:]]])


def exact_box(box: Box) -> Box:
    """The box with cell vectors and origin on the grid of `exact_position`."""
    grid = _grid(box)
    return Box(_on(box.cell, grid), _on(box.origin, grid), box.periodic)


def exact_position(position: np.ndarray, box: Box) -> np.ndarray:
    """Wrapped positions on a grid on which bonds between any two images are exact differences.

    Parameters
    ----------
    position : float64 array, shape (n, 3)
        Unit: angstrom.
    box : Box
        As given, or from `exact_box`.

    Returns
    -------
    float64 array, shape (n, 3)
        Moved by less than 1e-12 angstrom in a cell of 50 angstrom.
    """
    return _on(position, _grid(box))


def _grid(box: Box) -> float:
    extent = float(np.abs(box.cell).sum() + np.abs(box.origin).sum())
    return 2.0 ** (np.ceil(np.log2(extent)) - GRID_BITS)


def _on(value: np.ndarray, grid: float) -> np.ndarray:
    # A power of two: dividing and multiplying is exact.
    return np.rint(value / grid) * grid
