"""Training of gradient-boosted trees: the only file that knows LightGBM."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import ceil, sqrt
from typing import Any

import numpy as np

from qsdask.errors import BadDataError, InternalError, UsageError
from qsdask.learn.rows_in_files import BATCH, Selection
from qsdask.learn.tree_text import MOST_TREES
from qsdask.settings import TrainSettings

__all__ = ["OF_DATA", "as_sequence", "parameters_of", "refuse_untrainable", "train_one"]


#: How columns become intervals, beside their number.
OF_DATA = {
    "min_data_in_bin": 1,
    "feature_pre_filter": False,
    "enable_bundle": False,
    "is_enable_sparse": False,
    "use_missing": False,
    "verbosity": -1,
}

_COLUMN = re.compile(r"[A-Za-z0-9_.+-]{1,200}")


def train_one(
    X: np.ndarray | Selection,
    y: np.ndarray,
    columns: Sequence[str],
    settings: TrainSettings | None = None,
    *,
    seed: int = 0,
    threads: int = 1,
    d2_quantiles: Sequence[float] | None = None,
    target: np.ndarray | None = None,
) -> str:
    """Train one model and give its text.

    Parameters
    ----------
    X : float32 or float64 array, shape (n, n_feature), or Selection
        Features, finite; or rows in files, which are read a batch at a time. The text is the same.
    y : bool array, shape (n,)
        Plastic.
    columns : sequence of str
        Names of the features.
    settings : TrainSettings, optional
        Trees, depth, learning rate and the like; those of the paper's authors by default.
    seed : int
        Seed of the choice of features, from 0 to 2^31 − 1.
    threads : int
        Threads of LightGBM.
    d2_quantiles : sequence of float, optional
        Quantiles of D2min, shown when there is only one class. Unit: angstrom^2.
    target : float array, shape (n,), optional
        Learned instead of the class, between 0 and 1, by the cross-entropy; `y` only tells whether there are two classes.

    Returns
    -------
    str
        LightGBM's text without its list of parameters; the same for any number of threads.

    Raises
    ------
    BadDataError
        ``E-ONE-CLASS``: all labels are equal.
    UsageError
        ``E-COLUMN-NAME``: a name that LightGBM cannot hold.
    InternalError
        ``E-LIGHTGBM``: LightGBM gave up.
    """
    import lightgbm  # a second, and 100 MB: only where trees are made

    settings = settings or TrainSettings()
    n = len(y)
    refuse_untrainable(n, int(np.count_nonzero(y)), columns, settings, d2_quantiles)
    parameters = {
        "objective": "binary" if target is None else "cross_entropy",
        "boost_from_average": True,
        **parameters_of(settings, len(columns), seed, threads),
        "min_data_in_leaf": max(1, ceil(settings.leaf_fraction * n)),
        "max_bin": settings.max_bin,
        **OF_DATA,
    }
    try:
        learned = np.asarray(y if target is None else target, dtype=np.float32)
        rows = X
        if isinstance(X, Selection):
            rows, parameters["data_random_seed"] = as_sequence(X), sampling_seed(seed)
        data = lightgbm.Dataset(rows, learned, feature_name=list(columns), params=parameters)
        text = lightgbm.train(parameters, data, settings.trees).model_to_string()
    except lightgbm.basic.LightGBMError as error:
        raise InternalError(f"LightGBM stopped on {n} rows: {error}", code="E-LIGHTGBM") from error
    # The parameters name the number of threads; the trees do not depend on it.
    return text[: text.index("\nparameters:\n")] + "\n"


def parameters_of(settings: TrainSettings, n_column: int, seed: int, threads: int) -> dict[str, Any]:
    """What LightGBM is told of trees and boosting, however it learns."""
    return {
        "num_leaves": 2**settings.depth,
        "max_depth": settings.depth,
        "learning_rate": settings.learning_rate,
        # As scikit-learn's "sqrt": rounded down, at least one.
        "feature_fraction_bynode": settings.feature_fraction or max(1, int(sqrt(n_column))) / n_column,
        # LightGBM derives the rows of a leaf from its hessian: with a penalty on leaves, or without this
        # floor, leaves of saturated rows round to a wrong count and training stops with an internal check.
        "min_sum_hessian_in_leaf": 1e-3,
        "lambda_l1": 0.0,
        "lambda_l2": 0.0,
        "min_gain_to_split": 0.0,
        "bagging_freq": 0,
        "deterministic": True,
        # One thread sums a feature, in row order: no sum depends on the threads, and it is faster here.
        "force_col_wise": True,
        "seed": seed,
        "num_threads": threads,
    }


def sampling_seed(seed: int) -> int:
    """Seed by which LightGBM samples the rows of a large table in memory, to find intervals: it makes it of the other one.

    For rows in files its Python package forgets to, and would take its default.
    """
    return (((214013 * seed + 2531011) % 2**32 >> 16) & 0x7FFF) % 32767


def as_sequence(rows: Selection) -> Any:
    """Rows in files, as LightGBM takes them."""
    import lightgbm

    class Batches(lightgbm.Sequence):
        batch_size = BATCH

        def __len__(self) -> int:
            return len(rows)

        def __getitem__(self, at: int | slice) -> np.ndarray:  # type: ignore[override]
            return rows[at]

    return Batches()


def refuse_untrainable(
    n: int, n_plastic: int, columns: Sequence[str], settings: TrainSettings, d2_quantiles: Sequence[float] | None
) -> None:
    """Refuse what no trees can be trained of: rows, and plastic ones among them; the others and errors as of `train_one`."""
    if settings.trees > MOST_TREES:
        raise UsageError(f"at most {MOST_TREES} trees, not {settings.trees}", code="E-GBDT-SETTINGS")
    if n_plastic in (0, n):
        spread = "" if d2_quantiles is None else f"; D2min quantiles {', '.join(f'{q:.3g}' for q in d2_quantiles)}"
        raise BadDataError(
            f"all {n} training rows have one label: {n_plastic} plastic, {n - n_plastic} not{spread}",
            code="E-ONE-CLASS",
            hint="a threshold between the quantiles, or a larger strain",
        )
    bad = [c for c in columns if not _COLUMN.fullmatch(c)]
    if bad:
        raise UsageError(
            f"column names may hold letters, digits and _ . + - only, got {bad[0]!r}", code="E-COLUMN-NAME"
        )
