"""Settings of the learning of a model."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from qsdask.settings.base import Settings
from qsdask.settings.defaults import DEEPEST_TREE, LABEL_STRAIN, PLASTIC_ABOVE
from qsdask.settings.label import OF_RESPONSE, Share, label_name

__all__ = ["TrainSettings"]

#: LightGBM holds one number more than there are, and both fit into a byte.
MOST_CODES = 255

#: Settings of training that only trees have.
_OF_TREES = (
    "draws",
    "ratio",
    "trees",
    "depth",
    "learning_rate",
    "feature_fraction",
    "leaf_fraction",
    "max_bin",
    "search",
    "parallel",
)


class TrainSettings(Settings):
    """How a model of softness is learned."""

    set: str = Field(default="interstice", description="feature sets to learn from, joined by commas")
    columns: str | list[str] = Field(
        default="all",
        description="columns of the sets to learn from: all, short_range (without the medium range), or a text file of "
        "their names, one a line",
    )
    learner: Literal["gbdt", "response"] = Field(
        default="gbdt",
        description="boosted trees on as many plastic as other atoms, as the paper; or ridge regression of the logarithm of "
        "D2min on all atoms, of a label of your own of its rank",
    )
    label: str = Field(
        default="d2min",
        description="what to learn: d2min, which atoms are plastic; propensity, which ones are so in many isoconfigurational "
        "runs; or the name of a label of 'qsdask label', with exactly one of threshold, below, top, bottom, rank",
    )
    strain: float = Field(
        default=LABEL_STRAIN,
        description="strain of the label, a fraction, negative against the first loading; the frame in which it is first "
        "passed, to within 0.0025",
    )
    frame: int | None = Field(
        default=None, description="frame of the label instead, where its strain is passed more than once"
    )
    threshold: float = Field(
        default=PLASTIC_ABOVE,
        description="plastic above this D2min, angstrom^2; of propensity, above this fraction of the runs (default 0.5); of a "
        "label of your own, where it has no default, soft above this value",
        json_schema_extra={"length": 2},
    )
    below: float | None = Field(
        default=None,
        description="of a label of your own: soft are the atoms below this value, as those of low barriers",
    )
    top: Share | None = Field(
        default=None,
        description="of a label of your own: soft are the atoms of the largest values, this share of the usable atoms of each "
        "glass, such as 5%",
    )
    bottom: Share | None = Field(
        default=None, description="likewise of the smallest values: atoms of low barriers are the soft ones"
    )
    rank: Literal["high", "low"] | None = Field(
        default=None,
        description="of a label of your own: learn the rank of every atom among those of its glass instead of a class; soft "
        "are the high values, or the low ones",
    )
    folds: int = Field(default=5, ge=2, le=50, description="models of the cross-validation")
    fold_kind: Literal["stratified", "spatial_block"] = Field(
        default="stratified",
        description="how atoms are held out: at random, or by blocks of space; the learner response leaves out whole glasses, "
        "and blocks of a single one",
    )
    block_angstrom: float = Field(default=15.0, gt=0, description="edge of a block of spatial_block folds")
    draws: int = Field(default=3, ge=1, le=50, description="undersamplings, each with its own folds")
    ratio: float = Field(default=1.0, ge=1, description="other atoms per plastic atom")
    surface_margin_angstrom: float = Field(
        default=10.0, ge=0, description="atoms nearer to a free surface are left out"
    )
    host: str | None = Field(default=None, description="learn from this species only")
    same_atoms: str | None = Field(
        default=None,
        description="feature sets of which an atom must have every column too, joined by commas, so that models of "
        "different sets learn from, and are scored on, the same atoms",
    )
    trees: int = Field(default=300, ge=1, description="boosting rounds")
    depth: int = Field(default=2, ge=1, le=DEEPEST_TREE, description="depth of a tree")
    learning_rate: float = Field(default=0.1, gt=0, le=1, description="shrinkage of each tree")
    feature_fraction: float | None = Field(
        default=None, gt=0, le=1, description="columns tried at each split; the square root of their number by default"
    )
    leaf_fraction: float = Field(
        default=0.001, ge=0, lt=0.5, description="fewest rows of a leaf, as a share of all rows"
    )
    max_bin: int = Field(default=255, ge=2, le=65535, description="bins of a column")
    penalty: float | None = Field(
        default=None,
        ge=1e-6,
        le=1e6,
        description="penalty of the learner response, times the number of atoms; when not given the one that does best on "
        "glasses left out, 0.4 of a single glass",
    )
    seed: int = Field(default=0, ge=0, description="seed of undersampling, folds and boosting")
    search: int = Field(
        default=0,
        ge=0,
        le=10_000,
        description="try so many random choices of the tree settings that are not given, by spatial_block folds of the "
        "training glasses, and take the best",
    )
    parallel: Literal["none", "models", "data"] | None = Field(
        default=None,
        description="how trees are learned: models, one fold model a task, as by default where there are several workers or "
        "more than 1 GB of rows; none, here, with the same bytes; data, one model after the other by all workers together, "
        "where the rows are too many for one of them: another learner, as the model tells",
    )
    added: ClassVar[tuple[str, ...]] = (
        "parallel",
        "frame",
        "learner",
        "below",
        "top",
        "bottom",
        "rank",
        "penalty",
        "same_atoms",
        "search",
    )

    @property
    def own_rule(self) -> tuple[str, float | None] | None:
        """Rule of a label of the user's own, see `qsdask.learn.own_label`, and its number; None for those of the response."""
        if self.label in OF_RESPONSE:
            return None
        if self.rank is not None:
            return f"rank_{self.rank}", None
        found = {"below": self.below, "top": self.top, "bottom": self.bottom}
        return next(((name, at) for name, at in found.items() if at is not None), ("above", self.threshold))

    def left_lengths(self) -> list[str]:
        """As of all settings; blocks matter only where folds are made of them."""
        unused = {"block"} if self.fold_kind != "spatial_block" and self.learner == "gbdt" else set()
        unused |= {"threshold"} if self.own_rule else set()
        return [name for name in super().left_lengths() if name not in unused]

    @model_validator(mode="before")
    @classmethod
    def _half_of_the_runs(cls, values: dict) -> dict:
        return {"threshold": 0.5, **values} if values.get("label") == "propensity" else values

    @model_validator(mode="after")
    def _of_its_learner(self) -> TrainSettings:
        others = {"gbdt": ("penalty",), "response": _OF_TREES}[self.learner]
        changed = [name for name in others if getattr(self, name) != type(self).model_fields[name].default]
        if changed:
            other = "response" if self.learner == "gbdt" else "gbdt"
            raise ValueError(f"{', '.join(changed)}: of the learner {other!r}, not of {self.learner!r}")
        return self

    @model_validator(mode="after")
    def _as_whole_numbers(self) -> TrainSettings:
        if self.parallel == "data" and self.max_bin > MOST_CODES:
            raise ValueError(
                f"max_bin: at most {MOST_CODES} with parallel = 'data', where columns are whole numbers of a byte"
            )
        return self

    @model_validator(mode="after")
    def _a_fraction(self) -> TrainSettings:
        if self.label == "propensity" and self.threshold >= 1:
            raise ValueError("the threshold of label 'propensity' is a fraction of the runs, below 1")
        if self.label in OF_RESPONSE and not self.threshold > 0:
            raise ValueError(f"threshold: Input should be greater than 0 (got {self.threshold!r})")
        return self

    @model_validator(mode="after")
    def _one_rule(self) -> TrainSettings:
        given = [name for name in ("threshold", "below", "top", "bottom", "rank") if name in self.model_fields_set]
        given = [name for name in given if getattr(self, name) is not None]
        if self.label not in OF_RESPONSE:
            label_name(self.label)
            if len(given) != 1:
                raise ValueError(
                    f"label {self.label!r} needs exactly one of threshold, below, top, bottom, rank; "
                    f"given: {', '.join(given) or 'none'}"
                )
            if moment := [
                n for n in ("strain", "frame") if n in self.model_fields_set and getattr(self, n) is not None
            ]:
                raise ValueError(
                    f"label {self.label!r} is of the glass, not of a frame: it has no {' and no '.join(moment)}"
                )
        elif strange := [name for name in given if name != "threshold"]:
            raise ValueError(f"{', '.join(strange)} is of labels of your own, and the label is {self.label!r}")
        return self
