"""Trees of a model folder are no deeper than training makes them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from qsdask.errors import BadDataError
from qsdask.learn import Specimen, Table, load_model, save_model, train
from qsdask.learn.gbdt import train_one
from qsdask.learn.tree_text import check_text
from qsdask.settings import TrainSettings
from qsdask.settings.defaults import DEEPEST_TREE

COLUMNS = ("a", "b")


def chain(n_leaf: int) -> str:
    """Text of a model of one tree, each of whose splits has a leaf and the next split."""
    split, leaf = ["0"] * (n_leaf - 1), ["1"] * n_leaf
    lists = {
        "num_leaves": [str(n_leaf)],
        "num_cat": ["0"],
        "split_feature": split,
        "split_gain": split,
        "threshold": split,
        "decision_type": split,
        "left_child": [str(-k) for k in range(1, n_leaf)],
        "right_child": [*map(str, range(1, n_leaf - 1)), str(-n_leaf)],
        "leaf_value": leaf,
        "leaf_weight": leaf,
        "leaf_count": leaf,
        "internal_value": split,
        "internal_weight": split,
        "internal_count": split,
        "is_linear": ["0"],
        "shrinkage": ["1"],
    }
    tree = "Tree=0\n" + "".join(f"{name}={' '.join(values)}\n" for name, values in lists.items()) + "\n\n"
    header = (
        "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx=1\n"
        "objective=binary sigmoid:1\nfeature_names=a b\nfeature_infos=[0:1] [0:1]\n"
    )
    return f"{header}tree_sizes={len(tree)}\n\n{tree}end of trees\n\nfeature_importances:\na=1\n\n"


def noise(n=60_000):
    rng = np.random.default_rng(0)
    return rng.random((n, 2)), rng.random(n) > 0.5


def test_a_chain_as_deep_as_training_goes_is_accepted_and_one_split_more_is_not():
    assert check_text(chain(DEEPEST_TREE + 1), COLUMNS) == 1
    with pytest.raises(BadDataError, match=f"E-MODEL-TREE.*deeper than {DEEPEST_TREE} splits"):
        check_text(chain(DEEPEST_TREE + 2), COLUMNS)


def test_the_deepest_trees_that_are_trained_are_accepted():
    X, y = noise()
    settings = TrainSettings(trees=2, depth=DEEPEST_TREE, leaf_fraction=0.0, feature_fraction=1.0)
    text = train_one(X, y, COLUMNS, settings)
    assert max(int(line.split("=")[1]) for line in text.split("\n") if line.startswith("num_leaves")) > 1000
    assert check_text(text, COLUMNS) == 2


def test_a_model_folder_of_chains_is_refused_with_its_file(tmp_path):
    X, y = noise(600)
    specimen = (Specimen("0a", "a", 600, fingerprint=(2.5,), species=("Cu",)),)
    table = Table(specimen, np.zeros(600, int), np.arange(600) + 1, X, y, COLUMNS)
    label = {"strain": 0.04, "threshold": 5.0, "surface_margin_angstrom": 0.0}
    definition = {"features": {"set": "made_up"}}
    model = train(table, definition=definition, label=label, settings=TrainSettings(trees=2, draws=1))
    chains = dict.fromkeys(model.trees, chain(2**DEEPEST_TREE))
    save_model(replace(model, trees=chains), tmp_path / "m.qs")
    with pytest.raises(BadDataError, match=r"E-MODEL-TREE(.|\n)*deeper(.|\n)*fold-0-0\.txt"):
        load_model(tmp_path / "m.qs")
