"""D2min: what is left of an atom's rearrangement after the best affine map of its shell is taken away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qsdask.kernels.affine import d2min
from qsdask.quantity import AtomQuantity, Column
from qsdask.space.block import Block

__all__ = ["D2Min"]


@dataclass(frozen=True)
class D2Min(AtomQuantity):
    """Non-affine squared displacement against the undeformed frame.

    Parameters
    ----------
    normalise : {"sum", "mean"}
        Sum over the neighbours (OVITO's, and the one that fits the paper's 5 angstrom^2), or mean.

    References
    ----------
    M. L. Falk and J. S. Langer, Phys. Rev. E 57, 7192 (1998), doi:10.1103/PhysRevE.57.7192.
    """

    normalise: str = "sum"

    name: ClassVar[str] = "d2min"
    shells: ClassVar[tuple[str, ...]] = ("cutoff",)
    follows_deformation: ClassVar[bool] = True
    columns: ClassVar[tuple[Column, ...]] = (
        Column(
            "response__d2min",
            "angstrom^2",
            "non-affine squared displacement of the reference neighbours",
            "fewer than three independent bonds",
            "cutoff",
        ),
    )

    def compute(self, block: Block) -> np.ndarray:
        """D2min of the owned atoms; shape (n_owned, 1).

        Unit: angstrom^2. NaN where the affine fit is singular.
        """
        assert block.current_box is not None
        shell = block.shells["cutoff"]
        value, _ = d2min(
            block.position,
            block.current,
            block.n_owned,
            shell.neighbour,
            shell.count,
            cell_reference=block.box.cell,
            cell_current=block.current_box.cell,
            periodic=np.asarray(block.box.periodic, dtype=bool),
            mean=self.normalise == "mean",
        )
        return value[:, None]
