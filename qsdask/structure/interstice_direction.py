"""Interstices by direction: are the gaps around an atom wider along the loading axis or across it?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qsdask.kernels.direction import directed_distance, directed_interstice
from qsdask.quantity import AtomQuantity, Column, column_name
from qsdask.space.block import Block

__all__ = ["FEATURE_SET", "IntersticeDirection"]

_NO_BOND = "no {}, or no bond that points this way at all"
_NO_HULL = "fewer than 4 neighbours, a flat hull, or an atom outside its hull"
_KINDS = (
    ("distance", "voro", "voronoi", "bonds to the Voronoi neighbours", _NO_BOND.format("Voronoi neighbour")),
    ("area", "voro", "voronoi", "triangles of the neighbours' hull", _NO_HULL),
    ("volume", "voro", "voronoi", "tetrahedra of atom and hull triangle", _NO_HULL),
    ("distance", "cutoff", "cutoff", "bonds within the cut-off", _NO_BOND.format("neighbour")),
)
_SIDES = {
    "axial": "mean empty share of the {}, weighted by cos^2 with the loading axis",
    "lateral": "mean empty share of the {}, weighted by sin^2 with the loading axis",
    "difference": "axial less lateral mean empty share of the {}",
}


@dataclass(frozen=True)
class IntersticeDirection(AtomQuantity):
    """Interstices of Wang & Jain along the loading axis, across it, and the difference of the two.

    Parameters
    ----------
    convention : {"paper", "amlearn"}
        Distance interstice (d - R - R) / d, or d / (R + R) - 1.
    axis : {"x", "y", "z"}
        Loading axis.

    Notes
    -----
    ``axial = sum w x / sum w`` with ``w = cos^2``, ``lateral`` the same with ``w = sin^2`` of the angle between the
    axis and a bond, or the normal of a hull triangle, also for the tetrahedron that the triangle makes with the atom: the
    normal is its height. Area and volume interstices are clipped at 0. The normal and not the centroid gives the direction
    because it is the same for all triangles of a flat facet, whichever way that is cut into triangles. A triangle that
    faces along the axis lies across it: a glass stretched along the axis has longer axial bonds and larger lateral triangles.

    Equal to one another and to the plain mean of `Interstice` where the surroundings are cubic and the axis is
    one of the cube: sum n_i n_j is then isotropic. Invariant under translation, rotation about the axis and choice of
    periodic image; not under other rotations. The weights are qsdask's own; the paper's columns see no direction.

    References
    ----------
    Q. Wang and A. Jain, Nat. Commun. 10, 5537 (2019), doi:10.1038/s41467-019-13511-9.
    """

    convention: str = "paper"
    axis: str = "z"

    name: ClassVar[str] = "interstice_direction"
    shells: ClassVar[tuple[str, ...]] = ("voronoi", "cutoff")
    cost: ClassVar[float] = 3.3
    columns: ClassVar[tuple[Column, ...]] = tuple(
        Column(column_name("sro", f"interstice_{kind}", short, side), "1", text.format(what), nan, shell)
        for kind, short, shell, what, nan in _KINDS
        for side, text in _SIDES.items()
    )

    def compute(self, block: Block) -> np.ndarray:
        """Directed means of the owned atoms; shape (n_owned, 12)."""
        voronoi, cutoff = block.shells["voronoi"], block.shells["cutoff"]
        atoms = block.position, block.radius, block.n_owned
        axis, contact = "xyz".index(self.axis), self.convention == "amlearn"
        around = directed_interstice(*atoms, voronoi.neighbour, voronoi.count, axis, contact=contact)
        bonds = directed_distance(*atoms, cutoff.neighbour, cutoff.count, axis, contact=contact)
        value = np.concatenate([around, bonds], axis=1).reshape(block.n_owned, -1, 2)
        return np.concatenate([value, value[..., :1] - value[..., 1:]], axis=2).reshape(block.n_owned, -1)


FEATURE_SET = IntersticeDirection
