"""Blocks of space in a store, long enough that what happens in one says little of the next, and atoms counted in them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from qsdask.analysis.distance import add
from qsdask.engine.reading import read_box
from qsdask.errors import UsageError
from qsdask.learn import Tally
from qsdask.learn.bootstrap import ENOUGH, FEWEST, counted
from qsdask.learn.folds import blocks, shape_of_blocks
from qsdask.learn.tally import RESOLUTION
from qsdask.store.reader import StoreReader

__all__ = ["Scored", "block_edge", "block_of", "few_blocks"]

#: Edge of a block by default, in spacings of the atoms. In Cu-Zr they are 12.7 angstrom, and whether two atoms are plastic
#: is not correlated beyond 9.
SPACINGS = 5.0

#: Blocks at most, by default: as a glass grows, longer ones tell more than further ones.
WANTED = 64

#: Blocks at most where the edge is given: all of them are held at once, 16 kB each.
MOST = 4096


class Scored(NamedTuple):
    """Usable atoms by label and softness: what the scores of one model are made of, and how sure they are.

    Attributes
    ----------
    softness : Tally
        By QS, rounded to `qsdask.learn.tally.RESOLUTION`.
    blocks : dict of int to int64 array
        By block of space; see `qsdask.learn.bootstrap.counted`.
    """

    softness: Tally
    blocks: dict[int, np.ndarray]

    @classmethod
    def of(cls, y: np.ndarray, qs: np.ndarray, block: np.ndarray) -> Scored:
        """Count atoms: whether they are plastic, their softness, and their block."""
        return cls(Tally.of(y, qs, resolution=RESOLUTION), counted(y, qs, block))

    def __add__(self, other: Scored) -> Scored:  # type: ignore[override]  # counts add up, tuples would join
        return Scored(self.softness + other.softness, add(self.blocks, other.blocks))


def block_edge(root: StoreReader, asked: float | None = None) -> float:
    """Edge of the blocks that intervals of scores are drawn from.

    Parameters
    ----------
    root : StoreReader
        Store.
    asked : float, optional
        What the user wants. Unit: that of the store.

    Returns
    -------
    float
        Least distance between opposite sides of a block. By default five spacings of the atoms, the cube root of the volume
        of the cell by atom, and longer where that would be more than 64 blocks. Unit: that of the store.

    Raises
    ------
    UsageError
        ``E-BLOCK`` for an edge that is no positive number, or so short that there would be more than 4096 blocks.
    """
    box = read_box(root, 0)
    if asked is not None:
        n = int(shape_of_blocks(box.cell, asked).prod())
        if n > MOST:
            raise UsageError(
                f"blocks of {asked:g} {root.length} are {n:,} in this glass, and at most {MOST:,} are drawn from",
                code="E-BLOCK",
                hint=f"--block {np.ceil(asked * np.cbrt(n / MOST)) + 1:g}, or none: a fitting length is found then",
            )
        return float(asked)
    edge = SPACINGS * np.cbrt(box.volume / root["atoms/id"].shape[0])
    while (n := shape_of_blocks(box.cell, edge).prod()) > WANTED:
        edge *= np.cbrt(n / WANTED) * (1.0 + 1e-9)
    return float(edge)


def block_of(root: StoreReader, rows: slice, edge: float) -> np.ndarray:
    """Block of space that atoms lie in before any strain.

    Parameters
    ----------
    root : StoreReader
        Store.
    rows : slice
        Atoms.
    edge : float
        Least distance between opposite sides of a block. Unit: that of the store.

    Returns
    -------
    int64 array, shape (n,)
        Of the place of the atom alone, see `qsdask.learn.blocks`.
    """
    box = read_box(root, 0)
    return blocks(root["frames/position"][0, rows], box.cell, box.periodic, edge, origin=box.origin)


def few_blocks(n: int) -> list[str]:
    """What must be said of intervals from so few blocks."""
    if n >= ENOUGH:
        return []
    told = "there are no intervals" if n < FEWEST else "intervals are unsure, mostly too narrow"
    return [f"W-FEW-BLOCKS: {n} blocks of space with usable atoms; below {FEWEST if n < FEWEST else ENOUGH} {told}"]
