"""The medium range of stored columns: which columns each way fills, and how it is taken for the atoms of a domain."""

from __future__ import annotations

from collections.abc import Mapping
from math import gcd

import numpy as np

from qsdask.engine.halo_block import halo_block
from qsdask.engine.neighbourhood import Neighbourhood, neighbourhood
from qsdask.engine.reading import read_rows
from qsdask.kernels.cells import neighbour_shell
from qsdask.kernels.weighted import exponential_average
from qsdask.quantity import AtomQuantity, coarsened, surroundings
from qsdask.schema import group_at
from qsdask.space.block import Block, Shell
from qsdask.store.reader import Arrays

__all__ = ["chunk_of", "columns_of", "taken_around"]


def columns_of(quantity: AtomQuantity) -> list[slice]:
    """Stored columns of every part of a set: its own, then those of each surrounding."""
    n_medium = sum(column.medium for column in quantity.columns)
    widths = [n_medium * len(way.statistics(quantity)) for way in surroundings(quantity)]
    ends = np.cumsum([len(quantity.columns), *widths]).tolist()
    return [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]


def chunk_of(quantity: AtomQuantity) -> int:
    """Columns of a chunk: every part of the stage then writes whole ones."""
    own, *further = columns_of(quantity)
    # The last part may end in a chunk that is not full.
    return gcd(own.stop, *(part.stop - part.start for part in further if len(further) > 1))


def taken_around(root: Arrays, made: Arrays, domain: int, quantity: AtomQuantity, part: int, frame: int) -> np.ndarray:
    """Columns of a surrounding of the atoms of a domain, from stored columns.

    Parameters
    ----------
    root : Arrays
        Store.
    made : Arrays
        Where the columns of the parts before lie.
    domain : int
        Domain whose rows are owned.
    quantity : AtomQuantity
        The set.
    part : int
        Which surrounding, from 1.
    frame : int
        Frame that the columns describe.

    Returns
    -------
    float64 array, shape (n_owned, n_column)
    """
    near: Block | Neighbourhood
    shells: Mapping[str, Shell]
    around, parts = surroundings(quantity)[part - 1], columns_of(quantity)
    stored = made[f"{group_at(frame, f'features/{quantity.name}')}/value"]
    medium = [i for i, column in enumerate(quantity.columns) if column.medium]
    if around.reach:
        near = block = halo_block(root, domain, around.reach, frame)
        pairs = neighbour_shell(block.position, block.order, block.n_owned, around.reach, measured=False)
        if around.exponential:
            value = read_rows(stored, near.row, columns=parts[0])[:, medium]
            return exponential_average(value, block.position, pairs.neighbour, pairs.count, around.exponential)
        shells = dict.fromkeys({quantity.columns[i].shell for i in medium}, Shell(pairs.neighbour, pairs.count))
    else:
        near = neighbourhood(root, domain, quantity.shells, step=frame)
        shells = near.shells
    if around.times == 1:
        value = read_rows(stored, near.row, columns=parts[0])[:, medium]
    else:
        before = read_rows(stored, near.row, columns=parts[around.times - 1])
        value = before[:, quantity.statistics.index("mean") :: len(quantity.statistics)]
    return coarsened(quantity, value.astype(np.float64), near.n_owned, shells)
