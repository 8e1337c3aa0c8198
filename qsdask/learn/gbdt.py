"""Gradient-boosted trees: the only file that knows LightGBM and its text format.

A model text is checked line by line before LightGBM sees it: its loader trusts what it reads, and small edits
make it crash or predict something else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import ceil, isfinite, sqrt
from typing import TYPE_CHECKING

import numpy as np

from qsdask.errors import BadDataError, InternalError, UsageError
from qsdask.settings import TrainSettings

if TYPE_CHECKING:
    import lightgbm

__all__ = ["check_text", "load", "probability", "train_one"]


_COLUMN = re.compile(r"[A-Za-z0-9_.+-]{1,200}")
_MOST_TREES = 100_000


def train_one(
    X: np.ndarray,
    y: np.ndarray,
    columns: Sequence[str],
    settings: TrainSettings | None = None,
    *,
    seed: int = 0,
    threads: int = 1,
    d2_quantiles: Sequence[float] | None = None,
) -> str:
    """Train one model and give its text.

    Parameters
    ----------
    X : float32 or float64 array, shape (n, n_feature)
        Features, finite.
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
    import lightgbm  # a second, and 100 MB: only where trees are made or used

    settings = settings or TrainSettings()
    if settings.trees > _MOST_TREES:
        raise UsageError(f"at most {_MOST_TREES} trees, not {settings.trees}", code="E-GBDT-SETTINGS")
    n, n_plastic = len(y), int(np.count_nonzero(y))
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
    parameters = {
        "objective": "binary",
        "boost_from_average": True,
        "num_leaves": 2**settings.depth,
        "max_depth": settings.depth,
        "learning_rate": settings.learning_rate,
        # As scikit-learn's "sqrt": rounded down, at least one.
        "feature_fraction_bynode": settings.feature_fraction or max(1, int(sqrt(len(columns)))) / len(columns),
        "min_data_in_leaf": max(1, ceil(settings.leaf_fraction * n)),
        "min_data_in_bin": 1,
        "max_bin": settings.max_bin,
        # LightGBM derives the rows of a leaf from its hessian: with a penalty on leaves, or without this
        # floor, leaves of saturated rows round to a wrong count and training stops with an internal check.
        "min_sum_hessian_in_leaf": 1e-3,
        "lambda_l1": 0.0,
        "lambda_l2": 0.0,
        "min_gain_to_split": 0.0,
        "feature_pre_filter": False,
        "enable_bundle": False,
        "is_enable_sparse": False,
        "use_missing": False,
        "bagging_freq": 0,
        "deterministic": True,
        # One thread sums a feature, in row order: no sum depends on the threads, and it is faster here.
        "force_col_wise": True,
        "seed": seed,
        "num_threads": threads,
        "verbosity": -1,
    }
    try:
        data = lightgbm.Dataset(X, np.asarray(y, dtype=np.float32), feature_name=list(columns), params=parameters)
        text = lightgbm.train(parameters, data, settings.trees).model_to_string()
    except lightgbm.basic.LightGBMError as error:
        raise InternalError(f"LightGBM stopped on {n} rows: {error}", code="E-LIGHTGBM") from error
    # The parameters name the number of threads; the trees do not depend on it.
    return text[: text.index("\nparameters:\n")] + "\n"


def load(text: str, columns: Sequence[str], *, file: object = None) -> lightgbm.Booster:
    """Make a model from its text, after checking it.

    Parameters
    ----------
    text : str
        From `train_one`.
    columns : sequence of str
        Names of the features it must have.
    file : object, optional
        Name for messages.

    Returns
    -------
    lightgbm.Booster

    Raises
    ------
    BadDataError
        ``E-MODEL-TREE``: not a text that `train_one` could have written.
    """
    import lightgbm

    check_text(text, columns, file=file)
    try:
        return lightgbm.Booster(model_str=text)
    except lightgbm.basic.LightGBMError as error:
        raise BadDataError(f"LightGBM refuses the model: {error}", code="E-MODEL-TREE", file=file) from error


