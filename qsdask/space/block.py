"""The block: the atoms of one domain and its halo, as plain arrays in open space, on which kernels work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, cast

import numpy as np

from qsdask.space.box import Box

__all__ = ["Block", "Shell", "identity_order", "read_only"]


@dataclass(frozen=True)
class Shell:
    """Neighbours of the owned atoms of a block, or also of the ghosts next to them (n_owned then counts both).

    Attributes
    ----------
    neighbour : int32 array, shape (n_owned, n_slot)
        Local index, -1 where empty, filled from the left in rising (atom id, image).
    count : int32 array, shape (n_owned,)
        Number of filled slots.
    distance : float64 array, shape (n_owned, n_slot), optional
        Unit: angstrom. NaN where empty.
    facet_area : float64 array, shape (n_owned, n_slot), optional
        Voronoi shells only. Unit: angstrom^2.
    edges : int array, shape (n_owned, n_slot), optional
        Voronoi shells only.
    cell_volume : float64 array, shape (n_owned,), optional
        Voronoi shells only. Unit: angstrom^3. NaN for an open cell.
    """

    neighbour: np.ndarray
    count: np.ndarray
    distance: np.ndarray | None = None
    facet_area: np.ndarray | None = None
    edges: np.ndarray | None = None
    cell_volume: np.ndarray | None = None


@dataclass(frozen=True)
class Block:
    """Owned atoms first, then ghosts; every periodic image of an atom is an entry of its own.

    Attributes
    ----------
    n_owned : int
        Number of owned atoms.
    row : int64 array, shape (n_local,)
        Global row of every entry.
    image : int8 array, shape (n_local, 3)
        Lattice vectors added to the wrapped position; 0 for owned atoms.
    position : float64 array, shape (n_local, 3)
        Wrapped position plus image, so that neighbour minus centre is the bond. Unit: angstrom.
    order : int64 array, shape (n_local,), optional
        Rank by (atom id, image). Kernels visit neighbours in this order, so that sums have the same bits
        however the rows were cut: ids, unlike rows, do not depend on the chunk size.
    species : int16 array, shape (n_local,)
        Species index.
    radius : float64 array, shape (n_local,)
        Atomic radius. Unit: angstrom.
    box : Box
        Cell of the reference frame.
    reach : float
        Every atom within this distance of an owned one is present. Unit: angstrom.
    shells : mapping of str to Shell
        Neighbour shells by name, as far as the quantity asked for them.
    current : float64 array, shape (n_local, 3), optional
        Positions of the same entries in the deformed frame. Unit: angstrom.
    current_box : Box, optional
        Cell of the deformed frame.
    state : float64 array, shape (n_local, n_state), optional
        Where the steps of a `qsdask.quantity.IteratedQuantity` have led, of all entries within its reach.
    """

    n_owned: int
    row: np.ndarray
    image: np.ndarray
    position: np.ndarray
    order: np.ndarray | None
    species: np.ndarray
    radius: np.ndarray
    box: Box
    reach: float
    shells: Mapping[str, Shell] = field(default_factory=dict)
    current: np.ndarray | None = None
    current_box: Box | None = None
    state: np.ndarray | None = None


def read_only(block: Block) -> Block:
    """The same block with arrays that cannot be written; nothing is copied."""
    return cast(Block, _locked(block))


def _locked(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        value = value.view()
        value.flags.writeable = False
    elif isinstance(value, Block | Shell | Box):
        value = replace(value, **{each.name: _locked(getattr(value, each.name)) for each in fields(value)})
    elif isinstance(value, Mapping):
        value = MappingProxyType({name: _locked(each) for name, each in value.items()})
    return value


def identity_order(atom_id: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Rank of every entry by (atom id, image).

    Parameters
    ----------
    atom_id : int64 array, shape (n,)
        Id of every entry.
    image : int8 array, shape (n, 3)
        Periodic image of every entry.

    Returns
    -------
    int64 array, shape (n,)
        A permutation of 0 ... n - 1.
    """
    rank = np.empty(len(atom_id), dtype=np.int64)
    rank[np.lexsort((image[:, 2], image[:, 1], image[:, 0], atom_id))] = np.arange(len(atom_id))
    return rank
