"""The first cuts of a large frame: planned from a sample of its atoms, made exact by counting, and never by holding them all.

A frame of n atoms is cut into parts until a part has few enough of them for one task. How many atoms each cut parts
follows from n alone. Along which axis it looks follows from a sample, which is chosen by the ids of the atoms: the same
atoms whoever reads them, and in whatever order. Where it lies is found exactly: the sample tells a bracket, one pass counts
the atoms outside of all brackets and collects those within, and these tell the atom at which the right side begins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from qsdask.kernels.routing import fill_routes

__all__ = ["Cuts", "Region", "RepeatedIdError", "Sample", "Sizes", "halves", "planned", "sampled", "sizes_of"]

#: The region of a frame is the part of the box that its atoms span, in parts of the sides: of a full box all of it, whichever
#: atom happens to be the outermost.
_PARTS = 64
_PART_TOLERANCE = 1e-6

#: Sides that differ by less are equal: heights of a cubic cell differ in their last bit.
_SAME_SIDE = 1e-9

#: Half the width of a bracket, in standard deviations of the rank that the sample gives, and more atoms of the sample.
_SIGMAS, _MORE = 6.0, 3

#: Golden ratio in 64 bits, and the factors of the finaliser of SplitMix64; G. L. Steele, D. Lea and C. H. Flood,
#: doi:10.1145/2660193.2660195.
_STEP, _MIX = 0x9E3779B97F4A7C15, ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))


class Sizes(NamedTuple):
    """Into how large parts a frame is cut, and from how large a sample.

    Attributes
    ----------
    part : int
        Atoms of a part at most, unless a single domain has more.
    sample : int
        Atoms of the sample, about.
    """

    part: int
    sample: int


def sizes_of(n_atom: int) -> Sizes:
    """Sizes for a frame. They decide its rows: another choice here is another rule."""
    return Sizes(max(1 << 19, n_atom // 512), max(1 << 18, n_atom // 256))


class Sample(NamedTuple):
    """Some atoms of a frame.

    Attributes
    ----------
    id : int64 array, shape (n,)
    length : float64 array, shape (n, 3)
        Reduced coordinates times the heights of the cell. Unit: angstrom.
    """

    id: np.ndarray
    length: np.ndarray


@dataclass(frozen=True)
class Region:
    """A part of a cell, in reduced coordinates times heights.

    Attributes
    ----------
    low, high : tuple of float
        Corners. Unit: angstrom.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]

    @classmethod
    def of(cls, lowest: np.ndarray, highest: np.ndarray, height: np.ndarray) -> Region:
        """The region of a whole frame.

        Parameters
        ----------
        lowest, highest : float64 array, shape (3,)
            Reduced coordinates of the outermost wrapped atoms.
        height : float64 array, shape (3,)
            Of the cell. Unit: angstrom.
        """
        low = np.floor(lowest * _PARTS + _PART_TOLERANCE) / _PARTS
        high = np.maximum(np.ceil(highest * _PARTS - _PART_TOLERANCE) / _PARTS, low + 1.0 / _PARTS)
        return cls(tuple((low * height).tolist()), tuple((high * height).tolist()))

    @property
    def axis(self) -> int:
        """Along which the region is longest; of equal sides the first."""
        side = np.subtract(self.high, self.low)
        return int(np.argmax(side >= side.max() * (1.0 - _SAME_SIDE)))

    def cut(self, axis: int, face: float) -> tuple[Region, Region]:
        """What is below a face across an axis, and what is above."""
        below, above = list(self.high), list(self.low)
        below[axis] = above[axis] = face
        return replace(self, high=tuple(below)), replace(self, low=tuple(above))


