"""Question ``benchmark``: how well each feature set predicts, alone and beside another, on the same atoms and folds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from qsdask.engine.where import Run
from qsdask.errors import UsageError
from qsdask.files.location import located
from qsdask.learn import Model
from qsdask.quantity import feature_sets
from qsdask.settings import TrainSettings, validated
from qsdask.stages.columns import columns_there
from qsdask.store.reader import StoreReader
from qsdask.study.columns import same_atoms_of
from qsdask.study.trial_scores import scored_on
from qsdask.study.trials import Trial, learned_all, sets_of_all

__all__ = ["benchmark"]


class _Candidate(NamedTuple):
    """Columns to learn from."""

    name: str
    kind: str
    set: str
    columns: str


def benchmark(
    train: Sequence[str | Path],
    test: Sequence[str | Path],
    *,
    sets: str = "all",
    beside: str | None = "interstice",
    run: Run | None = None,
    **settings: Any,
) -> dict[str, Any]:
    """Compare feature sets: a model of each, in short range, with medium range, and beside another set.

    Parameters
    ----------
    train : sequence of path
        Stores to learn from, with features and response.
    test : sequence of path
        Stores of glasses that no model learns from.
    sets : str
        Feature sets joined by commas, or ``all``: those that all stores have.
    beside : str, optional
        Set to which every other one is added, too; none with None.
    run : Run, optional
        Cluster, workers, progress.
    **settings
        Fields of `qsdask.settings.TrainSettings` but ``set`` and ``columns``; ``same_atoms`` names more sets that an atom
        must have.

    Returns
    -------
    dict
        ``train``, ``test``, ``sets``, ``usable`` and ``plastic`` atoms learned from, ``held_out`` (those of every test store),
        ``cost`` (of each set: microseconds an atom of its short range on one core, None when not known), ``notes``, ``kinds``
        (what ``short``, ``medium`` and ``added`` mean), and ``rows``: for every candidate ``set``, ``kind``, number of
        ``columns``, ``folds`` (AUC of each fold model on the rows left out) and ``held_out``: for every test store ``auc`` of
        QS and ``auc_models`` of the fold models.

    Raises
    ------
    UsageError
        ``E-FEATURE-SET`` for a set that is not known, or that a store lacks: with the commands that make it.
    QSDaskError
        Those of `qsdask.train` and `qsdask.evaluate`.

    Notes
    -----
    Atoms count that have a value in all columns of all sets. Undersampling and folds go by the identity of the atoms: every
    model learns from the same rows and leaves the same out.

    References
    ----------
    .. [1] Q. Wang, A. Jain, Nat. Commun. 10, 5537 (2019), doi:10.1038/s41467-019-13511-9, Fig. 5a.
    """
    run = run or Run()
    learn_from, judge_on = ([located(store) for store in stores] for stores in (train, test))
    if not learn_from or not judge_on:
        raise UsageError(
            "name glasses to learn from and glasses to judge on", code="E-SETTING", hint="--train A --test B"
        )
    chosen = validated(TrainSettings, **settings)
    names, notes = sets_of_all([*learn_from, *judge_on], sets)
    if beside is not None:
        [beside], _ = sets_of_all([*learn_from, *judge_on], beside)
    candidates = _candidates(learn_from[0], names, beside)
    same = ",".join(sorted({*names, *([beside] if beside else []), *same_atoms_of(chosen)}))
    trials = {
        one.name: Trial(
            tuple(learn_from), chosen.model_copy(update={"set": one.set, "columns": one.columns, "same_atoms": same})
        )
        for one in candidates
    }
    with run.shared() as here:
        models = learned_all(trials, here)
        said = {str(path): scored_on(path, models, here) for path in judge_on}
    rows = []
    for one in candidates:
        held_out = [
            {"store": store, "auc": found[one.name].auc, "auc_models": found[one.name].auc_models}
            for store, found in said.items()
        ]
        model = models[one.name]
        rows.append(
            {
                "set": one.name.partition(" ")[0],
                "kind": one.kind,
                "columns": len(model.columns),
                "folds": [fold["auc"] for fold in model.scores["folds"]],
                "held_out": held_out,
            }
        )
    first = models[candidates[0].name]
    costs = {name: feature_sets()[name].cost for name in names}
    return {
        "train": [str(path) for path in learn_from],
        "test": [str(path) for path in judge_on],
        "sets": names,
        "kinds": {"short": "short range", "medium": "with medium range", "added": f"added to {beside}"},
        **_counted(first),
        "held_out": {
            store: {"usable": (tally := found[candidates[0].name].softness).n_atom, "plastic": tally.n_plastic}
            for store, found in said.items()
        },
        "cost": costs,
        "rows": rows,
        "notes": [*notes, *sorted({note for model in models.values() for note in model.warnings})],
    }


def _candidates(path: Path, names: Sequence[str], beside: str | None) -> list[_Candidate]:
    root = StoreReader(path)
    found = []
    for name in names:
        short = [column.startswith("sro__") for column in columns_there(root, [name])]
        found.append(_Candidate(f"{name} short", "short", name, "short_range"))
        if not all(short):
            found.append(_Candidate(f"{name} medium", "medium", name, "all"))
        if beside is not None and name != beside:
            found.append(_Candidate(f"{name} added", "added", f"{beside},{name}", "all"))
    return found


def _counted(model: Model) -> dict[str, int]:
    """Atoms that were learned from."""
    return {
        "usable": int(np.sum([specimen.n_usable for specimen in model.specimens])),
        "plastic": int(np.sum([specimen.n_plastic for specimen in model.specimens])),
    }
