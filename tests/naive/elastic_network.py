"""Slow twin of the elastic network: blocks of 3 x 3 from the formula, steps with NumPy, D2min by least squares."""

from __future__ import annotations

import numpy as np

from tests.naive.bonds import bonds, nonaffine, summed

CUTOFF, NEAR = 5.0, 4.0


def strains(axis):
    """Imposed strains: along the axis, along the other two, dilation."""
    others = [k for k in range(3) if k != axis]
    return [np.diag([-1.0 if k == along else 0.37 for k in range(3)]) for along in (axis, *others)] + [0.6 * np.eye(3)]


def springs(position, cell, periodic, radius, a):
    """Bonds, their stiffness, unit vectors, and the block D of every atom."""
    found = bonds(position, cell, periodic, CUTOFF)
    r = np.linalg.norm(found.v, axis=1)
    n = found.v / r[:, None]
    k = np.exp(-a * (r - radius[found.i] - radius[found.j])) * (1 - (r / CUTOFF) ** 2) ** 2
    return found, k, n, summed(found, len(position), k[:, None, None] * n[:, :, None] * n[:, None, :])


def force(found, k, n, strain, n_atom):
    return summed(found, n_atom, (k * np.einsum("na,ab,nb->n", n, strain, found.v))[:, None] * n)


def response(found, k, n, block, pull, n_step):
    """Chebyshev iteration as the textbook has it, Saad's algorithm 12.1."""
    low, high = 0.8 / n_step, 2.0
    middle, half = (high + low) / 2, (high - low) / 2
    inverse = np.linalg.inv(block)
    u, rest = np.zeros_like(pull), pull.copy()
    sigma = middle / half
    rho = 1 / sigma
    d = np.einsum("nab,nb->na", inverse, rest) / middle
    for _ in range(n_step):
        u = u + d
        moved = np.einsum("na,na->n", n, u[found.j] - u[found.i])
        rest = pull + summed(found, len(u), (k * moved)[:, None] * n)
        before, rho = rho, 1 / (2 * sigma - rho)
        d = rho * before * d + 2 * rho / half * np.einsum("nab,nb->na", inverse, rest)
    return u


def columns(position, cell, periodic, radius, a, axis=2, n_step=8):
    """The 18 columns of one stiffness for a system whose blocks all have an inverse."""
    found, k, n, block = springs(position, cell, periodic, radius, a)
    inverse = np.linalg.inv(block)
    value = [np.trace(inverse, axis1=1, axis2=2), inverse[:, axis, axis], np.linalg.eigvalsh(inverse)[:, -1]]
    value = [np.log(x) for x in value]
    near = np.linalg.norm(found.v, axis=1) < NEAR
    for number, strain in enumerate(strains(axis)):
        pull = force(found, k, n, strain, len(position))
        u = response(found, k, n, block, pull, n_step)
        v = found.v[near]
        d2, gradient = nonaffine(v, v + (u[found.j] - u[found.i])[near], found.i[near], len(position))
        value += [np.log((pull**2).sum(1) + 1e-6), np.log(d2 + 1e-4), np.log((u**2).sum(1) + 1e-4)]
        if number == 0:
            local = (gradient + strain + (gradient + strain).transpose(0, 2, 1)) / 2
            trace = np.trace(local, axis1=1, axis2=2)
            deviator = local - trace[:, None, None] * np.eye(3) / 3
            value += [local[:, axis, axis], np.linalg.norm(deviator, axis=(1, 2)), trace]
    return np.stack(value, axis=1)
