"""What columns have in common, as their names tell: range, quantity, statistic."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from qsdask.quantity import KNOWN_STATISTICS, column_name, parse_column

__all__ = ["GROUPINGS", "members", "part_of", "sums"]

#: What tells one column of a series from the next: a number, a letter and a number.
_COUNTED = re.compile(r"_[a-z]?[0-9]+$")


def range_of(column: str) -> str:
    """``sro``, or the way in which the medium range was taken, such as ``mro``."""
    return parse_column(column)[0]


def quantity_of(column: str) -> str:
    """What is measured, such as ``interstice_area``; of a series, such as ``ifold_3``, what its columns share."""
    return _COUNTED.sub("", parse_column(column)[1])


def statistic_of(column: str) -> str:
    """Statistics that it is, outermost last, such as ``std_mean``: the mean of standard deviations; ``value`` when it is none."""
    return "_".join(part for part in parse_column(column)[2:] if part in KNOWN_STATISTICS) or "value"


def part_of(column: str) -> str:
    """Range and quantity, such as ``mro__interstice_area``."""
    return column_name(range_of(column), quantity_of(column))


#: Ways to put columns together, by name: the stored one first.
GROUPINGS: dict[str, Callable[[str], str]] = {
    "part": part_of,
    "range": range_of,
    "quantity": quantity_of,
    "statistic": statistic_of,
}


def members(columns: Sequence[str], grouping: Callable[[str], str] = part_of) -> dict[str, np.ndarray]:
    """Places of the columns of every group, in the order in which the groups are met first: int64 arrays."""
    found: dict[str, list[int]] = {}
    for place, column in enumerate(columns):
        found.setdefault(grouping(column), []).append(place)
    return {name: np.array(places, dtype=np.int64) for name, places in found.items()}


def sums(value: np.ndarray, of: Mapping[str, np.ndarray]) -> np.ndarray:
    """Columns summed by group, always in the same order: shape (n, n_group).

    NumPy adds along an axis in an order that depends on the shape of the array; here a row gets the same bits in any.
    """
    total = np.zeros((len(value), len(of)))
    for k, places in enumerate(of.values()):
        for place in places:
            total[:, k] += value[:, place]
    return total
