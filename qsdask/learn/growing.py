"""From labelled tables to the fold models of trees."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from qsdask.errors import UsageError
from qsdask.learn.draws import FoldModel, drawn, fold_model
from qsdask.learn.held_out import Judged, check_counts, mean_scores, times_likelier
from qsdask.learn.model import Model
from qsdask.learn.own_label import is_own
from qsdask.learn.softness import quench_in_softness
from qsdask.learn.table import Specimen, Table, concatenate, prior_of
from qsdask.learn.tally import Tally
from qsdask.learn.tree_text import Trees
from qsdask.learn.validity import clouds_of
from qsdask.settings import TrainSettings
from qsdask.settings.defaults import HARD_BELOW, SOFT_ABOVE

__all__ = ["Made", "Taught", "model_of", "train", "with_experience"]


def train(
    tables: Table | Sequence[Table],
    *,
    definition: Mapping[str, Any],
    label: Mapping[str, Any],
    settings: TrainSettings | None = None,
    threads: int = 1,
    d2_quantiles: Sequence[float] | None = None,
    progress: Any = None,
) -> Model:
    """Undersample, fold and train: one model for each draw and fold.

    Parameters
    ----------
    tables : Table or sequence of Table
        Usable atoms of the training specimens, in any order and in any parts.
    definition : mapping
        How the features were made: set, convention, cut-off, radii, … JSON values. Kept with the model.
    label : mapping
        How atoms were labelled: strain, threshold, normalisation, cut-off. JSON values. Kept with the model.
    settings : TrainSettings, optional
        Trees, draws, folds, ratio and seed; the label and the set are the tables' own. Those of the paper's authors by
        default. ``spatial_block`` folds need tables with `block`.
    threads : int
        Models trained at once; no result depends on it.
    d2_quantiles : sequence of float, optional
        Quantiles of D2min for the message when there is only one class. Unit: angstrom^2.
    progress : callable, optional
        Called as ``progress(done, total)`` after each model.

    Returns
    -------
    Model
        Not yet saved. Its ``scores`` hold, for each draw and fold, the scores on the rows of the draw
        left out, and their means; its ``warnings`` what a reader of the scores should know.

    Raises
    ------
    BadDataError
        ``E-ONE-CLASS``: one label only, overall or in a fold. ``E-FEW-PLASTIC``: fewer rows of a label than
        two for each fold. Those of `concatenate`.
    UsageError
        ``E-FOLDS``: blocks missing.

    Notes
    -----
    Memory: the tables and one undersampled copy. Time grows with draws × n_folds × rows of the minority.

    References
    ----------
    .. [1] Q. Wang, A. Jain, Nat. Commun. 10, 5537 (2019), doi:10.1038/s41467-019-13511-9.
    """
    table = tables if isinstance(tables, Table) else concatenate(tables)
    settings = settings or TrainSettings()
    # Quantiles stand in a message about D2min.
    spread = None if is_own(label) else d2_quantiles

    def grown() -> Iterator[Made]:
        for draw in range(settings.draws):
            one = partial(fold_model, drawn(table, settings, draw), settings=settings, d2_quantiles=spread)
            # One thread for each model and several models at once: on some thousand rows LightGBM's own threads spend
            # their time waiting for each other.
            with ThreadPoolExecutor(threads) as pool:
                yield from (Made.of(model) for model in pool.map(one, range(settings.folds)))

    if settings.fold_kind == "spatial_block" and table.block is None:
        raise UsageError("spatial_block folds need tables with the block of every atom", code="E-FOLDS")
    return model_of(
        Taught.of(table),
        grown,
        definition=definition,
        label=label,
        settings=settings,
        d2_quantiles=d2_quantiles,
        progress=progress,
    )


class Taught(NamedTuple):
    """Rows that are learned from, counted: a table may hold only those of the majority that a draw can choose.

    Attributes
    ----------
    specimens : tuple of Specimen
        Glasses by ascending key, with the counts of all their atoms.
    columns : tuple of str
        Names of the features.
    n_row : int
        Rows of all glasses.
    plastic : tuple of int
        Plastic rows of each.
    """

    specimens: tuple[Specimen, ...]
    columns: tuple[str, ...]
    n_row: int
    plastic: tuple[int, ...]

    @classmethod
    def of(cls, table: Table) -> Taught:
        """Those of a table."""
        plastic = np.bincount(table.specimen[table.y], minlength=len(table.specimens))
        return cls(table.specimens, table.columns, len(table), tuple(plastic.tolist()))


class Made(NamedTuple):
    """A fold model, without the rows that it was judged on.

    Attributes
    ----------
    text : str
        Trees, as LightGBM writes them.
    trees : Trees
        What the text says.
    judged : Judged
        What it says of the atoms left out.
    """

    text: str
    trees: Trees
    judged: Judged

    @classmethod
    def of(cls, model: FoldModel) -> Made:
        """From a fold model."""
        return cls(model.text, model.trees, Judged.of(model.y, model.q))


def model_of(
    taught: Taught,
    grown: Callable[[], Iterable[Made]],
    *,
    definition: Mapping[str, Any],
    label: Mapping[str, Any],
    settings: TrainSettings,
    d2_quantiles: Sequence[float] | None = None,
    progress: Any = None,
) -> Model:
    """Put a model together from its fold models, wherever these are learned.

    Parameters
    ----------
    taught : Taught
        Rows that are learned from.
    grown : callable
        Gives the fold models by draw, then fold; it is called when there is enough to learn from.
    definition, label, settings, d2_quantiles, progress
        As of `train`.

    Returns
    -------
    Model

    Raises
    ------
    QSDaskError
        Those of `train`.
    """
    n_folds = settings.folds
    rows = taught.n_row, sum(taught.plastic)
    name = label.get("name")
    warnings = check_counts(taught.specimens, n_folds, d2_quantiles, name, rows=rows, plastic=taught.plastic)
    trees: dict[str, str] = {}
    read: list[Trees] = []
    scores: list[dict[str, Any]] = []
    counts: list[Tally] = []
    which = product(range(settings.draws), range(n_folds))
    for (draw, k), (text, known, judged) in zip(which, grown(), strict=True):
        trees[f"fold-{draw}-{k}.txt"] = text
        read.append(known)
        counts.append(judged.counts)
        scores.append({"draw": draw, "fold": k, **judged.scores})
        if progress is not None:
            progress(len(trees), settings.draws * n_folds)
    undefined = sum(np.isnan(s["auc"]) for s in scores)
    if undefined:
        warnings.append(f"W-ONE-CLASS-FOLD: {undefined} of {len(scores)} folds left out hold one label only")
    made = Model(
        columns=taught.columns,
        definition=dict(definition),
        label=dict(label),
        settings=_kept(settings),
        specimens=taught.specimens,
        scores={"folds": scores, "mean": mean_scores(scores)},
        warnings=tuple(warnings),
        trees=trees,
        trained={"times_likelier": times_likelier(sum(counts[1:], start=counts[0]), prior_of(taught.specimens))},
    )
    # Reading a text takes longer than using it.
    vars(made.part)["read"] = tuple(read)
    return made


def with_experience(model: Model, sample: Mapping[str, np.ndarray]) -> Model:
    """A model that knows what its training atoms look like, and how soft it finds them.

    Parameters
    ----------
    model : Model
        As `train` gave it.
    sample : mapping of str to float32 array, shape (n, n_feature)
        For every species features of training atoms in canonical order.

    Returns
    -------
    Model
        As it was where there are too few atoms; see `qsdask.learn.validity.clouds_of`.
    """
    clouds = clouds_of(sample)
    if not clouds:
        return replace(model, trained={})
    qs, _ = quench_in_softness(model, np.concatenate([sample[name] for name in clouds]))
    told = {"mean": qs.mean(), "std": qs.std(), "hard": (qs < HARD_BELOW).mean(), "soft": (qs > SOFT_ABOVE).mean()}
    return replace(
        model, clouds=clouds, trained={**model.trained, **{name: float(f"{x:.6g}") for name, x in told.items()}}
    )


def _kept(settings: TrainSettings) -> dict[str, Any]:
    """Settings of the learning, as models keep them."""
    names = {
        "n_trees": "trees",
        **{n: n for n in ("depth", "learning_rate", "feature_fraction", "leaf_fraction", "max_bin")},
    }
    return {
        "gbdt": {name: getattr(settings, ours) for name, ours in names.items()},
        "draws": settings.draws,
        "n_folds": settings.folds,
        "folds": settings.fold_kind,
        "ratio": float(settings.ratio),
        "seed": settings.seed,
        # As many workers as there may be give the same; but it is another learner.
        **({"parallel": settings.parallel} if settings.parallel == "data" else {}),
    }
