"""Elastic network: springs between near atoms, and its answer to imposed strains by a fixed number of Chebyshev steps.

Springs of stiffness ``k = exp(-a (r - R_i - R_j)) (1 - (r / r_c)**2)**2`` join all atoms and images with r < r_c. With the
bonds v and n = v / r the Hessian H has the blocks ``-k n n^T`` and on its diagonal ``D_i = sum k n n^T``; an imposed strain E
pulls with ``force_i = sum k (n . E v) n``. The eigenvalues of ``D**-1 H`` lie in [0, 2].

Arrays of the four strains have the coordinate first and the strain last: the four are one vector.
"""

from __future__ import annotations

import numpy as np

from qsdask.kernels.affine import regular
from qsdask.kernels.exponential import exponential
from qsdask.kernels.jit import kernel
from qsdask.kernels.sorting import U

__all__ = ["N_STRAIN", "chebyshev", "largest_eigenvalue", "network", "network_step"]

#: Imposed strains: all of them are solved for at once.
N_STRAIN = 4


def network(position, radius, neighbour, count, *, stiffness, cutoff, strain):
    """Springs of every atom, what imposed strains do to it, and how it gives way alone.

    Parameters
    ----------
    position : float64 array, shape (n_local, 3)
        Unit: angstrom.
    radius : float64 array, shape (n_local,)
        Unit: angstrom.
    neighbour : int32 array, shape (n, n_slot)
        Entries with 0 < r < cutoff, filled from the left; sums run in their order.
    count : int32 array, shape (n,)
        Number of them.
    stiffness : float
        a. Unit: 1/angstrom.
    cutoff : float
        r_c. Unit: angstrom.
    strain : float64 array, shape (4, 3)
        Diagonals of the imposed strains.

    Returns
    -------
    spring : float64 array, shape (n, n_slot)
        k / r**2; not set where a slot is empty. Unit: 1/angstrom^2.
    force : float64 array, shape (n, 3, 4)
        Unit: angstrom.
    compliance : float64 array, shape (n, 6)
        xx, yy, zz, xy, xz, yz of the inverse of D; zero where D has none, see `qsdask.kernels.affine.regular`.
    """
    n = len(count)
    spring, force, compliance = np.empty(neighbour.shape), np.empty((n, 3, N_STRAIN)), np.zeros((n, 6))
    fill_network(spring, force, compliance, position, radius, neighbour, count, stiffness, cutoff, strain)
    return spring, force, compliance


@kernel
def fill_network(spring, force, compliance, position, radius, neighbour, count, stiffness, cutoff, strain):
    for i in range(spring.shape[0]):
        n = U(count[i])
        px, py, pz, own = position[i, 0], position[i, 1], position[i, 2], radius[i]
        for slot in range(n):
            j = U(neighbour[i, slot])
            vx, vy, vz = position[j, 0] - px, position[j, 1] - py, position[j, 2] - pz
            square = vx * vx + vy * vy + vz * vz
            fall = 1.0 - square / (cutoff * cutoff)
            stiff = exponential(-stiffness * (np.sqrt(square) - own - radius[j])) * (fall * fall)
            spring[i, slot] = stiff / square
        force[i] = 0.0
        xx = yy = zz = xy = xz = yz = 0.0
        for slot in range(n):
            j = U(neighbour[i, slot])
            vx, vy, vz = position[j, 0] - px, position[j, 1] - py, position[j, 2] - pz
            s = spring[i, slot]
            xx += s * vx * vx
            yy += s * vy * vy
            zz += s * vz * vz
            xy += s * vx * vy
            xz += s * vx * vz
            yz += s * vy * vz
            for e in range(N_STRAIN):
                pull = s * (strain[e, 0] * vx * vx + strain[e, 1] * vy * vy + strain[e, 2] * vz * vz)
                force[i, 0, e] += pull * vx
                force[i, 1, e] += pull * vy
                force[i, 2, e] += pull * vz
        axx, ayy, azz = yy * zz - yz * yz, xx * zz - xz * xz, xx * yy - xy * xy
        axy, axz, ayz = xz * yz - xy * zz, xy * yz - xz * yy, xy * xz - yz * xx
        determinant = xx * axx + xy * axy + xz * axz
        if n >= 3 and regular(determinant, axx + ayy + azz, xx + yy + zz):
            compliance[i, 0], compliance[i, 1], compliance[i, 2] = axx, ayy, azz
            compliance[i, 3], compliance[i, 4], compliance[i, 5] = axy, axz, ayz
            for k in range(6):
                compliance[i, k] /= determinant


