"""Slow twin of the Voronoi neighbours weighted by facet area, from Qhull cells."""

from __future__ import annotations

import numpy as np

from tests.naive.interstice import distances


def columns(atoms, i, species, radius, n_species, contact):
    """Number, mean and spread of the distance interstices, share of every species; NaN without a cell."""
    atom = atoms[i]
    if atom is None:
        return np.full(3 + n_species, np.nan)
    gap = distances(atom.bond, radius[i], radius[atom.row], contact)
    mean = np.average(gap, weights=atom.area)
    spread = np.sqrt(np.average((gap - mean) ** 2, weights=atom.area))
    share = np.bincount(species[atom.row], weights=atom.area, minlength=n_species) / atom.area.sum()
    return np.array([1.0 / ((atom.area / atom.area.sum()) ** 2).sum(), mean, spread, *share])


def averages(atoms, own):
    """Columns averaged over every atom, which counts 1, and its neighbours, which count sum A / sum A**2 times A."""
    found = []
    for i, atom in enumerate(atoms):
        if atom is None:
            found.append(np.full(len(own[i]), np.nan))
            continue
        weight = atom.area * atom.area.sum() / (atom.area**2).sum()
        found.append(np.average([own[i], *(own[j] for j in atom.row)], axis=0, weights=[1.0, *weight]))
    return np.array(found)
