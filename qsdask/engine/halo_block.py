"""The block of a domain with its halo: every atom within a reach, from the chunks that can hold one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import product

import numpy as np

from qsdask.engine.reading import read_box, read_rows
from qsdask.space.block import Block, identity_order
from qsdask.space.box import Box
from qsdask.space.halo import extent, halo_domains, in_halo, pieces_of, refuse_copies, widened
from qsdask.space.layers import exact_box, exact_position
from qsdask.store.reader import Arrays

__all__ = ["halo_block"]


def halo_block(root: Arrays, domain: int, reach: float, step: int = 0, *, exact: bool = False) -> Block:
    """Block of a domain and every atom within reach of it.

    Parameters
    ----------
    root : Arrays
        Store.
    domain : int
        Domain whose rows are owned.
    reach : float
        Unit: angstrom.
    step : int
        Frame of the positions.
    exact : bool
        Cell and positions on the grid of `qsdask.space.layers`, where bonds are exact differences.

    Returns
    -------
    Block
        Owns the atoms of the domain that the frame holds. Reads only the chunks that ``domains/bounds`` says can matter.

    Raises
    ------
    BadDataError
        ``E-COPIES``; see `qsdask.space.halo.refuse_copies`.
    """
    box = exact_box(read_box(root, step)) if exact else read_box(root, step)
    refuse_copies(reach, box)
    bounds = root["domains/bounds"][step]
    own, own_row = _wrapped(root, step, domain, box, exact)
    pieces = pieces_of(box.reduced(own), bounds[domain], box)
    regions = [widened(piece, reach, box) for piece in pieces]
    held = np.flatnonzero(np.isfinite(bounds).all(axis=(1, 2)))
    near = {
        int(held[other])
        for piece in pieces
        for other, _ in halo_domains(np.concatenate([bounds[held], piece[None]]), len(held), reach, box)
        if other < len(held)
    }
    # The domain itself comes first: its rows in image 0 are the owned ones.
    row, image, position = [], [], []
    for other in (domain, *sorted(near - {domain})):
        x, x_row = (own, own_row) if other == domain else _wrapped(root, step, other, box, exact)
        reduced = box.reduced(x)
        for shift in _images(reduced, regions, box):
            keep = np.arange(len(x))
            if other != domain or any(shift):
                inside = (in_halo(reduced, shift, region) for region in regions)
                keep = np.flatnonzero(reduce(np.logical_or, inside))
            lattice = np.broadcast_to(np.array(shift, dtype=np.int8), (len(keep), 3))
            row.append(x_row[keep])
            image.append(lattice)
            position.append(x[keep] + box.shift(lattice))
    rows_of, images = np.concatenate(row), np.concatenate(image)
    species = read_rows(root["atoms/species"], rows_of)
    order = identity_order(read_rows(root["atoms/id"], rows_of), images)
    radius = root["atoms/radius"][:][species]
    return Block(len(row[0]), rows_of, images, np.concatenate(position), order, species, radius, box, reach)


def _wrapped(root: Arrays, step: int, domain: int, box: Box, exact: bool) -> tuple[np.ndarray, np.ndarray]:
    """Wrapped positions and rows of the atoms of a domain that the frame holds; lost ones are NaN in the store."""
    rows = root.rows(domain)
    position = root["frames/position"][step, rows]
    at = np.flatnonzero(np.isfinite(position[:, 0]))
    wrapped = box.wrap(position if len(at) == len(position) else position[at])
    return exact_position(wrapped, box) if exact else wrapped, rows.start + at


def _images(reduced: np.ndarray, regions: Sequence[np.ndarray], box: Box) -> list[tuple[int, int, int]]:
    """Images of atoms that can lie in one of the regions, image 0 first."""
    found = {(0, 0, 0)}
    if not len(reduced):
        return list(found)
    low, high = extent(reduced)
    for region in regions:
        first = np.where(box.periodic, np.ceil(region[0] - high), 0).astype(int)
        last = np.where(box.periodic, np.floor(region[1] - low), 0).astype(int)
        a, b, c = (range(from_, to + 1) for from_, to in zip(first.tolist(), last.tolist(), strict=True))
        found.update(product(a, b, c))
    return sorted(found, key=lambda image: (any(image), image))
