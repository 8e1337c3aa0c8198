"""The recipe of a whole job: the file that ``qsdask run`` takes, in TOML."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from qsdask.names import checked_name
from qsdask.settings.base import Settings
from qsdask.settings.cluster import ClusterSettings
from qsdask.settings.defaults import PLASTIC_ABOVE
from qsdask.settings.learning import TrainSettings
from qsdask.settings.simulation import SimulateRecipe
from qsdask.settings.stages import (
    FeatureSettings,
    IngestSettings,
    PredictSettings,
    ReadingSettings,
    ReportSettings,
    RespondSettings,
    ShellSettings,
    SurfaceSettings,
)
from qsdask.settings.storage import StorageSettings

__all__ = ["Recipe", "SpecimenSettings"]


class SpecimenSettings(Settings):
    """One glass of a recipe."""

    name: str = Field(pattern=r"^[\w.+-]+$", description="name of the specimen and of its store")
    trajectory: str | list[str] = Field(
        description="file or files, relative to the recipe; shipped:NAME for those in the package, simulated:NAME for "
        "a specimen that the section simulate makes; simulated:NAME/tension-run2 for one of several deformations"
    )
    reference: str | None = Field(
        default=None,
        description="file of its undeformed glass, relative to the recipe, when it is not in the trajectory",
    )
    thermo: str | None = Field(
        default=None,
        description="table with the stress along the loading, such as log.lammps, relative to the recipe; simulated specimens "
        "have theirs",
    )
    role: Literal["train", "test"] = Field(
        default="test", description="learn from it, or hold it out: it gets its softness, and scores if it was deformed"
    )
    runs: list[str] = Field(
        default=[],
        description="trajectories of other isoconfigurational runs of the glass, such as simulated:NAME/compression-run2; "
        "their responses are averaged with its own, as train.label = 'propensity' needs",
    )

    @field_validator("name")
    @classmethod
    def _can_be_a_name(cls, value: str) -> str:
        return checked_name(value, "specimen")

    @property
    def run_names(self) -> list[str]:
        """Names of the stores of `runs`; that of the trajectory itself is the first run."""
        return [f"{self.name}-run{number}" for number, _ in enumerate(self.runs, 2)]


class Recipe(Settings):
    """All of a job: specimens, and the settings of every stage. The file `qsdask run` takes, in TOML."""

    folder: str = Field(default="qsdask-run", description="where stores, model and report go, below the current folder")
    model: str = Field(default="model.qs", description="name of the model folder")
    use_model: str | None = Field(
        default=None,
        description="a model that exists, instead of learning one: the name of a shipped one, or its folder, relative to the "
        "recipe; shells, features and response are those that it knows, and glasses need not be deformed",
    )
    simulate: SimulateRecipe | None = Field(
        default=None,
        description="glasses to make first: tables as of qsdask simulate, or the file name of such a recipe",
    )
    specimen: list[SpecimenSettings] = Field(min_length=1)
    softness_strain: list[float] = Field(
        default=[],
        description="strains at which the frames of held-out glasses get shells, features and softness, too; each where it "
        "is first passed",
    )
    softness_frame: list[int] = Field(
        default=[], description="frames of held-out glasses that get them, where a strain does not tell the frame"
    )
    run_threshold: float = Field(
        default=PLASTIC_ABOVE, gt=0, description="of specimens with runs: plastic in a run above this D2min, angstrom^2"
    )
    reading: ReadingSettings = ReadingSettings()
    ingest: IngestSettings = IngestSettings()
    surface: SurfaceSettings = SurfaceSettings()
    shells: ShellSettings = ShellSettings()
    features: FeatureSettings = FeatureSettings()
    respond: RespondSettings = RespondSettings()
    train: TrainSettings = TrainSettings()
    predict: PredictSettings = PredictSettings()
    report: ReportSettings = ReportSettings()
    cluster: ClusterSettings = ClusterSettings()
    storage: StorageSettings = StorageSettings()

    @field_validator("specimen")
    @classmethod
    def _names_differ(cls, value: list[SpecimenSettings]) -> list[SpecimenSettings]:
        # Each run has a store of its own.
        names = [s.name for s in value] + [name for s in value for name in s.run_names]
        if len(set(names)) != len(names):
            raise ValueError(f"two specimens have one name: {names}")
        return value

    @model_validator(mode="after")
    def _learns_or_uses(self) -> Recipe:
        learned = [specimen.name for specimen in self.specimen if specimen.role == "train"]
        if self.use_model is not None and learned:
            raise ValueError(f"use_model names a model that exists, and {', '.join(learned)} has role = 'train'")
        return self

    @model_validator(mode="after")
    def _runs_for_propensity(self) -> Recipe:
        once = [specimen.name for specimen in self.specimen if not specimen.runs]
        if self.train.label == "propensity" and once:
            raise ValueError(f"train.label is 'propensity', and {', '.join(once)} has no other runs")
        return self