def probability(booster: lightgbm.Booster, X: np.ndarray, *, threads: int = 1) -> np.ndarray:
    """Probability of being plastic by one model.

    Parameters
    ----------
    booster : lightgbm.Booster
    X : float32 or float64 array, shape (n, n_feature)
        Finite, columns in the order of the model.
    threads : int
        Threads of LightGBM.

    Returns
    -------
    float64 array, shape (n,)
        The same for a row whatever stands in the others.
    """
    if len(X) == 0:
        return np.empty(0)
    return booster.predict(np.ascontiguousarray(X), num_threads=threads)


_HEADER = (
    ("version", "v4"),
    ("num_class", "1"),
    ("num_tree_per_iteration", "1"),
    ("label_index", "0"),
    ("max_feature_idx", None),
    ("objective", "binary sigmoid:1"),
    ("feature_names", None),
    ("feature_infos", None),
    ("tree_sizes", None),
)
_PER_SPLIT = ("split_feature", "split_gain", "threshold", "decision_type", "left_child", "right_child")
_PER_LEAF = ("leaf_value", "leaf_weight", "leaf_count")
_INNER = ("internal_value", "internal_weight", "internal_count")
_TREE = ("num_leaves", "num_cat", *_PER_SPLIT, *_PER_LEAF, *_INNER, "is_linear", "shrinkage")
_INTEGERS = {"split_feature", "decision_type", "left_child", "right_child", "leaf_count", "internal_count"}
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,8})")
_NUMBER = re.compile(r"-?[0-9]{1,25}(\.[0-9]{1,25})?(e[+-]?[0-9]{1,3})?")
_RANGE = re.compile(r"none|\[([^\[\]:]+):([^\[\]:]+)\]")


def check_text(text: str, columns: Sequence[str], *, file: object = None) -> int:
    """Check the text of a model against everything LightGBM's loader takes on trust.

    Parameters
    ----------
    text : str
        Text of the model.
    columns : sequence of str
        Names of the features it must have.
    file : object, optional
        Name for messages.

    Returns
    -------
    int
        Number of trees.

    Raises
    ------
    BadDataError
        ``E-MODEL-TREE``, with the file and the line.

    Notes
    -----
    Accepted is the grammar that `train_one` writes and nothing else: header, trees whose stated sizes are
    their sizes in bytes, lists as long as the number of leaves demands, finite numbers, features and children
    in range, every node reached once from the root, numerical splits only, and the list of importances.
    """
    try:
        return _Reader(text).model(columns)
    except _TextError as fault:
        raise BadDataError(
            f"the text of the model is damaged: {fault}",
            code="E-MODEL-TREE",
            file=file,
            line=fault.line,
            hint="train the model again, or copy it again from its source",
        ) from None


class _TextError(Exception):
    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


