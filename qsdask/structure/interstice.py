"""Interstices: the empty share of bonds, of triangles and of tetrahedra around an atom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qsdask.kernels.interstice import distance_interstice, voronoi_interstice
from qsdask.quantity import STATISTICS, AtomQuantity, Column, column_name
from qsdask.space.block import Block

__all__ = ["FEATURE_SET", "Interstice"]

_NO_HULL = "fewer than 4 neighbours, a flat hull, or an atom outside its hull"

_KINDS = (
    ("distance", "voro", "voronoi", "empty share of the bonds to the Voronoi neighbours", "no Voronoi neighbour"),
    ("area", "voro", "voronoi", "empty share of the triangles of the neighbours' hull", _NO_HULL),
    ("volume", "voro", "voronoi", "empty share of the tetrahedra of atom and hull triangle", _NO_HULL),
    ("distance", "cutoff", "cutoff", "empty share of the bonds within the cut-off", "no neighbour within the cut-off"),
)


@dataclass(frozen=True)
class Interstice(AtomQuantity):
    """The 16 short-range columns of Wang & Jain; with their medium range they are the 80 of the paper.

    Parameters
    ----------
    convention : {"paper", "amlearn"}
        Distance interstice (d - R - R) / d, or d / (R + R) - 1.
    clip : bool
        Set negative area and volume interstices (overlapping spheres, slivers) to 0, as amlearn and matminer do.

    Notes
    -----
    Mean, population standard deviation, minimum and maximum, unweighted. Invariant under translation, rotation and
    choice of periodic image. NaN where the atom has no such neighbours or its hull is not a body around it.

    References
    ----------
    Q. Wang and A. Jain, Nat. Commun. 10, 5537 (2019), doi:10.1038/s41467-019-13511-9.
    """

    convention: str = "paper"
    clip: bool = True

    name: ClassVar[str] = "interstice"
    shells: ClassVar[tuple[str, ...]] = ("voronoi", "cutoff")
    cost: ClassVar[float] = 3.0
    columns: ClassVar[tuple[Column, ...]] = tuple(
        Column(
            column_name("sro", f"interstice_{kind}", short, statistic), "1", f"{statistic} of the {meaning}", nan, shell
        )
        for kind, short, shell, meaning, nan in _KINDS
        for statistic in STATISTICS
    )

    def compute(self, block: Block) -> np.ndarray:
        """Short-range columns of the owned atoms; shape (n_owned, 16)."""
        contact = self.convention == "amlearn"
        voronoi, cutoff = block.shells["voronoi"], block.shells["cutoff"]
        around, _ = voronoi_interstice(
            block.position,
            block.radius,
            block.n_owned,
            voronoi.neighbour,
            voronoi.count,
            contact=contact,
            clip=self.clip,
        )
        bonds = distance_interstice(
            block.position, block.radius, block.n_owned, cutoff.neighbour, cutoff.count, contact=contact
        )
        return np.concatenate([around, bonds], axis=1)


FEATURE_SET = Interstice
