"""Bond-orientational order: Steinhardt's q_l and normalised w_l, l = 4 6 8 10, and their coarse-grained form.

Of every atom the mean of the spherical harmonics over its bonds, ``q_lm``, all bonds alike [1]_, or each by
its weight [3]_:

* ``q_l = sqrt(4 pi / (2 l + 1) * sum_m |q_lm|**2)``;
* ``w_l = sum 3j(l l l; m1 m2 m3) q_lm1 q_lm2 q_lm3 / (sum_m |q_lm|**2)**(3 / 2)``, over m1 + m2 + m3 = 0;
* coarse-grained: the same of the mean of ``q_lm`` over the atom and its neighbours [2]_, or over the atom
  with weight 1 and each neighbour with its own.

On the unit sphere every harmonic of even degree up to 10 is a sum of ``z**p (x + iy)**m``, p + m even and at
most 10. So each bond adds to 36 such moments only, and the harmonics are made of them once per atom: no
angle, no recurrence in l, and some 70 multiplications and additions a bond instead of a few hundred. Only
m >= 0 is needed, since ``q_l,-m = (-1)**m conj(q_lm)``. LANES atoms go side by side, one in each lane of the
processor's vectors; each atom's sums run over its slots in stored order, so that its numbers do not depend on
who its companions are.

NaN rules: no neighbours, all NaN; ``q_l`` below ZERO, so that ``w_l`` would be a ratio of rounding errors,
``w_l`` NaN.

References
----------
.. [1] P. J. Steinhardt, D. R. Nelson, M. Ronchetti, "Bond-orientational order in liquids and glasses",
   Phys. Rev. B 28, 784 (1983), doi:10.1103/PhysRevB.28.784.
.. [2] W. Lechner, C. Dellago, "Accurate determination of crystal structures based on averaged local
   bond order parameters", J. Chem. Phys. 129, 114707 (2008), doi:10.1063/1.2977970.
.. [3] W. Mickel, S. C. Kapfer, G. E. Schroeder-Turk, K. Mecke, "Shortcomings of the bond orientational
   order parameters for the analysis of disordered particulate matter", J. Chem. Phys. 138, 044501 (2013),
   doi:10.1063/1.4774084.
"""

from __future__ import annotations

import numpy as np

from qsdask.kernels.jit import kernel
from qsdask.kernels.wigner import harmonic_terms, third_order_terms

__all__ = ["DEGREES", "N_COMPONENT", "ZERO", "averaged_components", "bond_components", "bond_order"]

#: The degrees l.
DEGREES = (4, 6, 8, 10)
#: Components with m >= 0 of all degrees: by degree, then m = 0 ... l.
N_COMPONENT = sum(degree + 1 for degree in DEGREES)
#: Below it q_l is zero but for rounding (of the icosahedron q_4 and q_8 are).
ZERO = 1e-6

#: Atoms side by side: several vectors long, and the moments of all still fit into the nearest cache.
LANES = 32
_TOP = DEGREES[-1]
_MOMENT, _TERM, _FACTOR = harmonic_terms(DEGREES)
_TRIPLE, _WEIGHT = third_order_terms(DEGREES)
_DEGREES = np.array(DEGREES)
U = np.uint64


@kernel
def fill_powers(position, neighbour, count, weight, weighted, start, slot, x, y, z, up, real, imag):
    """Powers of z (`up`) and of x + iy (`real`, `imag`) of one bond of each of LANES atoms, lane fastest.

    Those of z are multiplied by the weight of the bond. Where an atom has no such bond the powers of z are
    zero. The arrays are flat, with rows of known length, and each has a loop of its own: else the compiler
    cannot tell the row that is written from those that are read, and makes no vector code.
    """
    n = U(neighbour.shape[0])
    for lane in range(U(LANES)):
        i = start + lane
        if i < n and slot < U(count[i]):
            j = U(neighbour[i, slot])
            x[lane] = position[j, 0] - position[i, 0]
            y[lane] = position[j, 1] - position[i, 1]
            z[lane] = position[j, 2] - position[i, 2]
            up[lane] = 1.0
        else:
            x[lane], y[lane], z[lane], up[lane] = 1.0, 0.0, 0.0, 0.0
    if weighted:
        for lane in range(U(LANES)):
            i = start + lane
            if i < n and slot < U(count[i]):
                up[lane] = weight[i, slot]
    for lane in range(U(LANES)):
        scale = 1.0 / np.sqrt(x[lane] * x[lane] + y[lane] * y[lane] + z[lane] * z[lane])
        x[lane] *= scale
        y[lane] *= scale
        z[lane] *= scale
    for k in range(U(LANES), U(len(up)), U(LANES)):
        h = k - U(LANES)
        for lane in range(U(LANES)):
            up[k + lane] = up[h + lane] * z[lane]
        for lane in range(U(LANES)):
            real[k + lane] = real[h + lane] * x[lane] - imag[h + lane] * y[lane]
        for lane in range(U(LANES)):
            imag[k + lane] = real[h + lane] * y[lane] + imag[h + lane] * x[lane]


