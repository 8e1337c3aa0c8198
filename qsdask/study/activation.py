"""Question ``activation``: which QS is activated, strain by strain."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from qsdask.analysis import activation as by_strain
from qsdask.analysis import auc_blocks
from qsdask.analysis import crossover as along_strain
from qsdask.analysis.counts import described, in_length
from qsdask.analysis.distance import add
from qsdask.engine.reduce import reduced
from qsdask.engine.where import Run
from qsdask.files.location import located
from qsdask.learn import bootstrap
from qsdask.space.strain import branch_name, branches, tells_frames
from qsdask.stages.steps import chosen_steps
from qsdask.store import ledger
from qsdask.store.reader import StoreReader
from qsdask.study.avalanches import avalanches
from qsdask.study.blocks import block_edge, block_of, few_blocks
from qsdask.study.crossover import crossover_of
from qsdask.study.response import plastic_above, refuse_undeformed
from qsdask.study.rows import softness_group, softness_ledgers, usable_softness

__all__ = ["activation", "activation_asked", "activation_counted", "activation_told"]

#: Draws of blocks for the AUC of every step.
_DRAWS = 400


def activation(
    store: str | Path,
    *,
    model: str | Path,
    threshold: float | None = None,
    frame: int | Sequence[int] | None = None,
    block: float | None = None,
    run: Run | None = None,
) -> xr.Dataset:
    """Follow the quench-in softness of the atoms that become plastic, and find where shear bands begin.

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
    block : float, optional
        Edge of the blocks of space that localisation is measured in and intervals are drawn from, as of `qsdask.evaluate`.
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
        ``frame``. ``auc_interval`` and ``auc_newly_interval`` are 95 % confidence by bootstrap over blocks of
        space. Besides: localisation of plasticity, and the crossover to shear banding, see
        `qsdask.study.crossover.crossover_of`; avalanches, see `qsdask.study.avalanches.avalanches`; and over ``loading_branch`` how
        many atoms each branch of the loading made plastic first, and how soft they were.

    Raises
    ------
    UsageError
        ``E-BLOCK`` for an edge that makes no blocks, or too many.
    BadDataError
        ``E-STRAIN``: the store holds the undeformed glass alone.
    QSDaskError
        When the response or the softness is missing or incomplete.
    """
    path, run = located(store), run or Run()
    ledgers, fixed = activation_asked(path, model, threshold)
    ledger.require(path, "shells")
    edge = block_edge(StoreReader(path), block)
    with run.shared() as here:
        total = reduced(path, ledgers, _part, _Counts.__add__, here, "activation", **fixed, edge=edge)
        found = activation_told(path, total.activation)
        groups = avalanches(path, (*ledgers, "shells"), fixed, found.sizes["step"], here)
    key = ledger.require(path, "ingest").facts["specimen"]
    parts = [found, crossover_of(path, found["strain"].values, total.blocks), groups, _by_branch(found)]
    parts.append(_auc_intervals(found, total.ranks, key))
    found = xr.merge(parts, combine_attrs="override").assign_attrs(
        blocks=len(total.blocks),
        block_edge=edge,
        level=bootstrap.LEVEL,
        notes=few_blocks(len(total.blocks)),
        store=str(path),
        model=str(model),
    )
    return found if frame is None else found.isel(step=chosen_steps(path, frame))


class _Counts(NamedTuple):
    """Atoms counted: by step as a whole; by step and block of space; and by step, block and QS."""

    activation: xr.Dataset
    blocks: dict[int, np.ndarray]
    ranks: dict[int, np.ndarray]

    def __add__(self, other: _Counts) -> _Counts:  # type: ignore[override]  # counts add up, tuples would join
        return _Counts(
            by_strain.combine(self.activation, other.activation),
            add(self.blocks, other.blocks),
            add(self.ranks, other.ranks),
        )


def _part(root: StoreReader, domain: int, *, edge: float, **fixed: Any) -> _Counts:
    qs, d2, valid, threshold = _read(root, domain, **fixed)
    known = np.isfinite(qs)
    chunk = qs[known], d2[:, known], valid[:, known], threshold, block_of(root, root.rows(domain), edge)[known]
    return _Counts(
        by_strain.partial(qs, d2, valid, root["frames/strain"][:], threshold),
        along_strain.by_block(*chunk),
        auc_blocks.by_block(*chunk),
    )


def _auc_intervals(found: xr.Dataset, ranks: dict[int, np.ndarray], key: str) -> xr.Dataset:
    """Intervals of the AUC at every step, by blocks of space."""
    n_step, n = found.sizes["step"], len(ranks)
    ends = np.full((len(auc_blocks.KINDS), n_step, 2), np.nan)
    for step in range(n_step if n else 0):
        # Draws of one step at a time: those of all are large.
        count = {block: whole.reshape(n_step, -1)[step] for block, whole in ranks.items()}
        ends[:, step] = bootstrap.ends(auc_blocks.areas(bootstrap.redrawn(count, key, _DRAWS)), n)
    told = f"{bootstrap.LEVEL:.0%} confidence, by blocks of space"
    return xr.Dataset(
        {
            f"auc{kind}_interval": described(
                value, ("step", "end"), f"{found[f'auc{kind}'].attrs['long_name']}: {told}"
            )
            for kind, value in zip(auc_blocks.KINDS, ends, strict=True)
        }
    )


def _by_branch(found: xr.Dataset) -> xr.Dataset:
    """How many atoms were plastic first in each branch of the loading, and their softness."""
    branch, newly = found["branch"].values, found["n_newly"].values
    total = np.bincount(branch, newly)
    qs_sum = np.bincount(branch, np.where(newly > 0, newly * found["qs_mean_newly"].values, 0.0))
    names = found["branch"].attrs["flag_meanings"].split()
    with np.errstate(divide="ignore", invalid="ignore"):
        return xr.Dataset(
            {
                "n_newly_branch": described(
                    total.astype(np.int64), "loading_branch", "atoms plastic for the first time in the branch"
                ),
                "qs_mean_newly_branch": described(qs_sum / total, "loading_branch", "mean QS of these atoms"),
            },
            {"loading_branch": described(np.array(names), "loading_branch", "branch of the loading")},
        )


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
    qs, d2, valid, threshold = _read(root, domain, group=group, label=label, threshold=threshold)
    return by_strain.partial(qs, d2, valid, root["frames/strain"][:], threshold)


def _read(
    root: StoreReader, domain: int, *, group: str, label: dict, threshold: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Softness of the atoms of a domain, their D2 at all steps, where it is known, and above which it is plastic."""
    rows = root.rows(domain)
    qs = usable_softness(root, domain, group, label)
    return qs, root["response/d2min/d2min"][:, rows], root["response/d2min/valid"][:, rows].astype(bool), threshold


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
