"""The one contract for everything computed per atom: structural features and responses alike.

A quantity declares its columns, the shells it needs and its reach; ``compute(block)`` returns one row per owned
atom. The engine knows nothing else, so a new feature set is one file in `qsdask.structure`, or an entry point of
the group ``qsdask.features``. One whose atoms first take steps together is an `IteratedQuantity`.
"""

from __future__ import annotations

from qsdask.quantity.contract import KNOWN_STATISTICS, STATISTICS, AtomQuantity, Column, column_name, parse_column
from qsdask.quantity.iterated import IteratedQuantity, advanced
from qsdask.quantity.medium_range import EXPONENTIAL_REACH, Around, coarsened, medium_range, surroundings
from qsdask.quantity.registry import feature_sets, source_of_set

__all__ = [
    "EXPONENTIAL_REACH",
    "KNOWN_STATISTICS",
    "STATISTICS",
    "Around",
    "AtomQuantity",
    "Column",
    "IteratedQuantity",
    "advanced",
    "coarsened",
    "column_name",
    "feature_sets",
    "medium_range",
    "parse_column",
    "source_of_set",
    "surroundings",
]
