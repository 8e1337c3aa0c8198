"""Soft-sphere response: where the atoms of a glass go when they are soft spheres that are relaxed and loaded at rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from qsdask.kernels.affine import d2min_of_entries
from qsdask.kernels.cells import neighbour_shell
from qsdask.kernels.soft_spheres import soft_sphere_step
from qsdask.quantity import Column, IteratedQuantity, column_name
from qsdask.space.block import Block
from qsdask.space.loads import uniaxial

__all__ = ["FEATURE_SET", "SoftSphereResponse"]

#: Spheres touch nearer than the first, and are looked for within the two together in the undeformed frame; D2min is taken within the
#: third. Unit: angstrom.
_CUTOFF, _SKIN, _NEAR = 5.0, 1.2, 4.0
#: How fast the push falls with the distance (1/angstrom), and the longest way of a step (angstrom).
_STIFFNESS, _LONGEST = 4.0, 0.15
#: Increments of strain, how large each is, and what is added to D2min before its logarithm is taken (angstrom^2).
_INCREMENTS, _INCREMENT, _FLOOR = 2, 0.02, 1e-3
_LOADS = {"load": "along the axis", "side_1": "along the first other axis", "side_2": "along the second other axis"}
_NAN = f"the atoms within {_NEAR:g} angstrom lie in a plane, or there are none"


@dataclass(frozen=True)
class SoftSphereResponse(IteratedQuantity):
    """Rearrangement of soft spheres of the atoms' radii, relaxed and loaded to 4 % at rest: no potential of the alloy.

    Parameters
    ----------
    axis : {"x", "y", "z"}
        Loading axis.
    relax_steps : int
        Steps without strain.
    strain_steps : int
        Steps after each of two increments of strain.
    coarsen_exponential_angstrom : tuple of float
        As of all sets; 1 and 2 angstrom by default.

    Notes
    -----
    Spheres nearer than r_c = 5 angstrom push one another with ``e / a``, ``e = exp(-a (r - R - R')) (1 - (r / r_c)**2)**2``,
    a = 4 / angstrom. In a step each moves by ``0.6 D**-1 F``, 0.15 angstrom at most, with the force F on it and its block
    ``D = sum e n n^T + 1e-3 tr(sum e n n^T) 1``. After the steps without strain, x1, three loads diag(.37, .37, -1), with -1 along
    each axis, are imposed on cell and positions in two increments of 2 %, each followed by its steps. Who may touch is
    settled in the undeformed frame: all within r_c + 1.2 angstrom.

    Columns are the logarithms of D2min over the neighbours within 4 angstrom of the undeformed frame: from there to x1, and
    from x1 to the end of each load. The numbers of steps are fixed, and so is how far the answer looks: no minimum is
    searched for, and nothing depends on how the glass is cut. Fewer steps cost skill: 10 and 5 instead of 20 and 12 an
    AUC of 0.767 instead of 0.773 for less than half of the time; more give nothing.

    A sphere that nothing touches stays where it is. Invariant under translation, choice of periodic image, and rotation
    together with the loads. In a crystal with an atom a cell nothing rearranges.
    """

    axis: str = "z"
    relax_steps: int = 20
    strain_steps: int = 12
    coarsen_exponential_angstrom: tuple[float, ...] = (1.0, 2.0)

    name: ClassVar[str] = "soft_sphere_response"
    shells: ClassVar[tuple[str, ...]] = ()
    reach: ClassVar[float] = _CUTOFF + _SKIN
    in_angstrom: ClassVar[bool] = True
    cost: ClassVar[float] = 38.0
    #: Displacements of the relaxed frame and of the three loads.
    n_state: ClassVar[int] = 3 * (1 + len(_LOADS))
    columns: ClassVar[tuple[Column, ...]] = (
        Column(
            column_name("sro", "soft_sphere_relaxation"), "1", "log of D2min of soft spheres that come to rest", _NAN
        ),
        *(
            Column(
                column_name("sro", f"soft_sphere_nonaffine_{name}"),
                "1",
                f"log of D2min of soft spheres from rest to a load of {_INCREMENTS * _INCREMENT:.0%} {how}",
                _NAN,
            )
            for name, how in _LOADS.items()
        ),
    )

    @property
    def n_step(self) -> int:  # type: ignore[override]  # settings decide
        """Steps without strain, and after all increments; the three loads take them together."""
        return self.relax_steps + _INCREMENTS * self.strain_steps

    def prepared(self, block: Block, n: int) -> Any:
        """Positions, radii, and who may touch whom."""
        shell = neighbour_shell(block.position, block.order, n, self.reach, 80, measured=False)
        return block.position, block.radius, shell.neighbour, shell.count

    def step(self, prepared: Any, number: int, old: np.ndarray, new: np.ndarray, n: int) -> None:
        """One step towards rest: of the frame without strain, or of the three loads."""
        fixed = {"stiffness": _STIFFNESS, "cutoff": _CUTOFF, "longest": _LONGEST}
        if number < self.relax_steps:
            soft_sphere_step(new[:n], old, 0, np.ones(3), *prepared, **fixed)
            return
        increment, since = divmod(number - self.relax_steps, self.strain_steps)
        factor = 1.0 + _INCREMENT * uniaxial(self.axis)
        new[:n, :3] = old[:n, :3]
        for k in range(len(_LOADS)):
            mine = slice(3 + 3 * k, 6 + 3 * k)
            if not since:
                # Position and cell are stretched: so is the way from the one to where the other took it.
                old[:, mine] = factor[k] * (old[:, mine] if increment else old[:, :3])
            soft_sphere_step(new[:n], old, mine.start, factor[k] ** (increment + 1), *prepared, **fixed)

    def compute(self, block: Block) -> np.ndarray:
        """Logarithms of D2min of the owned atoms; shape (n_owned, 4)."""
        assert block.state is not None
        near = neighbour_shell(block.position, block.order, block.n_owned, _NEAR, measured=False)
        factor = 1.0 + _INCREMENT * uniaxial(self.axis)
        rest = block.position + block.state[:, :3]
        found = [d2min_of_entries(block.position, rest, near.neighbour, near.count)[0]]
        for k in range(len(_LOADS)):
            loaded = factor[k] ** _INCREMENTS * block.position + block.state[:, 3 + 3 * k : 6 + 3 * k]
            found.append(d2min_of_entries(rest, loaded, near.neighbour, near.count)[0])
        return np.log(np.stack(found, axis=1) + _FLOOR)


FEATURE_SET = SoftSphereResponse
