"""What every column adds to what a model says of an atom."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from qsdask.kernels.shapley import Paths, lay_paths, path_contributions
from qsdask.learn.model import Model, joined
from qsdask.learn.softness import checked_rows

__all__ = ["Contributions", "contributions"]


class Contributions(NamedTuple):
    """What the columns add, atom by atom: ``expected.mean() + value.sum(axis=1)`` is `score`, to 1e-9.

    Attributes
    ----------
    value : float64 array, shape (n, n_column)
        Contribution of each column of the model; NaN for rows with a feature that is not finite. Logarithm of the odds.
    score : float64 array, shape (n,)
        Mean logarithm of the odds over the fold models.
    expected : float64 array, shape (n_model,)
        Score of each fold model, mean over its training atoms: what it says of an atom of which nothing is known.
    """

    value: np.ndarray
    score: np.ndarray
    expected: np.ndarray


def contributions(model: Model, X: np.ndarray) -> Contributions:
    """Shapley values of the columns for the mean logarithm of the odds of the fold models.

    Parameters
    ----------
    model : Model
    X : float array, shape (n, n_column)
        Columns in the order of ``model.columns``.

    Returns
    -------
    Contributions

    Raises
    ------
    BadDataError
        ``E-FEATURES-DIFFER``: the number of columns is not that of the model.

    Notes
    -----
    Exact for trees, weighted along their paths by training atoms ("tree path dependent"), as LightGBM's ``pred_contrib``. A
    learner of another kind gets its branch here: of a linear one it is coefficient times (z-score minus its mean).

    QS is the mean of the probabilities, not the probability of the mean score: where the fold models disagree it is nearer to
    1/2. Contributions of the score add up exactly and say why an atom is soft or hard; those of a mean of logistic functions
    would depend on all others.

    References
    ----------
    .. [1] S. M. Lundberg et al., Nat. Mach. Intell. 2, 56 (2020), doi:10.1038/s42256-019-0138-9.
    """
    paths, expected = _paths(model)
    value, score = path_contributions(paths, checked_rows(model, X), len(model.read))
    return Contributions(value, score, expected)


@lru_cache(maxsize=4)
def _paths(model: Model) -> tuple[Paths, np.ndarray]:
    """Paths of all trees of a model, and the mean of each fold model over its training atoms."""
    paths, expected = lay_paths(
        **joined(model.read, ("n_leaf", "feature", "threshold", "left", "right", "value", "n_row"))
    )
    ends = np.cumsum([len(trees.n_leaf) for trees in model.read])[:-1]
    return paths, np.array([part.sum() for part in np.split(expected, ends)])
