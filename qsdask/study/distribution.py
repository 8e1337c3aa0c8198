"""Question ``distribution``: how the softness of a frame is distributed, whether or not the glass was ever deformed."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from qsdask.analysis import distribution as of_softness
from qsdask.engine.reduce import reduced
from qsdask.engine.where import Run
from qsdask.files.location import located
from qsdask.store import ledger
from qsdask.store.reader import StoreReader
from qsdask.study.rows import softness_group, usable_softness
from qsdask.study.surface import margin_of, surface_ledgers

__all__ = ["softness_distribution"]


def softness_distribution(store: str | Path, *, model: str | Path, step: int = 0, run: Run | None = None) -> xr.Dataset:
    """Distribution of QS in a frame, atoms near free surfaces left out as in training.

    Parameters
    ----------
    store : str or Path
        A specimen's store, after `qsdask.predict`.
    model : str or Path
        Model folder, or its name.
    step : int
        Frame.
    run : Run, optional
        Cluster, workers, progress.

    Returns
    -------
    xarray.Dataset
        See `qsdask.analysis.distribution.finalise`.

    Raises
    ------
    QSDaskError
        When the softness is missing or incomplete.
    """
    path = located(store)
    group = softness_group(path, model, step)
    label = ledger.require(path, group).settings["label"]
    rests_on = (group, *surface_ledgers(path, margin_of(label)))
    fixed = {"group": group, "label": label}
    return of_softness.finalise(
        reduced(path, rests_on, _part, of_softness.combine, run or Run(), "distribution", **fixed)
    )


def _part(root: StoreReader, domain: int, *, group: str, label: dict) -> xr.Dataset:
    return of_softness.partial(usable_softness(root, domain, group, label))
