"""Models for comparisons: many are learned at once, one task each, and none is saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from qsdask.engine.capacity import threads_of
from qsdask.engine.tasks import run_tasks
from qsdask.engine.where import Run, run_of_task
from qsdask.errors import UsageError
from qsdask.learn import Model
from qsdask.settings import TrainSettings
from qsdask.stages.features import set_names
from qsdask.store import ledger
from qsdask.study.columns import with_columns
from qsdask.study.train import learned

__all__ = ["Trial", "learned_all", "missing_sets", "sets_of_all"]


class Trial(NamedTuple):
    """A model to be learned.

    Attributes
    ----------
    paths : tuple of Path
        Stores.
    chosen : TrainSettings
        How.
    """

    paths: tuple[Path, ...]
    chosen: TrainSettings


def learned_all(trials: Mapping[str, Trial], run: Run) -> dict[str, Model]:
    """Learn models as tasks of a cluster, as many at once as it has threads.

    Parameters
    ----------
    trials : mapping of str to Trial
        By the names under which the models are wanted.
    run : Run
        Cluster, workers, progress.

    Returns
    -------
    dict of str to Model
        Each as `qsdask.train` would save it.

    Raises
    ------
    QSDaskError
        Those of `qsdask.train`.
    """
    # A file of columns is read here: workers may not see it.
    asked = [(name, trial._replace(chosen=with_columns(trial.chosen))) for name, trial in trials.items()]
    with run.connected() as client:
        found = run_tasks(
            client,
            _learned,
            asked,
            label="models",
            progress=run.progress,
            at_once=threads_of(client),
            describe=lambda name, trial: f"{name}, from {', '.join(map(str, trial.paths))}",
        )
        known = dict(found)
    return {name: known[name] for name in trials}


def _learned(name: str, trial: Trial) -> tuple[str, Model]:
    with run_of_task() as run:
        return name, learned(trial.paths, trial.chosen, run)


def missing_sets(paths: Sequence[Path], names: Sequence[str]) -> list[str]:
    """Commands that make the feature sets which stores lack, one a store."""
    commands = []
    for path in paths:
        lacking = [
            name for name in names if (found := ledger.read(path, f"features/{name}")) is None or not found.complete
        ]
        if lacking:
            commands.append(f"qsdask features {path} --set {','.join(lacking)}")
    return commands


def sets_of_all(paths: Sequence[Path], text: str) -> tuple[list[str], list[str]]:
    """Feature sets to compare, and what must be said of others.

    Parameters
    ----------
    paths : sequence of Path
        Stores.
    text : str
        Names joined by commas, or ``all``: those that all stores have.

    Returns
    -------
    sets : list of str
    notes : list of str
        Which sets ``all`` is without, with the commands that make them.

    Raises
    ------
    UsageError
        ``E-FEATURE-SET`` for an unknown set, for one that a store lacks, and when ``all`` are none.
    """
    names = set_names(text)
    lacking = missing_sets(paths, names)
    if not lacking:
        return names, []
    there = [name for name in names if not missing_sets(paths, [name])]
    if text != "all" or not there:
        without = [name for name in names if name not in there]
        raise UsageError(
            f"not all stores have the feature sets {', '.join(without)}", code="E-FEATURE-SET", hint="; ".join(lacking)
        )
    without = [name for name in names if name not in there]
    return there, [f"without {', '.join(without)}: not in all stores; made by: {'; '.join(lacking)}"]
