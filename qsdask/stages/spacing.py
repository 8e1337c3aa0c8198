"""How far atoms are apart: the length by which what is measured in a specimen follows its material and its units."""

from __future__ import annotations

import numpy as np

from qsdask.engine.halo_block import halo_block
from qsdask.engine.reading import read_box
from qsdask.store.reader import StoreReader

__all__ = ["spacing_of"]

#: Atoms that are looked at.
SAMPLE = 128

#: Half of a first shell: an atom of a flat surface has as many neighbours, and so has each ion of a network of two kinds.
SIXTH = 6

#: Odd, so that no two ids have one product, and those of all ids are spread evenly: Knuth's multiplicative hash.
SPREAD = np.uint64(0x9E3779B97F4A7C15)


def spacing_of(root: StoreReader) -> float:
    """Median distance of an atom from its sixth neighbour in the undeformed frame.

    Parameters
    ----------
    root : StoreReader
        Store, after `qsdask.ingest`.

    Returns
    -------
    float
        Over a sample of atoms that depends on their ids alone, so that it is the same however the atoms are cut into
        domains. With fewer neighbours than six the farthest one counts; 1 for an atom alone. Unit: angstrom.

    Notes
    -----
    No distance in a part of the atoms is less than in all of them: the median of the distances inside the domains is as
    far as the halo need reach.
    """
    sample = _sample(root)
    alone = [_sixth(root["frames/position"][0, root.rows(domain)], at) for domain, at in sample.items()]
    reach = _middle(alone)
    if not np.isfinite(reach):
        box = read_box(root, 0)
        # Three images to each side of an atom are six neighbours.
        repeats = np.linalg.norm(box.cell, axis=1)[box.periodic]
        reach = 3.0 * repeats.min() if len(repeats) else 0.0
    found = []
    for domain, at in sample.items():
        distance = _sixth(halo_block(root, domain, reach).position, at, fewer=True)
        found.append(np.where(distance <= reach, distance, np.inf) if reach else distance)
    return _middle(found) or 1.0


def _sample(root: StoreReader) -> dict[int, np.ndarray]:
    """Atoms of the sample, by domain: places among the rows of the domain."""
    domain, place, code = np.empty(0, int), np.empty(0, int), np.empty(0, np.uint64)
    for other in range(root.n_domain):
        theirs = root["atoms/id"][root.rows(other)].astype(np.uint64) * SPREAD
        domain = np.concatenate([domain, np.full(len(theirs), other)])
        place, code = np.concatenate([place, np.arange(len(theirs))]), np.concatenate([code, theirs])
        first = np.argsort(code, kind="stable")[:SAMPLE]
        domain, place, code = domain[first], place[first], code[first]
    return {int(other): np.sort(place[domain == other]) for other in np.unique(domain)}


def _sixth(position: np.ndarray, at: np.ndarray, *, fewer: bool = False) -> np.ndarray:
    """Distance of some entries from their sixth neighbour; inf without one, or that of the last one there is."""
    k = min(SIXTH, len(position) - 1) if fewer else SIXTH
    if len(position) <= k:
        return np.full(len(at), np.inf)
    x, y, z = np.ascontiguousarray(position.T)
    squares = ((x - x[i]) ** 2 + (y - y[i]) ** 2 + (z - z[i]) ** 2 for i in at)
    return np.sqrt([np.partition(square, k)[k] for square in squares])


def _middle(parts: list[np.ndarray]) -> float:
    """Lower median: one of the numbers itself."""
    every = np.sort(np.concatenate(parts))
    return float(every[(len(every) - 1) // 2])