def sampled(atom_id: np.ndarray, length: np.ndarray, n_atom: int) -> Sample:
    """Those of some atoms that belong to the sample of their frame, which has `n_atom`."""
    n_sample = sizes_of(n_atom).sample
    if n_sample >= n_atom:
        return Sample(atom_id, length)
    mixed = atom_id.astype(np.uint64) + np.uint64(_STEP)
    for shift, factor in _MIX:
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    chosen = (mixed ^ (mixed >> np.uint64(31))) < np.uint64((n_sample << 64) // n_atom)
    return Sample(atom_id[chosen], length[chosen])


def halves(member: np.ndarray, x: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray, float]:
    """The `rank` members with the lowest coordinates, the others, and the lowest coordinate among these.

    Parameters
    ----------
    member : int64 array, shape (n,)
        In rising id: of equal coordinates the lower id is the lower.
    x : float64 array, shape (n,)
        Their coordinates.
    rank : int
        Between 0 and n - 1.
    """
    face = np.partition(x, rank)[rank]
    left = x < face
    left[np.flatnonzero(x == face)[: rank - np.count_nonzero(left)]] = True
    return member[left], member[~left], float(face)


@dataclass(frozen=True)
class Cuts:
    """Cuts of a frame into parts, as a tree.

    Attributes
    ----------
    axis : int64 array, shape (n_cut,)
        Along which each cut looks. A cut comes before those of its two sides, and those of its left before those of its right.
    rank : int64 array, shape (n_cut,)
        Atoms to its left.
    child : int64 array, shape (n_cut, 2)
        What is to the left and to the right: a cut, or below zero a part, inverted.
    low, high : float64 array, shape (n_cut,)
        Bracket of its place; equal when it is exact.
    tie : int64 array, shape (n_cut,)
        Of an exact cut: the lowest id that goes right, of atoms that lie in it.
    rows : int64 array, shape (n_part, 2)
        First row of every part, and the row after its last.
    region : tuple of Region
        Of every part; None where the extents of the atoms decide.
    """

    axis: np.ndarray
    rank: np.ndarray
    child: np.ndarray
    low: np.ndarray
    high: np.ndarray
    tie: np.ndarray
    rows: np.ndarray
    region: tuple[Region | None, ...]

    @property
    def n_part(self) -> int:
        """Number of parts."""
        return len(self.rows)

    @property
    def exact(self) -> bool:
        """Whether the place of every cut is known."""
        return bool((self.low == self.high).all())

    def routes(self, atom_id: np.ndarray, length: np.ndarray) -> np.ndarray:
        """For every atom the cut at which it is not sure, or the part that it belongs to, inverted; int64, shape (n,)."""
        route = np.empty(len(atom_id), dtype=np.int64)
        if len(self.axis):
            fill_routes(length, atom_id, self.axis, self.low, self.high, self.tie, self.child, route)
        else:
            route[:] = ~0
        return route

    def parts(self, length: np.ndarray) -> Iterator[tuple[np.ndarray, Region | None]]:
        """Members of every part and its region, of a frame of which all atoms are held, in rising id."""
        pending = [(0 if len(self.axis) else ~0, np.arange(len(length)))]
        while pending:
            at, member = pending.pop()
            if at < 0:
                yield member, self.region[~at]
                continue
            left, right, _ = halves(member, length[member, self.axis[at]], int(self.rank[at]))
            pending += [(int(self.child[at, 1]), right), (int(self.child[at, 0]), left)]

    def faces(self, part: int) -> list[tuple[int, float]]:
        """Axes and places of the exact cuts on the way to a part."""
        above = {int(child): (at, side) for at in range(len(self.axis)) for side, child in enumerate(self.child[at])}
        found, at = [], ~part
        while at in above:
            at, _ = above[at]
            found.append((int(self.axis[at]), float(self.low[at])))
        return found

    @classmethod
    def whole(cls, n_atom: int, region: Region | None) -> Cuts:
        """No cut: one part, of all atoms."""
        nothing, nowhere = np.empty(0, np.int64), np.empty(0)
        rows = np.array([[0, n_atom]])
        return cls(nothing, nothing, nothing.reshape(0, 2), nowhere, nowhere, nothing, rows, (region,))

    def known(self, low: np.ndarray, high: np.ndarray, tie: np.ndarray) -> Cuts:
        """The same cuts, exact where they are so in these places, of another plan for the same frame."""
        exact = low == high
        return replace(self, low=np.where(exact, low, self.low), high=np.where(exact, high, self.high), tie=tie)

    def resolved(self, sure: np.ndarray, held: np.ndarray, collected: Callable[[int], Sample]) -> Cuts:
        """The cuts after a pass that counted and collected: exact where their brackets held.

        Parameters
        ----------
        sure : int64 array, shape (n_part,)
            Atoms that reached each part.
        held : int64 array, shape (n_cut,)
            Atoms that stopped at each cut.
        collected : callable
            ``collected(cut)``: these atoms. Those of one way down the tree are held at a time.

        Returns
        -------
        Cuts
            A cut that lies outside of its bracket keeps it, and so do all below it, of which nothing is known.

        Raises
        ------
        RepeatedIdError
            When an id stands twice at one place, on a cut.
        """
        low, high, tie = self.low.copy(), self.high.copy(), self.tie.copy()
        counts = self._below(sure, held)
        nobody = Sample(np.empty(0, np.int64), np.empty((0, 3)))
        pending = [(0, nobody)] if len(self.axis) else []
        while pending:
            at, come = pending.pop()
            if at < 0:
                continue
            here = collected(at)
            found = Sample(np.concatenate([come.id, here.id]), np.concatenate([come.length, here.length]))
            x = found.length[:, self.axis[at]]
            if low[at] < high[at]:
                place = self._place(at, x, found.id, int(counts[self.child[at, 0]]))
                if place is None:
                    continue
                low[at] = high[at] = place[0]
                tie[at] = place[1]
            left = (x < low[at]) | ((x == low[at]) & (found.id < tie[at]))
            for side, mine in ((1, ~left), (0, left)):
                pending.append((int(self.child[at, side]), Sample(found.id[mine], found.length[mine])))
        return replace(self, low=low, high=high, tie=tie)

    def _below(self, sure: np.ndarray, held: np.ndarray) -> dict[int, int]:
        """Atoms that reached each cut and each part, without being held up before."""
        count = {~part: int(n) for part, n in enumerate(sure)}
        for at in reversed(range(len(self.axis))):
            count[at] = int(held[at]) + sum(count[int(child)] for child in self.child[at])
        return count

    def _place(self, at: int, x: np.ndarray, identity: np.ndarray, n_left: int) -> tuple[float, int] | None:
        """Coordinate and id of the first atom to the right of a cut; None when it lies outside of the bracket."""
        low, high = self.low[at], self.high[at]
        inside = np.flatnonzero((x >= low) & (x <= high))
        k = int(self.rank[at]) - n_left - int(np.count_nonzero(x < low))
        if not 0 <= k < len(inside):
            return None
        order = inside[np.lexsort((identity[inside], x[inside]))]
        first, before = order[k], order[max(k - 1, 0)]
        if k and x[first] == x[before] and identity[first] == identity[before]:
            raise RepeatedIdError(int(identity[first]))
        return float(x[first]), int(identity[first])


class RepeatedIdError(Exception):
    """An id that stands twice.

    Parameters
    ----------
    atom_id : int
        The id.
    """

    def __init__(self, atom_id: int) -> None:
        super().__init__(atom_id)
        self.atom_id = atom_id


def planned(sample: Sample, n_atom: int, chunk: int, region: Region, wider: int = 1) -> Cuts:
    """Plan the first cuts of a frame.

    Parameters
    ----------
    sample : Sample
        Of `sampled`, in any order.
    n_atom : int
        Atoms of the frame.
    chunk : int
        Atoms per domain: every cut has a whole number of domains to its left.
    region : Region
        That the frame fills.
    wider : int
        Factor of the widths of the brackets, for a sample that misleads. It changes nothing else.

    Returns
    -------
    Cuts
        With brackets.

    Notes
    -----
    A face that is needed to choose the axes of later cuts is the place that the sample tells: were it the exact one, the
    axis might have to be chosen anew after every pass.
    """
    most = sizes_of(n_atom).part
    axes: list[int] = []
    ranks: list[int] = []
    child: list[list[int]] = []
    brackets: list[tuple[float, float]] = []
    rows: list[tuple[int, int]] = []
    regions: list[Region | None] = []
    rising = np.argsort(sample.id, kind="stable")
    length = sample.length[rising]

    def node(member: np.ndarray, first: int, stop: int, inside: Region) -> int:
        n_leaf = -(-(stop - first) // chunk)
        if n_leaf <= 1 or stop - first <= most:
            rows.append((first, stop))
            regions.append(inside)
            return ~(len(rows) - 1)
        at, axis, rank = len(axes), inside.axis, (n_leaf // 2) * chunk
        x = np.sort(length[member, axis])
        share, n = rank / (stop - first), len(member)
        middle = min(round(share * n), n - 1)
        margin = 0 if n == stop - first else wider * (int(_SIGMAS * np.sqrt(n * share * (1.0 - share))) + _MORE)
        left, right, face = (
            halves(member, length[member, axis], middle) if n else (member, member, _middle(inside, axis))
        )
        before, behind = middle - margin - 1, middle + margin + 1
        brackets.append((x[before] if 0 <= before < n else -np.inf, x[behind] if behind < n else np.inf))
        axes.append(axis)
        ranks.append(rank)
        child.append([0, 0])
        below, above = inside.cut(axis, face)
        child[at][0] = node(left, first, first + rank, below)
        child[at][1] = node(right, first + rank, stop, above)
        return at

    node(np.arange(len(length)), 0, n_atom, region)
    low, high = np.array(brackets, dtype=np.float64).reshape(-1, 2).T
    # Neighbours of equal coordinates: a bracket without width would pass for an exact cut.
    flat = low == high
    low, high = np.where(flat, np.nextafter(low, -np.inf), low), np.where(flat, np.nextafter(high, np.inf), high)
    return Cuts(
        np.array(axes, dtype=np.int64),
        np.array(ranks, dtype=np.int64),
        np.array(child, dtype=np.int64).reshape(-1, 2),
        low,
        high,
        np.zeros(len(axes), dtype=np.int64),
        np.array(rows, dtype=np.int64),
        tuple(regions),
    )


def _middle(region: Region, axis: int) -> float:
    return 0.5 * (region.low[axis] + region.high[axis])