class _Reader:
    """Walks over the lines of a model text, and stops at the first that cannot be right."""

    def __init__(self, text: str) -> None:
        self.lines = text.split("\n")
        self.at = 0
        if not text.isascii() or "\r" in text or "\0" in text:
            self.fail("characters that no model text has")

    def fail(self, message: str) -> None:
        raise _TextError(message, self.at)

    def next(self) -> str:
        if self.at >= len(self.lines):
            self.fail("the text ends too early")
        self.at += 1
        return self.lines[self.at - 1]

    def exactly(self, *wanted: str) -> None:
        for line in wanted:
            got = self.next()
            if got != line:
                self.fail(f"expected {line!r}, got {got[:60]!r}")

    def entry(self, name: str) -> str:
        key, equals, content = self.next().partition("=")
        if key != name or not equals:
            self.fail(f"expected {name}=…, got {key[:60]!r}")
        return content

    def integer(self, content: str, low: int, high: int) -> int:
        if not _INTEGER.fullmatch(content) or not low <= int(content) <= high:
            self.fail(f"expected a whole number from {low} to {high}, got {content[:40]!r}")
        return int(content)

    def number(self, content: str) -> float:
        if not _NUMBER.fullmatch(content) or not isfinite(float(content)):
            self.fail(f"expected a finite number, got {content[:40]!r}")
        return float(content)

    def model(self, columns: Sequence[str]) -> int:
        n_feature = len(columns)
        self.exactly("tree")
        header = {}
        for name, wanted in _HEADER:
            header[name] = self.entry(name)
            if wanted is not None and header[name] != wanted:
                self.fail(f"expected {name}={wanted}, got {header[name][:40]!r}")
            if name == "max_feature_idx":
                self.integer(header[name], n_feature - 1, n_feature - 1)
            if name == "feature_names" and header[name].split(" ") != list(columns):
                self.fail("the features are not those of the model folder")
        ranges = header["feature_infos"].split(" ")
        if len(ranges) != n_feature:
            self.fail(f"expected {n_feature} feature ranges, got {len(ranges)}")
        for content in ranges:
            match = _RANGE.fullmatch(content)
            if not match or (match[1] and not self.number(match[1]) <= self.number(match[2])):
                self.fail(f"expected none or [low:high], got {content[:40]!r}")
        sizes = header["tree_sizes"].split(" ")
        if len(sizes) > _MOST_TREES:
            self.fail("too many trees")
        self.exactly("")
        for k, size in enumerate(sizes):
            begin = self.at
            self.exactly(f"Tree={k}")
            self.tree(n_feature)
            # LightGBM finds the trees by these sizes: a wrong one makes it read elsewhere.
            length = sum(len(line) + 1 for line in self.lines[begin : self.at])
            self.integer(size, length, length)
        self.exactly("end of trees", "", "feature_importances:")
        self.importances(set(columns))
        return len(sizes)

    def tree(self, n_feature: int) -> None:
        n_leaf = 0
        lists: dict[str, list[float]] = {}
        for name in _TREE:
            content = self.entry(name)
            if name == "num_leaves":
                n_leaf = self.integer(content, 1, 65536)
            elif name in ("num_cat", "is_linear"):
                self.integer(content, 0, 0)
            elif name == "shrinkage":
                self.number(content)
            else:
                lists[name] = self.list(name, content, n_leaf, n_feature)
        self.nodes(lists, n_leaf)
        self.exactly("", "")

    def list(self, name: str, content: str, n_leaf: int, n_feature: int) -> list[float]:
        parts = content.split(" ") if content else []
        wanted = n_leaf if name in _PER_LEAF else n_leaf - 1
        # A tree of one leaf is written without weight, and without count by some versions.
        if len(parts) != wanted and not (n_leaf == 1 and not parts and name != "leaf_value"):
            self.fail(f"{name}: expected {wanted} values, got {len(parts)}")
        if name not in _INTEGERS:
            return [self.number(p) for p in parts]
        low, high = {
            "split_feature": (0, n_feature - 1),
            "left_child": (-n_leaf, n_leaf - 2),
            "right_child": (-n_leaf, n_leaf - 2),
        }.get(name, (0, 999_999_999))
        values = [self.integer(p, low, high) for p in parts]
        # Bit 0: categorical, 1: default left, 2 and 3: kind of missing value. Only bit 1 is ever set here.
        if name == "decision_type" and not set(values) <= {0, 2}:
            self.fail(f"decision_type: expected 0 or 2, got {content[:40]!r}")
        return values

    def nodes(self, lists: dict[str, list[float]], n_leaf: int) -> None:
        """Every split and every leaf hangs on the root exactly once."""
        waiting, seen = [0 if n_leaf > 1 else -1], set()
        while waiting:
            node = waiting.pop()
            if node in seen:
                self.fail("a node of the tree has two parents")
            seen.add(node)
            if node >= 0:
                waiting += [int(lists["left_child"][node]), int(lists["right_child"][node])]
        if len(seen) != 2 * n_leaf - 1:
            self.fail("a node of the tree cannot be reached")

    def importances(self, columns: set[str]) -> None:
        while (line := self.next()) != "":
            name, _, count = line.partition("=")
            if name not in columns:
                self.fail(f"expected an importance, got {line[:60]!r}")
            columns.discard(name)
            self.integer(count, 0, 999_999_999)
        self.exactly("")
        if self.at != len(self.lines):
            self.fail("text after the end")
