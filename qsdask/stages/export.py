"""Stage ``export``: one frame with chosen columns as extended XYZ or LAMMPS dump, for OVITO and others."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

import numpy as np
import zarr

from qsdask.engine.load import read_box
from qsdask.errors import UsageError
from qsdask.formats.write import open_writer
from qsdask.schema import frame_of
from qsdask.stages.steps import chosen_steps
from qsdask.store import ledger
from qsdask.store.reader import StoreReader

__all__ = ["export", "exportable"]

#: Columns that one array holds for all frames.
_OF_EVERY_FRAME = {"response/d2min": ("d2min", "valid"), "response/propensity": ("frequency", "d2min_mean")}

#: Stage that makes a column, told when it is not there.
_MAKES = {
    "qs": "predict",
    "qs_std": "predict",
    "cell_volume": "shells",
    "d2min": "respond",
    "valid": "respond",
    "frequency": "respond --runs",
    "d2min_mean": "respond --runs",
}


def export(
    store: str | Path, out: str | Path, *, step: int = 0, columns: Sequence[str] = (), model: str | None = None
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
        Of ``qs``, ``qs_std``, ``cell_volume``, any feature column of the undeformed glass, and ``d2min``, ``valid``,
        ``frequency``, ``d2min_mean`` of the frame. With ``step_`` before it, a column is that of the frame itself where
        it was computed for it: ``step_qs`` after ``qsdask predict --step``.
    model : str, optional
        Name of the softness, when there are several.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UsageError
        ``E-STEP`` with what there is to choose from; ``E-COLUMN`` with the names most alike.
    """
    path = Path(store)
    [step] = chosen_steps(path, step)
    root = StoreReader(path)
    found = _columns(path, root, step, model)
    unknown = [c for c in columns if c not in found]
    if unknown:
        plain = {column: column.removeprefix("step_") for column in unknown}
        stages = {
            _MAKES[name] + f" --step {step}" * (name != column) for column, name in plain.items() if name in _MAKES
        }
        why = f"qsdask {' and '.join(sorted(stages))} must come first" if stages else None
        near = list(dict.fromkeys(n for c in unknown for n in get_close_matches(c, found, n=3, cutoff=0.5)))
        raise UsageError(
            f"no column {', '.join(unknown)} in this store",
            code="E-COLUMN",
            file=path,
            why=why or (f"these are alike: {', '.join(near)}" if near else None),
            hint=f"'qsdask export {path} --step {step} --list' prints all {len(found)} columns",
        )
    box = read_box(root, step)
    with open_writer(
        Path(out),
        natoms=root["atoms/id"].shape[0],
        cell=box.cell,
        origin=box.origin,
        periodic=box.periodic,
        species=root.names("atoms/species_name"),
        columns={name: found[name][0].dtype for name in columns},
        timestep=int(root["frames/timestep"][step]),
    ) as writer:
        for first, stop in root.domain_rows.tolist():
            rows = slice(first, stop)
            writer.write(
                root["atoms/id"][rows],
                root["atoms/species"][rows],
                root["frames/position"][step, rows],
                {name: _read(found[name], rows) for name in columns},
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


def _columns(path: Path, root: StoreReader, step: int, model: str | None) -> dict[str, tuple[zarr.Array, tuple]]:
    """Arrays of the complete stages by column name, with the index that comes before or after the rows."""
    found: dict[str, tuple[zarr.Array, tuple]] = {}
    places = [frame_of(record.key) for record in ledger.records(path) if record.complete]
    softness = sorted(
        {name.split("/")[1] for frame, name in places if name.startswith("softness/") and frame in (0, step)}
    )
    if model is not None and model not in softness:
        raise UsageError(f"no softness named {model!r}", code="E-MODEL-NAME", hint=f"choose from {', '.join(softness)}")
    if model is None and len(softness) == 1:
        model = softness[0]
    for record in ledger.records(path):
        if not record.complete:
            continue
        for group in record.groups:
            frame, kind = frame_of(group)
            if frame not in (0, step):
                continue
            own = "step_" * (frame > 0)
            if kind in _OF_EVERY_FRAME:
                found |= {name: (root[f"{group}/{name}"], (step,)) for name in _OF_EVERY_FRAME[kind]}
            elif kind == "shells/voronoi":
                found[f"{own}cell_volume"] = (root[f"{group}/cell_volume"], ())
            elif kind == f"softness/{model}":
                found |= {f"{own}{name}": (root[f"{group}/{name}"], ()) for name in ("qs", "qs_std")}
            elif kind.startswith("features/"):
                value = root[f"{group}/value"]
                names = root.names(f"{group}/feature")
                found |= {f"{own}{name}": (value, ("column", i)) for i, name in enumerate(names)}
    return found


def _read(column: tuple[zarr.Array, tuple], rows: slice) -> np.ndarray:
    array, index = column
    if not index:
        return array[rows]
    return array[rows, index[1]] if index[0] == "column" else array[index[0], rows]
