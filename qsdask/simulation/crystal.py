"""Where the atoms begin: a random substitution on a lattice."""

from __future__ import annotations

import itertools
import math

import numpy as np

from qsdask.radii import radius_of
from qsdask.simulation.specimen import SpecimenPlan, seed_of

__all__ = ["counts", "lattice_constant", "sites", "species", "unit_cells"]

_BASIS = {
    "fcc": np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]),
    "bcc": np.array([[0, 0, 0], [0.5, 0.5, 0.5]]),
}
#: Edge of the unit cell over the radius of touching spheres.
_EDGE = {"fcc": 2.0 * math.sqrt(2.0), "bcc": 4.0 / math.sqrt(3.0)}
#: A dense melt is about 15 % less dense than touching spheres; the barostat finds the rest.
_SWELLING = 1.05


def unit_cells(plan: SpecimenPlan) -> tuple[int, int, int]:
    """Numbers of unit cells along x, y, z: the atoms asked for as nearly as possible, then the shape."""
    wanted = plan.atoms / len(_BASIS[plan.alloy.lattice])
    ideal = [side * (wanted / math.prod(plan.shape)) ** (1 / 3) for side in plan.shape]
    a, b, c = (range(max(1, math.floor(x)), math.ceil(x) + 1) for x in ideal)

    def misfit(cells: tuple[int, ...]) -> float:
        shape = sum(abs(math.log(n / x)) for n, x in zip(cells, ideal, strict=True))
        return abs(math.log(math.prod(cells) / wanted)) + 0.2 * shape

    return min(itertools.product(a, b, c), key=misfit)


def lattice_constant(plan: SpecimenPlan) -> float:
    """Edge of the unit cell: as given, or from the mean radius of the atoms. Unit: angstrom."""
    if plan.alloy.lattice_angstrom is not None:
        return plan.alloy.lattice_angstrom
    radii = radius_of(list(plan.composition))
    mean = sum(c * r for c, r in zip(plan.composition.values(), radii, strict=True))
    return _EDGE[plan.alloy.lattice] * mean * _SWELLING


def sites(plan: SpecimenPlan) -> tuple[np.ndarray, np.ndarray]:
    """All lattice sites.


    Returns
    -------
    position : float64 array, shape (n_atom, 3)
        Unit: angstrom.
    length : float64 array, shape (3,)
        Lengths of the periodic box, whose lower corner is the origin. Unit: angstrom.
    """
    cells, edge = unit_cells(plan), lattice_constant(plan)
    corner = np.stack(np.meshgrid(*map(np.arange, cells), indexing="ij"), axis=-1).reshape(-1, 1, 3)
    return (corner + _BASIS[plan.alloy.lattice]).reshape(-1, 3) * edge, np.array(cells) * edge


def counts(composition: dict[str, float], atoms: int) -> list[int]:
    """Atoms of each element: within one of the composition, and they sum to the number of atoms.

    Parameters
    ----------
    composition : dict of str to float
        Fractions that sum to 1.
    atoms : int
        All atoms.

    Returns
    -------
    list of int
    """
    # Rounding the running sums keeps the total, and is the nearest integer for two elements.
    running = np.rint(np.cumsum(list(composition.values())) * atoms).astype(int)
    running[-1] = atoms
    return np.diff(running, prepend=0).tolist()


def species(plan: SpecimenPlan, atoms: int) -> np.ndarray:
    """Type of every atom, substituted at random by the plan's seed.

    Parameters
    ----------
    plan : SpecimenPlan
        The specimen.
    atoms : int
        Number of sites.

    Returns
    -------
    int64 array, shape (n_atom,)
        1, 2, ... in the order of the elements.
    """
    ordered = np.repeat(np.arange(len(plan.composition)) + 1, counts(plan.composition, atoms))
    # PCG64's raw numbers, ranked: the same in every version of numpy.
    draws = np.random.PCG64(seed_of(plan.seed, "lattice")).random_raw(atoms)
    return ordered[np.argsort(draws, kind="stable")]
