"""Bond-orientational order: how the directions of an atom's bonds resemble those of a crystal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qsdask.kernels.harmonics import DEGREES, averaged_components, bond_components, bond_order
from qsdask.quantity import AtomQuantity, Column
from qsdask.space.block import Block

__all__ = ["FEATURE_SET", "BondOrder"]

_SHELLS = (("voro", "voronoi", "{} in the Voronoi shell"), ("cutoff", "cutoff", "{} within the cut-off"))
_KINDS = tuple((kind, degree) for kind in "qw" for degree in DEGREES)
_OF = {"q": "bond-orientational order q_{}", "w": "normalised third-order bond-orientational order w_{}"}
_ZERO = {"q": "", "w": ", or q_{} is zero"}


@dataclass(frozen=True)
class BondOrder(AtomQuantity):
    """Steinhardt's q_l and normalised w_l, l = 4 6 8 10, over both shells, and their coarse-grained form.

    Notes
    -----
    Every kept neighbour counts once. Coarse-grained: q_lm is averaged over the atom and its neighbours before
    the invariants are taken, each neighbour's over its own neighbours, so that they see two shells. Invariant
    under translation, rotation and choice of periodic image, unlike amlearn's.

    References
    ----------
    P. J. Steinhardt, D. R. Nelson and M. Ronchetti, Phys. Rev. B 28, 784 (1983), doi:10.1103/PhysRevB.28.784.
    W. Lechner and C. Dellago, J. Chem. Phys. 129, 114707 (2008), doi:10.1063/1.2977970.
    """

    name: ClassVar[str] = "bond_order"
    shells: ClassVar[tuple[str, ...]] = ("voronoi", "cutoff")
    rings: ClassVar[int] = 2
    follows_deformation: ClassVar[bool] = False
    columns: ClassVar[tuple[Column, ...]] = tuple(
        Column(
            f"sro__bond_order_{kind}{degree}__{short}",
            "1",
            f"{_OF[kind].format(degree)} of the bonds to the {place.format('neighbours')}",
            f"no {place.format('neighbour')}{_ZERO[kind].format(degree)}",
            shell,
        )
        for short, shell, place in _SHELLS
        for kind, degree in _KINDS
    ) + tuple(
        Column(
            f"mro__average_bond_order_{kind}{degree}__{short}",
            "1",
            f"{_OF[kind].format(degree)} of the mean harmonics of atom and {place.format('neighbours')}",
            f"no {place.format('neighbour')} of its own or of a neighbour{_ZERO[kind].format(degree)}",
            shell,
            medium=False,
        )
        for short, shell, place in _SHELLS
        for kind, degree in _KINDS
    )

    def compute(self, block: Block) -> np.ndarray:
        """Columns of the owned atoms: both shells, then both coarse-grained.

        Parameters
        ----------
        block : Block
            With the shells ``voronoi`` (kept facets only) and ``cutoff``, for the owned atoms and the ghosts
            among their neighbours.

        Returns
        -------
        float64 array, shape (n_owned, 32)
            q_4, q_6, q_8, q_10, w_4, w_6, w_8, w_10 over the Voronoi and over the cut-off shell; then the
            same coarse-grained. Unit: 1.
        """
        short, medium = [], []
        for shell in (block.shells[name] for name in self.shells):
            component = bond_components(block.position, shell.neighbour, shell.count)
            average = averaged_components(component, block.n_owned, shell.neighbour, shell.count)
            short.append(bond_order(component[: block.n_owned]))
            medium.append(bond_order(average))
        return np.concatenate(short + medium, axis=1)


FEATURE_SET = BondOrder
