"""How later frames are compared with the first one, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from qsdask.errors import BadDataError
from qsdask.formats.frame import FrameLocation, FramePiece

__all__ = ["SHOWN", "Policy", "lost_atoms_error", "refuse_changed_species", "refuse_strangers"]

#: Ids that a message names.
SHOWN = 20


class Policy(NamedTuple):
    """How frames are compared with the first one.

    Attributes
    ----------
    kinds : dict of int to int
        Species index of each atom type; empty when the file names elements.
    names : tuple of str
        Names of the species.
    cells : dict of int to float64 array, shape (3, 3)
        Cell of steps, continued across box flips, where it is not that of the frame. Unit: angstrom.
    lost : {"error", "mask"}
        What becomes of atoms that a frame does not have.
    labels : mapping of str to str
        Species of names that the file has for atoms, where they are not species themselves.
    new : {"error", "ignore"}
        What becomes of atoms that only this frame has.
    """

    kinds: dict[int, int]
    names: tuple[str, ...]
    cells: Mapping[int, np.ndarray]
    lost: str
    labels: Mapping[str, str]
    new: str

    def of(self, steps: Sequence[int]) -> Policy:
        """The same for some of the steps."""
        return self._replace(cells={step: self.cells[step] for step in steps if step in self.cells})

    def bears(self, n_lost: int, n_atom: int) -> bool:
        """Whether a frame may lack so many of the atoms of the first one; never all of them."""
        return not n_lost or (self.lost == "mask" and n_lost < n_atom)


def lost_atoms_error(ids: np.ndarray, n_lost: int, n_atom: int, place: FrameLocation, step: int) -> BadDataError:
    """``E-LOST-ATOMS`` for atoms of the first frame that another one does not have.

    Parameters
    ----------
    ids : int64 array, shape (n,)
        The lowest of their ids, rising: `SHOWN` of them where there are so many.
    n_lost : int
        How many are lost.
    n_atom : int
        Atoms of the first frame.
    place : FrameLocation
        Frame without them.
    step : int
        Its number.
    """
    every = n_lost == n_atom
    return BadDataError(
        f"{'all ' * every}{n_lost} atoms of the first frame are missing; ids {_few(ids, n_lost)}",
        code="E-LOST-ATOMS",
        file=place.path,
        frame=step,
        timestep=place.timestep,
        atom_id=int(ids[0]),
        why="atoms left through a free surface, or frames of different systems were mixed",
        hint="give frames of one system" if every else "--lost-atoms mask keeps the frame, with NaN for them",
    )


def refuse_strangers(piece: FramePiece, row: np.ndarray, file: str, step: int) -> None:
    new = np.flatnonzero(row < 0)
    if len(new):
        ids = piece.id[new]
        raise BadDataError(
            f"{len(ids)} atoms are not in the first frame; ids {_few(ids, len(ids))}",
            code="E-LOST-ATOMS",
            file=file,
            frame=step,
            timestep=piece.header.timestep,
            line=piece.line_of(int(new[0])),
            atom_id=int(ids[0]),
            why="atoms were added, or frames of different systems were mixed",
            hint="--new-atoms ignore counts them and leaves them out, where a deposition, an indenter or a gas adds atoms",
        )


def refuse_changed_species(
    piece: FramePiece, known: np.ndarray, expected: np.ndarray, policy: Policy, file: str, step: int
) -> None:
    """``E-TYPE-CHANGE`` unless the atoms that are known, a mask, have the species expected of them, all in one order."""
    changed = np.zeros(len(expected), dtype=bool)
    if piece.type is not None and policy.kinds:
        types = np.array(sorted(policy.kinds))
        place = np.minimum(np.searchsorted(types, piece.type), len(types) - 1)
        species = np.array([policy.kinds[int(kind)] for kind in types])
        changed |= np.where(types[place] == piece.type, species[place], -1) != expected
    if piece.element is not None and policy.names:
        index = {name: k for k, name in enumerate(policy.names)}
        named = [index.get(policy.labels.get(name, name), -1) for name in piece.element.name]
        changed |= np.array(named)[piece.element.code] != expected
    wrong = np.flatnonzero(changed & known)
    if len(wrong):
        raise BadDataError(
            f"{len(wrong)} atoms have another type or element than in the first frame",
            code="E-TYPE-CHANGE",
            file=file,
            frame=step,
            timestep=piece.header.timestep,
            line=piece.line_of(int(wrong[0])),
            atom_id=int(piece.id[wrong[0]]),
            why="species are taken to be fixed; files of two systems may have been mixed",
        )


def _few(ids: np.ndarray, n: int) -> str:
    """Some of n ids, and that there are more."""
    return ", ".join(str(i) for i in ids[:SHOWN].tolist()) + (", ..." if n > SHOWN else "")
