"""What a learner leaves behind: the part of a model that makes probabilities from columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from qsdask.learn.standard import Standard

__all__ = ["Contributions", "Part", "mean_and_spread"]


class Contributions(NamedTuple):
    """What the columns add, atom by atom: ``expected.mean() + value.sum(axis=1)`` is `score`, to 1e-9.

    Attributes
    ----------
    value : float64 array, shape (n, n_column)
        Contribution of each column of the model; NaN for rows that cannot be judged. Logarithm of the odds.
    score : float64 array, shape (n,)
        Logarithm of the odds: of trees the mean over the fold models, of a linear model that of QS itself.
    expected : float64 array, shape (n_model,)
        What is said of an atom of which nothing is known: by each fold model of trees the mean over its training atoms; by a
        linear model, one for all atoms, that of an atom that is average for its glass and species.
    """

    value: np.ndarray
    score: np.ndarray
    expected: np.ndarray


class Part(Protocol):
    """From the columns of atoms to probabilities; each learner has one.

    Attributes
    ----------
    gaps : bool
        Whether atoms that lack some of the columns are learned from and judged.
    standardises : bool
        Whether it looks at columns as they compare with those of the whole glass; then it needs a `Standard`.
    name : str
        What learned, for people.
    measure : str
        What `gain` is, for people.
    """

    @property
    def gaps(self) -> bool: ...

    @property
    def standardises(self) -> bool: ...

    @property
    def name(self) -> str: ...

    @property
    def measure(self) -> str: ...

    def seen(
        self, value: np.ndarray, species: np.ndarray, names: Sequence[str], standard: Standard | None
    ) -> np.ndarray:
        """Columns, shape (n, n_feature), as `probabilities` and `softness` want them."""

    def probabilities(self, seen: np.ndarray) -> np.ndarray:
        """Probability of being plastic by each model that did not see a part of the training atoms: float64 array,
        shape (n_model, n).
        """

    def softness(self, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """QS, and the spread of these models: float64 arrays, shape (n,)."""

    def contributions(self, seen: np.ndarray) -> Contributions:
        """What each column adds to the logarithm of the odds."""

    def gain(self) -> np.ndarray:
        """What each column is worth to each model: float64 array, shape (n_model, n_column)."""

    def record(self) -> dict[str, Any]:
        """What the record of a model says of it; JSON values."""


def mean_and_spread(each: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and population standard deviation over models, float64 arrays of shape (n,), of one of shape (n_model, n).

    Models are added in a fixed order: any cut into chunks gives the same bits.
    """
    # NumPy adds along a short axis in an order that depends on the length of the other: add by hand.
    mean = sum(each[1:], start=each[0]) / len(each)
    square = [(p - mean) ** 2 for p in each]
    return mean, np.sqrt(sum(square[1:], start=square[0]) / len(each))
