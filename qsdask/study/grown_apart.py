"""Fold models as tasks: each is learned by one worker, and those of a worker that is lost by another."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import product
from pathlib import Path

from qsdask.engine.tasks import run_tasks
from qsdask.learn.filed_table import FiledTable
from qsdask.learn.growing import Made
from qsdask.learn.own_label import is_own
from qsdask.learn.working import refuse_unseen
from qsdask.settings import TrainSettings
from qsdask.study.kept_rows import Kept

__all__ = ["grown_apart"]


def grown_apart(kept: Kept, d2_quantiles: Sequence[float]) -> list[Made]:
    """Learn the fold models that have no receipt; those of `qsdask.learn.train`, to the byte.

    Parameters
    ----------
    kept : Kept
        Rows in files.
    d2_quantiles : sequence of float
        Quantiles of D2min, for messages. Unit: angstrom^2.

    Returns
    -------
    list of Made
        By draw, then fold.
    """
    lesson, filed = kept.lesson, kept.filed
    chosen, run = lesson.chosen, lesson.run
    seeds = kept.dealt().seeds
    which = list(product(range(chosen.draws), range(chosen.folds)))
    learn_one = partial(
        _learned,
        folder=str(filed.folder),
        n_part=filed.n_part,
        columns=kept.taught.columns,
        settings=chosen,
        # They stand in a message about D2min.
        d2_quantiles=None if is_own(lesson.label) else d2_quantiles,
    )
    with run.connected() as client:
        done = run_tasks(
            client,
            learn_one,
            [(draw, fold, seeds[draw][fold]) for draw, fold in which],
            label="train",
            progress=run.progress,
            describe=lambda draw, fold, seed: f"draw {draw}, without fold {fold}",
        )
        found = {(draw, fold): made for draw, fold, made in done}
    return [found[one] for one in which]


def _learned(
    draw: int,
    fold: int,
    seed: int,
    *,
    folder: str,
    n_part: int,
    columns: tuple[str, ...],
    settings: TrainSettings,
    d2_quantiles: Sequence[float] | None,
) -> tuple[int, int, Made]:
    refuse_unseen(Path(folder))
    filed = FiledTable(Path(folder), n_part)
    made = filed.learned(draw, fold, seed, columns=columns, settings=settings, d2_quantiles=d2_quantiles)
    return draw, fold, made
