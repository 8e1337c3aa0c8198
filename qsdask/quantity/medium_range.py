"""The medium range of a quantity: statistics over neighbours, within radii, and exponentially weighted averages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from qsdask.kernels import segment
from qsdask.quantity.contract import KNOWN_STATISTICS, AtomQuantity, Column, column_name, parse_column
from qsdask.space.block import Shell

__all__ = ["EXPONENTIAL_REACH", "Around", "coarsened", "medium_range", "surroundings"]

#: Where exponentially weighted averages end. Unit: angstrom.
EXPONENTIAL_REACH = 12.0


@dataclass(frozen=True)
class Around:
    """One way to take the medium range.

    Attributes
    ----------
    times : int
        1: statistics over the neighbours. n: the same statistics of the means that way n - 1 gave the neighbours.
    radius : float
        Instead: statistics over all atoms and images nearer than this, the atom itself left out. Unit: angstrom.
    exponential : float
        Instead: the average over all atoms and images nearer than `EXPONENTIAL_REACH` and the atom itself, each weighted
        by exp(-r / exponential). Unit: angstrom.
    """

    times: int = 1
    radius: float = 0.0
    exponential: float = 0.0

    @property
    def prefix(self) -> str:
        """First part of its columns' names: ``mro``, ``mro2``, ``mro_r5p5`` within or ``mro_e5p5`` over 5.5 angstrom."""
        if self.reach:
            length = self.radius or self.exponential
            return f"mro_{'r' if self.radius else 'e'}{length:g}".replace(".", "p")
        return "mro" if self.times == 1 else f"mro{self.times}"

    @property
    def reach(self) -> float:
        """How far it looks, 0 where stored shells tell. Unit: angstrom."""
        return EXPONENTIAL_REACH if self.exponential else self.radius

    def statistics(self, quantity: AtomQuantity) -> tuple[str, ...]:
        """What it takes of the columns of a quantity."""
        return ("mean",) if self.exponential else quantity.statistics

    def column(self, own: Column, statistic: str) -> Column:
        """A statistic of a column of the set."""
        if self.exponential:
            return Column(
                column_name(self.prefix, *parse_column(own.name)[1:], statistic),
                own.unit,
                f"{statistic} with weights exp(-r / {self.exponential:g} angstrom) within {EXPONENTIAL_REACH:g} angstrom, the atom "
                f"itself included, of: {own.meaning}",
                "NaN at the atom itself; others without a value are left out",
                own.shell,
                medium=False,
            )
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


def surroundings(quantity: AtomQuantity) -> tuple[Around, ...]:
    """The ways in which a quantity has a medium range, in stored order: one after the other they fill its columns.

    Without a mean among its statistics there is nothing to take again.
    """
    if not any(column.medium for column in quantity.columns):
        return ()
    times = quantity.coarsen if "mean" in quantity.statistics else 1
    # Without stored shells there are no neighbours to take it over.
    repeated = [Around(n) for n in range(1, times + 1)] if quantity.shells else []
    within = [Around(radius=radius) for radius in quantity.coarsen_radius_angstrom]
    return (*repeated, *within, *(Around(exponential=length) for length in quantity.coarsen_exponential_angstrom))


def medium_range(quantity: AtomQuantity) -> tuple[Column, ...]:
    """Medium-range columns of a quantity: of every surrounding each column, of each column every statistic."""
    return tuple(
        around.column(column, statistic)
        for around in surroundings(quantity)
        for column in quantity.columns
        if column.medium
        for statistic in around.statistics(quantity)
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
