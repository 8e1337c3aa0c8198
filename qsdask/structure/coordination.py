"""Coordination numbers: how many neighbours an atom has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qsdask.quantity import AtomQuantity, Column
from qsdask.space.block import Block

__all__ = ["FEATURE_SET", "Coordination"]


@dataclass(frozen=True)
class Coordination(AtomQuantity):
    """Number of kept Voronoi neighbours, and of atoms within the cut-off.

    Notes
    -----
    An atom without a Voronoi cell (a free surface) has NaN in the first column; an atom alone within the
    cut-off has 0 in the second.

    References
    ----------
    Q. Wang and A. Jain, Nat. Commun. 10, 5537 (2019), doi:10.1038/s41467-019-13511-9.
    """

    name: ClassVar[str] = "coordination"
    shells: ClassVar[tuple[str, ...]] = ("voronoi", "cutoff")
    cost: ClassVar[float] = 0.01
    columns: ClassVar[tuple[Column, ...]] = (
        Column("sro__coordination__voro", "1", "number of Voronoi neighbours", "no Voronoi cell", "voronoi"),
        Column("sro__coordination__cutoff", "1", "number of atoms within the cut-off", "never", "cutoff"),
    )

    def compute(self, block: Block) -> np.ndarray:
        """Coordination numbers of the owned atoms; shape (n_owned, 2)."""
        facets = block.shells["voronoi"].count
        return np.stack([np.where(facets > 0, facets, np.nan), block.shells["cutoff"].count], axis=1)


FEATURE_SET = Coordination
