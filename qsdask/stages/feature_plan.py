"""What a feature set will cost: its own columns, the passes of its steps, and its medium range."""

from __future__ import annotations

import numpy as np

from qsdask.engine.cost import SLOTS, Size, StagePlan, owned_and_ghosts, plan_stage, slot_bytes
from qsdask.engine.passes import cuts_of, halo_of
from qsdask.quantity import AtomQuantity, IteratedQuantity, surroundings
from qsdask.stages.medium_range import columns_of
from qsdask.units import ANGSTROM

__all__ = ["plan_of"]

#: Distance within which stored Voronoi shells name neighbours. Unit: angstrom.
SHELL_REACH = 5.0


def plan_of(size: Size, quantity: AtomQuantity, cutoff: float = 0.0, length: str = ANGSTROM) -> StagePlan:
    """What one feature set will cost, on a cut-off shell of this radius."""
    parts = [part.stop - part.start for part in columns_of(quantity)]
    n_own, width = parts[0], max([0, *parts[1:]])
    shell_reach = max(SHELL_REACH, cutoff) if length == ANGSTROM else 1.25 * cutoff
    cuts: tuple[int, ...] = ()
    reach = quantity.reach
    if isinstance(quantity, IteratedQuantity):
        cuts = cuts_of(size, quantity)
        reach = halo_of(size, quantity)
    owned, ghosts = owned_and_ghosts(size, reach or shell_reach * quantity.rings)
    # The shells of the ghosts are read apart and put behind those of the owned atoms: for a while they are there twice.
    shelled = owned if quantity.rings == 1 else 1.6 * sum(owned_and_ghosts(size, shell_reach))
    ways = surroundings(quantity)
    repeated = 4 * width if any(way.times > 1 for way in ways) else 0
    work: float = (owned + ghosts) * (110 + 8 * n_own + repeated) + owned * 16 * (n_own + width)
    work += shelled * slot_bytes(SLOTS) if quantity.shells else ghosts * 60
    scratch = 0.0
    density = size.n_atom / float(np.prod(size.height))
    if isinstance(quantity, IteratedQuantity):
        # State before and after, and what a chunk is read into; neighbours and their springs of all but the outermost.
        held = (owned + ghosts) * (40 * quantity.n_state + 400) + 6 * owned * 8 * quantity.n_state
        work += held + (owned + ghosts) * _slots(density, quantity.reach) * (4 + quantity.bytes_of_pair)
        scratch = 2.0 * size.n_atom * 8 * quantity.n_state if len(cuts) > 2 else 0.0
    for way in ways:
        within = owned_and_ghosts(size, way.reach)[1]
        if way.reach:
            taken = (owned + within) * (170 + 8 * n_own) + owned * (
                4 * _slots(density, way.reach) + 16 * (n_own + width)
            )
            work, ghosts = max(work, taken), max(ghosts, within)
    tasks = (max(len(cuts) - 1, 1) + len(ways)) * size.n_domain
    return plan_stage(
        "features",
        size,
        work=work,
        tasks=tasks,
        ghosts=ghosts,
        n_column=sum(parts),
        scratch=scratch,
        part=quantity.name,
    )


def _slots(density: float, reach: float) -> float:
    """Slots of a list of all atoms within a reach: the most crowded atom has some more neighbours than the mean."""
    return 1.5 * density * 4.0 / 3.0 * np.pi * reach**3
