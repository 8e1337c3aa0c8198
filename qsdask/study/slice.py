"""Question ``slice``: the atoms of a thin slice of a glass with their QS and D2min at one strain."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from qsdask.analysis import slab
from qsdask.engine.reading import read_box
from qsdask.engine.reduce import reduced
from qsdask.engine.where import Run
from qsdask.stages.steps import label_step
from qsdask.store import ledger
from qsdask.store.reader import StoreReader
from qsdask.study.rows import softness_group, usable_softness

__all__ = ["slice_through"]


def slice_through(
    store: str | Path,
    *,
    model: str | Path,
    axis: str = "y",
    thickness: float = 2.0,
    frame: int | None = None,
    run: Run | None = None,
) -> xr.Dataset:
    """Cut a slice through the middle of the undeformed glass.

    Parameters
    ----------
    store : str or Path
        A specimen's store, after `qsdask.respond` and `qsdask.predict`.
    model : str or Path
        Model folder, or its name.
    axis : {"x", "y", "z"}
        Normal of the slice.
    thickness : float
        Unit: angstrom.
    frame : int, optional
        Frame of D2min; that of the model's label by default. Negative numbers count from the end.
    run : Run, optional
        Cluster, workers, progress.

    Returns
    -------
    xarray.Dataset
        See `qsdask.analysis.slab.finalise`; the positions are those of the undeformed glass.

    Raises
    ------
    QSDaskError
        When the response or the softness is missing or incomplete.
    """
    path = Path(store)
    group = softness_group(path, model)
    label = ledger.require(path, group).settings["label"]
    fixed = {
        "group": group,
        "label": label,
        "step": label_step(path, label, frame),
        "axis": axis,
        "thickness": thickness,
    }
    parts = reduced(path, (group, "response/d2min"), _part, dict.__or__, run or Run(), "slice", **fixed)
    return slab.finalise(slab.join([parts[domain] for domain in sorted(parts)]))


def _part(
    root: StoreReader, domain: int, *, group: str, label: dict, step: int, axis: str, thickness: float
) -> dict[int, xr.Dataset]:
    rows = root.rows(domain)
    box = read_box(root, 0)
    d2 = np.where(root["response/d2min/valid"][step, rows], root["response/d2min/d2min"][step, rows], np.nan)
    cut = slab.cut_slab(
        root["frames/position"][0, rows],
        box.cell,
        box.origin,
        box.periodic,
        usable_softness(root, domain, group, label),
        d2,
        root["atoms/radius"][:][root["atoms/species"][rows]],
        axis=axis,
        thickness=thickness,
        strain=float(root["frames/strain"][step]),
        threshold=float(label["threshold"]),
    )
    return {domain: cut}
