"""Settings of the choice of columns."""

from __future__ import annotations

from pydantic import Field

from qsdask.settings.base import Settings

__all__ = ["SelectionSettings"]


class SelectionSettings(Settings):
    """How few columns are chosen."""

    keep: int = Field(default=15, ge=1, le=10_000, description="columns to choose")
    correlation: float = Field(
        default=0.95,
        gt=0,
        le=1,
        description="of two columns whose correlation is above this in size, one is dropped first",
    )
