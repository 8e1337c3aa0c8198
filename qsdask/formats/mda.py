"""Everything that is not a LAMMPS text dump, through MDAnalysis, as the same frames."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterator, Sequence

import MDAnalysis
import numpy as np
from MDAnalysis.lib.mdamath import triclinic_vectors

from qsdask.errors import BadDataError
from qsdask.formats.frame import Elements, Frame, FrameLocation, ReadWarning, periodic_axes

_ATOM_STYLES = {
    "atomic": "id type x y z",
    "charge": "id type charge x y z",
    "molecular": "id resid type x y z",
    "full": "id resid type charge x y z",
}

__all__ = ["index_universe", "is_known", "read_universe"]


def is_known(path: str | os.PathLike) -> bool:
    """Whether MDAnalysis reads files named like this one (``.gz`` and ``.bz2`` put aside)."""
    name = os.fspath(path).lower()
    for packed in (".gz", ".bz2"):
        name = name.removesuffix(packed)
    known = set(MDAnalysis._READERS) | set(MDAnalysis._SINGLEFRAME_WRITERS)
    return os.path.splitext(name)[1].removeprefix(".").upper() in known - {"DUMP", "LAMMPSDUMP"}


def _universe(path, topology):
    files = [os.fspath(path)] if topology is None else [os.fspath(topology), os.fspath(path)]
    style = _atom_style(files[0]) if files[0].lower().endswith(".data") else None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return MDAnalysis.Universe(*files, to_guess=(), **({"atom_style": style} if style else {}))
    except Exception as error:  # MDAnalysis raises whatever its parsers met
        raise BadDataError(
            f"MDAnalysis cannot read it: {type(error).__name__}: {error}",
            code="E-FORMAT",
            file=path,
            hint=None
            if topology is not None
            else "give the topology beside it, if the format has none of its own",
        ) from error


def _atom_style(path):
    """Columns of a LAMMPS data file, from ``Atoms # style`` or their number; None when neither tells."""
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.split("#")[0].strip() != "Atoms":
                continue
            style = line.partition("#")[2].strip()
            first = next((row.split("#")[0].split() for row in file if row.strip()), [])
            if not style and len(first) in (5, 8):  # three image flags may follow
                style = "atomic"
            return _ATOM_STYLES.get(style)
    return None


def index_universe(
    path: str | os.PathLike,
    *,
    topology: str | os.PathLike | None = None,
    boundary: tuple[str, str, str] | None,
) -> tuple[list[FrameLocation], list[ReadWarning]]:
    """Find all frames of a file that MDAnalysis reads.

    Parameters
    ----------
    path, topology : path-like
        Coordinates, and the topology if the coordinates do not name the atoms (DCD, XTC, NetCDF).
    boundary : tuple of str
        Always needed: MDAnalysis drops boundary flags.

    Returns
    -------
    frames : list of FrameLocation
        ``timestep`` is the step of the file where the format has one, else the position in the file.
    warnings : list of ReadWarning
        ``W-FLOAT32``, ``W-NO-STEP``.

    Raises
    ------
    BadDataError
        ``E-FORMAT``, ``E-BOUNDARY-UNKNOWN``.
    """
    if boundary is None:
        raise BadDataError(
            "files read through MDAnalysis do not say which boundaries are periodic",
            code="E-BOUNDARY-UNKNOWN",
            file=path,
            hint="give the boundary, for example --boundary ppp",
        )
    name = os.fspath(path)
    notes = [
        ReadWarning("W-FLOAT32", f"{name}: read through MDAnalysis: single precision, the cell at the origin")
    ]
    universe = _universe(path, topology)
    frames, guessed = [], False
    for ordinal, step in enumerate(universe.trajectory):
        guessed |= "step" not in step.data
        frames.append(
            FrameLocation(
                path=name,
                ordinal=ordinal,
                offset=0,
                length=0,
                header=0,
                timestep=int(step.data.get("step", ordinal)),
                natoms=step.n_atoms,
                line=0,
                boundary=boundary,
                convention="wrapped",
                reader="mda",
            )
        )
    if guessed:
        notes.append(ReadWarning("W-NO-STEP", f"{name}: no timesteps in the file; frames are counted from 0"))
    return frames, notes


