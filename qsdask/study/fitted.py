"""The learner ``response`` on stores: ridge regression of how far atoms rearrange, from sums that domains send.

Only sums leave the workers: products of columns that are whole numbers, and counts of scores; and, so that the model
can tell what it knows, the columns of a sample of 40,000 atoms at most.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from qsdask.engine.reduce import totals
from qsdask.learn import Model, Specimen, Standard, Table
from qsdask.learn.fitting import Fit, Scored, added, experience, fit, part_of, scored, scores_of
from qsdask.learn.folds import dealt_blocks
from qsdask.learn.held_out import check_counts
from qsdask.learn.own_label import Judge
from qsdask.learn.ridge import PENALTY_OF_ONE, Products, whole_target
from qsdask.learn.validity import clouds_of
from qsdask.settings import TrainSettings
from qsdask.stages.standard import standards
from qsdask.store.reader import StoreReader
from qsdask.study.blocks import block_of
from qsdask.study.columns import columns_of, sets_of
from qsdask.study.rows import LabelledRows, labelled_rows
from qsdask.study.target import target_rows, target_settings, target_steps
from qsdask.study.training_rows import Lesson, joined_samples, sample_of

__all__ = ["fitted", "rows_with_target"]


class _Own(NamedTuple):
    """What is particular to one store.

    Attributes
    ----------
    step : int or Judge
        Where the label is; see `qsdask.study.own_label.label_at`.
    specimen : Specimen
        Glass.
    standard : Standard
        What its columns are measured by.
    group : int or dict of int to int
        The group that it is, or the one of every block of space.
    """

    step: int | Judge
    specimen: Specimen
    standard: Standard
    group: int | dict[int, int]


def rows_with_target(
    root: StoreReader, domain: int, step: int | Judge, *, chosen: TrainSettings, label: dict
) -> LabelledRows:
    """Rows of a domain that ridge regression can learn from: with a class, a target, and at least one column."""
    return _with_target(root, domain, step, chosen, label)[0]


def _with_target(
    root: StoreReader, domain: int, step: int | Judge, chosen: TrainSettings, label: dict
) -> tuple[LabelledRows, np.ndarray]:
    found = labelled_rows(root, domain, sets_of(chosen), columns_of(root, chosen), step, label, gaps=True)
    if isinstance(step, Judge):
        # Before the ranks are known they are asked which rows there are.
        return found, found.d2 if found.target is None else found.target
    made = target_settings(label, root.length)
    target = target_rows(root, root.rows(domain), target_steps(root.path, step, made), label, made)
    lost = found.mask & ~np.isfinite(target)
    excluded = {**found.excluded, "response": found.excluded["response"] + int(lost.sum())}
    return found._replace(mask=found.mask & ~lost, excluded=excluded), target


def fitted(lesson: Lesson, specimens: Mapping[str, Specimen], d2_quantiles: Sequence[float]) -> Model:
    """Learn a linear model.

    Parameters
    ----------
    lesson : Lesson
        Stores and settings.
    specimens : mapping of str to Specimen
        Their glasses, by path.
    d2_quantiles : sequence of float
        Quantiles of D2min, for messages. Unit: angstrom^2.

    Raises
    ------
    BadDataError
        ``E-ONE-CLASS``, ``E-FEW-PLASTIC``.
    UsageError
        ``E-BLOCK``: a single glass that is cut into fewer blocks than folds.

    Notes
    -----
    Several glasses are left out one after the other; of a single one blocks of space are, dealt into folds. Every group
    has its own sums, so that to leave one out costs no more than to solve for the coefficients. The penalty is the one
    that does best on glasses left out; of a single glass `qsdask.learn.ridge.PENALTY_OF_ONE`.
    """
    chosen, label = lesson.chosen, lesson.label
    several = len(specimens) > 1
    glasses = sorted(specimens.values(), key=lambda one: one.key)
    warnings = check_counts(glasses, 2 if several else chosen.folds, d2_quantiles, label.get("name"))
    root = lesson.stores[0].reader()
    columns = columns_of(root, chosen)
    measured = standards(lesson.run, lesson.stores, sets_of(chosen), columns, 0)
    groups = {path: glasses.index(one) for path, one in specimens.items()} if several else _folds(lesson, specimens)
    asked = [
        (s, {"own": _Own(lesson.steps[s.path], specimens[s.path], measured[s.path], groups[s.path])})
        for s in lesson.stores
    ]
    every = partial(totals, lesson.run, asked, chosen=chosen, label=label)
    products: dict[int, Products] = {}
    for sums in every(_products_of_domain, added, title="products").values():
        products = added(products, sums)
    made = fit(products, chosen.penalty or (None if several else PENALTY_OF_ONE))
    counted = every(_Scores.of_domain, _Scores.__add__, title="scores", made=made, specimens=glasses)
    first, *others = counted.values()
    total = sum(others, start=first)
    part = part_of(made, total.scored)
    names = [one.name for one in glasses] if several else [f"blocks {k}" for k in range(chosen.folds)]
    scores, told = scores_of(made, part, total.scored, names)
    clouds = clouds_of(joined_samples(total.samples))
    prior = sum(s.n_plastic for s in glasses) / sum(s.n_usable for s in glasses)
    return Model(
        columns=columns,
        definition=lesson.definition,
        label=label,
        settings={
            "learner": "response",
            "penalty": made.penalty,
            "target": target_settings(label, root.length),
            "n_folds": len(names),
            "folds": "specimen" if several else "spatial_block",
            **({} if several else {"block": chosen.block_angstrom}),
            # Its curve is that of equal classes, as trees get them.
            "ratio": 1.0,
            "seed": chosen.seed,
        },
        specimens=tuple(glasses),
        scores=scores,
        warnings=(*warnings, *told),
        trees={},
        clouds=clouds,
        trained=experience(part, total.scored, prior) if clouds else {},
        linear=part,
    )


def _folds(lesson: Lesson, specimens: Mapping[str, Specimen]) -> dict[str, dict[int, int]]:
    """Fold of every block of space of a single glass, by its path."""
    [store], chosen = lesson.stores, lesson.chosen
    asked = [(store, {"step": lesson.steps[store.path]})]
    found = totals(
        lesson.run, asked, _blocks_of_domain, operator.add, title="blocks", chosen=chosen, label=lesson.label
    )[store.path]
    names = np.array(sorted({block for block, _ in found}), dtype=np.int64)
    other, plastic = (np.array([found[int(block), kind] for block in names]) for kind in (False, True))
    key = specimens[store.path].key
    fold = dealt_blocks(key, names, plastic, plastic + other, seed=chosen.seed, n_folds=chosen.folds)
    return {store.path: dict(zip(names.tolist(), fold.tolist(), strict=True))}


def _blocks_of_domain(
    root: StoreReader, domain: int, *, step: int | Judge, chosen: TrainSettings, label: dict
) -> Counter[tuple[int, bool]]:
    """Usable atoms by block and class."""
    found = rows_with_target(root, domain, step, chosen=chosen, label=label)
    block = block_of(root, root.rows(domain), chosen.block_angstrom)[found.mask]
    return Counter(zip(block.tolist(), found.y[found.mask].tolist(), strict=True))


class _Rows(NamedTuple):
    """Usable rows of a domain: whole numbers of their columns, target, class and group; and all rows."""

    whole: np.ndarray
    target: np.ndarray
    y: np.ndarray
    group: np.ndarray
    found: LabelledRows

    @classmethod
    def of(cls, root: StoreReader, domain: int, own: _Own, chosen: TrainSettings, label: dict) -> _Rows:
        found, target = _with_target(root, domain, own.step, chosen, label)
        rows, mask = root.rows(domain), found.mask
        whole = own.standard.whole(
            found.value[mask], root["atoms/species"][rows][mask], root.names("atoms/species_name")
        )
        if isinstance(own.group, int):
            group = np.full(len(whole), own.group)
        else:
            block = block_of(root, rows, chosen.block_angstrom)[mask]
            group = np.array([own.group[b] for b in block.tolist()], dtype=np.int64)
        return cls(whole, whole_target(target[mask]), found.y[mask], group, found)


def _products_of_domain(
    root: StoreReader, domain: int, *, own: _Own, chosen: TrainSettings, label: dict
) -> dict[int, Products]:
    rows = _Rows.of(root, domain, own, chosen, label)
    chosen_by = {int(k): rows.group == k for k in np.unique(rows.group)}
    return {k: Products.of(rows.whole[mine], rows.target[mine]) for k, mine in chosen_by.items()}


class _Scores(NamedTuple):
    """Atoms by their scores, and a sample of them."""

    scored: Scored
    samples: tuple[dict[str, Table], ...]

    def __add__(self, other: _Scores) -> _Scores:  # type: ignore[override]  # counts add up, tuples would join
        return _Scores(self.scored + other.scored, (*self.samples, *other.samples))

    @staticmethod
    def of_domain(
        root: StoreReader,
        domain: int,
        *,
        own: _Own,
        chosen: TrainSettings,
        label: dict,
        made: Fit,
        specimens: Collection[Specimen],
    ) -> _Scores:
        rows = _Rows.of(root, domain, own, chosen, label)
        columns = columns_of(root, chosen)
        sample = sample_of(root, domain, rows.found, columns, own.specimen, specimens, chosen.seed)
        return _Scores(scored(made, rows.whole, rows.y, rows.group), (sample,))
