"""Blocks from the store: a domain with its halo, or with the neighbours that its stored shells name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from itertools import product
from typing import NamedTuple

import numpy as np
import zarr

from qsdask.schema import group_at
from qsdask.space.block import Block, Shell, identity_order
from qsdask.space.box import FACE_TOLERANCE, Box
from qsdask.space.halo import halo_domains, in_halo, widened
from qsdask.store.reader import StoreReader

__all__ = [
    "Neighbourhood",
    "halo_block",
    "held_rows",
    "neighbourhood",
    "placed",
    "read_box",
    "read_rows",
    "shell_block",
    "with_current",
]


#: Chunks that one request reads at most.
CHUNKS_AT_ONCE = 4


def read_box(root: StoreReader, step: int) -> Box:
    """Box of one frame of a store."""
    return Box(root["frames/cell"][step], root["frames/origin"][step], root["frames/periodic"][:])


def halo_block(root: StoreReader, domain: int, reach: float, step: int = 0) -> Block:
    """Block of a domain and every atom within reach of it.

    Parameters
    ----------
    root : StoreReader
        Store.
    domain : int
        Domain whose rows are owned.
    reach : float
        Unit: angstrom.
    step : int
        Frame of the positions.

    Returns
    -------
    Block
        Owns the atoms of the domain that the frame holds. Reads only the chunks that ``domains/bounds`` says can matter.
    """
    box = read_box(root, step)
    bounds = root["domains/bounds"][step]
    own, own_row = _wrapped(root, step, domain, box)
    pieces = _pieces(box.reduced(own), bounds[domain], box)
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
        x, x_row = (own, own_row) if other == domain else _wrapped(root, step, other, box)
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


def held_rows(root: StoreReader, domain: int, step: int) -> np.ndarray:
    """Which rows of a domain a frame holds; bool, shape (n,). Lost atoms are NaN in the store."""
    rows = root.rows(domain)
    if not root["frames/n_lost"][step]:
        return np.ones(rows.stop - rows.start, dtype=bool)
    return np.isfinite(root["frames/position"][step, rows][:, 0])


def placed(value: np.ndarray, held: np.ndarray, fill: float) -> np.ndarray:
    """Values of the rows held, shape (n_held, ...), among those of all rows, shape (n, ...)."""
    if len(value) == len(held):
        return value
    out = np.full((len(held), *value.shape[1:]), fill, dtype=value.dtype)
    out[held] = value
    return out


def _wrapped(root: StoreReader, step: int, domain: int, box: Box) -> tuple[np.ndarray, np.ndarray]:
    """Wrapped positions and rows of the atoms of a domain that the frame holds; lost ones are NaN in the store."""
    rows = root.rows(domain)
    position = root["frames/position"][step, rows]
    at = np.flatnonzero(np.isfinite(position[:, 0]))
    return box.wrap(position if len(at) == len(position) else position[at]), rows.start + at


def _pieces(reduced: np.ndarray, bounds: np.ndarray, box: Box) -> list[np.ndarray]:
    """Bounds of the wrapped atoms of a domain, apart for those that crossed a face of the cell since the first frame.

    The stored bounds follow the atoms across the faces, so that a domain stays compact; wrapped, it may lie in pieces.
    """
    if not len(reduced):
        return []
    # A domain that fills most of an axis gains nothing by being cut there.
    cut = box.periodic & (bounds[1] - bounds[0] < 0.5)
    crossed = np.where(cut, np.floor(reduced - bounds[0] + FACE_TOLERANCE), 0.0)
    if not crossed.any():
        return [_extent(reduced)]
    # One number for each piece: sorting whole rows would cost more than the search for neighbours.
    piece = (crossed + 8.0) @ np.array([256.0, 16.0, 1.0])
    return [_extent(reduced[piece == number]) for number in np.unique(piece)]


def _extent(reduced: np.ndarray) -> np.ndarray:
    """Lowest and highest reduced coordinates, shape (2, 3)."""
    # NumPy is ten times slower along columns that do not lie in one piece.
    columns = np.ascontiguousarray(reduced.T)
    return np.stack([columns.min(axis=1), columns.max(axis=1)])


def _images(reduced: np.ndarray, regions: Sequence[np.ndarray], box: Box) -> list[tuple[int, int, int]]:
    """Images of atoms that can lie in one of the regions, image 0 first."""
    found = {(0, 0, 0)}
    if not len(reduced):
        return list(found)
    low, high = _extent(reduced)
    for region in regions:
        first = np.where(box.periodic, np.ceil(region[0] - high), 0).astype(int)
        last = np.where(box.periodic, np.floor(region[1] - low), 0).astype(int)
        found.update(product(*(range(a, b + 1) for a, b in zip(first.tolist(), last.tolist(), strict=True))))
    return sorted(found, key=lambda image: (any(image), image))


class Neighbourhood(NamedTuple):
    """Stored shells of a domain in local names.

    Attributes
    ----------
    n_owned : int
        Number of owned atoms.
    row : int64 array, shape (n_local,)
        Global row of every entry, owned ones first.
    image : int8 array, shape (n_local, 3)
        Lattice vectors added to the wrapped position.
    shells : dict of str to Shell
        By name.
    """

    n_owned: int
    row: np.ndarray
    image: np.ndarray
    shells: dict[str, Shell]


def neighbourhood(
    root: StoreReader, domain: int, shells: Sequence[str], values: Sequence[str] = (), rings: int = 1, step: int = 0
) -> Neighbourhood:
    """Stored shells of a domain, with the atoms that they name as local entries.

    Parameters
    ----------
    root : StoreReader
        Store.
    domain : int
        Domain whose rows are owned.
    shells : sequence of str
        Names of the stored shells.
    values : sequence of str
        What to read besides the neighbours, of ``distance``, ``facet_area``, ``edges``, ``cell_volume``; a shell
        that does not hold one of them goes without.
    rings : {1, 2}
        Shells of the owned atoms, or also of the ghosts among their neighbours.
    step : int
        Frame of the shells.

    Returns
    -------
    Neighbourhood
        With two rings the shells have rows for the owned atoms and the ghosts that follow them.
    """
    rows = root.rows(domain)
    n_owned = rows.stop - rows.start
    keys = ("neighbour", "image", *values)
    arrays = {
        name: {k: array for k, array in root.group(group_at(step, f"shells/{name}")).items() if k in keys}
        for name in shells
    }
    held = {name: {key: array[rows] for key, array in found.items()} for name, found in arrays.items()}
    row, image, local = _entries(_pairs(held), rows.start, rows.stop)
    if rings == 2:
        ghost, shift = row[n_owned:], image[n_owned:]
        for name, found in arrays.items():
            more = {key: read_rows(array, ghost) for key, array in found.items()}
            more["image"] += shift[:, None, :]
            held[name] = {key: np.concatenate([held[name][key], more[key]]) for key in found}
        row, image, local = _entries(_pairs(held), rows.start, rows.stop, inner=_code(ghost, shift))
    made, at = {}, 0
    for name, found in held.items():
        filled = found["neighbour"] >= 0
        count = filled.sum(axis=1).astype(np.int32)
        neighbour = np.full(found["neighbour"].shape, -1, dtype=np.int32)
        neighbour[filled] = local[at : at + int(count.sum())]
        at += int(count.sum())
        made[name] = Shell(neighbour, count, **{key: found[key] for key in values if key in found})
    return Neighbourhood(n_owned, row, image, made)


def shell_block(root: StoreReader, domain: int, shells: Sequence[str], rings: int = 1, step: int = 0) -> Block:
    """Block of a domain and the neighbours that its stored shells name.

    Parameters
    ----------
    root : StoreReader
        Store.
    domain : int
        Domain whose rows are owned.
    shells : sequence of str
        Names of the stored shells.
    rings : {1, 2}
        See `neighbourhood`.
    step : int
        Frame of the shells and positions.

    Returns
    -------
    Block
        With `Block.shells`, whose slots are in rising (atom id, image) already, and without `Block.order`. The
        neighbours have the same bits of position as in the block that found them.
    """
    n_owned, row, image, made = neighbourhood(
        root, domain, shells, ("distance", "facet_area", "edges", "cell_volume"), rings, step
    )
    box = read_box(root, step)
    position = _gather(root, step, row, image, box)
    species = read_rows(root["atoms/species"], row)
    return Block(n_owned, row, image, position, None, species, root["atoms/radius"][:][species], box, 0.0, made)


def with_current(root: StoreReader, block: Block, step: int) -> Block:
    """The same block with the positions of its entries in a deformed frame."""
    box = read_box(root, step)
    return replace(block, current=_gather(root, step, block.row, block.image, box), current_box=box)


def _pairs(held: Mapping[str, Mapping[str, np.ndarray]]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows and images in the filled slots of every shell."""
    filled = {name: found["neighbour"] >= 0 for name, found in held.items()}
    return [(found["neighbour"][filled[name]], found["image"][filled[name]]) for name, found in held.items()]


