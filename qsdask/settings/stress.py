"""Settings of the stress along the loading: which column of a table it is, in which unit."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from qsdask.settings.base import Settings

__all__ = ["StressSettings"]


class StressSettings(Settings):
    """Which column of a table is the stress."""

    column: str | None = Field(
        default=None,
        description="column that is the stress, positive with the load, as it is; with a minus before it, negated: -c_p[3]. "
        "Without: that of the loading, such as stress_zz_gpa, or Pzz of LAMMPS, with the sign of the load",
    )
    unit: Literal["GPa", "MPa", "kbar", "bar", "atm", "Pa"] | None = Field(
        default=None,
        description="unit of the column, which becomes GPa; that of its name, or of the unit style in a log of LAMMPS, when "
        "not given; where lengths are in sigma nothing is converted without it",
    )

    @field_validator("column")
    @classmethod
    def _named(cls, value: str | None) -> str | None:
        if value is not None and not value.removeprefix("-").strip():
            raise ValueError("expected the name of a column")
        return value
