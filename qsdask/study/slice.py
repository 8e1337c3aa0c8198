"""Question ``slice``: the atoms of a thin slice of a glass with their QS and D2min at one strain."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from qsdask.analysis import slab
from qsdask.analysis.counts import in_length
from qsdask.engine.reading import read_box
from qsdask.engine.reduce import reduced
from qsdask.engine.where import Run
from qsdask.files.location import located
from qsdask.settings import ReportSettings, refuse_defaults, validated
from qsdask.space.strain import moment
from qsdask.stages.steps import label_step
from qsdask.store import ledger
from qsdask.store.reader import StoreReader
from qsdask.study.rows import softness_group, softness_ledgers, usable_softness
from qsdask.units import ANGSTROM

__all__ = ["grain", "slice_through"]


def slice_through(
    store: str | Path,
    *,
    model: str | Path,
    axis: str = "y",
    thickness: float | None = None,
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
    thickness : float, optional
        2 by default, in angstrom; where lengths are in sigma there is no default.
    frame : int, optional
        Frame of D2min; that of the model's label by default. Negative numbers count from the end.
    run : Run, optional
        Cluster, workers, progress.

    Returns
    -------
    xarray.Dataset
        See `qsdask.analysis.slab.finalise`; the positions are those of the undeformed glass. The attribute ``moment`` names frame
        and branch of D2min where the strain does not tell.

    Raises
    ------
    UsageError
        ``E-NO-DEFAULT``.
    QSDaskError
        When the response or the softness is missing or incomplete.
    """
    path = located(store)
    length = StoreReader(path).length
    chosen = validated(ReportSettings, slice_thickness=thickness)
    refuse_defaults(chosen, length)
    thickness = chosen.slice_thickness_angstrom
    group = softness_group(path, model)
    label = ledger.require(path, group).settings["label"]
    fixed = {
        "group": group,
        "label": label,
        "step": label_step(path, label, frame),
        "axis": axis,
        "thickness": thickness,
    }
    parts = reduced(path, softness_ledgers(path, group, label), _part, dict.__or__, run or Run(), "slice", **fixed)
    pixel, smoothing = grain(length, thickness)
    whole = slab.join([parts[domain] for domain in sorted(parts)])
    told = in_length(slab.finalise(whole, pixel=pixel, smoothing=smoothing), length)
    return told.assign_attrs(moment=moment(StoreReader(path)["frames/strain"][:], fixed["step"]))


def grain(length: str, thickness: float) -> tuple[float, float]:
    """Pixels and smoothing of the map of a slice: 0.5 and 1.5 angstrom, as suits a slice of 2; else only its thickness is known."""
    return (0.5, 1.5) if length == ANGSTROM else (0.25 * thickness, 0.75 * thickness)


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
