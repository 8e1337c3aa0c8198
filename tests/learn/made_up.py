"""Texts of models with trees of any shape, written as LightGBM writes those that it has trained."""

from __future__ import annotations

HEADER = """tree
version=v4
num_class=1
num_tree_per_iteration=1
label_index=0
max_feature_idx={last}
objective=binary sigmoid:1
feature_names={names}
feature_infos={ranges}
tree_sizes={sizes}

"""


def model_text(trees, columns):
    """Text of a model.

    A tree is feature, threshold, left, right of its splits, and the value of its leaves; numbers or their texts.
    """
    parts = [f"Tree={k}\n{tree_text(*tree)}\n\n" for k, tree in enumerate(trees)]
    header = HEADER.format(
        last=len(columns) - 1,
        names=" ".join(columns),
        ranges=" ".join(["[0:1]"] * len(columns)),
        sizes=" ".join(str(len(part)) for part in parts),
    )
    return f"{header}{''.join(parts)}end of trees\n\nfeature_importances:\n{columns[0]}=1\n\n"


def tree_text(feature, threshold, left, right, value):
    """Lines of a tree."""
    zeros, ones = [0] * len(feature), [1] * len(value)
    lists = {
        "num_leaves": [len(value)],
        "num_cat": [0],
        "split_feature": feature,
        "split_gain": zeros,
        "threshold": threshold,
        # Bit 1, where missing values go: training sets it at some splits, and it must not matter.
        "decision_type": [2 * (k % 2) for k in range(len(feature))],
        "left_child": left,
        "right_child": right,
        "leaf_value": value,
        "leaf_weight": ones,
        "leaf_count": ones,
        "internal_value": zeros,
        "internal_weight": zeros,
        "internal_count": zeros,
        "is_linear": [0],
        "shrinkage": [1],
    }
    return "".join(f"{name}={' '.join(str(v) for v in values)}\n" for name, values in lists.items())
