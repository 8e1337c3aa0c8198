"""Boosted trees as a part of a model."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from qsdask.kernels.shapley import Paths, lay_paths, path_contributions
from qsdask.kernels.trees import Forest, forest_probabilities, plant
from qsdask.learn.part import Contributions, mean_and_spread
from qsdask.learn.standard import Standard
from qsdask.learn.tree_text import Trees, read_trees

__all__ = ["ForestPart", "by_draw_and_fold", "forest_of"]


@dataclass(frozen=True, eq=False)
class ForestPart:
    """One model of trees for each draw and fold; see `qsdask.learn.part.Part`.

    Attributes
    ----------
    columns : tuple of str
        Feature columns in the order of the trees.
    texts : dict of str to str
        LightGBM text of each model by file name ``fold-<draw>-<k>.txt``.
    together : bool
        Whether several processes grew each of them together.
    """

    columns: tuple[str, ...]
    texts: Mapping[str, str]
    together: bool = False
    gaps: ClassVar[bool] = False
    standardises: ClassVar[bool] = False
    measure: ClassVar[str] = "share of total gain"

    @property
    def name(self) -> str:
        """What learned, for people."""
        return "gbdt, boosted trees" + (", data-parallel" if self.together else "")

    @cached_property
    def read(self) -> tuple[Trees, ...]:
        """What the texts say, by draw, then fold; read and checked on first use."""
        return tuple(read_trees(self.texts[name], self.columns, file=name) for name in by_draw_and_fold(self.texts))

    @cached_property
    def forest(self) -> Forest:
        """The trees as the kernel follows them, by draw, then fold; laid out on first use."""
        return forest_of(self.read)

    def seen(
        self, value: np.ndarray, species: np.ndarray, names: Sequence[str], standard: Standard | None
    ) -> np.ndarray:
        """The columns themselves."""
        return value

    def probabilities(self, seen: np.ndarray) -> np.ndarray:
        """To the last bit what LightGBM itself predicts. NaN for rows with a feature that is not finite."""
        return forest_probabilities(self.forest, seen)

    def softness(self, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and spread of the models."""
        return mean_and_spread(self.probabilities(seen))

    @cached_property
    def paths(self) -> tuple[Paths, np.ndarray]:
        """Paths to all leaves, and the mean of each model over its training atoms; laid out on first use."""
        names = ("n_leaf", "feature", "threshold", "left", "right", "value", "n_row")
        paths, expected = lay_paths(**_joined(self.read, names))
        ends = np.cumsum([len(trees.n_leaf) for trees in self.read])[:-1]
        return paths, np.array([part.sum() for part in np.split(expected, ends)])

    def contributions(self, seen: np.ndarray) -> Contributions:
        """Shapley values, weighted along the paths by training atoms, as LightGBM's ``pred_contrib``."""
        paths, expected = self.paths
        value, score = path_contributions(paths, seen, len(self.read))
        return Contributions(value, score, expected)

    def gain(self) -> np.ndarray:
        """What each column gained in the training of each model."""
        n = len(self.columns)
        return np.array([np.bincount(t.feature, np.maximum(t.gain, 0.0), minlength=n) for t in self.read])

    def record(self) -> dict[str, Any]:
        """SHA-256 of each text."""
        checksums = {name: hashlib.sha256(self.texts[name].encode()) for name in by_draw_and_fold(self.texts)}
        return {"trees": {name: checksum.hexdigest() for name, checksum in checksums.items()}}


def by_draw_and_fold(names: Mapping[str, Any]) -> list[str]:
    """File names of trees by draw, then fold."""
    return sorted(names, key=lambda name: tuple(int(k) for k in re.findall(r"\d+", name)))


def forest_of(read: Sequence[Trees]) -> Forest:
    """Lay out the trees of several models for `qsdask.kernels.trees.forest_probabilities`."""
    parts = _joined(read, ("n_leaf", "feature", "threshold", "left", "right", "value"))
    return plant([len(trees.n_leaf) for trees in read], **parts)


def _joined(read: Sequence[Trees], names: Sequence[str]) -> dict[str, np.ndarray]:
    """Arrays of `Trees` of several models, those of one behind those of the other."""
    return {name: np.concatenate([getattr(trees, name) for trees in read]) for name in names}
