"""How far atoms are from free surfaces, for the margin within which they are left out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from qsdask.engine.reading import read_box, read_rows
from qsdask.errors import UsageError
from qsdask.kernels.tessellate import OPEN
from qsdask.schema import command_of
from qsdask.store import ledger
from qsdask.store.reader import StoredArray, StoreReader
from qsdask.store.record import read_record
from qsdask.units import ANGSTROM, SIGMA, renamed

__all__ = ["known_depth", "margin_of", "surface_distance", "surface_ledgers", "surface_note", "values_at"]

KEY = "surface"


def margin_of(label: Mapping) -> float:
    """Surface margin of a model's label, which carries its unit in its name. Unit: that of the model's glasses."""
    return float(next(label[name] for length in (ANGSTROM, SIGMA) if (name := f"surface_margin_{length}") in label))


def surface_ledgers(path: Path, margin: float) -> tuple[str, ...]:
    """Ledger that a margin rests on; none for a store in which nobody has looked for surfaces.

    Parameters
    ----------
    path : Path
        Root of the store.
    margin : float
        Unit: angstrom.

    Raises
    ------
    UsageError
        ``E-MARGIN`` for a margin that is wider than the distances that are known.
    ResumableError
        ``E-INCOMPLETE`` when surfaces are being looked for.
    """
    if ledger.read(path, KEY) is None:
        return ()
    facts, length = ledger.require(path, KEY).facts, StoreReader(path).length
    known = facts[renamed("reach_angstrom", length)]
    if facts["n_on_surface"] and margin > known:
        raise UsageError(
            f"the surface margin is {margin:g} {length}, and distances from the surface are known up to {known:g}",
            code="E-MARGIN",
            file=path,
            hint=f"{command_of(path, KEY)} --reach {margin:g} --overwrite",
        )
    return (KEY,)


def surface_note(path: Path, margin: float) -> list[str]:
    """``W-NO-SURFACE`` where a margin is asked for, and surfaces that there are were not looked for.

    That there are some is seen from axes without a period and from open Voronoi cells; see `surface_distance`.
    """
    if not margin or surface_ledgers(path, margin) or not _has_surfaces(path):
        return []
    return [
        "W-NO-SURFACE: nobody has looked for free surfaces; the margin is taken from the outermost atoms along axes "
        "without a period, and vacuum, pores and cracks are not seen: 'qsdask migrate' finds them"
    ]


def _has_surfaces(path: Path) -> bool:
    """Whether a store in which nobody has looked for surfaces shows signs of one."""
    root = StoreReader(path)
    if not read_box(root, 0).periodic.all():
        return True
    shells = ledger.read(path, "shells")
    if shells is None or not shells.complete:
        return False
    flag = root["shells/voronoi/flag"]
    return any((flag[root.rows(domain)] & OPEN).any() for domain in range(root.n_domain))


def values_at(array: StoredArray, rows: slice | np.ndarray, step: int | None = None) -> np.ndarray:
    """Values of rows, a slice or numbers in any order, of an array over atoms, or of one step of it."""
    if isinstance(rows, slice):
        return array[rows] if step is None else array[step, rows]
    return read_rows(array, rows, step=step)


def known_depth(path: Path, margin: float) -> float:
    """How far from the surface-free inside all is known: distances are told up to here; infinite without surfaces.

    Parameters
    ----------
    path : Path
        Root of the store.
    margin : float
        As of `surface_ledgers`. Unit: that of the store.
    """
    if not surface_ledgers(path, margin):
        return np.inf
    facts = ledger.require(path, KEY).facts
    return float(facts[renamed("reach_angstrom", StoreReader(path).length)]) if facts["n_on_surface"] else np.inf


def surface_distance(root: StoreReader, rows: slice | np.ndarray) -> np.ndarray:
    """Distance of reference atoms from the nearest free surface.

    Parameters
    ----------
    root : StoreReader
        Store.
    rows : slice or int64 array
        Rows asked for.

    Returns
    -------
    float64 array, shape (n,)
        As stored; see `qsdask.stages.surface`. In a store that does not have them: measured along the axes without
        periodic boundary from the outermost atoms. Infinite where there is no surface. Unit: angstrom.
    """
    found = read_record(root.path, KEY)
    if found is not None and found.complete:
        return values_at(root[f"{KEY}/surface_distance"], rows)
    return _from_faces(root, rows)


def _from_faces(root: StoreReader, rows: slice | np.ndarray) -> np.ndarray:
    box = read_box(root, 0)
    position = values_at(root["frames/position"], rows, 0)
    distance = np.full(len(position), np.inf)
    bounds = root["domains/bounds"][0]
    reduced = box.reduced(position)
    for axis in np.flatnonzero(~np.asarray(box.periodic, dtype=bool)):
        low, high = bounds[:, 0, axis].min(), bounds[:, 1, axis].max()
        inside = np.minimum(reduced[:, axis] - low, high - reduced[:, axis]) * box.height[axis]
        distance = np.minimum(distance, inside)
    return distance
