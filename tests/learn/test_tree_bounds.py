"""Trees of a model folder are no deeper than training makes them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from qsdask.errors import BadDataError
from qsdask.learn import Specimen, Table, load_model, save_model, train
from qsdask.learn.gbdt import train_one
from qsdask.learn.tree_text import read_trees
from qsdask.settings import TrainSettings
from qsdask.settings.defaults import DEEPEST_TREE
from tests.learn.made_up import model_text

COLUMNS = ("a", "b")


def chain(n_leaf: int) -> str:
    """Text of a model of one tree, each of whose splits has a leaf and the next split."""
    n = n_leaf - 1
    left, right = -1 - np.arange(n), np.append(np.arange(1, n), -n_leaf)
    return model_text([(np.zeros(n, int), np.zeros(n), left, right, np.ones(n_leaf))], COLUMNS)


def noise(n=60_000):
    rng = np.random.default_rng(0)
    return rng.random((n, 2)), rng.random(n) > 0.5


def test_a_chain_as_deep_as_training_goes_is_accepted_and_one_split_more_is_not():
    assert read_trees(chain(DEEPEST_TREE + 1), COLUMNS).n_leaf.tolist() == [DEEPEST_TREE + 1]
    with pytest.raises(BadDataError, match=f"E-MODEL-TREE.*deeper than {DEEPEST_TREE} splits"):
        read_trees(chain(DEEPEST_TREE + 2), COLUMNS)


def test_the_deepest_trees_that_are_trained_are_accepted():
    X, y = noise()
    settings = TrainSettings(trees=2, depth=DEEPEST_TREE, leaf_fraction=0.0, feature_fraction=1.0)
    text = train_one(X, y, COLUMNS, settings)
    n_leaf = read_trees(text, COLUMNS).n_leaf
    assert len(n_leaf) == 2
    assert n_leaf.max() > 1000


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
