"""Folds for cross-validation, dealt out by identity."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from qsdask.errors import UsageError
from qsdask.learn.table import identity_hash

__all__ = ["RowsOfBlocks", "blocks", "dealt_blocks", "shape_of_blocks", "spatial_block", "stratified"]


def _check(n_folds: int) -> None:
    if n_folds < 2:
        raise UsageError(f"cross-validation needs at least 2 folds, got {n_folds!r}", code="E-FOLDS")


def stratified(
    y: np.ndarray, specimen: np.ndarray, rank: np.ndarray, n_folds: int = 5, *, first: int = 0
) -> np.ndarray:
    """Deal rows into folds so that every fold holds each label of each specimen equally.

    Parameters
    ----------
    y : bool array, shape (n,)
        Plastic.
    specimen : int array, shape (n,)
        Index of the specimen by ascending key.
    rank : uint64 array, shape (n,)
        Random number of each row from its identity.
    n_folds : int
        At least 2.
    first : int
        Rows that come before all of these, in the order of specimen, label and rank.

    Returns
    -------
    int64 array, shape (n,)
        Fold of each row. Within each (specimen, label) the folds differ by at most one row, and so do they
        as a whole.

    Raises
    ------
    UsageError
        ``E-FOLDS``: fewer than 2 folds.

    Notes
    -----
    Atoms that are neighbours of each other may stand in different folds and share what the medium-range
    columns say of their surroundings: these scores are too good. See `spatial_block`.
    """
    _check(n_folds)
    fold = np.empty(len(y), dtype=np.int64)
    # One running count over all strata: small strata do not all begin with fold 0.
    fold[np.lexsort((rank, y, specimen))] = np.arange(first, first + len(y)) % n_folds
    return fold


def blocks(
    position: np.ndarray, cell: np.ndarray, periodic: np.ndarray, edge: float, *, origin: np.ndarray | None = None
) -> np.ndarray:
    """Cut the cell of one specimen into equal blocks and say in which each atom lies.

    Parameters
    ----------
    position : float64 array, shape (n, 3)
        Positions in the reference frame, wrapped or not. Unit: angstrom.
    cell : float64 array, shape (3, 3)
        Cell vectors as rows. Unit: angstrom.
    periodic : bool array, shape (3,)
        Atoms outside are wrapped along periodic axes, and belong to the outermost block along the others.
    edge : float
        Least distance between opposite sides of a block. Unit: angstrom.
    origin : float64 array, shape (3,), optional
        Lower corner of the cell. Unit: angstrom.

    Returns
    -------
    int64 array, shape (n,)
        Index of the block. Depends on the position of the atom alone.

    Raises
    ------
    UsageError
        ``E-BLOCK``: the edge is not a positive number.
    """
    shape = shape_of_blocks(cell, edge)
    inverse = np.linalg.inv(np.asarray(cell, dtype=np.float64))
    shifted = np.asarray(position, dtype=np.float64) - (0.0 if origin is None else origin)
    # Axis by axis instead of a matrix product: the sum must not depend on how many rows there are.
    reduced = shifted[:, :1] * inverse[0] + shifted[:, 1:2] * inverse[1] + shifted[:, 2:] * inverse[2]
    reduced = np.where(periodic, reduced - np.floor(reduced), reduced)
    place = np.clip(np.floor(reduced * shape), 0, shape - 1).astype(np.int64)
    return (place[:, 0] * shape[1] + place[:, 1]) * shape[2] + place[:, 2]


def shape_of_blocks(cell: np.ndarray, edge: float) -> np.ndarray:
    """Number of blocks along each cell vector.

    Parameters
    ----------
    cell : float64 array, shape (3, 3)
        Cell vectors as rows. Unit: angstrom.
    edge : float
        Least distance between opposite sides of a block. Unit: angstrom.

    Returns
    -------
    int64 array, shape (3,)
        At least 1.

    Raises
    ------
    UsageError
        ``E-BLOCK``: the edge is not a positive number.
    """
    if not (np.isfinite(edge) and edge > 0):
        raise UsageError(f"the edge of a block must be a positive number of angstrom, got {edge!r}", code="E-BLOCK")
    height = 1.0 / np.linalg.norm(np.linalg.inv(np.asarray(cell, dtype=np.float64)), axis=0)
    return np.maximum(1, np.floor(height / edge)).astype(np.int64)


def spatial_block(
    y: np.ndarray,
    specimen: np.ndarray,
    keys: tuple[str, ...],
    block: np.ndarray,
    *,
    seed: int = 0,
    draw: int = 0,
    n_folds: int = 5,
) -> np.ndarray:
    """Deal whole blocks of space into folds, balanced by their plastic atoms.

    Parameters
    ----------
    y : bool array, shape (n,)
        Plastic.
    specimen : int array, shape (n,)
        Index into `keys`.
    keys : tuple of str
        Keys of the specimens, ascending.
    block : int64 array, shape (n,)
        Block of each atom within its specimen, from `blocks`.
    seed, draw : int
        Which random order.
    n_folds : int
        At least 2.

    Returns
    -------
    int64 array, shape (n,)
        Fold of each row; all rows of a block share it.

    Raises
    ------
    UsageError
        ``E-FOLDS``: fewer than 2 folds. ``E-BLOCK``: a specimen has fewer blocks with atoms than folds.

    Notes
    -----
    Specimen after specimen, blocks are taken by falling number of plastic atoms, equal ones by the hash of
    their identity, and given to the fold with the fewest plastic atoms so far in that specimen, then the
    fewest atoms of it, then the lowest number. Every fold holds atoms of every specimen. Atoms at the faces
    of a block still share neighbours with the next block: the edge should be several reaches wide.
    """
    _check(n_folds)
    fold = np.empty(len(y), dtype=np.int64)
    for k, key in enumerate(keys):
        rows = np.flatnonzero(specimen == k)
        there = RowsOfBlocks.of(y[rows], block[rows])
        dealt = dealt_blocks(key, *there, seed=seed, draw=draw, n_folds=n_folds)
        fold[rows] = dealt[np.searchsorted(there.name, block[rows])]
    return fold


class RowsOfBlocks(NamedTuple):
    """Rows of the blocks of one specimen, counted.

    Attributes
    ----------
    name : int64 array, shape (n,)
        Blocks that have rows, rising.
    plastic, size : int64 array, shape (n,)
        Plastic rows, and all rows, of each.
    """

    name: np.ndarray
    plastic: np.ndarray
    size: np.ndarray

    @classmethod
    def of(cls, y: np.ndarray, block: np.ndarray) -> RowsOfBlocks:
        """Count rows; arguments as of `spatial_block`."""
        return cls._summed(block, y.astype(np.int64), np.ones(len(y), dtype=np.int64))

    def __add__(self, other: RowsOfBlocks) -> RowsOfBlocks:  # type: ignore[override]  # counts add up, tuples would join
        return self._summed(*(np.concatenate(pair) for pair in zip(self, other, strict=True)))

    @classmethod
    def _summed(cls, block: np.ndarray, plastic: np.ndarray, size: np.ndarray) -> RowsOfBlocks:
        name, place = np.unique(block, return_inverse=True)
        # Whole numbers below 2^53: adding them as weights is exact.
        counts = (np.bincount(place, n, minlength=len(name)).astype(np.int64) for n in (plastic, size))
        return cls(name, *counts)


def dealt_blocks(
    key: str, name: np.ndarray, plastic: np.ndarray, size: np.ndarray, *, seed: int = 0, draw: int = 0, n_folds: int = 5
) -> np.ndarray:
    """Fold of every block of one specimen; see `spatial_block`.

    Parameters
    ----------
    key : str
        Of the specimen.
    name : int64 array, shape (n,)
        Blocks that have atoms, rising.
    plastic, size : int64 array, shape (n,)
        Plastic atoms, and all atoms, of each.
    seed, draw, n_folds
        As of `spatial_block`.

    Returns
    -------
    int64 array, shape (n,)

    Raises
    ------
    UsageError
        ``E-FOLDS``, ``E-BLOCK``.
    """
    _check(n_folds)
    if 0 < len(name) < n_folds:
        raise UsageError(
            f"specimen {key[:16]} has {len(name)} blocks with atoms, fewer than the {n_folds} folds",
            code="E-BLOCK",
            hint="a shorter block edge, or fewer folds",
        )
    order = np.lexsort((identity_hash(seed, "block", draw, key, name), -plastic))
    load = [(0, 0, j) for j in range(n_folds)]
    chosen = np.empty(len(name), dtype=np.int64)
    for b in order:
        n_plastic, n_rows, j = min(load)
        chosen[b] = j
        load[j] = (n_plastic + int(plastic[b]), n_rows + int(size[b]), j)
    return chosen
