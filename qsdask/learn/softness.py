"""From labelled tables to the fold models, and from the fold models to quench-in softness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from qsdask.errors import BadDataError, UsageError
from qsdask.learn import gbdt, score
from qsdask.learn.folds import spatial_block, stratified
from qsdask.learn.model import Model
from qsdask.learn.table import Table, concatenate, identity_hash
from qsdask.learn.tally import Tally
from qsdask.learn.undersample import undersample
from qsdask.settings import TrainSettings

__all__ = ["probabilities", "quench_in_softness", "train"]

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
    n_folds, seed = settings.folds, settings.seed
    if settings.fold_kind == "spatial_block" and table.block is None:
        raise UsageError("spatial_block folds need tables with the block of every atom", code="E-FOLDS")
    warnings = _check_counts(table, n_folds, d2_quantiles)
    trees: dict[str, str] = {}
    scores: list[dict[str, Any]] = []
    for draw in range(settings.draws):
        rank = table.hashes(seed, "undersample", draw)
        chosen = table.take(undersample(table.y, rank, ratio=settings.ratio, tie=table.specimen))
        if settings.fold_kind == "stratified":
            fold = stratified(chosen.y, chosen.specimen, chosen.hashes(seed, "fold", draw), n_folds)
        else:
            assert chosen.block is not None
            keys = tuple(s.key for s in chosen.specimens)
            fold = spatial_block(chosen.y, chosen.specimen, keys, chosen.block, seed=seed, draw=draw, n_folds=n_folds)
        tree_seeds = identity_hash(seed, "trees", draw, "", np.arange(n_folds)) >> np.uint64(33)

        def one(
            k: int, chosen: Table = chosen, fold: np.ndarray = fold, seeds: np.ndarray = tree_seeds
        ) -> tuple[str, np.ndarray]:
            inside = fold != k
            text = gbdt.train_one(
                chosen.X[inside],
                chosen.y[inside],
                chosen.columns,
                settings,
                seed=int(seeds[k]),
                d2_quantiles=d2_quantiles,
            )
            return text, gbdt.probability(gbdt.load(text, chosen.columns), chosen.X[~inside])

        # One thread for each model and several models at once: on some thousand rows LightGBM's own threads spend
        # their time waiting for each other.
        with ThreadPoolExecutor(threads) as pool:
            for k, (text, q) in enumerate(pool.map(one, range(n_folds))):
                trees[f"fold-{draw}-{k}.txt"] = text
                outside = chosen.y[fold == k]
                scores.append({"draw": draw, "fold": k, "n": len(outside), **_fold_scores(outside, q)})
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


def probabilities(model: Model, X: np.ndarray, *, threads: int = 1) -> np.ndarray:
    """Probability of being plastic by each model.

    Parameters
    ----------
    model : Model
    X : float array, shape (n, n_feature)
        Columns in the order of ``model.columns``; see ``Model.check_features``.
    threads : int
        Threads of LightGBM.

    Returns
    -------
    float64 array, shape (n_model, n)
        NaN for rows with a feature that is not finite.

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
    if X.dtype not in (np.float32, np.float64):
        X = X.astype(np.float64)
    known = np.isfinite(X).all(axis=1)
    boosters = model.boosters()
    result = np.full((len(boosters), len(X)), np.nan)
    rows = X if known.all() else X[known]
    for k, booster in enumerate(boosters):
        result[k, known] = gbdt.probability(booster, rows, threads=threads)
    return result


def quench_in_softness(model: Model, X: np.ndarray, *, threads: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Quench-in softness: mean plastic probability over the models.

    Parameters
    ----------
    model, X, threads
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
    each = probabilities(model, X, threads=threads)
    # NumPy adds along a short axis in an order that depends on the length of the other: add by hand.
    mean = sum(each[1:], start=each[0]) / len(each)
    square = [(p - mean) ** 2 for p in each]
    return mean, np.sqrt(sum(square[1:], start=square[0]) / len(each))


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
