"""Connected groups of atoms of one class: found in each domain, joined where bonds cross from one to another.

No row of an atom leaves a domain but of those that are bonded across its faces.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from qsdask.kernels.connected import connected

__all__ = ["Groups", "Piece", "joined", "piece_of"]


class Piece(NamedTuple):
    """Groups of one domain, and what leads out of it.

    Attributes
    ----------
    label : int64 array, shape (n_group,)
        Class of each group, from 1 on.
    size : int64 array, shape (n_group,)
        Atoms.
    total : int64 array, shape (n_group,)
        Sum of the weights of its atoms.
    winding : bool array, shape (n_group, 3)
        Whether it meets an image of itself along each cell vector.
    low, high : float64 array, shape (n_group, 3)
        Least and greatest reduced coordinates.
    row, group, offset : int64 array (n_edge_atom,), int64 array (n_edge_atom,), int32 array (n_edge_atom, 3)
        Atoms next to other domains by rising row: which group they are in, and where it has moved them.
    first, second, shift : int64 arrays, shape (n_bond,), and int32 array, shape (n_bond, 3)
        Rows that are neighbours across a face, the second in another domain, and the image in which it is.
    """

    label: np.ndarray
    size: np.ndarray
    total: np.ndarray
    winding: np.ndarray
    low: np.ndarray
    high: np.ndarray
    row: np.ndarray
    group: np.ndarray
    offset: np.ndarray
    first: np.ndarray
    second: np.ndarray
    shift: np.ndarray


class Groups(NamedTuple):
    """All groups of a glass; attributes as of `Piece`."""

    label: np.ndarray
    size: np.ndarray
    total: np.ndarray
    winding: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def of(self, label: int) -> Groups:
        """Those of one class."""
        return Groups(*(part[self.label == label] for part in self))


def piece_of(
    label: np.ndarray, weight: np.ndarray, reduced: np.ndarray, neighbour: np.ndarray, image: np.ndarray, start: int
) -> Piece:
    """Groups of the atoms of one domain.

    Parameters
    ----------
    label : int array, shape (n,)
        Class of each atom; neighbours of one class belong together, those of class 0 to nobody.
    weight : int64 array, shape (n,)
        What is summed over groups.
    reduced : float64 array, shape (n, 3)
        Reduced coordinates of the wrapped atoms.
    neighbour : int array, shape (n, n_slot)
        Row of each neighbour, of the whole glass; -1 where a slot is empty.
    image : int array, shape (n, n_slot, 3)
        Lattice vectors added to the neighbour.
    start : int
        Row of the first of these atoms.
    """
    member = np.flatnonzero(label > 0)
    line, slot = np.nonzero(neighbour[member] >= 0)
    one, there, shift = member[line], neighbour[member][line, slot], image[member][line, slot].astype(np.int32)
    inside = (there >= start) & (there < start + len(label))
    near = np.where(inside, there - start, 0)
    alike = inside & (label[near] == label[one])
    node = np.full(len(label), -1)
    node[member] = np.arange(len(member))
    group, offset, winding = connected(len(member), node[one[alike]], node[near[alike]], shift[alike])
    n, out = len(winding), ~inside
    size = np.bincount(group, minlength=n)
    total = np.zeros(n, dtype=np.int64)
    np.add.at(total, group, weight[member])
    low, high = np.full((n, 3), np.inf), np.full((n, 3), -np.inf)
    np.minimum.at(low, group, reduced[member])
    np.maximum.at(high, group, reduced[member])
    of_group = np.zeros(n, dtype=np.int64)
    of_group[group] = label[member]
    edge = np.unique(one[out])
    # Each pair is a neighbour from both sides; one of them is told.
    told = out & (one + start < there)
    return Piece(
        of_group,
        size,
        total,
        winding,
        low,
        high,
        edge + start,
        group[node[edge]],
        offset[node[edge]],
        one[told] + start,
        there[told],
        shift[told],
    )


def joined(pieces: Mapping[int, Piece]) -> Groups:
    """Groups of the whole glass from those of all domains."""
    parts = [pieces[domain] for domain in sorted(pieces)]
    before = np.cumsum([0, *(len(part.label) for part in parts)])
    every = Piece(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    group = every.group + np.repeat(before[:-1], [len(part.row) for part in parts])
    order = np.argsort(every.row)
    row, group, offset = every.row[order], group[order], every.offset[order]
    ends = [np.searchsorted(row, side) for side in (every.first, every.second)]
    # A neighbour that is not told is of no class.
    there = (ends[1] < len(row)) & (row[np.minimum(ends[1], max(len(row) - 1, 0))] == every.second) if len(row) else []
    one, other, shift = ends[0][there], ends[1][there], every.shift[there]
    alike = every.label[group[one]] == every.label[group[other]]
    one, other, shift = one[alike], other[alike], shift[alike]
    whole, _, winding = connected(before[-1], group[one], group[other], offset[one] + shift - offset[other])
    n = len(winding)
    size, total = np.zeros((2, n), dtype=np.int64)
    np.add.at(size, whole, every.size)
    np.add.at(total, whole, every.total)
    label = np.zeros(n, dtype=np.int64)
    label[whole] = every.label
    np.logical_or.at(winding, whole, every.winding)
    low, high = np.full((n, 3), np.inf), np.full((n, 3), -np.inf)
    np.minimum.at(low, whole, every.low)
    np.maximum.at(high, whole, every.high)
    return Groups(label, size, total, winding, low, high)
