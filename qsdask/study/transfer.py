"""Question ``transfer``: what a model loses on glasses of another composition, quench rate, or system."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from qsdask.engine.where import Run
from qsdask.errors import BadDataError, UsageError
from qsdask.files.location import located
from qsdask.learn import Model
from qsdask.settings import TrainSettings, validated
from qsdask.settings.text import parts_of
from qsdask.study.columns import same_atoms_of
from qsdask.study.conditions import Condition, category, conditions_of, elements_between
from qsdask.study.trial_scores import refuse_unfit, scored_on
from qsdask.study.trials import Trial, learned_all, sets_of_all

__all__ = ["transfer"]

#: How far a model is transferred, in the order of the paper (Fig. 4), and what it has no category for.
CATEGORIES = {
    "same": "same composition, same rate, new glass",
    "rate": "same composition, other rate",
    "composition": "other composition, same rate",
    "both": "other composition, other rate",
    "system": "other system",
    "loading": "other loading",
}


class _Key(NamedTuple):
    """A model: of which sets, learned from which condition, without which of its glasses."""

    set: str
    source: int
    without: int


def transfer(
    stores: Sequence[str | Path],
    *,
    sets: str = "interstice",
    conditions: str | Path | None = None,
    run: Run | None = None,
    **settings: Any,
) -> dict[str, Any]:
    """Apply models to glasses of other conditions than those they were learned from, for all pairs of conditions.

    Parameters
    ----------
    stores : sequence of path
        Stores with features and response. Glasses of one condition are its replicas. Their order does not matter.
    sets : str
        Feature sets joined by commas, each compared with the others; ``interstice+motif`` stands for both together.
    conditions : path, optional
        Table of what stores do not tell; see `qsdask.study.conditions.conditions_of`.
    run : Run, optional
        Cluster, workers, progress.
    **settings
        Fields of `qsdask.settings.TrainSettings` but ``set`` and ``columns``.

    Returns
    -------
    dict
        ``sets``; ``conditions`` with ``name``, ``composition``, ``rate`` (K/s), ``system``, ``loading`` and ``stores``;
        ``categories`` (what their names mean); ``pairs``: for every set, ``source`` and ``target`` (indices of conditions)
        ``category``, ``auc``, ``loss`` and their standard errors over the glasses of the target (``auc_error``,
        ``loss_error``), ``auc_replicas`` and ``loss_replicas``; ``summary``: for every set and category ``n``, ``mean``,
        ``std``, ``least`` and ``most`` loss; ``notes``. NaN where a condition has a single glass, and so no model of its own.

    Raises
    ------
    UsageError
        ``E-FEATURE-SET`` for a set that is not known, or that a store lacks; ``E-CONDITIONS`` when no condition has two glasses.
    BadDataError
        ``E-CONDITIONS`` for a table that cannot be used.
    QSDaskError
        Those of `qsdask.train` and `qsdask.evaluate`.

    Notes
    -----
    For every condition one model is learned for each of its glasses, from all the others: no glass is both sides, and all
    models of a condition learn from equally many. AUC of a pair: on each glass of the target that of QS of each model of the
    source, averaged; on its own condition of the model that is without the glass. Loss: AUC of the own model on this glass
    less AUC of the pair. For ``same``: AUC of the own model on the folds it left out less AUC on the glass it never saw.

    In a system of other elements, an element that both have stands for itself, the others by frequency: the majority one
    for the majority one.

    References
    ----------
    .. [1] Q. Wang, A. Jain, Nat. Commun. 10, 5537 (2019), doi:10.1038/s41467-019-13511-9, Fig. 4.
    """
    run, paths = run or Run(), [located(store) for store in stores]
    chosen = validated(TrainSettings, **settings)
    named = list(dict.fromkeys(parts_of(sets)))
    members = sorted({part.strip() for one in named for part in one.split("+")})
    sets_of_all(paths, ",".join(members))
    same = ",".join(sorted({*members, *same_atoms_of(chosen)}))
    groups, notes = conditions_of(paths, conditions)
    if not any(len(replicas) > 1 for replicas in groups.values()):
        raise UsageError(
            f"{len(paths)} glasses of {len(groups)} conditions: none has two glasses, one to learn from and one to judge",
            code="E-CONDITIONS",
            hint="name replicas, or tell with --conditions which glasses are such",
        )
    replicas = list(groups.values())
    trials = {
        str(key): Trial(
            tuple(path for r, path in enumerate(replicas[key.source]) if r != key.without),
            chosen.model_copy(update={"set": key.set.replace("+", ","), "same_atoms": same}),
        )
        for key in _keys(named, replicas)
    }
    with run.shared() as here:
        models = learned_all(trials, here)
        auc: dict[tuple[_Key, int, int], float] = {}
        for target, paths_there in enumerate(replicas):
            for r, path in enumerate(paths_there):
                mine = [k for k in _keys(named, replicas) if k.source != target or k.without == r]
                for key, value in _judged(path, mine, models, list(groups), target, replicas, here, notes).items():
                    auc[key, target, r] = value
    pairs = [
        _pair(name, source, target, list(groups), replicas, models, auc)
        for name in named
        for source, target in product(range(len(groups)), repeat=2)
    ]
    return {
        "sets": named,
        "conditions": [
            {"name": condition.name, **vars(condition), "stores": [str(path) for path in where]}
            for condition, where in groups.items()
        ],
        "categories": {k: text for k, text in CATEGORIES.items() if any(pair["category"] == k for pair in pairs)},
        "pairs": pairs,
        "summary": _summary(pairs),
        "notes": [*dict.fromkeys(notes), *sorted({note for model in models.values() for note in model.warnings})],
    }


def _keys(names: Sequence[str], replicas: Sequence[Sequence[Path]]) -> list[_Key]:
    """All models; a condition of a single glass has one that is without none of it."""
    return [
        _Key(name, source, without)
        for name in names
        for source, there in enumerate(replicas)
        for without in (range(len(there)) if len(there) > 1 else (-1,))
    ]


def _judged(
    path: Path,
    keys: Sequence[_Key],
    models: Mapping[str, Model],
    conditions: Sequence[Condition],
    target: int,
    replicas: Sequence[Sequence[Path]],
    run: Run,
    notes: list[str],
) -> dict[_Key, float]:
    """AUC of models on a glass, in one pass for all that know its elements, and one for each other system."""
    by_system: dict[str, list[_Key]] = defaultdict(list)
    for key in keys:
        by_system[conditions[key.source].system].append(key)
    found = {}
    for system, mine in by_system.items():
        foreign = system != conditions[target].system
        elements = elements_between(replicas[mine[0].source][0], path) if foreign else {}
        fit = [key for key in mine if not foreign or _fits(path, models[str(key)], key, elements, system, notes)]
        if fit:
            said = scored_on(path, {str(key): models[str(key)] for key in fit}, run, elements=elements)
            found.update({key: said[str(key)].auc for key in fit})
    return found


def _fits(path: Path, model: Model, key: _Key, elements: Mapping[str, str], system: str, notes: list[str]) -> bool:
    """Whether a model can be applied to a glass of another system; a note where it cannot."""
    try:
        refuse_unfit(path, model, elements)
    except BadDataError as refusal:
        if refusal.code != "E-FEATURES-DIFFER":
            raise
        notes.append(f"{key.set} learned from {system} cannot be applied to {path.name}: {refusal.message}")
        return False
    return True


def _pair(
    name: str,
    source: int,
    target: int,
    conditions: Sequence[Condition],
    replicas: Sequence[Sequence[Path]],
    models: Mapping[str, Model],
    auc: Mapping[tuple[_Key, int, int], float],
) -> dict[str, Any]:
    values, losses = [], []
    for r in range(len(replicas[target])):
        here = [value for (key, t, k), value in auc.items() if (key.set, key.source, t, k) == (name, source, target, r)]
        values.append(float(np.mean(here)) if here else float("nan"))
        own = auc.get((_Key(name, target, r), target, r), float("nan"))
        if source == target and len(replicas[target]) > 1:
            own = models[str(_Key(name, target, r))].scores["mean"]["auc"]
        losses.append(own - values[-1])
    return {
        "set": name,
        "source": source,
        "target": target,
        "category": category(conditions[source], conditions[target]),
        "auc": _mean(values),
        "auc_error": _error(values),
        "loss": _mean(losses),
        "loss_error": _error(losses),
        "auc_replicas": values,
        "loss_replicas": losses,
    }


def _summary(pairs: Sequence[Mapping]) -> dict[str, dict[str, dict[str, float]]]:
    """Losses of every set by category."""
    groups: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for pair in pairs:
        if np.isfinite(pair["loss"]):
            groups[pair["set"]][pair["category"]].append(pair["loss"])
    return {
        name: {
            kind: {"n": len(x), "mean": _mean(x), "std": float(np.std(x)), "least": min(x), "most": max(x)}
            for kind, x in of.items()
        }
        for name, of in groups.items()
    }


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


def _error(values: Sequence[float]) -> float:
    """Standard error of the mean over glasses; NaN for fewer than two."""
    known = [value for value in values if np.isfinite(value)]
    return float(np.std(known, ddof=1) / np.sqrt(len(known))) if len(known) > 1 else float("nan")
