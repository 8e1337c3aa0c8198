"""Formats that no other reader here knows, through MDAnalysis, as the same frames.

MDAnalysis takes seconds to import, so it is imported when such a file is met.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from types import ModuleType

import numpy as np

from qsdask.errors import BadDataError
from qsdask.formats.arrays import BadFrame, cell_around, checked_frame, digest_of, elements_of, read_each
from qsdask.formats.compression import LINES_PER_BYTE
from qsdask.formats.container import TextFile
from qsdask.formats.frame import Elements, Frame, FrameLocation, ReadWarning
from qsdask.formats.refusal import changed, refuse_beyond, refuse_many
from qsdask.units import scale_of

_ATOM_STYLES = {
    "atomic": "id type x y z",
    "charge": "id type charge x y z",
    "molecular": "id resid type x y z",
    "full": "id resid type charge x y z",
}

#: Names of LAMMPS dumps, which are read here by nothing but their own readers.
_DUMP_NAMES = frozenset({"", "DUMP", "LAMMPSDUMP", "LAMMPSTRJ", "BIN", "LAMMPSBIN", "TXT", "GZ", "BZ2", "ZST"})

#: Where the number of atoms stands: byte of a big-endian number, or line that begins with it.
_COUNT_BYTE = {"XTC": 4, "TRR": 64}
_COUNT_LINE = {"XYZ": 0, "TXYZ": 0, "ARC": 0, "GRO": 1}
_LONGEST_COUNT = 20

__all__ = ["index_universe", "is_known", "read_universe", "vectors_of"]


def _mdanalysis() -> ModuleType:
    import MDAnalysis

    return MDAnalysis


def is_known(path: str | os.PathLike) -> bool:
    """Whether MDAnalysis reads files named like this one (``.gz`` and ``.bz2`` put aside)."""
    suffix = _suffix(path)
    if suffix in _DUMP_NAMES or suffix.isdigit():
        return False
    package = _mdanalysis()
    return suffix in set(package._READERS) | set(package._SINGLEFRAME_WRITERS)


def _declared(suffix: str, head: bytes) -> int:
    """Atoms that the beginning of a file says, in formats in which MDAnalysis makes room for them at once; 0 in others."""
    if suffix in _COUNT_BYTE:
        return int.from_bytes(head[_COUNT_BYTE[suffix] :][:4], "big")
    lines = head.split(b"\n")
    word = (lines[_COUNT_LINE[suffix]].split() or [b""])[0] if _COUNT_LINE.get(suffix, len(lines)) < len(lines) else b""
    return int(word) if word.isdigit() and len(word) <= _LONGEST_COUNT else 0


def _refuse_counts(name):
    """Refuse more atoms than the file can hold, or the memory."""
    with TextFile(name) as text:
        head = bytearray(4096)
        natoms = _declared(_suffix(name), bytes(head[: text.readinto(memoryview(head))]))
        refuse_beyond(natoms, text.stored * LINES_PER_BYTE, text.stored, name, frame=0)


def _suffix(name):
    """In capitals, ``.gz`` and ``.bz2`` put aside."""
    name = os.path.basename(os.fspath(name)).lower()
    for packed in (".gz", ".bz2"):
        name = name.removesuffix(packed)
    return os.path.splitext(name)[1].removeprefix(".").upper()


def _universe(path, topology):
    files = [os.fspath(path)] if topology is None else [os.fspath(topology), os.fspath(path)]
    for name in files:
        _refuse_counts(name)
    style = _atom_style(files[0]) if files[0].lower().endswith(".data") else None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _mdanalysis().Universe(*files, to_guess=(), **({"atom_style": style} if style else {}))
    except Exception as error:  # MDAnalysis raises whatever its parsers met
        raise BadDataError(
            f"MDAnalysis cannot read it: {type(error).__name__}: {error}",
            code="E-FORMAT",
            file=path,
            hint=None if topology is not None else "give the topology beside it, if the format has none of its own",
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


def _step(trajectory, ordinal, path):
    """One step; what a format's reader meets in a damaged file becomes an error of ours."""
    try:
        return trajectory[ordinal]
    except Exception as error:  # MDAnalysis raises whatever its readers met
        raise BadDataError(
            f"MDAnalysis cannot read the frame: {type(error).__name__}: {error}",
            code="E-FORMAT",
            file=path,
            frame=ordinal,
            why="the file is cut or damaged",
        ) from error


