"""How far the softness of two glasses is apart, with its error, and how far it would be by chance.

The glass is cut into blocks of space, whose counts add up exactly, however the atoms were divided among tasks. Atoms of one
neighbourhood are alike: what is drawn again for the error are blocks, not atoms.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from qsdask.analysis.counts import N_FINE, checked_softness, fine_bin

__all__ = ["Distance", "add", "by_block", "distance", "wasserstein"]

#: Blocks along each cell vector.
BLOCKS = 3

#: Times that blocks are drawn; errors are good to 1 / sqrt(2 * 400), 4 %.
DRAWS = 400

_SEED = 20191205


class Distance(NamedTuple):
    """Distance of two distributions of QS.

    Attributes
    ----------
    value : float
        1-Wasserstein distance: how far QS must be moved on average to make one distribution the other. No unit.
    error : float
        Standard deviation of the distance over bootstrap samples of the blocks; NaN with fewer than two blocks.
    chance : float
        Distance that 95 % of random divisions of the blocks of both glasses stay below; NaN likewise.
    """

    value: float
    error: float
    chance: float


def by_block(
    qs: np.ndarray, reduced: np.ndarray, periodic: np.ndarray, *, n_fine: int = N_FINE
) -> dict[int, np.ndarray]:
    """Histograms of QS in the blocks of a glass.

    Parameters
    ----------
    qs : float array, shape (n_atom,)
        Quench-in softness, NaN for atoms that are not to be used. No unit.
    reduced : float64 array, shape (n_atom, 3)
        Reduced coordinates, wrapped or not.
    periodic : bool array, shape (3,)
        Whether the cell repeats along each vector.
    n_fine : int
        Bins of QS over [0, 1].

    Returns
    -------
    dict of int to int64 array, shape (n_fine,)
        By number of the block; blocks without atoms are left out.
    """
    qs = checked_softness(qs)
    known = np.isfinite(qs)
    place = reduced[known]
    place = np.where(periodic, place - np.floor(place), np.clip(place, 0.0, 1.0))
    at = np.minimum((place * BLOCKS).astype(np.int64), BLOCKS - 1) @ [BLOCKS**2, BLOCKS, 1]
    fine = fine_bin(qs[known], n_fine)
    return {int(block): np.bincount(fine[at == block], minlength=n_fine) for block in np.unique(at)}


def add(first: Mapping[int, np.ndarray], second: Mapping[int, np.ndarray]) -> dict[int, np.ndarray]:
    """Sum of two results of `by_block`; associative, commutative, exact."""
    total = {**first, **second}
    return total | {block: first[block] + second[block] for block in first.keys() & second.keys()}


def wasserstein(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """1-Wasserstein distance of QS from fine histograms.

    Parameters
    ----------
    first, second : int array, shape (..., n_fine)
        Atoms in bins of [0, 1].

    Returns
    -------
    float64 array, shape (...)
        Within one bin width of the distance of the unbinned values; NaN when one is empty.

    References
    ----------
    Vallender, Theory Probab. Appl. 18, 784 (1974), doi:10.1137/1118101
    """
    with np.errstate(invalid="ignore"):
        one, two = (np.cumsum(count, axis=-1) / count.sum(axis=-1, keepdims=True) for count in (first, second))
    return np.abs(one - two).sum(axis=-1) / first.shape[-1]


def distance(
    first: Mapping[int, np.ndarray], second: Mapping[int, np.ndarray], *, paired: bool = False, draws: int = DRAWS
) -> Distance:
    """Distance of two glasses with its error.

    Parameters
    ----------
    first, second : mapping of int to int64 array, shape (n_fine,)
        Of `by_block`.
    paired : bool
        Whether both have the same atoms in the same places: then blocks are drawn together, and divided one against its like.
    draws : int
        Bootstrap samples, and random divisions.

    Returns
    -------
    Distance
        The same for the same glasses, whatever came before; the same in both directions but for the draws.

    Notes
    -----
    Blocks that are correlated beyond their size, or a glass of few neighbourhoods, make the error too small.
    """
    if not (first and second):
        return Distance(np.nan, np.nan, np.nan)
    one, two = (np.stack([each[block] for block in sorted(each)]) for each in (first, second))
    value = float(wasserstein(one.sum(axis=0), two.sum(axis=0)))
    if min(len(one), len(two)) < 2:
        return Distance(value, np.nan, np.nan)
    rng = np.random.default_rng(_SEED)
    draw = _together if paired and first.keys() == second.keys() else _apart
    samples = [draw(one, two, rng) for _ in range(draws)]
    again, divided = (np.array([wasserstein(*sample[k]) for sample in samples]) for k in (0, 1))
    return Distance(value, float(again.std(ddof=1)), float(np.quantile(divided, 0.95)))


def _apart(one: np.ndarray, two: np.ndarray, rng: np.random.Generator) -> tuple[list, list]:
    """A bootstrap sample of each glass, and a random division of the blocks of both."""
    again = [part[rng.integers(len(part), size=len(part))].sum(axis=0) for part in (one, two)]
    both = rng.permutation(np.concatenate([one, two]))
    return again, [both[: len(one)].sum(axis=0), both[len(one) :].sum(axis=0)]


def _together(one: np.ndarray, two: np.ndarray, rng: np.random.Generator) -> tuple[list, list]:
    """The same of blocks that correspond."""
    row = rng.integers(len(one), size=len(one))
    swapped = rng.integers(2, size=(len(one), 1)).astype(bool)
    divided = [np.where(swapped, a, b).sum(axis=0) for a, b in ((two, one), (one, two))]
    return [one[row].sum(axis=0), two[row].sum(axis=0)], divided
