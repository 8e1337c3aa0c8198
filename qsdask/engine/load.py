"""Blocks from the store: a domain with its halo, or with the neighbours that its stored shells name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from qsdask.space.block import Block, Shell, identity_order
from qsdask.space.box import Box
from qsdask.space.halo import halo_domains, in_halo, widened
from qsdask.store.reader import StoreReader

__all__ = ["halo_block", "read_box", "shell_block", "with_current"]


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
        Reads only the chunks that ``domains/bounds`` says can matter.
    """
    box = read_box(root, step)
    bounds = root["domains/bounds"][step]
    rows = root.domain_rows
    wanted = widened(bounds[domain], reach, box)
    # The domain itself comes first: its rows in image 0 are the owned ones.
    entries = [(domain, (0, 0, 0))]
    entries += [entry for entry in halo_domains(bounds, domain, reach, box) if entry != entries[0]]
    wrapped: dict[int, np.ndarray] = {}
    row, image, position = [], [], []
    for other, shift in entries:
        if other not in wrapped:
            wrapped[other] = box.wrap(root["frames/position"][step, slice(*rows[other])])
        x = wrapped[other]
        keep = np.arange(len(x))
        if row:
            keep = np.flatnonzero(in_halo(box.reduced(x), shift, wanted))
        lattice = np.broadcast_to(np.array(shift, dtype=np.int8), (len(keep), 3))
        row.append(rows[other, 0] + keep)
        image.append(lattice)
        position.append(x[keep] + box.shift(lattice))
    return _block(
        root, len(row[0]), np.concatenate(row), np.concatenate(image), np.concatenate(position), box, reach
    )


def shell_block(root: StoreReader, domain: int, shells: Sequence[str]) -> Block:
    """Block of a domain and the neighbours that its stored shells name.

    Parameters
    ----------
    root : StoreReader
        Store.
    domain : int
        Domain whose rows are owned.
    shells : sequence of str
        Names of the stored shells.

    Returns
    -------
    Block
        With `Block.shells`; its neighbours have the same bits of position as in the block that found them.
    """
    rows = root.rows(domain)
    first, stop, n_owned = rows.start, rows.stop, rows.stop - rows.start
    stored = {
        name: {key: array[rows] for key, array in root.group(f"shells/{name}").items()} for name in shells
    }
    filled = {name: found["neighbour"] >= 0 for name, found in stored.items()}
    pairs = [
        (found["neighbour"][filled[name]], found["image"][filled[name]]) for name, found in stored.items()
    ]
    row, image, local = _entries(pairs, first, stop)
    box = read_box(root, 0)
    position = _gather(root, 0, row, image, box)
    made, at = {}, 0
    for name, found in stored.items():
        count = filled[name].sum(axis=1).astype(np.int32)
        neighbour = np.full(found["neighbour"].shape, -1, dtype=np.int32)
        neighbour[filled[name]] = local[at : at + int(count.sum())]
        at += int(count.sum())
        made[name] = Shell(
            neighbour,
            count,
            found["distance"],
            found.get("facet_area"),
            found.get("edges"),
            found.get("cell_volume"),
        )
    return replace(_block(root, n_owned, row, image, position, box, 0.0), shells=made)


def with_current(root: StoreReader, block: Block, step: int) -> Block:
    """The same block with the positions of its entries in a deformed frame."""
    box = read_box(root, step)
    return replace(block, current=_gather(root, step, block.row, block.image, box), current_box=box)


def _block(
    root: StoreReader,
    n_owned: int,
    row: np.ndarray,
    image: np.ndarray,
    position: np.ndarray,
    box: Box,
    reach: float,
) -> Block:
    atom_id = _rows_of(root, ("atoms", "id"), row)
    species = _rows_of(root, ("atoms", "species"), row)
    radius = root["atoms/radius"][:][species]
    return Block(n_owned, row, image, position, identity_order(atom_id, image), species, radius, box, reach)


def _entries(
    pairs: Iterable[tuple[np.ndarray, np.ndarray]], first: int, stop: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distinct (row, image) pairs, owned rows in image 0 first, and the entry of every given pair."""
    row = np.concatenate([r for r, _ in pairs])
    image = np.concatenate([i for _, i in pairs])
    # The three bytes of the image beside the row make one sortable integer.
    code = (row << 24) + ((image.astype(np.int64) + 128) @ np.array([1 << 16, 1 << 8, 1]))
    owned = ~image.any(axis=1) & (row >= first) & (row < stop)
    local = np.empty(len(row), dtype=np.int64)
    local[owned] = row[owned] - first
    ghost, inverse = np.unique(code[~owned], return_inverse=True)
    local[~owned] = inverse + (stop - first)
    ghost_image = np.stack([(ghost >> bits & 255) - 128 for bits in (16, 8, 0)], axis=1)
    all_image = np.concatenate([np.zeros((stop - first, 3), dtype=np.int8), ghost_image.astype(np.int8)])
    return np.concatenate([np.arange(first, stop), ghost >> 24]), all_image, local


def _gather(root: StoreReader, step: int, row: np.ndarray, image: np.ndarray, box: Box) -> np.ndarray:
    """Wrapped positions of rows in one frame, moved to their images."""
    return box.wrap(_rows_of(root, ("frames", "position"), row, step)) + box.shift(image)


def _rows_of(
    root: StoreReader, name: tuple[str, str], row: np.ndarray, step: int | None = None
) -> np.ndarray:
    """Values of given rows, reading each chunk that holds one of them once."""
    array = root["/".join(name)]
    axis = 0 if step is None else 1
    chunk = array.chunks[axis]
    out = np.empty((len(row), *array.shape[axis + 1 :]), dtype=array.dtype)
    home = row // chunk
    for domain in np.unique(home):
        here = np.flatnonzero(home == domain)
        part = slice(domain * chunk, (domain + 1) * chunk)
        values = array[part] if step is None else array[step, part]
        out[here] = values[row[here] - domain * chunk]
    return out
