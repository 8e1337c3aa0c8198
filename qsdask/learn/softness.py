"""From labelled tables to the fold models, and from the fold models to quench-in softness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from qsdask.errors import BadDataError, UsageError
from qsdask.kernels.trees import forest_probabilities
from qsdask.learn import score
from qsdask.learn.draws import drawn, fold_model
from qsdask.learn.model import Model
from qsdask.learn.table import Table, concatenate
from qsdask.learn.tally import Tally
from qsdask.learn.validity import clouds_of, outside, refuse_outside
from qsdask.settings import TrainSettings
from qsdask.settings.defaults import HARD_BELOW, SOFT_ABOVE

__all__ = ["probabilities", "quench_in_softness", "softness_of_atoms", "told_outside", "train", "with_experience"]

_ENOUGH_PLASTIC = 50


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
    n_folds = settings.folds
    if settings.fold_kind == "spatial_block" and table.block is None:
        raise UsageError("spatial_block folds need tables with the block of every atom", code="E-FOLDS")
    warnings = _check_counts(table, n_folds, d2_quantiles)
    trees: dict[str, str] = {}
    scores: list[dict[str, Any]] = []
    judged: list[tuple[np.ndarray, np.ndarray]] = []
    for draw in range(settings.draws):
        one = partial(fold_model, drawn(table, settings, draw), settings=settings, d2_quantiles=d2_quantiles)
        # One thread for each model and several models at once: on some thousand rows LightGBM's own threads spend
        # their time waiting for each other.
        with ThreadPoolExecutor(threads) as pool:
            for k, (text, left_out, q) in enumerate(pool.map(one, range(n_folds))):
                trees[f"fold-{draw}-{k}.txt"] = text
                judged.append((left_out, q))
                scores.append({"draw": draw, "fold": k, "n": len(left_out), **_fold_scores(left_out, q)})
                if progress is not None:
                    progress(len(trees), settings.draws * n_folds)
    undefined = sum(np.isnan(s["auc"]) for s in scores)
    if undefined:
        warnings.append(f"W-ONE-CLASS-FOLD: {undefined} of {len(scores)} folds left out hold one label only")
    return Model(
        columns=table.columns,
        definition=dict(definition),
        label=dict(label),
        settings=_kept(settings),
        specimens=table.specimens,
        scores={"folds": scores, "mean": _mean_scores(scores)},
        warnings=tuple(warnings),
        trees=trees,
        trained={"times_likelier": _times_likelier(judged, table.prior)},
    )


def _times_likelier(judged: Sequence[tuple[np.ndarray, np.ndarray]], prior: float) -> float:
    """How many times likelier soft atoms are plastic than hard ones, by models that did not see them.

    Half an atom is added to every count: no class is quite empty.
    """
    y, q = (np.concatenate(parts) for parts in zip(*judged, strict=True))
    chances = []
    for chosen in (q > SOFT_ABOVE, q < HARD_BELOW):
        plastic, other = (
            (np.count_nonzero(chosen & (y == kind)) + 0.5) / (np.count_nonzero(y == kind) + 1) for kind in (1, 0)
        )
        chances.append(prior * plastic / (prior * plastic + (1 - prior) * other))
    return float(f"{chances[0] / chances[1]:.3g}")


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
    }


def probabilities(model: Model, X: np.ndarray) -> np.ndarray:
    """Probability of being plastic by each model.

    Parameters
    ----------
    model : Model
    X : float array, shape (n, n_feature)
        Columns in the order of ``model.columns``; see ``Model.check_features``.

    Returns
    -------
    float64 array, shape (n_model, n)
        To the last bit what LightGBM itself predicts. NaN for rows with a feature that is not finite.

    Raises
    ------
    BadDataError
        ``E-FEATURES-DIFFER``: the number of columns is not that of the model.
    """
    X = np.asarray(X)
    if X.ndim != 2 or X.shape[1] != len(model.columns):
        raise BadDataError(
            f"the model has {len(model.columns)} feature columns, the rows given have shape {X.shape}",
            code="E-FEATURES-DIFFER",
        )
    return forest_probabilities(model.forest, X)


def quench_in_softness(model: Model, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quench-in softness: mean plastic probability over the models.

    Parameters
    ----------
    model, X
        As in `probabilities`.

    Returns
    -------
    qs : float64 array, shape (n,)
        From 0 (hard) to 1 (soft). NaN where a feature is not finite.
    qs_std : float64 array, shape (n,)
        Population standard deviation over the models.

    Raises
    ------
    BadDataError
        ``E-FEATURES-DIFFER``.

    Notes
    -----
    Each row is treated alone, and the models are added in a fixed order: any cut into chunks gives the same
    bits.

    References
    ----------
    .. [1] Q. Wang, A. Jain, Nat. Commun. 10, 5537 (2019), doi:10.1038/s41467-019-13511-9.
    """
    each = probabilities(model, X)
    # NumPy adds along a short axis in an order that depends on the length of the other: add by hand.
    mean = sum(each[1:], start=each[0]) / len(each)
    square = [(p - mean) ** 2 for p in each]
    return mean, np.sqrt(sum(square[1:], start=square[0]) / len(each))


