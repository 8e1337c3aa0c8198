"""Exact coefficients of bond-orientational order: spherical harmonics as polynomials, and Wigner 3-j symbols.

Everything is rational, or the root of a rational, and is rounded once at the end.
"""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from functools import cache
from math import comb, factorial, perm, sqrt

import numpy as np

__all__ = ["harmonic_terms", "polynomial_coefficient", "third_order_terms", "wigner_3j"]


def polynomial_coefficient(degree, order, power):
    """Coefficient of ``z**power * (x + iy)**order`` in the spherical harmonic of Racah's normalisation.

    Parameters
    ----------
    degree, order, power : int
        ``0 <= order <= degree``, ``power <= degree - order`` and of the same parity as ``degree - order``.

    Returns
    -------
    float
        Of ``C_lm = sqrt(4 pi / (2 l + 1)) Y_lm`` on the unit sphere, with the sign of Condon and Shortley.
    """
    # Legendre's polynomial is a sum of z**n; its `order`-th derivative brings down n (n - 1) ... (power + 1).
    n = power + order
    k = (degree - n) // 2
    legendre = Fraction((-1) ** k * comb(degree, k) * comb(2 * degree - 2 * k, degree), 2**degree)
    norm = Fraction(factorial(degree - order), factorial(degree + order))
    return (-1) ** order * float(legendre * perm(n, order)) * sqrt(norm)


@cache
def wigner_3j(degree, m1, m2):
    """Wigner's 3-j symbol (l l l; m1 m2 -m1-m2), by Racah's formula.

    Parameters
    ----------
    degree, m1, m2 : int
        l, and two of the three orders.

    Returns
    -------
    float
        0 where an order exceeds the degree.

    References
    ----------
    A. R. Edmonds, Angular Momentum in Quantum Mechanics (1957), doi:10.1515/9781400884186.
    """
    m3 = -m1 - m2
    if max(abs(m1), abs(m2), abs(m3)) > degree:
        return 0.0
    total = Fraction(0)
    for t in range(max(0, -m1, m2), min(degree, degree - m1, degree + m2) + 1):
        factors = (t, t + m1, t - m2, degree - t, degree - t - m1, degree - t + m2)
        product = 1
        for factor in factors:
            product *= factorial(factor)
        total += Fraction((-1) ** t, product)
    square = Fraction(factorial(degree) ** 3, factorial(3 * degree + 1)) * total**2
    for m in (m1, m2, m3):
        square *= factorial(degree + m) * factorial(degree - m)
    return (-1) ** m3 * (1 if total > 0 else -1) * sqrt(square)


def harmonic_terms(degrees):
    """How the harmonics of even degrees follow from moments of ``z**p (x + iy)**m``.

    Parameters
    ----------
    degrees : tuple of int
        Even, rising.

    Returns
    -------
    moment : int64 array, shape (n_moment, 2)
        m and p of every moment.
    term : int64 array, shape (n_term, 2)
        Component and moment of every term; components are numbered by degree, then m = 0 ... l.
    factor : float64 array, shape (n_term,)
        What the moment is multiplied with.
    """
    top = degrees[-1]
    moments = [(m, p) for m in range(top + 1) for p in range(m % 2, top - m + 1, 2)]
    number = {moment: k for k, moment in enumerate(moments)}
    components = [(degree, m) for degree in degrees for m in range(degree + 1)]
    terms = [
        (c, number[m, p], polynomial_coefficient(degree, m, p))
        for c, (degree, m) in enumerate(components)
        for p in range(m % 2, degree - m + 1, 2)
    ]
    return np.array(moments), np.array([t[:2] for t in terms]), np.array([t[2] for t in terms])


def third_order_terms(degrees):
    """Terms of ``W_l = sum 3j(l l l; m1 m2 m3) q_m1 q_m2 q_m3`` that differ, for even degrees.

    Any three orders with sum 0 are, but for their sequence and a common sign, a >= b >= 0 and -(a + b); the
    3-j symbol of an even degree does not see the difference, and opposite signs give conjugate products. So
    each class is one real term ``weight * Re(q_a q_b conj(q_(a + b)))``.

    Parameters
    ----------
    degrees : tuple of int
        Even.

    Returns
    -------
    index : int64 array, shape (n_term, 4)
        Number of the degree, and components of a, b and a + b, numbered as in `harmonic_terms`.
    weight : float64 array, shape (n_term,)
        Sum of the 3-j symbols of the class, times the sign of ``q_-m = (-1)**m conj(q_m)``.
    """
    index, weight, first = [], [], 0
    for number, degree in enumerate(degrees):
        classes: dict[tuple[int, int], float] = defaultdict(float)
        orders = range(-degree, degree + 1)
        for m1, m2 in ((m1, m2) for m1 in orders for m2 in orders if abs(m1 + m2) <= degree):
            b, a, s = sorted(map(abs, (m1, m2, m1 + m2)))
            classes[a, b] += (-1) ** s * wigner_3j(degree, m1, m2)
        for (a, b), value in sorted(classes.items()):
            index.append((number, first + a, first + b, first + a + b))
            weight.append(value)
        first += degree + 1
    return np.array(index), np.array(weight)
