"""How sure the scores of one glass are: bootstrap over blocks of space.

Atoms that are close together become plastic together, and have like softness. What is drawn again are blocks of space that
are longer than that, not atoms, which would make every interval too narrow. Blocks are known by the place of the atoms, draws
by hash: the intervals do not depend on how the work was cut.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri, stdtr, stdtrit

from qsdask.learn import measures
from qsdask.learn.table import identity_hash

__all__ = ["ENOUGH", "FEWEST", "LEVEL", "Difference", "counted", "differences", "ends", "intervals", "redrawn"]

#: Bins of QS in which the atoms of a block are counted. Scores of the draws are good to the ties that this makes, by the
#: thousandth part of their intervals; the scores themselves are found from finer counts.
BINS = 1024

#: Draws.
DRAWS = 2000

#: Draws that are scored together, so that their counts fit into the cache of a processor.
AT_ONCE = 100

#: Chance that an interval is meant to hold the score of glasses made and loaded alike.
LEVEL = 0.95

#: Blocks below which intervals are themselves unsure, and below which there are none.
ENOUGH, FEWEST = 20, 8


class Difference(NamedTuple):
    """How far two models are apart in one score.

    Attributes
    ----------
    low, high : float
        Ends of the interval of the difference, first model minus second.
    other_sign : float
        Probability that the difference has the other sign than the one that was found, or is none.
    """

    low: float
    high: float
    other_sign: float


def counted(y: np.ndarray, qs: np.ndarray, block: np.ndarray) -> dict[int, np.ndarray]:
    """Count the atoms of each block by label and softness.

    Parameters
    ----------
    y : bool array, shape (n,)
        Plastic.
    qs : float array, shape (n,)
        Quench-in softness, 0 to 1.
    block : int64 array, shape (n,)
        Block of each atom, from `qsdask.learn.blocks`.

    Returns
    -------
    dict of int to int64 array, shape (2, BINS)
        By block; other atoms first, plastic ones second. Counts of parts of a glass add up block by block.
    """
    different, place = np.unique(block, return_inverse=True)
    fine = np.minimum((qs * BINS).astype(np.int64), BINS - 1)
    index = (place * 2 + y) * BINS + fine
    count = np.bincount(index, minlength=len(different) * 2 * BINS).reshape(-1, 2, BINS)
    return dict(zip(different.tolist(), count, strict=True))


def intervals(blocks: Mapping[int, np.ndarray], key: str) -> dict[str, tuple[float, float]]:
    """Intervals of all scores of a glass.

    Parameters
    ----------
    blocks : mapping of int to int64 array, shape (2, BINS)
        Sum of the results of `counted`.
    key : str
        Key of the specimen: what the draws depend on beside the number of blocks.

    Returns
    -------
    dict of str to tuple of float
        Lower and upper end by the names of `qsdask.learn.measures.all_of`, at `LEVEL`. NaN with fewer than `FEWEST` blocks,
        and for a score that is not defined in every draw.

    Notes
    -----
    Expanded percentile intervals: the quantiles of the draws at the levels at which a normal distribution has the ends of
    a t interval of as many blocks. Plain, basic and BCa intervals of 27 blocks hold the truth less often.

    References
    ----------
    T. C. Hesterberg, Am. Stat. 69, 371 (2015), doi:10.1080/00031305.2015.1089789
    P. Hall, J. L. Horowitz, B.-Y. Jing, Biometrika 82, 561 (1995), doi:10.1093/biomet/82.3.561 (length of blocks)
    """
    return {name: _interval(value, len(blocks)) for name, value in _drawn(blocks, key).items()}


def differences(
    first: Mapping[int, np.ndarray], second: Mapping[int, np.ndarray], key: str, found: Mapping[str, float]
) -> dict[str, Difference]:
    """Intervals of the differences of two models on the same atoms; both are drawn together.

    Parameters
    ----------
    first, second : mapping of int to int64 array, shape (2, BINS)
        Sums of the results of `counted`, of the same atoms.
    key : str
        Key of the specimen.
    found : mapping of str to float
        Differences of the whole glass, whose sign is judged.

    Returns
    -------
    dict of str to Difference
        By the names of `qsdask.learn.measures.all_of`. The interval holds no zero where `other_sign` is below half of what
        `LEVEL` leaves.
    """
    one, two = _drawn(first, key), _drawn(second, key)
    told = {}
    for name, value in found.items():
        difference = one[name] - two[name]
        told[name] = Difference(
            *_interval(difference, len(first)), _other_sign(difference * np.sign(value), len(first))
        )
    return told


def _drawn(blocks: Mapping[int, np.ndarray], key: str) -> dict[str, np.ndarray]:
    """Scores of every draw; NaN without blocks."""
    flat = {block: count.ravel() for block, count in blocks.items()}
    total = (redrawn(flat, key) if flat else np.zeros(DRAWS * 2 * BINS)).reshape(-1, 2, BINS)
    called = np.arange(BINS) >= BINS // 2
    parts = [
        measures.all_of(some[:, 1], some[:, 0], called) for some in np.array_split(total, max(1, DRAWS // AT_ONCE))
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def redrawn(blocks: Mapping[int, np.ndarray], key: str, draws: int = DRAWS) -> np.ndarray:
    """Sums over blocks that are drawn again and again.

    Parameters
    ----------
    blocks : mapping of int to int64 array, shape (n_column,)
        What was counted in each block; of none there are no columns.
    key : str
        Key of the specimen.
    draws : int
        How often, at most `DRAWS`: the first of them.

    Returns
    -------
    float64 array, shape (draws, n_column)
        Of as many blocks as there are. Whole numbers below 2^53 are exact in any order; larger sums are good to 1e-15.
    """
    count = np.array([blocks[block] for block in sorted(blocks)], dtype=np.float64)
    count = count.reshape(len(blocks), -1 if blocks else 0)
    return _times_drawn(len(count), key)[:draws] @ count


def _times_drawn(n: int, key: str) -> np.ndarray:
    """How often each of n blocks is in each draw of n, shape (DRAWS, n)."""
    if n == 0:
        return np.zeros((DRAWS, 0))
    number = identity_hash(0, "bootstrap", 0, key, np.arange(DRAWS * n)) % np.uint64(n)
    place = np.repeat(np.arange(DRAWS), n) * n + number.astype(np.int64)
    return np.bincount(place, minlength=DRAWS * n).reshape(DRAWS, n).astype(np.float64)


def ends(value: np.ndarray, n: int) -> np.ndarray:
    """Intervals of quantities from their draws, by the rule of `intervals`.

    Parameters
    ----------
    value : float64 array, shape (draws, ...)
        What came of every draw.
    n : int
        Blocks.

    Returns
    -------
    float64 array, shape (..., 2)
        Lower and upper ends; NaN with fewer than `FEWEST` blocks, and where a draw has no value.
    """
    if n < FEWEST:
        return np.full((*value.shape[1:], 2), np.nan)
    end = ndtr(_stretch(n) * stdtrit(n - 1, (1.0 - LEVEL) / 2.0))
    known = np.isfinite(value).all(axis=0)
    found = np.moveaxis(np.quantile(np.where(known, value, 0.0), [end, 1.0 - end], axis=0), 0, -1)
    return np.where(known[..., None], found, np.nan)


def _interval(value: np.ndarray, n: int) -> tuple[float, float]:
    low, high = ends(value, n).tolist()
    return low, high


def _other_sign(value: np.ndarray, n: int) -> float:
    """Probability that what is positive in the whole glass is not, by the rule that stretches the interval."""
    if n < FEWEST or not np.isfinite(value).all():
        return np.nan
    beyond = (np.count_nonzero(value < 0) + 0.5 * np.count_nonzero(value == 0) + 0.5) / (len(value) + 1)
    return float(stdtr(n - 1, ndtri(beyond) / _stretch(n)))


def _stretch(n: int) -> float:
    """The spread of draws of n is that of a sample whose variance is divided by n instead of n - 1."""
    return float(np.sqrt(n / (n - 1)))
