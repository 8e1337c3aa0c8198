"""How dense, how misfitting and how lopsided the surroundings of an atom are: a feature set outside of qsdask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qsdask import AtomQuantity, Column


# The set travels to workers and into the store's record: a frozen dataclass has equality and a hash.
@dataclass(frozen=True)
class Misfit(AtomQuantity):
    """Number density, size misfit and off-centring."""

    # What users type after --set.
    name: ClassVar[str] = "misfit"
    # Neighbour lists that the block shall carry; `qsdask shells` has stored them.
    shells: ClassVar[tuple[str, ...]] = ("voronoi", "cutoff")
    # Features are of the undeformed glass.
    # Name, unit, meaning, when the value is NaN, and the shell of the medium range: mean, std, min and max of each
    # column over the neighbours are made by qsdask.
    columns: ClassVar[tuple[Column, ...]] = (
        Column(
            "sro__number_density__voro", "angstrom^-3", "one over the volume of the Voronoi cell", "no Voronoi cell"
        ),
        Column(
            "sro__size_misfit__voro",
            "1",
            "mean radius of the Voronoi neighbours, by facet area, over its own radius, minus 1",
            "no Voronoi neighbour",
        ),
        Column(
            "sro__off_centre__cutoff",
            "angstrom",
            "distance from the centroid of the neighbours within the cut-off",
            "no neighbour within the cut-off",
            "cutoff",
        ),
    )

    def compute(self, block):
        """Values of the owned atoms, float64, shape (n_owned, 3)."""
        # Owned atoms come first, then ghosts: halo atoms and periodic images. No box is needed any more.
        n = block.n_owned
        voronoi, cutoff = block.shells["voronoi"], block.shells["cutoff"]

        # Slots are filled from the left; -1 marks an empty one, and would silently name the last atom.
        area = np.where(voronoi.neighbour >= 0, voronoi.facet_area, 0.0)
        total = area.sum(axis=1)
        # Where there is nothing to divide by, there is no value: NaN, never zero.
        mean_radius = (area * block.radius[voronoi.neighbour]).sum(axis=1) / np.where(total > 0.0, total, np.nan)
        misfit = mean_radius / block.radius[:n] - 1.0

        # Ghosts stand where their image stands, so that neighbour minus centre is the bond.
        bond = block.position[cutoff.neighbour] - block.position[:n, None]
        bond[cutoff.neighbour < 0] = 0.0
        count = np.where(cutoff.count > 0, cutoff.count, np.nan)
        off_centre = np.linalg.norm(bond.sum(axis=1), axis=1) / count

        # The volume of an open cell, at a free surface, is NaN already.
        return np.stack([1.0 / voronoi.cell_volume, misfit, off_centre], axis=1)
