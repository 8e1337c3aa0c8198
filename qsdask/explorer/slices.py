"""What is drawn: the atoms of a slice, or all atoms above a softness, read domain by domain."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from qsdask.analysis.slab import axis_number, cut_slab, face_height, finalise, slab_mask
from qsdask.errors import UsageError
from qsdask.explorer.glass import Glass
from qsdask.study.slice import grain

__all__ = ["KINDS", "MOST_ATOMS", "MOST_IN_SLICE", "Cut", "atoms_above", "kind_mask", "slice_atoms", "smooth_d2"]

#: Atoms of a slice that are drawn at most; a slice of 4 angstrom of 10^9 atoms has 1.5 million.
MOST_IN_SLICE = 2_000_000

#: Atoms that are drawn in three dimensions at most; of more, evenly spread ones.
MOST_ATOMS = 500_000

#: Domains that are read at once, for all who ask: disks and buckets answer many as fast as one.
_TOGETHER = ThreadPoolExecutor(8, "qsdask-slice")

#: Pixels of the smoothed D2min at most.
_PIXELS = 65_536

#: Atoms that may be asked for by name.
KINDS = ("all", "soft", "hard", "plastic")


@dataclass(frozen=True)
class Cut:
    """Which slice of which frame.

    Attributes
    ----------
    frame : int
        Frame of D2min and of the columns.
    axis : str
        Normal, x, y or z: that of the faces of the cell, as in ``tree.qs.slab``.
    centre : float
        Coordinate of its middle plane along the normal. Unit: that of the lengths.
    thickness : float
        Unit: that of the lengths.
    undeformed : bool
        Whether atoms are shown, and taken, where they were in the undeformed glass.
    """

    frame: int
    axis: str
    centre: float
    thickness: float
    undeformed: bool = False

    @property
    def step(self) -> int:
        """Frame of the positions."""
        return 0 if self.undeformed else self.frame


def slice_atoms(glass: Glass, cut: Cut, column: str) -> dict[str, Any]:
    """Atoms of a slice, in the order of their rows.

    Parameters
    ----------
    glass : Glass
    cut : Cut
    column : str
        Of `Glass.value`, what is coloured by.

    Returns
    -------
    dict
        ``found`` of `qsdask.analysis.slab.cut_slab`; arrays over its atoms ``row``, ``species``, ``value``; ``domains``, how many
        were read.

    Raises
    ------
    UsageError
        ``E-AXIS``, ``E-THICKNESS``, also for a slice of more than `MOST_IN_SLICE` atoms, ``E-COLUMN``.
    """
    step, box, axis = cut.step, glass.box(cut.step), axis_number(cut.axis)
    centre = face_height(cut.centre, box.cell, box.origin, axis)
    place = (box.cell, box.origin, box.periodic)
    where: dict[str, Any] = {"axis": axis, "centre": centre, "thickness": cut.thickness}
    domains = _domains(glass, axis, centre, cut)
    parts: list[tuple[np.ndarray, ...]] = []
    n_atom = 0

    def inside_of(domain: int) -> tuple[np.ndarray, ...]:
        position = glass.position(domain, step)
        inside = np.flatnonzero(slab_mask(position, *place, **where))
        if not len(inside):
            return ()
        rows = inside + glass.root.rows(domain).start
        return (position[inside], rows, *(each[inside] for each in _columns(glass, domain, cut.frame, column)))

    # Together: the disk, or the bucket, is waited for by one while another unpacks.
    for part in _TOGETHER.map(inside_of, domains):
        n_atom += len(part[1]) if part else 0
        if n_atom > MOST_IN_SLICE:
            raise UsageError(
                f"a slice of {cut.thickness:g} {glass.root.length} has more than {MOST_IN_SLICE:,} atoms",
                code="E-THICKNESS",
                file=glass.path,
                hint="a thinner slice",
            )
        if part:
            parts.append(part)
    if not parts:
        none = np.zeros(0)
        parts = [(np.zeros((0, 3)), none.astype(np.int64), none.astype(np.int16), none, none, none)]
    position, row, species, value, qs, d2 = (np.concatenate(part) for part in zip(*parts, strict=True))
    # All of these are inside; what is cut again is the picture of them.
    found = cut_slab(position, *place, qs, d2, glass.radius[species], **where)
    return {"found": found, "row": row, "species": species, "value": value, "domains": len(domains)}


def smooth_d2(made: dict[str, Any], thickness: float, length: str) -> dict[str, Any]:
    """Smoothed D2min of a slice, for its contours.

    Parameters
    ----------
    made : dict
        Of `slice_atoms`.
    thickness : float
        Of the slice. Unit: that of the lengths.
    length : str
        That unit.

    Returns
    -------
    dict
        ``map``, float32, shape (n_v, n_u), NaN far from all atoms; ``corner``, ``along``, ``across``, where the middle of its first
        pixel is in the plane, and the ways to the next in a row and in a column.
    """
    pixel, smoothing = grain(length, thickness)
    field = finalise(made["found"], pixel=pixel, smoothing=smoothing, max_pixels=_PIXELS)
    u, v = field["map_u"].values, field["map_v"].values
    place = np.stack([u, v], axis=-1)
    corner = place[0, 0]
    along = place[0, 1] - corner if u.shape[1] > 1 else np.zeros(2)
    across = place[1, 0] - corner if u.shape[0] > 1 else np.zeros(2)
    return {"map": field["map_d2"].values.astype(np.float32), "corner": corner, "along": along, "across": across}


def atoms_above(glass: Glass, frame: int, above: float, column: str, most: int = MOST_ATOMS) -> dict[str, Any]:
    """Atoms with a softness above a value, in the order of their rows.

    Parameters
    ----------
    glass : Glass
    frame : int
        Frame of the positions and of the column.
    above : float
        QS of the undeformed glass.
    column : str
        Of `Glass.value`.
    most : int
        Atoms that are handed on at most: of more, every second, third, ... of them, so that all parts of the glass keep their
        share.

    Returns
    -------
    dict
        ``position`` wrapped, float64, shape (n, 3); ``row``, ``species``, ``value``, ``qs``; ``total``, how many there are.

    Raises
    ------
    UsageError
        ``E-NO-QS`` without softness; ``E-COLUMN``.
    """
    _refuse_without_qs(glass)
    domains = range(glass.root.n_domain)
    number = [int(np.count_nonzero(glass.qs(domain) > above)) for domain in domains]
    total, before, box = sum(number), 0, glass.box(frame)
    parts: list[tuple[np.ndarray, ...]] = []
    for domain, n in zip(domains, number, strict=True):
        if n:
            inside = np.flatnonzero(glass.qs(domain) > above)
            if total > most:
                place = np.arange(before, before + n)
                inside = inside[(place + 1) * most // total > place * most // total]
            before += n
            species, value, qs, _ = _columns(glass, domain, frame, column)
            rows = inside + glass.root.rows(domain).start
            position = box.wrap(glass.position(domain, frame)[inside])
            parts.append((position, rows, species[inside], value[inside], qs[inside]))
    if not parts:
        none = np.zeros(0)
        parts = [(np.zeros((0, 3)), none.astype(np.int64), none.astype(np.int16), none, none)]
    names = ("position", "row", "species", "value", "qs")
    return {**dict(zip(names, map(np.concatenate, zip(*parts, strict=True)), strict=True)), "total": total}


def kind_mask(glass: Glass, domain: int, frame: int, kind: str, soft: float, hard: float) -> np.ndarray:
    """Which rows of a domain belong to a kind of atoms.

    Parameters
    ----------
    glass : Glass
    domain : int
    frame : int
        Frame in which atoms are plastic.
    kind : str
        One of `KINDS`: soft are those with QS > `soft`, hard those with QS < `hard`.
    soft, hard : float

    Returns
    -------
    bool array, shape (n,)
    """
    if kind in ("soft", "hard"):
        _refuse_without_qs(glass)
        qs = glass.qs(domain)
        return qs > soft if kind == "soft" else qs < hard
    if kind == "plastic":
        if not glass.moved or glass.threshold is None:
            raise UsageError("nobody knows which atoms are plastic", code="E-COLUMN", file=glass.path)
        return glass.d2(domain, frame) > glass.threshold
    rows = glass.root.rows(domain)
    return np.ones(rows.stop - rows.start, dtype=bool)


def _refuse_without_qs(glass: Glass) -> None:
    if glass.group is None:
        raise UsageError(
            "this glass has no softness",
            code="E-NO-QS",
            file=glass.path,
            hint=f"qsdask predict {glass.path} --model MODEL",
        )


def _domains(glass: Glass, axis: int, centre: float, cut: Cut) -> list[int]:
    if cut.thickness >= glass.box(cut.step).height[axis]:
        return list(range(glass.root.n_domain))
    low, high = centre - cut.thickness / 2.0, centre + cut.thickness / 2.0
    return glass.domains_between(axis, low, high, cut.step).tolist()


def _columns(glass: Glass, domain: int, frame: int, column: str) -> tuple[np.ndarray, ...]:
    """Species, value, QS and D2min of a domain, NaN where they are not stored."""
    species = glass.species_of(domain)
    nothing = np.full(len(species), np.nan)
    qs = glass.qs(domain) if glass.group else nothing
    d2 = glass.d2(domain, frame) if glass.moved else nothing
    value = species.astype(np.float64) if column == "species" else glass.value(column, domain, frame)
    return species, value, qs, d2
