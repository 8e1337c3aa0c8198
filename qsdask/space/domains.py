"""Domains: equal-count recursive coordinate bisection, so that a domain is a row range and a Zarr chunk."""

from __future__ import annotations

import numpy as np

from qsdask.space.box import Box

__all__ = ["bisect", "domain_rows"]


def bisect(position: np.ndarray, atom_id: np.ndarray, box: Box, chunk: int) -> np.ndarray:
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

    Returns
    -------
    int64 array, shape (n_atom,)
        Index of the atom that becomes row 0, 1, ...

    Notes
    -----
    Cost O(n log n log(n / chunk)); M. J. Berger and S. H. Bokhari, doi:10.1109/TC.1987.1676942.
    """
    by_id = np.argsort(atom_id, kind="stable")
    length = box.reduced(position[by_id]) * box.height
    leaves: list[np.ndarray] = []
    pending = [np.arange(len(by_id))]
    while pending:
        member = pending.pop()
        n_leaf = -(-len(member) // chunk)
        if n_leaf <= 1:
            leaves.append(_along_curve(member, length))
            continue
        axis = int(np.argmax(np.ptp(length[member], axis=0)))
        # `member` stays in rising id, so the stable sort breaks ties by id.
        ranked = member[np.argsort(length[member, axis], kind="stable")]
        cut = (n_leaf // 2) * chunk
        pending.append(np.sort(ranked[cut:]))
        pending.append(np.sort(ranked[:cut]))
    return by_id[np.concatenate(leaves)] if leaves else by_id


def domain_rows(n_atom: int, chunk: int) -> np.ndarray:
    """First row and the row after the last of every domain, int64, shape (n_domain, 2)."""
    start = np.arange(0, max(n_atom, 1), chunk, dtype=np.int64)
    return np.stack([start, np.minimum(start + chunk, n_atom)], axis=1)


def _along_curve(member: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Members of one leaf in Morton order, ties by id."""
    x = length[member]
    low = x.min(axis=0, initial=np.inf)
    edge = max(float(np.ptp(x, axis=0).max(initial=0.0)), 1e-12) if len(member) else 1.0
    grid = ((x - low) / edge * 1023).astype(np.uint64)
    code = np.zeros(len(member), dtype=np.uint64)
    for bit in range(10):
        for axis in range(3):
            code |= ((grid[:, axis] >> np.uint64(bit)) & np.uint64(1)) << np.uint64(3 * bit + axis)
    return member[np.argsort(code, kind="stable")]