def chebyshev(n_step, low, high):
    """Coefficients of the Chebyshev iteration for a spectrum in [low, high].

    Parameters
    ----------
    n_step : int
        Number of steps.
    low, high : float
        Ends of the interval.

    Returns
    -------
    keep, gain : float64 array, shape (n_step,)
        Step s is d = keep[s] d + gain[s] P r and u = u + d, with the residual r and the preconditioner P; both from zero.

    References
    ----------
    Y. Saad, Iterative Methods for Sparse Linear Systems, 2nd ed. (2003), algorithm 12.1, doi:10.1137/1.9780898718003.
    """
    middle, half = (high + low) / 2.0, (high - low) / 2.0
    keep, gain = np.zeros(n_step), np.full(n_step, 1.0 / middle)
    ratio = half / middle
    for s in range(1, n_step):
        before, ratio = ratio, 1.0 / (2.0 * middle / half - ratio)
        keep[s], gain[s] = ratio * before, 2.0 * ratio / half
    return keep, gain


def network_step(new, old, column, position, neighbour, count, springs, keep, gain):
    """One step of the iteration, for the first ``len(new)`` entries.

    Parameters
    ----------
    new, old : float64 array, shape (n, n_state) and (n_local, n_state)
        From `column` on displacement u and its change d, each 3 coordinates of 4 strains. Unit: angstrom.
    column : int
        Where the 24 numbers begin.
    position, neighbour, count : arrays
        As given to `network`, for n entries or more.
    springs : tuple of array
        What `network` gave.
    keep, gain : float
        Of `chebyshev`.
    """
    fill_network_step(new, old, column, position, neighbour, count, *springs, keep, gain)


@kernel
def fill_network_step(new, old, column, position, neighbour, count, spring, force, compliance, keep, gain):
    rest = np.empty((3, N_STRAIN))
    pull = np.empty(N_STRAIN)
    middle, end = column + N_STRAIN, column + 2 * N_STRAIN
    change = column + 3 * N_STRAIN
    for i in range(new.shape[0]):
        px, py, pz = position[i, 0], position[i, 1], position[i, 2]
        for e in range(N_STRAIN):
            rest[0, e], rest[1, e], rest[2, e] = force[i, 0, e], force[i, 1, e], force[i, 2, e]
        for slot in range(U(count[i])):
            j = U(neighbour[i, slot])
            vx, vy, vz = position[j, 0] - px, position[j, 1] - py, position[j, 2] - pz
            s = spring[i, slot]
            for e in range(N_STRAIN):
                pull[e] = s * (
                    vx * (old[j, column + e] - old[i, column + e])
                    + vy * (old[j, middle + e] - old[i, middle + e])
                    + vz * (old[j, end + e] - old[i, end + e])
                )
            for e in range(N_STRAIN):
                rest[0, e] += pull[e] * vx
                rest[1, e] += pull[e] * vy
                rest[2, e] += pull[e] * vz
        xx, yy, zz = gain * compliance[i, 0], gain * compliance[i, 1], gain * compliance[i, 2]
        xy, xz, yz = gain * compliance[i, 3], gain * compliance[i, 4], gain * compliance[i, 5]
        for e in range(N_STRAIN):
            x, y, z = rest[0, e], rest[1, e], rest[2, e]
            dx = keep * old[i, change + e] + (xx * x + xy * y + xz * z)
            dy = keep * old[i, change + N_STRAIN + e] + (xy * x + yy * y + yz * z)
            dz = keep * old[i, change + 2 * N_STRAIN + e] + (xz * x + yz * y + zz * z)
            new[i, change + e], new[i, change + N_STRAIN + e], new[i, change + 2 * N_STRAIN + e] = dx, dy, dz
            new[i, column + e] = old[i, column + e] + dx
            new[i, middle + e] = old[i, middle + e] + dy
            new[i, end + e] = old[i, end + e] + dz


def largest_eigenvalue(matrix):
    """Largest eigenvalue of symmetric 3 x 3 matrices, by the trigonometric solution of the cubic.

    Parameters
    ----------
    matrix : float64 array, shape (n, 6)
        xx, yy, zz, xy, xz, yz.

    Returns
    -------
    float64 array, shape (n,)
        NaN of NaN.
    """
    result = np.empty(len(matrix))
    fill_largest(result, np.ascontiguousarray(matrix, dtype=np.float64))
    return result


@kernel
def fill_largest(result, matrix):
    for i in range(result.shape[0]):
        xx, yy, zz = matrix[i, 0], matrix[i, 1], matrix[i, 2]
        xy, xz, yz = matrix[i, 3], matrix[i, 4], matrix[i, 5]
        mean = (xx + yy + zz) / 3.0
        x, y, z = xx - mean, yy - mean, zz - mean
        spread = np.sqrt((x * x + y * y + z * z + 2.0 * (xy * xy + xz * xz + yz * yz)) / 6.0)
        if spread == 0.0:
            result[i] = mean
            continue
        determinant = x * (y * z - yz * yz) - xy * (xy * z - yz * xz) + xz * (xy * yz - y * xz)
        cosine = min(max(determinant / (2.0 * spread * spread * spread), -1.0), 1.0)
        result[i] = mean + 2.0 * spread * np.cos(np.arccos(cosine) / 3.0)
