"""One validated settings model per stage: what a user may choose, its default, and its meaning.

The command line, the recipes and the public functions all go through these models; the stored settings of a stage
are their JSON form, so that a store tells how its numbers were made.
"""

from __future__ import annotations

from qsdask.settings.base import Settings, refuse_defaults, validated
from qsdask.settings.classes import ClassSettings
from qsdask.settings.cluster import ClusterSettings
from qsdask.settings.describe import as_toml, first_line
from qsdask.settings.explain import ExplainSettings
from qsdask.settings.label import LabelSettings
from qsdask.settings.learning import TrainSettings
from qsdask.settings.recipe import Recipe, SpecimenSettings
from qsdask.settings.selection import SelectionSettings
from qsdask.settings.simulation import AlloySettings, DeformSettings, EnsembleSettings, QuenchSettings, SimulateRecipe
from qsdask.settings.stages import (
    FeatureSettings,
    IngestSettings,
    PredictSettings,
    PropensitySettings,
    ReadingSettings,
    ReportSettings,
    RespondSettings,
    ShellSettings,
    SurfaceSettings,
)
from qsdask.settings.stress import StressSettings

__all__ = [
    "AlloySettings",
    "ClassSettings",
    "ClusterSettings",
    "DeformSettings",
    "EnsembleSettings",
    "ExplainSettings",
    "FeatureSettings",
    "IngestSettings",
    "LabelSettings",
    "PredictSettings",
    "PropensitySettings",
    "QuenchSettings",
    "ReadingSettings",
    "Recipe",
    "ReportSettings",
    "RespondSettings",
    "SelectionSettings",
    "Settings",
    "ShellSettings",
    "SimulateRecipe",
    "SpecimenSettings",
    "StressSettings",
    "SurfaceSettings",
    "TrainSettings",
    "as_toml",
    "first_line",
    "refuse_defaults",
    "validated",
]
