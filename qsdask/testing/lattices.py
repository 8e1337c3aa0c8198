"""Structures whose answers are known, and blocks of them with explicit ghosts, to test feature sets with."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np

from qsdask.kernels.lattice import images_inside, reduced_coordinates

__all__ = [
    "Crystal",
    "OpenBlock",
    "bcc",
    "fcc",
    "hcp",
    "icosahedron",
    "open_block",
    "perturbed",
    "random_gas",
    "random_rotation",
    "rotate",
    "sc",
    "tile",
]


class Crystal(NamedTuple):
    """Atoms in a cell that may be repeated along all three vectors.

    Attributes
    ----------
    position : float64 array, shape (n_atom, 3)
        Unit: angstrom.
    cell : float64 array, shape (3, 3)
        Lattice vectors, one a row. Unit: angstrom.
    """

    position: np.ndarray
    cell: np.ndarray


class OpenBlock(NamedTuple):
    """Owned atoms and their ghosts, as the kernels want them: no periodic boundary is left.

    Attributes
    ----------
    position : float64 array, shape (n_local, 3)
        Owned atoms first, then ghosts, each shifted by its image. Unit: angstrom.
    row : int64 array, shape (n_local,)
        Row of the atom in the input.
    image : int8 array, shape (n_local, 3)
        Lattice vectors added to the wrapped position.
    order : int64 array, shape (n_local,)
        Rank by (id, image), unique.
    n_owned : int
        Number of owned atoms.
    """

    position: np.ndarray
    row: np.ndarray
    image: np.ndarray
    order: np.ndarray
    n_owned: int


def tile(position, cell, repeat) -> Crystal:
    """Repeat a structure along its lattice vectors.

    Parameters
    ----------
    position : float64 array, shape (n_atom, 3)
        Unit: angstrom.
    cell : float64 array, shape (3, 3)
        Lattice vectors, one a row. Unit: angstrom.
    repeat : int or sequence of int, shape (3,)
        Copies along each vector.

    Returns
    -------
    Crystal
        n_atom × repeat atoms, all atoms of one copy together; the cell is enlarged likewise.

    Examples
    --------
    >>> tile(np.zeros((1, 3)), np.eye(3), 2).position.shape
    (8, 3)
    """
    position = np.asarray(position, dtype=np.float64)
    cell = np.asarray(cell, dtype=np.float64)
    repeat = np.broadcast_to(np.asarray(repeat, dtype=np.int64), 3)
    shift = np.array(list(product(*(range(n) for n in repeat))), dtype=np.float64) @ cell
    return Crystal((shift[:, None] + position).reshape(-1, 3), cell * repeat[:, None])


def _cubic(basis, a, repeat) -> Crystal:
    return tile(a * np.array(basis), a * np.eye(3), repeat)


def sc(a: float = 2.5, repeat=4) -> Crystal:
    """Simple cubic lattice; each atom has 6 neighbours at distance a.

    Parameters
    ----------
    a : float, optional
        Lattice constant. Unit: angstrom.
    repeat : int or sequence of int, shape (3,), optional
        Unit cells along each vector.

    Returns
    -------
    Crystal
        One atom per unit cell.
    """
    return _cubic([[0.0, 0.0, 0.0]], a, repeat)


def bcc(a: float = 3.0, repeat=4) -> Crystal:
    """Body-centred cubic lattice: 8 neighbours at √3a/2, 6 at a; 14 Voronoi facets.

    Parameters
    ----------
    a, repeat
        As of `sc`.

    Returns
    -------
    Crystal
        Two atoms per unit cell.
    """
    return _cubic([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]], a, repeat)


def fcc(a: float = 4.0, repeat=4) -> Crystal:
    """Face-centred cubic lattice: 12 neighbours at a/√2; four facets meet at some Voronoi vertices.

    Parameters
    ----------
    a, repeat
        As of `sc`.

    Returns
    -------
    Crystal
        Four atoms per unit cell.
    """
    return _cubic([[0.0, 0.0, 0.0], [0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]], a, repeat)


def hcp(a: float = 2.8, repeat=4) -> Crystal:
    """Hexagonal close packing with the ideal ratio c/a = √(8/3), in its own tilted cell.

    Parameters
    ----------
    a : float, optional
        Distance of nearest neighbours. Unit: angstrom.
    repeat
        As of `sc`.

    Returns
    -------
    Crystal
        Two atoms per unit cell.
    """
    cell = a * np.array([[1.0, 0.0, 0.0], [0.5, np.sqrt(0.75), 0.0], [0.0, 0.0, np.sqrt(8.0 / 3.0)]])
    return tile(np.array([[0.0, 0.0, 0.0], [1.0 / 3.0, 1.0 / 3.0, 0.5]]) @ cell, cell, repeat)


def icosahedron(distance: float = 2.5) -> np.ndarray:
    """A centre and twelve neighbours at the corners of a regular icosahedron.

    Parameters
    ----------
    distance : float, optional
        From the centre to each corner. Unit: angstrom.

    Returns
    -------
    float64 array, shape (13, 3)
        The centre, at the origin, is the first. Unit: angstrom.
    """
    golden = (1.0 + np.sqrt(5.0)) / 2.0
    corner = np.array([(0.0, s, t * golden) for s in (-1.0, 1.0) for t in (-1.0, 1.0)])
    corner = np.concatenate([corner, np.roll(corner, 1, axis=1), np.roll(corner, 2, axis=1)])
    return np.concatenate([np.zeros((1, 3)), distance / np.hypot(1.0, golden) * corner])


def random_gas(n_atom: int, cell, seed: int = 0, origin=(0.0, 0.0, 0.0)) -> np.ndarray:
    """Independent uniform points in a cell: every pair distance and every degree of crowding occurs.

    Parameters
    ----------
    n_atom : int
        Number of points.
    cell : float64 array, shape (3, 3)
        Lattice vectors, one a row. Unit: angstrom.
    seed : int, optional
        Seed of the generator.
    origin : float64 array, shape (3,), optional
        Lower corner of the cell. Unit: angstrom.

    Returns
    -------
    float64 array, shape (n_atom, 3)
        Unit: angstrom.
    """
    return np.asarray(origin) + np.random.default_rng(seed).random((n_atom, 3)) @ np.asarray(cell, dtype=np.float64)


def perturbed(position, amplitude: float, seed: int = 0) -> np.ndarray:
    """Positions with a uniform random displacement of at most `amplitude` along each axis.

    Parameters
    ----------
    position : float64 array, shape (n_atom, 3)
        Unit: angstrom.
    amplitude : float
        Unit: angstrom.
    seed : int, optional
        Seed of the generator.

    Returns
    -------
    float64 array, shape (n_atom, 3)
        Unit: angstrom.
    """
    position = np.asarray(position, dtype=np.float64)
    return position + np.random.default_rng(seed).uniform(-amplitude, amplitude, position.shape)


def random_rotation(seed: int = 0) -> np.ndarray:
    """A proper rotation, uniformly distributed.

    Parameters
    ----------
    seed : int, optional
        Seed of the generator.

    Returns
    -------
    float64 array, shape (3, 3)
        Orthogonal matrix with determinant +1; acts on column vectors.
    """
    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q * np.linalg.det(q)


def rotate(position, cell, rotation) -> Crystal:
    """Rotate a structure and its cell about the coordinate origin; the cell becomes a general triclinic one.

    Parameters
    ----------
    position : float64 array, shape (n_atom, 3)
        Unit: angstrom.
    cell : float64 array, shape (3, 3)
        Lattice vectors, one a row. Unit: angstrom.
    rotation : float64 array, shape (3, 3)
        Acts on column vectors. The corner of the cell, if it is not the coordinate origin, turns likewise:
        ``origin @ rotation.T``.

    Returns
    -------
    Crystal
        The rotated positions and lattice vectors.
    """
    rotation = np.asarray(rotation, dtype=np.float64)
    return Crystal(np.asarray(position) @ rotation.T, np.asarray(cell) @ rotation.T)


def open_block(position, cell, origin, periodic, reach, id=None, owned=None) -> OpenBlock:
    """Owned atoms and every periodic image within reach of them, as a plain list of points.

    Parameters
    ----------
    position : float64 array, shape (n_atom, 3)
        Wrapped or not. Unit: angstrom.
    cell : float64 array, shape (3, 3)
        Lattice vectors, one a row. Unit: angstrom.
    origin : float64 array, shape (3,)
        Lower corner of the cell. Unit: angstrom.
    periodic : bool array, shape (3,)
        Along which lattice vectors the structure repeats itself.
    reach : float
        Every atom within this distance of an owned one is in the block. Unit: angstrom.
    id : int64 array, shape (n_atom,), optional
        Atom ids, which decide the order of neighbours; default: the row.
    owned : int64 array, shape (n_owned,), optional
        Rows to own, in this order; default: all.

    Returns
    -------
    OpenBlock
        In a box thinner than two reaches one atom has several ghosts, each an entry of its own.
    """
    cell = np.asarray(cell, dtype=np.float64)
    origin, periodic = np.asarray(origin, dtype=np.float64), np.asarray(periodic, dtype=bool)
    inverse = np.linalg.inv(cell)
    wrapped = np.ascontiguousarray(position, dtype=np.float64)
    reduced, low, high = reduced_coordinates(wrapped, origin, inverse)
    if (periodic & ((low < 0.0) | (high >= 1.0))).any():
        turns = np.where(periodic, np.floor(reduced), 0.0)
        wrapped, reduced = wrapped - turns @ cell, reduced - turns
    n_atom = len(wrapped)
    # All atoms: taken as they are, without copies.
    mine = slice(None) if owned is None else np.asarray(owned, dtype=np.int64)
    owned = np.arange(n_atom) if owned is None else mine
    rank_of_id = np.arange(n_atom)
    if id is not None:
        rank_of_id[np.argsort(id, kind="stable")] = np.arange(n_atom)

    # In reduced coordinates the reach is the reach over the distance between opposite faces of the cell.
    margin = (reach + 1e-6) * np.linalg.norm(inverse, axis=0)
    low = np.array([column.min() for column in reduced[mine].T]) - margin
    high = np.array([column.max() for column in reduced[mine].T]) + margin
    row, image = images_inside(reduced, low, high, periodic)
    if len(owned) < n_atom:
        is_near = ((reduced >= low) & (reduced <= high)).all(axis=1)
        is_near[owned] = False
        home = np.flatnonzero(is_near)
        row = np.concatenate([home, row])
        image = np.concatenate([np.zeros((len(home), 3), dtype=np.int8), image])
        # An image was looked for along periodic axes only; open ones bound a part of the atoms too.
        inside = ((reduced[row] + image >= low) & (reduced[row] + image <= high)).all(axis=1)
        row, image = row[inside], image[inside]
    return OpenBlock(
        np.concatenate([wrapped[mine], wrapped[row] + image @ cell]),
        np.concatenate([owned, row]),
        np.concatenate([np.zeros((len(owned), 3), dtype=np.int8), image]),
        _rank(rank_of_id, np.concatenate([owned, row]), image),
        len(owned),
    )


def _rank(rank_of_id, row, ghost_image):
    """Rank of every entry by (id, image); the first entries, those without `ghost_image`, are at home."""
    first_ghost = len(row) - len(ghost_image)
    of_id = rank_of_id[row]
    entries = np.bincount(of_id, minlength=len(rank_of_id))
    rank = (np.cumsum(entries) - entries)[of_id]
    # Only atoms with several entries, those near a periodic face, need their images compared.
    several = np.flatnonzero(entries[of_id] > 1)
    image = np.zeros((len(several), 3), dtype=np.int64)
    is_ghost = several >= first_ghost
    image[is_ghost] = ghost_image[several[is_ghost] - first_ghost]
    key = of_id[several]
    for axis in range(3):
        low, high = image[:, axis].min(initial=0), image[:, axis].max(initial=0)
        key = key * (high - low + 1) + (image[:, axis] - low)
    several = several[np.argsort(key)]
    place = np.arange(len(several))
    fresh = np.diff(of_id[several], prepend=-1) != 0
    rank[several] += place - np.maximum.accumulate(np.where(fresh, place, 0))
    return rank
