"""Volume metrics: how densely an atom, its neighbours and its Voronoi cell are packed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qsdask.kernels.packing import packing
from qsdask.quantity import AtomQuantity, Column
from qsdask.space.block import Block

__all__ = ["FEATURE_SET", "Volume"]


@dataclass(frozen=True)
class Volume(AtomQuantity):
    """Cluster packing efficiency, atomic packing efficiency and filled share of the Voronoi cell.

    Notes
    -----
    Formulas in `qsdask.kernels.packing`. NaN where a value does not exist; amlearn has 0 there.

    References
    ----------
    L. Yang et al., Phys. Rev. Lett. 109, 105502 (2012), doi:10.1103/PhysRevLett.109.105502.
    K. J. Laws, D. B. Miracle and M. Ferry, Nat. Commun. 6, 8123 (2015), doi:10.1038/ncomms9123.
    """

    name: ClassVar[str] = "volume"
    shells: ClassVar[tuple[str, ...]] = ("voronoi",)
    cost: ClassVar[float] = 3.0
    columns: ClassVar[tuple[Column, ...]] = (
        Column(
            "sro__cluster_packing_efficiency__voro",
            "1",
            "share of the hull of the Voronoi neighbours that the atom and they fill",
            "fewer than 4 neighbours, a flat hull, or an atom outside its hull",
        ),
        Column(
            "sro__atomic_packing_efficiency__voro",
            "1",
            "radius over the mean radius of the Voronoi neighbours, less the ratio of ideal packing",
            "fewer than 3 or more than 24 neighbours",
        ),
        Column(
            "sro__atomic_volume_share__voro", "1", "volume of the atom over that of its Voronoi cell", "no Voronoi cell"
        ),
    )

    def compute(self, block: Block) -> np.ndarray:
        """Volume metrics of the owned atoms; shape (n_owned, 3)."""
        shell = block.shells["voronoi"]
        return packing(block.position, block.radius, block.n_owned, shell.neighbour, shell.count, shell.cell_volume)


FEATURE_SET = Volume
