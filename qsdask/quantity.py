"""The one contract for everything computed per atom: structural features and responses alike.

A quantity declares its columns, the shells it needs and its reach; ``compute(block)`` returns one row per owned
atom. The engine knows nothing else, so a new feature set is one file in `qsdask.structure`, or an entry point of
the group ``qsdask.features``.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, is_dataclass
from functools import cache
from importlib import import_module, metadata
from pkgutil import iter_modules

import numpy as np

from qsdask.errors import UsageError
from qsdask.space.block import Block

__all__ = [
    "STATISTICS",
    "AtomQuantity",
    "Column",
    "column_name",
    "feature_sets",
    "medium_range",
    "parse_column",
]

#: Statistics over neighbours, in the order of the last axis of `qsdask.kernels.segment.coarsen`; "sum" is known too.
STATISTICS = ("mean", "std", "min", "max")

_PART = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


@dataclass(frozen=True)
class Column:
    """One column of a quantity.

    Attributes
    ----------
    name : str
        Lower-case words joined by ``__``, for example ``sro__interstice_area__voro__std``.
    unit : str
        ``"1"`` for a pure number.
    meaning : str
        One phrase.
    nan : str
        When the value is NaN.
    shell : str
        Shell over which the medium-range version is taken: ``"voronoi"`` or ``"cutoff"``.
    medium : bool
        Whether it gets a medium-range version; not a label, and not what is of medium range already.
    """

    name: str
    unit: str
    meaning: str
    nan: str
    shell: str = "voronoi"
    medium: bool = True

    def __post_init__(self) -> None:
        parse_column(self.name)


class AtomQuantity(ABC):
    """What the engine needs to know of anything computed per atom. Inherit from it: it holds the defaults.

    The fields of the dataclass that follows this contract are its settings, filled by name from
    `qsdask.settings.FeatureSettings`, and what it wants to know of the specimen: ``species`` (chemical symbols),
    ``composition`` (share of each) and ``radius`` (angstrom).
    """

    #: Name of the set, as typed by the user.
    name: str
    #: Its own columns, in stored order.
    columns: tuple[Column, ...]
    #: Stored shells that the block must carry.
    shells: tuple[str, ...]
    #: Whether the block must carry the deformed frame too.
    follows_deformation: bool
    #: Whose shells the block carries: 1, those of the owned atoms; 2, those of their neighbours too.
    rings: int = 1
    #: Every atom within this distance of an owned one is wanted, for a set without stored shells. Unit: angstrom.
    reach: float = 0.0
    #: Statistics over the neighbours that make the medium range.
    statistics: tuple[str, ...] = STATISTICS

    @abstractmethod
    def compute(self, block: Block) -> np.ndarray:
        """Values of the owned atoms, float64, shape (n_owned, n_column)."""


def column_name(*parts: str) -> str:
    """Join the parts of a column name, and check them."""
    name = "__".join(parts)
    parse_column(name)
    return name


def parse_column(name: str) -> tuple[str, ...]:
    """Parts of a column name.

    Raises
    ------
    UsageError
        ``E-COLUMN`` when the name does not follow the grammar.
    """
    parts = tuple(name.split("__"))
    if len(parts) < 2 or not all(_PART.fullmatch(part) for part in parts):
        raise UsageError(
            f"column name {name!r}: expected lower-case words joined by '__', such as 'sro__interstice_area__voro__std'",
            code="E-COLUMN",
        )
    return parts


def medium_range(quantity: AtomQuantity) -> tuple[Column, ...]:
    """Medium-range columns of a quantity: each statistic over the neighbours, statistic fastest."""
    return tuple(
        Column(
            column_name("mro", *parse_column(c.name)[1:], statistic),
            c.unit,
            f"{statistic} over the neighbours ({c.shell} shell) of: {c.meaning}",
            "no neighbours, or NaN at one of them",
            c.shell,
            medium=False,
        )
        for c in quantity.columns
        if c.medium
        for statistic in quantity.statistics
    )


@cache
def feature_sets() -> dict[str, type[AtomQuantity]]:
    """Feature sets by name: the files of `qsdask.structure`, then the entry points ``qsdask.features``.

    Raises
    ------
    UsageError
        ``E-FEATURE-SET`` when two sets have one name, or one does not follow the contract.
    """
    found: dict[str, type[AtomQuantity]] = {}
    package = import_module("qsdask.structure")
    built_in = [
        import_module(f"qsdask.structure.{module.name}").FEATURE_SET
        for module in iter_modules(package.__path__)
    ]
    outside = [_loaded(entry) for entry in metadata.entry_points(group="qsdask.features")]
    for quantity in [*built_in, *outside]:
        if quantity.name in found:
            raise UsageError(f"two feature sets are named {quantity.name!r}", code="E-FEATURE-SET")
        if not (issubclass(quantity, AtomQuantity) and is_dataclass(quantity)):
            raise UsageError(
                f"the feature set {quantity.name!r} is no dataclass that inherits from qsdask.quantity.AtomQuantity",
                code="E-FEATURE-SET",
            )
        found[quantity.name] = quantity
    return found


def _loaded(entry: metadata.EntryPoint) -> type[AtomQuantity]:
    """Class of an outside feature set; a broken package is named, for it stops every command on features."""
    try:
        return entry.load()
    except (ImportError, AttributeError) as error:
        package = entry.dist.name if entry.dist else entry.value
        raise UsageError(
            f"the feature set {entry.name!r} of the package {package!r} cannot be loaded: {error}",
            code="E-FEATURE-SET",
            hint=f"mend or remove {package}",
        ) from None
