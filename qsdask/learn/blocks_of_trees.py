"""The text of a model from trees that were grown block by block, on columns as whole numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from qsdask.learn.tree_text import Trees, read_trees

__all__ = ["Grown", "read_grown", "text_of", "trees_of", "with_counts"]

#: A tree as LightGBM writes it: its lines by what stands before ``=``.
Grown = dict[str, str]

_TREE = re.compile(r"^Tree=\d+\n(.*?)\n\n", re.MULTILINE | re.DOTALL)


def read_grown(text: str) -> list[Grown]:
    """Trees of a text of LightGBM."""
    found = _TREE.findall(text[: text.index("end of trees")])
    return [dict(line.split("=", 1) for line in tree.split("\n") if line) for tree in found]


def with_counts(tree: Grown, count: Sequence[int]) -> Grown:
    """A tree that tells how many rows come to each leaf; one that several ranks grew has estimates.

    Parameters
    ----------
    tree : dict of str to str
        The tree.
    count : sequence of int
        Rows of each leaf.
    """
    if len(count) < 2:
        return tree
    left, right = ([int(n) for n in tree[f"{side}_child"].split()] for side in ("left", "right"))
    inner = [0] * len(left)

    def rows(node: int) -> int:
        if node < 0:
            return int(count[-1 - node])
        inner[node] = rows(left[node]) + rows(right[node])
        return inner[node]

    rows(0)
    return {**tree, "leaf_count": _line(count), "internal_count": _line(inner)}


def text_of(
    trees: Sequence[Grown],
    columns: Sequence[str],
    base: float,
    *,
    ranges: Sequence[tuple[float, float]],
    edges: Sequence[np.ndarray] | None = None,
    ranked: bool = False,
) -> str:
    """The text of a model, as `qsdask.learn.gbdt.train_one` gives it.

    Parameters
    ----------
    trees : sequence
        Trees, without the score that they began from.
    columns : sequence of str
        Names of the features.
    base : float
        Logarithm of the odds that the first tree began from; it is added to the leaves of that tree.
    ranges : sequence of (float, float)
        Smallest and largest value of every column.
    edges : sequence of float64 arrays, optional
        What the whole numbers stand for, see `qsdask.learn.bins`. Left out: themselves.
    ranked : bool
        Whether ranks were learned.
    """
    known = [_raised(tree, base) if k == 0 else tree for k, tree in enumerate(trees)] or [_alone(base)]
    told = [_section(k, _in_values(tree, edges)) for k, tree in enumerate(known)]
    infos = (f"[{_number(low)}:{_number(high)}]" if low < high else "none" for low, high in ranges)
    head = {
        "version": "v4",
        "num_class": "1",
        "num_tree_per_iteration": "1",
        "label_index": "0",
        "max_feature_idx": str(len(columns) - 1),
        "objective": "cross_entropy" if ranked else "binary sigmoid:1",
        "feature_names": " ".join(columns),
        "feature_infos": " ".join(infos),
        "tree_sizes": " ".join(str(len(section)) for section in told),
    }
    used = Counter(int(k) for tree in known for k in tree["split_feature"].split())
    importances = "".join(f"{columns[k]}={n}\n" for k, n in sorted(used.items(), key=lambda one: (-one[1], one[0])))
    lines = "".join(f"{name}={value}\n" for name, value in head.items())
    return f"tree\n{lines}\n{''.join(told)}end of trees\n\nfeature_importances:\n{importances}\n"


def trees_of(trees: Sequence[Grown], n_column: int, base: float) -> Trees:
    """Trees for rows of whole numbers, as kernels follow them."""
    names = [f"c{k}" for k in range(n_column)]
    return read_trees(text_of(trees, names, base, ranges=[(0.0, 255.0)] * n_column), names)


def _raised(tree: Grown, base: float) -> Grown:
    """A tree whose every leaf is higher."""
    names = [name for name in ("leaf_value", "internal_value") if tree[name]]
    return {**tree, **{name: _line(float(x) + base for x in tree[name].split()) for name in names}}


def _alone(base: float) -> Grown:
    """A tree of one leaf: no column told anything."""
    names = ("split_feature", "split_gain", "threshold", "decision_type", "left_child", "right_child")
    empty = dict.fromkeys(names, "")
    counts = dict.fromkeys(("leaf_weight", "leaf_count", "internal_value", "internal_weight", "internal_count"), "")
    return {
        "num_leaves": "1",
        "num_cat": "0",
        **empty,
        "leaf_value": _number(base),
        **counts,
        "is_linear": "0",
        "shrinkage": "1",
    }


def _in_values(tree: Grown, edges: Sequence[np.ndarray] | None) -> Grown:
    """A tree that compares values instead of the numbers of their intervals."""
    if edges is None or not tree["threshold"]:
        return tree
    at = zip(tree["split_feature"].split(), tree["threshold"].split(), strict=True)
    return {**tree, "threshold": _line(edges[int(column)][int(float(code))] for column, code in at)}


def _section(k: int, tree: Grown) -> str:
    lines = "".join(f"{name}={value}\n" for name, value in tree.items())
    return f"Tree={k}\n{lines}\n\n"


def _line(values: object) -> str:
    return " ".join(map(_number, values))  # type: ignore[call-overload]


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.17g}"
