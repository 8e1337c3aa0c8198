"""The one contract for everything computed per atom: structural features and responses alike.

A quantity declares its columns, the shells it needs and its reach; ``compute(block)`` returns one row per owned
atom. The engine knows nothing else, so a new feature set is one file in `qsdask.structure`, or an entry point of
the group ``qsdask.features``.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from qsdask import outside
from qsdask.errors import BadDataError, InternalError, QSDaskError, UsageError
from qsdask.kernels import segment
from qsdask.names import checked_name
from qsdask.space.block import Block, Shell, read_only

__all__ = [
    "KNOWN_STATISTICS",
    "STATISTICS",
    "Around",
    "AtomQuantity",
    "Column",
    "coarsened",
    "column_name",
    "feature_sets",
    "medium_range",
    "parse_column",
    "source_of_set",
    "surroundings",
]

#: Statistics over neighbours, unless a set names others.
STATISTICS = ("mean", "std", "min", "max")
#: All that a set may name, in the order of the last axis of `qsdask.kernels.segment.coarsen`.
KNOWN_STATISTICS = (*STATISTICS, "sum")

#: Largest value that is stored: features are kept in single precision, where what is larger becomes infinite.
LARGEST = float(np.finfo(np.float32).max)

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


@dataclass(frozen=True)
class Around:
    """One way to take the medium range.

    Attributes
    ----------
    times : int
        1: statistics over the neighbours. n: the same statistics of the means that way n - 1 gave the neighbours.
    radius : float
        Instead: statistics over all atoms and images nearer than this, the atom itself left out. Unit: angstrom.
    """

    times: int = 1
    radius: float = 0.0

    @property
    def prefix(self) -> str:
        """First part of its columns' names: ``mro``, ``mro2``, or ``mro_r5p5`` within 5.5 angstrom."""
        if self.radius:
            return f"mro_r{self.radius:g}".replace(".", "p")
        return "mro" if self.times == 1 else f"mro{self.times}"

    def column(self, own: Column, statistic: str) -> Column:
        """A statistic of a column of the set."""
        over, lack = f"the neighbours ({own.shell} shell)", "neighbours"
        if self.radius:
            over, lack = f"all atoms within {self.radius:g} angstrom", "atom within the radius"
        again = "" if self.times == 1 else f"mean over theirs, {self.times - 1} times, of: "
        return Column(
            column_name(self.prefix, *parse_column(own.name)[1:], statistic),
            own.unit,
            f"{statistic} over {over} of: {again}{own.meaning}",
            f"no {lack}, or NaN at one of them",
            own.shell,
            medium=False,
        )


