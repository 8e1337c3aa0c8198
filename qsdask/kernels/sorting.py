"""Orders of the few neighbours of one atom: short lists, sorted in place."""

from __future__ import annotations

import numpy as np

from qsdask.kernels.jit import inline, kernel

__all__ = [
    "COUNTED_SORT",
    "LANES",
    "LARGEST",
    "U",
    "rank",
    "shell_sort",
    "sort_by_distance",
    "sort_by_order",
    "whole_lanes",
]

#: Unsigned indices: Numba then leaves out its test for negative ones.
U = np.uint64

#: Longest list that is sorted by counting; longer ones are Shell-sorted.
COUNTED_SORT = U(96)

#: Entries that one turn of a vectorised loop takes (four vectors of four).
LANES = U(16)
LARGEST = np.int32(2**31 - 1)  #: no rank comes so far: local entries are counted in 32 bits


@kernel
def shell_sort(key, tie, n, place):
    """Places of the `n` keys in ascending (key, tie) sequence; any length, ties allowed."""
    for i in range(n):
        place[i] = i
    gap = 1
    while gap < n // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for i in range(gap, n):
            p = place[i]
            k, t = key[p], tie[p]
            j = i
            while j >= gap:
                q = place[j - gap]
                if key[q] < k or (key[q] == k and tie[q] <= t):
                    break
                place[j] = q
                j -= gap
            place[j] = p
        gap //= 3


@inline
def whole_lanes(n):
    """The next multiple of `LANES`: a loop of so many turns has no scalar remainder."""
    return (n + LANES - U(1)) & ~(LANES - U(1))


@inline
def rank(key, n, place):
    """Places of the entries in ascending sequence, by counting; `LANES` largest keys follow the last.

    Returns
    -------
    bool
        False if there are equal keys; `place` is then useless.
    """
    total = U(0)
    padded = whole_lanes(n)
    for i in range(n):
        mine = key[i]
        before = np.uint32(0)
        for j in range(padded):
            before = np.uint32(before + np.uint32(key[j] < mine))
        place[before] = i
        total += before
    # Equal keys share one rank, so the ranks sum to less than 0 + 1 + ... + n-1.
    return U(2) * total == n * (n - U(1)) or n == U(0)


@kernel
def sort_by_distance(square, entry, atom, order, n, tie, place):
    """Places of the entries in ascending (squared distance, order) sequence."""
    if n <= COUNTED_SORT and rank(square, n, place):
        return
    for k in range(n):
        tie[k] = order[atom[entry[k]]]
    shell_sort(square, tie, np.int64(n), place)


@kernel
def sort_by_order(key, n, place):
    """Places of the entries in ascending order; the `n` keys are all different and `LANES` more are room."""
    for k in range(LANES):
        key[n + k] = LARGEST
    if n <= COUNTED_SORT:
        rank(key, n, place)
    else:
        shell_sort(key, key, np.int64(n), place)
