"""Soft spheres that touch: an athermal step towards rest, by the force on each sphere and its own block of the Hessian.

Spheres at a bond v of length r < r_c push with ``e / a``, ``e = exp(-a (r - R_i - R_j)) (1 - (r / r_c)**2)**2``. A sphere moves by
``gain D**-1 F`` with ``F = -sum e / a n``, ``D = sum e n n^T + ridge tr(sum e n n^T) 1`` and n = v / r, and never farther than a
given length.
"""

from __future__ import annotations

import numpy as np

from qsdask.kernels.exponential import exponential
from qsdask.kernels.jit import kernel
from qsdask.kernels.sorting import LANES, U, whole_lanes

__all__ = ["soft_sphere_step"]

#: Part of the trace that is added to the block's diagonal, part of Newton's step that is done.
RIDGE, GAIN = 1e-3, 0.6
#: Below this sum of all e a sphere touches none.
NO_TOUCH = 1e-200


def soft_sphere_step(new, old, column, stretch, position, radius, neighbour, count, *, stiffness, cutoff, longest):
    """One step of the first ``len(new)`` entries.

    Parameters
    ----------
    new, old : float64 array, shape (n, n_state) and (n_local, n_state)
        Where each sphere stands beside its stretched position; three numbers from `column` on. Unit: angstrom.
    column : int
        Where the three numbers begin.
    stretch : float64 array, shape (3,)
        Factors of the undeformed bonds along x, y, z.
    position : float64 array, shape (n_local, 3)
        Undeformed. Unit: angstrom.
    radius : float64 array, shape (n_local,)
        Unit: angstrom.
    neighbour : int32 array, shape (n or more, n_slot)
        Who may touch, filled from the left; sums run in their order.
    count : int32 array, shape (n or more,)
        Number of them.
    stiffness : float
        a. Unit: 1/angstrom.
    cutoff, longest : float
        r_c, and the longest way of a step. Unit: angstrom.
    """
    room = np.zeros((6, neighbour.shape[1] + int(LANES)))
    fill_step(new, old, column, stretch, position, radius, neighbour, count, stiffness, cutoff, longest, room)


@kernel
def fill_step(new, old, column, stretch, position, radius, neighbour, count, stiffness, cutoff, longest, room):
    vx, vy, vz, touch, push, turn = room[0], room[1], room[2], room[3], room[4], room[5]
    sx, sy, sz = stretch[0], stretch[1], stretch[2]
    cx, cy, cz = column, column + 1, column + 2
    outer = cutoff * cutoff
    for i in range(new.shape[0]):
        n = U(count[i])
        px, py, pz, own = position[i, 0], position[i, 1], position[i, 2], radius[i]
        ox, oy, oz = old[i, cx], old[i, cy], old[i, cz]
        for slot in range(n):
            j = U(neighbour[i, slot])
            vx[slot] = sx * (position[j, 0] - px) + (old[j, cx] - ox)
            vy[slot] = sy * (position[j, 1] - py) + (old[j, cy] - oy)
            vz[slot] = sz * (position[j, 2] - pz) + (old[j, cz] - oz)
            touch[slot] = own + radius[j]
        for slot in range(whole_lanes(n)):
            square = vx[slot] * vx[slot] + vy[slot] * vy[slot] + vz[slot] * vz[slot]
            square = square if 0.0 < square < outer else outer
            fall = 1.0 - square / outer
            length = np.sqrt(square)
            e = exponential(-stiffness * (length - touch[slot])) * (fall * fall)
            push[slot] = e / length
            turn[slot] = e / square
        fx = fy = fz = 0.0
        xx = yy = zz = xy = xz = yz = 0.0
        for slot in range(n):
            x, y, z = vx[slot], vy[slot], vz[slot]
            fx += push[slot] * x
            fy += push[slot] * y
            fz += push[slot] * z
            tx, ty, tz = turn[slot] * x, turn[slot] * y, turn[slot] * z
            xx += tx * x
            yy += ty * y
            zz += tz * z
            xy += tx * y
            xz += tx * z
            yz += ty * z
        trace = xx + yy + zz
        if not trace > NO_TOUCH:
            new[i, cx], new[i, cy], new[i, cz] = ox, oy, oz
            continue
        # In units of the trace: the weakest contact moves a sphere as far as the hardest.
        scale = 1.0 / trace
        xx, yy, zz = xx * scale + RIDGE, yy * scale + RIDGE, zz * scale + RIDGE
        xy, xz, yz = xy * scale, xz * scale, yz * scale
        axx, ayy, azz = yy * zz - yz * yz, xx * zz - xz * xz, xx * yy - xy * xy
        axy, axz, ayz = xz * yz - xy * zz, xy * yz - xz * yy, xy * xz - yz * xx
        part = -GAIN * scale / (stiffness * (xx * axx + xy * axy + xz * axz))
        dx = part * (axx * fx + axy * fy + axz * fz)
        dy = part * (axy * fx + ayy * fy + ayz * fz)
        dz = part * (axz * fx + ayz * fy + azz * fz)
        way = np.sqrt(dx * dx + dy * dy + dz * dz)
        if way > longest:
            short = longest / way
            dx, dy, dz = dx * short, dy * short, dz * short
        new[i, cx], new[i, cy], new[i, cz] = ox + dx, oy + dy, oz + dz
