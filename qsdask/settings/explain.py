"""Settings of the questions about what a model looks at."""

from __future__ import annotations

from pydantic import Field

from qsdask.settings.base import Settings

__all__ = ["ExplainSettings"]


class ExplainSettings(Settings):
    """From how many atoms importances and partial dependence are taken."""

    sample: int = Field(
        default=10_000,
        ge=10,
        description="atoms, chosen by a hash of their identity, of which columns are permuted or set; more than there are: all",
    )
    repeats: int = Field(default=5, ge=2, le=1000, description="permutations of each column")
    grid: int = Field(default=25, ge=2, le=1000, description="values of a column at which partial dependence is taken")
    seed: int = Field(default=0, ge=0, description="seed of the choice of atoms and of the permutations")
