"""From labels and features to quench-in softness: choose, balance, fold, train, keep, predict, score."""

from qsdask.learn.contributions import contributions
from qsdask.learn.definition import definition_digest
from qsdask.learn.folds import blocks, spatial_block, stratified
from qsdask.learn.growing import model_of, train, with_experience
from qsdask.learn.label import plastic, plastic_in_runs
from qsdask.learn.model import Model, versions
from qsdask.learn.model_folder import load_model, loaded, refuse_other_content, save_model
from qsdask.learn.part import Contributions
from qsdask.learn.score import evaluate, prior_corrected
from qsdask.learn.select import usable
from qsdask.learn.softness import probabilities, quench_in_softness, softness_of_atoms, told_outside
from qsdask.learn.standard import Standard
from qsdask.learn.table import Specimen, Table, concatenate, identity_hash, same_glass
from qsdask.learn.tally import Tally
from qsdask.learn.undersample import undersample

__all__ = [
    "Contributions",
    "Model",
    "Specimen",
    "Standard",
    "Table",
    "Tally",
    "blocks",
    "concatenate",
    "contributions",
    "definition_digest",
    "evaluate",
    "identity_hash",
    "load_model",
    "loaded",
    "model_of",
    "plastic",
    "plastic_in_runs",
    "prior_corrected",
    "probabilities",
    "quench_in_softness",
    "refuse_other_content",
    "same_glass",
    "save_model",
    "softness_of_atoms",
    "spatial_block",
    "stratified",
    "told_outside",
    "train",
    "undersample",
    "usable",
    "versions",
    "with_experience",
]
