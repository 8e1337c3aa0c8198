"""The atoms that a page shows, for other programs: as a file, and as a line of Python that gives them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from qsdask.errors import UsageError
from qsdask.explorer.glass import Glass
from qsdask.explorer.slices import Cut, kind_mask, slice_atoms
from qsdask.formats.write import open_writer
from qsdask.units import SIGMA

__all__ = ["MOST_WRITTEN", "python_line", "write_selection"]

#: Atoms of a file that a browser is given at most; `qsdask export` writes whole glasses.
MOST_WRITTEN = 2_000_000


def write_selection(
    glass: Glass, file: Path, where: Cut | int, kind: str, soft: float, hard: float, column: str
) -> None:
    """Write atoms with QS, D2min and a column as extended XYZ.

    Parameters
    ----------
    glass : Glass
    file : Path
        New file.
    where : Cut or int
        The slice, or a frame of which all atoms are meant.
    kind, soft, hard
        See `qsdask.explorer.slices.kind_mask`.
    column : str
        Of `Glass.value`.

    Raises
    ------
    UsageError
        ``E-COUNT`` for more than `MOST_WRITTEN` atoms.
    """
    frame, step = (where, where) if isinstance(where, int) else (where.frame, where.step)
    chosen = _chosen_by_domain(glass, where, kind, soft, hard)
    total = sum(map(len, chosen.values()))
    if total > MOST_WRITTEN:
        raise UsageError(
            f"{total:,} atoms are more than a browser is given, {MOST_WRITTEN:,}",
            code="E-COUNT",
            hint=f"qsdask export {glass.path} --frame {frame} --columns qs,d2min --out FILE.extxyz",
        )
    names = [name for name, there in (("qs", glass.group), ("d2min", glass.moved)) if there]
    names += [column] * (column not in ("species", *names))
    box = glass.box(step)
    with open_writer(
        file,
        natoms=total,
        periodic=box.periodic,
        species=glass.species,
        columns={name: np.dtype(np.float64) for name in names},
        units="lj" if glass.root.length == SIGMA else None,
        cell=box.cell,
        origin=box.origin,
        timestep=int(glass.root["frames/timestep"][step]),
    ) as writer:
        for domain, inside in chosen.items():
            values = {name: glass.value(name, domain, frame)[inside] for name in names}
            position = glass.position(domain, step)[inside]
            writer.write(glass.ids(domain)[inside], glass.species_of(domain)[inside], position, values)


def python_line(glass: Glass, where: Cut | int, kind: str, soft: float, hard: float) -> str:
    """Python that gives the atoms of a page, in the same order, from the same store.

    Parameters
    ----------
    glass, where, kind, soft, hard
        As of `write_selection`.

    Returns
    -------
    str
        Two lines: the store, and ``atoms``, an `xarray.Dataset`.
    """
    model = f", model={glass.model!r}" if glass.model else ""
    opened = f"import qsdask; tree = qsdask.open_store({str(glass.path)!r})\n"
    frame = where if isinstance(where, int) else where.frame
    if isinstance(where, int) or where.undeformed:
        at = f"step={frame}, " if glass.moved else ""
        found = f"tree.qs.atoms({model[2:]}).isel({at}atom="
        inside = "slice(None)"
        if isinstance(where, Cut):
            cut = f"tree.qs.slab({where.axis!r}, {where.centre!r}, {where.thickness!r}{model})"
            inside = f"tree.atoms.id.isin({cut}.id).values"
        found += f"{inside})"
    else:
        found = f"tree.qs.slab({where.axis!r}, {where.centre!r}, {where.thickness!r}, frame={frame}{model})"
    test = {
        "soft": f"atoms.qs > {soft!r}",
        "hard": f"atoms.qs < {hard!r}",
        "plastic": f"(atoms.d2min > {glass.threshold!r}) & atoms.valid",
    }.get(kind)
    return opened + f"atoms = {found}" + (f"; atoms = atoms.isel(atom=({test}).values)" if test else "")


def _chosen_by_domain(glass: Glass, where: Cut | int, kind: str, soft: float, hard: float) -> dict[int, np.ndarray]:
    """Rows within their domain of the atoms that are meant, by domain."""
    frame = where if isinstance(where, int) else where.frame
    if isinstance(where, int):
        masks = {d: kind_mask(glass, d, frame, kind, soft, hard) for d in range(glass.root.n_domain)}
        # Lost atoms are nowhere.
        return {
            d: np.flatnonzero(mask & np.isfinite(glass.position(d, frame)[:, 0]))
            for d, mask in masks.items()
            if mask.any()
        }
    rows = slice_atoms(glass, where, "species")["row"]
    home = np.searchsorted(glass.root.domain_rows[:, 0], rows, side="right") - 1
    found = {}
    for domain in np.unique(home).tolist():
        inside = rows[home == domain] - glass.root.rows(domain).start
        found[domain] = inside[kind_mask(glass, domain, frame, kind, soft, hard)[inside]]
    return found
