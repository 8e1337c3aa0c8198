"""Question ``spectrum``: how QS is distributed in a glass, and how often atoms of each QS are plastic at one strain."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr

from qsdask.analysis import spectrum as at_strain
from qsdask.analysis import spectrum_blocks
from qsdask.analysis.counts import described, in_length
from qsdask.analysis.distance import add
from qsdask.engine.reduce import reduced
from qsdask.engine.where import Run
from qsdask.files.location import located
from qsdask.learn import bootstrap
from qsdask.learn.own_label import is_own
from qsdask.settings import ClassSettings, validated
from qsdask.settings.defaults import PLASTIC_ABOVE
from qsdask.space.strain import moment
from qsdask.stages.steps import label_step
from qsdask.store import ledger
from qsdask.store.reader import StoreReader
from qsdask.study.blocks import block_edge, block_of, few_blocks
from qsdask.study.response import is_deformed, plastic_above
from qsdask.study.rows import softness_group, softness_ledgers, usable_softness
from qsdask.study.surface import margin_of, surface_ledgers
from qsdask.units import ANGSTROM

__all__ = ["spectrum"]


def spectrum(
    store: str | Path,
    *,
    model: str | Path,
    strain: float | None = None,
    threshold: float | None = None,
    frame: int | None = None,
    hard_below: float | None = None,
    soft_above: float | None = None,
    block: float | None = None,
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
    hard_below, soft_above : float, optional
        QS below which atoms are hard, and above which they are soft; by default those of the paper, 0.1 and 0.7.
    block : float, optional
        Edge of the blocks of space that intervals are drawn from, as of `qsdask.evaluate`.
    run : Run, optional
        Cluster, workers, progress.

    Returns
    -------
    xarray.Dataset
        See `qsdask.analysis.spectrum.finalise`. Besides, ``<name>_interval``, with ends along ``end``, for each quantity of
        `qsdask.analysis.spectrum_blocks.quantities`: 95 % confidence by bootstrap over blocks of space, of which the attributes
        ``blocks`` and ``block_edge`` tell number and edge. The attribute ``moment`` names frame and branch where the strain does
        not tell. Of an undeformed glass, and without a response, what speaks of plasticity is NaN, and the strain, too.

    Raises
    ------
    UsageError
        ``E-BLOCK`` for an edge that makes no blocks, or too many.
    QSDaskError
        When the softness is missing or incomplete.
    """
    path, run = located(store), run or Run()
    group = softness_group(path, model)
    label = ledger.require(path, group).settings["label"]
    root = StoreReader(path)
    edge = block_edge(root, block)
    limits = validated(ClassSettings, hard_below=hard_below, soft_above=soft_above).limits
    seen = strain is not None or frame is not None or threshold is not None or _is_told(path, label)
    rests_on, step, above = (group, *surface_ledgers(path, margin_of(label))), None, np.inf
    if seen:
        step = label_step(path, label if strain is None else {"strain": strain}, frame)
        ledger.require(path, "response/d2min")
        rests_on, above = softness_ledgers(path, group, label), plastic_above(path, label, threshold)
    # What D2 is usual is known in angstrom; in another unit it is told from the threshold.
    usual = root.length == ANGSTROM or not seen
    edges = at_strain.D2_EDGES if usual else at_strain.D2_EDGES * (above / PLASTIC_ABOVE)
    fixed = {"group": group, "label": label, "limits": limits, "step": step, "threshold": above}
    fixed |= {"edges": edges, "edge": edge}
    found = reduced(path, rests_on, _part, _Counts.__add__, run, "spectrum", **fixed)
    told = at_strain.finalise(found.total, n_bin=spectrum_blocks.N_BIN, n_wide=spectrum_blocks.N_WIDE)
    told = told.assign(_intervals(told, found.blocks, ledger.require(path, "ingest").facts["specimen"]))
    return in_length(told, root.length).assign_attrs(
        moment="" if step is None else moment(root["frames/strain"][:], step),
        blocks=len(found.blocks),
        block_edge=edge,
        level=bootstrap.LEVEL,
        notes=few_blocks(len(found.blocks)),
        store=str(path),
        model=str(model),
    )


def _is_told(path: Path, label: dict) -> bool:
    """Whether the model says what is plastic, and the store at which strains; a response that is being computed counts."""
    return not is_own(label) and is_deformed(path) and ledger.read(path, "response/d2min") is not None


class _Counts(NamedTuple):
    """Atoms counted: as a whole, and by block of space."""

    total: xr.Dataset
    blocks: dict[int, np.ndarray]

    def __add__(self, other: _Counts) -> _Counts:  # type: ignore[override]  # counts add up, tuples would join
        return _Counts(at_strain.combine(self.total, other.total), add(self.blocks, other.blocks))


def _part(
    root: StoreReader,
    domain: int,
    *,
    group: str,
    label: dict,
    limits: tuple[float, float],
    step: int | None,
    threshold: float,
    edges: np.ndarray,
    edge: float,
) -> _Counts:
    rows = root.rows(domain)
    qs = usable_softness(root, domain, group, label)
    d2, valid, strain = np.full(qs.shape, np.nan), np.zeros(qs.shape, dtype=bool), np.nan
    if step is not None:
        d2, valid = (root[f"response/d2min/{name}"][step, rows] for name in ("d2min", "valid"))
        strain = float(root["frames/strain"][step])
    hard, soft = limits
    total = at_strain.partial(qs, d2, valid, threshold, strain=strain, d2_edges=edges, hard=hard, soft=soft)
    known = np.isfinite(qs)
    in_block = block_of(root, rows, edge)[known]
    return _Counts(
        total,
        spectrum_blocks.by_block(
            qs[known], d2[known], valid[known], threshold, in_block, d2_edges=edges, hard=hard, soft=soft
        ),
    )


def _intervals(told: xr.Dataset, blocks: dict[int, np.ndarray], key: str) -> dict[str, xr.Variable]:
    """Intervals of what was found, each with the dimensions of the quantity and its two ends."""
    if not blocks:
        return {}
    drawn = spectrum_blocks.quantities(bootstrap.redrawn(blocks, key))
    # Where no atom was plastic none is in any draw: these say nothing of how many there might be.
    for name in ("p_plastic", "p_ratio", "p_balanced"):
        drawn[name][:, told["n_plastic"].values == 0] = np.nan
    return {
        f"{name}_interval": described(
            bootstrap.ends(value, len(blocks)),
            (*told[name].dims, "end"),
            f"{told[name].attrs['long_name']}: {bootstrap.LEVEL:.0%} confidence, by blocks of space",
            told[name].attrs["units"],
        )
        for name, value in drawn.items()
    }