def _code(row: np.ndarray, image: np.ndarray) -> np.ndarray:
    """The three bytes of the image beside the row make one sortable integer."""
    return (row << 24) + ((image.astype(np.int64) + 128) @ np.array([1 << 16, 1 << 8, 1]))


def _entries(
    pairs: Iterable[tuple[np.ndarray, np.ndarray]], first: int, stop: int, inner: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distinct (row, image) pairs, and the entry of every given pair.

    Owned rows in image 0 come first, then the ghosts with the codes `inner`, which are sorted, then all others.
    """
    row = np.concatenate([r for r, _ in pairs])
    image = np.concatenate([i for _, i in pairs])
    code = _code(row, image)
    owned = ~image.any(axis=1) & (row >= first) & (row < stop)
    local = np.empty(len(row), dtype=np.int64)
    local[owned] = row[owned] - first
    ghost, inverse = np.unique(code[~owned], return_inverse=True)
    if inner is not None:
        outside = ~np.isin(ghost, inner)
        moved = np.argsort(outside, kind="stable")
        place = np.empty(len(ghost), dtype=np.int64)
        place[moved] = np.arange(len(ghost))
        ghost, inverse = ghost[moved], place[inverse]
    local[~owned] = inverse + (stop - first)
    ghost_image = np.stack([(ghost >> bits & 255) - 128 for bits in (16, 8, 0)], axis=1)
    all_image = np.concatenate([np.zeros((stop - first, 3), dtype=np.int8), ghost_image.astype(np.int8)])
    return np.concatenate([np.arange(first, stop), ghost >> 24]), all_image, local


def _gather(root: StoreReader, step: int, row: np.ndarray, image: np.ndarray, box: Box) -> np.ndarray:
    """Wrapped positions of rows in one frame, moved to their images."""
    return box.wrap(read_rows(root["frames/position"], row, step=step)) + box.shift(image)


def read_rows(
    array: zarr.Array, row: np.ndarray, *, step: int | None = None, columns: slice = slice(None)
) -> np.ndarray:
    """Values of given rows of an array, reading each chunk that holds one of them once.

    Parameters
    ----------
    array : zarr.Array
        Dims (atom, ...), or (step, atom, ...) when `step` is given.
    row : int64 array, shape (n,)
        Rows, in any order.
    step : int, optional
        Frame.
    columns : slice
        Part of the dimension after the rows.

    Returns
    -------
    array, shape (n, ...)
    """
    axis = 0 if step is None else 1
    chunk = array.chunks[axis]
    home = row // chunk
    touched = np.unique(home)
    inner = (columns,) if array.ndim > axis + 1 else ()
    out = None
    # Neighbouring chunks are read in one request: fewer turns of the event loop. A few at a time: the halo of a large
    # domain touches many chunks of which it needs little.
    for stretch in np.split(touched, np.flatnonzero(np.diff(touched) > 1) + 1):
        for first in range(0, len(stretch), CHUNKS_AT_ONCE):
            some = stretch[first : first + CHUNKS_AT_ONCE]
            start, stop = int(some[0]) * chunk, (int(some[-1]) + 1) * chunk
            part = slice(start, stop)
            block = array[(part, *inner) if step is None else (step, part, *inner)]
            if out is None:
                out = np.empty((len(row), *block.shape[1:]), dtype=block.dtype)
            mine = (row >= start) & (row < stop)
            out[mine] = block[row[mine] - start]
    if out is None:
        none = slice(0, 0)
        return array[(none, *inner) if step is None else (step, none, *inner)]
    return out
