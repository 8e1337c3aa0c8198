"""One validated settings model per stage: what a user may choose, its default, and its meaning.

The command line, the recipes and the public functions all go through these models; the stored settings of a stage
are their JSON form, so that a store tells how its numbers were made.
"""

from __future__ import annotations

from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from qsdask.errors import UsageError

__all__ = [
    "FeatureSettings",
    "IngestSettings",
    "Recipe",
    "ReportSettings",
    "RespondSettings",
    "Settings",
    "ShellSettings",
    "SpecimenSettings",
    "TrainSettings",
    "validated",
]

Convention = Literal["paper", "amlearn"]


class Settings(BaseModel):
    """Base of all settings: unknown names are refused, values cannot change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def stored(self) -> dict:
        """JSON form kept in the store."""
        return self.model_dump(mode="json")


S = TypeVar("S", bound=Settings)


class IngestSettings(Settings):
    """How a trajectory becomes a store."""

    species: dict[int, str] = Field(
        default={}, description="element of each atom type, when the file does not tell"
    )
    strain_step: float | None = Field(
        default=None,
        description="strain between consecutive frames, a fraction; measured from the cell when not given",
    )
    chunk: int = Field(default=65536, ge=16, description="atoms per domain, chunk and task")
    boundary: str | None = Field(
        default=None, description="LAMMPS boundary, such as ppp or spp, when the file does not tell"
    )
    radius_angstrom: dict[str, float] = Field(default={}, description="radii that replace Miracle's")
    name: str | None = Field(
        default=None, description="name of the specimen; the store's own name by default"
    )
    lost_atoms: Literal["error", "mask"] = Field(
        default="error", description="atoms that vanish: refuse the frame, or keep it with NaN for them"
    )

    @field_validator("boundary")
    @classmethod
    def _three_letters(cls, value: str | None) -> str | None:
        if value is not None and (len(value.replace(" ", "")) not in (3, 6) or set(value) - set("pfsm ")):
            raise ValueError("expected three letters of p, f, s, m, such as 'ppp', or two for each axis")
        return value


class ShellSettings(Settings):
    """Who is whose neighbour."""

    cutoff_angstrom: float = Field(default=4.0, gt=0, le=30, description="radius of the cut-off shell")
    convention: Convention = Field(
        default="paper", description="mean over all facets, or amlearn's shrinking count"
    )
    facet_fraction: float = Field(
        default=0.05, ge=0, lt=1, description="facets below this share of the mean area are dropped"
    )
    open_radius_angstrom: float = Field(
        default=8.0, gt=0, le=30, description="a cell that reaches farther is open (free surface)"
    )


class FeatureSettings(Settings):
    """Which structural signatures, by which conventions; each set takes the settings that it knows."""

    set: str = Field(
        default="interstice",
        description="feature sets, joined by commas, or 'all'; see 'qsdask features --list'",
    )
    convention: Convention = Field(
        default="paper", description="definitions of the paper, or of the authors' code"
    )
    motif: Literal["amlearn", "strict"] = Field(
        default="amlearn",
        description="Frank-Kasper type: 2 n4 + n5 = 12, or the Z12, Z14, Z15, Z16 polyhedra",
    )
    facet_weight: Literal["area", "volume"] = Field(
        default="area", description="weight of a facet in weighted i-fold symmetry: its area, or its pyramid"
    )
    deviation: Literal["difference", "warren_cowley"] = Field(
        default="difference",
        description="chemical order: share minus composition, or 1 - share / composition",
    )
    reach_kind: Convention = Field(
        default="paper", description="cut-off of the symmetry functions: all of their grid, or amlearn's"
    )
    smearing: float = Field(
        default=0.0, ge=0, description="standard deviation of Gaussian smearing of histograms; 0 for none"
    )


class RespondSettings(Settings):
    """How D2min is measured."""

    cutoff_angstrom: float = Field(
        default=4.0, gt=0, le=30, description="neighbours within this distance in the reference"
    )
    normalise: Literal["sum", "mean"] = Field(
        default="sum", description="sum over the neighbours, or their mean"
    )


class TrainSettings(Settings):
    """How a model of softness is learned."""

    set: str = Field(default="interstice", description="feature set to learn from")
    columns: Literal["all", "short_range"] = Field(
        default="all", description="columns of the set to learn from: all, or without the medium range"
    )
    strain: float = Field(default=0.04, gt=0, description="strain of the label, a fraction")
    threshold: float = Field(default=5.0, gt=0, description="plastic above this D2min, angstrom^2")
    folds: int = Field(default=5, ge=2, le=50, description="models of the cross-validation")
    fold_kind: Literal["stratified", "spatial_block"] = Field(
        default="stratified", description="how atoms are set aside"
    )
    block_angstrom: float = Field(default=15.0, gt=0, description="edge of a block of spatial_block folds")
    draws: int = Field(default=3, ge=1, le=50, description="undersamplings, each with its own folds")
    ratio: float = Field(default=1.0, gt=0, description="other atoms per plastic atom")
    surface_margin_angstrom: float = Field(
        default=10.0, ge=0, description="atoms nearer to a free surface are left out"
    )
    host: str | None = Field(default=None, description="learn from this species only")
    trees: int = Field(default=300, ge=1, description="boosting rounds")
    depth: int = Field(default=2, ge=1, le=16, description="depth of a tree")
    learning_rate: float = Field(default=0.1, gt=0, le=1, description="shrinkage")
    seed: int = Field(default=0, ge=0, description="seed of undersampling, folds and boosting")


def validated(kind: type[S], /, **values: object) -> S:
    """Settings from plain values; None means "not given".

    Raises
    ------
    UsageError
        ``E-SETTING`` naming every value that does not fit.
    """
    try:
        return kind(**{k: v for k, v in values.items() if v is not None})
    except ValidationError as error:
        rows = [f"{'.'.join(map(str, e['loc']))}: {e['msg']} (got {e['input']!r})" for e in error.errors()]
        raise UsageError("; ".join(rows), code="E-SETTING", hint="see --help") from None


class ReportSettings(Settings):
    """How the set-aside glass is shown."""

    out: str = Field(
        default="report.html",
        description="file name of the report; with several test specimens their names are added",
    )
    slice_axis: Literal["x", "y", "z"] = Field(default="y", description="normal of the pictured slice")
    slice_thickness_angstrom: float = Field(default=2.0, gt=0, description="thickness of the pictured slice")


class SpecimenSettings(Settings):
    """One glass of a recipe."""

    name: str = Field(pattern=r"^[\w.+-]+$", description="name of the specimen and of its store")
    trajectory: str | list[str] = Field(
        description="file or files, relative to the recipe; shipped:NAME for those in the package"
    )
    role: Literal["train", "test"] = Field(description="learn from it, or set it aside")


class Recipe(Settings):
    """All of a job: specimens, and the settings of every stage. The file `qsdask run` takes, in TOML."""

    folder: str = Field(
        default="qsdask-run", description="where stores, model and report go, relative to the current folder"
    )
    model: str = Field(default="model.qs", description="name of the model folder")
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
