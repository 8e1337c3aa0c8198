"""Chemical short-range order: of which species the neighbours are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qsdask.kernels.census import shares, species_census
from qsdask.quantity import AtomQuantity, Column
from qsdask.space.block import Block

__all__ = ["FEATURE_SET", "Chemistry"]

_SHELLS = (("voronoi", "voro"), ("cutoff", "cutoff"))


@dataclass(frozen=True)
class Chemistry(AtomQuantity):
    """Species of the atom, and of either shell the number of neighbours of each species and its deviation.

    Parameters
    ----------
    deviation : {"difference", "warren_cowley"}
        Share of the neighbours less the composition, p - c, or the Warren-Cowley parameter 1 - p / c.
    species : tuple of str
        Chemical symbols, in the order of the species index.
    composition : tuple of float
        Share of every species in the specimen.

    Notes
    -----
    The paper names the columns "the number, and the deviation of local chemistry with nominal composition
    (Warren-Cowley parameters)" and gives no formula. The authors' featurizer of this name, `ChemicalSRO` in
    matminer, has p - c, which is the default here.

    References
    ----------
    Q. Wang and A. Jain, Nat. Commun. 10, 5537 (2019), doi:10.1038/s41467-019-13511-9.
    J. M. Cowley, Phys. Rev. 77, 669 (1950), doi:10.1103/PhysRev.77.669.
    """

    deviation: str = "difference"
    species: tuple[str, ...] = ("A", "B")
    composition: tuple[float, ...] = (0.5, 0.5)

    name: ClassVar[str] = "chemistry"
    shells: ClassVar[tuple[str, ...]] = ("voronoi", "cutoff")
    cost: ClassVar[float] = 0.14

    @property
    def columns(self) -> tuple[Column, ...]:  # type: ignore[override]  # settings and species decide
        """Species, then for either shell the numbers and the deviations of all species: 1 + 4 n_species."""
        if self.deviation == "warren_cowley":
            form, nan = "1 - share / composition", "no neighbours, or none of it in the alloy"
        else:
            form, nan = "share - composition", "no neighbours"
        found = [Column("sro__species", "1", "species index of the atom", "never", medium=False)]
        for shell, short in _SHELLS:
            no_cell = "no Voronoi cell" if shell == "voronoi" else "never"
            for symbol in self.species:
                name = f"sro__number_of_{symbol.lower()}__{short}"
                found.append(Column(name, "1", f"number of {symbol} neighbours", no_cell, shell))
            for symbol in self.species:
                name = f"sro__deviation_of_{symbol.lower()}__{short}"
                meaning = f"{symbol} among the neighbours, {form}"
                found.append(Column(name, "1", meaning, nan, shell))
        return tuple(found)

    def compute(self, block: Block) -> np.ndarray:
        """Chemical order of the owned atoms; shape (n_owned, 1 + 4 n_species)."""
        found = [block.species[: block.n_owned, None].astype(np.float64)]
        composition = np.array(self.composition)
        for name, _ in _SHELLS:
            shell = block.shells[name]
            number = species_census(block.species, len(self.species), shell.neighbour, shell.count)
            share = shares(number)
            if self.deviation == "warren_cowley":
                with np.errstate(invalid="ignore"):
                    deviation = 1 - share / composition
            else:
                deviation = share - composition
            if name == "voronoi":
                # Without facets there is no cell and no number; without atoms in reach the number is 0.
                number[shell.count == 0] = np.nan
            found += [number, deviation]
        return np.concatenate(found, axis=1)


FEATURE_SET = Chemistry