@kernel
def fill_components(position, neighbour, count, weight, weighted, moment, term, factor, component):
    """Mean harmonics over the bonds of every row of `neighbour`; `weight` is looked at when `weighted`."""
    n_component = U(component.shape[1]) // U(2)
    size = (_TOP + 1) * LANES
    x, y, z = np.empty(LANES), np.empty(LANES), np.empty(LANES)
    up, real, imag = np.empty(size), np.ones(size), np.zeros(size)
    sum_real, sum_imag = np.empty((len(moment), LANES)), np.empty((len(moment), LANES))
    part_real, part_imag = np.empty((n_component, LANES)), np.empty((n_component, LANES))
    n = U(neighbour.shape[0])
    for start in range(U(0), n, U(LANES)):
        stop = min(start + U(LANES), n)
        most = U(0)
        for i in range(start, stop):
            most = max(most, U(count[i]))
        sum_real[:] = 0.0
        sum_imag[:] = 0.0
        for slot in range(most):
            fill_powers(position, neighbour, count, weight, weighted, start, slot, x, y, z, up, real, imag)
            for k in range(U(len(moment))):
                m, p = U(moment[k, 0]) * U(LANES), U(moment[k, 1]) * U(LANES)
                for lane in range(U(LANES)):
                    sum_real[k, lane] += up[p + lane] * real[m + lane]
                    sum_imag[k, lane] += up[p + lane] * imag[m + lane]
        part_real[:] = 0.0
        part_imag[:] = 0.0
        for t in range(U(len(term))):
            c, k, f = U(term[t, 0]), U(term[t, 1]), factor[t]
            for lane in range(U(LANES)):
                part_real[c, lane] += f * sum_real[k, lane]
                part_imag[c, lane] += f * sum_imag[k, lane]
        for i in range(start, stop):
            total = np.float64(count[i])
            if weighted:
                total = 0.0
                for slot in range(U(count[i])):
                    total += weight[i, slot]
            # Without neighbours 0 times infinity: NaN.
            share = 1.0 / total
            for c in range(n_component):
                component[i, c] = part_real[c, i - start] * share
                component[i, c + n_component] = part_imag[c, i - start] * share


@kernel
def fill_average(component, neighbour, count, weight, weighted, average):
    """Mean of the components over every atom and its neighbours; `weight` is looked at when `weighted`."""
    for i in range(U(average.shape[0])):
        average[i] = component[i]
        total = 1.0
        for slot in range(U(count[i])):
            j = U(neighbour[i, slot])
            w = weight[i, slot] if weighted else 1.0
            total += w
            for c in range(U(component.shape[1])):
                average[i, c] += w * component[j, c]
        share = 1.0 / total
        for c in range(U(component.shape[1])):
            average[i, c] *= share


@kernel
def fill_bond_order(component, degree, triple, weight, value):
    """Invariants q_l, then w_l, of every row of `component`."""
    n_component = U(component.shape[1]) // U(2)
    real, imag = np.zeros((n_component, LANES)), np.zeros((n_component, LANES))
    square, third = np.empty((len(degree), LANES)), np.empty((len(degree), LANES))
    n = U(component.shape[0])
    for start in range(U(0), n, U(LANES)):
        stop = min(start + U(LANES), n)
        for i in range(start, stop):
            for c in range(n_component):
                real[c, i - start] = component[i, c]
                imag[c, i - start] = component[i, c + n_component]
        first = U(0)
        for d in range(U(len(degree))):
            for lane in range(U(LANES)):
                square[d, lane] = real[first, lane] * real[first, lane]
            end = first + U(degree[d]) + U(1)
            for c in range(first + U(1), end):
                for lane in range(U(LANES)):
                    # Twice: for m and -m.
                    square[d, lane] += 2.0 * (real[c, lane] * real[c, lane] + imag[c, lane] * imag[c, lane])
            first = end
        third[:] = 0.0
        for t in range(U(len(triple))):
            d, a, b, s = U(triple[t, 0]), U(triple[t, 1]), U(triple[t, 2]), U(triple[t, 3])
            f = weight[t]
            for lane in range(U(LANES)):
                x = real[a, lane] * real[b, lane] - imag[a, lane] * imag[b, lane]
                y = real[a, lane] * imag[b, lane] + imag[a, lane] * real[b, lane]
                third[d, lane] += f * (x * real[s, lane] + y * imag[s, lane])
        for i in range(start, stop):
            for d in range(U(len(degree))):
                q = np.sqrt(square[d, i - start])
                value[i, d] = q
                value[i, d + U(len(degree))] = third[d, i - start] / (q * q * q) if q > ZERO else np.nan


