"""Slow twin of the soft-sphere response: positions and cell are moved as the definition says, NumPy solves the blocks."""

from __future__ import annotations

import numpy as np

from tests.naive.bonds import bonds, nonaffine, summed

CUTOFF, SKIN, NEAR, STIFFNESS = 5.0, 1.2, 4.0, 4.0


def step(position, cell, found, radius):
    """One step of all spheres."""
    v = position[found.j] + found.image @ cell - position[found.i]
    r = np.linalg.norm(v, axis=1)
    n = v / r[:, None]
    e = np.exp(-STIFFNESS * (r - radius[found.i] - radius[found.j])) * (1 - (r / CUTOFF) ** 2) ** 2
    e[r >= CUTOFF] = 0.0
    force = -summed(found, len(position), (e / STIFFNESS)[:, None] * n)
    block = summed(found, len(position), e[:, None, None] * n[:, :, None] * n[:, None, :])
    moved = position.copy()
    for i, (f, d) in enumerate(zip(force, block, strict=True)):
        trace = np.trace(d)
        if trace > 0.0:
            way = 0.6 * np.linalg.solve(d / trace + 1e-3 * np.eye(3), f / trace)
            moved[i] += way * min(1.0, 0.15 / max(np.linalg.norm(way), 1e-300))
    return moved


def columns(position, cell, periodic, radius, axis=2, relax_steps=20, strain_steps=12):
    """The four columns of every atom."""
    found = bonds(position, cell, periodic, CUTOFF + SKIN)
    near = np.linalg.norm(found.v, axis=1) < NEAR

    def bond(x, edges):
        return (x[found.j] + found.image @ edges - x[found.i])[near]

    def left(before, after):
        return np.log(nonaffine(before, after, found.i[near], len(position))[0] + 1e-3)

    rest = position
    for _ in range(relax_steps):
        rest = step(rest, cell, found, radius)
    value = [left(bond(position, cell), bond(rest, cell))]
    for along in (axis, *(k for k in range(3) if k != axis)):
        factor = 1 + 0.02 * np.array([-1.0 if k == along else 0.37 for k in range(3)])
        moved, edges = rest, cell
        for _ in range(2):
            moved, edges = moved * factor, edges * factor
            for _ in range(strain_steps):
                moved = step(moved, edges, found, radius)
        value.append(left(bond(rest, cell), bond(moved, edges)))
    return np.stack(value, axis=1)
