"""A model on a glass that it has not seen, without storing softness there: what comparisons of models are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from pathlib import Path
from typing import NamedTuple

import numpy as np

from qsdask.engine.tasks import run_tasks, sent_to_all
from qsdask.engine.where import Run
from qsdask.learn import Model, Standard, Tally, probabilities, quench_in_softness, score
from qsdask.learn.own_label import Judge
from qsdask.learn.tally import RESOLUTION
from qsdask.stages.columns import columns_there
from qsdask.stages.definition import definition_of
from qsdask.stages.standard import standards
from qsdask.store import ledger
from qsdask.store.identity import StoreAt
from qsdask.store.reader import StoreReader
from qsdask.store.unchanged import unchanged
from qsdask.study.own_label import check_label, label_at, ledger_of_label
from qsdask.study.rows import LabelledRows, labelled_rows
from qsdask.study.surface import margin_of, surface_ledgers

__all__ = ["TrialScore", "column_there", "refuse_unfit", "scored_on"]

#: Step to which probabilities of the single fold models are rounded: their AUC is good to about 1e-5, and there are many.
COARSE = 2.0**-14


@dataclass(frozen=True)
class TrialScore:
    """Usable atoms of a glass counted by what a model says of them.

    Attributes
    ----------
    softness : Tally
        By QS.
    models : tuple of Tally
        By the probability of each fold model.
    """

    softness: Tally
    models: tuple[Tally, ...]

    def __add__(self, other: TrialScore) -> TrialScore:
        """Atoms of both; exact, in any order."""
        pairs = zip(self.models, other.models, strict=True)
        return TrialScore(self.softness + other.softness, tuple(one + two for one, two in pairs))

    @property
    def auc(self) -> float:
        """AUC-ROC of QS; NaN when all atoms have one label."""
        return score.auc_roc(self.softness)

    @property
    def auc_models(self) -> list[float]:
        """AUC-ROC of each fold model, by draw, then fold."""
        return [score.auc_roc(one) for one in self.models]


def scored_on(
    path: Path, models: Mapping[str, Model], run: Run, *, elements: Mapping[str, str] | None = None
) -> dict[str, TrialScore]:
    """What each of several models says of a deformed glass, in one pass over its store, on the same atoms for all.

    Parameters
    ----------
    path : Path
        Store with the features of all models, and with what they learned. Nothing is written.
    models : mapping of str to Model
        With one label, by any names; learned by any learners.
    run : Run
        Cluster, workers, progress.
    elements : mapping of str to str, optional
        Element of the store that stands where the models know another one: in names of columns, and in settings of
        feature sets that name an element.

    Returns
    -------
    dict of str to TrialScore
        By the names of the models. Atoms count that are usable, and that every model can judge: trees need a value in every
        column, linear models in one.

    Raises
    ------
    BadDataError
        ``E-SPECIMEN-BOTH-SIDES`` when a model was trained on this glass; ``E-FEATURES-DIFFER`` when its features were defined
        otherwise; ``E-RESPONSE-DIFFERS``, ``E-LABEL-UNIT``, ``E-STRAIN`` as of `qsdask.evaluate`.
    QSDaskError
        When a stage is missing or incomplete.
    """
    elements = dict(elements or {})
    for model in models.values():
        refuse_unfit(path, model, elements)
    label = models[min(models)].label
    sets = tuple(dict.fromkeys(one for model in models.values() for one in (*model.sets, *label.get("same_atoms", ()))))
    rests_on = (*(f"features/{one}" for one in sets), ledger_of_label(label), *surface_ledgers(path, margin_of(label)))
    store = StoreAt.of(path)
    needs = {name: _Need.of(model, elements) for name, model in models.items()}
    with unchanged(path, rests_on), run.shared() as here, here.connected() as client:
        rows = partial(_rows, needs=sorted(set(needs.values())), label=label)
        step = label_at(store, label, rows, here)
        measured = {
            need: standards(here, [store], need.sets, need.columns, 0)[store.path]
            for need in sorted(set(needs.values()))
            if need.standard
        }
        applied = {name: _Applied(model, needs[name], measured.get(needs[name])) for name, model in models.items()}
        # Models are large: they go to the workers once, not with every domain.
        sent = sent_to_all(client, applied)
        tasks = [(store, domain, sent) for domain in range(store.reader().n_domain)]
        part = partial(_part, label=label, step=step)
        parts = run_tasks(
            client,
            part,
            tasks,
            label=path.stem,
            progress=run.progress,
            describe=lambda store, domain, _: f"domain {domain} of {store.path}",
        )
        return reduce(_joined, parts)


def _joined(one: dict[str, TrialScore], two: dict[str, TrialScore]) -> dict[str, TrialScore]:
    return {name: one[name] + two[name] for name in one}


def refuse_unfit(path: Path, model: Model, elements: Mapping[str, str]) -> None:
    """Refuse a model that cannot be judged on a glass; arguments and errors as of `scored_on`."""
    source = ledger.require(path, "ingest")
    model.check_specimen(source.facts["specimen"], source.facts["fingerprint"])
    check_label(path, model.label)
    definition = definition_of(path, model.sets)
    back = {there: known for known, there in elements.items()}
    kind = "sets" if "sets" in definition else "features"
    definition[kind] = _renamed(definition[kind], back)
    there = set(columns_there(StoreReader(path), model.sets))
    known = [name for name in model.columns if column_there(name, elements) in there]
    model.check_features(known, definition)


def _renamed(settings: object, names: Mapping[str, str]) -> object:
    """Settings with other elements where they name one."""
    if isinstance(settings, dict):
        return {name: _renamed(value, names) for name, value in settings.items()}
    return names.get(settings, settings) if isinstance(settings, str) else settings


def column_there(name: str, elements: Mapping[str, str]) -> str:
    """Name of a column in a store of other elements.

    Parameters
    ----------
    name : str
        Such as ``sro__symmetry_angular_cu_zr_s00__cutoff``.
    elements : mapping of str to str
        Element there for each element here.

    Returns
    -------
    str
        Pairs of elements in alphabetical order, as columns name them.
    """
    lower = {here.lower(): there.lower() for here, there in elements.items()}
    words = name.split("_")
    places = [k for k, word in enumerate(words) if word in lower]
    for k, element in zip(places, sorted(lower[words[k]] for k in places), strict=True):
        words[k] = element
    return "_".join(words)


class _Need(NamedTuple):
    """What a model reads of a store.

    Attributes
    ----------
    sets, columns : tuple of str
        Feature sets, and their columns by their names in the store.
    gaps : bool
        Whether it judges atoms that lack some of the columns.
    standard : bool
        Whether it measures the columns by those of the whole glass.
    """

    sets: tuple[str, ...]
    columns: tuple[str, ...]
    gaps: bool
    standard: bool

    @classmethod
    def of(cls, model: Model, elements: Mapping[str, str]) -> _Need:
        columns = tuple(column_there(name, elements) for name in model.columns)
        return cls(model.sets, columns, model.part.gaps, model.part.standardises)


class _Applied(NamedTuple):
    """A model, what it reads of a store, and what it measures that by."""

    model: Model
    need: _Need
    standard: Standard | None


def _rows(root: StoreReader, domain: int, step: int | Judge, *, needs: Sequence[_Need], label: dict) -> LabelledRows:
    """All columns of `_columns`; usable are atoms that every model can judge."""
    columns = _columns(needs)
    sets = tuple(dict.fromkeys(one for need in needs for one in need.sets))
    found = labelled_rows(root, domain, sets, columns, step, label, gaps=True)
    mask = found.mask.copy()
    for need in needs:
        known = np.isfinite(found.value[:, [columns.index(name) for name in need.columns]])
        mask &= known.any(axis=1) if need.gaps else known.all(axis=1)
    return found._replace(mask=mask)


def _columns(needs: Sequence[_Need]) -> tuple[str, ...]:
    """Columns that some model reads, each once."""
    return tuple(dict.fromkeys(name for need in needs for name in need.columns))


def _part(
    store: StoreAt, domain: int, applied: Mapping[str, _Applied], *, label: dict, step: int | Judge
) -> dict[str, TrialScore]:
    root = store.reader()
    needs = sorted({one.need for one in applied.values()})
    found, columns = _rows(root, domain, step, needs=needs, label=label), _columns(needs)
    y, value = found.y[found.mask], found.value[found.mask]
    species, names = root["atoms/species"][root.rows(domain)][found.mask], root.names("atoms/species_name")
    said = {}
    for name, (model, need, standard) in applied.items():
        seen = model.part.seen(value[:, [columns.index(one) for one in need.columns]], species, names, standard)
        qs, _ = quench_in_softness(model, seen)
        each = tuple(Tally.of(y, q, resolution=COARSE) for q in probabilities(model, seen))
        said[name] = TrialScore(Tally.of(y, qs, resolution=RESOLUTION), each)
    return said
