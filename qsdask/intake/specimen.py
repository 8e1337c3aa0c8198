"""Which glass it is: its species, and what tells it from any other however its file was written."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from qsdask.errors import BadDataError
from qsdask.formats.frame import Frame
from qsdask.intake.rowtable import RowTable
from qsdask.radii import MIRACLE, species_example
from qsdask.space.box import Box

__all__ = ["Chain", "fingerprint", "labels_of", "other_input", "species_of", "specimen_key"]

#: Ids that are looked at together.
_PIECE = 1 << 16

#: Atoms whose mutual distances tell one glass from another, however it was written.
PROBES = 64


def species_of(frame: Frame, given: Mapping[int | str, str], path: str) -> tuple[np.ndarray, list[str]]:
    """Species of every atom of the first frame; never a guess.

    Parameters
    ----------
    frame : Frame
        The first one.
    given : mapping of int or str to str
        Element of each atom type, and of each name that the file has for atoms, as far as the user says it.
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
        ``E-SPECIES`` when an element is unknown, a label is not in the file, or the user and the file disagree.
    """
    labels = {label: name for label, name in given.items() if isinstance(label, str)}
    of_types = {kind: name for kind, name in given.items() if isinstance(kind, int)}
    if labels or (frame.element is not None and not of_types):
        _refuse_unknown_labels(frame, labels, path)
    if frame.element is not None and not of_types:
        return _coded([labels.get(name, name) for name in frame.element.name], frame.element.code)
    types = [] if frame.type is None else np.unique(frame.type).tolist()
    missing = [t for t in types if t not in of_types]
    if frame.type is None or missing:
        told = _few_labels(frame)
        labels_only = bool(told) and frame.type is None
        asked = types or (frame.element.name if labels_only and frame.element else [1])
        raise _unknown(
            frame,
            path,
            "the file has no types, of which elements are given"
            if labels_only
            else f"the element of atom type {', '.join(map(str, missing)) or '?'} is not known",
            why=f"it has the labels {told}"
            if labels_only
            else "a LAMMPS type is a number; which element it is, the file does not tell",
            hint="leave the species out: these labels are elements"
            if labels_only and all(name in MIRACLE for name in asked)
            else f"give all of them, for example --species {species_example(asked)}",
        )
    kind, names = _coded([of_types[t] for t in types], np.searchsorted(types, frame.type))
    if frame.element is not None:
        _refuse_contradiction(frame, kind, names, labels, path)
    return kind, names


def labels_of(frame: Frame, kind: np.ndarray, names: Sequence[str]) -> dict[str, str]:
    """Species of the names that a frame has for its atoms, where they are not species themselves.

    Parameters
    ----------
    frame : Frame
        The first one.
    kind, names
        As of `species_of`.
    """
    if frame.element is None:
        return {}
    code, first = np.unique(frame.element.code, return_index=True)
    known = {frame.element.name[c]: names[k] for c, k in zip(code, kind[first], strict=True)}
    return {label: name for label, name in known.items() if label != name}


def _coded(name: Sequence[str], code: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Index of every atom into the sorted names, and these; `code` is its place among names that may stand twice."""
    names = sorted(set(name))
    return np.array([names.index(one) for one in name], dtype=np.int16)[code], names


def _refuse_contradiction(
    frame: Frame, kind: np.ndarray, names: Sequence[str], labels: Mapping[str, str], path: str
) -> None:
    """Refuse species by type that are not those of the element column; a label that is no element contradicts nothing."""
    assert frame.element is not None
    meant = [labels.get(name, name if name in MIRACLE else None) for name in frame.element.name]
    written = np.array([-2 if name is None else names.index(name) if name in names else -1 for name in meant])
    differs = np.flatnonzero((written[frame.element.code] != kind) & (written[frame.element.code] != -2))
    if len(differs):
        at = differs[0]
        raise _unknown(
            frame,
            path,
            f"--species says {names[kind[at]]}, the element column says {meant[frame.element.code[at]]}",
            atom_id=int(frame.id[at]),
        )


def _refuse_unknown_labels(frame: Frame, labels: Mapping[str, str], path: str) -> None:
    """Refuse labels that no atom has: most are misspelt, and what they should name would keep its own name."""
    known = () if frame.element is None else frame.element.name
    if unknown := [label for label in labels if label not in known]:
        raise _unknown(
            frame,
            path,
            f"no atom has the label {', '.join(unknown)}",
            why=f"the labels of the file are {_few_labels(frame)}" if known else "the file has types, and no labels",
            hint=f"for example --species {species_example(known[:9] or (1, 2))}",
        )


def _few_labels(frame: Frame) -> str:
    """Names that the file has for atoms, some of them; empty when it has none."""
    names = () if frame.element is None else frame.element.name
    return ", ".join(names[:9]) + ", ..." * (len(names) > 9)


def _unknown(frame: Frame, path: str, message: str, **more: Any) -> BadDataError:
    return BadDataError(message, code="E-SPECIES", file=path, frame=0, timestep=frame.timestep, **more)


def specimen_key(table: RowTable, name: Sequence[str]) -> str:
    """Name of a specimen from its ids and elements alone: the same however rows were cut or positions written.

    Parameters
    ----------
    table : RowTable
        With species.
    name : sequence of str
        Of the species.
    """
    found = hashlib.blake2b(digest_size=16)
    for ids, _ in table.in_order(_PIECE):
        found.update(ids.astype("<i8").tobytes())
    separator = ""
    for _, species in table.in_order(_PIECE, "species"):
        found.update((separator + ",".join(np.array(name)[species].tolist())).encode())
        separator = "," if len(species) else separator
    return found.hexdigest()


class Chain(NamedTuple):
    """Atoms chosen by their ids, those that come first where the ids are scattered; of a part of a glass, or of all of it.

    Attributes
    ----------
    id : int64 array, shape (n,)
    position : float64 array, shape (n, 3)
        Reference positions. Unit: angstrom or sigma.
    """

    id: np.ndarray
    position: np.ndarray

    @classmethod
    def of(cls, atom_id: np.ndarray, position: np.ndarray) -> Chain:
        """The chain of some atoms; that of several chains is that of all their atoms."""
        scattered = atom_id.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        near = np.arange(len(atom_id)) if len(atom_id) <= PROBES else np.argpartition(scattered, PROBES)[:PROBES]
        chosen = near[np.argsort(scattered[near], kind="stable")]
        return cls(atom_id[chosen], position[chosen])


def fingerprint(chain: Chain, box: Box) -> list[float]:
    """Distances along a chain of atoms chosen by their ids; one glass has one, moved or wrapped as it may be.

    Parameters
    ----------
    chain : Chain
        Of all atoms.
    box : Box
        Reference cell.

    Returns
    -------
    list of float
        In the unit of the positions, three decimals.
    """
    step = box.reduced(chain.position[1:]) - box.reduced(chain.position[:-1])
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
