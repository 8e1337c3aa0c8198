"""Stage ``export``: one frame with chosen columns as extended XYZ or LAMMPS dump, for OVITO and others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import zarr

from qsdask.engine.load import read_box
from qsdask.errors import UsageError
from qsdask.formats.write import open_writer
from qsdask.store import ledger
from qsdask.store.reader import StoreReader

__all__ = ["export"]


def export(
    store: str | Path,
    out: str | Path,
    *,
    step: int = 0,
    columns: Sequence[str] = (),
    model: str | None = None,
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
        Of ``qs``, ``qs_std``, ``d2min``, ``valid``, ``cell_volume``, or any feature column of the store.
    model : str, optional
        Name of the softness, when there are several.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UsageError
        ``E-STEP`` or ``E-COLUMN`` with what there is to choose from.
    """
    path = Path(store)
    ledger.require(path, "ingest")
    root = StoreReader(path)
    n_step = root["frames/position"].shape[0]
    if not -n_step <= step < n_step:
        raise UsageError(f"step is {step}, the store has {n_step} steps (0 to {n_step - 1})", code="E-STEP")
    step %= n_step
    found = _columns(path, root, step, model)
    unknown = [c for c in columns if c not in found]
    if unknown:
        raise UsageError(
            f"no column {', '.join(unknown)} in this store",
            code="E-COLUMN",
            file=path,
            hint=f"choose from {', '.join(found)}",
        )
    box = read_box(root, step)
    with open_writer(
        Path(out), natoms=root["atoms/id"].shape[0], cell=box.cell, origin=box.origin, periodic=box.periodic,
        species=root.names("atoms/species_name"), columns={name: found[name][0].dtype for name in columns},
        timestep=int(root["frames/timestep"][step]),
    ) as writer:  # fmt: skip
        for first, stop in root.domain_rows.tolist():
            rows = slice(first, stop)
            writer.write(
                root["atoms/id"][rows], root["atoms/species"][rows], root["frames/position"][step, rows],
                {name: _read(found[name], rows) for name in columns},
            )  # fmt: skip
    return Path(out)


def _columns(
    path: Path, root: StoreReader, step: int, model: str | None
) -> dict[str, tuple[zarr.Array, tuple]]:
    """Arrays of the complete stages by column name, with the index that comes before or after the rows."""
    found: dict[str, tuple[zarr.Array, tuple]] = {}
    softness = [
        r.key.split("/")[1] for r in ledger.records(path) if r.complete and r.key.startswith("softness/")
    ]
    if model is not None and model not in softness:
        raise UsageError(
            f"no softness named {model!r}", code="E-MODEL-NAME", hint=f"choose from {', '.join(softness)}"
        )
    if model is None and len(softness) == 1:
        model = softness[0]
    for record in ledger.records(path):
        if not record.complete:
            continue
        for group in record.groups:
            if group == "response/d2min":
                found |= {name: (root[f"{group}/{name}"], (step,)) for name in ("d2min", "valid")}
            elif group == "shells/voronoi":
                found["cell_volume"] = (root[f"{group}/cell_volume"], ())
            elif group == f"softness/{model}":
                found |= {name: (root[f"{group}/{name}"], ()) for name in ("qs", "qs_std")}
            elif group.startswith("features/"):
                value = root[f"{group}/value"]
                found |= {
                    str(n): (value, ("column", i)) for i, n in enumerate(root.names(f"{group}/feature"))
                }
    return found


def _read(column: tuple[zarr.Array, tuple], rows: slice) -> np.ndarray:
    array, index = column
    if not index:
        return array[rows]
    return array[rows, index[1]] if index[0] == "column" else array[index[0], rows]