def read_universe(
    locations: Sequence[FrameLocation], *, topology: str | os.PathLike | None = None
) -> Iterator[Frame]:
    """Read frames that `index_universe` found.

    Parameters
    ----------
    locations : sequence of FrameLocation
        Of one file.
    topology : path-like, optional

    Yields
    ------
    Frame
        Coordinates are single precision in origin, float64 in type. Without a cell and without a periodic
        axis the cell is the box that holds all atoms. ``id`` is that of the topology, or 1, 2, 3, ...;
        types that are whole numbers become ``type``, others ``element``.

    Raises
    ------
    BadDataError
        ``E-BOX`` (no cell although an axis is periodic, or no volume), ``E-NUMBER`` (a coordinate is not
        finite), ``E-DUP-ID``.
    """
    if not locations:
        return
    universe = _universe(locations[0].path, topology)
    atoms = universe.atoms
    identity = np.array(atoms.ids, np.int64) if hasattr(atoms, "ids") else np.arange(1, len(atoms) + 1)
    kind, element = _species(atoms)
    for place in locations:
        refuse = _Refusal(place)
        if np.unique(identity).size != identity.size:
            values, n = np.unique(identity, return_counts=True)
            raise refuse(f"atom id {values[n > 1][0]} appears twice in one frame", "E-DUP-ID")
        step = universe.trajectory[place.ordinal]
        position = step.positions.astype(np.float64)
        bad = np.flatnonzero(~np.isfinite(position).all(axis=1))
        if bad.size:
            raise refuse(f"a coordinate of atom id {identity[bad[0]]} is not finite", "E-NUMBER")
        cell, origin = _cell(step.dimensions, position, place.boundary, refuse)
        digest = hashlib.blake2b(digest_size=16)
        for array in (position, cell, origin, identity):
            digest.update(np.ascontiguousarray(array).tobytes())
        yield Frame(
            timestep=place.timestep,
            natoms=position.shape[0],
            cell=cell,
            origin=origin,
            boundary=place.boundary,
            id=identity.copy(),
            position=position,
            convention=place.convention,
            type=None if kind is None else kind.copy(),
            element=element,
            digest=digest.hexdigest(),
        )


class _Refusal:
    def __init__(self, place):
        self.place = place

    def __call__(self, message, code, **more):
        place = self.place
        return BadDataError(
            message, code=code, file=place.path, frame=place.ordinal, timestep=place.timestep, **more
        )


def _cell(dimensions, position, boundary, refuse):
    if dimensions is not None and np.any(dimensions[:3] != 0):
        cell = triclinic_vectors(dimensions, dtype=np.float64)
        if not np.linalg.det(cell) > 0:
            raise refuse(f"the box spans no volume: {np.asarray(dimensions).tolist()}", "E-BOX")
        return cell, np.zeros(3)
    if periodic_axes(boundary).any():
        raise refuse(
            "the frame has no box, but the boundary given is periodic",
            "E-BOX",
            hint="the box of extended XYZ is not read: convert it to a LAMMPS dump, or give --boundary fff",
        )
    low, high = position.min(axis=0), position.max(axis=0)
    return np.diag(np.maximum(high - low, 1.0)), low


def _species(atoms):
    """Type (int64) or element names, whichever the topology has."""
    for attribute in ("elements", "types", "names"):
        texts = getattr(atoms, attribute, None)
        if texts is None or not all(str(text).strip() for text in texts):
            continue
        texts = np.array([str(text).strip() for text in texts])
        if np.char.isdecimal(texts).all():
            return texts.astype(np.int64), None
        names, code = np.unique(texts, return_inverse=True)
        return None, Elements(tuple(names.tolist()), code.astype(np.int32))
    return None, None
