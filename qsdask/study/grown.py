"""The learner ``gbdt`` on stores: all plastic atoms and as many others, gathered; boosted trees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import psutil

from qsdask import learn
from qsdask.engine.tasks import progress_bar
from qsdask.errors import UsageError
from qsdask.learn import Model, Specimen
from qsdask.study.columns import columns_of
from qsdask.study.gathered import gathered, share_of
from qsdask.study.grown_apart import grown_apart
from qsdask.study.grown_together import grown_together
from qsdask.study.kept_rows import keep
from qsdask.study.search import searched
from qsdask.study.training_rows import Lesson

__all__ = ["grown"]

#: Columns of more bytes than these are not gathered here unless it was said.
HELD = 1 << 30


def grown(lesson: Lesson, specimens: Mapping[str, Specimen], d2_quantiles: Sequence[float]) -> Model:
    """Learn trees; see `qsdask.learn.train`. Only rows that a draw can choose leave the workers, and a sample.

    Parameters
    ----------
    lesson : Lesson
        Stores and settings.
    specimens : mapping of str to Specimen
        Their glasses, by path.
    d2_quantiles : sequence of float
        Quantiles of D2min, for messages. Unit: angstrom^2.
    """
    chosen, run, tried = lesson.chosen, lesson.run, None
    how = learner_of(lesson, specimens)
    if how == "none" or chosen.search:
        table, samples = gathered(lesson, specimens)
        if chosen.search:
            chosen, tried = searched(table, chosen, run)
    about: dict[str, Any] = {
        "definition": lesson.definition,
        "label": lesson.label,
        "settings": chosen,
        "d2_quantiles": d2_quantiles,
    }
    if how == "none":
        with progress_bar("train", chosen.draws * chosen.folds, show=run.progress) as advance:
            threads = run.workers or len(psutil.Process().cpu_affinity())
            made = learn.train(table, **about, threads=threads, progress=lambda done, total: advance(1))
    else:
        kept = keep(lesson._replace(chosen=chosen), specimens, how)
        samples = kept.samples
        grow = grown_together if how == "data" else grown_apart
        made = learn.model_of(kept.taught, partial(grow, kept, d2_quantiles), **about)
    made = learn.with_experience(made, samples)
    return made if tried is None else replace(made, scores={**made.scores, "search": tried})


def learner_of(lesson: Lesson, specimens: Mapping[str, Specimen]) -> str:
    """How the learning is spread: as it was said, else fold models as tasks where there are others to do them, or many rows.

    Raises
    ------
    UsageError
        ``E-PARALLEL`` where what is done cannot be kept.
    """
    said = lesson.chosen.parallel
    if lesson.working is None:
        if said not in (None, "none"):
            raise UsageError(
                f"parallel = {said!r} is for 'train' alone",
                code="E-PARALLEL",
                why="many models are learned here, one task each, and none is kept",
                hint="leave --parallel out",
            )
        return "none"
    return said or ("models" if lesson.run.spreads() or _bytes_of_rows(lesson, specimens) > HELD else "none")


def _bytes_of_rows(lesson: Lesson, specimens: Mapping[str, Specimen]) -> float:
    """What the columns take of the rows that some draw can choose, about; at most that of all."""
    chosen, n = lesson.chosen, sum(one.n_usable for one in specimens.values())
    plastic = sum(one.n_plastic for one in specimens.values())
    few, many = sorted((plastic, n - plastic))
    rows = few + many * min(1.0, chosen.draws * share_of(specimens.values(), chosen))
    return 4.0 * rows * len(columns_of(lesson.stores[0].reader(), chosen))
