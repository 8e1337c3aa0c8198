"""Interstices as histograms on fixed bins: the paper's alternative to their four statistics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qsdask.kernels.histogram import distance_histogram, voronoi_histogram
from qsdask.quantity import AtomQuantity, Column, column_name
from qsdask.space.block import Block

__all__ = ["FEATURE_SET", "IntersticeHistogram"]

_NO_HULL = "fewer than 4 neighbours, a flat hull, or an atom outside its hull"
_KINDS = (
    ("distance", "voro", "voronoi", "bonds to the Voronoi neighbours", "no Voronoi neighbour"),
    ("area", "voro", "voronoi", "triangles of the neighbours' hull", _NO_HULL),
    ("volume", "voro", "voronoi", "tetrahedra of atom and hull triangle", _NO_HULL),
    ("distance", "cutoff", "cutoff", "bonds within the cut-off", "no neighbour within the cut-off"),
)
_N_BIN = 20
#: Lower edge of the first and upper edge of the last bin: of the distance by convention, of area and volume. Spheres
#: that touch, distance 0, lie inside a bin and not on its edge.
_DISTANCE = {"paper": (-0.2, 0.4), "amlearn": (-0.22, 0.58)}
_SHARE = (0.0, 0.6)


@dataclass(frozen=True)
class IntersticeHistogram(AtomQuantity):
    """Four histograms of 20 bins: distance, area and volume interstice, and distance within the cut-off.

    Parameters
    ----------
    convention : {"paper", "amlearn"}
        Distance interstice (d - R - R) / d, or d / (R + R) - 1.
    smearing : float
        Standard deviation of the normal distribution that each value is spread to, in units of the interstice;
        0 for none.
    clip : bool
        Set negative area and volume interstices to 0.

    Notes
    -----
    The paper proposes "histogram grids of fixed bins" with Gaussian smearing as an option, and gives no grid. Here
    the bins are of equal width: distance from -0.2 to 0.4 (convention "amlearn": from -0.22 to 0.58), area and volume
    from 0 to 0.6. In Cu65Zr35 less than 1 in 100 values lies outside; the first and the last bin hold these. Each
    histogram adds up to 1. NaN where the atom has no such neighbours or its hull is not a body around it. Invariant
    under translation, rotation and choice of periodic image; without smearing, a value within rounding of an edge may
    change its bin.

    References
    ----------
    Q. Wang and A. Jain, Nat. Commun. 10, 5537 (2019), doi:10.1038/s41467-019-13511-9.
    """

    convention: str = "paper"
    smearing: float = 0.0
    clip: bool = True

    name: ClassVar[str] = "interstice_histogram"
    shells: ClassVar[tuple[str, ...]] = ("voronoi", "cutoff")
    cost: ClassVar[float] = 3.5

    def bounds(self, kind: str) -> tuple[float, float]:
        """Lower edge of the first and upper edge of the last bin of ``distance``, ``area`` or ``volume``."""
        return _DISTANCE[self.convention] if kind == "distance" else _SHARE

    @property
    def columns(self) -> tuple[Column, ...]:  # type: ignore[override]  # settings and species decide
        """Bins of the four histograms, from low to high."""
        made = []
        for kind, short, shell, meaning, nan in _KINDS:
            edge = np.linspace(*self.bounds(kind), _N_BIN + 1)
            for b in range(_N_BIN):
                within = f"from {edge[b]:.3g} to {edge[b + 1]:.3g}"
                if b == 0:
                    within = f"below {edge[1]:.3g}"
                elif b == _N_BIN - 1:
                    within = f"from {edge[b]:.3g} on"
                name = column_name("sro", f"interstice_{kind}", short, f"bin{b:02d}")
                text = f"share of the {meaning} with an interstice {within}"
                made.append(Column(name, "1", text, nan, shell, medium=False))
        return tuple(made)

    def compute(self, block: Block) -> np.ndarray:
        """Histograms of the owned atoms; shape (n_owned, 80)."""
        contact = self.convention == "amlearn"
        voronoi, cutoff = block.shells["voronoi"], block.shells["cutoff"]
        around = voronoi_histogram(
            block.position,
            block.radius,
            block.n_owned,
            voronoi.neighbour,
            voronoi.count,
            [self.bounds(kind) for kind in ("distance", "area", "volume")],
            _N_BIN,
            contact=contact,
            clip=self.clip,
            smearing=self.smearing,
        )
        bonds = distance_histogram(
            block.position,
            block.radius,
            block.n_owned,
            cutoff.neighbour,
            cutoff.count,
            self.bounds("distance"),
            _N_BIN,
            contact=contact,
            smearing=self.smearing,
        )
        return np.concatenate([around, bonds], axis=1)


FEATURE_SET = IntersticeHistogram
