"""Sets whose atoms take steps together before they are looked at: each from what all atoms within reach had before it."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from qsdask import outside
from qsdask.quantity.contract import AtomQuantity
from qsdask.space.block import Block, read_only
from qsdask.space.layers import Layers

__all__ = ["IteratedQuantity", "advanced"]


@dataclass(frozen=True, kw_only=True)
class IteratedQuantity(AtomQuantity):
    """A set for which every atom has numbers of its own, its state, and a fixed number of steps changes them.

    `reach` is that of one step, and of `compute`, which finds the last state of all atoms in `Block.state`. Steps see
    positions on a grid on which differences are exact (`qsdask.space.layers`), so that a bond has the same bits from
    either end and in every image: what a step gives to an atom is then the same wherever it is computed, and so are all
    numbers, however the glass is cut and however many steps are done between one exchange of states and the next.
    """

    #: Float64 numbers of each atom.
    n_state: ClassVar[int]
    #: Number of steps. All begin with zeros.
    n_step: ClassVar[int]
    #: Memory that what is prepared takes for a pair of atoms, besides its four bytes of neighbour. Unit: bytes.
    bytes_of_pair: ClassVar[int] = 0

    def _lacks(self, block: Block) -> list[str]:
        return super()._lacks(block) + (["the state that the steps lead to"] if block.state is None else [])

    @abstractmethod
    def prepared(self, block: Block, n: int) -> Any:
        """What all steps of the first `n` entries need: neighbours within `reach` in rising `Block.order`, and so on."""

    @abstractmethod
    def step(self, prepared: Any, number: int, old: np.ndarray, new: np.ndarray, n: int) -> None:
        """Write what step `number`, from 0, makes of the states `old` of the first `n` entries into `new`.

        Parameters
        ----------
        prepared : object
            What `prepared` gave, for as many entries or more.
        number : int
            Which step.
        old, new : float64 array, shape (n_local, n_state)
            States before and after it.
        n : int
            Entries to compute. Sums run in rising order of identity.
        """


def advanced(
    quantity: IteratedQuantity, block: Block, layers: Layers, state: np.ndarray, steps: range, left: int
) -> np.ndarray:
    """States after some steps.

    Parameters
    ----------
    quantity : IteratedQuantity
        Whose steps.
    block : Block
        As `qsdask.space.layers.layered` gives it.
    layers : Layers
        Which entries lie how far out, with room for all steps and `left`.
    state : float64 array, shape (n_local, n_state)
        Before the first of them; its memory is used for those after.
    steps : range
        Numbers of the steps.
    left : int
        Reaches beyond the owned atoms within which the result is right: 1 for a `compute` that follows.

    Returns
    -------
    float64 array, shape (n_local, n_state)
        Entries farther out hold older states.
    """
    if outside.is_outside(type(quantity)):
        return quantity.told_as_own(lambda: _advanced(quantity, read_only(block), layers, state, steps, left))
    return _advanced(quantity, block, layers, state, steps, left)


def _advanced(
    quantity: IteratedQuantity, block: Block, layers: Layers, state: np.ndarray, steps: range, left: int
) -> np.ndarray:
    prepared = quantity.prepared(block, layers.within(len(steps) - 1 + left))
    old, new = state, state.copy()
    for done, number in enumerate(steps, start=1):
        quantity.step(prepared, number, old, new, layers.within(len(steps) - done + left))
        new[layers.n_first :] = new[layers.source]
        old, new = new, old
    return old
