"""``export``: frames with chosen columns as extended XYZ, LAMMPS dump, CSV or Parquet, for OVITO, pandas and others."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qsdask.engine.reading import read_box
from qsdask.errors import UsageError
from qsdask.files.location import located
from qsdask.files.taken import refuse_taken
from qsdask.formats.write import open_writer, writer_for
from qsdask.schema import VARIABLES, command_of, group_at
from qsdask.stages.steps import chosen_steps
from qsdask.store import ledger
from qsdask.store.place import Place
from qsdask.store.reader import Arrays, StoreReader
from qsdask.units import SIGMA
from qsdask.views.columns import Column, alike, columns_in, is_named, named, softness_of

__all__ = ["columns_stored", "export", "exportable", "write_frames"]


def export(
    store: str | Path,
    out: str | Path,
    *,
    step: int | Sequence[int] | str = 0,
    columns: Sequence[str] = (),
    model: str | None = None,
    overwrite: bool = False,
) -> Path:
    """Write frames and chosen per-atom columns to a file that OVITO or pandas opens.

    Parameters
    ----------
    store : str or Path
        A specimen's store.
    out : str or Path
        ``.extxyz``, ``.xyz``, ``.dump``, ``.lammpstrj`` or ``.csv``, with ``.gz``, ``.zst`` or ``.bz2`` behind it packed;
        ``.parquet``, through pyarrow.
    step : int, sequence of int, or "all"
        Frames; negative numbers count from the end. Several make a trajectory of one file; tables then have a column ``frame``.
    columns : sequence of str
        In any case. Of ``qs``, ``qs_std``, ``cell_volume``, ``flag``, any feature column of the undeformed glass, ``score``,
        ``contribution__COLUMN`` and ``summed__PART`` after `qsdask.explain`, and ``d2min``, ``valid``, ``frequency``,
        ``d2min_mean`` of the frame. With ``step_`` before it, a column is that of the frame itself
        where it was computed for it: ``step_qs`` after ``qsdask predict --frame``. Id, element and position are always written.
    model : str, optional
        Name of the softness, when there are several.
    overwrite : bool
        Replace a file that is there.

    Returns
    -------
    Path
        The file. Where lengths are in sigma it says so, as a dump in ``lj`` units does; `qsdask.ingest` understands both. CSV
        holds no units and no cell.

    Raises
    ------
    UsageError
        ``E-STEP`` with what there is to choose from; ``E-COLUMN`` with the names most alike; ``E-FORMAT``; ``E-EXTRA``.
    CannotCreateError
        ``E-EXISTS`` when a file is there; ``E-IN-STORE`` for a place inside of a store.
    """
    path = located(store)
    refuse_taken(Path(out), overwrite=overwrite)
    writer_for(out)
    root = StoreReader(path)
    frames = {k: _chosen(path, root, k, columns, model) for k in chosen_steps(path, step)}
    return write_frames(root, Path(out), frames, overwrite=overwrite)


def write_frames(root: Arrays, out: Path, frames: Mapping[int, Mapping[str, Column]], *, overwrite: bool) -> Path:
    """Write frames with their columns, which have the same names in all of them; see `export`."""
    refuse_taken(out, overwrite=overwrite)
    first, *later = (_moment(root, step, step if len(frames) > 1 else None) for step in frames)
    with open_writer(
        out,
        natoms=root["atoms/id"].shape[0],
        periodic=root["frames/periodic"][:],
        species=root.names("atoms/species_name"),
        columns={name: root[column.array].dtype for name, column in next(iter(frames.values())).items()},
        units="lj" if root.length == SIGMA else None,
        **first,
    ) as writer:
        for (step, columns), moment in zip(frames.items(), (None, *later), strict=True):
            if moment:
                writer.next_frame(**moment)
            for rows in map(root.rows, range(root.n_domain)):
                writer.write(
                    root["atoms/id"][rows],
                    root["atoms/species"][rows],
                    root["frames/position"][step, rows],
                    {name: _values(root, column, step, rows) for name, column in columns.items()},
                )
    return out


def _moment(root: Arrays, step: int, frame: int | None) -> dict[str, Any]:
    """What differs between frames."""
    box = read_box(root, step)
    return {"cell": box.cell, "origin": box.origin, "timestep": int(root["frames/timestep"][step]), "frame": frame}


def _values(root: Arrays, column: Column, step: int, rows: slice) -> np.ndarray:
    return root[column.array][tuple(column.at(step, atom=rows).values())]


def exportable(store: str | Path, *, step: int = 0, model: str | None = None) -> list[str]:
    """Names of the columns that `export` can write.

    Parameters
    ----------
    store, step, model
        As of `export`.

    Returns
    -------
    list of str

    Raises
    ------
    UsageError
        ``E-STEP``, ``E-MODEL-NAME``.
    """
    path = located(store)
    [step] = chosen_steps(path, step)
    return list(columns_stored(path, StoreReader(path), step, model))


def columns_stored(path: Path, root: StoreReader, step: int, model: str | None) -> dict[str, Column]:
    """Columns of the complete stages by their names."""
    complete = [record for record in ledger.records(path) if record.complete and record.key != "ingest"]
    groups = [group for record in complete for group in record.groups]
    return columns_in(groups, step, softness_of(groups, step, model), present=Place(path).exists, names=root.names)


def _chosen(path: Path, root: StoreReader, step: int, columns: Sequence[str], model: str | None) -> dict[str, Column]:
    """The columns asked for, in this order."""
    found = columns_stored(path, root, step, model)
    known, unknown = named(columns, found)
    if unknown:
        raise _unknown(path, step, unknown, found)
    return {name: found[name] for name in known}


def _unknown(path: Path, step: int, wanted: Sequence[str], found: Collection[str]) -> UsageError:
    """``E-COLUMN`` for columns that are not there: of each, the command that makes it or the names most alike."""
    told = []
    for name in wanted:
        plain = name.casefold().removeprefix("step_")
        commands = {
            command_of(path, group_at(step if name.casefold() != plain else 0, variable.group.replace("*", "MODEL")))
            for variable in VARIABLES
            if is_named(plain, variable)
        }
        if commands:
            told.append(f"for {name}, {' and '.join(f'{c!r}' for c in sorted(commands))} must come first")
        elif near := alike(name, found):
            told.append(f"these are like {name}: {', '.join(near)}")
    return UsageError(
        f"no column {', '.join(wanted)} in frame {step} of this store",
        code="E-COLUMN",
        file=path,
        why="; ".join(told) or None,
        hint=f"'qsdask export {path} --frame {step} --list' prints all {len(found)} columns",
    )
