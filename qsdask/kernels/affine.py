"""Non-affine displacement D2min: what is left of a neighbourhood's motion after its best affine map."""

from __future__ import annotations

import numpy as np

from qsdask.kernels.jit import inline, kernel

__all__ = ["SINGULAR", "SINGULAR_RATIO", "d2min", "d2min_of_entries", "regular"]

#: State bit: the neighbours do not span three dimensions, so that no affine map can be fitted.
SINGULAR = 1

#: A fit is singular when the neighbours lie in a plane or a line to within 1e-4 of their bond lengths: the
#: smallest eigenvalue of the moment matrix, as bounded by its invariants, is below this part of the trace.
SINGULAR_RATIO = 1e-8


def d2min(
    reference, current, n_owned, neighbour, count, *, cell_reference, cell_current, periodic, mean=False, gradient=None
):
    """Squared displacement of each atom's neighbours that no affine map of its surroundings explains.

    Parameters
    ----------
    reference, current : float64 array, shape (n_local, 3)
        Positions of all local atoms in the two frames. Unit: angstrom. NaN in `current` marks a lost atom.
        Any periodic image will do in `current`.
    n_owned : int
        The first `n_owned` local atoms get a result.
    neighbour : int32 array, shape (n_owned, n_slot)
        Local index of each neighbour in the reference frame, filled from the left.
    count : int32 array, shape (n_owned,)
        Number of filled slots.
    cell_reference, cell_current : float64 array, shape (3, 3)
        Lattice vectors of the frames, one a row. Unit: angstrom.
    periodic : bool array, shape (3,)
        Along which lattice vectors the system repeats itself.
    mean : bool, optional
        Divide by the number of neighbours instead of giving the sum.
    gradient : float64 array, shape (n_owned, 3, 3), optional
        Filled with F − 1 of the best map; NaN where `d2` is.

    Returns
    -------
    d2 : float64 array, shape (n_owned,)
        min over F of the sum over neighbours of (b − F b₀)². Unit: angstrom squared. NaN for a singular fit
        and when the atom or a neighbour is lost.
    state : uint8 array, shape (n_owned,)
        `SINGULAR` where the neighbours do not span three dimensions (fewer than three, coplanar, collinear).

    Notes
    -----
    With the displacements u = b − b₀, V = Σ b₀ b₀ᵀ and W = Σ u b₀ᵀ, the best map is F = 1 + W V⁻¹ and what it leaves is
    Σ|u|² − (W V⁻¹):W, so one visit to each bond suffices. Displacements instead of bonds keep the difference exact to
    rounding of Σ|u|², the motion of the neighbours against the atom. The determinant of V over the sum of its
    principal minors lies between a third of the smallest eigenvalue and that eigenvalue; the fit is singular when it
    is below `SINGULAR_RATIO` of the trace. The image of a current bond is the one whose reduced coordinates stay
    nearest to those of its reference bond: the minimum image in large boxes, and the right image in boxes
    thinner than two cut-offs. Sums run in slot order. Invariant under rigid motion of either frame.

    References
    ----------
    Falk & Langer, Phys. Rev. E 57, 7192 (1998), doi:10.1103/PhysRevE.57.7192.
    """
    reference = np.ascontiguousarray(reference, dtype=np.float64)
    current = np.ascontiguousarray(current, dtype=np.float64)
    cell_current = np.ascontiguousarray(cell_current, dtype=np.float64)
    inverse_reference = np.ascontiguousarray(np.linalg.inv(cell_reference))
    inverse_current = np.ascontiguousarray(np.linalg.inv(cell_current))
    periodic = np.ascontiguousarray(periodic, dtype=np.bool_)
    near = _surely_near(inverse_reference, inverse_current, periodic)
    d2 = np.empty(n_owned)
    state = np.zeros(n_owned, dtype=np.uint8)
    fill_d2min(
        d2,
        state,
        reference,
        current,
        neighbour,
        count,
        inverse_reference,
        inverse_current,
        cell_current,
        periodic,
        near,
        mean,
        np.empty((0, 3, 3)) if gradient is None else gradient,
    )
    return d2, state


def d2min_of_entries(reference, current, neighbour, count):
    """D2min and best map where both frames have the same images as entries: bonds are plain differences.

    Parameters
    ----------
    reference, current : float64 array, shape (n_local, 3)
        Unit: angstrom.
    neighbour, count : arrays, shapes (n_owned, n_slot) and (n_owned,)
        As of `d2min`.

    Returns
    -------
    d2 : float64 array, shape (n_owned,)
        As of `d2min`.
    gradient : float64 array, shape (n_owned, 3, 3)
        F − 1 of the best map. NaN for a singular fit.
    """
    gradient = np.empty((len(count), 3, 3))
    whole = {"cell_reference": np.eye(3), "cell_current": np.eye(3), "periodic": np.zeros(3, dtype=bool)}
    d2, _ = d2min(reference, current, len(count), neighbour, count, **whole, gradient=gradient)
    return d2, gradient