@dataclass(frozen=True, kw_only=True)
class AtomQuantity(ABC):
    """What the engine needs to know of anything computed per atom. Inherit from it: it holds the defaults.

    The fields of the dataclass that follows this contract are its settings, filled by name from
    `qsdask.settings.FeatureSettings`, and what it wants to know of the specimen: ``species`` (chemical symbols),
    ``composition`` (share of each) and ``radius`` (angstrom).

    Parameters
    ----------
    coarsen : int
        How many times the medium range is taken over the neighbours, see `Around.times`.
    coarsen_radius_angstrom : tuple of float
        Within which distances it is taken too, see `Around.radius`.
    """

    coarsen: int = 1
    coarsen_radius_angstrom: tuple[float, ...] = ()

    #: Name of the set, as typed by the user.
    name: ClassVar[str]
    #: Its own columns, in stored order.
    columns: ClassVar[tuple[Column, ...]]
    #: Stored shells that the block must carry.
    shells: ClassVar[tuple[str, ...]]
    #: Whether the block must carry the deformed frame too: a response, not a feature.
    follows_deformation: ClassVar[bool] = False
    #: Whose shells the block carries: 1, those of the owned atoms; 2, those of their neighbours too.
    rings: ClassVar[int] = 1
    #: Every atom within this distance of an owned one is wanted, for a set without stored shells. Unit: that of the store,
    #: so best a multiple of the radii.
    reach: ClassVar[float] = 0.0
    #: Statistics over the neighbours that make the medium range.
    statistics: ClassVar[tuple[str, ...]] = STATISTICS
    #: Time of `compute` for one atom on one core, as `tests/benchmarks/bench_sets.py` measured it. Unit: microseconds.
    cost: ClassVar[float | None] = None

    #: Settings that the specimen decides where the user leaves them open: part of what a model must find again.
    implied: ClassVar[Mapping[str, str]] = MappingProxyType({})

    @abstractmethod
    def compute(self, block: Block) -> np.ndarray:
        """Values of the owned atoms.

        Parameters
        ----------
        block : Block
            With the shells that the quantity names, for the owned atoms, and with two rings for the ghosts among their
            neighbours too; with every atom within `reach`; with the deformed frame if it follows the deformation.

        Returns
        -------
        float64 array, shape (n_owned, n_column)
            Units and NaN rules as of `columns`.
        """

    def __call__(self, block: Block) -> np.ndarray:
        """`compute`, between a look at the block and one at what came of it.

        Raises
        ------
        InternalError
            ``E-BLOCK`` when the block holds less than the set declares: a silent zero or a neighbour left out would be
            a wrong number.
        BadDataError
            ``E-FEATURE-OUTPUT`` when the values are not one finite or NaN number for each owned atom and column, or a set
            of another package fails: NumPy would repeat a single row, and drop an imaginary part, without a word.
        """
        lacks = [f"the {name} shell" for name in self.shells if name not in block.shells]
        if self.follows_deformation and block.current is None:
            lacks.append("the deformed frame")
        if not self.shells and block.reach < self.reach:
            lacks.append(f"atoms beyond {block.reach:g} of {self.reach:g} angstrom")
        if self.rings == 2:
            around = (block.shells[name].neighbour for name in self.shells if name in block.shells)
            if any(slots[: block.n_owned].max(initial=-1) >= len(slots) for slots in around):
                lacks.append("the shells of neighbours")
        if lacks:
            raise InternalError(f"{self.name} was given a block without {', '.join(lacks)}", code="E-BLOCK")
        # Our own sets are known to leave the block alone, and are compiled for what can be written.
        value = self._computed_outside(block) if outside.is_outside(type(self)) else self.compute(block)
        wanted = (block.n_owned, len(self.columns))
        if not isinstance(value, np.ndarray) or value.shape != wanted or value.dtype.kind not in "fiub":
            kind = f"shape {value.shape} of {value.dtype}" if isinstance(value, np.ndarray) else type(value).__name__
            raise self._refused(f"expected real numbers of shape {wanted}, got {kind}")
        if value.dtype.kind == "f" and (infinite := (np.abs(value) > LARGEST).any(axis=0)).any():
            raise self._refused(
                f"infinite values in {self.columns[int(infinite.argmax())].name}, or beyond {LARGEST:.2g}"
            )
        return value

    def _computed_outside(self, block: Block) -> np.ndarray:
        """What a set of another package gives; what it raises, or prints, is told as its own."""
        try:
            with outside.prints_told(f"the feature set {self.name!r} of {type(self).__module__}", "computed"):
                return self.compute(read_only(block))
        except QSDaskError:
            raise
        except (Exception, SystemExit) as error:
            raise self._refused(f"it failed with {type(error).__name__}: {error}") from error

    def _refused(self, why: str) -> BadDataError:
        return BadDataError(
            f"the feature set {self.name!r} of {type(self).__module__} did not give what it declares: {why}",
            code="E-FEATURE-OUTPUT",
            hint="mend the set; qsdask.testing.FeatureSetTests finds such faults on small blocks",
        )


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


def surroundings(quantity: AtomQuantity) -> tuple[Around, ...]:
    """The ways in which a quantity has a medium range, in stored order: one after the other they fill its columns.

    Without a mean among its statistics there is nothing to take again.
    """
    if not any(column.medium for column in quantity.columns):
        return ()
    times = quantity.coarsen if "mean" in quantity.statistics else 1
    repeated = (Around(n) for n in range(1, times + 1))
    return (*repeated, *(Around(radius=radius) for radius in quantity.coarsen_radius_angstrom))


def medium_range(quantity: AtomQuantity) -> tuple[Column, ...]:
    """Medium-range columns of a quantity: of every surrounding each column, of each column every statistic."""
    return tuple(
        around.column(column, statistic)
        for around in surroundings(quantity)
        for column in quantity.columns
        if column.medium
        for statistic in quantity.statistics
    )