def index_universe(
    path: str | os.PathLike, *, topology: str | os.PathLike | None = None, boundary: tuple[str, str, str] | None
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
        ``E-FORMAT``, ``E-COUNT``, ``E-MEMORY``, ``E-BOUNDARY-UNKNOWN``.
    """
    if boundary is None:
        raise BadDataError(
            "files read through MDAnalysis do not say which boundaries are periodic",
            code="E-BOUNDARY-UNKNOWN",
            file=path,
            hint="give the boundary, for example --boundary ppp, or fff where the file has no cell",
        )
    name = os.fspath(path)
    notes = [ReadWarning("W-FLOAT32", f"{name}: read through MDAnalysis: single precision, the cell at the origin")]
    universe = _universe(path, topology)
    refuse_many(len(universe.trajectory), path)
    frames, guessed = [], False
    for ordinal in range(len(universe.trajectory)):
        step = _step(universe.trajectory, ordinal, path)
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
                by_order=not hasattr(universe.atoms, "ids"),
            )
        )
    if guessed:
        notes.append(ReadWarning("W-NO-STEP", f"{name}: no timesteps in the file; frames are counted from 0"))
    return frames, notes


def read_universe(
    locations: Sequence[FrameLocation], *, topology: str | os.PathLike | None = None, on_bad: BadFrame | None = None
) -> Iterator[Frame]:
    """Read frames that `index_universe` found.

    Parameters
    ----------
    locations : sequence of FrameLocation
        Of one file.
    topology : path-like, optional
    on_bad : callable, optional
        Called with the error of a frame that cannot be used, which is then left out; without it the error is
        raised.

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
        finite), ``E-DUP-ID``, ``E-TYPE``, ``E-CHANGED``.
    """
    if not locations:
        return
    universe = _universe(locations[0].path, topology)
    atoms = universe.atoms
    identity = np.array(atoms.ids, np.int64) if hasattr(atoms, "ids") else np.arange(1, len(atoms) + 1)
    kind, element = _species(atoms)

    def read_one(place):
        if place.ordinal >= len(universe.trajectory) or place.natoms != len(atoms):
            raise changed(place)
        step = _step(universe.trajectory, place.ordinal, place.path)
        position = step.positions.astype(np.float64) * scale_of(place.units)
        cell, origin = _cell(step, place, position)
        return checked_frame(
            place,
            cell=cell,
            origin=origin,
            id=identity.copy(),
            position=position,
            type=None if kind is None else kind.copy(),
            element=element,
            digest=digest_of(position, cell, origin, identity),
        )

    yield from read_each(locations, read_one, on_bad)


def _cell(step, place, position):
    if step.dimensions is None or not np.any(step.dimensions[:3] != 0):
        return cell_around(place, position)
    return vectors_of(step.dimensions) * scale_of(place.units), np.zeros(3)


def vectors_of(dimensions: np.ndarray) -> np.ndarray:
    """Cell vectors as rows, float64, from MDAnalysis' lengths and angles (degrees)."""
    return _mdanalysis().lib.mdamath.triclinic_vectors(dimensions, dtype=np.float64)


def _species(atoms) -> tuple[np.ndarray | None, Elements | None]:
    """Type (int64) or element names, whichever the topology has."""
    for attribute in ("elements", "types", "names"):
        texts = getattr(atoms, attribute, None)
        if texts is None or not all(str(text).strip() for text in texts):
            continue
        texts = np.array([str(text).strip() for text in texts])
        if np.char.isdecimal(texts).all():
            return texts.astype(np.int64), None
        return None, elements_of(texts)
    return None, None
