"""Steps of an iterated set over a store: several a pass, each pass with a halo of as many reaches.

What the atoms hold between two passes lies in a folder of the store of its own, `qsdask.store.beside.SCRATCH`, with a
ledger as every stage has one: a pass that was interrupted goes on where it was. The last steps are done by the task that
computes the columns, without a pass. When the set is complete the folder goes.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
from distributed import Client

from qsdask.engine.cost import Size, owned_and_ghosts
from qsdask.engine.halo_block import halo_block
from qsdask.engine.reading import held_rows, placed, read_rows
from qsdask.engine.tasks import run_tasks
from qsdask.files.lock import refuse_lost
from qsdask.quantity import IteratedQuantity, advanced
from qsdask.space.block import Block
from qsdask.space.halo import in_halo, pieces_of, widened
from qsdask.space.layers import layered
from qsdask.store import ledger
from qsdask.store.beside import clear_scratch, scratch_of
from qsdask.store.ledger import Begun, Record
from qsdask.store.reader import Arrays
from qsdask.store.task_writer import StageRun, Work
from qsdask.store.template import create_group

__all__ = ["Passes", "create_states", "cuts_of", "halo_of", "pass_of_domain", "state_group", "stepped_block"]

#: Time to read an atom of a block and find its neighbours, and to begin and end a task. Unit: microseconds.
_FIND, _TASK = 1.5, 1e5
#: Time of all steps for an atom where no measured one is known. Unit: microseconds.
_COST = 50.0
#: A block of a pass holds at most so many times the owned atoms, or so many in all where these are few.
_LARGEST, _FEW = 4.0, 100_000


@dataclass(frozen=True)
class Passes:
    """What runs before the tasks of a stage whose set is iterated.

    Attributes
    ----------
    name : str
        Of the set.
    settings : dict
        Settings that decide the states.
    cuts : tuple of int
        Step at which each pass begins, 0 first, and the number of all steps.
    unit : callable
        ``unit(work, part, domain)`` does the steps of pass `part` for a domain.
    template : callable
        ``template(root, n_pass=…)`` creates the array of states.
    """

    name: str
    settings: dict
    cuts: tuple[int, ...]
    unit: Callable
    template: Callable[..., None]

    def run(self, path: Path, begun: Begun, n_domain: int, client: Client, progress: bool) -> Work | None:
        """Do the passes that are missing; what a task reads the last states from, None where there are no passes."""
        n_pass = len(self.cuts) - 2
        if not n_pass:
            return None
        root, key = scratch_of(path, begun.record.key), state_group(self.name)
        # States belong to one beginning of the stage: what was made from other numbers, or cut otherwise, is no use.
        settings = {**self.settings, "run": begun.record.runs[:1], "cuts": self.cuts}
        record = Record(key, (key,), settings, {}, (n_pass, 1, n_domain), 1)
        if not ledger.same(root, record):
            clear_scratch(path, begun.record.key)
        work = StageRun.of(path, ledger.begin(root, record, partial(self.template, n_pass=n_pass)))
        todo = ledger.pending(root, key)
        for part in sorted({part for part, _, _ in todo}):
            units = [(work, part, domain) for other, _, domain in todo if other == part]
            label = f"{self.name} pass {part + 1}/{n_pass}"
            with closing(run_tasks(client, self.unit, units, label=label, progress=progress)) as results:
                for _ in results:
                    refuse_lost(path)
            if part:
                clear_scratch(path, begun.record.key, f"{key}/state/c/{part - 1}")
        return work


def state_group(name: str) -> str:
    """Group, and ledger, of the states of a set."""
    return f"passes/{name}"


def cuts_of(size: Size, quantity: IteratedQuantity) -> tuple[int, ...]:
    """Steps at which passes begin, and their number: as many steps a pass as take the least time in all.

    Many steps a pass compute much of the halo again, few read and search often. The last ones are done with the columns.
    """
    if size.n_domain == 1:
        # All atoms are owned, and their images are copies.
        return (0, quantity.n_step)
    per_step = (quantity.cost or _COST) / quantity.n_step
    owned, most = owned_and_ghosts(size, 0.0)[0], size.n_atom

    def spent(k: int) -> float:
        """Microseconds of all passes of a domain, k steps each."""
        within = [owned + owned_and_ghosts(size, t * quantity.reach)[1] for t in range(k + 1)]
        steps = sum(min(n, most) for n in within[:-1])
        return -(-n_turn // k) * (_TASK + _FIND * within[-1] + per_step * steps)

    # The columns are one turn more: they look one reach farther than their atoms, too.
    n_turn = quantity.n_step + 1
    held = [owned + owned_and_ghosts(size, k * quantity.reach)[1] for k in range(n_turn + 1)]
    allowed = [k for k in range(1, n_turn + 1) if held[k] <= max(_LARGEST * owned, _FEW)]
    n_pass = -(-n_turn // min(allowed or [1], key=spent))
    *begins, _ = np.linspace(0, n_turn, n_pass + 1).round()
    return (*(int(step) for step in begins), quantity.n_step)


def halo_of(size: Size, quantity: IteratedQuantity) -> float:
    """The widest halo of a pass. Unit: angstrom."""
    *steps, last = [end - begin for begin, end in pairwise(cuts_of(size, quantity))]
    return quantity.reach * (1 if size.n_domain == 1 else max([*steps, last + 1]))


def stepped_block(
    root: Arrays,
    made: Arrays | None,
    domain: int,
    quantity: IteratedQuantity,
    cuts: tuple[int, ...],
    part: int,
    frame: int = 0,
) -> Block:
    """Block of a domain with the states after a pass.

    Parameters
    ----------
    root : Arrays
        Store.
    made : Arrays or None
        Where the states after the pass before lie; not read by the first.
    domain : int
        Domain whose rows are owned.
    quantity : IteratedQuantity
        Whose steps.
    cuts : tuple of int
        Of `cuts_of`.
    part : int
        Which pass. After the last one the atoms within one reach of the owned ones have theirs too.
    frame : int
        Frame of the positions.

    Returns
    -------
    Block
        With `Block.state`.
    """
    steps, left = range(cuts[part], cuts[part + 1]), int(part == len(cuts) - 2)
    n_layer = 1 if root.n_domain == 1 else len(steps) + left
    block = halo_block(root, domain, n_layer * quantity.reach, frame, exact=True)
    layer = _layer_of(block, root["domains/bounds"][frame][domain], quantity.reach, n_layer)
    block, layers = layered(replace(block, reach=quantity.reach), layer)
    if part:
        assert made is not None
        state = read_rows(made[f"{state_group(quantity.name)}/state"], block.row, step=part - 1)
    else:
        state = np.zeros((len(block.row), quantity.n_state))
    return replace(block, state=advanced(quantity, block, layers, state, steps, left))


def _layer_of(block: Block, bounds: np.ndarray, reach: float, n_layer: int) -> np.ndarray:
    """In which layer around the owned atoms each entry lies; int, shape (n_local,)."""
    reduced = block.box.reduced(block.position)
    layer = np.full(len(reduced), n_layer)
    pieces = pieces_of(reduced[: block.n_owned], bounds, block.box)
    for out in range(n_layer - 1, 0, -1):
        for piece in pieces:
            layer[in_halo(reduced, (0, 0, 0), widened(piece, out * reach, block.box))] = out
    layer[: block.n_owned] = 0
    return layer


def pass_of_domain(
    work: Work, part: int, domain: int, *, quantity: IteratedQuantity, cuts: tuple[int, ...], frame: int
) -> None:
    """Do the steps of one pass for a domain, and write the states that its atoms then have."""
    root = work.reader()
    block = stepped_block(root, work.own(), domain, quantity, cuts, part, frame)
    assert block.state is not None
    state = placed(block.state[: block.n_owned], held_rows(root, domain, frame), 0.0)
    with work.committing(part, 0, domain) as writer:
        writer.write(state_group(quantity.name), "state", (part, root.rows(domain)), state[None])


def create_states(root: Path, n_pass: int, *, name: str, n_state: int, n_atom: int, chunk: int) -> None:
    """Create the array of states of a set below a root."""
    sizes = {"pass": n_pass, "atom": n_atom, "state": n_state}
    create_group(root, state_group(name), sizes, {"pass": 1, "atom": chunk}, {})