def coarsened(quantity: AtomQuantity, value: np.ndarray, n_owned: int, shells: Mapping[str, Shell]) -> np.ndarray:
    """Statistics over the neighbours of the owned atoms, of the columns that have a medium range.

    Parameters
    ----------
    quantity : AtomQuantity
        Tells over which shell each column is taken, and by which statistics.
    value : float64 array, shape (n_local, n_medium)
        Those columns, or the means of them, of every local entry.
    n_owned : int
        Number of owned atoms.
    shells : mapping of str to Shell
        Their neighbours, as local entries.

    Returns
    -------
    float64 array, shape (n_owned, n_medium * n_statistic)
        In the order of `medium_range`.
    """
    of = [column.shell for column in quantity.columns if column.medium]
    wanted = [KNOWN_STATISTICS.index(name) for name in quantity.statistics]
    out = np.full((n_owned, len(of), len(wanted)), np.nan)
    for name, shell in shells.items():
        chosen = [i for i, other in enumerate(of) if other == name]
        if chosen:
            taken = np.ascontiguousarray(value[:, chosen])
            found = segment.coarsen(taken, n_owned, shell.neighbour, shell.count)
            out[:, chosen] = found[..., wanted]
    return out.reshape(n_owned, len(of) * len(wanted))


def feature_sets() -> dict[str, type[AtomQuantity]]:
    """Feature sets by name: the files of `qsdask.structure`, then the entry points ``qsdask.features``.

    Raises
    ------
    UsageError
        ``E-FEATURE-SET`` when two sets have one name, or one cannot be loaded or does not follow the contract; ``E-NAMING``
        when its name cannot be one.
    """
    return {name: kind for name, (kind, _) in _registered().items()}


def source_of_set(name: str) -> dict[str, str]:
    """What tells one version of a set of another package from another, see `qsdask.outside.source_of`; empty for our own."""
    return _registered()[name][1]


@cache
def _registered() -> dict[str, tuple[type[AtomQuantity], dict[str, str]]]:
    """Feature sets by name, each with its source as it was when it was loaded."""
    package = import_module("qsdask.structure")
    found: dict[str, tuple[type[AtomQuantity], dict[str, str]]] = {}
    for module in iter_modules(package.__path__):
        ours = import_module(f"qsdask.structure.{module.name}").FEATURE_SET
        found[ours.name] = (ours, {})
    for entry in outside.entries():
        place = outside.package_of(entry)
        kind: Any = outside.loaded(entry)
        if fault := _breach(kind):
            told = getattr(kind, "name", None) or getattr(kind, "__name__", kind)
            raise UsageError(
                f"the feature set {told!r} of the package {place!r} does not follow the contract: {fault}",
                code="E-FEATURE-SET",
                hint=f"mend or remove {place}; see qsdask.quantity.AtomQuantity",
            )
        if kind.name in found:
            raise UsageError(
                f"two feature sets are named {kind.name!r}", code="E-FEATURE-SET", hint=f"mend or remove {place}"
            )
        checked_name(kind.name, f"feature set (of the package {place})", key=True)
        found[kind.name] = (kind, outside.source_of(kind, entry))
    return found


def _breach(kind: Any) -> str | None:
    """What a class of another package lacks to be a feature set."""
    if not (isinstance(kind, type) and issubclass(kind, AtomQuantity) and "__dataclass_params__" in vars(kind)):
        return "it is no dataclass that inherits from AtomQuantity"
    declared: dict[str, Any] = {name: getattr(kind, name, None) for name in ("name", "columns", "shells", "statistics")}
    name, columns = declared["name"], declared["columns"]
    if not isinstance(name, str):
        return "it has no name"
    if name == "all" or "," in name:
        return "commas join the names of sets, and 'all' stands for every one"
    if not (columns and isinstance(columns, tuple) and all(isinstance(column, Column) for column in columns)):
        return "its columns are no tuple of Column"
    if len({column.name for column in columns}) != len(columns):
        return "two of its columns have one name"
    for what, allowed in (("shells", {"voronoi", "cutoff"}), ("statistics", set(KNOWN_STATISTICS))):
        if not isinstance(declared[what], tuple) or not set(declared[what]) <= allowed:
            return f"its {what} are no tuple of some of {', '.join(sorted(allowed))}"
    if kind.rings not in (1, 2):
        return f"its rings are {kind.rings!r}"
    try:
        kind()
    except (Exception, SystemExit) as error:
        return f"it cannot be made with its default settings: {type(error).__name__}: {error}"
    return None
