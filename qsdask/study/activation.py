"""Question ``activation``: which QS is activated, strain by strain."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from qsdask.analysis import activation as by_strain
from qsdask.analysis.counts import described, in_length
from qsdask.engine.reduce import reduced
from qsdask.engine.where import Run
from qsdask.files.location import located
from qsdask.space.strain import branch_name, branches, tells_frames
from qsdask.stages.steps import chosen_steps
from qsdask.store import ledger
from qsdask.store.reader import StoreReader
from qsdask.study.response import plastic_above, refuse_undeformed
from qsdask.study.rows import softness_group, softness_ledgers, usable_softness

__all__ = ["activation", "activation_asked", "activation_counted", "activation_told"]


def activation(
    store: str | Path,
    *,
    model: str | Path,
    threshold: float | None = None,
    frame: int | Sequence[int] | None = None,
    run: Run | None = None,
) -> xr.Dataset:
    """Follow the quench-in softness of the atoms that become plastic.

    Parameters
    ----------
    store : str or Path
        A specimen's store, after `qsdask.respond` and `qsdask.predict`.
    model : str or Path
        Model folder, or its name, whose softness is followed.
    threshold : float, optional
        D2min above which an atom is plastic; the model's own label by default. Unit: angstrom^2, or sigma^2.
    frame : int or sequence of int, optional
        Tell of these frames only; what came before them still counts. Negative numbers count from the end.
    run : Run, optional
        Cluster, workers, progress.

    Returns
    -------
    xarray.Dataset
        At every strain: the number and QS (mean, quantiles, histogram) of the atoms plastic at it, newly plastic and
        activated by then, AUC of QS, fraction activated per QS decile. See `qsdask.analysis.activation.finalise`. The
        coordinates ``frame`` and ``branch`` tell strains that are passed more than once apart: branch 0 is the loading, 1 the
        unloading, 2 the next loading; see `qsdask.space.strain.branches`. ``timestep`` is the time, along which a creep at
        constant strain is followed. The attribute ``along`` names the coordinate that tells frames apart, ``strain`` or
        ``frame``.

    Raises
    ------
    BadDataError
        ``E-STRAIN``: the store holds the undeformed glass alone.
    QSDaskError
        When the response or the softness is missing or incomplete.
    """
    path, run = located(store), run or Run()
    ledgers, fixed = activation_asked(path, model, threshold)
    found = activation_told(
        path, reduced(path, ledgers, activation_counted, by_strain.combine, run, "activation", **fixed)
    )
    return found if frame is None else found.isel(step=chosen_steps(path, frame))


def activation_asked(
    path: Path, model: str | Path, threshold: float | None = None
) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Ledgers that the question rests on, and the arguments of `activation_counted`; raises as `activation`."""
    refuse_undeformed(path)
    group = softness_group(path, model)
    label = ledger.require(path, group).settings["label"]
    ledger.require(path, "response/d2min")
    fixed = {"group": group, "label": label, "threshold": plastic_above(path, label, threshold)}
    return softness_ledgers(path, group, label), fixed


def activation_counted(root: StoreReader, domain: int, *, group: str, label: dict, threshold: float) -> xr.Dataset:
    """Counts of one domain; see `qsdask.analysis.activation.partial`."""
    rows = root.rows(domain)
    return by_strain.partial(
        usable_softness(root, domain, group, label),
        root["response/d2min/d2min"][:, rows],
        root["response/d2min/valid"][:, rows],
        root["frames/strain"][:],
        threshold,
    )


def activation_told(path: Path, total: xr.Dataset, **shape: int) -> xr.Dataset:
    """The answer of `activation` from the counts of all domains; `shape` as of `qsdask.analysis.activation.finalise`."""
    found = by_strain.finalise(total, **shape)
    branch = described(branches(found["strain"].values), "step", "branch of the loading")
    known = range(int(branch.max()) + 1)
    branch.attrs |= {"flag_values": [*known], "flag_meanings": " ".join(branch_name(k) for k in known)}
    number = described(np.arange(found.sizes["step"]), "step", "frame, counted from the undeformed one, 0")
    times = described(StoreReader(path)["frames/timestep"][:], "step", "timestep number in the trajectory")
    found = found.assign_coords(frame=number, branch=branch, timestep=times)
    found = in_length(found, StoreReader(path).length)
    found.attrs["along"] = "strain" if tells_frames(found["strain"].values) else "frame"
    return found
