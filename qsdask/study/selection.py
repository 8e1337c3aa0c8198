"""Question ``select``: which few columns predict as well as all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from qsdask.engine.tasks import progress_bar, run_tasks, sent_to_all
from qsdask.engine.where import Run
from qsdask.errors import UsageError
from qsdask.files.location import located
from qsdask.learn import Table
from qsdask.settings import SelectionSettings, TrainSettings, validated
from qsdask.study.columns import with_columns
from qsdask.study.elimination import FoldScore, Step, eliminated, fold_score, own_choice, ranked, without_repeats
from qsdask.study.search import searched
from qsdask.study.train import rows_of_trees
from qsdask.study.trial_scores import scored_on
from qsdask.study.trials import Trial, learned_all

__all__ = ["select"]

#: Held-out glasses are judged at so many columns, and at all of them, where the path has them.
JUDGED_AT = (100, 80, 60, 50, 40, 30, 25, 20, 15, 12, 10, 8, 6, 5, 4, 3, 2, 1)


def select(
    train: Sequence[str | Path],
    *,
    keep: int = 15,
    correlation: float = 0.95,
    test: Sequence[str | Path] = (),
    run: Run | None = None,
    **settings: Any,
) -> dict[str, Any]:
    """Choose few columns: drop those that repeat another, then those that the fold models use least, step by step.

    Parameters
    ----------
    train : sequence of path
        Stores to learn from, with features and response. Their order does not matter.
    keep, correlation
        Fields of `qsdask.settings.SelectionSettings`.
    test : sequence of path, optional
        Stores of held-out glasses on which some of the steps are judged. They take no part in the choice.
    run : Run, optional
        Cluster, workers, progress.
    **settings
        Fields of `qsdask.settings.TrainSettings`: ``set``, ``columns`` and the others.

    Returns
    -------
    dict
        ``columns``: those chosen, the most important first, each with ``name``, ``importance`` (share of the gain, mean over
        the fold models) and ``chosen_by`` (share of the fold models that choose it when each goes its own way); ``overlap``:
        mean share of columns that two such choices have in common; ``pruned``: ``name``, ``like`` and ``correlation`` of
        columns that repeat another; ``path``: at every step ``n``, mean ``auc`` on the rows left out, ``auc_std`` over folds
        and draws, ``auc_error`` (that of the mean over folds; draws share rows), the ``names``, and ``held_out`` (AUC of QS on
        each test store, where judged); ``set``, ``train``, ``test``; ``search`` where settings were searched for, once, on all
        columns.

    Raises
    ------
    UsageError
        ``E-SETTING`` for a number or a limit that cannot be, and for another learner than trees.
    QSDaskError
        Those of `qsdask.train` and `qsdask.evaluate`.

    Notes
    -----
    Correlation is Pearson's, on the rows that training can choose. Of two columns that repeat each other the more important
    one stays. The columns were chosen on the very folds whose score is told, which flatters it: held-out glasses tell more.

    References
    ----------
    .. [1] Q. Wang, A. Jain, Nat. Commun. 10, 5537 (2019), doi:10.1038/s41467-019-13511-9, Supplementary Fig. 5.
    """
    run, paths, tests = run or Run(), [located(store) for store in train], [located(store) for store in test]
    limits = validated(SelectionSettings, keep=keep, correlation=correlation)
    chosen = with_columns(validated(TrainSettings, **settings))
    if chosen.learner != "gbdt":
        raise UsageError(
            f"columns are chosen by what trees use, not by the learner {chosen.learner!r}",
            code="E-SETTING",
            hint="leave --learner out; what is chosen can be learned from by any learner: qsdask train --columns",
        )
    with run.shared() as here:
        table = rows_of_trees(paths, chosen, here)
        chosen, tried = searched(table, chosen, here) if chosen.search else (chosen, None)
        with _Folds(table, chosen, here) as folds:
            whole = ranked(table.columns, folds.scored(table.columns))
            names, pruned = without_repeats(table, whole.names, limits.correlation)
            wanted = min(limits.keep, len(names))
            with progress_bar("eliminate", len(names) - 1, show=run.progress) as advance:
                steps = eliminated(names, wanted, folds.scored, advance=advance)
            own = folds.own_choices(names, wanted)
        if pruned:
            steps = [whole, *steps]
        judged_at = {len(table.columns), len(names), wanted, *JUDGED_AT}
        said = _held_out(paths, tests, chosen, [step.names for step in steps if len(step.names) in judged_at], here)
    best = next(step for step in steps if len(step.names) == wanted)
    times = Counter(name for choice in own for name in choice)
    shared = [len(set(one) & set(two)) / wanted for one, two in combinations(own, 2)]
    return {
        "train": [str(path) for path in paths],
        "test": [str(path) for path in tests],
        "set": chosen.set,
        **({} if tried is None else {"search": tried}),
        "columns": [
            {"name": name, "importance": float(share), "chosen_by": times[name] / len(own)}
            for name, share in zip(best.names, best.share, strict=True)
        ],
        "overlap": float(np.mean(shared)) if shared else float("nan"),
        "pruned": pruned,
        "path": [{**_told(step, chosen.folds), "held_out": said.get(len(step.names), {})} for step in steps],
    }


class _Folds:
    """The fold models of a table as tasks of a cluster, to which its rows go once; a context."""

    def __init__(self, table: Table, chosen: TrainSettings, run: Run) -> None:
        self._table, self._chosen, self._run = table, chosen, run
        self._each = [(draw, fold) for draw in range(chosen.draws) for fold in range(chosen.folds)]

    def __enter__(self) -> _Folds:
        self._connected = self._run.connected()
        self._client = self._connected.__enter__()
        self._sent = sent_to_all(self._client, self._table)
        return self

    def __exit__(self, *stopped: Any) -> None:
        del self._sent
        self._connected.__exit__(*stopped)

    def scored(self, names: Sequence[str]) -> list[FoldScore]:
        """What every fold model says of some columns, by draw, then fold."""
        tasks = [(*each, self._sent, self._chosen, tuple(names)) for each in self._each]
        found = dict(run_tasks(self._client, _scored, tasks, label="folds", progress=False, describe=_described))
        return [found[each] for each in self._each]

    def own_choices(self, names: Sequence[str], keep: int) -> list[tuple[str, ...]]:
        """Columns that each fold model alone would choose."""
        tasks = [(*each, self._sent, self._chosen, tuple(names), keep) for each in self._each]
        return list(
            run_tasks(
                self._client, own_choice, tasks, label="stability", progress=self._run.progress, describe=_described
            )
        )


def _scored(draw: int, fold: int, *rest: Any) -> tuple[tuple[int, int], FoldScore]:
    return (draw, fold), fold_score(draw, fold, *rest)


def _described(draw: int, fold: int, *rest: Any) -> str:
    return f"draw {draw}, fold {fold}"


def _held_out(
    paths: Sequence[Path], tests: Sequence[Path], chosen: TrainSettings, choices: Sequence[Sequence[str]], run: Run
) -> dict[int, dict[str, float]]:
    """AUC of QS on each test store by number of columns."""
    if not tests:
        return {}
    # Whichever columns are few: the atoms judged are those that have all of the first.
    trials = {
        str(len(names)): Trial(tuple(paths), chosen.model_copy(update={"columns": list(names)})) for names in choices
    }
    models = learned_all(trials, run)
    said = {str(path): scored_on(path, models, run) for path in tests}
    return {int(n): {store: found[n].auc for store, found in said.items()} for n in models}


def _told(step: Step, n_folds: int) -> dict[str, Any]:
    known = step.auc[np.isfinite(step.auc)]
    mean, std = (float(known.mean()), float(known.std())) if len(known) else (float("nan"), float("nan"))
    return {
        "n": len(step.names),
        "auc": mean,
        "auc_std": std,
        "auc_error": float(std / np.sqrt(n_folds)),
        "names": list(step.names),
    }
