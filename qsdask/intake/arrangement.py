"""An undeformed frame in memory as rows: which glass it is, which atom comes where, and which rows are a domain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from qsdask.formats.frame import Frame
from qsdask.intake.soundness import overlapping, refuse_flat, refuse_overlap
from qsdask.intake.specimen import species_of
from qsdask.radii import radius_of
from qsdask.space.box import Box
from qsdask.space.domains import bisect, domain_rows
from qsdask.store.in_memory import StoreInMemory
from qsdask.units import stored_length

__all__ = ["Arrangement", "arranged", "held"]


class Arrangement(NamedTuple):
    """An undeformed frame, row by row.

    Attributes
    ----------
    box : Box
        Its cell.
    order : int64 array, shape (n_atom,)
        Index in the frame of the atom of row 0, 1, ...
    rows : int64 array, shape (n_domain, 2)
        First row of every domain and the row after its last.
    position : float64 array, shape (n_atom, 3)
        Wrapped, in the order of the frame. Unit: angstrom.
    kind : int16 array, shape (n_atom,)
        Species of every atom in the order of the frame, an index into `names`.
    names : list of str
        Species in alphabetical order.
    radii : list of float
        Of each species. Unit: angstrom.
    """

    box: Box
    order: np.ndarray
    rows: np.ndarray
    position: np.ndarray
    kind: np.ndarray
    names: list[str]
    radii: list[float]

    def atoms(self, frame: Frame) -> dict[str, Any]:
        """Content of the group ``atoms``."""
        species = self.kind[self.order]
        return {"id": frame.id[self.order], "species": species, "species_name": self.names, "radius": self.radii}


def arranged(
    frame: Frame, path: str, *, species: Mapping[int | str, str], radius: Mapping[str, float], chunk: int
) -> Arrangement:
    """Arrange an undeformed frame for a store.

    Parameters
    ----------
    frame : Frame
        The undeformed glass.
    path : str
        Where it comes from, for messages.
    species : mapping of int or str to str
        Element of each atom type or label, as far as the user says it.
    radius : mapping of str to float
        Radii that replace the table's; of every species where lengths are in sigma.
    chunk : int
        Atoms per domain.

    Returns
    -------
    Arrangement

    Raises
    ------
    BadDataError
        ``E-2D``, ``E-OVERLAP``, ``E-BOX``, ``E-SPECIES``, ``E-RADIUS``.
    """
    refuse_flat(frame.position.min(axis=0), frame.position.max(axis=0), frame.natoms, path, frame.timestep)
    box = Box(frame.cell, frame.origin, frame.periodic)
    position = box.wrap(frame.position)
    refuse_overlap(overlapping(position, frame.id), path, frame.timestep)
    kind, names = species_of(frame, species, path)
    radii = radius_of(names, radius, stored_length(frame.units))
    order = bisect(position, frame.id, box, chunk)
    return Arrangement(box, order, domain_rows(len(order), chunk), position, kind, names, radii)


def held(frame: Frame, arrangement: Arrangement, *more: Frame) -> StoreInMemory:
    """What ``ingest`` would store of some frames, in memory.

    Parameters
    ----------
    frame : Frame
        The undeformed glass.
    arrangement : Arrangement
        Of it.
    *more : Frame
        Deformed frames of the same atoms, in any order.

    Returns
    -------
    StoreInMemory
        With ``atoms``, ``frames`` without strains, and ``domains``.
    """
    frames = (frame, *more)
    order, box, rows = arrangement.order, arrangement.box, arrangement.rows
    store = StoreInMemory(rows, stored_length(frame.units))
    sizes = {"step": len(frames), "atom": len(order), "kind": len(arrangement.names), "domain": len(rows)}
    for group in ("atoms", "frames", "domains"):
        store.create(group, {**sizes, "xyz": 3, "vector": 3, "line": 3, "side": 2, "word": 2})
    store.put("atoms", arrangement.atoms(frame))
    timesteps = [one.timestep for one in frames]
    store.put("frames", {"periodic": frame.periodic, "n_lost": 0, "timestep": timesteps})
    store.put("domains", {"row": rows})
    ids = frame.id[order]
    before = box.reduced(arrangement.position[order])
    for step, one in enumerate(frames):
        there = order if step == 0 else _places(one.id, ids)
        position, now = one.position[there], Box(one.cell, one.origin, frame.periodic)
        reduced = now.reduced(position)
        followed = reduced - np.where(box.periodic, np.rint(reduced - before), 0.0)
        store["frames/position"][step] = position
        store["frames/cell"][step], store["frames/origin"][step] = now.cell, now.origin
        store["domains/bounds"][step] = [_extent(followed[first:stop]) for first, stop in rows.tolist()]
    return store


def _places(ids: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Where each wanted id, all of which are there, stands."""
    by_id = np.argsort(ids, kind="stable")
    return by_id[np.searchsorted(ids, wanted, sorter=by_id)]


def _extent(reduced: np.ndarray) -> Sequence[np.ndarray]:
    return reduced.min(axis=0), reduced.max(axis=0)
