"""Question ``compare``: how the softness of glasses differs, all of them set against the first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr

from qsdask.analysis import distance as between
from qsdask.analysis import distribution
from qsdask.analysis.counts import described
from qsdask.engine.reading import read_box
from qsdask.engine.reduce import reduced
from qsdask.engine.where import Run
from qsdask.errors import BadDataError, UsageError
from qsdask.files.location import located
from qsdask.settings.defaults import SOFT_ABOVE
from qsdask.space.box import FACE_TOLERANCE
from qsdask.stages.predict import standard_of
from qsdask.store import ledger
from qsdask.store.reader import StoreReader
from qsdask.study.change import change_of_softness, same_atoms
from qsdask.study.ensemble import by_condition
from qsdask.study.rows import softness_group, usable_softness
from qsdask.study.surface import margin_of, surface_ledgers

__all__ = ["compare"]

#: Bins of the change of QS over [-1, 1].
CHANGES = 80


def compare(
    stores: Sequence[str | Path], *, model: str | Path, conditions: str | Path | None = None, run: Run | None = None
) -> xr.Dataset:
    """Set the softness of undeformed glasses side by side, all of them against the first.

    Parameters
    ----------
    stores : sequence of path
        Two stores or more, each after `qsdask.predict`.
    model : str or Path
        Model folder, or its name.
    conditions : str or Path, optional
        CSV that tells what glasses are replicas of each other; see `qsdask.study.conditions.conditions_of`.
    run : Run, optional
        Cluster, workers, progress.

    Returns
    -------
    xarray.Dataset
        For every ``glass`` the distribution of QS, without atoms near free surfaces (see
        `qsdask.analysis.distribution.finalise`), and its ``distance`` from the first glass with ``distance_error`` and
        ``distance_chance`` (see `qsdask.analysis.distance.Distance`). ``n_common`` atoms are those of the first glass, by id and
        place, and have a softness in both; of their changes ``delta_mean``, ``delta_std``, ``delta_size`` (mean absolute
        change), ``n_softened`` and ``n_hardened`` (soft in one glass only), and the histogram ``delta_count``. NaN and 0 where
        the atoms are others. By ``condition``, composition and quench rate, means over replicas with their standard errors; see
        `qsdask.study.ensemble.by_condition`. The attribute ``warnings`` lists what should be known of the model.

    Raises
    ------
    UsageError
        ``E-COMPARE`` for fewer than two stores.
    BadDataError
        ``E-MODEL-CHANGED`` when the softness is that of different models of one name.
    QSDaskError
        When the softness is missing or incomplete; the message has the command.
    """
    paths, run = [located(store) for store in stores], run or Run()
    if len(paths) < 2:
        hint = "qsdask compare A.zarr B.zarr --model cuzr-fast"
        raise UsageError("name two glasses or more to compare", code="E-COMPARE", hint=hint)
    groups = [softness_group(path, model) for path in paths]
    _refuse_other_models(paths, groups)
    with run.shared() as here:
        parts = [_counts(path, group, here) for path, group in zip(paths, groups, strict=True)]
    rows = []
    for number, (path, part) in enumerate(zip(paths, parts, strict=True)):
        same = number > 0 and same_atoms(paths[0], path)
        change = change_of_softness(paths[0], path, model=model) if same else None
        found = (
            between.distance(parts[0].blocks, part.blocks, paired=same)
            if number
            else between.Distance(0.0, np.nan, np.nan)
        )
        rows.append(distribution.finalise(part.total).assign(_told(found) | _changes(change)))
    edge = np.linspace(-1.0, 1.0, CHANGES + 1)
    edges = {
        "glass": described([str(path) for path in paths], "glass", "store"),
        "delta_lower": described(edge[:-1], "change", "lower edge of the bin of the change of QS"),
        "delta_upper": described(edge[1:], "change", "upper edge of the bin of the change of QS"),
    }
    whole = xr.concat(rows, dim="glass", data_vars="all", coords="minimal", compat="override")
    means, notes = by_condition(whole, paths, conditions)
    told = _warnings(paths, groups) + notes * bool((means["condition_glasses"] > 1).any())
    return (
        xr.merge([whole, means], combine_attrs="override")
        .assign_coords(edges)
        .assign_attrs(model=str(model), warnings=told)
    )


def _warnings(paths: list[Path], groups: list[str]) -> list[str]:
    if all(standard_of(path, group) is None for path, group in zip(paths, groups, strict=True)):
        return []
    return [
        "W-OWN-STANDARD: this model compares the atoms of a glass with one another, so that its glasses are about equally soft in "
        "the mean; a model of the learner gbdt tells which is softer"
    ]


class _Counts(NamedTuple):
    """A glass counted: as a whole, and the histogram of QS in blocks of space."""

    total: xr.Dataset
    blocks: dict[int, np.ndarray]

    def __add__(self, other: _Counts) -> _Counts:  # type: ignore[override]  # counts add up, tuples would join
        return _Counts(distribution.combine(self.total, other.total), between.add(self.blocks, other.blocks))


def _counts(path: Path, group: str, run: Run) -> _Counts:
    label = ledger.require(path, group).settings["label"]
    rests_on = (group, *surface_ledgers(path, margin_of(label)))
    return reduced(path, rests_on, _part, _Counts.__add__, run, path.stem, group=group, label=label)


def _part(root: StoreReader, domain: int, *, group: str, label: dict) -> _Counts:
    qs, box = usable_softness(root, domain, group, label), read_box(root, 0)
    # An atom on a face is in one block, whatever image it was written in.
    reduced_place = box.reduced(root["frames/position"][0, root.rows(domain)]) + FACE_TOLERANCE
    return _Counts(distribution.partial(qs), between.by_block(qs, reduced_place, box.periodic))


def _told(found: between.Distance) -> dict[str, xr.Variable]:
    return {
        "distance": described(found.value, (), "1-Wasserstein distance of QS from that of the first glass"),
        "distance_error": described(found.error, (), "its standard error, by bootstrap over blocks of space"),
        "distance_chance": described(found.chance, (), "distance below which 95 % of random divisions stay"),
    }


def _changes(change: xr.Dataset | None) -> dict[str, xr.Variable]:
    """What is told of the change of every atom; nothing known of a glass of other atoms."""
    before, after = (np.empty(0) if change is None else change[f"qs_{name}"].values for name in ("first", "second"))
    known = np.isfinite(before) & np.isfinite(after)
    before, after = before[known], after[known]
    delta, some = after - before, bool(known.any())
    was, now = before > SOFT_ABOVE, after > SOFT_ABOVE
    count = np.histogram(delta, bins=CHANGES, range=(-1.0, 1.0))[0]
    return {
        "n_common": described(len(delta), (), "atoms of the first glass with a softness in both"),
        "delta_mean": described(delta.mean() if some else np.nan, (), "mean change of QS"),
        "delta_std": described(delta.std() if some else np.nan, (), "standard deviation of the change of QS"),
        "delta_size": described(np.abs(delta).mean() if some else np.nan, (), "mean absolute change of QS"),
        "n_softened": described(int((now & ~was).sum()), (), "atoms that are soft and were not"),
        "n_hardened": described(int((was & ~now).sum()), (), "atoms that were soft and are not"),
        "delta_count": described(count, "change", "atoms per bin of the change of QS"),
    }


def _refuse_other_models(paths: Sequence[Path], groups: Sequence[str]) -> None:
    """A name without a model folder may stand for different models."""
    digests = [ledger.require(path, group).settings["model_digest"] for path, group in zip(paths, groups, strict=True)]
    for path, digest in zip(paths, digests, strict=True):
        if digest != digests[0]:
            raise BadDataError(
                f"its softness is that of another model than in {paths[0]}",
                code="E-MODEL-CHANGED",
                file=path,
                hint="name the model folder, and apply it to all glasses with 'qsdask predict'",
            )
