"""Question ``spectrum``: how QS is distributed in a glass, and how often atoms of each QS are plastic at one strain."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from qsdask.analysis import spectrum as at_strain
from qsdask.analysis.counts import in_length
from qsdask.engine.reduce import reduced
from qsdask.engine.where import Run
from qsdask.files.location import located
from qsdask.settings.defaults import PLASTIC_ABOVE
from qsdask.space.strain import moment
from qsdask.stages.steps import label_step
from qsdask.store import ledger
from qsdask.store.reader import StoreReader
from qsdask.study.response import plastic_above
from qsdask.study.rows import softness_group, softness_ledgers, usable_softness
from qsdask.units import ANGSTROM

__all__ = ["spectrum"]


def spectrum(
    store: str | Path,
    *,
    model: str | Path,
    strain: float | None = None,
    threshold: float | None = None,
    frame: int | None = None,
    run: Run | None = None,
) -> xr.Dataset:
    """Distribution of QS and its relation to plasticity at one strain.

    Parameters
    ----------
    store, model, threshold, run
        As of `qsdask.activation`.
    strain : float, optional
        Strain of the comparison, a fraction, where it is first passed; the model's own label by default.
    frame : int, optional
        Instead of `strain`; negative numbers count from the end.

    Returns
    -------
    xarray.Dataset
        See `qsdask.analysis.spectrum.finalise`. The attribute ``moment`` names frame and branch where the strain does not tell.
    """
    path, run = located(store), run or Run()
    group = softness_group(path, model)
    label = ledger.require(path, group).settings["label"]
    step = label_step(path, label if strain is None else {"strain": strain}, frame)
    ledger.require(path, "response/d2min")
    above, length = plastic_above(path, label, threshold), StoreReader(path).length
    # What D2 is usual is known in angstrom; in another unit it is told from the threshold.
    edges = at_strain.D2_EDGES if length == ANGSTROM else at_strain.D2_EDGES * (above / PLASTIC_ABOVE)
    fixed = {"group": group, "label": label, "step": step, "threshold": above, "edges": edges}
    found = reduced(path, softness_ledgers(path, group, label), _part, at_strain.combine, run, "spectrum", **fixed)
    told = in_length(at_strain.finalise(found), length)
    return told.assign_attrs(moment=moment(StoreReader(path)["frames/strain"][:], step))


def _part(
    root: StoreReader, domain: int, *, group: str, label: dict, step: int, threshold: float, edges: np.ndarray
) -> xr.Dataset:
    rows = root.rows(domain)
    return at_strain.partial(
        usable_softness(root, domain, group, label),
        root["response/d2min/d2min"][step, rows],
        root["response/d2min/valid"][step, rows],
        threshold,
        strain=float(root["frames/strain"][step]),
        d2_edges=edges,
    )
