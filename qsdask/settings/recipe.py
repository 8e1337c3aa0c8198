"""The recipe of a whole job: the file that ``qsdask run`` takes, in TOML."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from qsdask.settings.base import Settings
from qsdask.settings.simulation import SimulateRecipe
from qsdask.settings.stages import (
    FeatureSettings,
    IngestSettings,
    ReportSettings,
    RespondSettings,
    ShellSettings,
    TrainSettings,
)

__all__ = ["Recipe", "SpecimenSettings"]


class SpecimenSettings(Settings):
    """One glass of a recipe."""

    name: str = Field(pattern=r"^[\w.+-]+$", description="name of the specimen and of its store")
    trajectory: str | list[str] = Field(
        description="file or files, relative to the recipe; shipped:NAME for those in the package, simulated:NAME for "
        "a specimen that the section simulate makes; simulated:NAME/tension-run2 for one of several deformations"
    )
    role: Literal["train", "test"] = Field(description="learn from it, or set it aside")


class Recipe(Settings):
    """All of a job: specimens, and the settings of every stage. The file `qsdask run` takes, in TOML."""

    folder: str = Field(
        default="qsdask-run", description="where stores, model and report go, relative to the current folder"
    )
    model: str = Field(default="model.qs", description="name of the model folder")
    simulate: SimulateRecipe | None = Field(
        default=None,
        description="glasses to make first: tables as of qsdask simulate, or the file name of such a recipe",
    )
    specimen: list[SpecimenSettings] = Field(min_length=1)
    ingest: IngestSettings = IngestSettings()
    shells: ShellSettings = ShellSettings()
    features: FeatureSettings = FeatureSettings()
    respond: RespondSettings = RespondSettings()
    train: TrainSettings = TrainSettings()
    report: ReportSettings = ReportSettings()

    @field_validator("specimen")
    @classmethod
    def _names_differ(cls, value: list[SpecimenSettings]) -> list[SpecimenSettings]:
        names = [s.name for s in value]
        if len(set(names)) != len(names):
            raise ValueError(f"two specimens have one name: {names}")
        return value
