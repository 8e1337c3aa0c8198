"""Settings of the trees by random search: what training glasses alone say of them, block of space by block of space."""

from __future__ import annotations

from typing import Any

import numpy as np

from qsdask import learn
from qsdask.engine.tasks import run_tasks, sent_to_all
from qsdask.engine.where import Run
from qsdask.learn import Table
from qsdask.settings import TrainSettings

__all__ = ["RANGES", "searched"]

#: Where each setting is looked for: evenly in its logarithm.
RANGES = {
    "trees": (50, 800),
    "depth": (1, 7),
    "learning_rate": (0.01, 0.3),
    "feature_fraction": (0.05, 1.0),
    "leaf_fraction": (0.0003, 0.05),
}
_WHOLE = ("trees", "depth")


def searched(table: Table, chosen: TrainSettings, run: Run) -> tuple[TrainSettings, dict[str, Any]]:
    """Try random settings by spatial-block folds, and take the best; settings that were given are not tried.

    Parameters
    ----------
    table : Table
        Rows of the training glasses, with their blocks.
    chosen : TrainSettings
        As given; ``search`` says how many choices are tried beside it.
    run : Run
        Cluster, workers, progress.

    Returns
    -------
    settings : TrainSettings
        The best: highest mean AUC over folds and draws; of equal ones the first.
    tried : dict
        ``folds``, ``block`` (angstrom or sigma), ``chosen`` (its place among the ``tried``), and ``tried``: for every choice,
        what was given first, its settings, ``auc`` and ``auc_std``.

    Notes
    -----
    All choices are judged on the same rows. The random numbers are those of the seed; each choice is one task.
    """
    free = [name for name in RANGES if name not in chosen.model_fields_set]
    chance = np.random.default_rng([chosen.seed, 0x5EA7C4])
    choices: list[dict[str, Any]] = [{}]
    choices += [{name: _drawn(name, chance) for name in free} for _ in range(chosen.search if free else 0)]
    judging = chosen.model_copy(update={"fold_kind": "spatial_block"})
    with run.connected() as client:
        # The rows go to the workers once, not with every task.
        sent = sent_to_all(client, table)
        tasks = [(k, sent, judging.model_copy(update=choice)) for k, choice in enumerate(choices)]
        found = dict(
            run_tasks(
                client,
                _tried,
                tasks,
                label="search",
                progress=run.progress,
                describe=lambda k, _, settings: f"choice {k}: {_told(settings, len(table.columns))}",
            )
        )
    scores = [found[k] for k in range(len(choices))]
    best = int(np.nanargmax([auc for auc, _ in scores])) if np.isfinite([auc for auc, _ in scores]).any() else 0
    tried = [
        {**_told(settings, len(table.columns)), "auc": auc, "auc_std": std}
        for (_, _, settings), (auc, std) in zip(tasks, scores, strict=True)
    ]
    record = {"folds": "spatial_block", "block": chosen.block_angstrom, "chosen": best, "tried": tried}
    return chosen.model_copy(update={**choices[best], "search": 0}), record


def _drawn(name: str, chance: np.random.Generator) -> int | float:
    low, high = RANGES[name]
    value = float(np.exp(chance.uniform(np.log(low), np.log(high))))
    # Three digits say all that a search can know, and are the same in every file.
    return round(value) if name in _WHOLE else float(f"{value:.3g}")


def _told(settings: TrainSettings, n_column: int) -> dict[str, Any]:
    """Settings of the trees; the share of columns as it comes out where it is left open."""
    told = {name: getattr(settings, name) for name in RANGES}
    if told["feature_fraction"] is None:
        told["feature_fraction"] = max(1, int(np.sqrt(n_column))) / n_column
    return told


def _tried(k: int, table: Table, settings: TrainSettings) -> tuple[int, tuple[float, float]]:
    """Mean and standard deviation of the AUC of a choice over folds and draws."""
    mean = learn.train(table, definition={}, label={}, settings=settings).scores["mean"]
    return k, (mean["auc"], mean["auc_std"])