def softness_of_atoms(
    model: Model, X: np.ndarray, species: np.ndarray, names: Sequence[str], *, accept: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Quench-in softness of the atoms that the model was made for, and how far they are from what it knows.

    Parameters
    ----------
    model, X
        As in `probabilities`.
    species : int array, shape (n,)
        Index into `names`.
    names : sequence of str
        Chemical symbols.
    accept : bool
        Give numbers to elements that the model never saw, too.

    Returns
    -------
    qs, qs_std : float64 array, shape (n,)
        As of `quench_in_softness`. NaN also for elements that the model never saw, and for other species than its host.
    outside : float64 array, shape (n,)
        See `qsdask.learn.validity.outside`.
    """
    distance = outside(model.clouds, X, species, names)
    qs, spread = quench_in_softness(model, X)
    host, strangers = model.label.get("host"), model.outside_domain(names)
    meant = [(accept or name not in strangers) and host in (None, name) for name in names]
    without = ~np.array(meant, dtype=bool)[species]
    qs[without] = spread[without] = np.nan
    return qs, spread, distance


def told_outside(
    model: Model,
    name: str,
    species: Sequence[str],
    n_outside: int,
    n_known: int,
    *,
    accepted: bool,
    strictly: bool = False,
) -> list[str]:
    """What must be said of a glass that the model does not know, or does not quite know.

    Parameters
    ----------
    model : Model
        That was applied.
    name : str
        Of the model.
    species : sequence of str
        Chemical symbols of the glass.
    n_outside, n_known, accepted, strictly
        See `qsdask.learn.validity.refuse_outside`.

    Raises
    ------
    BadDataError
        ``E-OUT-OF-DOMAIN``.
    """
    strangers = model.outside_domain(species)
    told = [f"the model never saw {', '.join(strangers)}"] if strangers else []
    return told + refuse_outside(n_outside, n_known, name, accepted=accepted, strictly=strictly)


def _check_counts(table: Table, n_folds: int, d2_quantiles: Sequence[float] | None) -> list[str]:
    """Refuse tables that cannot be learned from; say what is thin."""
    # Of the atoms that there are: a table may hold only those rows of the majority that a draw can choose.
    n_plastic = max(int(np.count_nonzero(table.y)), sum(s.n_plastic for s in table.specimens))
    n = max(len(table), sum(s.n_usable for s in table.specimens))
    spread = "" if d2_quantiles is None else f"; D2min quantiles {', '.join(f'{q:.3g}' for q in d2_quantiles)}"
    if n_plastic in (0, n):
        raise BadDataError(
            f"all {n} usable atoms have one label: {n_plastic} plastic, {n - n_plastic} not{spread}",
            code="E-ONE-CLASS",
            why="the D2min threshold lies outside the values at this strain, or the strain is too small",
            hint="a threshold between the quantiles, or a larger strain",
        )
    fewest = min(n_plastic, n - n_plastic)
    if fewest < 2 * n_folds:
        few = fewest == n_plastic
        change = "a larger strain, a lower threshold" if few else "a smaller strain, a higher threshold"
        raise BadDataError(
            f"{n_plastic} plastic and {n - n_plastic} other usable atoms are too few for {n_folds} folds: "
            f"at least {2 * n_folds} of each{spread}",
            code="E-FEW-PLASTIC",
            hint=f"more specimens, {change}, or fewer folds",
        )
    warnings = []
    if fewest < _ENOUGH_PLASTIC:
        warnings.append(f"W-FEW-PLASTIC: only {fewest} atoms of one label; scores are noise below {_ENOUGH_PLASTIC}")
    for k, specimen in enumerate(table.specimens):
        there = int(np.count_nonzero(table.y[table.specimen == k]))
        if there < n_folds:
            warnings.append(f"W-FEW-PLASTIC: specimen {specimen.name!r} has {there} plastic atoms for {n_folds} folds")
    return warnings


def _fold_scores(y: np.ndarray, q: np.ndarray) -> dict[str, float]:
    tally = Tally.of(y, q)
    rates = score.decisions(tally)
    return {
        "auc": score.auc_roc(tally),
        "average_precision": score.average_precision(tally),
        **{name: rates[name] for name in ("recall", "precision", "f1")},
    }


def _mean_scores(scores: list[dict[str, Any]]) -> dict[str, float]:
    names = ("auc", "average_precision", "recall", "precision", "f1")
    mean = {name: float(np.mean([s[name] for s in scores])) for name in names}
    return {**mean, "auc_std": float(np.std([s["auc"] for s in scores]))}
