"""Weighted i-fold symmetry: the share of a Voronoi cell's surface or volume under facets with i edges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qsdask.kernels.census import edge_census, shares
from qsdask.quantity import AtomQuantity, Column
from qsdask.space.block import Block

__all__ = ["FEATURE_SET", "WeightedIFold"]


@dataclass(frozen=True)
class WeightedIFold(AtomQuantity):
    """i-fold symmetry indices with every facet counted by its area, or by its pyramid.

    Parameters
    ----------
    convention : {"paper", "amlearn"}
        Facets with more than 7 edges are left out, or are taken as 7.
    facet_weight : {"area", "volume"}
        Weight of a facet: its area, or the volume of the pyramid between it and the atom.
    tessellation : {"voronoi", "radical"}
        Where the facet stands: half-way to the neighbour, or at ``(d**2 + R**2 - R'**2) / (2 d)`` of the distance d.

    Notes
    -----
    In a radical tessellation a facet may stand behind its atom: its pyramid then counts negative, so that all of them
    still add up to the cell. The denominator is the weight of the facets counted, all of them kept ones.

    References
    ----------
    Q. Wang and A. Jain, Nat. Commun. 10, 5537 (2019), doi:10.1038/s41467-019-13511-9.
    """

    convention: str = "paper"
    facet_weight: str = "area"
    tessellation: str = "voronoi"

    name: ClassVar[str] = "weighted_ifold"
    shells: ClassVar[tuple[str, ...]] = ("voronoi",)
    cost: ClassVar[float] = 0.03
    columns: ClassVar[tuple[Column, ...]] = tuple(
        Column(
            f"sro__weighted_ifold_{i}__voro",
            "1",
            f"weight of the Voronoi facets with {i} edges over that of all",
            "no Voronoi cell",
        )
        for i in range(3, 8)
    )

    def compute(self, block: Block) -> np.ndarray:
        """Weighted indices of the owned atoms; shape (n_owned, 5)."""
        shell = block.shells["voronoi"]
        weight = np.asarray(shell.facet_area)
        if self.facet_weight == "volume":
            # The height of a pyramid is half of this: half the distance between equal atoms.
            height = np.asarray(shell.distance)
            if self.tessellation == "radical":
                square = block.radius**2
                height = height + (square[: block.n_owned, None] - square[shell.neighbour]) / height
            weight = weight * height / 6
        beyond = self.convention == "amlearn"
        return shares(edge_census(shell.edges, shell.count, weight, beyond=beyond))


FEATURE_SET = WeightedIFold
