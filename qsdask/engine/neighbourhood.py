"""The block of a domain with the neighbours that its stored shells name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from qsdask.engine.reading import read_box, read_boxes, read_rows
from qsdask.schema import group_at
from qsdask.space.block import Block, Shell
from qsdask.space.box import Box
from qsdask.store.reader import Arrays

__all__ = ["Neighbourhood", "neighbourhood", "shell_block", "with_currents"]


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
    root: Arrays, domain: int, shells: Sequence[str], values: Sequence[str] = (), rings: int = 1, step: int = 0
) -> Neighbourhood:
    """Stored shells of a domain, with the atoms that they name as local entries.

    Parameters
    ----------
    root : Arrays
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
    made: dict[str, Shell] = {}
    at = 0
    for name, slots in held.items():
        filled = slots["neighbour"] >= 0
        count = np.count_nonzero(filled, axis=1).astype(np.int32)
        neighbour = np.full(slots["neighbour"].shape, -1, dtype=np.int32)
        neighbour[filled] = local[at : at + int(count.sum())]
        at += int(count.sum())
        made[name] = Shell(neighbour, count, **{key: slots[key] for key in values if key in slots})
    return Neighbourhood(n_owned, row, image, made)


def shell_block(root: Arrays, domain: int, shells: Sequence[str], rings: int = 1, step: int = 0) -> Block:
    """Block of a domain and the neighbours that its stored shells name.

    Parameters
    ----------
    root : Arrays
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


def with_currents(root: Arrays, block: Block, steps: Sequence[int]) -> Iterator[Block]:
    """The same block with the positions of its entries in each of some deformed frames.

    Parameters
    ----------
    root : Arrays
        Store.
    block : Block
    steps : sequence of int
        Frames one after the other. What lies in one file of the store is read together: of a file in a bucket, which is fetched in
        large pieces, all of them cost what one does.

    Yields
    ------
    Block
        With `Block.current` and `Block.current_box`.
    """
    found = read_rows(root["frames/position"], block.row, step=slice(steps[0], steps[-1] + 1))
    for position, box in zip(found, read_boxes(root, steps), strict=True):
        yield replace(block, current=_moved(position, block.image, box), current_box=box)


#: The three bytes of the image that is none, see `_code`.
_HOME = 128 << 16 | 128 << 8 | 128


def _pairs(held: Mapping[str, Mapping[str, np.ndarray]]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows and images in the filled slots of every shell."""
    filled = {name: found["neighbour"] >= 0 for name, found in held.items()}
    return [(found["neighbour"][filled[name]], found["image"][filled[name]]) for name, found in held.items()]


def _code(row: np.ndarray, image: np.ndarray) -> np.ndarray:
    """The three bytes of the image beside the row make one sortable integer."""
    # Not a matrix product: NumPy has no fast one of whole numbers.
    a, b, c = image.T.astype(np.int64) + 128
    return (row << 24) + (a << 16) + (b << 8) + c


def _entries(
    pairs: Iterable[tuple[np.ndarray, np.ndarray]], first: int, stop: int, inner: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distinct (row, image) pairs, and the entry of every given pair.

    Owned rows in image 0 come first, then the ghosts with the codes `inner`, which are sorted, then all others.
    """
    row = np.concatenate([r for r, _ in pairs])
    image = np.concatenate([i for _, i in pairs])
    code = _code(row, image)
    owned = (code & 0xFFFFFF == _HOME) & (row >= first) & (row < stop)
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


def _gather(root: Arrays, step: int, row: np.ndarray, image: np.ndarray, box: Box) -> np.ndarray:
    """Wrapped positions of rows in one frame, moved to their images."""
    return _moved(read_rows(root["frames/position"], row, step=step), image, box)


def _moved(position: np.ndarray, image: np.ndarray, box: Box) -> np.ndarray:
    """The same of positions that have been read."""
    return box.wrap(position) + box.shift(image)
