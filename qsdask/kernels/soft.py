"""Neighbours that count by a weight: how many they are, how far they stand off, of which species they are.

Distance interstices are those of `qsdask.kernels.interstice`. Sums run over the neighbours in slot order, so that results
do not depend on how the work was cut. With weights that vanish with their facet nothing jumps when a facet opens or
closes.
"""

from __future__ import annotations

import numpy as np

from qsdask.kernels.direction import weighted_mean
from qsdask.kernels.interstice import checked, fill_bonds, open_bonds
from qsdask.kernels.jit import kernel
from qsdask.kernels.polytope import U

__all__ = ["soft_shell"]


@kernel
def fill_soft_shell(position, radius, species, neighbour, count, weight, contact, value):
    """Sum of the weights, mean and spread of the interstices, and share of every species, of every owned atom."""
    size = neighbour.shape[1]
    bonds, vector = open_bonds(size), np.empty(size + 1)
    for i in range(U(neighbour.shape[0])):
        n = U(count[i])
        fill_bonds(position, radius, neighbour, n, contact, i, bonds, vector)
        mean = weighted_mean(vector, weight[i], n)
        value[i] = 0.0
        total = spread = 0.0
        for k in range(n):
            w, off = weight[i, k], vector[k] - mean
            total += w
            spread += w * off * off
            value[i, U(3) + U(species[U(neighbour[i, k])])] += w
        value[i, 0] = total if n > 0 else np.nan
        value[i, 1] = mean
        value[i, 2] = np.sqrt(spread / total)
        for s in range(U(3), U(value.shape[1])):
            value[i, s] /= total


def soft_shell(position, radius, species, n_species, n_owned, neighbour, count, weight, *, contact=False):
    """Weighted number, distance interstices and species of the neighbours.

    Parameters
    ----------
    position : float64 array, shape (n_local, 3)
        Owned atoms first, then ghosts. Unit: angstrom.
    radius : float64 array, shape (n_local,)
        Atomic radii. Unit: angstrom.
    species : int array, shape (n_local,)
        Species index, 0 ... n_species - 1.
    n_species : int
        Number of species.
    n_owned : int
        Number of atoms with a row in `neighbour`; they come first.
    neighbour : int32 array, shape (n_owned, n_slot)
        Local index of the neighbours, filled from the left.
    count : int32 array, shape (n_owned,)
        Number of neighbours.
    weight : float64 array, shape (n_owned, n_slot)
        Weight of every neighbour, not negative. Unit: 1.
    contact : bool
        Distance interstice ``d / (R + R) - 1`` instead of ``(d - R - R) / d``.

    Returns
    -------
    float64 array, shape (n_owned, 3 + n_species)
        Sum of the weights, weighted mean and population standard deviation of the distance interstices, share of every
        species in the weight. NaN without neighbours. Dimensionless.

    Raises
    ------
    ValueError
        If the shapes do not fit or a species index is out of range.

    References
    ----------
    Distance interstice: doi:10.1038/s41467-019-13511-9.
    """
    position, radius, neighbour, count = checked(position, radius, n_owned, neighbour, count)
    species = np.ascontiguousarray(species, dtype=np.int16)
    weight = np.ascontiguousarray(weight, dtype=np.float64)
    if species.shape != radius.shape or weight.shape != neighbour.shape:
        raise ValueError(
            f"species and weight must have shapes {radius.shape} and {neighbour.shape}, got {species.shape} and {weight.shape}"
        )
    if len(species) and not 0 <= species.min() <= species.max() < n_species:
        raise ValueError(f"species indices must lie in 0 ... {n_species - 1}, got {species.min()} ... {species.max()}")
    value = np.empty((n_owned, 3 + n_species))
    fill_soft_shell(position, radius, species, neighbour, count, weight, bool(contact), value)
    return value
