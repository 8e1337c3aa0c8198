"""Settings of the questions about hard and soft atoms."""

from __future__ import annotations

from pydantic import Field, model_validator

from qsdask.settings.base import Settings
from qsdask.settings.defaults import HARD_BELOW, SOFT_ABOVE

__all__ = ["ClassSettings"]


class ClassSettings(Settings):
    """Which atoms are hard, and which are soft; the defaults are those of the paper."""

    hard_below: float = Field(default=HARD_BELOW, gt=0, le=1, description="atoms with QS below this are hard")
    soft_above: float = Field(default=SOFT_ABOVE, ge=0, lt=1, description="atoms with QS above this are soft")

    @model_validator(mode="after")
    def _apart(self) -> ClassSettings:
        if self.hard_below > self.soft_above:
            raise ValueError("no atom may be hard and soft: hard_below must not be above soft_above")
        return self

    @property
    def limits(self) -> tuple[float, float]:
        """Both of them."""
        return self.hard_below, self.soft_above
