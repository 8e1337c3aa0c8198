"""Question ``activation``: which QS is activated, strain by strain."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from qsdask.analysis import activation as by_strain
from qsdask.engine.reduce import reduced
from qsdask.engine.where import Run
from qsdask.store import ledger
from qsdask.store.reader import StoreReader
from qsdask.study.response import plastic_above
from qsdask.study.rows import softness_group, usable_softness

__all__ = ["activation"]


def activation(
    store: str | Path, *, model: str | Path, threshold: float | None = None, run: Run | None = None
) -> xr.Dataset:
    """Follow the quench-in softness of the atoms that become plastic.

    Parameters
    ----------
    store : str or Path
        A specimen's store, after `qsdask.respond` and `qsdask.predict`.
    model : str or Path
        Model folder, or its name, whose softness is followed.
    threshold : float, optional
        D2min above which an atom is plastic; the model's own label by default. Unit: angstrom^2.
    run : Run, optional
        Cluster, workers, progress.

    Returns
    -------
    xarray.Dataset
        At every strain: the number and QS (mean, quantiles, histogram) of the atoms plastic at it, newly plastic and
        activated by then, AUC of QS, fraction activated per QS decile. See `qsdask.analysis.activation.finalise`.

    Raises
    ------
    QSDaskError
        When the response or the softness is missing or incomplete.
    """
    path, run = Path(store), run or Run()
    group = softness_group(path, model)
    label = ledger.require(path, group).settings["label"]
    ledger.require(path, "response/d2min")
    fixed = {"group": group, "label": label, "threshold": plastic_above(path, label, threshold)}
    return by_strain.finalise(
        reduced(path, (group, "response/d2min"), _part, by_strain.combine, run, "activation", **fixed)
    )


def _part(root: StoreReader, domain: int, *, group: str, label: dict, threshold: float) -> xr.Dataset:
    rows = root.rows(domain)
    return by_strain.partial(
        usable_softness(root, domain, group, label),
        root["response/d2min/d2min"][:, rows],
        root["response/d2min/valid"][:, rows],
        root["frames/strain"][:],
        threshold,
    )
