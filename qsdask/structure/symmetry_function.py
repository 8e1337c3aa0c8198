"""Symmetry functions: the surroundings of an atom as sums of Gaussians of distances, and of pairs of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import ClassVar

import numpy as np

from qsdask.errors import UsageError
from qsdask.kernels.angular_sets import angular_sets
from qsdask.kernels.symmetry import symmetry_functions
from qsdask.quantity import AtomQuantity, Column, column_name
from qsdask.space.block import Block

__all__ = ["FEATURE_SET", "SymmetryFunction"]

_NAN = "no atom within the reach"
#: Points of the radial grid, and their spacing in diameters of the reference species.
_N_GRID, _STEP = 50, 0.1
#: xi in diameters of the reference species, lambda, zeta of the angular functions.
_SETS = (
    (14.633, -1, 1),
    (14.633, 1, 1),
    (14.638, -1, 2),
    (14.638, 1, 2),
    (2.554, -1, 1),
    (2.554, 1, 1),
    (2.554, -1, 2),
    (2.554, 1, 2),
    (1.648, 1, 1),
    (1.648, 1, 2),
    (1.204, 1, 1),
    (1.204, 1, 2),
    (1.204, 1, 4),
    (1.204, 1, 16),
    (0.933, 1, 1),
    (0.933, 1, 2),
    (0.933, 1, 4),
    (0.933, 1, 16),
    (0.695, 1, 1),
    (0.695, 1, 2),
    (0.695, 1, 4),
    (0.695, 1, 16),
)
#: Cut-offs in diameters of the reference species: of the radial functions by kind of reach, and of the angular ones.
_RADIAL_CUTOFF = {"paper": 5.0, "amlearn": 2.5}
_ANGULAR_CUTOFF = 2.5


@dataclass(frozen=True)
class SymmetryFunction(AtomQuantity):
    """Behler-Parrinello symmetry functions with the parameters of Wang & Jain: 166 for a binary alloy.

    Parameters
    ----------
    reach_kind : {"paper", "amlearn"}
        Radial cut-off: 5 sigma, so that it reaches the grid, or 2.5 sigma, which leaves its upper half nearly empty.
    reference : str, optional
        Element whose diameter is sigma. Without it sigma jumps where another element becomes the most frequent: name one
        for glasses of several compositions, so that their columns mean the same.
    species : tuple of str
        Chemical symbols by species index.
    composition : tuple of float
        Fraction of each.
    radius : tuple of float
        Radius of each. Unit: angstrom.

    Notes
    -----
    sigma is the diameter, twice the radius, of the reference species: `reference`, or the majority one, the first of them
    if equal.

    * Radial, 50 per species X: ``sum_{j in X} exp(-(r_ij - r)**2 / 2 (0.1 sigma)**2)``, r = 0, 0.1, ..., 4.9 sigma.
    * Angular, 22 per unordered pair of species X, Y: ``sum exp(-(r_ij**2 + r_ik**2 + r_jk**2) / xi**2)
      (1 + lambda cos(theta))**zeta`` over the pairs of neighbours j in X and k in Y, each pair once.

    The paper gives one symbol R_c and no number for it. The angular cut-off is 2.5 sigma in both kinds, as in
    the authors' code: at the widest xi of 14.6 sigma the exponential is near 1, so that the cut-off alone decides
    how many pairs count, and 5 sigma would mean sixty times as many. It bounds r_ij and r_ik; r_jk is free. Both
    cut-offs are sharp (no cut-off function), and d < R_c. Periodic images are atoms of their own, also in r_jk.

    A sum over nothing is 0; an atom without any neighbour in reach has NaN. What a neighbour adds to grid points
    farther from it than 0.95 sigma is below 3e-20 and taken as 0. Invariant under translation, rotation and choice of
    periodic image. There is no medium-range version: the reach is of medium range already.

    References
    ----------
    J. Behler and M. Parrinello, Phys. Rev. Lett. 98, 146401 (2007), doi:10.1103/PhysRevLett.98.146401.
    E. D. Cubuk et al., Phys. Rev. Lett. 114, 108001 (2015), doi:10.1103/PhysRevLett.114.108001.
    Q. Wang and A. Jain, Nat. Commun. 10, 5537 (2019), doi:10.1038/s41467-019-13511-9.
    """

    reach_kind: str = "paper"
    species: tuple[str, ...] = ("A", "B")
    composition: tuple[float, ...] = (0.5, 0.5)
    radius: tuple[float, ...] = (1.0, 1.0)
    reference: str | None = None

    def __post_init__(self) -> None:
        if self.reference is not None and self.reference not in self.species:
            raise UsageError(
                f"the reference element {self.reference!r} is not in the specimen",
                code="E-SETTING",
                hint=f"choose --reference among {', '.join(self.species)}",
            )

    name: ClassVar[str] = "symmetry_function"
    shells: ClassVar[tuple[str, ...]] = ()
    cost: ClassVar[float] = 92.0

    @property
    def sigma(self) -> float:
        """Diameter of the reference species. Unit: angstrom."""
        return 2.0 * self.radius[self.species.index(self.implied["reference"])]

    @property
    def implied(self) -> Mapping[str, str]:  # type: ignore[override]  # settings and species decide
        """The reference species, where none is named."""
        return {"reference": self.reference or self.species[int(np.argmax(self.composition))]}

    @property
    def reach(self) -> float:  # type: ignore[override]  # settings and species decide
        """The largest cut-off. Unit: angstrom."""
        return self.sigma * max(_RADIAL_CUTOFF[self.reach_kind], _ANGULAR_CUTOFF)

    @property
    def columns(self) -> tuple[Column, ...]:  # type: ignore[override]  # settings and species decide
        """The radial grid of every species, then the angular sets of every pair of species."""
        made = [
            Column(
                column_name("sro", f"symmetry_radial_{x.lower()}_r{k:02d}", "cutoff"),
                "1",
                f"number of {x} at {_STEP * k:.1f} diameters, smeared by {_STEP}",
                _NAN,
                "cutoff",
                medium=False,
            )
            for x in self.species
            for k in range(_N_GRID)
        ]
        made += [
            Column(
                column_name("sro", f"symmetry_angular_{x.lower()}_{y.lower()}_s{k:02d}", "cutoff"),
                "1",
                f"pairs {x}-{y} around the atom, xi = {xi} diameters, lambda = {sign}, zeta = {zeta}",
                _NAN,
                "cutoff",
                medium=False,
            )
            for x, y in combinations_with_replacement(self.species, 2)
            for k, (xi, sign, zeta) in enumerate(_SETS)
        ]
        return tuple(made)

    def compute(self, block: Block) -> np.ndarray:
        """Symmetry functions of the owned atoms; shape (n_owned, 50 n_species + 22 n_pair)."""
        xi, sign, zeta = np.array(_SETS).T
        return symmetry_functions(
            block.position,
            block.order,
            block.species,
            block.n_owned,
            len(self.species),
            step=_STEP * self.sigma,
            n_grid=_N_GRID,
            radial_cutoff=_RADIAL_CUTOFF[self.reach_kind] * self.sigma,
            angular_cutoff=_ANGULAR_CUTOFF * self.sigma,
            sets=angular_sets(xi * self.sigma, sign, zeta),
        )


FEATURE_SET = SymmetryFunction
