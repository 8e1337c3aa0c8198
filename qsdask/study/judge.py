"""A model on a glass that it has not seen, without storing softness there: what comparisons of models are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial, reduce
from pathlib import Path

from qsdask.engine.tasks import run_tasks
from qsdask.engine.where import Run
from qsdask.learn import Model, Tally, probabilities, quench_in_softness, score
from qsdask.learn.tally import RESOLUTION
from qsdask.stages.columns import columns_there
from qsdask.stages.definition import definition_of
from qsdask.stages.steps import label_step
from qsdask.store import ledger
from qsdask.store.identity import StoreAt
from qsdask.store.reader import StoreReader
from qsdask.store.unchanged import unchanged
from qsdask.study.response import check_response, refuse_undeformed
from qsdask.study.rows import labelled_rows
from qsdask.study.surface import margin_of, surface_ledgers

__all__ = ["Judgement", "column_there", "judged", "refuse_unfit"]

#: Step to which probabilities of the single fold models are rounded: their AUC is good to about 1e-5, and there are many.
COARSE = 2.0**-14


@dataclass(frozen=True)
class Judgement:
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

    def __add__(self, other: Judgement) -> Judgement:
        """Atoms of both; exact, in any order."""
        pairs = zip(self.models, other.models, strict=True)
        return Judgement(self.softness + other.softness, tuple(one + two for one, two in pairs))

    @property
    def auc(self) -> float:
        """AUC-ROC of QS; NaN when all atoms have one label."""
        return score.auc_roc(self.softness)

    @property
    def auc_models(self) -> list[float]:
        """AUC-ROC of each fold model, by draw, then fold."""
        return [score.auc_roc(one) for one in self.models]


def judged(
    path: Path, models: Mapping[str, Model], run: Run, *, elements: Mapping[str, str] | None = None
) -> dict[str, Judgement]:
    """What each of several models says of a deformed glass, in one pass over its store, on the same atoms for all.

    Parameters
    ----------
    path : Path
        Store with the features of all models, and with a response. Nothing is written.
    models : mapping of str to Model
        With one label, by any names.
    run : Run
        Cluster, workers, progress.
    elements : mapping of str to str, optional
        Element of the store that stands where the models know another one: in names of columns, and in settings of
        feature sets that name an element.

    Returns
    -------
    dict of str to Judgement
        By the names of the models. Atoms count that are usable, and have a value in every column of every model.

    Raises
    ------
    BadDataError
        ``E-SPECIMEN-BOTH-SIDES`` when a model was trained on this glass; ``E-FEATURES-DIFFER`` when its features were defined
        otherwise; ``E-RESPONSE-DIFFERS``, ``E-STRAIN`` as of `qsdask.evaluate`.
    QSDaskError
        When a stage is missing or incomplete.
    """
    refuse_undeformed(path)
    elements = dict(elements or {})
    for model in models.values():
        refuse_unfit(path, model, elements)
    label = models[min(models)].label
    step = label_step(path, label)
    sets = tuple(dict.fromkeys(one for model in models.values() for one in (*model.sets, *label.get("same_atoms", ()))))
    response = "response/propensity" if "frequency" in label else "response/d2min"
    rests_on = (*(f"features/{one}" for one in sets), response, *surface_ledgers(path, margin_of(label)))
    store = StoreAt.of(path)
    with unchanged(path, rests_on), run.connected() as client:
        # Models are large: they go to the workers once, not with every domain.
        [sent] = client.scatter([dict(models)], broadcast=True)
        tasks = [(store, domain, sent) for domain in range(store.reader().n_domain)]
        part = partial(_part, label=label, step=step, elements=elements)
        parts = run_tasks(
            client,
            part,
            tasks,
            label=path.stem,
            progress=run.progress,
            describe=lambda store, domain, _: f"domain {domain} of {store.path}",
        )
        return reduce(_joined, parts)


def _joined(one: dict[str, Judgement], two: dict[str, Judgement]) -> dict[str, Judgement]:
    return {name: one[name] + two[name] for name in one}


def refuse_unfit(path: Path, model: Model, elements: Mapping[str, str]) -> None:
    """Refuse a model that cannot be judged on a glass; arguments and errors as of `judged`."""
    source = ledger.require(path, "ingest")
    model.check_specimen(source.facts["specimen"], source.facts["fingerprint"])
    check_response(path, model.label, averaged="frequency" in model.label)
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


def _part(
    store: StoreAt, domain: int, models: Mapping[str, Model], *, label: dict, step: int, elements: dict[str, str]
) -> dict[str, Judgement]:
    root = store.reader()
    wanted = {name: [column_there(column, elements) for column in model.columns] for name, model in models.items()}
    sets = tuple(dict.fromkeys(one for model in models.values() for one in model.sets))
    columns = tuple(dict.fromkeys(column for name in sorted(wanted) for column in wanted[name]))
    found = labelled_rows(root, domain, sets, columns, step, label)
    y, value = found.y[found.mask], found.value[found.mask]
    place = {column: k for k, column in enumerate(columns)}
    said = {}
    for name, model in models.items():
        X = value[:, [place[column] for column in wanted[name]]]
        qs, _ = quench_in_softness(model, X)
        each = tuple(Tally.of(y, q, resolution=COARSE) for q in probabilities(model, X))
        said[name] = Judgement(Tally.of(y, qs, resolution=RESOLUTION), each)
    return said
