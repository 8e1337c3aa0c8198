"""Characteristic motifs: whether an atom's Voronoi cell is one of the close-packed polyhedra of glasses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qsdask.kernels.census import edge_census
from qsdask.quantity import AtomQuantity, Column
from qsdask.space.block import Block

__all__ = ["FEATURE_SET", "Motif"]

_COLUMNS = (
    ("motif_z12", "<0,0,12,0,0>, an icosahedron"),
    ("motif_z16", "<0,0,12,4,0>"),
    ("motif_z12_or_z16", "<0,0,12,0,0> or <0,0,12,4,0>"),
    ("motif_frank_kasper", "of Frank-Kasper type"),
)


@dataclass(frozen=True)
class Motif(AtomQuantity):
    """Four yes-or-no columns, 1 or 0.

    Parameters
    ----------
    motif : {"amlearn", "strict"}
        Which cells are of Frank-Kasper type: those with 2 n_4 + n_5 = 12, whatever their other facets, or
        only the Frank-Kasper polyhedra Z12, Z14, Z15 and Z16, that is, <0,0,12,0,0>, <0,0,12,2,0>,
        <0,0,12,3,0> and <0,0,12,4,0>.

    Notes
    -----
    Facets with more than 7 edges count as 7 under either convention, so that a motif has none.
    The medium range has sum, mean and standard deviation: least and greatest would be 0 and 1 nearly
    everywhere.

    References
    ----------
    Q. Wang and A. Jain, Nat. Commun. 10, 5537 (2019), doi:10.1038/s41467-019-13511-9.
    F. C. Frank and J. S. Kasper, Acta Cryst. 11, 184 (1958), doi:10.1107/S0365110X58000487.
    """

    motif: str = "amlearn"

    name: ClassVar[str] = "motif"
    shells: ClassVar[tuple[str, ...]] = ("voronoi",)
    cost: ClassVar[float] = 0.06
    statistics: ClassVar[tuple[str, ...]] = ("sum", "mean", "std")
    columns: ClassVar[tuple[Column, ...]] = tuple(
        Column(f"sro__{name}__voro", "1", f"1 if the Voronoi cell is {meaning}, else 0", "no Voronoi cell")
        for name, meaning in _COLUMNS
    )

    def compute(self, block: Block) -> np.ndarray:
        """Motifs of the owned atoms; shape (n_owned, 4).

        0, 1 or NaN. Unit: 1.
        """
        shell = block.shells["voronoi"]
        n3, n4, n5, n6, n7 = edge_census(shell.edges, shell.count, beyond=True).T
        pentagons = (n3 == 0) & (n4 == 0) & (n5 == 12) & (n7 == 0)
        z12, z16 = pentagons & (n6 == 0), pentagons & (n6 == 4)
        if self.motif == "strict":
            frank_kasper = pentagons & np.isin(n6, (0, 2, 3, 4))
        else:
            frank_kasper = 2 * n4 + n5 == 12
        found = np.stack([z12, z16, z12 | z16, frank_kasper], axis=1)
        return np.where((shell.count > 0)[:, None], found, np.nan)


FEATURE_SET = Motif
