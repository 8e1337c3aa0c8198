"""Slow twin of the pair counts, from the definition: every centre, every atom, every image."""

from __future__ import annotations

import math
from itertools import product

import numpy as np


def class_pairs(position, cell, periodic, kind, n_kind, border, width, n_bin):
    """Pairs (class of the centre, class of the other, bin), and centres (class, bin) whose whole bin lies within the border."""
    pairs = np.zeros((n_kind, n_kind, n_bin), dtype=np.int64)
    centres = np.zeros((n_kind, n_bin), dtype=np.int64)
    height = 1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    reach = width * n_bin
    spans = [
        range(-math.ceil(reach / h) - 1, math.ceil(reach / h) + 2) if p else (0,)
        for h, p in zip(height, periodic, strict=True)
    ]
    images = [np.array(image) @ cell for image in product(*spans)]
    for i, centre in enumerate(position):
        known = math.floor(min(border[i] / width, n_bin))
        for k in range(known):
            centres[kind[i], k] += 1
        for j, other in enumerate(position):
            for shift in images:
                if i == j and not shift.any():
                    continue
                b = math.floor(math.dist(centre, other + shift) / width)
                if b < known:
                    pairs[kind[i], kind[j], b] += 1
    return pairs, centres
