"""Slow twin of the symmetry functions: every neighbour, every pair of neighbours, every formula written out."""

from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np

from tests.naive.neighbours import explicit_images

#: (xi / sigma_AA, lambda, zeta) of the 22 angular functions of Wang & Jain, in the order of amlearn.
SETS = [
    (14.633, -1, 1),
    (14.633, 1, 1),
    (14.638, -1, 2),
    (14.638, 1, 2),
    (2.554, -1, 1),
    (2.554, 1, 1),
    (2.554, -1, 2),
    (2.554, 1, 2),
    (1.648, 1, 1),
    (1.648, 1, 2),
    (1.204, 1, 1),
    (1.204, 1, 2),
    (1.204, 1, 4),
    (1.204, 1, 16),
    (0.933, 1, 1),
    (0.933, 1, 2),
    (0.933, 1, 4),
    (0.933, 1, 16),
    (0.695, 1, 1),
    (0.695, 1, 2),
    (0.695, 1, 4),
    (0.695, 1, 16),
]


def symmetry_functions(
    position, cell, periodic, species, n_species, sigma, radial_cutoff, angular_cutoff, centres=slice(None)
):
    """All columns of some atoms; `sigma` is the distance of two touching atoms of the reference species."""
    point, row, _ = explicit_images(position, cell, periodic, max(radial_cutoff, angular_cutoff))
    kind = np.asarray(species)[row]
    grid = 0.1 * sigma * np.arange(50)
    rows = []
    for centre in position[centres]:
        bond = point - centre
        distance = np.sqrt((bond**2).sum(axis=1))
        if not ((distance > 0) & (distance < max(radial_cutoff, angular_cutoff))).any():
            rows.append(np.full(50 * n_species + 22 * n_species * (n_species + 1) // 2, np.nan))
            continue
        columns = []
        for x in range(n_species):
            r = distance[(kind == x) & (distance > 0) & (distance < radial_cutoff)]
            columns += list(np.exp(-((r[:, None] - grid) ** 2) / (2 * (0.1 * sigma) ** 2)).sum(axis=0))
        near = np.flatnonzero((distance > 0) & (distance < angular_cutoff))
        for x, y in combinations_with_replacement(range(n_species), 2):
            sums = np.zeros(len(SETS))
            for a in range(len(near)):
                for b in range(a + 1, len(near)):
                    j, k = near[a], near[b]
                    if tuple(sorted((kind[j], kind[k]))) != (x, y):
                        continue
                    far = ((point[j] - point[k]) ** 2).sum()
                    cosine = bond[j] @ bond[k] / distance[j] / distance[k]
                    squares = distance[j] ** 2 + distance[k] ** 2 + far
                    for s, (xi, sign, zeta) in enumerate(SETS):
                        sums[s] += np.exp(-squares / (xi * sigma) ** 2) * (1 + sign * cosine) ** zeta
            columns += list(sums)
        rows.append(columns)
    return np.array(rows)
