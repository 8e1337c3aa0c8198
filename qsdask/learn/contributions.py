"""What every column adds to what a model says of an atom."""

from __future__ import annotations

import numpy as np

from qsdask.learn.model import Model
from qsdask.learn.part import Contributions
from qsdask.learn.softness import checked_rows

__all__ = ["contributions"]


def contributions(model: Model, X: np.ndarray) -> Contributions:
    """Shapley values of the columns for the logarithm of the odds: of trees its mean over the fold models.

    Parameters
    ----------
    model : Model
    X : float array, shape (n, n_column)
        Columns in the order of ``model.columns``, as ``model.part.seen`` gives them.

    Returns
    -------
    Contributions

    Raises
    ------
    BadDataError
        ``E-FEATURES-DIFFER``: the number of columns is not that of the model.

    Notes
    -----
    Exact for both learners. Of trees they are weighted along their paths by training atoms ("tree path dependent"), as
    LightGBM's ``pred_contrib``. Of a linear model they are coefficient times z-score; a column that an atom lacks counts as the
    median of its species, as it does for QS. Each row is treated alone: any cut into chunks gives the same bits.

    QS of trees is the mean of the probabilities, not the probability of the mean score: where the fold models disagree it is
    nearer to 1/2. Contributions of the score add up exactly and say why an atom is soft or hard; those of a mean of logistic
    functions would depend on all others. QS of a linear model is exactly the logistic function of the score.

    References
    ----------
    .. [1] S. M. Lundberg et al., Nat. Mach. Intell. 2, 56 (2020), doi:10.1038/s42256-019-0138-9.
    """
    return model.part.contributions(checked_rows(model, X))
