"""What the engine needs to know of anything computed per atom: columns, shells, reach, and how to compute a block."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, TypeVar

import numpy as np

from qsdask import outside
from qsdask.errors import BadDataError, InternalError, QSDaskError, UsageError
from qsdask.space.block import Block, read_only

__all__ = ["KNOWN_STATISTICS", "STATISTICS", "AtomQuantity", "Column", "column_name", "parse_column"]

T = TypeVar("T")

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


@dataclass(frozen=True, kw_only=True)
class AtomQuantity(ABC):
    """What the engine needs to know of anything computed per atom. Inherit from it: it holds the defaults.

    The fields of the dataclass that follows this contract are its settings, filled by name from
    `qsdask.settings.FeatureSettings`, and what it wants to know of the specimen: ``species`` (chemical symbols),
    ``composition`` (share of each) and ``radius`` (angstrom).

    Parameters
    ----------
    coarsen : int
        How many times the medium range is taken over the neighbours, see `qsdask.quantity.Around`.
    coarsen_radius_angstrom : tuple of float
        Within which distances it is taken too.
    coarsen_exponential_angstrom : tuple of float
        Over which lengths it is averaged with an exponential weight. A set may have others by
        default than none.
    """

    coarsen: int = 1
    coarsen_radius_angstrom: tuple[float, ...] = ()
    coarsen_exponential_angstrom: tuple[float, ...] = ()

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

    #: Whether numbers of angstrom belong to its definition: refused where lengths are in another unit.
    in_angstrom: ClassVar[bool] = False

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
        lacks = self._lacks(block)
        if lacks:
            raise InternalError(f"{self.name} was given a block without {', '.join(lacks)}", code="E-BLOCK")
        # Our own sets are known to leave the block alone, and are compiled for what can be written.
        value = (
            self.told_as_own(lambda: self.compute(read_only(block)))
            if outside.is_outside(type(self))
            else self.compute(block)
        )
        wanted = (block.n_owned, len(self.columns))
        if not isinstance(value, np.ndarray) or value.shape != wanted or value.dtype.kind not in "fiub":
            kind = f"shape {value.shape} of {value.dtype}" if isinstance(value, np.ndarray) else type(value).__name__
            raise self._refused(f"expected real numbers of shape {wanted}, got {kind}")
        if value.dtype.kind == "f" and (infinite := (np.abs(value) > LARGEST).any(axis=0)).any():
            raise self._refused(
                f"infinite values in {self.columns[int(infinite.argmax())].name}, or beyond {LARGEST:.2g}"
            )
        return value

    def _lacks(self, block: Block) -> list[str]:
        """What the set declares and the block does not hold."""
        lacks = [f"the {name} shell" for name in self.shells if name not in block.shells]
        if self.follows_deformation and block.current is None:
            lacks.append("the deformed frame")
        if not self.shells and block.reach < self.reach:
            lacks.append(f"atoms beyond {block.reach:g} of {self.reach:g} angstrom")
        if self.rings == 2:
            around = (block.shells[name].neighbour for name in self.shells if name in block.shells)
            if any(slots[: block.n_owned].max(initial=-1) >= len(slots) for slots in around):
                lacks.append("the shells of neighbours")
        return lacks

    def told_as_own(self, work: Callable[[], T]) -> T:
        """Do the work of a set of another package; what it raises, or prints, is told as its own."""
        try:
            with outside.prints_told(f"the feature set {self.name!r} of {type(self).__module__}", "computed"):
                return work()
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
