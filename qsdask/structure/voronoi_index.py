"""Voronoi indices: how many facets of an atom's Voronoi cell have 3, 4, 5, 6 and 7 edges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qsdask.kernels.census import edge_census
from qsdask.quantity import AtomQuantity, Column
from qsdask.space.block import Block

__all__ = ["FEATURE_SET", "VoronoiIndex"]


@dataclass(frozen=True)
class VoronoiIndex(AtomQuantity):
    """Voronoi index <n_3, n_4, n_5, n_6, n_7> of the kept facets.

    Parameters
    ----------
    convention : {"paper", "amlearn"}
        n_7 counts the facets with exactly 7 edges, and those with more are in no column; or amlearn's n_7 of
        the facets with 7 edges or more.

    Notes
    -----
    Edges are those of the full cell: a facet too small to be kept is not counted, and its neighbours keep the
    edges they share with it.

    References
    ----------
    Q. Wang and A. Jain, Nat. Commun. 10, 5537 (2019), doi:10.1038/s41467-019-13511-9.
    """

    convention: str = "paper"

    name: ClassVar[str] = "voronoi_index"
    shells: ClassVar[tuple[str, ...]] = ("voronoi",)
    cost: ClassVar[float] = 0.03
    columns: ClassVar[tuple[Column, ...]] = tuple(
        Column(f"sro__voronoi_index_n{i}__voro", "1", f"number of Voronoi facets with {i} edges", "no Voronoi cell")
        for i in range(3, 8)
    )

    def compute(self, block: Block) -> np.ndarray:
        """Voronoi indices of the owned atoms; shape (n_owned, 5)."""
        shell = block.shells["voronoi"]
        return edge_census(shell.edges, shell.count, beyond=self.convention == "amlearn")


FEATURE_SET = VoronoiIndex
