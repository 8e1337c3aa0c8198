"""Slow twins of bond-orientational order: one by scipy's harmonics, one without any harmonics."""

from __future__ import annotations

from functools import cache
from math import factorial, sqrt

import numpy as np
from scipy.special import eval_legendre, sph_harm_y

DEGREES = (4, 6, 8, 10)


def harmonics(bond):
    """Mean Y_lm over the bonds, as {l: complex array of m = -l ... l}; None without bonds."""
    bond = np.reshape(bond, (-1, 3))
    if len(bond) == 0:
        return None
    polar = np.arccos(bond[:, 2] / np.linalg.norm(bond, axis=1))
    azimuth = np.arctan2(bond[:, 1], bond[:, 0])
    return {
        degree: np.array([sph_harm_y(degree, m, polar, azimuth).mean() for m in range(-degree, degree + 1)])
        for degree in DEGREES
    }


def averaged(own, neighbours):
    """Mean of the harmonics of an atom and its neighbours; None where one has none."""
    if own is None or any(one is None for one in neighbours):
        return None
    return {degree: np.mean([one[degree] for one in (own, *neighbours)], axis=0) for degree in DEGREES}


def invariants(q):
    """q_4, q_6, q_8, q_10, w_4, w_6, w_8, w_10 of one atom; NaN without harmonics."""
    if q is None:
        return [np.nan] * 8
    second, third = [], []
    for degree in DEGREES:
        square = (abs(q[degree]) ** 2).sum()
        total = 0.0
        for m1 in range(-degree, degree + 1):
            for m2 in range(max(-degree, -degree - m1), min(degree, degree - m1) + 1):
                product = q[degree][degree + m1] * q[degree][degree + m2] * q[degree][degree - m1 - m2]
                total += three_j(degree, m1, m2) * product
        second.append(sqrt(4.0 * np.pi / (2 * degree + 1) * square))
        third.append(total.real / square**1.5 if second[-1] > 1e-6 else np.nan)
    return second + third


@cache
def three_j(j, m1, m2):
    """Wigner 3-j symbol (j j j; m1 m2 -m1-m2), the sum of Racah in floating point."""
    m3 = -m1 - m2
    total = 0.0
    for t in range(3 * j + 1):
        below = (t, j - t, j - m1 - t, j + m2 - t, t + m1, t - m2)
        if min(below) >= 0:
            total += (-1.0) ** t / np.prod([float(factorial(n)) for n in below])
    root = factorial(j) ** 3 / factorial(3 * j + 1)
    for m in (m1, m2, m3):
        root *= factorial(j + m) * factorial(j - m)
    return (-1.0) ** m3 * sqrt(root) * total


def by_directions(bond):
    """The same eight numbers of one atom, none of its q_l zero, from Legendre polynomials alone.

    The addition theorem makes q_l**2 the mean of P_l over all pairs of bonds. The product of three harmonics,
    integrated over the sphere, is a 3-j symbol times (l l l; 0 0 0); so w_l is the integral of the cube of
    the mean of P_l(direction . bond), and (l l l; 0 0 0)**2 is half the integral of P_l**3.
    """
    unit = bond / np.linalg.norm(bond, axis=1)[:, None]
    height, weight = np.polynomial.legendre.leggauss(16)
    angle = 2.0 * np.pi * np.arange(32) / 32
    z = np.repeat(height, 32)
    ring = np.sqrt(1.0 - z**2)
    sphere = np.stack([ring * np.tile(np.cos(angle), 16), ring * np.tile(np.sin(angle), 16), z], axis=1)
    share = np.repeat(weight, 32) / 64.0
    second, third = [], []
    for degree in DEGREES:
        square = eval_legendre(degree, unit @ unit.T).mean()
        cube = (share * eval_legendre(degree, sphere @ unit.T).mean(axis=1) ** 3).sum()
        # The sign of the symbol is that of (-1)**(3 l / 2).
        symbol = (-1.0) ** (3 * degree // 2) * sqrt((weight * eval_legendre(degree, height) ** 3).sum() / 2.0)
        second.append(sqrt(square))
        third.append(cube / symbol / square**1.5)
    return second + third
