"""Bond-orientational order: how the directions of an atom's bonds resemble those of a crystal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qsdask.kernels.harmonics import DEGREES, averaged_components, bond_components, bond_order
from qsdask.quantity import AtomQuantity, Column
from qsdask.space.block import Block
from qsdask.structure.soft_shell import refuse_lost_facets, relative_areas

__all__ = ["FEATURE_SET", "BondOrder"]

_SHELLS = (("voro", "voronoi", "{} in the Voronoi shell"), ("cutoff", "cutoff", "{} within the cut-off"))
_KINDS = tuple((kind, degree) for kind in "qw" for degree in DEGREES)
_OF = {"q": "bond-orientational order q_{}", "w": "normalised third-order bond-orientational order w_{}"}
_ZERO = {"q": "", "w": ", or q_{} is zero"}


@dataclass(frozen=True)
class BondOrder(AtomQuantity):
    """Steinhardt's q_l and normalised w_l, l = 4 6 8 10, over both shells, and their coarse-grained form.

    Parameters
    ----------
    facets : {"hard", "soft"}
        Every kept Voronoi neighbour counts once; or each by the area A of its facet, so that no value jumps when a
        facet opens or closes: ``q_lm = sum_k A_k Y_lm(r_k) / sum_k A_k``, the Minkowski structure metrics q'_l of
        Mickel et al. The cut-off shell has no facets and stays as it is.
    facet_fraction : float, optional
        Below this share of the mean area facets were dropped when the shells were made, if it is known. Soft facets
        want all of them: 0.

    Raises
    ------
    UsageError
        ``E-SOFT-FACETS`` when facets are soft and shells are without their small facets.

    Notes
    -----
    Coarse-grained: q_lm is averaged over the atom and its neighbours before the invariants are taken, each
    neighbour's over its own neighbours, so that they see two shells: ``(q_lm(i) + sum_k w_k q_lm(k)) / (1 + sum_k
    w_k)`` with w = 1, Lechner & Dellago's. With soft facets ``w_k = A_k / (sum A**2 / sum A)``, the area over the
    area-weighted mean area: equal facets all have 1, vanishing ones 0, and the sum of w, ``(sum A)**2 / sum A**2``,
    is a coordination number without a threshold. Invariant under translation, rotation and choice of periodic image,
    unlike amlearn's.

    References
    ----------
    P. J. Steinhardt, D. R. Nelson and M. Ronchetti, Phys. Rev. B 28, 784 (1983), doi:10.1103/PhysRevB.28.784.
    W. Lechner and C. Dellago, J. Chem. Phys. 129, 114707 (2008), doi:10.1063/1.2977970.
    W. Mickel et al., J. Chem. Phys. 138, 044501 (2013), doi:10.1063/1.4774084.
    """

    facets: str = "hard"
    facet_fraction: float | None = None

    name: ClassVar[str] = "bond_order"
    shells: ClassVar[tuple[str, ...]] = ("voronoi", "cutoff")
    rings: ClassVar[int] = 2
    cost: ClassVar[float] = 3.9
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

    def __post_init__(self) -> None:
        if self.facets == "soft":
            refuse_lost_facets(self.facet_fraction)

    def compute(self, block: Block) -> np.ndarray:
        """Columns of the owned atoms: both shells, then both coarse-grained; shape (n_owned, 32).

        q_4, q_6, q_8, q_10, w_4, w_6, w_8, w_10 over the Voronoi and over the cut-off shell; then the same
        coarse-grained. Unit: 1.
        """
        short, medium = [], []
        for name in self.shells:
            shell = block.shells[name]
            weight = relative_areas(shell) if self.facets == "soft" and name == "voronoi" else None
            component = bond_components(block.position, shell.neighbour, shell.count, weight)
            average = averaged_components(component, block.n_owned, shell.neighbour, shell.count, weight)
            short.append(bond_order(component[: block.n_owned]))
            medium.append(bond_order(average))
        return np.concatenate(short + medium, axis=1)


FEATURE_SET = BondOrder
