"""Periodic images: which of them lie inside a region of reduced coordinates, found in one pass over the atoms."""

from __future__ import annotations

import numpy as np

from qsdask.kernels.jit import kernel

__all__ = ["images_inside", "reduced_coordinates"]


@kernel
def fill_images(reduced, low, high, periodic, row, image):
    """Write every image but the home one that lies in the region; returns their number, which may exceed the room."""
    room = row.shape[0]
    n = 0
    first = np.zeros(3, np.int64)
    last = np.zeros(3, np.int64)
    for i in range(reduced.shape[0]):
        alone = True
        for axis in range(3):
            s = reduced[i, axis]
            if periodic[axis]:
                first[axis] = np.int64(np.ceil(low[axis] - s))
                last[axis] = np.int64(np.floor(high[axis] - s))
                alone &= first[axis] == 0 and last[axis] == 0
        if alone:
            continue
        for a in range(first[0], last[0] + 1):
            for b in range(first[1], last[1] + 1):
                for c in range(first[2], last[2] + 1):
                    if a == 0 and b == 0 and c == 0:
                        continue
                    if n < room:
                        row[n] = i
                        image[n, 0] = a
                        image[n, 1] = b
                        image[n, 2] = c
                    n += 1
    return n


@kernel
def fill_reduced(position, origin, inverse, reduced, low, high):
    """Write reduced coordinates and their extremes."""
    for axis in range(3):
        low[axis] = np.inf
        high[axis] = -np.inf
    for i in range(position.shape[0]):
        x, y, z = position[i, 0] - origin[0], position[i, 1] - origin[1], position[i, 2] - origin[2]
        for axis in range(3):
            s = x * inverse[0, axis] + y * inverse[1, axis] + z * inverse[2, axis]
            reduced[i, axis] = s
            low[axis] = min(low[axis], s)
            high[axis] = max(high[axis], s)


def reduced_coordinates(position, origin, inverse):
    """Reduced coordinates and their extremes, in one pass.

    Parameters
    ----------
    position : float64 array, shape (n, 3)
        Unit: angstrom.
    origin : float64 array, shape (3,)
        Lower corner of the cell. Unit: angstrom.
    inverse : float64 array, shape (3, 3)
        Inverse of the cell, whose rows are the cell vectors. Unit: 1/angstrom.

    Returns
    -------
    reduced : float64 array, shape (n, 3)
    low, high : float64 array, shape (3,)
        Smallest and largest of every axis; infinite when there are no atoms.
    """
    reduced, low, high = np.empty_like(position), np.empty(3), np.empty(3)
    fill_reduced(position, origin, inverse, reduced, low, high)
    return reduced, low, high


def images_inside(reduced, low, high, periodic):
    """Shifted periodic images inside a region.

    Parameters
    ----------
    reduced : float64 array, shape (n, 3)
        Reduced coordinates at home.
    low, high : float64 array, shape (3,)
        Corners of the region in reduced coordinates; only periodic axes are looked at.
    periodic : bool array, shape (3,)
        Axes along which the structure repeats itself.

    Returns
    -------
    row : int64 array, shape (n_image,)
        Atom of every image, rising.
    image : int8 array, shape (n_image, 3)
        Lattice vectors to add; never all zero.
    """
    room = max(1024, len(reduced) // 2)
    while True:
        row, image = np.empty(room, np.int64), np.empty((room, 3), np.int8)
        n = fill_images(reduced, low, high, np.asarray(periodic, dtype=np.bool_), row, image)
        if n <= room:
            return row[:n], image[:n]
        room = n