def _surely_near(inverse_reference, inverse_current, periodic):
    """Squared length below which no bond of either frame can need another image: |b₀|g₀ + |b|g < 1/2."""
    if not periodic.any():
        return np.inf
    # The columns of an inverse are the reciprocal vectors: g is one over the distance between two cell faces.
    steepest = max(
        np.linalg.norm(inverse_reference[:, periodic], axis=0).max(),
        np.linalg.norm(inverse_current[:, periodic], axis=0).max(),
    )
    return (0.249 / steepest) ** 2


@inline
def regular(determinant, minors, trace):
    """Whether a symmetric matrix without negative eigenvalues, as told by its invariants, has an inverse: see `SINGULAR_RATIO`."""
    # Written so that NaN counts as singular too. The second test catches a line, where both vanish.
    return determinant > SINGULAR_RATIO * minors * trace and minors > SINGULAR_RATIO * trace * trace


@kernel
def fill_d2min(
    d2,
    state,
    reference,
    current,
    neighbour,
    count,
    inverse_reference,
    inverse_current,
    cell_current,
    periodic,
    near,
    mean,
    gradient,
):
    """Write D2min, state and, where there is room, gradient of every owned atom; squared bonds below `near` need no image search."""
    wanted = gradient.shape[0] > 0
    for i in range(d2.shape[0]):
        n = np.uint64(count[i])
        rx, ry, rz = reference[i, 0], reference[i, 1], reference[i, 2]
        cx, cy, cz = current[i, 0], current[i, 1], current[i, 2]
        vxx = vyy = vzz = vxy = vxz = vyz = 0.0
        square = 0.0
        wxx = wxy = wxz = wyx = wyy = wyz = wzx = wzy = wzz = 0.0
        for slot in range(n):
            # Unsigned: no test for indices that count from the end.
            k = np.uint64(neighbour[i, slot])
            px, py, pz = reference[k, 0] - rx, reference[k, 1] - ry, reference[k, 2] - rz
            qx, qy, qz = current[k, 0] - cx, current[k, 1] - cy, current[k, 2] - cz
            if not (px * px + py * py + pz * pz < near and qx * qx + qy * qy + qz * qz < near):
                sx = sy = sz = 0.0
                for a in range(3):
                    if periodic[a]:
                        reduced = (
                            px * inverse_reference[0, a] + py * inverse_reference[1, a] + pz * inverse_reference[2, a]
                        )
                        reduced -= qx * inverse_current[0, a] + qy * inverse_current[1, a] + qz * inverse_current[2, a]
                        image = np.rint(reduced)
                        sx += image * cell_current[a, 0]
                        sy += image * cell_current[a, 1]
                        sz += image * cell_current[a, 2]
                qx += sx
                qy += sy
                qz += sz
            ux, uy, uz = qx - px, qy - py, qz - pz
            square += ux * ux + uy * uy + uz * uz
            vxx += px * px
            vyy += py * py
            vzz += pz * pz
            vxy += px * py
            vxz += px * pz
            vyz += py * pz
            wxx += ux * px
            wxy += ux * py
            wxz += ux * pz
            wyx += uy * px
            wyy += uy * py
            wyz += uy * pz
            wzx += uz * px
            wzy += uz * py
            wzz += uz * pz

        # Cofactors of V; the three diagonal ones add up to the second invariant.
        axx = vyy * vzz - vyz * vyz
        ayy = vxx * vzz - vxz * vxz
        azz = vxx * vyy - vxy * vxy
        axy = vxz * vyz - vxy * vzz
        axz = vxy * vyz - vxz * vyy
        ayz = vxy * vxz - vyz * vxx
        determinant = vxx * axx + vxy * axy + vxz * axz
        trace = vxx + vyy + vzz
        minors = axx + ayy + azz
        if not (regular(determinant, minors, trace) and n >= 3):
            d2[i] = np.nan
            state[i] = SINGULAR
            if wanted:
                gradient[i] = np.nan
            continue
        scale = 1.0 / determinant
        fxx = (wxx * axx + wxy * axy + wxz * axz) * scale
        fxy = (wxx * axy + wxy * ayy + wxz * ayz) * scale
        fxz = (wxx * axz + wxy * ayz + wxz * azz) * scale
        fyx = (wyx * axx + wyy * axy + wyz * axz) * scale
        fyy = (wyx * axy + wyy * ayy + wyz * ayz) * scale
        fyz = (wyx * axz + wyy * ayz + wyz * azz) * scale
        fzx = (wzx * axx + wzy * axy + wzz * axz) * scale
        fzy = (wzx * axy + wzy * ayy + wzz * ayz) * scale
        fzz = (wzx * axz + wzy * ayz + wzz * azz) * scale
        total = square - (
            (fxx * wxx + fxy * wxy + fxz * wxz)
            + (fyx * wyx + fyy * wyy + fyz * wyz)
            + (fzx * wzx + fzy * wzy + fzz * wzz)
        )
        if total < 0.0:  # by rounding; NaN, of a lost atom, stays
            total = 0.0
        d2[i] = total / n if mean else total
        if wanted:
            gradient[i, 0, 0], gradient[i, 0, 1], gradient[i, 0, 2] = fxx, fxy, fxz
            gradient[i, 1, 0], gradient[i, 1, 1], gradient[i, 1, 2] = fyx, fyy, fyz
            gradient[i, 2, 0], gradient[i, 2, 1], gradient[i, 2, 2] = fzx, fzy, fzz
