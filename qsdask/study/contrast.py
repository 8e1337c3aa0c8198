"""Question ``contrast``: in which columns hard and soft atoms differ, the most separating first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr

from qsdask.analysis import contrast as of_classes
from qsdask.analysis.counts import described
from qsdask.analysis.extent import hash_limit
from qsdask.engine.reduce import reduced
from qsdask.engine.where import Run
from qsdask.errors import BadDataError, UsageError
from qsdask.files.location import located
from qsdask.learn import bootstrap
from qsdask.learn.table import identity_hash
from qsdask.settings import ClassSettings, validated
from qsdask.stages.columns import columns_there, feature_rows, meaning_of
from qsdask.store import ledger
from qsdask.store.reader import StoreReader
from qsdask.study.blocks import block_edge, block_of, few_blocks
from qsdask.study.rows import softness_group, usable_softness
from qsdask.study.surface import margin_of, surface_ledgers

__all__ = ["contrast"]

#: Atoms, about, by which the bins of the columns are laid; hard and soft ones of them count.
_SAMPLE = 200_000

#: Draws of blocks for every column.
_DRAWS = 400


def contrast(
    store: str | Path,
    *,
    model: str | Path,
    set: str | None = None,
    columns: Sequence[str] = (),
    hard_below: float | None = None,
    soft_above: float | None = None,
    block: float | None = None,
    run: Run | None = None,
) -> xr.Dataset:
    """Set hard atoms against soft ones, column by column.

    Parameters
    ----------
    store : str or Path
        A specimen's store, after `qsdask.predict`.
    model : str or Path
        Model folder, or its name.
    set : str, optional
        Feature sets, joined by commas, whose columns are compared; those of the model by default.
    columns : sequence of str
        Some of their columns, in any case; all by default.
    hard_below, soft_above : float, optional
        QS below which atoms are hard, and above which they are soft; by default those of the paper, 0.1 and 0.7.
    block : float, optional
        Edge of the blocks of space that intervals are drawn from, as of `qsdask.evaluate`.
    run : Run, optional
        Cluster, workers, progress.

    Returns
    -------
    xarray.Dataset
        See `qsdask.analysis.contrast.finalise`; ``auc_interval`` is 95 % confidence by bootstrap over blocks of space.

    Raises
    ------
    UsageError
        ``E-COLUMN`` for a column that the sets do not have, with those most alike; ``E-BLOCK``.
    BadDataError
        ``E-NO-USABLE`` when no atom is hard, or none soft.
    QSDaskError
        When the softness or a feature set is missing or incomplete; the message has the command.

    Notes
    -----
    QS is made of columns: that soft and hard atoms differ in those that the model looks at says what it found, not what causes
    plasticity. Columns of sets that it never saw tell more.
    """
    path, run = located(store), run or Run()
    group = softness_group(path, model)
    known = ledger.require(path, group).settings
    sets = tuple(name.strip() for name in (set or known["set"]).split(",") if name.strip())
    keys = [f"features/{one}" for one in sets]
    for key in keys:
        ledger.require(path, key)
    root, label = StoreReader(path), known["label"]
    meaning = meaning_of(root, sets)
    names = _chosen(columns_there(root, sets), columns)
    edge, key = block_edge(root, block), ledger.require(path, "ingest").facts["specimen"]
    limit = hash_limit(root["atoms/id"].shape[0], _SAMPLE)
    low, high = validated(ClassSettings, hard_below=hard_below, soft_above=soft_above).limits
    asked = _Asked(group, label, sets, names, low, high)
    rests_on = (group, *keys, *surface_ledgers(path, margin_of(label)))
    with run.shared() as here:
        values = reduced(path, rests_on, _sample, _joined, here, "bins", asked=asked, key=key, limit=limit)
        edges = np.array([of_classes.edges_of(column) for column in values.T])
        total = reduced(
            path, rests_on, _part, of_classes.Counts.__add__, here, "contrast", asked=asked, edges=edges, edge=edge
        )
    few = [name for name, side in zip(of_classes.CLASSES, total.sums, strict=True) if not side[:, 0].sum()]
    if few:
        limits = {"hard": f"QS < {low:g}", "soft": f"QS > {high:g}"}
        told = " and ".join(f"no atom is {name} ({limits[name]})" for name in few)
        raise BadDataError(f"{told}: there is nothing to set against each other", code="E-NO-USABLE", file=path)
    found = of_classes.finalise(total, names, [meaning[name] for name in names], edges)
    return found.assign(auc_interval=_intervals(found, names, total.blocks, key)).assign_attrs(
        hard_below=low,
        soft_above=high,
        blocks=len(total.blocks),
        block_edge=edge,
        length=root.length,
        level=bootstrap.LEVEL,
        notes=few_blocks(len(total.blocks)),
        store=str(path),
        model=str(model),
    )


class _Asked(NamedTuple):
    """Softness, label of its model, columns with their sets, and QS below which atoms are hard and above which they are soft."""

    group: str
    label: Mapping
    sets: tuple[str, ...]
    columns: list[str]
    hard_below: float
    soft_above: float


def _chosen(there: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """Columns by the names that people type."""
    folded = {name.casefold(): name for name in there}
    for name in wanted:
        if name.strip().casefold() not in folded:
            near = get_close_matches(name.casefold(), folded, n=3, cutoff=0.4)
            raise UsageError(
                f"the feature sets have no column {name!r}",
                code="E-COLUMN",
                why=f"these are like it: {', '.join(near)}" if near else None,
                hint="'qsdask features --list --set SET' prints the columns of a set",
            )
    return [folded[name.strip().casefold()] for name in dict.fromkeys(wanted)] or list(there)


def _both(root: StoreReader, domain: int, asked: _Asked) -> tuple[np.ndarray, np.ndarray]:
    """Which atoms of a domain are hard or soft, and which of all are soft; bool arrays."""
    qs = usable_softness(root, domain, asked.group, asked.label)
    return (qs < asked.hard_below) | (qs > asked.soft_above), qs > asked.soft_above


def _sample(root: StoreReader, domain: int, *, asked: _Asked, key: str, limit: np.uint64) -> np.ndarray:
    rows = root.rows(domain)
    taken = _both(root, domain, asked)[0] & (identity_hash(0, "contrast", 0, key, root["atoms/id"][rows]) <= limit)
    return feature_rows(root, rows, asked.sets, asked.columns)[taken]


def _joined(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.concatenate([one, other])


def _part(root: StoreReader, domain: int, *, asked: _Asked, edges: np.ndarray, edge: float) -> of_classes.Counts:
    rows = root.rows(domain)
    mask, soft = _both(root, domain, asked)
    value = feature_rows(root, rows, asked.sets, asked.columns)[mask]
    return of_classes.partial(value, soft[mask], edges, block_of(root, rows, edge)[mask])


def _intervals(found: xr.Dataset, names: list[str], blocks: Mapping[int, np.ndarray], key: str) -> xr.Variable:
    """Intervals of the areas, a column at a time: draws of all of them would be too many numbers."""
    each = np.array([blocks[k] for k in sorted(blocks)]).reshape(len(blocks), len(names), -1)
    by_name = {}
    for k, name in enumerate(names):
        drawn = bootstrap.redrawn(dict(enumerate(each[:, k])), key, _DRAWS)
        by_name[name] = bootstrap.ends(of_classes.area(drawn.reshape(_DRAWS, 2, -1)), len(blocks))
    return described(
        np.array([by_name[name] for name in found["column"].values.tolist()]),
        ("column", "end"),
        f"{found['auc'].attrs['long_name']}: {bootstrap.LEVEL:.0%} confidence, by blocks of space",
    )
