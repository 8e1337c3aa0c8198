"""A linear model as a part of a model: what each column adds to a score, and the curve from scores to QS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from qsdask.errors import InternalError
from qsdask.kernels.linear import CLIPPED, LARGEST, linear_scores, logistic
from qsdask.learn.part import Contributions, mean_and_spread
from qsdask.learn.standard import Standard

__all__ = ["LinearPart"]


@dataclass(frozen=True, eq=False)
class LinearPart:
    """One linear model of all training atoms, and one for each part of them that was left out; see `qsdask.learn.part.Part`.

    Attributes
    ----------
    coefficient : float64 array, shape (n_column,)
        What one standard deviation of a column, within the glass and the species, adds to the score.
    without : float64 array, shape (n_model, n_column)
        The same, of the models that did not see a part.
    offset, slope : float
        QS of a score s is ``1 / (1 + exp(-(offset + slope * s)))``.
    """

    coefficient: np.ndarray
    without: np.ndarray
    offset: float
    slope: float
    gaps: ClassVar[bool] = True
    standardises: ClassVar[bool] = True
    name: ClassVar[str] = "response, ridge regression of ln D2min"
    measure: ClassVar[str] = "share of the sum of absolute coefficients"

    def seen(
        self, value: np.ndarray, species: np.ndarray, names: Sequence[str], standard: Standard | None
    ) -> np.ndarray:
        """Columns in standard deviations, as whole numbers."""
        assert standard is not None, "linear models look at columns as they compare with those of the whole glass"
        return standard.whole(value, species, names)

    def scores(self, seen: np.ndarray) -> np.ndarray:
        """Score of every row, float64 array, shape (n,): higher means more rearrangement."""
        return linear_scores(_whole(seen), self.coefficient[:, None].copy())[:, 0]

    def scores_without(self, seen: np.ndarray) -> np.ndarray:
        """Scores by the models that did not see a part: float64 array, shape (n_model, n)."""
        return linear_scores(_whole(seen), np.ascontiguousarray(self.without.T)).T

    def curve(self, score: np.ndarray) -> np.ndarray:
        """QS of scores, of any shape."""
        return logistic(np.ascontiguousarray(score).reshape(-1, 1), self.offset, self.slope).reshape(score.shape)

    def probabilities(self, seen: np.ndarray) -> np.ndarray:
        """NaN for rows without any value."""
        return self.curve(self.scores_without(seen))

    def softness(self, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """QS of the model of all training atoms, and the spread of the others."""
        return self.curve(self.scores(seen)), mean_and_spread(self.probabilities(seen))[1]

    def contributions(self, seen: np.ndarray) -> Contributions:
        """Slope times coefficient times standard deviations, against an atom that is average for its glass and species."""
        value = _whole(seen) * (self.slope * (CLIPPED / LARGEST) * self.coefficient)
        return Contributions(value, self.offset + self.slope * self.scores(seen), np.array([self.offset]))

    def gain(self) -> np.ndarray:
        """Absolute coefficients of the models that did not see a part."""
        return np.abs(self.without)

    def record(self) -> dict[str, Any]:
        """All of it."""
        numbers = {"coefficient": self.coefficient, "without": self.without, "offset": self.offset, "slope": self.slope}
        return {"trees": {}, "linear": numbers}

    @classmethod
    def read(cls, record: Mapping[str, Any], n_column: int) -> LinearPart:
        """Part from what `record` gave.

        Raises
        ------
        ValueError, KeyError, TypeError
            When it is none.
        """
        coefficient, without = (np.array(record[name], dtype=np.float64) for name in ("coefficient", "without"))
        curve = [record[name] for name in ("offset", "slope")]
        sound = set(record) == {"coefficient", "without", "offset", "slope"} and coefficient.shape == (n_column,)
        sound = sound and without.ndim == 2 and without.shape[1:] == (n_column,) and len(without) > 0
        sound = sound and all(type(x) in (int, float) for x in curve) and curve[1] >= 0
        if not (sound and all(np.isfinite(numbers).all() for numbers in (coefficient, without, curve))):
            raise ValueError("shapes or numbers are wrong")
        return cls(coefficient, without, float(curve[0]), float(curve[1]))


def _whole(seen: np.ndarray) -> np.ndarray:
    """Columns as `LinearPart.seen` gives them; those that were computed would give scores without meaning."""
    if not np.array_equal(seen, np.rint(seen), equal_nan=True):
        raise InternalError("a linear model was given columns that are not in standard deviations", code="E-STANDARD")
    return seen
