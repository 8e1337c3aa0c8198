"""``export``: one frame with chosen columns as extended XYZ or LAMMPS dump, for OVITO and others."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from qsdask.engine.reading import read_box
from qsdask.errors import UsageError
from qsdask.files.taken import refuse_taken
from qsdask.formats.write import open_writer
from qsdask.schema import VARIABLES, command_of, frame_of, group_at, variables_of
from qsdask.stages.steps import chosen_steps
from qsdask.store import ledger
from qsdask.store.place import Place
from qsdask.store.reader import StoreReader
from qsdask.store.record import Record
from qsdask.units import SIGMA

__all__ = ["export", "exportable"]


class _Column(NamedTuple):
    """A column that can be written: where it is stored, and which part of the array a slice of rows is."""

    array: Any
    part: Callable[[slice], tuple]


def export(
    store: str | Path,
    out: str | Path,
    *,
    step: int = 0,
    columns: Sequence[str] = (),
    model: str | None = None,
    overwrite: bool = False,
) -> Path:
    """Write one frame and chosen per-atom columns to a file that OVITO opens.

    Parameters
    ----------
    store : str or Path
        A specimen's store.
    out : str or Path
        ``.extxyz``, ``.xyz``, ``.dump`` or ``.lammpstrj``.
    step : int
        Frame; negative numbers count from the end.
    columns : sequence of str
        Of ``qs``, ``qs_std``, ``cell_volume``, ``flag``, any feature column of the undeformed glass, and ``d2min``, ``valid``,
        ``frequency``, ``d2min_mean`` of the frame. With ``step_`` before it, a column is that of the frame itself where
        it was computed for it: ``step_qs`` after ``qsdask predict --frame``.
    model : str, optional
        Name of the softness, when there are several.
    overwrite : bool
        Replace a file that is there.

    Returns
    -------
    Path
        The file. Where lengths are in sigma it says so, as a dump in ``lj`` units does; `qsdask.ingest` understands both.

    Raises
    ------
    UsageError
        ``E-STEP`` with what there is to choose from; ``E-COLUMN`` with the names most alike.
    CannotCreateError
        ``E-EXISTS`` when a file is there; ``E-IN-STORE`` for a place inside of a store.
    """
    path = Path(store)
    refuse_taken(Path(out), overwrite=overwrite)
    [step] = chosen_steps(path, step)
    root = StoreReader(path)
    found = _columns(path, root, step, model)
    if unknown := [name for name in columns if name not in found]:
        raise _unknown(path, step, unknown, found)
    box = read_box(root, step)
    with open_writer(
        Path(out),
        natoms=root["atoms/id"].shape[0],
        cell=box.cell,
        origin=box.origin,
        periodic=box.periodic,
        species=root.names("atoms/species_name"),
        columns={name: found[name].array.dtype for name in columns},
        timestep=int(root["frames/timestep"][step]),
        units="lj" if root.length == SIGMA else None,
    ) as writer:
        for first, stop in root.domain_rows.tolist():
            rows = slice(first, stop)
            writer.write(
                root["atoms/id"][rows],
                root["atoms/species"][rows],
                root["frames/position"][step, rows],
                {name: found[name].array[found[name].part(rows)] for name in columns},
            )
    return Path(out)


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
    path = Path(store)
    [step] = chosen_steps(path, step)
    return list(_columns(path, StoreReader(path), step, model))


def _columns(path: Path, root: StoreReader, step: int, model: str | None) -> dict[str, _Column]:
    """Columns of the complete stages by their names, those of the frame's own stages with ``step_`` before them."""
    complete = [record for record in ledger.records(path) if record.complete and record.key != "ingest"]
    softness = _softness(complete, step, model)
    found: dict[str, _Column] = {}
    for group in (group for record in complete for group in record.groups):
        frame, kind = frame_of(group)
        if frame not in (0, step) or (kind.startswith("softness/") and kind != softness):
            continue
        own = "step_" * (frame > 0)
        # What came later is not in older stores.
        for variable in (v for v in variables_of(group) if Place(path).exists(f"{group}/{v.name}")):
            array = root[f"{group}/{variable.name}"]
            if variable.dims == ("atom",):
                found[own + variable.name] = _Column(array, lambda rows: (rows,))
            elif variable.dims == ("step", "atom"):
                found[own + variable.name] = _Column(array, lambda rows: (step, rows))
            elif variable.dims == ("atom", "feature"):
                for i, name in enumerate(root.names(f"{group}/feature")):
                    found[own + name] = _Column(array, partial(_with_column, i))
    return found


def _with_column(i: int, rows: slice) -> tuple[slice, int]:
    return rows, i


def _softness(complete: Sequence[Record], step: int, model: str | None) -> str | None:
    """Group of the softness that is meant: of the model named, or of the only one."""
    places = [frame_of(record.key) for record in complete]
    names = sorted({name for frame, name in places if name.startswith("softness/") and frame in (0, step)})
    if model is not None and f"softness/{model}" not in names:
        known = ", ".join(name.partition("/")[2] for name in names)
        raise UsageError(f"no softness named {model!r}", code="E-MODEL-NAME", hint=f"choose from {known}")
    return f"softness/{model}" if model else names[0] if len(names) == 1 else None


def _unknown(path: Path, step: int, wanted: Sequence[str], found: Collection[str]) -> UsageError:
    """``E-COLUMN`` for columns that are not there, with the commands that make them or the names most alike."""
    plain = {name: name.removeprefix("step_") for name in wanted}
    commands = {
        command_of(path, group_at(step if name != plain[name] else 0, variable.group.replace("*", "MODEL")))
        for name in wanted
        for variable in VARIABLES
        if variable.name == plain[name] and variable.dims in (("atom",), ("step", "atom"))
    }
    near = list(dict.fromkeys(n for name in wanted for n in get_close_matches(name, found, n=3, cutoff=0.5)))
    why = " and ".join(f"'{command}'" for command in sorted(commands)) + " must come first" if commands else None
    return UsageError(
        f"no column {', '.join(wanted)} in this store",
        code="E-COLUMN",
        file=path,
        why=why or (f"these are alike: {', '.join(near)}" if near else None),
        hint=f"'qsdask export {path} --frame {step} --list' prints all {len(found)} columns",
    )
