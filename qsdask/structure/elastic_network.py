"""Elastic network: how softly springs between near atoms hold each atom, and how it moves when they are strained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from qsdask.kernels.affine import d2min_of_entries
from qsdask.kernels.cells import neighbour_shell
from qsdask.kernels.elastic_network import N_STRAIN, chebyshev, largest_eigenvalue, network, network_step
from qsdask.quantity import Column, IteratedQuantity, column_name
from qsdask.space.block import Block
from qsdask.space.loads import uniaxial

__all__ = ["FEATURE_SET", "ElasticNetwork"]

#: Where springs end, and within which distance D2min is taken. Unit: angstrom.
_CUTOFF, _NEAR = 5.0, 4.0
#: Numbers of an atom for each stiffness: displacement and its last change for every strain.
_N_STATE = 6 * N_STRAIN
#: Lower end of the interval of the Chebyshev iteration, times the number of steps; 0.1 for 8 of them.
_LOW = 0.8
#: Imposed strains by name, and what is added to squares before their logarithm is taken. Unit: angstrom^2.
_STRAINS = {
    "load": "loaded along the axis",
    "side_1": "loaded along the first other axis",
    "side_2": "loaded along the second other axis",
    "dilation": "dilated",
}
_FORCE_FLOOR, _NONAFFINE_FLOOR, _DISPLACEMENT_FLOOR = 1e-6, 1e-4, 1e-4

_LOOSE = "the springs of the atom do not hold it in all three directions"
_FLAT = f"{_LOOSE}, or its neighbours within {_NEAR:g} angstrom lie in a plane"


def _meanings() -> dict[str, tuple[str, str]]:
    """Columns of one stiffness: name, meaning, rule for NaN."""
    made = {
        "compliance_trace": ("log of the trace of the compliance of the atom alone", _LOOSE),
        "compliance_axis": ("log of that compliance along the loading axis", _LOOSE),
        "compliance_largest": ("log of its largest eigenvalue", _LOOSE),
    }
    for name, how in _STRAINS.items():
        made[f"force_{name}"] = (f"log of the squared force on the atom, {how}", _LOOSE)
        made[f"nonaffine_{name}"] = (f"log of D2min of the answer of the network, {how}", _FLAT)
        made[f"displacement_{name}"] = (f"log of its squared displacement, {how}", _LOOSE)
        if name == "load":
            made["strain_axis"] = (f"local strain along the axis, {how}", _FLAT)
            made["strain_deviator"] = (f"norm of the deviator of the local strain, {how}", _FLAT)
            made["strain_trace"] = (f"trace of the local strain, {how}", _FLAT)
    return made


@dataclass(frozen=True)
class ElasticNetwork(IteratedQuantity):
    """Answer of a network of springs between near atoms to loads and dilation: structure only, no potential.

    Parameters
    ----------
    stiffness : tuple of float
        a, how fast a spring weakens with its length; the 18 columns for each. Unit: 1/angstrom.
    axis : {"x", "y", "z"}
        Loading axis.
    network_steps : int
        Steps of the Chebyshev iteration.
    coarsen_exponential_angstrom : tuple of float
        As of all sets; 1 and 2 angstrom by default.

    Notes
    -----
    Springs of stiffness ``k = exp(-a (r - R - R')) (1 - (r / r_c)**2)**2`` and no tension join all atoms nearer than r_c =
    5 angstrom. D_i is the sum of ``k n n^T`` over the springs of atom i: its inverse, the compliance, tells how the atom gives
    way while all others stand still. Imposed strains E are the load diag(.37, .37, -1) with -1 along the axis, the same
    along the other two, and the dilation 0.6. Each pulls with ``sum k (n . E v) n``, and the displacements u solve
    ``H u = force`` of the network's Hessian H but for what a fixed number m of Chebyshev steps leaves, with the preconditioner
    D**-1 and the interval [0.8 / m, 2]; the eigenvalues of D**-1 H lie in [0, 2]. m = 8 steps are a fixed polynomial: an answer of
    the surroundings within 8 x 5 angstrom, and the same however the glass is cut. 16 or 32 steps predict plasticity no
    better, 4 a little worse.

    D2min is that of u over the neighbours within 4 angstrom, F its best affine map, and the local strain the symmetric part
    of E + F. An atom whose D has no inverse to within 1e-8, alone or at the tip of a surface, stays where it is and has NaN.
    Invariant under translation, choice of periodic image, and rotation together with the loads; rotation about the
    axis turns the two side loads, so that only the other columns stay. In a crystal with an atom a cell u is zero.
    """

    stiffness: tuple[float, ...] = (6.0,)
    axis: str = "z"
    network_steps: int = 8
    coarsen_exponential_angstrom: tuple[float, ...] = (1.0, 2.0)

    name: ClassVar[str] = "elastic_network"
    shells: ClassVar[tuple[str, ...]] = ()
    reach: ClassVar[float] = _CUTOFF
    in_angstrom: ClassVar[bool] = True
    cost: ClassVar[float] = 7.8

    @property
    def n_step(self) -> int:  # type: ignore[override]  # settings decide
        """Steps of the Chebyshev iteration."""
        return self.network_steps

    @property
    def n_state(self) -> int:  # type: ignore[override]  # settings decide
        """Displacement and its change, for every stiffness and strain."""
        return _N_STATE * len(self.stiffness)

    @property
    def bytes_of_pair(self) -> int:  # type: ignore[override]  # settings decide
        """A spring of every stiffness."""
        return 8 * len(self.stiffness)

    @property
    def columns(self) -> tuple[Column, ...]:  # type: ignore[override]  # settings decide
        """The 18 columns of every stiffness."""
        return tuple(
            Column(
                column_name("sro", f"network_{name}", f"a{a:g}".replace(".", "p")),
                "1",
                f"{meaning}; springs of a = {a:g} / angstrom",
                nan,
            )
            for a in self.stiffness
            for name, (meaning, nan) in _meanings().items()
        )

    def prepared(self, block: Block, n: int) -> Any:
        """Positions, neighbours, and the networks of every stiffness."""
        shell = neighbour_shell(block.position, block.order, n, _CUTOFF, 48, measured=False)
        atoms = block.position, block.radius, shell.neighbour, shell.count
        strain = self._strain()
        springs = [network(*atoms, stiffness=a, cutoff=_CUTOFF, strain=strain) for a in self.stiffness]
        return block.position, shell.neighbour, shell.count, springs, chebyshev(self.n_step, _LOW / self.n_step, 2.0)

    def step(self, prepared: Any, number: int, old: np.ndarray, new: np.ndarray, n: int) -> None:
        """One step of the iteration for every stiffness."""
        position, neighbour, count, springs, (keep, gain) = prepared
        for k, network_of in enumerate(springs):
            network_step(new[:n], old, _N_STATE * k, position, neighbour, count, network_of, keep[number], gain[number])

    def compute(self, block: Block) -> np.ndarray:
        """Compliance, force and answer of the owned atoms; shape (n_owned, 18 n_stiffness)."""
        assert block.state is not None
        *_, springs, _ = self.prepared(block, block.n_owned)
        near = neighbour_shell(block.position, block.order, block.n_owned, _NEAR, measured=False)
        found = []
        for k, (_, force, compliance) in enumerate(springs):
            answer = block.state[:, _N_STATE * k : _N_STATE * k + _N_STATE // 2].reshape(-1, 3, N_STRAIN)
            found.append(self._columns_of(block, near, force, compliance, answer))
        return np.concatenate(found, axis=1)

    def _columns_of(self, block, near, force, compliance, answer) -> np.ndarray:
        """The 18 columns of one stiffness."""
        along, n = "xyz".index(self.axis), block.n_owned
        loose = ~(compliance[:, :3].sum(axis=1) > 0.0)
        held = np.where(loose[:, None], np.nan, compliance)
        value = [np.log(held[:, :3].sum(axis=1)), np.log(held[:, along]), np.log(largest_eigenvalue(held))]
        for e, name in enumerate(_STRAINS):
            u = np.ascontiguousarray(answer[:, :, e])
            left, gradient = d2min_of_entries(block.position, block.position + u, near.neighbour, near.count)
            value += [
                np.log((force[:, :, e] ** 2).sum(axis=1) + _FORCE_FLOOR),
                np.log(left + _NONAFFINE_FLOOR),
                np.log((u[:n] ** 2).sum(axis=1) + _DISPLACEMENT_FLOOR),
            ]
            if name == "load":
                strain = 0.5 * (gradient + gradient.transpose(0, 2, 1)) + np.diag(self._strain()[0])
                trace = np.trace(strain, axis1=1, axis2=2)
                deviator = strain - trace[:, None, None] / 3.0 * np.eye(3)
                value += [strain[:, along, along], np.sqrt((deviator**2).sum(axis=(1, 2))), trace]
        return np.where(loose[:, None], np.nan, np.stack(value, axis=1))

    def _strain(self) -> np.ndarray:
        """Diagonals of the imposed strains, in the order of `_STRAINS`."""
        return np.concatenate([uniaxial(self.axis), np.full((1, 3), 0.6)])


FEATURE_SET = ElasticNetwork
