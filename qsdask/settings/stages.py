"""Settings of the stages that work on a store."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from qsdask.settings.base import Axis, Cutoff, Settings
from qsdask.settings.defaults import PLASTIC_ABOVE

__all__ = [
    "FeatureSettings",
    "IngestSettings",
    "PredictSettings",
    "PropensitySettings",
    "ReadingSettings",
    "ReportSettings",
    "RespondSettings",
    "ShellSettings",
    "SurfaceSettings",
]

Convention = Literal["paper", "amlearn"]

#: Weighting of facets as it is typed, and as stores have always kept it.
_STORED_FACETS = {"none": "hard", "area": "soft"}


class IngestSettings(Settings):
    """How a trajectory becomes a store."""

    species: dict[int | str, str] = Field(
        default={},
        description="element of each atom type, or of each label of types, or all in the order of the types, when the file "
        "does not tell",
    )
    strain_step: float | None = Field(
        default=None,
        gt=0,
        description="strain between consecutive frames, a fraction; measured from the cell when not given",
    )
    strain_file: str | list[float] | None = Field(
        default=None, description="text file with the strain of every frame, one a line, instead of strain_step"
    )
    loading: Literal["x", "y", "z", "xy", "xz", "yz", "volume"] | None = Field(
        default=None,
        description="component of the cell's deformation that is the loading; the one that moves most when not given",
    )
    chunk: int = Field(default=65536, ge=16, description="atoms per domain, chunk and task")
    boundary: str | None = Field(
        default=None, description="LAMMPS boundary, such as ppp or spp, when the file does not tell"
    )
    units: Literal["lj", "real", "metal", "si", "cgs", "electron", "micro", "nano"] | None = Field(
        default=None,
        description="LAMMPS unit style, when the file does not tell; metal (angstrom) otherwise. Lengths in lj stay in "
        "sigma, those of the other styles become angstrom",
    )
    radius_angstrom: dict[str, float] = Field(default={}, description="radii that replace Miracle's")
    name: str | None = Field(default=None, description="name of the specimen; the store's own name by default")
    lost_atoms: Literal["error", "mask"] = Field(
        default="error", description="atoms that vanish: refuse the frame, or keep it with NaN for them"
    )
    new_atoms: Literal["error", "ignore"] = Field(
        default="error",
        description="atoms that the first frame does not have: refuse the frame, or count and leave them out",
    )
    added: ClassVar[tuple[str, ...]] = ("strain_file", "loading", "units", "new_atoms")

    @field_validator("species", mode="before")
    @classmethod
    def _in_order(cls, value: object) -> object:
        """LAMMPS users name the elements of types 1, 2, ... in this order; JSON has texts for keys."""
        if isinstance(value, list | tuple):
            return dict(enumerate(value, start=1))
        if not isinstance(value, dict):
            return value
        return {int(key) if isinstance(key, str) and key.isdecimal() else key: name for key, name in value.items()}

    @field_validator("boundary")
    @classmethod
    def _three_letters(cls, value: str | None) -> str | None:
        if value is not None and (len(value.replace(" ", "")) not in (3, 6) or set(value) - set("pfsm ")):
            raise ValueError("expected three letters of p, f, s, m, such as 'ppp', or two for each axis")
        return value

    @model_validator(mode="after")
    def _one_strain(self) -> IngestSettings:
        if self.strain_step is not None and self.strain_file is not None:
            raise ValueError("give strain_step or strain_file, not both")
        return self


class ReadingSettings(Settings):
    """How the files of a trajectory are read, and which defects are tolerated."""

    topology: str | None = Field(default=None, description="file with the atoms' names, for DCD, XTC, NetCDF")
    reference: str | None = Field(
        default=None,
        description="file of the undeformed glass, in any format, when it is not the first frame of the trajectory; "
        "matched by id, its timestep does not matter",
    )
    columns: str | None = Field(
        default=None,
        description="columns of a binary dump or data file that does not name them, such as 'id type x y z'",
    )
    strict: bool = Field(default=False, description="refuse a cut last frame instead of leaving it out")
    skip_bad_frames: bool = Field(default=False, description="leave damaged frames out, with a warning")
    assume_order: bool = Field(default=False, description="without ids: the atoms stand in one order")
    restart_overlap: Literal["error", "last"] = Field(
        default="error", description="when a restart wrote steps again: refuse, or take what was written last"
    )
    added: ClassVar[tuple[str, ...]] = ("reference",)


class ShellSettings(Settings):
    """Who is whose neighbour."""

    cutoff_angstrom: Cutoff = Field(
        default=4.0,
        description="radius of the cut-off shell, or auto: the first minimum of g(r) of the undeformed glass",
    )
    convention: Convention = Field(default="paper", description="mean over all facets, or amlearn's shrinking count")
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


class SurfaceSettings(Settings):
    """Where the glass ends and empty space begins."""

    probe_angstrom: float | None = Field(
        default=None,
        gt=0,
        le=100,
        description="radius of the sphere that empty space must hold to be outside; 1.5 spacings of the atoms by default",
    )
    reach_angstrom: float | None = Field(
        default=None,
        gt=0,
        le=200,
        description="how far from a surface distances are told; 5 radii of the probe by default",
    )


class FeatureSettings(Settings):
    """Which structural signatures, by which conventions; each set takes the settings that it knows."""

    set: str = Field(
        default="interstice", description="feature sets, joined by commas, or 'all'; see 'qsdask features --list'"
    )
    convention: Convention = Field(default="paper", description="definitions of the paper, or of the authors' code")
    motif: Literal["amlearn", "strict"] = Field(
        default="amlearn", description="Frank-Kasper type: 2 n4 + n5 = 12, or the Z12, Z14, Z15, Z16 polyhedra"
    )
    facet_weight: Literal["area", "volume"] = Field(
        default="area", description="weight of a facet in weighted i-fold symmetry: its area, or its pyramid"
    )
    facets: Annotated[Literal["hard", "soft"], BeforeValidator(lambda value: _STORED_FACETS.get(value, value))] = Field(
        default="hard",
        alias="facet_weighting",
        description="weight of Voronoi neighbours in bond order: none, each counts once, or the area of its facet",
        json_schema_extra={"typed": {"hard": "none", "soft": "area"}},
    )
    deviation: Literal["difference", "warren_cowley"] = Field(
        default="difference", description="chemical order: share minus composition, or 1 - share / composition"
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
    coarsen_exponential_angstrom: list[Annotated[float, Field(ge=0.1, le=30)]] | None = Field(
        default=None,
        description="lengths of exponentially weighted averages over all atoms within 12 angstrom, a further medium range; the "
        "responses have 1,2 if none are given, the other sets none",
    )
    stiffness: list[Annotated[float, Field(gt=0, le=50)]] = Field(
        default=[6.0],
        description="how fast the springs of the elastic network weaken with their length, 1/angstrom; its columns for each "
        "(default 6)",
    )
    network_steps: int = Field(default=8, ge=1, le=64, description="Chebyshev steps of the elastic network")
    relax_steps: int = Field(default=20, ge=1, le=1000, description="steps of the soft spheres without strain")
    strain_steps: int = Field(
        default=12, ge=1, le=1000, description="steps of the soft spheres after each of two increments of strain"
    )
    axis: Axis = Field(
        default="z", description="loading axis of the direction-resolved interstices and of the responses"
    )
    reference: str | None = Field(
        default=None,
        description="element whose diameter is the unit of length of the symmetry functions; the most frequent by default",
    )
    added: ClassVar[tuple[str, ...]] = (
        "facets",
        "coarsen",
        "coarsen_radius_angstrom",
        "coarsen_exponential_angstrom",
        "stiffness",
        "network_steps",
        "relax_steps",
        "strain_steps",
        "axis",
        "reference",
    )

    @field_validator("coarsen_radius_angstrom", "coarsen_exponential_angstrom", "stiffness")
    @classmethod
    def _numbers_differ(cls, value: list[float] | None) -> list[float] | None:
        # Two decimals: the number is a part of column names.
        if value is None:
            return None
        if len({round(number, 2) for number in value} & set(value)) != len(value):
            raise ValueError("expected different numbers with two decimals at most")
        return sorted(value)

    @field_validator("stiffness")
    @classmethod
    def _any_stiffness(cls, value: list[float]) -> list[float]:
        if not value:
            raise ValueError("expected at least one number")
        return value


class RespondSettings(Settings):
    """How D2min is measured."""

    cutoff_angstrom: Cutoff = Field(
        default=4.0, description="neighbours within this distance in the reference, or auto: the first minimum of g(r)"
    )
    normalise: Literal["sum", "mean"] = Field(default="sum", description="sum over the neighbours, or their mean")


class PropensitySettings(Settings):
    """How isoconfigurational runs are averaged."""

    threshold: float = Field(
        default=PLASTIC_ABOVE,
        gt=0,
        description="plastic in a run above this D2min, angstrom^2",
        json_schema_extra={"length": 2},
    )
    runs: list[str] = Field(
        min_length=1, description="stores of the other isoconfigurational runs, relative to the folder of the store"
    )


class PredictSettings(Settings):
    """How a model is applied to a glass."""

    accept_outside: bool = Field(
        default=False,
        description="give numbers also to elements that the model never saw, and to glasses unlike those it was trained on",
    )
    added: ClassVar[tuple[str, ...]] = ("accept_outside",)


class ReportSettings(Settings):
    """How the held-out glass is shown."""

    out: str = Field(
        default="report.html", description="file name of the report; with several test specimens their names are added"
    )
    frame: int | None = Field(
        default=None,
        description="frame whose plastic atoms are predicted and shown; that of the model's label by default",
    )
    slice_axis: Literal["x", "y", "z"] = Field(default="y", description="normal of the pictured slice")
    slice_thickness_angstrom: float = Field(default=2.0, gt=0, description="thickness of the pictured slice")