def bond_components(position, neighbour, count, weight=None):
    """Mean spherical harmonics of the bonds of each atom, every neighbour counted once or by its weight.

    Parameters
    ----------
    position : float64 array, shape (n_local, 3)
        The atoms of the rows of `neighbour` first, then the others. Unit: angstrom.
    neighbour : int32 array, shape (n, n_slot)
        Local index of the neighbours, filled from the left.
    count : int32 array, shape (n,)
        Number of neighbours.
    weight : float64 array, shape (n, n_slot), optional
        Weight of every neighbour, such as the area of its facet: its scale does not matter.

    Returns
    -------
    float64 array, shape (n, 64)
        Real parts, then imaginary parts, of ``sqrt(4 pi / (2 l + 1)) q_lm``, l = 4 6 8 10, m = 0 ... l. NaN
        without neighbours. Dimensionless.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    References
    ----------
    doi:10.1103/PhysRevB.28.784
    """
    position = np.ascontiguousarray(position, dtype=np.float64)
    neighbour = np.ascontiguousarray(neighbour, dtype=np.int32)
    count = np.ascontiguousarray(count, dtype=np.int32)
    if neighbour.ndim != 2 or count.shape != neighbour.shape[:1] or len(position) < len(neighbour):
        raise ValueError(
            f"neighbour and count must have as many rows, at most {len(position)}, "
            f"got {neighbour.shape} and {count.shape}"
        )
    component = np.empty((len(neighbour), 2 * N_COMPONENT))
    weight = _weights(weight, neighbour)
    fill_components(position, neighbour, count, weight, weight.size > 0, _MOMENT, _TERM, _FACTOR, component)
    return component


def _weights(weight, neighbour):
    """Weights as the kernels want them; empty without."""
    weight = np.empty((0, 0)) if weight is None else np.ascontiguousarray(weight, dtype=np.float64)
    if weight.size and weight.shape != neighbour.shape:
        raise ValueError(f"weight must have shape {neighbour.shape}, got {weight.shape}")
    return weight


def averaged_components(component, n_owned, neighbour, count, weight=None):
    """Mean of the components over each owned atom and its neighbours.

    Parameters
    ----------
    component : float64 array, shape (n, 64)
        From `bond_components`, of the owned atoms and of all their neighbours.
    n_owned : int
        Number of owned atoms, which come first.
    neighbour : int32 array, shape (at least n_owned, n_slot)
        Local index of the neighbours, filled from the left.
    count : int32 array, shape (at least n_owned,)
        Number of neighbours.
    weight : float64 array, shape (at least n_owned, n_slot), optional
        Weight of every neighbour, where the atom itself has 1; all 1 by default.

    Returns
    -------
    float64 array, shape (n_owned, 64)
        As `component`; NaN without neighbours, or where a neighbour has none. Dimensionless.

    Raises
    ------
    ValueError
        If a neighbour of an owned atom has no components.

    References
    ----------
    doi:10.1063/1.2977970
    """
    component = np.ascontiguousarray(component, dtype=np.float64)
    neighbour = np.ascontiguousarray(neighbour[:n_owned], dtype=np.int32)
    count = np.ascontiguousarray(count[:n_owned], dtype=np.int32)
    if max(n_owned, neighbour.max(initial=-1) + 1) > len(component):
        raise ValueError(f"an owned atom or a neighbour of one is beyond the {len(component)} components")
    average = np.empty((n_owned, component.shape[1]))
    weight = _weights(None if weight is None else weight[:n_owned], neighbour)
    fill_average(component, neighbour, count, weight, weight.size > 0, average)
    return average


def bond_order(component):
    """Invariants q_l and normalised w_l, l = 4 6 8 10.

    Parameters
    ----------
    component : float64 array, shape (n, 64)
        From `bond_components` or `averaged_components`.

    Returns
    -------
    float64 array, shape (n, 8)
        q_4, q_6, q_8, q_10, w_4, w_6, w_8, w_10. NaN where the components are; w_l also where q_l is below
        ZERO. Dimensionless.

    Raises
    ------
    ValueError
        If the shape does not fit.

    References
    ----------
    doi:10.1103/PhysRevB.28.784
    """
    component = np.ascontiguousarray(component, dtype=np.float64)
    if component.ndim != 2 or component.shape[1] != 2 * N_COMPONENT:
        raise ValueError(f"component must have shape (n, {2 * N_COMPONENT}), got {component.shape}")
    value = np.empty((len(component), 2 * len(DEGREES)))
    fill_bond_order(component, _DEGREES, _TRIPLE, _WEIGHT, value)
    return value
