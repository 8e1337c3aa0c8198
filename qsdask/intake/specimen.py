"""Which glass it is: its species, and what tells it from any other however its file was written."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from qsdask.errors import BadDataError
from qsdask.formats.frame import Frame
from qsdask.space.box import Box

__all__ = ["fingerprint", "other_input", "species_of", "specimen_key"]

#: Atoms whose mutual distances tell one glass from another, however it was written.
PROBES = 64


def species_of(frame: Frame, given: Mapping[int, str], path: str) -> tuple[np.ndarray, list[str]]:
    """Species of every atom of the first frame; never a guess.

    Parameters
    ----------
    frame : Frame
        The first one.
    given : mapping of int to str
        Element of each atom type, as far as the user says it.
    path : str
        Its file, for messages.

    Returns
    -------
    index : int16 array, shape (n_atom,)
        Into the names.
    name : list of str
        Elements in alphabetical order.

    Raises
    ------
    BadDataError
        ``E-SPECIES`` when an element is unknown, or the user and the file disagree.
    """
    if frame.element is not None and not given:
        return frame.element.code.astype(np.int16), list(frame.element.name)
    types = [] if frame.type is None else np.unique(frame.type).tolist()
    missing = [t for t in types if t not in given]
    if frame.type is None or missing:
        raise BadDataError(
            f"the element of atom type {', '.join(map(str, missing)) or '?'} is not known",
            code="E-SPECIES",
            file=path,
            frame=0,
            timestep=frame.timestep,
            why="a LAMMPS type is a number; which element it is, the file does not tell",
            hint="give all of them, for example --species " + ",".join(f"{t}=Cu" for t in types or [1]),
        )
    names = sorted({given[t] for t in types})
    lookup = np.zeros(max(types) + 1, dtype=np.int16)
    for t in types:
        lookup[t] = names.index(given[t])
    kind = lookup[frame.type]
    if frame.element is not None:
        written = np.array(frame.element.name)[frame.element.code]
        differs = np.flatnonzero(written != np.array(names)[kind])
        if len(differs):
            at = differs[0]
            raise BadDataError(
                f"--species says {names[kind[at]]}, the element column says {written[at]}",
                code="E-SPECIES",
                file=path,
                frame=0,
                timestep=frame.timestep,
                atom_id=int(frame.id[at]),
            )
    return kind, names


def specimen_key(atom_id: np.ndarray, element: Sequence[str]) -> str:
    """Name of a specimen from its ids and elements alone: the same however rows were cut or positions written."""
    order = np.argsort(atom_id, kind="stable")
    text = ",".join(np.asarray(element)[order].tolist())
    return hashlib.blake2b(atom_id[order].astype("<i8").tobytes() + text.encode(), digest_size=16).hexdigest()


def fingerprint(atom_id: np.ndarray, position: np.ndarray, box: Box) -> list[float]:
    """Distances along a chain of atoms chosen by their ids; one glass has one, moved or wrapped as it may be.

    Parameters
    ----------
    atom_id : int64 array, shape (n_atom,)
        Ids in row order.
    position : float64 array, shape (n_atom, 3)
        Reference positions in row order. Unit: angstrom.
    box : Box
        Reference cell.

    Returns
    -------
    list of float
        Unit: angstrom, three decimals.
    """
    scattered = atom_id.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    chain = position[np.argsort(scattered, kind="stable")[:PROBES]]
    step = box.reduced(chain[1:]) - box.reduced(chain[:-1])
    step -= np.where(box.periodic, np.rint(step), 0.0)
    return np.round(np.linalg.norm(step @ box.cell, axis=1), 3).tolist()


def other_input(path: Path, hint: str) -> BadDataError:
    """``E-OTHER-INPUT`` for a trajectory that is not that of the store."""
    return BadDataError(
        "this is not the trajectory that the store was made from",
        code="E-OTHER-INPUT",
        file=path,
        why="its frames have other content than those ingested",
        hint=hint,
    )
