"""Atoms counted by score and label: all that scores of a prediction need, and what two chunks of atoms can add."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from qsdask.errors import BadDataError

__all__ = ["RESOLUTION", "Tally"]

#: Step to which scores are rounded down where atoms are counted chunk by chunk: at most 2^20 different scores are then
#: held, and 1/2 stays what it is. Means of scores are good to half of it, an area under a curve to half the share of
#: pairs of one plastic and one other atom that fall together.
RESOLUTION = 2.0**-20


@dataclass(frozen=True, eq=False)
class Tally:
    """How many atoms of each label have each score.

    Attributes
    ----------
    score : float64 array, shape (n,)
        Different scores, rising.
    plastic, other : int64 arrays, shape (n,)
        Atoms that have them.
    """

    score: np.ndarray
    plastic: np.ndarray
    other: np.ndarray

    @classmethod
    def of(cls, y: Any, score: Any, *, resolution: float | None = None) -> Tally:
        """Count atoms.

        Parameters
        ----------
        y : bool array, shape (n_atom,)
            Plastic.
        score : float array, shape (n_atom,)
            Higher means more plastic. Must be finite.
        resolution : float, optional
            Round scores down to multiples of this.

        Raises
        ------
        BadDataError
            ``E-SCORE``: shapes differ or a score has no value.
        """
        y, score = np.asarray(y, dtype=bool), np.asarray(score, dtype=np.float64)
        if y.shape != score.shape or y.ndim != 1:
            raise BadDataError(f"labels {y.shape} and scores {score.shape} must be equal rows", code="E-SCORE")
        if not np.isfinite(score).all():
            raise BadDataError(f"{int((~np.isfinite(score)).sum())} of {len(y)} scores have no value", code="E-SCORE")
        if resolution is not None:
            score = np.floor(score / resolution) * resolution
        return cls._summed(score, y.astype(np.int64), (~y).astype(np.int64))

    def at(self, score: np.ndarray) -> Tally:
        """The same atoms with other scores, float64 array, shape (n,), in place of `score`."""
        return self._summed(score, self.plastic, self.other)

    def __add__(self, others: Tally) -> Tally:
        """Atoms of both; exact, in any order."""
        pairs = ((self.score, others.score), (self.plastic, others.plastic), (self.other, others.other))
        return self._summed(*(np.concatenate(pair) for pair in pairs))

    @classmethod
    def _summed(cls, score: np.ndarray, plastic: np.ndarray, other: np.ndarray) -> Tally:
        different, place = np.unique(score, return_inverse=True)
        # Counts are whole numbers below 2^53: adding them as weights is exact.
        counts = (np.bincount(place, n, minlength=len(different)).astype(np.int64) for n in (plastic, other))
        return cls(different, *counts)

    @property
    def atoms(self) -> np.ndarray:
        """Atoms of each score, int64, shape (n,)."""
        return self.plastic + self.other

    @property
    def n_plastic(self) -> int:
        """Plastic atoms."""
        return int(self.plastic.sum())

    @property
    def n_atom(self) -> int:
        """All atoms."""
        return int(self.atoms.sum())
