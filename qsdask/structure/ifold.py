"""i-fold symmetry: the share of an atom's Voronoi facets that have i edges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qsdask.kernels.census import edge_census, pooled, shares
from qsdask.quantity import AtomQuantity, Column
from qsdask.space.block import Block

__all__ = ["FEATURE_SET", "IFold"]


@dataclass(frozen=True)
class IFold(AtomQuantity):
    """i-fold symmetry indices n_i / (n_3 + ... + n_7), and the same over an atom and its neighbours together.

    Parameters
    ----------
    convention : {"paper", "amlearn"}
        n_7 as in the Voronoi index: exactly 7 edges, or 7 and more. In the first case a facet with more edges
        is in no sum; in the second the sum is the number of facets, by which amlearn divides.

    Notes
    -----
    The average of the paper is sum_m n_i^m / sum_m sum_j n_j^m over the atom itself (m = 0) and its Voronoi
    neighbours: every facet has the same weight, unlike in the mean of the neighbours' indices.

    References
    ----------
    Q. Wang and A. Jain, Nat. Commun. 10, 5537 (2019), doi:10.1038/s41467-019-13511-9.
    """

    convention: str = "paper"

    name: ClassVar[str] = "ifold"
    shells: ClassVar[tuple[str, ...]] = ("voronoi",)
    rings: ClassVar[int] = 2
    cost: ClassVar[float] = 0.18
    columns: ClassVar[tuple[Column, ...]] = tuple(
        Column(f"sro__ifold_{i}__voro", "1", f"share of the Voronoi facets with {i} edges", "no Voronoi cell")
        for i in range(3, 8)
    ) + tuple(
        Column(
            f"mro__average_ifold_{i}__voro",
            "1",
            f"share of the Voronoi facets of an atom and its neighbours with {i} edges",
            "no Voronoi cell of its own or of a neighbour",
            medium=False,
        )
        for i in range(3, 8)
    )

    def compute(self, block: Block) -> np.ndarray:
        """Indices of the owned atoms, and their averages; shape (n_owned, 10)."""
        shell = block.shells["voronoi"]
        facets = edge_census(shell.edges, shell.count, beyond=self.convention == "amlearn")
        around = pooled(facets, block.n_owned, shell.neighbour, shell.count)
        return np.concatenate([shares(facets[: block.n_owned]), shares(around)], axis=1)


FEATURE_SET = IFold
