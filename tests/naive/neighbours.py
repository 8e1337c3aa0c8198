"""Slow twin of the neighbour search: every atom against every explicit image of every atom."""

from __future__ import annotations

from itertools import product

import numpy as np


def explicit_images(position, cell, periodic, reach):
    """Every (row, image) that may lie within `reach` of an atom; the given atoms themselves come first.

    Images count from the positions as they are given, wrapped or not.
    """
    cell = np.asarray(cell, dtype=float)
    inverse = np.linalg.inv(cell)
    spread = np.ptp(position @ inverse, axis=0)
    # Planes of one lattice direction stand 1/|reciprocal vector| apart.
    turns = np.where(periodic, np.ceil(spread + reach * np.linalg.norm(inverse, axis=0)), 0).astype(int)
    images = sorted(product(*(range(-n, n + 1) for n in turns)), key=lambda image: (image != (0, 0, 0), image))
    low = position.min(axis=0) - reach
    high = position.max(axis=0) + reach
    point, row, shift = [], [], []
    for image in images:
        moved = position + np.array(image) @ cell
        near = ((moved >= low) & (moved <= high)).all(axis=1)
        if image == (0, 0, 0):
            near[:] = True
        point.append(moved[near])
        row.append(np.flatnonzero(near))
        shift += [image] * int(near.sum())
    return np.concatenate(point), np.concatenate(row), shift


def neighbours(position, cell, periodic, cutoff):
    """For every atom the list of (row, image, distance) with 0 < distance < cutoff, ascending."""
    point, row, image = explicit_images(position, cell, periodic, cutoff)
    found = []
    for centre in position:
        distance = np.sqrt(((point - centre) ** 2).sum(axis=1))
        inside = np.flatnonzero((distance > 0) & (distance < cutoff))
        found.append(sorted((int(row[k]), image[k], float(distance[k])) for k in inside))
    return found
