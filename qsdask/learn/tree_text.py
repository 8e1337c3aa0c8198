"""The text of a model, read line by line: what training did not write is refused.

A damaged text would predict something else, and nobody would see it.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from math import isfinite
from typing import NamedTuple

import numpy as np

from qsdask.errors import BadDataError
from qsdask.settings.defaults import DEEPEST_TREE

__all__ = ["MOST_TREES", "Trees", "read_trees"]


#: Trees that a model may have.
MOST_TREES = 100_000


_HEADER = (
    ("version", "v4"),
    ("num_class", "1"),
    ("num_tree_per_iteration", "1"),
    ("label_index", "0"),
    ("max_feature_idx", None),
    # Of classes, and of ranks: both give the logarithm of odds.
    ("objective", "binary sigmoid:1|cross_entropy"),
    ("feature_names", None),
    ("feature_infos", None),
    ("tree_sizes", None),
)


_PER_SPLIT = ("split_feature", "split_gain", "threshold", "decision_type", "left_child", "right_child")


_PER_LEAF = ("leaf_value", "leaf_weight", "leaf_count")


_INNER = ("internal_value", "internal_weight", "internal_count")


_TREE = ("num_leaves", "num_cat", *_PER_SPLIT, *_PER_LEAF, *_INNER, "is_linear", "shrinkage")


#: What predictions, importances and explanations are made from, in the order of `Trees`.
_KEPT = ("split_feature", "threshold", "left_child", "right_child", "split_gain", "leaf_value", "leaf_count")


_INTEGERS = {"split_feature", "decision_type", "left_child", "right_child", "leaf_count", "internal_count"}


_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,8})")


_NUMBER = re.compile(r"-?[0-9]{1,25}(\.[0-9]{1,25})?(e[+-]?[0-9]{1,3})?")


_RANGE = re.compile(r"none|\[([^\[\]:]+):([^\[\]:]+)\]")


class Trees(NamedTuple):
    """Trees of one model, in the order of its text; splits and leaves of one tree after those of the other.

    Attributes
    ----------
    n_leaf : int64 array, shape (n_tree,)
        Leaves of each tree; it has one split less.
    feature : int64 array, shape (n_split,)
        Column that a split looks at.
    threshold : float64 array, shape (n_split,)
        Values up to it go left.
    left, right : int64 arrays, shape (n_split,)
        Split within the tree, or ``-1 - leaf``.
    gain : float64 array, shape (n_split,)
        What a split gained in training.
    value : float64 array, shape (n_leaf,)
        What a leaf adds to the logarithm of the odds.
    n_row : int64 array, shape (n_leaf,)
        Training atoms of a leaf, at least 1.
    """

    n_leaf: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    gain: np.ndarray
    value: np.ndarray
    n_row: np.ndarray


def read_trees(text: str, columns: Sequence[str], *, file: object = None) -> Trees:
    """Read the text of a model, and check all of it.

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
    Trees

    Raises
    ------
    BadDataError
        ``E-MODEL-TREE``, with the file and the line.

    Notes
    -----
    Accepted is the grammar that `train_one` writes and nothing else: header, trees whose stated sizes are
    their sizes in bytes, lists as long as the number of leaves demands, finite numbers, features and children
    in range, every node reached once from the root and by no more splits than can be trained, numerical splits
    only, and the list of importances.
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

    def model(self, columns: Sequence[str]) -> Trees:
        n_feature = len(columns)
        self.exactly("tree")
        header = {}
        for name, wanted in _HEADER:
            header[name] = self.entry(name)
            if wanted is not None and header[name] not in wanted.split("|"):
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
        if len(sizes) > MOST_TREES:
            self.fail("too many trees")
        self.exactly("")
        n_leaf = []
        kept: dict[str, array] = {name: array("q" if name in _INTEGERS else "d") for name in _KEPT}
        for k, size in enumerate(sizes):
            begin = self.at
            self.exactly(f"Tree={k}")
            lists = self.tree(n_feature)
            n_leaf.append(len(lists["leaf_value"]))
            for name, values in kept.items():
                values.extend(lists[name])
            # LightGBM finds the trees by these sizes: a wrong one would make it read elsewhere.
            length = sum(len(line) + 1 for line in self.lines[begin : self.at])
            self.integer(size, length, length)
        self.exactly("end of trees", "", "feature_importances:")
        self.importances(set(columns))
        return Trees(np.array(n_leaf), *(np.array(values) for values in kept.values()))

    def tree(self, n_feature: int) -> dict[str, Sequence[float]]:
        n_leaf = 0
        lists: dict[str, Sequence[float]] = {}
        for name in _TREE:
            content = self.entry(name)
            if name == "num_leaves":
                n_leaf = self.integer(content, 1, 2**DEEPEST_TREE)
            elif name in ("num_cat", "is_linear"):
                self.integer(content, 0, 0)
            elif name == "shrinkage":
                self.number(content)
            else:
                lists[name] = self.values(name, content, n_leaf, n_feature)
        if n_leaf == 1:
            lists["leaf_count"] = [1]  # which it leaves out, or writes as 0
        self.nodes(lists, n_leaf)
        self.exactly("", "")
        return lists

    def values(self, name: str, content: str, n_leaf: int, n_feature: int) -> Sequence[float]:
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
            # A leaf is made of training rows; shares of them are what explanations weigh by.
            "leaf_count": (int(n_leaf > 1), 999_999_999),
        }.get(name, (0, 999_999_999))
        values = [self.integer(p, low, high) for p in parts]
        # Bit 0: categorical, 1: default left, 2 and 3: kind of missing value. Only bit 1 is ever set here.
        if name == "decision_type" and not set(values) <= {0, 2}:
            self.fail(f"decision_type: expected 0 or 2, got {content[:40]!r}")
        return values

    def nodes(self, lists: dict[str, Sequence[float]], n_leaf: int) -> None:
        """Every split and every leaf hangs on the root exactly once, and not too deep.

        A chain of splits is a valid tree, but every row walks down all of it.
        """
        waiting = [(0 if n_leaf > 1 else -1, 0)]
        seen: set[int] = set()
        while waiting:
            node, depth = waiting.pop()
            if node in seen:
                self.fail("a node of the tree has two parents")
            seen.add(node)
            if depth > DEEPEST_TREE:
                self.fail(f"a tree is deeper than {DEEPEST_TREE} splits, the most that can be trained")
            if node >= 0:
                waiting += [(int(lists[side][node]), depth + 1) for side in ("left_child", "right_child")]
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
