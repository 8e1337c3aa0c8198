"""Domains: equal-count recursive coordinate bisection, so that a domain is a row range and a Zarr chunk."""

from __future__ import annotations

from typing import Literal

import numpy as np

from qsdask.space.box import Box
from qsdask.space.cuts import Region, halves, planned, sampled

__all__ = ["EXTENTS", "REGIONS", "Rule", "bisect", "domain_rows", "rows_of_region"]

#: How the axis of a cut is chosen: by the sides of the region that is cut, or, in stores of before, by the extents of the
#: atoms that are parted, which nobody knows who does not hold them all.
Rule = Literal["regions", "extents"]
REGIONS: Rule = "regions"
EXTENTS: Rule = "extents"


def bisect(position: np.ndarray, atom_id: np.ndarray, box: Box, chunk: int, rule: Rule = REGIONS) -> np.ndarray:
    """Order the atoms so that every `chunk` consecutive rows are a compact region.

    Every leaf of the bisection holds exactly `chunk` atoms, the last one the remainder. The longest side is cut
    first; ties are broken by atom id, so the order does not depend on the order of the input. Inside a leaf atoms
    follow a Morton curve, which keeps neighbours close in memory.

    Parameters
    ----------
    position : float64 array, shape (n_atom, 3)
        Wrapped Cartesian positions. Unit: angstrom.
    atom_id : int64 array, shape (n_atom,)
        Unique ids.
    box : Box
        Cell of the frame.
    chunk : int
        Atoms per domain.
    rule : {"regions", "extents"}
        How the axis of a cut is chosen.

    Returns
    -------
    int64 array, shape (n_atom,)
        Index of the atom that becomes row 0, 1, ...

    Notes
    -----
    All atoms are held here. `qsdask.intake.undeformed` comes to the same rows without that; the first cuts of both are
    those of `qsdask.space.cuts.planned`.

    Cost O(n log(n / chunk)); M. J. Berger and S. H. Bokhari, doi:10.1109/TC.1987.1676942.
    """
    by_id = np.argsort(atom_id, kind="stable")
    if not len(by_id):
        return by_id
    reduced = box.reduced(position[by_id])
    length = reduced * box.height
    everyone = np.arange(len(by_id))
    if rule == EXTENTS:
        return by_id[_leaves(everyone, length, None, chunk)]
    region = Region.of(reduced.min(axis=0), reduced.max(axis=0), box.height)
    cuts = planned(sampled(atom_id[by_id], length, len(by_id)), len(by_id), chunk, region)
    return by_id[np.concatenate([_leaves(part, length, inside, chunk) for part, inside in cuts.parts(length)])]


def rows_of_region(length: np.ndarray, atom_id: np.ndarray, region: Region | None, chunk: int) -> np.ndarray:
    """Order of the atoms of one part of a frame; see `bisect`.

    Parameters
    ----------
    length : float64 array, shape (n, 3)
        Reduced coordinates times the heights of the cell. Unit: angstrom.
    atom_id : int64 array, shape (n,)
        Ids.
    region : Region or None
        The part of space; None where the extents of the atoms decide.
    chunk : int
        Atoms per domain.

    Returns
    -------
    int64 array, shape (n,)
        Indices.
    """
    by_id = np.argsort(atom_id, kind="stable")
    return by_id[_leaves(np.arange(len(by_id)), length[by_id], region, chunk)]


def domain_rows(n_atom: int, chunk: int) -> np.ndarray:
    """First row and the row after the last of every domain, int64, shape (n_domain, 2)."""
    start = np.arange(0, max(n_atom, 1), chunk, dtype=np.int64)
    return np.stack([start, np.minimum(start + chunk, n_atom)], axis=1)


def _leaves(member: np.ndarray, length: np.ndarray, region: Region | None, chunk: int) -> np.ndarray:
    """Members, which rise by id, leaf by leaf; without a region by the extents of those that are parted."""
    leaves: list[np.ndarray] = []
    pending = [(member, region)]
    while pending:
        member, inside = pending.pop()
        n_leaf = -(-len(member) // chunk)
        if n_leaf <= 1:
            leaves.append(_along_curve(member, length))
            continue
        axis = int(np.argmax(np.ptp(length[member], axis=0))) if inside is None else inside.axis
        left, right, face = halves(member, length[member, axis], (n_leaf // 2) * chunk)
        below, above = (None, None) if inside is None else inside.cut(axis, face)
        pending += [(right, above), (left, below)]
    return np.concatenate(leaves)


def _along_curve(member: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Members of one leaf in Morton order, ties by id."""
    x = length[member]
    edge = max(float(np.ptp(x, axis=0).max()), 1e-12)
    grid = ((x - x.min(axis=0)) / edge * 1023).astype(np.uint64)
    # Ten bits, two empty ones between each and the next.
    for shift, mask in ((16, 0x030000FF), (8, 0x0300F00F), (4, 0x030C30C3), (2, 0x09249249)):
        grid = (grid | (grid << np.uint64(shift))) & np.uint64(mask)
    code = grid[:, 0] | (grid[:, 1] << np.uint64(1)) | (grid[:, 2] << np.uint64(2))
    return member[np.argsort(code.astype(np.uint32), kind="stable")]
