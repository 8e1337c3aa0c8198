"""Frames of what users hold in their hands: objects of other packages, told by what they can do, arrays, or a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from qsdask.errors import UsageError
from qsdask.formats.arrays import cell_around, checked_frame, digest_of, elements_of
from qsdask.formats.frame import Frame, FrameLocation, boundary_flags
from qsdask.formats.mda import vectors_of
from qsdask.formats.opening import open_trajectory

__all__ = ["KINDS", "frame_of"]

#: What `frame_of` takes, for messages.
KINDS = (
    "ase.Atoms, a pymatgen Structure, an MDAnalysis Universe or AtomGroup, an OVITO DataCollection, the path of a file, "
    "or (cell, positions, symbols)"
)


class Given(NamedTuple):
    """Arrays of one frame, as its owner has them."""

    name: str
    cell: Any
    origin: Any
    periodic: Sequence[bool]
    position: Any
    id: Any = None
    symbol: Any = None
    type: Any = None


def frame_of(system: Any, *, frame: int = 0, boundary: str | None = None) -> tuple[Frame, str]:
    """One frame of a system.

    Parameters
    ----------
    system
        See `KINDS`. Of a file or a Universe with several frames one; of arrays the cell is given as rows, periodic along all.
    frame : int
        Which frame of a file; negative numbers count from the end.
    boundary : str, optional
        Boundary of a file that does not tell it.

    Returns
    -------
    frame : Frame
        Atoms in the order given. Positions that a package keeps in single precision (MDAnalysis) are those.
    name : str
        What it is called in messages.

    Raises
    ------
    UsageError
        ``E-SYSTEM`` for anything else; ``E-STEP`` for a frame that the file does not have.
    BadDataError
        Those of `qsdask.formats.arrays.checked_frame` and of the readers.
    """
    if isinstance(system, str | os.PathLike):
        trajectory = open_trajectory(system, boundary=boundary)
        at = frame + len(trajectory) if frame < 0 else frame
        if not 0 <= at < len(trajectory):
            raise UsageError(f"no frame {frame}: the file has {len(trajectory)}", code="E-STEP", file=system)
        return next(iter(trajectory.read(at, at + 1))), os.fspath(system)
    if isinstance(system, Frame):
        return system, "the frame"
    for known, given_of in _READERS:
        if known(system):
            given = given_of(system)
            return _frame(given), given.name
    raise UsageError(
        f"cannot read atoms from an object of type {type(system).__module__}.{type(system).__qualname__}",
        code="E-SYSTEM",
        hint=f"give {KINDS}",
    )


def _frame(given: Given) -> Frame:
    position = np.array(given.position, dtype=np.float64)
    cell = np.zeros((3, 3)) if given.cell is None else np.array(given.cell, dtype=np.float64)
    if position.ndim != 2 or position.shape[1:] != (3,) or cell.shape != (3, 3):
        raise UsageError(
            f"{given.name}: positions have shape {position.shape} and the cell {cell.shape}, not (n, 3) and (3, 3)",
            code="E-SYSTEM",
        )
    periodic = np.broadcast_to(np.asarray(given.periodic, dtype=bool), (3,))
    place = FrameLocation(
        given.name,
        0,
        0,
        0,
        0,
        0,
        len(position),
        0,
        boundary_flags("".join("p" if p else "f" for p in periodic)),
        "wrapped",
        reader="ase",
    )
    origin = np.array(given.origin, dtype=np.float64)
    if not cell.any():
        cell, origin = cell_around(place, position)
    identity = np.arange(1, len(position) + 1) if given.id is None else np.array(given.id)
    for what, values in (("ids", identity), ("symbols", given.symbol), ("types", given.type)):
        if values is not None and len(values) != len(position):
            raise UsageError(f"{given.name}: {len(values)} {what} for {len(position)} atoms", code="E-SYSTEM")
    return checked_frame(
        place,
        cell=cell,
        origin=origin,
        id=identity.astype(np.int64),
        position=position,
        type=None if given.type is None else np.array(given.type, dtype=np.int64),
        element=None if given.symbol is None else elements_of([str(one) for one in given.symbol]),
        digest=digest_of(position, cell, origin, identity.astype(np.int64)),
    )


def _of_ase(atoms: Any) -> Given:
    origin = atoms.info.get("Origin", np.zeros(3)) if isinstance(getattr(atoms, "info", None), dict) else np.zeros(3)
    return Given(
        "the ase.Atoms",
        np.asarray(atoms.cell),
        origin,
        atoms.pbc,
        atoms.positions,
        _whole(atoms.arrays.get("id")),
        atoms.get_chemical_symbols(),
    )


def _of_pymatgen(structure: Any) -> Given:
    return Given(
        "the pymatgen Structure",
        structure.lattice.matrix,
        np.zeros(3),
        structure.lattice.pbc,
        structure.cart_coords,
        symbol=[site.specie.symbol for site in structure],
    )


def _of_universe(universe: Any) -> Given:
    atoms = universe.atoms
    vectors = universe.dimensions is not None and np.any(universe.dimensions[:3])
    cell = vectors_of(universe.dimensions) if vectors else None
    texts = next((found for name in ("elements", "types", "names") if (found := _texts(atoms, name)) is not None), None)
    types = texts.astype(np.int64) if texts is not None and np.char.isdecimal(texts).all() else None
    return Given(
        "the MDAnalysis atoms",
        cell,
        np.zeros(3),
        [cell is not None] * 3,
        atoms.positions,
        _whole(_held(atoms, "ids")),
        texts if types is None else None,
        types,
    )


def _texts(atoms: Any, name: str) -> np.ndarray | None:
    """Names of all atoms, where the topology has them."""
    texts = _held(atoms, name)
    stripped = None if texts is None else np.array([str(text).strip() for text in texts])
    return stripped if stripped is not None and stripped.astype(bool).all() else None


def _held(atoms: Any, name: str) -> Any:
    # MDAnalysis raises an AttributeError of its own for what a topology lacks.
    return getattr(atoms, name, None)


def _of_ovito(data: Any) -> Given:
    if data.particles is None:
        raise UsageError("the OVITO data holds no particles", code="E-SYSTEM")
    particles, matrix = data.particles, np.asarray(data.cell[...]) if data.cell is not None else None
    named = particles.particle_types
    names = {} if named is None else {kind.id: kind.name for kind in named.types}
    kinds = None if named is None else np.asarray(named[...])
    symbols = [names.get(kind, "") for kind in kinds.tolist()] if kinds is not None else []
    whole = bool(symbols) and all(symbols)
    return Given(
        "the OVITO data",
        None if matrix is None else matrix[:, :3].T,
        np.zeros(3) if matrix is None else matrix[:, 3],
        (False,) * 3 if data.cell is None else data.cell.pbc,
        np.asarray(particles.positions[...]),
        _whole(particles.identifiers),
        symbols if whole else None,
        None if whole else kinds,
    )


def _of_arrays(arrays: Any) -> Given:
    cell, position, symbols = arrays
    return Given("the arrays", cell, np.zeros(3), (cell is not None,) * 3, position, symbol=symbols)


def _whole(ids: Any) -> np.ndarray | None:
    """Ids that can name atoms: whole and different numbers; otherwise they are counted."""
    found = None if ids is None else np.asarray(ids[...])
    return found if found is not None and found.dtype.kind in "iu" and len(np.unique(found)) == len(found) else None


def _can(*names: str) -> Callable[[Any], bool]:
    return lambda system: all(hasattr(system, name) for name in names)


#: How a package is told by what its objects can do, and how they are read. Nothing is imported for it.
_READERS: tuple[tuple[Callable[[Any], bool], Callable[[Any], Given]], ...] = (
    (_can("get_chemical_symbols", "positions", "cell", "pbc", "arrays"), _of_ase),
    (_can("lattice", "cart_coords", "sites"), _of_pymatgen),
    (_can("atoms", "dimensions"), _of_universe),
    (_can("particles", "cell"), _of_ovito),
    (lambda system: isinstance(system, tuple | list) and len(system) == 3, _of_arrays),
)
