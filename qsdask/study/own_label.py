"""Labels of the user's own in stores: whether they fit together, what they are in each glass, and how softness ranks them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from qsdask.engine.reduce import reduced, totals
from qsdask.engine.where import Run
from qsdask.errors import BadDataError, UsageError
from qsdask.files.location import located
from qsdask.learn import score
from qsdask.learn.counted import Counted, Levels, Sums
from qsdask.learn.own_label import Judge, is_own, needs_all, own_label, softward
from qsdask.learn.tally import RESOLUTION, Tally
from qsdask.settings import TrainSettings
from qsdask.stages.label import group_of
from qsdask.stages.steps import label_step
from qsdask.store import ledger
from qsdask.store.identity import StoreAt
from qsdask.store.reader import StoreReader
from qsdask.study.response import check_response, is_deformed
from qsdask.study.rows import LabelledRows, labelled_rows
from qsdask.study.surface import margin_of, surface_ledgers

__all__ = [
    "Extremes",
    "can_be_scored",
    "check_label",
    "extremes_of",
    "label_at",
    "ledger_of_label",
    "own_label_of",
    "own_scores",
    "ranking_scores",
]

#: Share of the atoms with the largest, and with the smallest values, that are looked for in scores.
EXTREME = 0.05

#: Steps of the span of all values to which they are rounded for sums; of this a correlation is good to 1e-6.
_STEPS = 1 << 30


def ledger_of_label(label: Mapping | str) -> str:
    """Ledger that a label rests on: of a model, or as typed."""
    if isinstance(label, str):
        return {name: f"response/{name}" for name in ("d2min", "propensity")}.get(label, group_of(label))
    if is_own(label):
        return group_of(label["name"])
    return ledger_of_label("propensity" if "frequency" in label else "d2min")


def own_label_of(paths: Sequence[Path], chosen: TrainSettings) -> dict[str, Any]:
    """What a model keeps of a label of the user's own, which all stores have in the same unit; empty for labels of the response.

    Raises
    ------
    NoInputError
        ``E-STAGE-MISSING``.
    BadDataError
        ``E-LABEL-UNIT``.
    """
    if chosen.own_rule is None:
        return {}
    units = [_unit(path, chosen.label) for path in paths]
    for path, unit in zip(paths, units, strict=True):
        _refuse_unit(path, chosen.label, unit, units[0], str(paths[0]))
    return own_label(chosen.label, units[0], *chosen.own_rule)


def _unit(path: Path, name: str) -> str:
    ledger.require(path, "ingest")
    return str(ledger.require(path, group_of(name)).settings["unit"])


def _refuse_unit(path: Path, name: str, unit: str, wanted: str, of: str) -> None:
    if unit != wanted:
        raise BadDataError(
            f"{name} is in {unit} in this store, in {wanted} in {of}",
            code="E-LABEL-UNIT",
            file=path,
            hint=f"qsdask label {path} --from FILE --name {name} --unit {wanted} --overwrite, with the values in that unit",
        )


def check_label(path: Path, label: Mapping) -> None:
    """Refuse a store that does not have the label of a model, measured as it was for the model.

    Raises
    ------
    BadDataError
        ``E-RESPONSE-DIFFERS``, ``E-LABEL-UNIT``, ``E-STRAIN``.
    NoInputError
        ``E-STAGE-MISSING``.
    """
    if is_own(label):
        _refuse_unit(path, label["name"], _unit(path, label["name"]), label["unit"], "the model")
    else:
        check_response(path, label, averaged="frequency" in label)


def can_be_scored(path: Path, label: Mapping) -> bool:
    """Whether a store holds what softness by a model of this label can be held against: deformed frames, or the label."""
    if not is_own(label):
        return is_deformed(path)
    record = ledger.read(path, group_of(label["name"]))
    return record is not None and record.complete


def label_at(
    store: StoreAt, label: Mapping, rows: Callable[..., LabelledRows], run: Run, *, ranked: bool = False
) -> int | Judge:
    """Where a label is in a store: the frame of a response; of a label of the user's own what it is in this glass.

    Parameters
    ----------
    store : StoreAt
        Store.
    label : mapping
        Of a model.
    rows : callable
        ``rows(root, domain, step)``: the rows of a domain that a learner can use; they count for shares and ranks.
    run : Run
        Cluster, workers, progress.
    ranked : bool
        Whether ranks are learned, whatever the rule.

    Returns
    -------
    int or Judge
        As `qsdask.study.rows.labelled_rows` takes it.
    """
    if not is_own(label):
        return label_step(located(store.path), label)
    judge = Judge.of(label)
    if not (ranked or needs_all(label)):
        return judge
    found = totals(run, [(store, {})], _values, Counted.__add__, title="values", rows=rows, judge=judge)
    return Judge.of(label, found[store.path], ranked=ranked)


def _rests_on(path: Path, label: Mapping) -> tuple[str, ...]:
    return (ledger_of_label(label), *surface_ledgers(path, margin_of(label)))


def _values(root: StoreReader, domain: int, *, rows: Callable[..., LabelledRows], judge: Judge) -> Counted:
    found = rows(root, domain, judge)
    return Counted.of(found.d2[found.mask])


class Extremes(NamedTuple):
    """Values and softness of the scored atoms of a glass, counted each for itself."""

    value: Counted
    softness: Counted

    def __add__(self, other: Extremes) -> Extremes:  # type: ignore[override]  # counts add up, tuples would join
        return Extremes(self.value + other.value, self.softness + other.softness)


def extremes_of(path: Path, group: str, label: Mapping, run: Run) -> Extremes:
    """Count values and softness of the atoms that have both, and are usable."""
    rests_on = (group, *_rests_on(path, label))
    return reduced(path, rests_on, _counted, Extremes.__add__, run, "values", group=group, label=dict(label))


def _scored(root: StoreReader, domain: int, group: str, label: dict) -> tuple[np.ndarray, np.ndarray]:
    """Values and softness of the usable atoms of a domain; with a softness an atom has all features."""
    found = labelled_rows(root, domain, (), (), Judge.of(label), label)
    qs = root[f"{group}/qs"][root.rows(domain)]
    mask = found.mask & np.isfinite(qs)
    return found.d2[mask], np.floor(qs[mask] / RESOLUTION).astype(np.int64)


def _counted(root: StoreReader, domain: int, *, group: str, label: dict) -> Extremes:
    value, step = _scored(root, domain, group, label)
    return Extremes(Counted.of(value), Counted.of(step * RESOLUTION))


def own_scores(
    path: Path, group: str, label: Mapping, frame: int | None, run: Run
) -> tuple[Judge, dict[str, float]] | None:
    """What a label of the user's own is in a glass, and how softness ranks its values; None for labels of the response.

    Raises
    ------
    UsageError
        ``E-STEP`` when a frame is named.
    """
    if not is_own(label):
        return None
    if frame is not None:
        raise UsageError(
            f"the label {label['name']!r} of the model is of the glass, not of a frame",
            code="E-STEP",
            hint="leave --frame out",
        )
    known = extremes_of(path, group, label, run)
    return Judge.of(label, known.value), ranking_scores(path, group, label, known, run)


class _Held(NamedTuple):
    """Softness held against values: atoms of the largest and smallest values by softness, sums of ranks and of numbers."""

    top: Tally
    bottom: Tally
    ranks: Sums
    numbers: Sums

    def __add__(self, other: _Held) -> _Held:  # type: ignore[override]  # counts add up, tuples would join
        counts = self.top + other.top, self.bottom + other.bottom
        return _Held(*counts, self.ranks + other.ranks, self.numbers + other.numbers)


def ranking_scores(path: Path, group: str, label: Mapping, known: Extremes, run: Run) -> dict[str, float]:
    """How well softness ranks the values of a label of the user's own.

    Parameters
    ----------
    path : Path
        Root of the store.
    group : str
        Group of the softness.
    label : mapping
        Of the model.
    known : Extremes
        Of `extremes_of`.
    run : Run
        Cluster, workers, progress.

    Returns
    -------
    dict of str to float
        ``auc_top`` and ``auc_bottom``: area under the ROC curve of finding the 5 % of the atoms with the largest and with the
        smallest values, at the end of softness where the model says that they are: 1 is perfect, 0.5 chance. ``spearman``:
        correlation of the ranks of softness and value, negative where small values are soft. ``r2``: squared Pearson
        correlation of softness and value, that is the share of the variance of the value that the best straight line in
        softness explains; softness itself only ranks. NaN where all atoms have one value, or one softness.

    Notes
    -----
    Values that agree to within a millionth, and softness to within 10^-6, count as equal; equal ones share a rank, and belong
    to the 5 % together. Ranks and AUC are exact beyond that for up to 16384 different values, and else off by less than 1e-8;
    ``r2`` by less than 1e-5. All sums are whole numbers: however the glass is cut, the same result to the last bit.
    """
    if not known.value.n:
        return dict.fromkeys(("auc_top", "auc_bottom", "spearman", "r2"), float("nan"))
    shares = {rule: Judge.of({"rule": rule, "at": EXTREME}, known.value) for rule in ("top", "bottom")}
    held = reduced(
        path,
        (group, *_rests_on(path, label)),
        _hold,
        _Held.__add__,
        run,
        "ranks",
        group=group,
        label=dict(label),
        **shares,
        levels=(known.value.levels(), known.softness.levels()),
        span=known.value.span(),
    )
    towards = {"auc_top": (held.top, softward(label)), "auc_bottom": (held.bottom, -softward(label))}
    areas = {
        name: score.auc_roc(tally) if sign > 0 else 1.0 - score.auc_roc(tally)
        for name, (tally, sign) in towards.items()
    }
    return {**areas, "spearman": held.ranks.correlation(), "r2": held.numbers.correlation() ** 2}


def _hold(
    root: StoreReader,
    domain: int,
    *,
    group: str,
    label: dict,
    top: Judge,
    bottom: Judge,
    levels: tuple[Levels, Levels],
    span: tuple[float, float],
) -> _Held:
    value, step = _scored(root, domain, group, label)
    softness, (low, high) = step * RESOLUTION, span
    places = np.rint((value - low) / (high - low) * _STEPS).astype(np.int64)
    return _Held(
        Tally.of(top.soft(value), softness),
        Tally.of(bottom.soft(value), softness),
        Sums.of(levels[0].twice_rank(value), levels[1].twice_rank(softness)),
        Sums.of(places, step),
    )
