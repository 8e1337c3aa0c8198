"""A handful of atoms on which the kernels are compiled before the work begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from qsdask.kernels.cells import neighbour_shell
from qsdask.kernels.tessellate import keep_facets, voronoi_shell
from qsdask.kernels.weighted import exponential_average
from qsdask.quantity import AtomQuantity, IteratedQuantity, advanced, coarsened, surroundings
from qsdask.space.block import Block, Shell
from qsdask.space.box import Box
from qsdask.space.layers import layered

__all__ = ["compile_set", "toy_block"]


def toy_block(reach: float, shells: Sequence[str] = (), rings: int = 1) -> Block:
    """27 owned atoms inside a perturbed simple cubic cluster, typed exactly as the blocks of a store.

    Parameters
    ----------
    reach : float
        Reach the block claims. Unit: angstrom.
    shells : sequence of str
        Shells to attach, of ``"voronoi"`` and ``"cutoff"``.
    rings : {1, 2}
        Shells of the owned atoms, or also of those around them.

    Returns
    -------
    Block
        Its current frame is its reference frame.
    """
    grid = np.stack(np.meshgrid(*[np.arange(-4, 5)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    grid = grid[np.argsort(np.abs(grid).max(axis=1), kind="stable")]
    position = 2.6 * grid + 0.2 * np.sin(7.0 * grid + np.arange(3))
    n_local, n_owned = len(grid), 27
    row = np.arange(n_local)
    box = Box(np.eye(3) * 60.0, np.full(3, -30.0), np.array([True, True, True]))
    block = Block(
        n_owned,
        row,
        np.zeros((n_local, 3), dtype=np.int8),
        position,
        row,
        np.zeros(n_local, dtype=np.int16),
        np.full(n_local, 1.3),
        box,
        reach,
        current=position,
        current_box=box,
    )
    # The 125 atoms of the inner cube hold all neighbours of the owned ones.
    shelled = n_owned if rings == 1 else 125
    made: dict[str, Shell] = {}
    if "cutoff" in shells:
        pairs = neighbour_shell(position, row, shelled, 4.0)
        made["cutoff"] = Shell(pairs.neighbour, pairs.count, pairs.distance)
    if "voronoi" in shells:
        cell = keep_facets(voronoi_shell(position, row, shelled, reach))
        made["voronoi"] = Shell(cell.neighbour, cell.count, cell.distance, cell.area, cell.edges, cell.volume)
    return replace(block, shells=made)


def compile_set(quantity: AtomQuantity) -> None:
    """Run the kernels of a feature set and of its medium range once."""
    block = toy_block(max(6.0, quantity.reach), shells=quantity.shells, rings=quantity.rings)
    if isinstance(quantity, IteratedQuantity):
        block, layers = layered(block, (np.arange(len(block.row)) >= block.n_owned).astype(np.int64))
        state = np.zeros((len(block.row), quantity.n_state))
        for number in (0, quantity.n_step - 1):
            state = advanced(quantity, block, layers, state, range(number, number + 1), 0)
        block = replace(block, state=state)
    value = np.zeros((len(block.row), len(quantity.columns)))
    value[: block.n_owned] = quantity(block)
    medium = value[:, [column.medium for column in quantity.columns]]
    ways = surroundings(quantity)
    if any(not way.reach for way in ways):
        coarsened(quantity, medium, block.n_owned, block.shells)
    if any(way.exponential for way in ways):
        near = neighbour_shell(block.position, block.order, block.n_owned, 4.0, measured=False)
        exponential_average(medium, block.position, near.neighbour, near.count, 1.0)
