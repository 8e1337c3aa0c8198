"""Voronoi neighbours that count by the area of their facets: nothing jumps when a facet opens or closes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from qsdask.errors import UsageError
from qsdask.kernels.harmonics import averaged_components
from qsdask.kernels.soft import soft_shell
from qsdask.quantity import AtomQuantity, Column
from qsdask.space.block import Block, Shell

__all__ = ["FEATURE_SET", "SoftShell", "refuse_lost_facets", "relative_areas"]


@dataclass(frozen=True)
class SoftShell(AtomQuantity):
    """Number, distance interstices and species of the Voronoi neighbours, weighted by facet area: no threshold.

    Parameters
    ----------
    convention : {"paper", "amlearn"}
        Distance interstice (d - R - R) / d, or d / (R + R) - 1.
    species : tuple of str
        Chemical symbols, in the order of the species index.
    facet_fraction : float, optional
        Below this share of the mean area facets were dropped when the shells were made, if it is known: it must be 0.

    Raises
    ------
    UsageError
        ``E-SOFT-FACETS`` when the shells are without their small facets.

    Notes
    -----
    The number of neighbours is ``(sum A)**2 / sum A**2``, the participation number of the facet areas A. Every column is a
    continuous function of the positions: a facet opens with area zero, and the areas of the others are continuous.
    ``mro__average_...`` is the same of the medium range, ``(x(i) + sum_k w_k x(k)) / (1 + sum_k w_k)`` with the weights of
    `relative_areas`, while the plain statistics over the neighbours count each once and jump. Invariant under
    translation, rotation and choice of periodic image. Without area and volume interstices: a neighbour whose facet has
    just opened hides whole triangles of the hull that had their full weight before.

    References
    ----------
    Distance interstice: Q. Wang and A. Jain, Nat. Commun. 10, 5537 (2019), doi:10.1038/s41467-019-13511-9.
    Areas as weights: W. Mickel et al., J. Chem. Phys. 138, 044501 (2013), doi:10.1063/1.4774084.
    """

    convention: str = "paper"
    species: tuple[str, ...] = ("A", "B")
    facet_fraction: float | None = None

    name: ClassVar[str] = "soft_shell"
    shells: ClassVar[tuple[str, ...]] = ("voronoi",)
    rings: ClassVar[int] = 2
    cost: ClassVar[float] = 0.6

    def __post_init__(self) -> None:
        refuse_lost_facets(self.facet_fraction)

    @property
    def columns(self) -> tuple[Column, ...]:  # type: ignore[override]  # settings and species decide
        """Number, mean and standard deviation, share of every species; then their averages: 2 (3 + n_species)."""
        own = [
            ("coordination__voro", "number of Voronoi neighbours by facet area, (sum A)**2 / sum A**2"),
            *(
                (f"interstice_distance__voro__{s}", f"area-weighted {s} of the empty share of the bonds")
                for s in ("mean", "std")
            ),
            *((f"share_{s.lower()}__voro", f"share of the facet area towards {s}") for s in self.species),
        ]
        short = tuple(Column(f"sro__soft_{name}", "1", meaning, "no Voronoi cell") for name, meaning in own)
        return short + tuple(
            replace(
                column,
                name=column.name.replace("sro__", "mro__average_"),
                meaning=f"mean over atom and neighbours by facet area of: {column.meaning}",
                nan="no Voronoi cell of its own or of a neighbour",
                medium=False,
            )
            for column in short
        )

    def compute(self, block: Block) -> np.ndarray:
        """Columns of the owned atoms: of the first shell, then averaged; shape (n_owned, 6 + 2 n_species)."""
        shell = block.shells["voronoi"]
        weight = relative_areas(shell)
        short = soft_shell(
            block.position,
            block.radius,
            block.species,
            len(self.species),
            len(weight),
            shell.neighbour,
            shell.count,
            weight,
            contact=self.convention == "amlearn",
        )
        average = averaged_components(short, block.n_owned, shell.neighbour, shell.count, weight)
        return np.concatenate([short[: block.n_owned], average], axis=1)


def refuse_lost_facets(fraction: float | None) -> None:
    """Refuse shells that dropped their small facets, where areas weigh neighbours.

    Parameters
    ----------
    fraction : float or None
        Below this share of the mean area facets were dropped; None if that is not known.

    Raises
    ------
    UsageError
        ``E-SOFT-FACETS``.
    """
    if fraction:
        raise UsageError(
            f"soft facets need all facets, and the shells are without those below {fraction:g} of the mean",
            code="E-SOFT-FACETS",
            hint="make the shells again with --facet-fraction 0 --overwrite and their other options, see qsdask info",
        )


def relative_areas(shell: Shell) -> np.ndarray:
    """Area of every facet over the area-weighted mean area of its cell, ``A / (sum A**2 / sum A)``.

    Parameters
    ----------
    shell : Shell
        With facet areas.

    Returns
    -------
    float64 array, shape (n, n_slot)
        1 for each of equal facets; 0 where the slot is empty, NaN where there is no cell. Unit: 1.

    References
    ----------
    Areas as weights: W. Mickel et al., J. Chem. Phys. 138, 044501 (2013), doi:10.1063/1.4774084.
    """
    area = np.where(shell.neighbour >= 0, np.asarray(shell.facet_area), 0.0)
    total, square = np.zeros((2, len(area)))
    # Slot by slot: empty slots must not change how numpy groups a sum.
    for slot in area.T:
        total += slot
        square += slot * slot
    with np.errstate(invalid="ignore"):
        return area * (total / square)[:, None]


FEATURE_SET = SoftShell
